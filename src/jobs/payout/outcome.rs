//! Commits of the state of a payment: the intent before its request is sent, and the outcome. Each
//! is one transaction that reads the operation again, so that faster changes are respected.

use jiff::Timestamp;
use serde_json::Map;

use crate::domain::attempt::{Attempt, AttemptState};
use crate::domain::inbox::NotificationKind;
use crate::domain::money::Amount;
use crate::domain::operation::{Beneficiary, Column, Hold, Operation, OperationEvent, PaymentKind, Status, Unready};
use crate::domain::refusal::Refusal;
use crate::jobs::Context;
use crate::jobs::ledger;
use crate::remote::Rejection;
use crate::remote::hipay::Transaction;
use crate::store::{StoreError, View, Writer};
use crate::text::message::{Message, msg};

/// Reads, changes and stores operation `id` in one transaction. `change` returns true if there is
/// something to store. Returns `None` if there is no such operation.
pub(crate) async fn update(
    context: &Context,
    id: u64,
    change: impl FnOnce(&mut Operation, Timestamp) -> bool + Send + 'static,
) -> Result<Option<Operation>, StoreError> {
    let now = context.clock.now();
    let technical_account = context.config.technical_account.hipay_id;
    let updated = context.store.write(move |writer: &mut Writer<'_>| {
        let Some(before) = writer.get::<Operation>(&id)? else { return Ok(None) };
        let mut operation = before.clone();
        let heard = change(&mut operation, now) && store_operation(technical_account, writer, &before, &operation)?;
        Ok::<_, StoreError>(Some((operation, heard)))
    });
    let Some((operation, heard)) = updated.await? else { return Ok(None) };
    if heard {
        context.inbox.notify_one();
    }
    Ok(Some(operation))
}

/// Stores `operation`, which was `before`. Returns true if notices waited for a transaction that it has now.
pub(crate) fn store_operation(
    technical_account: u64,
    writer: &mut Writer<'_>,
    before: &Operation,
    operation: &Operation,
) -> Result<bool, StoreError> {
    writer.put(operation)?;
    let mut heard = false;
    // A notice may have overtaken the answer to our own request.
    for id in operation.transaction_ids().filter(|id| before.transaction_ids().all(|known| known != *id)) {
        heard |= crate::jobs::inbox::release(writer, NotificationKind::Wallet, id)?;
        ledger::match_again(writer, &[technical_account, operation.recipient_hipay_id], id)?;
    }
    Ok(heard)
}

/// Applies an event without a payment: disabled, blocked, short of funds, nothing to pay.
pub(crate) async fn apply_event(
    context: &Context,
    id: u64,
    event: OperationEvent,
    message: Message,
) -> Result<Option<Operation>, StoreError> {
    update(context, id, move |operation, now| operation.apply_event(event, &message, now).is_ok()).await
}

/// Records that a payment is not sent because an account is not ready for it, with the reason.
pub(crate) async fn record_unready(
    context: &Context,
    id: u64,
    why: Unready,
    message: Message,
) -> Result<Option<Operation>, StoreError> {
    update(context, id, move |operation, now| operation.not_ready(why, &message, now).is_ok()).await
}

/// Creates an attempt without labels, with an unknown outcome.
pub(crate) fn new_attempt(number: u32, reference: String, amount: Amount, account: u64, now: Timestamp) -> Attempt {
    Attempt {
        number,
        reference,
        amount,
        account,
        public_label: String::new(),
        private_label: String::new(),
        intended_at: now,
        state: AttemptState::Sending,
        transaction_id: None,
        transaction_status: None,
        as_of: None,
        message: Message::none(),
        refusal: None,
        updated_at: now,
        unknown: Map::new(),
    }
}

