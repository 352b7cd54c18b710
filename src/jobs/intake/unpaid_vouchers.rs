//! Vouchers of operations about to be paid, read again before money is sent: those that Mirakl
//! shows as paid, as another provider's, with other amounts or not at all are held for a person.

use std::collections::BTreeMap;

use crate::domain::attempt::AttemptState;
use crate::domain::money::Amount;
use crate::domain::operation::{Beneficiary, Hold, Operation, Status};
use crate::domain::voucher::{ListedVoucher, Voucher, VoucherRecord, VoucherSource};
use crate::jobs::intake::shown_vouchers::{ShownVoucher, ShownVouchers};
use crate::jobs::ledger::of_voucher;
use crate::jobs::payout::due;
use crate::jobs::payout::pay::subject;
use crate::jobs::{BatchCount, BatchRun, Context, JobError};
use crate::remote::CallError;
use crate::store::{StoreError, StoreReader, View, Writer};
use crate::text::message::{Message, msg};

/// Statuses of operations whose transfer is sent or repeated.
const UNPAID: [Status; 5] = [
    Status::TransferSending,
    Status::TransferNegative,
    Status::TransferFailed,
    Status::Created,
    Status::TransferVendorDisabled,
];

/// Reads the vouchers of all operations whose transfer is due, and holds those that must not be
/// paid unchanged. Nothing is sent if Mirakl cannot be asked.
pub(crate) async fn read_again(context: &Context, run: &BatchRun) -> Result<(), JobError> {
    let ids = due::ids(context, &UNPAID).await?;
    let read = |reader: &StoreReader<'_>, id: u64| match reader.get::<Operation>(&id) {
        Ok(Some(operation)) => voucher_of(reader, &operation),
        Ok(None) | Err(_) => Ok(None),
    };
    let found = due::read_each(context, &ids, read).await?;
    let records: BTreeMap<_, _> = found.into_iter().map(|record| (record.voucher.key(), record)).collect();
    if records.is_empty() {
        return Ok(());
    }
    let vouchers: Vec<&Voucher> = records.values().map(|record| &record.voucher).collect();
    let shown = ShownVouchers::read(context, &vouchers).await.map_err(not_asked)?;
    for record in records.values() {
        hold_what_differs(context, run, record, shown.of(&record.voucher)).await?;
    }
    Ok(())
}

fn not_asked(error: CallError) -> JobError {
    if error.is_credentials() { error.into() } else { JobError::Remote(msg!("transfers-not-asked", error = &error)) }
}

