//! A person's choices on an operation: retry, hold, release, settle, accept. Each is kept in its
//! history with person, time and reason.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::attempt::{Attempt, AttemptState, Payment, ReferenceParts, TransactionState, split_number};
use crate::domain::money::Amount;
use crate::domain::operation::{
    Beneficiary, Column, Hold, Operation, OperationChoice, OperationEvent, PaymentKind, Status,
};
use crate::domain::vendor::Vendor;
use crate::jobs::binding::marketplace;
use crate::jobs::intake::unpaid_vouchers::{remainders, voucher_of};
use crate::jobs::ledger;
use crate::jobs::payout::labels;
use crate::jobs::payout::outcome::{self, FoundTransaction};
use crate::jobs::{Context, JobError};
use crate::remote::CallError;
use crate::remote::hipay::{ActingOn, Transaction};
use crate::store::{Query, StoreError, View, Writer, readable_record};
use crate::text::message::{Message, asker, logged, msg};

/// Maximum length of a reason, in characters.
const MAX_REASON_LENGTH: usize = 1_000;

/// Applies a person's choice to operation `id`, and returns the resulting operation. Refused if a
/// required reason is missing, or if the choice would change nothing.
pub async fn choose_for_operation(
    context: &Context,
    id: u64,
    choice: OperationChoice,
    reason: &str,
    asked_by: &str,
) -> Result<Operation, JobError> {
    let reason = reason.trim().to_owned();
    if choice.needs_reason() && reason.is_empty() {
        return Err(JobError::Refused(msg!("choice-no-reason")));
    }
    if reason.chars().count() > MAX_REASON_LENGTH {
        return Err(JobError::Refused(msg!("choice-long-reason", most = MAX_REASON_LENGTH.to_string())));
    }
    let known = context.store.reading(move |reader| reader.get::<Operation>(&id)).await?;
    let Some(known) = known else { return Err(JobError::Refused(msg!("retry-none", operation = id))) };
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
            return Err(JobError::Refused(msg!("retry-none", operation = id)));
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
            OperationChoice::Settle => {
                operation.hold(Hold::Settled, &said, now);
                // Its outcome is no longer looked up.
                if let Some(kind) = operation.sent_kind() {
                    let _ = operation.apply_event(OperationEvent::Failed(kind), &said, now);
                }
            }
            OperationChoice::Accept { .. } => {
                let Some(shown) = shown else { return Err(JobError::Refused(msg!("choice-unknown", operation = id))) };
                accept(&working, writer, &mut operation, shown, &said, now)?;
            }
            OperationChoice::Unknown => {}
        }
        let heard = outcome::store_operation(working.config.technical_account.hipay_id, writer, &before, &operation)?;
        Ok((operation, heard))
    });
    let (operation, heard) = chosen.await?;
    if heard {
        context.inbox.notify_one();
    }
    let (mirakl_id, voucher) = (operation.mirakl_id, operation.voucher.as_str());
    logged!(warn, action = "operation", mirakl_id, voucher, msg!("operation-chosen", operation = id, note));
    Ok(operation)
}

/// Returns the note of a choice for the history.
fn note(choice: &OperationChoice, reason: &str, asked_by: &str) -> Message {
    let (person, why) = (asker(asked_by), Message::quoting(reason));
    match choice {
        OperationChoice::Retry if reason.is_empty() => msg!("retry-asked", person),
        OperationChoice::Retry => msg!("retry-asked-why", person, why),
        OperationChoice::Release if reason.is_empty() => msg!("choice-released", person),
        OperationChoice::Release => msg!("choice-released-why", person, why),
        OperationChoice::Hold => msg!("choice-held", person, why),
        OperationChoice::Settle => msg!("choice-settle", person, why),
        OperationChoice::Accept { transaction_id } => {
            msg!("choice-accepted", person, transaction = transaction_id, why)
        }
        OperationChoice::Unknown => Message::none(),
    }
}