/// Commits the intent: `attempt` with everything that its request carries, and the paying account's balance. Returns
/// `None` if the operation must no longer be paid, or another task has begun this attempt.
pub(crate) async fn begin(
    context: &Context,
    id: u64,
    kind: PaymentKind,
    attempt: Attempt,
    balance: Amount,
) -> Result<Option<Operation>, StoreError> {
    let number = attempt.number;
    let begun = update(context, id, move |operation, now| {
        let taken = operation.payment(kind).attempts.iter().any(|known| known.number >= attempt.number);
        let meant = is_payment_due(operation, kind, attempt.account, attempt.amount);
        if operation.held.is_some()
            || taken
            || !meant
            || operation.apply_event(OperationEvent::Sending(kind), &Message::none(), now).is_err()
        {
            return false;
        }
        if kind == PaymentKind::Withdrawal {
            operation.balance = Some(balance);
            let rest = operation.amount.checked_sub(attempt.amount).ok();
            operation.shortfall = rest.filter(|rest| rest.is_positive());
        }
        operation.payment_mut(kind).attempts.push(attempt);
        true
    })
    .await?;
    Ok(begun.filter(|operation| is_sending(operation, kind, number)))
}

/// Returns true if the request is what the operation pays: it may have been given another wallet or
/// another amount since it was read.
fn is_payment_due(operation: &Operation, kind: PaymentKind, account: u64, amount: Amount) -> bool {
    let partial = operation.may_pay_a_part(kind);
    account == operation.recipient_hipay_id
        && (amount == operation.amount || (partial && operation.amount.covers(amount)))
}

/// New values for a refused attempt, which HiPay does not know.
#[derive(Debug)]
pub(crate) struct AmendedRequest {
    pub(crate) amount: Amount,
    /// The paying account's balance as last read.
    pub(crate) balance: Amount,
    pub(crate) public_label: String,
    pub(crate) private_label: String,
}

/// Prepares the last attempt to be sent again with an identical request, except for `amended`
/// values. Returns `None` if it is not open.
pub(crate) async fn resume_attempt(
    context: &Context,
    id: u64,
    kind: PaymentKind,
    amended: Option<AmendedRequest>,
) -> Result<Option<Operation>, StoreError> {
    let reopened = update(context, id, move |operation, now| {
        let Some(last) = operation.payment(kind).last() else { return false };
        // HiPay does not know an attempt that it refused: it may go to another account now.
        let amount = amended.as_ref().map_or(last.amount, |amended| amended.amount);
        let account = if amended.is_some() { operation.recipient_hipay_id } else { last.account };
        let meant = is_payment_due(operation, kind, account, amount);
        if operation.held.is_some() || !meant {
            return false;
        }
        let open = operation.status == sending(kind);
        if !open && operation.apply_event(OperationEvent::Sending(kind), &Message::none(), now).is_err() {
            return false;
        }
        if let Some(AmendedRequest { amount, balance, .. }) = &amended
            && kind == PaymentKind::Withdrawal
        {
            operation.balance = Some(*balance);
            operation.shortfall = operation.amount.checked_sub(*amount).ok().filter(|rest| rest.is_positive());
        }
        if let Some(last) = operation.payment_mut(kind).attempts.last_mut() {
            last.account = account;
            // If only the balance differs, the request stays identical to the byte.
            if let Some(amended) = amended.filter(|amended| amended.amount != last.amount) {
                last.amount = amended.amount;
                (last.public_label, last.private_label) = (amended.public_label, amended.private_label);
            }
            if last.state != AttemptState::Sending {
                last.refusal = None;
            }
            last.state = AttemptState::Sending;
            last.updated_at = now;
        }
        true
    })
    .await?;
    Ok(reopened.filter(|operation| {
        let to_be_sent = |last: &Attempt| {
            is_sending(operation, kind, last.number) && is_payment_due(operation, kind, last.account, last.amount)
        };
        operation.held.is_none() && operation.payment(kind).last().is_some_and(to_be_sent)
    }))
}

/// Records that HiPay accepted the attempt with `reference` as `transaction_id`.
pub(crate) async fn record_accepted(
    context: &Context,
    id: u64,
    kind: PaymentKind,
    reference: String,
    transaction_id: String,
) -> Result<Option<Operation>, StoreError> {
    update(context, id, move |operation, now| {
        let attempt = attempt_mut(operation, kind, &reference);
        let Some(attempt) = attempt.filter(|attempt| attempt.state == AttemptState::Sending) else { return false };
        attempt.state = AttemptState::Requested;
        attempt.transaction_id = Some(transaction_id);
        attempt.set_message(Message::none());
        attempt.refusal = None;
        attempt.updated_at = now;
        // A faster look-up may have advanced the status already.
        let _ = operation.apply_event(OperationEvent::Requested(kind), &Message::none(), now);
        true
    })
    .await
}

