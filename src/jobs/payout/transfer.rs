//! `cashout:transfer`: money from the technical account to the wallets.

use std::collections::HashSet;

use futures_util::StreamExt;
use futures_util::stream;
use jiff::{SignedDuration, Timestamp};

use crate::domain::operation::{Hold, Operation, OperationEvent, PaymentKind, Status};
use crate::jobs::binding::remembers_since;
use crate::jobs::intake::fresh_shops;
use crate::jobs::intake::unpaid_vouchers;
use crate::jobs::ledger::Ledger;
use crate::jobs::payout::due;
use crate::jobs::payout::funds::AccountFunds;
use crate::jobs::payout::outcome;
use crate::jobs::payout::pay::{Paying, subject};
use crate::jobs::vendor::process::vendor;
use crate::jobs::{BatchCount, BatchRun, Context, JobError};
use crate::remote::hipay::ActingOn;
use crate::store::StoreError;
use crate::text::message::{Message, msg};

/// Time since the cycle after which an operation is paid before anything newer (rules, section 3).
const WAIT_WARNING_LIMIT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Pays what is payable. Payments that an earlier run left open come first: their outcome is looked up.
pub(crate) async fn run(context: &Context, run: &BatchRun) -> Result<(), JobError> {
    let ledger = Ledger::of_technical_account(context);
    let (payable, _) = in_order(context).await?;
    let ((), unread) =
        tokio::try_join!(unpaid_vouchers::read_again(context, run), fresh_shops::read(context, run, &payable))?;
    // Some may be held now.
    let (mut ids, strict) = in_order(context).await?;
    let payable: HashSet<u64> = payable.into_iter().collect();
    let strict = ids.iter().take(strict).filter(|id| payable.contains(id)).count();
    ids.retain(|id| payable.contains(id));
    run.stage("transfers", ids.len());
    if !ids.is_empty() || ledger.is_stale().await? {
        ledger.read_new_entries(run).await?;
    }
    let funds = AccountFunds::new(&context.hipay, ActingOn::Technical, PaymentKind::Transfer)
        .of_escrow(context)
        .in_order(&ids, strict);
    let memory = remembers_since(context).await?;
    let (funds, ledger, unread) = (&funds, &ledger, &unread);
    stream::iter(ids)
        .for_each_concurrent(context.concurrency(), |id| async move {
            let work = |operation: Operation| async move {
                if unread.contains(&operation.mirakl_id) {
                    return Err(JobError::Remote(msg!("shop-unread")));
                }
                transfer(context, run, (funds, ledger, memory), operation).await
            };
            due::process_one(context, run, id, work).await;
            funds.end_turn(id);
        })
        .await;
    // An old payment may have caused it to be read further back.
    ledger.report(run, remembers_since(context).await?).await
}

/// Returns the operations in the order in which they get the available money, and the number of the
/// first ones that newer ones must not overtake.
async fn in_order(context: &Context) -> Result<(Vec<u64>, usize), StoreError> {
    let mut ids = due::ids(context, &[Status::TransferSending]).await?;
    let long_ago = context.clock.now().checked_sub(WAIT_WARNING_LIMIT).unwrap_or(Timestamp::MIN);
    ids.extend(due::before(context, &Status::TRANSFER_PAYABLE, long_ago).await?);
    let strict = ids.len();
    ids.extend(due::ids(context, &Status::TRANSFER_PAYABLE).await?);
    let mut known = HashSet::new();
    ids.retain(|id| known.insert(*id));
    Ok((ids, strict))
}

async fn transfer(
    context: &Context,
    run: &BatchRun,
    (funds, ledger, memory): (&AccountFunds<'_>, &Ledger<'_>, Timestamp),
    operation: Operation,
) -> Result<(), JobError> {
    // The ledger may have shown meanwhile that it was executed.
    let open = operation.status == Status::TransferSending;
    let is_due = open || Status::TRANSFER_PAYABLE.contains(&operation.status);
    if !is_due || (operation.held.is_some() && operation.held_for != Some(Hold::LedgerUnread)) {
        return Ok(());
    }
    let may_send = may_be_sent(context, run, &operation).await?;
    if !may_send && !open {
        return Ok(());
    }
    Paying { context, run, kind: PaymentKind::Transfer, funds, ledger, memory, may_send }.pay(operation).await
}

/// Runs the checks before a transfer, in the order of the rules; the operation records a failed one.
async fn may_be_sent(context: &Context, run: &BatchRun, operation: &Operation) -> Result<bool, JobError> {
    if let Some(message) = not_to_be_paid(context, operation.mirakl_id).await? {
        outcome::apply_event(context, operation.id, OperationEvent::VendorDisabled, message.clone()).await?;
        run.count_amount(BatchCount::VendorDisabled, operation.amount);
        run.warn(&subject(operation), msg!("not-transferred", reason = message));
        return Ok(false);
    }
    if !operation.amount.is_positive() {
        outcome::apply_event(context, operation.id, OperationEvent::AmountInvalid, msg!("nothing-to-pay")).await?;
        run.count(BatchCount::NothingToPay);
        return Ok(false);
    }
    Ok(true)
}

/// Returns the reason for which the voucher's vendor must not be paid; `None` if it is known and wants to be paid.
async fn not_to_be_paid(context: &Context, mirakl_id: u64) -> Result<Option<Message>, JobError> {
    Ok(match vendor(context, mirakl_id).await? {
        Some(vendor) if vendor.gone => Some(msg!("obstacle-gone")),
        Some(vendor) if vendor.enabled => None,
        Some(_) | None => Some(msg!("obstacle-unknown-or-disabled")),
    })
}
