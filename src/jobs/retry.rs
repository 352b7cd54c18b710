//! A person's word on an operation that waits for one: a hold is released, a canceled withdrawal
//! may be tried again.

use jiff::Timestamp;

use super::unpaid_vouchers::record_of;
use super::{Context, JobError, labels};
use crate::attempt::AttemptState;
use crate::operation::{Beneficiary, Event, Hold, Operation, PaymentKind, Status};
use crate::sentence::{asker, say};
use crate::store::{View, Writer};

/// Lets the runs take up operation `id` again. Gives it as it is then.
pub async fn retry(context: &Context, id: u64, asked_by: &str) -> Result<Operation, JobError> {
    let now = context.clock.now();
    let note = say!("retry-asked", person = asker(asked_by));
    let working = context.clone();
    let taken_up = context.store.write(move |writer: &mut Writer<'_>| {
        let Some(mut operation) = writer.get::<Operation>(&id)? else {
            return Err(JobError::Refused(say!("retry-none", operation = id)));
        };
        let was_held = operation.held.is_some();
        if was_held {
            if operation.held_for == Some(Hold::AmountChanged) {
                take_shown_amount(&working, writer, &mut operation, now)?;
            }
            operation.release(true, &note, now);
        }
        if operation.status == Status::WithdrawCanceled {
            operation.happen(Event::RetryAsked, &note, now).map_err(|error| JobError::Refused(error.into()))?;
        } else if !was_held {
            let status = &operation.status;
            return Err(JobError::Refused(say!("retry-not-needed", operation = id, status)));
        }
        writer.put(&operation)?;
        Ok(operation)
    });
    taken_up.await
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