/// Records that HiPay refused the attempt and does not know its reference.
pub(crate) async fn refused(
    context: &Context,
    id: u64,
    kind: PaymentKind,
    reference: String,
    rejection: Rejection,
    for_funds: bool,
) -> Result<Option<Operation>, StoreError> {
    update(context, id, move |operation, now| {
        let attempt = attempt_mut(operation, kind, &reference);
        let Some(attempt) = attempt.filter(|attempt| attempt.state == AttemptState::Sending) else { return false };
        attempt.state = AttemptState::Refused;
        attempt.set_message(rejection.sentence.clone());
        attempt.refusal = Some(rejection.refusal());
        attempt.updated_at = now;
        let event = if for_funds { OperationEvent::FundsShort } else { OperationEvent::Failed(kind) };
        let _ = operation.apply_event(event, &rejection.sentence, now);
        true
    })
    .await
}

/// Records that the attempt that was last sent at `sent_at` never reached HiPay: its reference is
/// unused. Returns false if the attempt has changed since.
pub(crate) async fn record_never_arrived(
    context: &Context,
    id: u64,
    kind: PaymentKind,
    sent_at: Timestamp,
    message: Message,
) -> Result<bool, StoreError> {
    let text = message.text().to_owned();
    let updated = update(context, id, move |operation, now| {
        let last = operation.payment_mut(kind).attempts.last_mut();
        let Some(last) = last.filter(|last| last.state == AttemptState::Sending && last.updated_at == sent_at) else {
            return false;
        };
        last.state = AttemptState::Refused;
        last.refusal = None;
        last.set_message(message.clone());
        last.updated_at = now;
        let _ = operation.apply_event(OperationEvent::Failed(kind), &message, now);
        true
    });
    Ok(updated.await?.is_some_and(|operation| operation.message == text))
}

/// Records that the outcome of the attempt is unknown: it stays unchanged, with the reason for people.
pub(crate) async fn record_unknown(
    context: &Context,
    id: u64,
    kind: PaymentKind,
    message: Message,
    refusal: Option<Refusal>,
) -> Result<Option<Operation>, StoreError> {
    update(context, id, move |operation, now| {
        if operation.message == message.text() {
            return false;
        }
        let last = operation.payment_mut(kind).attempts.last_mut();
        if let Some(last) = last.filter(|last| last.state == AttemptState::Sending) {
            last.refusal = refusal;
        }
        message.text().clone_into(&mut operation.message);
        operation.updated_at = now;
        operation.note(&message, now);
        true
    })
    .await
}

/// Holds the operation until a person has looked at it; `candidates` are the transactions to look at.
pub(crate) async fn hold(
    context: &Context,
    id: u64,
    why: Hold,
    reason: Message,
    candidates: Vec<String>,
) -> Result<Option<Operation>, StoreError> {
    update(context, id, move |operation, now| {
        // A hold that ends by itself does not replace one that does not.
        let stays = operation.held.is_some() && operation.held_for != Some(why) && why == Hold::LedgerUnread;
        if !stays {
            let decided = operation.held.is_some() && operation.held_for.is_some_and(Hold::is_decided);
            operation.hold(why, &reason, now);
            // Transactions to look at from before the decision remain.
            if !decided {
                operation.candidates.clear();
            }
            for candidate in candidates {
                if !operation.candidates.contains(&candidate) {
                    operation.candidates.push(candidate);
                }
            }
        }
        !stays
    })
    .await
}

/// Holds the operation because HiPay shows the ended attempt with `reference` with the unknown
/// status `word`; a person who sees the word can have it paid again.
pub(crate) async fn hold_for_word(
    context: &Context,
    id: u64,
    kind: PaymentKind,
    (reference, word): (String, String),
    reason: Message,
) -> Result<Option<Operation>, StoreError> {
    update(context, id, move |operation, now| {
        operation.hold(Hold::OutcomeUnknown, &reason, now);
        if let Some(attempt) = attempt_mut(operation, kind, &reference) {
            attempt.transaction_status = Some(word);
        }
        true
    })
    .await
}