/// Ends the hold, and has a canceled withdrawal tried again if requested.
fn go_on(
    context: &Context,
    writer: &mut Writer<'_>,
    operation: &mut Operation,
    (choice, note): (&OperationChoice, &Message),
    now: Timestamp,
) -> Result<(), JobError> {
    let (vanished, settled) = (operation.held_for == Some(Hold::OutcomeUnknown), operation.is_settled());
    if operation.held.is_some() {
        match operation.held_for {
            // HiPay may have it with the amount that it was sent with.
            Some(Hold::AmountChanged) if operation.sent_kind().is_some() => {
                let status = &operation.status;
                return Err(JobError::Refused(msg!("choice-under-way", operation = operation.id, status)));
            }
            Some(Hold::AmountChanged) if Status::TRANSFER_PAYABLE.contains(&operation.status) => {
                take_shown_amount(context, writer, operation, now)?;
            }
            // Only a release states that the transaction with its reference is not its payment; a retry checks again.
            Some(Hold::OtherPayment) if *choice == OperationChoice::Retry => operation.candidates.clear(),
            Some(_) | None => {}
        }
        operation.release(true, note, now);
    }
    if settled {
        take_up_sent(operation, note, now);
    }
    if *choice == OperationChoice::Retry {
        end_unknown(operation, vanished, note, now)?;
    }
    if outcome::has_no_transfer(operation) {
        // The withdrawal has failed since: a new payment begins with the transfer.
        let _ = operation.apply_event(OperationEvent::Reversed(PaymentKind::Transfer), note, now);
    }
    if *choice == OperationChoice::Retry && operation.status == Status::WithdrawCanceled {
        operation
            .apply_event(OperationEvent::RetryAsked, note, now)
            .map_err(|error| JobError::Refused(error.into()))?;
    }
    Ok(())
}

/// Resumes the look-up of a payment that was under way when its operation was settled.
fn take_up_sent(operation: &mut Operation, note: &Message, now: Timestamp) {
    let kind = due_kind(operation);
    if !matches!(operation.status, Status::TransferFailed | Status::WithdrawFailed) {
        return;
    }
    let state = operation.payment(kind).last().map(|last| last.state);
    if !matches!(state, Some(AttemptState::Sending | AttemptState::Requested)) {
        return;
    }
    // Both events are valid from a status that a failure has led to.
    let _ = operation.apply_event(OperationEvent::Sending(kind), note, now);
    if state == Some(AttemptState::Requested) {
        let _ = operation.apply_event(OperationEvent::Requested(kind), note, now);
    }
}

/// Ends a payment under way that, as a person has confirmed, was not executed: HiPay shows an unknown status, and then
/// its reference is used up; or HiPay no longer shows it, and then it is not.
fn end_unknown(operation: &mut Operation, vanished: bool, note: &Message, now: Timestamp) -> Result<(), JobError> {
    let Some(kind) = operation.sent_kind() else { return Ok(()) };
    let Some(last) = operation.payment_mut(kind).attempts.last_mut() else { return Ok(()) };
    let unknown = last.has_unknown_word();
    if last.state != AttemptState::Requested || !(unknown || vanished) {
        return Ok(());
    }
    // One without a reference must not be sent again.
    let unused = !unknown && !last.reference.is_empty();
    last.state = if unused { AttemptState::Refused } else { AttemptState::Ended };
    last.updated_at = now;
    operation.apply_event(OperationEvent::Failed(kind), note, now).map_err(|error| JobError::Refused(error.into()))
}