/// Returns the record of an operation's voucher.
pub fn voucher_of(view: &impl View, operation: &Operation) -> Result<Option<VoucherRecord>, StoreError> {
    for source in [VoucherSource::Invoices, VoucherSource::BillingCycles] {
        let key = (source.name().to_owned(), operation.mirakl_id, operation.voucher.clone());
        if let Some(record) = view.get::<VoucherRecord>(&key)? {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

/// Holds the voucher's operations that are not transferred and that Mirakl's present data contradicts.
pub(crate) async fn hold_what_differs(
    context: &Context,
    run: &BatchRun,
    record: &VoucherRecord,
    shown: ShownVoucher<'_>,
) -> Result<(), JobError> {
    let objections: Vec<(Beneficiary, Hold, Message)> = Beneficiary::ALL
        .into_iter()
        .flat_map(|beneficiary| {
            let objections = objections(record, shown, beneficiary);
            objections.into_iter().map(move |(why, sentence)| (beneficiary, why, sentence))
        })
        .collect();
    if objections.is_empty() {
        return Ok(());
    }
    let (shop_id, number, now) = (record.voucher.shop_id, record.voucher.number.clone(), context.clock.now());
    let changed_to = changed_amounts(record, shown);
    let (mut kept, known_change) = (record.clone(), record.changed_to);
    let held = context.store.write(move |writer: &mut Writer<'_>| {
        let operations = load_operations(writer, shop_id, &number)?;
        let transferred: Vec<Beneficiary> =
            operations.iter().filter(|one| has_transferred(one)).map(|one| one.beneficiary).collect();
        if changed_to != known_change {
            kept.changed_to = changed_to;
            writer.put(&kept)?;
        }
        let mut held = Vec::new();
        for mut operation in operations {
            // The first objection that is not waived. After our transfer to the seller, PAID refers
            // to that transfer; our transfer of a commission does not explain it.
            let paid_by_us = transferred.contains(&Beneficiary::Vendor) || transferred.contains(&operation.beneficiary);
            let objection = objections.iter().find(|(beneficiary, why, _)| {
                let ours = *why == Hold::PaidInMirakl && paid_by_us;
                *beneficiary == operation.beneficiary && !ours && !operation.waived.contains(why)
            });
            let Some((_, why, sentence)) = objection else { continue };
            // A hold that ends by itself must not hide this one. An amount that differs from the
            // reported one must be reported.
            let replaced = matches!(operation.held_for, Some(Hold::LedgerUnread | Hold::AmountChanged));
            if operation.held.is_some() && (!replaced || operation.held.as_deref() == Some(sentence.text())) {
                continue;
            }
            if UNPAID.contains(&operation.status) {
                operation.hold(*why, sentence, now);
                writer.put(&operation)?;
                held.push((operation, sentence.clone()));
            }
        }
        Ok::<_, StoreError>(held)
    });
    for (operation, sentence) in held.await? {
        run.count_amount(BatchCount::Held, operation.amount);
        run.warn(&subject(&operation), msg!("generate-held", amount = operation.amount, reason = sentence));
    }
    Ok(())
}

/// Returns the amounts that Mirakl shows for the vendor and the operator, if they differ from the voucher's first ones.
fn changed_amounts(record: &VoucherRecord, shown: ShownVoucher<'_>) -> Option<(Amount, Amount)> {
    let amounts = match shown {
        ShownVoucher::Row(row) if row.unusable.is_none() => {
            Some((row.voucher.vendor_amount, row.voucher.operator_amount))
        }
        ShownVoucher::Row(_) | ShownVoucher::Gone | ShownVoucher::Unsaid => None,
    };
    let first = (record.voucher.vendor_amount, record.voucher.operator_amount);
    amounts.filter(|shown| *shown != first)
}

/// Loads the operations of the voucher with this number, and their remainders after them.
fn load_operations(view: &impl View, shop_id: u64, number: &str) -> Result<Vec<Operation>, StoreError> {
    let operations = [Beneficiary::Vendor, Beneficiary::Operator]
        .map(|beneficiary| view.by_unique(Operation::BY_VOUCHER, (shop_id, number.to_owned(), beneficiary)));
    let mut operations: Vec<Operation> =
        operations.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    for of in operations.clone() {
        operations.extend(remainders(view, &of)?);
    }
    Ok(operations)
}

/// Returns the operations of a voucher and their remainders, the oldest first.
pub fn operations_of(view: &impl View, record: &VoucherRecord) -> Result<Vec<Operation>, StoreError> {
    let mut operations = BTreeMap::new();
    for (_, number) in record.voucher.identities() {
        for beneficiary in Beneficiary::ALL {
            let made = (record.voucher.shop_id, number.clone(), beneficiary);
            if let Some(operation) = view.by_unique(Operation::BY_VOUCHER, made)? {
                let rests = remainders(view, &operation)?;
                operations.extend([operation].into_iter().chain(rests).map(|one| (one.id, one)));
            }
        }
    }
    Ok(operations.into_values().collect())
}

/// Returns the remainders of the operation, made when smaller payments were accepted for it.
pub(crate) fn remainders(view: &impl View, operation: &Operation) -> Result<Vec<Operation>, StoreError> {
    let found = view.page(&of_voucher(Operation::SEARCH, &operation.voucher.to_lowercase()))?.items;
    Ok(found.into_iter().filter(|other| other.remainder_of == Some(operation.id)).collect())
}

/// Returns true if HiPay has executed a transfer of it.
fn has_transferred(operation: &Operation) -> bool {
    operation.transfer.attempts.iter().any(|attempt| attempt.state == AttemptState::Captured)
}

/// Lists the objections of Mirakl's present data to paying one of the voucher's operations, the most serious first.
fn objections(record: &VoucherRecord, shown: ShownVoucher<'_>, beneficiary: Beneficiary) -> Vec<(Hold, Message)> {
    let ListedVoucher { voucher, unusable } = match shown {
        ShownVoucher::Row(row) => row,
        ShownVoucher::Gone => return vec![(Hold::VoucherGone, msg!("generate-gone"))],
        ShownVoucher::Unsaid => return Vec::new(),
    };
    let mut objections = Vec::new();
    if voucher.is_paid_already() {
        objections.push((Hold::PaidInMirakl, msg!("generate-paid")));
    }
    if voucher.is_of_other_provider() {
        let provider = voucher.pay_out_provider.clone().unwrap_or_default();
        objections.push((Hold::OtherProvider, msg!("generate-other-provider", provider)));
    }
    let (first, now) = match beneficiary {
        Beneficiary::Vendor => (record.voucher.vendor_amount, voucher.vendor_amount),
        Beneficiary::Operator => (record.voucher.operator_amount, voucher.operator_amount),
    };
    if unusable.is_none() && first != now {
        objections.push((Hold::AmountChanged, msg!("generate-amount-changed", first, now)));
    }
    objections
}