/// Holds the operation because HiPay no longer shows a payment that it had accepted.
pub(crate) async fn hold_vanished(
    context: &Context,
    id: u64,
    kind: PaymentKind,
    reason: Message,
) -> Result<Option<Operation>, StoreError> {
    update(context, id, move |operation, now| {
        operation.hold(Hold::OutcomeUnknown, &reason, now);
        if let Some(last) = operation.payment_mut(kind).attempts.last_mut() {
            // Its last status no longer applies.
            last.transaction_status = None;
        }
        true
    })
    .await
}

/// Ends a hold whose reason is gone.
pub(crate) async fn release(
    context: &Context,
    id: u64,
    why: Hold,
    note: Message,
) -> Result<Option<Operation>, StoreError> {
    update(context, id, move |operation, now| {
        let held_for_that = operation.held.is_some() && operation.held_for == Some(why);
        if held_for_that {
            operation.release(false, &note, now);
        }
        held_for_that
    })
    .await
}

/// Adopts what HiPay shows of the attempt `number` with `reference`; an attempt that the store does
/// not know is recorded from HiPay's data.
pub(crate) async fn adopt(
    context: &Context,
    id: u64,
    kind: PaymentKind,
    found: FoundTransaction,
) -> Result<Option<Operation>, StoreError> {
    update(context, id, move |operation, now| adopt_transaction(operation, kind, found, now)).await
}

/// Adopts what HiPay shows or reports of a payment. Returns true if anything has changed.
pub(crate) fn adopt_transaction(
    operation: &mut Operation,
    kind: PaymentKind,
    found: FoundTransaction,
    now: Timestamp,
) -> bool {
    let id = found.transaction.transaction_id.clone();
    if !found.transaction.state.is_ended() {
        // It is accepted as the operation's payment after all.
        operation.dismissed.retain(|dismissed| *dismissed != id);
    }
    let dismissed = operation.dismissed.contains(&id);
    if operation.payment_mut(kind).attempt_of(&found.reference, &id).is_none() {
        record_found_attempt(operation, kind, &found, now);
    }
    let FoundTransaction { reference, transaction, as_of, .. } = found;
    let state = transaction.state.attempt_state();
    let Some(attempt) = operation.payment_mut(kind).attempt_of(&reference, &id) else { return false };
    let number = attempt.number;
    let unchanged = attempt.state == state && attempt.transaction_status.as_deref() == Some(&transaction.word);
    if unchanged && attempt.transaction_id.as_ref() == Some(&transaction.transaction_id) {
        return false;
    }
    // A final state is kept: a delayed answer does not revert it.
    if matches!(attempt.state, AttemptState::Captured | AttemptState::Ended) && state == AttemptState::Requested {
        return false;
    }
    attempt.state = state;
    attempt.transaction_id = Some(transaction.transaction_id.clone());
    attempt.transaction_status = Some(transaction.word.clone());
    attempt.as_of = Some(as_of);
    attempt.updated_at = now;
    let message = if dismissed { msg!("pay-dismissed", transaction = &id) } else { transaction_message(&transaction) };
    attempt.set_message(message.clone());
    let refused = transaction.state.is_ended() && !dismissed;
    attempt.refusal = refused.then(|| Refusal::in_words(&transaction.refusal_reason));
    // An earlier attempt does not affect the operation.
    if operation.payment(kind).last().is_some_and(|last| last.number != number) {
        return true;
    }
    // From a status that is only payable the payment has to be seen as sent first.
    let _ = operation.apply_event(OperationEvent::Sending(kind), &msg!("pay-found"), now);
    let _ = operation.apply_event(OperationEvent::of_transaction(transaction.state, kind), &message, now);
    let of_voucher = operation.held.is_some() && operation.held_for.is_some_and(Hold::is_about_voucher);
    if of_voucher && operation.status == Status::TransferSuccess {
        // The money had moved before Mirakl showed the difference.
        operation.release(false, &msg!("pay-found"), now);
    }
    true
}

