//! A person's choices on an operation: retry, hold, release, settle, accept. Each is kept in its story with
//! who, when and why.

use jiff::Timestamp;

use super::outcome::{self, Found};
use super::unpaid_vouchers::record_of;
use super::{Context, JobError, labels};
use crate::attempt::{AttemptState, Payment};
use crate::hipay::{ActingOn, Transaction};
use crate::money::Amount;
use crate::operation::{Beneficiary, Column, Event, Hold, Operation, OperationChoice, PaymentKind, Status};
use crate::remote::CallError;
use crate::sentence::{Sentence, asker, say};
use crate::store::{Query, View, Writer};

/// The longest reason that is kept, in characters.
const LONGEST_REASON: usize = 1_000;

/// Does what a person has chosen about operation `id`, and gives it as it is then. Refused where a reason is
/// missing that has to be given, or where the choice would change nothing.
pub async fn choose_for_operation(
    context: &Context,
    id: u64,
    choice: OperationChoice,
    reason: &str,
    asked_by: &str,
) -> Result<Operation, JobError> {
    let reason = reason.trim().to_owned();
    if choice.needs_reason() && reason.is_empty() {
        return Err(JobError::Refused(say!("choice-no-reason")));
    }
    if reason.chars().count() > LONGEST_REASON {
        return Err(JobError::Refused(say!("choice-long-reason", most = LONGEST_REASON.to_string())));
    }
    let known = context.store.reading(move |reader| reader.get::<Operation>(&id)).await?;
    let Some(known) = known else { return Err(JobError::Refused(say!("retry-none", operation = id))) };
    if let Some(why) = known.refuses(&choice) {
        return Err(JobError::Refused(why));
    }
    let shown = if let OperationChoice::Accept { transaction_id } = &choice {
        Some(shown_payment(context, &known, transaction_id).await?)
    } else {
        None
    };
    let note = note(&choice, &reason, asked_by);
    let (now, working, said) = (context.clock.now(), context.clone(), note.clone());
    let chosen = context.store.write(move |writer: &mut Writer<'_>| {
        let Some(before) = writer.get::<Operation>(&id)? else {
            return Err(JobError::Refused(say!("retry-none", operation = id)));
        };
        if let Some(why) = before.refuses(&choice) {
            return Err(JobError::Refused(why));
        }
        let mut operation = before.clone();
        match choice {
            OperationChoice::Retry | OperationChoice::Release => {
                go_on(&working, writer, &mut operation, (&choice, &said), now)?;
            }
            OperationChoice::Hold => operation.hold(Hold::ByPerson, &said, now),
            OperationChoice::Settle => operation.hold(Hold::Settled, &said, now),
            OperationChoice::Accept { .. } => {
                let Some(shown) = shown else { return Err(JobError::Refused(say!("choice-unknown", operation = id))) };
                accept(writer, &mut operation, shown, &said, now)?;
            }
            OperationChoice::Unknown => {}
        }
        let heard = outcome::keep(working.config.technical_account.hipay_id, writer, &before, &operation)?;
        Ok((operation, heard))
    });
    let (operation, heard) = chosen.await?;
    if heard {
        context.inbox.notify_one();
    }
    let (mirakl_id, voucher) = (operation.mirakl_id, operation.voucher.as_str());
    tracing::warn!(action = "operation", mirakl_id, voucher, "operation {id}: {note}");
    Ok(operation)
}

/// What the story keeps of a choice.
fn note(choice: &OperationChoice, reason: &str, asked_by: &str) -> Sentence {
    let (person, why) = (asker(asked_by), Sentence::quoting(reason));
    match choice {
        OperationChoice::Retry if reason.is_empty() => say!("retry-asked", person),
        OperationChoice::Retry => say!("retry-asked-why", person, why),
        OperationChoice::Release if reason.is_empty() => say!("choice-released", person),
        OperationChoice::Release => say!("choice-released-why", person, why),
        OperationChoice::Hold => say!("choice-held", person, why),
        OperationChoice::Settle => say!("choice-settle", person, why),
        OperationChoice::Accept { transaction_id } => {
            say!("choice-accepted", person, transaction = transaction_id, why)
        }
        OperationChoice::Unknown => Sentence::none(),
    }
}

