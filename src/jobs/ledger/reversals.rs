//! Payments that HiPay reverses after it executed them, or executes after it showed them as failed:
//! found in its ledger, also without a notice.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use futures_util::StreamExt;
use futures_util::stream;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::domain::attempt::{Attempt, AttemptState, TransactionState};
use crate::domain::ledger::{LedgerAccount, LedgerEntry};
use crate::domain::operation::{Operation, PaymentKind, Status};
use crate::jobs::ledger::Ledger;
use crate::jobs::payout::outcome::{self, FoundTransaction};
use crate::jobs::payout::pay::subject;
use crate::jobs::{BatchRun, Context, JobError, Subject};
use crate::remote::hipay::Transaction;
use crate::store::{Query, StoreError, View};
use crate::text::message::{Message, msg};

/// Maximum age of executed and given-up payments that are checked again.
const LOOKED_AT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Minimum interval between two checks of an account, and from the execution of a payment to its
/// first check: once a day, for runs that do not start at an exact time.
const OFTEN: SignedDuration = SignedDuration::from_hours(20);

/// Statuses of operations with a payment that HiPay executed or showed as failed.
const LOOKED_AT_AGAIN: [Status; 15] = [
    Status::Created,
    Status::TransferSending,
    Status::TransferRequested,
    Status::TransferNegative,
    Status::TransferFailed,
    Status::TransferVendorDisabled,
    Status::TransferSuccess,
    Status::WithdrawSending,
    Status::WithdrawRequested,
    Status::WithdrawSuccess,
    Status::WithdrawFailed,
    Status::WithdrawNegative,
    Status::WithdrawCanceled,
    Status::WithdrawVendorDisabled,
    Status::WithdrawPaymentBlocked,
];

/// Time of the last complete check.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct LastLook {
    at: Timestamp,
}

const DOCUMENT: &str = "reversals";

/// Checks once a day everything that was executed or given up within the last ninety days.
pub(crate) async fn look_again(context: &Context, run: &BatchRun, memory: Timestamp) -> Result<(), JobError> {
    let now = context.clock.now();
    // If the clock was set back, the last check is in the future.
    let long_ago = |at: Timestamp| now.duration_since(at).abs() >= OFTEN;
    let last = context.store.reading(|reader| reader.get_document::<LastLook>(DOCUMENT)).await?;
    if last.is_some_and(|last| !long_ago(last.at)) {
        return Ok(());
    }
    let mut due = Vec::new();
    for (account, since) in accounts(context, run).await? {
        let known = context.store.reading(move |reader| reader.get::<LedgerAccount>(&account)).await?;
        if known.and_then(|known| known.looked_again_at).is_none_or(long_ago) {
            due.push((account, since));
        }
    }
    let some = !due.is_empty();
    run.stage("accounts looked at again", due.len());
    let unread = std::sync::Mutex::new(Vec::new());
    let unread_accounts = &unread;
    stream::iter(due)
        .for_each_concurrent(context.concurrency(), |(account, since)| async move {
            if run.is_stopping() {
                return;
            }
            let looking = async {
                let technical = context.config.technical_account.hipay_id;
                let ledger = if account == technical {
                    Ledger::of_technical_account(context)
                } else {
                    Ledger::of_wallet(context, account)
                };
                let looked = ledger.look_again(since).await;
                // Findings from before a failed reading are reported too.
                if let Err(error) = ledger.report(run, memory).await {
                    run.settle(Subject::default(), Err(error));
                }
                match looked {
                    Ok(()) => {}
                    Err(error) if error.is_credentials() => run.abort(error.into()),
                    Err(error) => unread_accounts.lock().unwrap_or_else(PoisonError::into_inner).push(error),
                }
            };
            run.item(looking).await;
        })
        .await;
    let unread = unread.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = unread.first() {
        run.warn(&Subject::default(), msg!("reversals-unread", number = unread.len(), error));
        return Ok(());
    }
    if some && !run.is_stopping() {
        let looked = context.store.write(move |writer| writer.put_document(DOCUMENT, &LastLook { at: now }));
        looked.await?;
    }
    Ok(())
}