/// Records an attempt that the store does not know, from HiPay's data.
fn record_found_attempt(operation: &mut Operation, kind: PaymentKind, found: &FoundTransaction, now: Timestamp) {
    let FoundTransaction { number, reference, account, transaction, .. } = found;
    let (number, account) = (*number, *account);
    let amount = transaction.amount.unwrap_or(operation.amount);
    let mut attempt = Attempt {
        // HiPay's list shows it with the time at which it was made.
        intended_at: transaction.created_at.map_or(now, |at| at.min(now)),
        transaction_id: Some(transaction.transaction_id.clone()),
        ..new_attempt(number, reference.clone(), amount, account, now)
    };
    attempt.set_message(msg!("pay-found-of-before"));
    operation.payment_mut(kind).attempts.push(attempt);
    // The money is in the wallet that was paid, regardless of the shop's present wallet.
    if account != operation.recipient_hipay_id && !transaction.state.is_ended() {
        let (former, now_paid) = (operation.recipient_hipay_id.to_string(), account.to_string());
        operation.note(&msg!("pay-found-in-other-wallet", wallet = now_paid, other = former), now);
        operation.recipient_hipay_id = account;
        if operation.beneficiary == Beneficiary::Vendor {
            operation.vendor_hipay_id = account;
        }
    }
}

/// Adopts that HiPay has executed an attempt which counted as over, or whose operation a person had
/// settled. Returns the reason if the operation is held for it: its money may have moved twice, or
/// the payment is not the one that is due.
pub(crate) fn adopt_late_execution(
    operation: &mut Operation,
    kind: PaymentKind,
    found: FoundTransaction,
    now: Timestamp,
) -> Option<Message> {
    let transaction = found.transaction.transaction_id.clone();
    let is_it = |attempt: &Attempt| {
        let by_id = attempt.transaction_id.as_ref() == Some(&transaction);
        by_id || (!found.reference.is_empty() && attempt.reference == found.reference)
    };
    let place = operation.payment(kind).attempts.iter().position(is_it)?;
    let attempts = &operation.payment(kind).attempts;
    let others_live = attempts
        .iter()
        .filter(|one| !is_it(one))
        .any(|one| matches!(one.state, AttemptState::Sending | AttemptState::Requested | AttemptState::Captured));
    let settled = operation.is_settled();
    if let Some(difference) = attempts.get(place).and_then(|attempt| describe_difference(operation, kind, attempt)) {
        if operation.candidates.contains(&transaction) {
            return None;
        }
        let message = msg!("notice-other-payment", transaction = &transaction, difference);
        operation.candidates.push(transaction);
        operation.hold(if settled { Hold::ExecutedAfterAll } else { Hold::OtherPayment }, &message, now);
        return Some(message);
    }
    if !others_live {
        // It is the one that counts, whatever was tried after it.
        let attempts = &mut operation.payment_mut(kind).attempts;
        let attempt = attempts.remove(place);
        attempts.push(attempt);
        if kind == PaymentKind::Withdrawal && operation.status == Status::WithdrawCanceled {
            let _ = operation.apply_event(OperationEvent::RetryAsked, &msg!("pay-found"), now);
        }
    }
    adopt_transaction(operation, kind, found, now);
    let column = operation.status.column(kind);
    let message = if settled {
        msg!("notice-executed-settled", kind, transaction)
    } else if others_live || column != Column::Ok {
        msg!("notice-revived", kind, transaction)
    } else {
        let answered = [Hold::Revoked, Hold::TooManyAttempts, Hold::OutcomeUnknown];
        if operation.held.is_some() && operation.held_for.is_some_and(|why| answered.contains(&why)) {
            operation.release(false, &msg!("notice-executed", kind), now);
        }
        return None;
    };
    operation.hold(Hold::ExecutedAfterAll, &message, now);
    Some(message)
}