/// Ends the hold, and has a canceled withdrawal tried again where that is asked for.
fn go_on(
    context: &Context,
    writer: &mut Writer<'_>,
    operation: &mut Operation,
    (choice, note): (&OperationChoice, &Sentence),
    now: Timestamp,
) -> Result<(), JobError> {
    if operation.held.is_some() {
        if operation.held_for == Some(Hold::AmountChanged) {
            take_shown_amount(context, writer, operation, now)?;
        }
        operation.release(true, note, now);
    }
    if *choice == OperationChoice::Retry && operation.status == Status::WithdrawCanceled {
        operation.happen(Event::RetryAsked, note, now).map_err(|error| JobError::Refused(error.into()))?;
    }
    Ok(())
}

/// Takes the amount that Mirakl shows now for the one that the operation was made with. What was netted into it
/// stays netted.
fn take_shown_amount(
    context: &Context,
    writer: &mut Writer<'_>,
    operation: &mut Operation,
    now: Timestamp,
) -> Result<(), JobError> {
    let Some(mut record) = record_of(writer, operation)? else { return Ok(()) };
    let Some((vendor, operator)) = record.changed_to else { return Ok(()) };
    let (shown, kept) = match operation.beneficiary {
        Beneficiary::Vendor => (vendor, &mut record.voucher.vendor_amount),
        Beneficiary::Operator => (operator, &mut record.voucher.operator_amount),
    };
    let former = operation.amount;
    let netted = operation.origin_amount.checked_sub(former);
    let amount = netted.and_then(|netted| shown.checked_sub(netted));
    let Some(amount) = amount.ok().filter(|amount| amount.is_positive()) else {
        return Err(JobError::Refused(say!("retry-nothing-left", operation = operation.id, shown)));
    };
    *kept = shown;
    let first = (record.voucher.vendor_amount, record.voucher.operator_amount);
    record.changed_to = record.changed_to.filter(|shown| *shown != first);
    writer.put(&record)?;
    (operation.origin_amount, operation.amount) = (shown, amount);
    // HiPay knows nothing of a refused attempt: its reference pays the new amount.
    let labels = labels::of(context, operation, PaymentKind::Transfer, amount);
    let last = operation.transfer.attempts.last_mut();
    if let Some(refused) = last.filter(|last| last.state == AttemptState::Refused) {
        refused.amount = amount;
        (refused.public_label, refused.private_label) = labels;
    }
    operation.note(&say!("retry-amount", former, amount), now);
    Ok(())
}

/// A payment of HiPay's that a person takes for the operation's.
struct ShownPayment {
    kind: PaymentKind,
    /// The wallet that the money went to, or that it left for the bank.
    account: u64,
    transaction: Transaction,
    /// As of when HiPay shows it (UTC).
    as_of: Timestamp,
}

/// The payment that is due: the transfer until its money is in the wallet.
fn due_kind(operation: &Operation) -> PaymentKind {
    let (transfer, _) = operation.status.columns();
    if transfer == Column::Ok { PaymentKind::Withdrawal } else { PaymentKind::Transfer }
}

/// Reads the transaction at HiPay, which has to show a payment.
async fn shown_payment(context: &Context, operation: &Operation, id: &str) -> Result<ShownPayment, JobError> {
    let (kind, wallet, id) = (due_kind(operation), operation.recipient_hipay_id, id.trim().to_owned());
    let refused = |why: Sentence| JobError::Refused(why);
    let unreachable = |error: CallError| JobError::Remote(say!("choice-not-asked", transaction = &id, error = &error));
    let as_of = context.hipay.as_of(context.clock.now());
    let found = context.hipay.transaction(kind, wallet, &id).await.map_err(unreachable)?;
    let transaction = found.filter(|transaction| transaction.transaction_id == id);
    let Some(transaction) = transaction else {
        return Err(refused(say!("choice-no-transaction", kind, transaction = id)));
    };
    if transaction.state.is_ended() {
        return Err(refused(say!("choice-not-executed", transaction = id, state = &transaction.word)));
    }
    let same_currency = |shown: &Amount| shown.currency() == operation.amount.currency();
    if !transaction.amount.as_ref().is_some_and(|shown| shown.is_positive() && same_currency(shown)) {
        let currency = operation.amount.currency().code();
        return Err(refused(say!("choice-no-amount", transaction = id, currency)));
    }
    let login = &transaction.recipient_email;
    let mut account = wallet;
    if kind == PaymentKind::Transfer && !login.is_empty() {
        let owner = context.hipay.account(ActingOn::Login(login)).await.map_err(unreachable)?;
        account = owner.map_or(wallet, |owner| owner.hipay_id);
    }
    Ok(ShownPayment { kind, account, transaction, as_of })
}