/// Replaces the operation's amount by the one that Mirakl shows now. What was netted into it stays netted.
fn take_shown_amount(
    context: &Context,
    writer: &mut Writer<'_>,
    operation: &mut Operation,
    now: Timestamp,
) -> Result<(), JobError> {
    if operation.remainder_of.is_some() {
        // Its amount is not the voucher's: a release states that it is owed.
        operation.waived.push(Hold::AmountChanged);
        return Ok(());
    }
    let rests: Vec<Operation> = remainders(writer, operation)?.into_iter().filter(|rest| !rest.is_settled()).collect();
    if let Some(rest) = rests.iter().find(|rest| Status::TRANSFER_PAYABLE.contains(&rest.status)) {
        return Err(JobError::Refused(msg!("choice-has-rest", operation = operation.id, rest = rest.id)));
    }
    let Some(mut record) = voucher_of(writer, operation)? else { return Ok(()) };
    let Some((vendor, operator)) = record.changed_to else { return Ok(()) };
    let (shown, kept) = match operation.beneficiary {
        Beneficiary::Vendor => (vendor, &mut record.voucher.vendor_amount),
        Beneficiary::Operator => (operator, &mut record.voucher.operator_amount),
    };
    let former = operation.amount;
    let netted = operation.origin_amount.checked_sub(former);
    let taken = rests.iter().try_fold(Amount::zero(shown.currency()), |taken, rest| taken.checked_add(rest.amount));
    let left = taken.and_then(|taken| shown.checked_sub(taken)).unwrap_or(shown);
    let amount = netted.and_then(|netted| left.checked_sub(netted));
    let Some(amount) = amount.ok().filter(|amount| amount.is_positive()) else {
        return Err(JobError::Refused(msg!("retry-nothing-left", operation = operation.id, shown)));
    };
    *kept = shown;
    let first = (record.voucher.vendor_amount, record.voucher.operator_amount);
    record.changed_to = record.changed_to.filter(|shown| *shown != first);
    writer.put(&record)?;
    (operation.origin_amount, operation.amount) = (left, amount);
    // HiPay does not know a refused attempt: its reference pays the new amount.
    let labels = labels::of(context, operation, PaymentKind::Transfer, amount);
    let last = operation.transfer.attempts.last_mut();
    if let Some(refused) = last.filter(|last| last.state == AttemptState::Refused) {
        refused.amount = amount;
        (refused.public_label, refused.private_label) = labels;
    }
    operation.note(&msg!("retry-amount", former, amount), now);
    Ok(())
}

/// A payment of HiPay's that a person accepts as the operation's.
struct ShownPayment {
    kind: PaymentKind,
    /// The wallet that the money went to, or that it left for the bank.
    account: u64,
    transaction: Transaction,
    /// Time to which HiPay's answer applies (UTC).
    as_of: Timestamp,
}

/// Returns the kind of payment that is due: the transfer until its money is in the wallet.
fn due_kind(operation: &Operation) -> PaymentKind {
    let (transfer, _) = operation.status.columns();
    if transfer == Column::Ok { PaymentKind::Withdrawal } else { PaymentKind::Transfer }
}

/// Reads the transaction at HiPay, which has to show a payment.
async fn shown_payment(context: &Context, operation: &Operation, id: &str) -> Result<ShownPayment, JobError> {
    let (kind, wallet, id) = (due_kind(operation), operation.recipient_hipay_id, id.trim().to_owned());
    let unreachable = |error: CallError| JobError::Remote(msg!("choice-not-asked", transaction = &id, error = &error));
    let asked_at = context.clock.now();
    let found = context.hipay.transaction(kind, wallet, &id).await.map_err(unreachable)?;
    let as_of = context.hipay.as_of(asked_at);
    let transaction = found.filter(|transaction| transaction.transaction_id == id);
    let Some(transaction) = transaction else {
        return Err(JobError::Refused(msg!("choice-no-transaction", kind, transaction = id)));
    };
    if transaction.state.is_ended() {
        return Err(JobError::Refused(msg!("choice-not-executed", transaction = id, state = &transaction.word)));
    }
    let same_currency = |shown: &Amount| shown.currency() == operation.amount.currency();
    if !transaction.amount.as_ref().is_some_and(|shown| shown.is_positive() && same_currency(shown)) {
        let currency = operation.amount.currency().code();
        return Err(JobError::Refused(msg!("choice-no-amount", transaction = id, currency)));
    }
    let owner = async |login: &str| -> Result<Option<u64>, JobError> {
        if login.is_empty() {
            return Ok(None);
        }
        let owner = context.hipay.account(ActingOn::Login(login)).await.map_err(unreachable)?;
        Ok(owner.map(|owner| owner.hipay_id))
    };
    let payer = match kind {
        PaymentKind::Transfer => context.config.technical_account.hipay_id,
        PaymentKind::Withdrawal => wallet,
    };
    let issuer = owner(&transaction.issuer_email).await?;
    let recipient = owner(&transaction.recipient_email).await?;
    let account = if kind == PaymentKind::Transfer { recipient.unwrap_or(wallet) } else { wallet };
    if issuer.is_some_and(|issuer| issuer != payer) || (kind == PaymentKind::Transfer && account == payer) {
        return Err(JobError::Refused(msg!("choice-other-account", kind, transaction = id)));
    }
    Ok(ShownPayment { kind, account, transaction, as_of })
}

