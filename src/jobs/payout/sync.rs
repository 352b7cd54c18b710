//! `cashout:transaction:status:sync`: the outcome of everything under way. The safety net for lost
//! notifications, and the way to resolve unknown outcomes.

use jiff::{SignedDuration, Timestamp};

use crate::domain::attempt::{Attempt, AttemptState, TransactionState};
use crate::domain::operation::{Hold, Operation, PaymentKind, Status};
use crate::jobs::binding::remembers_since;
use crate::jobs::ledger::Ledger;
use crate::jobs::ledger::reversals;
use crate::jobs::payout::due;
use crate::jobs::payout::funds::AccountFunds;
use crate::jobs::payout::outcome::{self, FoundTransaction};
use crate::jobs::payout::pay::{AttemptMatch, Paying, subject};
use crate::jobs::{BatchCount, BatchRun, Context, JobError};
use crate::remote::hipay::{ActingOn, Transaction};
use crate::store::{StoreReader, View};
use crate::text::message::{Message, msg};

/// Time for which a payment may wait at HiPay before it is reported to a person. Our choice: it is
/// not paid again, because it may still go through.
const WAIT_ALERT_LIMIT: SignedDuration = SignedDuration::from_hours(3 * 24);

/// Minimum number of transfers under way to be read in a list; fewer are looked up individually.
const MIN_LISTED: usize = 4;

/// Holds during which the outcome of payments sent before is looked up nevertheless.
const LOOKED_UP_WHILE_HELD: [Hold; 8] = [
    Hold::ByPerson,
    Hold::OutcomeUnknown,
    Hold::Revoked,
    Hold::PaidInMirakl,
    Hold::OtherProvider,
    Hold::AmountChanged,
    Hold::VoucherGone,
    Hold::ExecutedAfterAll,
];

pub(crate) async fn run(context: &Context, run: &BatchRun) -> Result<(), JobError> {
    let sent = [Status::TRANSFER_SENT, Status::WITHDRAW_SENT].concat();
    let mut ids = due::ids(context, &sent).await?;
    ids.extend(due::held_for(context, &sent, &LOOKED_UP_WHILE_HELD).await?);
    run.stage("payments under way", ids.len());
    let memory = remembers_since(context).await?;
    let transfers = Ledger::of_technical_account(context);
    let listed_as_of = list(context, run, (&transfers, memory), &ids).await?;
    let listed = listed_as_of.map(|as_of| (&transfers, as_of));
    due::for_each(context, run, ids, |operation| sync(context, run, (memory, listed), operation)).await;
    Box::pin(reversals::look_again(context, run, memory)).await
}

/// Reads the list that contains the transfers under way, and returns the time to which it applies;
/// `None` if each is looked up individually.
async fn list(
    context: &Context,
    run: &BatchRun,
    (ledger, memory): (&Ledger<'_>, Timestamp),
    ids: &[u64],
) -> Result<Option<Timestamp>, JobError> {
    let now = context.clock.now();
    let read = |reader: &StoreReader<'_>, id: u64| {
        let operation = reader.get::<Operation>(&id).ok().flatten();
        Ok(operation.and_then(|operation| requested_at(&operation)))
    };
    let requested = due::read_each(context, ids, read).await?;
    if requested.len() < MIN_LISTED {
        return Ok(None);
    }
    let oldest = requested.into_iter().fold(now, Timestamp::min);
    let asked_at = context.clock.now();
    match ledger.read_since(oldest).await {
        Ok(()) => {
            let as_of = context.hipay.as_of(asked_at);
            ledger.report(run, memory).await?;
            Ok(Some(as_of))
        }
        Err(error) if error.is_credentials() => Err(error.into()),
        // Each is looked up individually, and errors of the list are reported before money is sent.
        Err(_) => Ok(None),
    }
}

/// Returns the time at which a transfer that HiPay has accepted was sent.
fn requested_at(operation: &Operation) -> Option<Timestamp> {
    let last = operation.payment(PaymentKind::Transfer).last()?;
    (operation.status == Status::TransferRequested && last.state == AttemptState::Requested).then_some(last.intended_at)
}