/// Takes the payment for the operation's, with its amount. What is left becomes an operation that is held.
fn accept(
    writer: &mut Writer<'_>,
    operation: &mut Operation,
    shown: ShownPayment,
    note: &Sentence,
    now: Timestamp,
) -> Result<(), JobError> {
    let ShownPayment { kind, account, transaction, as_of } = shown;
    let id = transaction.transaction_id.clone();
    let others = writer.page::<Operation>(&Query::group("transaction", id.clone()).limit(2))?.items;
    if let Some(other) = others.iter().find(|other| other.id != operation.id) {
        return Err(JobError::Refused(say!("choice-others", transaction = id, operation = other.id)));
    }
    // The payment that is due may have become another one while HiPay was asked.
    let amount = transaction.amount.filter(|_| due_kind(operation) == kind);
    let Some(amount) = amount else {
        return Err(JobError::Refused(say!("choice-no-transaction", kind, transaction = id)));
    };
    if operation.held.is_some() {
        operation.candidates.retain(|candidate| *candidate != id);
        operation.release(true, note, now);
    } else {
        operation.note(note, now);
    }
    if operation.status == Status::WithdrawCanceled {
        operation.happen(Event::RetryAsked, note, now).map_err(|error| JobError::Refused(error.into()))?;
    }
    let rest = operation.amount.checked_sub(amount).ok();
    if amount != operation.amount {
        operation.note(&say!("choice-amount", amount, former = operation.amount), now);
    }
    let reference = transaction.reference.clone();
    if let Some(attempt) = operation.payment_mut(kind).attempt_of(&reference, &id) {
        // What we meant is told by the story; the payment is what HiPay shows.
        attempt.amount = amount;
    }
    let last = operation.payment(kind).attempts.iter().map(|attempt| attempt.number).max();
    let number = last.map_or(1, |last| last.saturating_add(1));
    outcome::take_over(operation, kind, Found { number, reference, account, transaction, as_of }, now);
    if let Some(rest) = rest.filter(|rest| rest.is_positive()) {
        let remainder = remainder(writer.next_id::<Operation>()?, operation, (kind, rest), now);
        operation.note(&say!("choice-rest", rest, operation = remainder.id), now);
        operation.origin_amount = operation.origin_amount.checked_sub(rest).unwrap_or(operation.origin_amount);
        writer.put(&remainder)?;
    }
    operation.amount = amount;
    Ok(())
}

/// What is left of the operation once a smaller payment is taken for it: held, since only a person can say
/// whether it is owed.
fn remainder(id: u64, of: &Operation, (kind, rest): (PaymentKind, Amount), now: Timestamp) -> Operation {
    let mut remainder = Operation {
        id,
        amount: rest,
        origin_amount: rest,
        remainder_of: Some(of.id),
        status: match kind {
            PaymentKind::Transfer => Status::Created,
            PaymentKind::Withdrawal => Status::TransferSuccess,
        },
        message: String::new(),
        adjusts: Vec::new(),
        dismissed: of.dismissed.iter().cloned().chain(of.transaction_ids().map(ToOwned::to_owned)).collect(),
        shortfall: None,
        unready: None,
        transfer: Payment::default(),
        withdrawal: Payment::default(),
        created_at: now,
        updated_at: now,
        history: Vec::new(),
        ..of.clone()
    };
    remainder.note(&say!("operation-made"), now);
    remainder.hold(Hold::Remainder, &say!("choice-remainder", rest, operation = of.id), now);
    remainder
}