/// Returns the reason for which the transaction cannot be the operation's payment: it is known as
/// another one, or went to another recipient.
fn belongs_elsewhere(
    context: &Context,
    view: &impl View,
    operation: &Operation,
    shown: &ShownPayment,
) -> Result<Option<Message>, JobError> {
    let ShownPayment { kind, account, transaction, .. } = shown;
    let (kind, account) = (*kind, *account);
    let id = &transaction.transaction_id;
    let known = view.page(&Query::group(Operation::BY_TRANSACTION, id.clone()).limit(10))?.items;
    let of_other = |other: &&Operation| {
        let here = operation.payment(kind).attempts.iter().any(|one| one.transaction_id.as_ref() == Some(id));
        other.id != operation.id || !here
    };
    if let Some(other) = known.iter().find(of_other) {
        return Ok(Some(msg!("choice-others", transaction = id, operation = other.id)));
    }
    if let Some(parts) = ReferenceParts::of(&transaction.reference) {
        let named = operation.voucher_numbers().iter().any(|number| parts.is_of(number));
        let base = operation.base_reference(kind, &marketplace(&context.config));
        // A remainder is paid under a reference that names the number of its operation.
        let of_rest = parts.rest.starts_with(&format!("{}_P", operation.voucher));
        let owner = view.by_unique(Vendor::BY_HIPAY_ID, parts.wallet)?;
        let of_other_shop = owner.is_some_and(|owner| owner.mirakl_id != operation.mirakl_id);
        let foreign = of_other_shop || of_rest && split_number(&transaction.reference).0 != base;
        // An unknown number may be the voucher's number in Mirakl's other source.
        let own = voucher_of(view, operation)?.map(|record| record.voucher);
        let of_other = !named && !ledger::may_name(own.as_ref(), &ledger::vouchers_named(view, &parts, None)?);
        if parts.kind != kind || parts.beneficiary != operation.beneficiary || of_other || foreign {
            return Ok(Some(msg!("choice-other-reference", transaction = id, reference = &transaction.reference)));
        }
    }
    if kind == PaymentKind::Withdrawal || account == operation.recipient_hipay_id {
        return Ok(None);
    }
    let elsewhere = msg!("choice-other-account", kind, transaction = id);
    Ok(match operation.beneficiary {
        Beneficiary::Operator => Some(elsewhere),
        Beneficiary::Vendor => {
            let owner = view.by_unique(Vendor::BY_HIPAY_ID, account)?;
            let others = owner.is_some_and(|owner| owner.mirakl_id != operation.mirakl_id);
            (context.config.is_own_account(account) || others).then_some(elsewhere)
        }
    })
}

