//! `cashout:transfer`: money from the technical account to the wallets.

use jiff::Timestamp;

use super::binding::remembers_since;
use super::funds::Funds;
use super::ledger::Ledger;
use super::pay::{Paying, subject};
use super::{Context, JobError, Run, due, outcome, unpaid_vouchers};
use crate::hipay::ActingOn;
use crate::operation::{Event, Operation, PaymentKind, Status};
use crate::sentence::say;
use crate::store::View;
use crate::vendor::Vendor;

/// Pays what is payable. What an earlier run left open comes first: its outcome is looked up.
pub(super) async fn run(context: &Context, run: &Run) -> Result<(), JobError> {
    unpaid_vouchers::read_again(context, run).await?;
    let ledger = Ledger::of_technical_account(context);
    let statuses = [[Status::TransferSending].as_slice(), &Status::TRANSFER_PAYABLE].concat();
    let ids = due::ids(context, &statuses).await?;
    run.stage("transfers", ids.len());
    if !ids.is_empty() {
        ledger.watch(run).await?;
    }
    let funds = Funds::new(&context.hipay, ActingOn::Technical, PaymentKind::Transfer);
    let memory = remembers_since(context).await?;
    due::each(context, run, ids, |operation| transfer(context, run, (&funds, &ledger, memory), operation)).await;
    Ok(())
}

async fn transfer(
    context: &Context,
    run: &Run,
    (funds, ledger, memory): (&Funds<'_>, &Ledger<'_>, Timestamp),
    operation: Operation,
) -> Result<(), JobError> {
    let may_send = may_be_sent(context, run, &operation).await?;
    let open = operation.status == Status::TransferSending;
    if !may_send && !open {
        return Ok(());
    }
    Paying { context, run, kind: PaymentKind::Transfer, funds, ledger, memory, may_send }.pay(operation).await
}

/// The checks before a transfer, in the order of the rules; the operation says which failed.
async fn may_be_sent(context: &Context, run: &Run, operation: &Operation) -> Result<bool, JobError> {
    if !is_enabled(context, operation.mirakl_id).await? {
        let message = say!("obstacle-unknown-or-disabled");
        outcome::happen(context, operation.id, Event::VendorDisabled, message.clone()).await?;
        run.count_amount("vendor disabled", operation.amount);
        run.warn(&subject(operation), say!("not-transferred", reason = message));
        return Ok(false);
    }
    if !operation.amount.is_positive() {
        outcome::happen(context, operation.id, Event::AmountInvalid, say!("nothing-to-pay")).await?;
        run.count("nothing to pay");
        return Ok(false);
    }
    Ok(true)
}

/// True where the voucher's vendor is known and wants to be paid.
pub(super) async fn is_enabled(context: &Context, mirakl_id: u64) -> Result<bool, JobError> {
    let vendor = context.store.reading(move |reader| reader.get::<Vendor>(&mirakl_id)).await?;
    Ok(vendor.is_some_and(|vendor| vendor.enabled))
}