/// Describes the difference between an earlier attempt and the payment that is due now.
fn describe_difference(operation: &Operation, kind: PaymentKind, attempt: &Attempt) -> Option<Message> {
    if attempt.amount != operation.amount && !operation.may_pay_a_part(kind) {
        return Some(msg!("differs-told-amount", told = attempt.amount, meant = operation.amount));
    }
    let (account, meant) = (attempt.account, operation.recipient_hipay_id);
    (account != meant).then(|| msg!("differs-account", login = account.to_string(), meant = meant.to_string()))
}

/// Ends the attempt of a payment that HiPay has reversed and waits for a person, whose retry makes
/// the next attempt. If the operation has advanced further, it is only held.
pub(crate) fn record_reversal(
    operation: &mut Operation,
    kind: PaymentKind,
    found: FoundTransaction,
    message: &Message,
    now: Timestamp,
) {
    let (reference, word) = (found.reference.clone(), found.transaction.word.clone());
    let (id, as_of) = (found.transaction.transaction_id.clone(), found.as_of);
    adopt_transaction(operation, kind, found, now);
    let Some(attempt) = operation.payment_mut(kind).attempt_of(&reference, &id) else { return };
    // An unknown status: what was executed is no longer shown as such.
    if attempt.state != AttemptState::Ended {
        attempt.state = AttemptState::Ended;
        attempt.transaction_status = Some(word);
        attempt.as_of = Some(as_of);
        attempt.updated_at = now;
        attempt.set_message(message.clone());
    }
    let number = attempt.number;
    let is_last = operation.payment(kind).last().is_some_and(|last| last.number == number);
    let reversed = is_last && operation.apply_event(OperationEvent::Reversed(kind), message, now).is_ok();
    // A canceled withdrawal waits for a person by itself.
    if !(reversed && kind == PaymentKind::Withdrawal) {
        operation.hold(Hold::Revoked, message, now);
    }
    restart_with_transfer(operation, message, now);
}

/// Returns true if the last transfer has ended, so that its money is not in the wallet.
pub(crate) fn has_no_transfer(operation: &Operation) -> bool {
    operation.transfer.last().is_some_and(|last| last.state == AttemptState::Ended)
}

/// Makes an operation begin with its transfer again if that was reversed as well: a withdrawal
/// alone would take the wallet's money for other vouchers.
pub(crate) fn restart_with_transfer(operation: &mut Operation, message: &Message, now: Timestamp) {
    if has_no_transfer(operation)
        && operation.apply_event(OperationEvent::Reversed(PaymentKind::Transfer), message, now).is_ok()
    {
        operation.hold(Hold::Revoked, message, now);
    }
}

/// A transaction of HiPay's and the attempt it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct FoundTransaction {
    pub(crate) number: u32,
    pub(crate) reference: String,
    pub(crate) account: u64,
    pub(crate) transaction: Transaction,
    /// Time to which HiPay's answer applies (UTC).
    pub(crate) as_of: Timestamp,
}

/// Describes the reason for a transaction's state for people; empty if it has not failed.
fn transaction_message(transaction: &Transaction) -> Message {
    if !transaction.state.is_ended() {
        return Message::none();
    }
    let Transaction { transaction_id, word, .. } = transaction;
    msg!("pay-ended", transaction = transaction_id, state = word, reason = reason(transaction))
}

/// Returns HiPay's reason for not executing it, in HiPay's words.
pub(crate) fn reason(transaction: &Transaction) -> Message {
    let words = &transaction.refusal_reason;
    if words.is_empty() { msg!("no-reason") } else { Message::quoting(words) }
}

fn attempt_mut<'a>(operation: &'a mut Operation, kind: PaymentKind, reference: &str) -> Option<&'a mut Attempt> {
    operation.payment_mut(kind).attempts.iter_mut().find(|attempt| attempt.reference == reference)
}

fn sending(kind: PaymentKind) -> Status {
    match kind {
        PaymentKind::Transfer => Status::TransferSending,
        PaymentKind::Withdrawal => Status::WithdrawSending,
    }
}

fn is_sending(operation: &Operation, kind: PaymentKind, number: u32) -> bool {
    operation.status == sending(kind)
        && operation
            .payment(kind)
            .last()
            .is_some_and(|last| last.number == number && last.state == AttemptState::Sending)
}