/// Returns the accounts whose payments were executed or given up within the last ninety days, each
/// with the time of its oldest such payment.
async fn accounts(context: &Context, run: &BatchRun) -> Result<BTreeMap<u64, Timestamp>, JobError> {
    let now = context.clock.now();
    let from = now.checked_sub(LOOKED_AT).unwrap_or(Timestamp::MIN);
    let until = now.checked_sub(OFTEN).unwrap_or(Timestamp::MIN);
    let technical = context.config.technical_account.hipay_id;
    let mut accounts: BTreeMap<u64, Timestamp> = BTreeMap::new();
    for status in LOOKED_AT_AGAIN {
        let add = |operation: Result<Operation, StoreError>| {
            let operation = match operation {
                Ok(operation) => operation,
                Err(error) => {
                    run.settle(Subject::default(), Err(error.into()));
                    return Ok(());
                }
            };
            for kind in PaymentKind::ALL {
                let over = operation.payment(kind).attempts.iter().filter(|attempt| {
                    let may_be_shown = attempt.transaction_id.is_some() || attempt.state == AttemptState::Sending;
                    let given_up = is_given_up(&operation, attempt, attempt.transaction_id.as_ref()) && may_be_shown;
                    let captured = attempt.state == AttemptState::Captured;
                    (captured || given_up) && (from..=until).contains(&attempt.updated_at)
                });
                for attempt in over {
                    let account = match kind {
                        PaymentKind::Transfer => technical,
                        PaymentKind::Withdrawal => attempt.account,
                    };
                    let since = accounts.entry(account).or_insert(attempt.intended_at);
                    *since = attempt.intended_at.min(*since);
                }
            }
            Ok::<_, JobError>(())
        };
        // An operation changes no earlier than its payment is executed.
        context.store.for_each(Query::group(Operation::BY_STATUS, status.code()).from(from), add).await?;
    }
    Ok(accounts)
}

/// Reverses payments that the ledger no longer shows as executed, once HiPay's own answer confirms it.
pub(crate) async fn confirm_reversals(run: &BatchRun, ledger: &Ledger<'_>) -> Result<(), JobError> {
    let reversed = std::mem::take(&mut ledger.found().reversed);
    for entry in reversed {
        let unconfirmed = confirm_reversal(run, ledger, &entry).await;
        let message = |error: Message| msg!("reversals-unconfirmed", transaction = &entry.transaction_id, error);
        report_unconfirmed(run, unconfirmed, message)?;
    }
    Ok(())
}

/// Adopts payments that the ledger shows as executed although they counted as over or their operation was settled, once
/// HiPay's own answer confirms it. A notice reports this as well, but may be lost.
pub(crate) async fn adopt_late_executions(run: &BatchRun, ledger: &Ledger<'_>) -> Result<(), JobError> {
    let revived = std::mem::take(&mut ledger.found().revived);
    for entry in revived {
        let unconfirmed = adopt_late_execution_of(run, ledger, &entry).await;
        let message =
            |error: Message| msg!("reversals-unconfirmed-execution", transaction = &entry.transaction_id, error);
        report_unconfirmed(run, unconfirmed, message)?;
    }
    Ok(())
}

/// Reports what the list shows and HiPay does not confirm, with the reason: the next check asks again.
fn report_unconfirmed(
    run: &BatchRun,
    unconfirmed: Result<Option<Message>, JobError>,
    message: impl Fn(Message) -> Message,
) -> Result<(), JobError> {
    match unconfirmed {
        Ok(None) => {}
        Ok(Some(why)) => run.fail(Subject::default(), message(why)),
        Err(error @ JobError::Credentials(_)) => return Err(error),
        Err(error) => run.settle(Subject::default(), Err(error)),
    }
    Ok(())
}

/// Adopts the payment, or returns the reason for which HiPay does not confirm its execution.
async fn adopt_late_execution_of(
    run: &BatchRun,
    ledger: &Ledger<'_>,
    entry: &LedgerEntry,
) -> Result<Option<Message>, JobError> {
    let context = ledger.context;
    let Some(id) = entry.operation else { return Ok(None) };
    let known = context.store.reading(move |reader| reader.get::<Operation>(&id)).await?;
    let Some((kind, attempt)) = known.and_then(|operation| given_up_as(&operation, entry)) else { return Ok(None) };
    let asked_at = context.clock.now();
    let transaction = match confirmation(ledger, (kind, attempt.account), entry).await? {
        Ok(shown) if shown.state == TransactionState::Captured => shown,
        Ok(shown) => return Ok(Some(msg!("sync-shown-as", state = shown.word))),
        Err(why) => return Ok(Some(why)),
    };
    let (as_of, sought) = (context.hipay.as_of(asked_at), entry.clone());
    let (taken, is_taken) = tokio::sync::oneshot::channel();
    let changed = outcome::update(context, id, move |operation, now| {
        let Some((kind, attempt)) = given_up_as(operation, &sought) else { return false };
        let Attempt { number, reference, account, .. } = attempt;
        let found = FoundTransaction { number, reference, account, transaction, as_of };
        taken.send(outcome::adopt_late_execution(operation, kind, found, now)).is_ok()
    });
    if let (Some(operation), Ok(Some(message))) = (changed.await?, is_taken.await) {
        run.critical(subject(&operation), message);
    }
    Ok(None)
}