async fn sync(
    context: &Context,
    run: &BatchRun,
    (memory, listed): (Timestamp, Option<(&Ledger<'_>, Timestamp)>),
    operation: Operation,
) -> Result<(), JobError> {
    // Its outcome may have been reported since the run began.
    let Some(kind) = operation.sent_kind() else { return Ok(()) };
    let funds = AccountFunds::new(&context.hipay, ActingOn::Technical, kind);
    let ledger = match kind {
        PaymentKind::Transfer => Ledger::of_technical_account(context),
        PaymentKind::Withdrawal => Ledger::of_wallet(context, operation.recipient_hipay_id),
    };
    let paying = Paying { context, run, kind, funds: &funds, ledger: &ledger, memory, may_send: false };
    let last = operation.payment(kind).last().cloned();
    let Some(attempt) = last.filter(|last| last.state == AttemptState::Requested) else {
        // Sent with an unknown outcome: the same look-up as before a repetition, but without sending.
        return paying.pay(operation).await;
    };
    let asked_at = context.clock.now();
    let (found, as_of) = look_up(context, kind, &attempt, listed, asked_at).await?;
    let Some(transaction) = found else {
        // It was accepted; a look-up may lag behind.
        run.count_amount(BatchCount::NotShownYet, attempt.amount);
        if report_if_overdue(context, run, &operation, &attempt, msg!("sync-not-shown")) && may_be_held(&operation) {
            outcome::hold_vanished(context, operation.id, kind, msg!("sync-vanished", kind)).await?;
        }
        return Ok(());
    };
    let (number, reference, account) = (attempt.number, attempt.reference.clone(), attempt.account);
    let claim = AttemptMatch { asked_at, number, reference, account };
    // A failed transaction with our own id moves no money, whatever its details show.
    let over = transaction.state.is_ended() && attempt.transaction_id.as_ref() == Some(&transaction.transaction_id);
    if !over && let Some(difference) = paying.mismatch(&operation, &claim, &transaction).await? {
        return paying.hold_other(&operation, &claim, &transaction, difference).await;
    }
    report_state(run, &operation, kind, &attempt, &transaction);
    let word = transaction.word.clone();
    let unknown = transaction.state == TransactionState::Unknown;
    let waiting = !transaction.state.is_ended() && transaction.state != TransactionState::Captured;
    let (number, reference, account) = (attempt.number, attempt.reference.clone(), attempt.account);
    let found = FoundTransaction { number, reference, account, transaction, as_of };
    outcome::adopt(context, operation.id, kind, found).await?;
    if waiting {
        let too_long = report_if_overdue(context, run, &operation, &attempt, msg!("sync-shown-as", state = &word));
        if too_long && unknown && may_be_held(&operation) {
            let message = msg!("sync-unknown-word", kind, state = word);
            let candidates = attempt.transaction_id.iter().cloned().collect();
            outcome::hold(context, operation.id, Hold::OutcomeUnknown, message, candidates).await?;
        }
        return Ok(());
    }
    if operation.held_for == Some(Hold::OutcomeUnknown) {
        outcome::release(context, operation.id, Hold::OutcomeUnknown, msg!("sync-known-again")).await?;
    }
    Ok(())
}

/// Looks the attempt's transaction up, in the list `listed` if that shows it, else individually.
/// Returns it with the time to which it applies.
async fn look_up(
    context: &Context,
    kind: PaymentKind,
    attempt: &Attempt,
    listed: Option<(&Ledger<'_>, Timestamp)>,
    asked_at: Timestamp,
) -> Result<(Option<Transaction>, Timestamp), JobError> {
    let id = attempt.transaction_id.as_deref().unwrap_or(&attempt.reference);
    let mut listed_then = None;
    let mut found = None;
    if let (PaymentKind::Transfer, Some((ledger, listed_as_of))) = (kind, listed) {
        found = ledger.shown(id).await?;
        listed_then = found.is_some().then_some(listed_as_of);
    }
    if found.is_none() {
        found = context.hipay.transaction(kind, attempt.account, id).await?;
    }
    if found.is_none() && id != attempt.reference && !attempt.reference.is_empty() {
        found = context.hipay.transaction(kind, attempt.account, &attempt.reference).await?;
    }
    // The answer itself carries HiPay's present time; the time of an earlier answer may be hours old.
    let as_of = listed_then.unwrap_or_else(|| context.hipay.as_of(asked_at));
    Ok((found, as_of))
}

/// Reports the state that HiPay shows for a payment.
fn report_state(run: &BatchRun, operation: &Operation, kind: PaymentKind, attempt: &Attempt, shown: &Transaction) {
    let state = &shown.word;
    match shown.state {
        TransactionState::Captured => run.count_amount(BatchCount::Done, attempt.amount),
        TransactionState::Failed | TransactionState::Canceled => {
            let reason = outcome::reason(shown);
            run.fail(subject(operation), msg!("sync-ended", kind, state, reason));
        }
        TransactionState::Pending | TransactionState::Standby => run.count_amount(BatchCount::UnderWay, attempt.amount),
        TransactionState::Unknown => {
            run.count_amount(BatchCount::UnknownState, attempt.amount);
            run.fail(subject(operation), msg!("sync-unknown-word", kind, state));
        }
    }
}

/// Returns true if its outcome may be held for a person: a hold about the voucher cannot be decided
/// while a payment is under way.
fn may_be_held(operation: &Operation) -> bool {
    operation.held.is_none() || operation.held_for.is_some_and(Hold::is_about_voucher)
}

/// Reports a payment that has waited too long to a person. Returns true if it has.
fn report_if_overdue(
    context: &Context,
    run: &BatchRun,
    operation: &Operation,
    attempt: &Attempt,
    what: Message,
) -> bool {
    let too_long = context.clock.now().duration_since(attempt.intended_at) > WAIT_ALERT_LIMIT;
    if too_long {
        let since = context.calendar().day_of(attempt.intended_at);
        run.fail(subject(operation), msg!("sync-waits", amount = attempt.amount, since, what));
    }
    too_long
}