/// Accepts the payment as the operation's, with its amount. The rest becomes a held operation.
fn accept(
    context: &Context,
    writer: &mut Writer<'_>,
    operation: &mut Operation,
    shown: ShownPayment,
    note: &Message,
    now: Timestamp,
) -> Result<(), JobError> {
    if let Some(why) = belongs_elsewhere(context, writer, operation, &shown)? {
        return Err(JobError::Refused(why));
    }
    let ShownPayment { kind, account, mut transaction, as_of } = shown;
    let id = transaction.transaction_id.clone();
    if transaction.state == TransactionState::Unknown {
        // By accepting it as the payment, the person states that it was executed.
        transaction.state = TransactionState::Captured;
    }
    // The payment that is due may have changed while HiPay was asked.
    let amount = transaction.amount.filter(|_| due_kind(operation) == kind);
    let Some(amount) = amount else {
        return Err(JobError::Refused(msg!("choice-no-transaction", kind, transaction = id)));
    };
    check_acceptable(operation, kind, &transaction, amount)?;
    resume(operation, &id, note, now)?;
    let rest = operation.amount.checked_sub(amount).ok();
    if amount != operation.amount {
        operation.note(&msg!("choice-amount", amount, former = operation.amount), now);
    }
    let attempts = &mut operation.payment_mut(kind).attempts;
    let number = attempts.iter().map(|attempt| attempt.number).max().map_or(1, |last| last.saturating_add(1));
    let number = number.max(split_number(&transaction.reference).1);
    make_last(attempts, &transaction, amount, account);
    let reference = transaction.reference.clone();
    operation.recipient_hipay_id = account;
    if operation.beneficiary == Beneficiary::Vendor {
        operation.vendor_hipay_id = account;
    }
    outcome::adopt_transaction(
        operation,
        kind,
        FoundTransaction { number, reference, account, transaction, as_of },
        now,
    );
    let column = operation.status.column(kind);
    if !matches!(column, Column::Requested | Column::Ok) {
        return Err(JobError::Refused(msg!("choice-no-transaction", kind, transaction = id)));
    }
    operation.shortfall = None;
    if let Some(rest) = rest.filter(|rest| rest.is_positive()) {
        store_remainder(writer, operation, (kind, rest), now)?;
    }
    operation.amount = amount;
    Ok(())
}

/// Returns true if the transaction is the attempt's, by our reference or by HiPay's id.
fn is_transaction_of(transaction: &Transaction, attempt: &Attempt) -> bool {
    let by_reference = !transaction.reference.is_empty() && attempt.reference == transaction.reference;
    by_reference || attempt.transaction_id.as_ref() == Some(&transaction.transaction_id)
}

/// Refuses the transaction if another payment is under way, if a person has to decide about the
/// operation's amount first, or if it is too large.
fn check_acceptable(
    operation: &Operation,
    kind: PaymentKind,
    transaction: &Transaction,
    amount: Amount,
) -> Result<(), JobError> {
    let status = &operation.status;
    let is_open = |attempt: &&Attempt| matches!(attempt.state, AttemptState::Sending | AttemptState::Requested);
    let mut open = operation.payment(kind).attempts.iter().filter(is_open);
    if open.any(|attempt| !is_transaction_of(transaction, attempt)) {
        return Err(JobError::Refused(msg!("choice-under-way", operation = operation.id, status)));
    }
    let before = operation.held_before.as_ref().and_then(|before| before.why);
    if operation.held_for == Some(Hold::AmountChanged) || before == Some(Hold::AmountChanged) {
        return Err(JobError::Refused(msg!("choice-amount-first", operation = operation.id)));
    }
    let larger = operation.amount.checked_sub(amount).is_ok_and(|rest| rest.minor() < 0);
    if larger && (!operation.adjusts.is_empty() || transaction.state != TransactionState::Captured) {
        return Err(JobError::Refused(msg!("choice-too-large", operation = operation.id, amount)));
    }
    Ok(())
}

/// Ends everything that keeps the operation from the payment by the transaction `id`.
fn resume(operation: &mut Operation, id: &str, note: &Message, now: Timestamp) -> Result<(), JobError> {
    operation.dismissed.retain(|dismissed| dismissed != id);
    if operation.held.is_some() {
        operation.candidates.retain(|candidate| candidate != id);
        // The payment resolves that as well.
        operation.held_before = None;
        operation.release(true, note, now);
    } else {
        operation.note(note, now);
    }
    if operation.status == Status::WithdrawCanceled {
        operation
            .apply_event(OperationEvent::RetryAsked, note, now)
            .map_err(|error| JobError::Refused(error.into()))?;
    }
    Ok(())
}