/// Returns the payment kind and the attempt of an executed entry if no run looks for its outcome any more.
fn given_up_as(operation: &Operation, entry: &LedgerEntry) -> Option<(PaymentKind, Attempt)> {
    let is_it = |attempt: &&Attempt| attempt.is_of(&entry.transaction_id, &entry.reference);
    PaymentKind::ALL.into_iter().find_map(|kind| {
        let attempt = operation.payment(kind).attempts.iter().find(is_it)?;
        is_given_up(operation, attempt, Some(&entry.transaction_id)).then(|| (kind, attempt.clone()))
    })
}

/// Returns true if the attempt was not executed and no run looks for its outcome any more. `id` is
/// HiPay's id of the transaction, if known.
pub(crate) fn is_given_up(operation: &Operation, attempt: &Attempt, id: Option<&String>) -> bool {
    // A person has looked at it: it is not a payment of the operation, or it is the one that settled it.
    let seen = |id: &String| operation.candidates.contains(id) && attempt.transaction_id.as_ref() != Some(id);
    let looked_at = id.is_some_and(|id| operation.dismissed.contains(id) || seen(id));
    let given_up = match attempt.state {
        AttemptState::Ended => true,
        AttemptState::Sending | AttemptState::Requested | AttemptState::Refused => operation.is_settled(),
        AttemptState::Captured | AttemptState::Unknown => false,
    };
    given_up && !looked_at
}

/// Reverses the payment, or returns the reason for which HiPay does not confirm the reversal.
async fn confirm_reversal(
    run: &BatchRun,
    ledger: &Ledger<'_>,
    entry: &LedgerEntry,
) -> Result<Option<Message>, JobError> {
    let context = ledger.context;
    let Some(id) = entry.operation else { return Ok(None) };
    let known = context.store.reading(move |reader| reader.get::<Operation>(&id)).await?;
    let Some((kind, attempt)) = known.and_then(|operation| executed_as(&operation, &entry.transaction_id)) else {
        return Ok(None);
    };
    // A list entry is confirmed by the transaction itself, because a person is alerted because of it.
    let asked_at = context.clock.now();
    let transaction = match confirmation(ledger, (kind, attempt.account), entry).await? {
        Ok(transaction) => transaction,
        Err(why) => return Ok(Some(why)),
    };
    match transaction.state {
        TransactionState::Captured => return Ok(None),
        TransactionState::Pending | TransactionState::Standby => {
            return Ok(Some(msg!("sync-shown-as", state = transaction.word)));
        }
        TransactionState::Failed | TransactionState::Canceled | TransactionState::Unknown => {}
    }
    let as_of = context.hipay.as_of(asked_at);
    let reason = outcome::reason(&transaction);
    let (transaction_id, word) = (transaction.transaction_id.clone(), transaction.word.clone());
    let message = msg!("sync-reversed", kind, transaction = &transaction_id, state = word, reason);
    let said = message.clone();
    let (taken, is_taken) = tokio::sync::oneshot::channel();
    let changed = outcome::update(context, id, move |operation, now| {
        let Some((kind, attempt)) = executed_as(operation, &transaction_id) else { return false };
        let Attempt { number, reference, account, .. } = attempt;
        let found = FoundTransaction { number, reference, account, transaction, as_of };
        outcome::record_reversal(operation, kind, found, &said, now);
        taken.send(()).is_ok()
    });
    if let (Some(operation), Ok(())) = (changed.await?, is_taken.await) {
        run.critical(subject(&operation), message);
    }
    Ok(None)
}

/// Returns the payment kind and the attempt of a transaction if the attempt counts as executed.
fn executed_as(operation: &Operation, transaction_id: &str) -> Option<(PaymentKind, Attempt)> {
    let is_it = |attempt: &&Attempt| {
        attempt.transaction_id.as_deref() == Some(transaction_id) && attempt.state == AttemptState::Captured
    };
    PaymentKind::ALL.into_iter().find_map(|kind| {
        let attempt = operation.payment(kind).attempts.iter().find(is_it)?;
        Some((kind, attempt.clone()))
    })
}

/// Returns the transaction as HiPay shows it to the account that paid, else to the account whose
/// list shows it: the technical account may have changed since. The inner error is the reason for
/// which HiPay does not show it.
async fn confirmation(
    ledger: &Ledger<'_>,
    (kind, account): (PaymentKind, u64),
    entry: &LedgerEntry,
) -> Result<Result<Transaction, Message>, JobError> {
    let hipay = &ledger.context.hipay;
    let shown = match hipay.transaction(kind, account, &entry.transaction_id).await {
        Ok(None) => hipay.transaction(ledger.kind(), entry.account, &entry.transaction_id).await,
        other => other,
    };
    match shown {
        Ok(shown) => Ok(shown.ok_or_else(|| msg!("sync-not-shown"))),
        Err(error) if error.is_credentials() => Err(error.into()),
        Err(error) => Ok(Err(Message::from(&error))),
    }
}
