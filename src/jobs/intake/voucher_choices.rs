//! A person's choices on a voucher without operations: release it, or settle it.

use crate::domain::voucher::{HeldBecause, VoucherChoice, VoucherNote, VoucherRecord};
use crate::jobs::{Context, JobError};
use crate::store::{View, Writer};
use crate::text::message::{Message, asker, logged, msg};

/// Applies a person's choice to the voucher `id`, and records person, time and reason. After a
/// release the next run of `cashout:generate` makes its operations, whatever holds it; a settled
/// voucher is never paid from here. Refused if the choice would change nothing.
pub async fn choose_for_voucher(
    context: &Context,
    id: &str,
    choice: VoucherChoice,
    reason: &str,
    asked_by: &str,
) -> Result<VoucherRecord, JobError> {
    let (now, reason, who, id) = (context.clock.now(), reason.trim().to_owned(), asked_by.to_owned(), id.to_owned());
    if choice == VoucherChoice::Settle && reason.is_empty() {
        return Err(JobError::Refused(msg!("voucher-no-reason")));
    }
    let chosen = context.store.write(move |writer: &mut Writer<'_>| {
        let known = VoucherRecord::key_of(&id).map(|key| writer.get::<VoucherRecord>(&key)).transpose()?;
        let Some(mut record) = known.flatten() else {
            return Err(JobError::Refused(msg!("voucher-none", voucher = id)));
        };
        apply(&mut record, choice)?;
        record.story.push(VoucherNote { at: now, choice, who, reason });
        writer.put(&record)?;
        Ok(record)
    });
    let record = chosen.await?;
    let note = msg!("voucher-chosen", person = asker(asked_by), choice = choice.name(), voucher = record.id());
    let (mirakl_id, voucher) = (record.voucher.shop_id, record.voucher.number.as_str());
    logged!(warn, action = "voucher", mirakl_id, voucher, note);
    Ok(record)
}

/// Returns the reason for which a choice would change nothing about a voucher; `None` if it is valid.
pub fn refuses(record: &VoucherRecord, choice: VoucherChoice) -> Option<Message> {
    let voucher = record.id();
    let Some(held) = record.held else { return Some(msg!("voucher-has-operations", voucher)) };
    match (choice, held) {
        (VoucherChoice::Settle, HeldBecause::Settled) => Some(msg!("voucher-settled-already", voucher)),
        // A run makes the operations by itself once the condition is met; before that, payment is impossible.
        (VoucherChoice::Release, HeldBecause::VendorUnknown | HeldBecause::VendorDisabled | HeldBecause::CycleOpen) => {
            Some(msg!("voucher-release-useless", voucher, reason = &held))
        }
        (VoucherChoice::Release, _) if record.released => Some(msg!("voucher-released-already", voucher)),
        (VoucherChoice::Settle | VoucherChoice::Release, _) => None,
        (VoucherChoice::Unknown, _) => Some(msg!("voucher-unknown-choice", voucher)),
    }
}

/// Applies the choice, or returns the reason for which it would do nothing.
fn apply(record: &mut VoucherRecord, choice: VoucherChoice) -> Result<(), JobError> {
    if let Some(why) = refuses(record, choice) {
        return Err(JobError::Refused(why));
    }
    match choice {
        VoucherChoice::Settle => {
            record.held = Some(HeldBecause::Settled);
            record.released = false;
        }
        VoucherChoice::Release => {
            record.released = true;
            if record.held == Some(HeldBecause::Settled) {
                record.held = Some(HeldBecause::OutsideCycles);
            }
        }
        VoucherChoice::Unknown => {}
    }
    Ok(())
}