/// Makes the transaction's attempt, if there is one already, the last, with this amount and account.
fn make_last(attempts: &mut Vec<Attempt>, transaction: &Transaction, amount: Amount, account: u64) {
    let place = attempts.iter().position(|attempt| is_transaction_of(transaction, attempt));
    let Some(place) = place else { return };
    // The history keeps what we intended; the payment is what HiPay shows, and the one that counts.
    let mut attempt = attempts.remove(place);
    (attempt.amount, attempt.account) = (amount, account);
    // A final state is judged again.
    if matches!(attempt.state, AttemptState::Ended | AttemptState::Captured) {
        attempt.state = AttemptState::Sending;
    }
    attempts.push(attempt);
}

/// Stores the remainder of the operation after a smaller payment is accepted for it, and takes it off the operation's
/// original amount. It is held, since only a person can decide whether it is owed.
fn store_remainder(
    writer: &mut Writer<'_>,
    operation: &mut Operation,
    (kind, rest): (PaymentKind, Amount),
    now: Timestamp,
) -> Result<(), StoreError> {
    let netted_by = nettings_of(writer, operation, rest)?;
    let dismissed = operation.dismissed.iter().map(String::as_str).chain(operation.transaction_ids());
    let mut remainder = Operation {
        id: writer.next_id::<Operation>()?,
        amount: rest,
        origin_amount: rest,
        remainder_of: Some(operation.id),
        status: match kind {
            PaymentKind::Transfer => Status::Created,
            PaymentKind::Withdrawal => Status::TransferSuccess,
        },
        message: String::new(),
        adjusts: Vec::new(),
        dismissed: dismissed.map(ToOwned::to_owned).collect(),
        shortfall: None,
        unready: None,
        transfer: Payment::default(),
        withdrawal: Payment::default(),
        created_at: now,
        updated_at: now,
        history: Vec::new(),
        ..operation.clone()
    };
    remainder.note(&msg!("operation-made"), now);
    let why = if netted_by.is_empty() {
        msg!("choice-remainder", rest, operation = operation.id)
    } else {
        let others = netted_by.iter().map(|id| format!("#{id}")).collect::<Vec<_>>().join(", ");
        msg!("choice-remainder-netted", rest, operation = operation.id, others)
    };
    remainder.hold(Hold::Remainder, &why, now);
    operation.note(&msg!("choice-rest", rest, operation = remainder.id), now);
    operation.origin_amount = operation.origin_amount.checked_sub(rest).unwrap_or(operation.origin_amount);
    writer.put(&remainder)
}

/// Returns the other operations of the same vendor from which exactly `rest` was subtracted: the
/// smaller payment may have been made with the same debts subtracted.
fn nettings_of(view: &impl View, operation: &Operation, rest: Amount) -> Result<Vec<u64>, StoreError> {
    if operation.beneficiary == Beneficiary::Operator {
        // The operator's debts are subtracted from the next commission of any shop.
        return Ok(Vec::new());
    }
    let group = (operation.mirakl_id, Status::AdjustedOperations.code());
    let mut sums = BTreeMap::<u64, Amount>::new();
    for debt in view.records(Query::group(Operation::BY_VENDOR, group).descending()) {
        let Some(debt) = readable_record(debt)? else { continue };
        let Some(by) = debt.adjusted_by.filter(|by| *by != operation.id && debt.beneficiary == operation.beneficiary)
        else {
            continue;
        };
        let sum = sums.entry(by).or_insert(Amount::zero(rest.currency()));
        // A debt in another currency was subtracted from another kind of money.
        *sum = sum.checked_sub(debt.amount).unwrap_or(*sum);
    }
    Ok(sums.into_iter().filter(|(_, sum)| *sum == rest).map(|(by, _)| by).collect())
}
