//! The report at the end of one cycle, as text and as JSON.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::{Witness, said_of, time_zone};
use crate::cli::output::{print, print_json, table};
use crate::cli::{DemoArgs, Failed};
use crate::domain::cycle::Cycle;
use crate::domain::money::Amount;
use crate::domain::operation::{Operation, PaymentKind, Status};
use crate::domain::vendor::{Vendor, WalletStatus};
use crate::jobs::{BatchRecord, Context};
use crate::store::{Query, StoreError, StoreReader, View};

/// A status, the number of its operations, and their amounts.
type StatusCount = (Status, u64, Vec<Amount>);
/// A shop, its name, and what needs attention.
type VendorWarning = (u64, String, String);

/// The results of the demo.
pub(super) struct DemoReport {
    pub(super) cycle: Cycle,
    pub(super) batches: Vec<BatchRecord>,
    pub(super) statuses: Vec<StatusCount>,
    pub(super) vendors: Vec<VendorWarning>,
    /// Number of payments in HiPay's own ledger, or the errors in it.
    pub(super) witness: Witness,
    pub(super) calls: u64,
    pub(super) stopped: bool,
}

/// Reads the results from the store.
pub(super) async fn count(context: &Context) -> Result<(Vec<StatusCount>, Vec<VendorWarning>), StoreError> {
    let look = |reader: &StoreReader<'_>| {
        let mut statuses = Vec::new();
        for status in Status::ALL {
            let count = reader.count(Operation::BY_STATUS, status.code())?;
            let operations = reader.page(&Query::group(Operation::BY_STATUS, status.code()).limit(20_000))?.items;
            let mut sums: Vec<Amount> = Vec::new();
            for amount in operations.iter().map(|operation| operation.amount) {
                match sums.iter_mut().find(|sum| sum.currency() == amount.currency()) {
                    Some(sum) => *sum = sum.checked_add(amount).unwrap_or(*sum),
                    None => sums.push(amount),
                }
            }
            if count > 0 {
                statuses.push((status, count, sums));
            }
        }
        let warning = WalletStatus::ALL.map(|wallet| ("warning", wallet.name()));
        let warned = reader.page(&Query::any_of(Vendor::BY_STATUS, warning).limit(5_000))?.items;
        let reasons = |vendor: &Vendor| vendor.reasons().collect::<Vec<_>>().join("; ");
        let vendors = warned.iter().map(|vendor| (vendor.mirakl_id, vendor.name.clone(), reasons(vendor)));
        let mut vendors: Vec<VendorWarning> = vendors.collect();
        vendors.sort_unstable();
        Ok((statuses, vendors))
    };
    context.store.reading(look).await
}

pub(super) fn print_report(told: &DemoReport, arguments: &DemoArgs, took: Duration, json: bool) -> Result<(), Failed> {
    if json {
        return print_json(&as_json(told));
    }
    let local = |instant: Timestamp| instant.to_zoned(time_zone()).strftime("%Y-%m-%d %H:%M").to_string();
    print(&format!(
        "\n{} shops, cycle of {} (vouchers from {} to {}), seed {}\n",
        arguments.shops,
        told.cycle.date,
        local(told.cycle.start),
        local(told.cycle.end),
        arguments.seed
    ))?;
    let row = |batch: &BatchRecord| {
        let counts: Vec<String> = batch.counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
        vec![batch.command.clone(), batch.total.to_string(), batch.failed.to_string(), counts.join(", ")]
    };
    let rows: Vec<Vec<String>> = told.batches.iter().map(row).collect();
    print(&table(&["Batch", "Items", "Failed", "Result"], &rows, &[1, 2]))?;

    let row = |(status, count, sums): &StatusCount| {
        let (transfer, withdraw) = status.columns();
        let sums = sums.iter().map(ToString::to_string).collect::<Vec<_>>().join(" + ");
        let (transfer, withdraw) = (transfer.text(PaymentKind::Transfer), withdraw.text(PaymentKind::Withdrawal));
        vec![status.to_string(), transfer.to_owned(), withdraw.to_owned(), count.to_string(), sums]
    };
    let rows: Vec<Vec<String>> = told.statuses.iter().map(row).collect();
    print(&format!("\n{}", table(&["Operations", "Transfer", "Withdraw", "Number", "Amount"], &rows, &[3, 4])))?;

    if !told.vendors.is_empty() {
        let row = |(id, name, why): &VendorWarning| vec![id.to_string(), name.clone(), why.clone()];
        let rows: Vec<Vec<String>> = told.vendors.iter().map(row).collect();
        print(&format!("\n{}", table(&["Shop", "Name", "Needs attention because"], &rows, &[0])))?;
    }
    print(&format!("\n{}", said_of(&told.witness, told.calls, took)))?;
    print(
        "\nWhere to look next:\n  cashout --help                      every command\n  \
         config/parameters.yml               every setting, with its default\n  \
         cashout check --config FILE         problems in your own settings, and their remedies\n  \
         cashout demo                        the same marketplace, running, with its dashboard\n  \
         cashout demo --once --seed 2 --fault-rate 10   another one, on a bad line",
    )
}

fn as_json(told: &DemoReport) -> serde_json::Value {
    let amount = |sum: &Amount| json!({ "amount": sum.decimal(), "currency": sum.currency().code() });
    let status = |(status, count, sums): &StatusCount| {
        let sums: Vec<_> = sums.iter().map(amount).collect();
        json!({ "status": status.name(), "code": status.code(), "count": count, "amounts": sums })
    };
    let vendor = |(id, name, why): &VendorWarning| json!({ "mirakl_id": id, "name": name, "message": why });
    let statuses: Vec<_> = told.statuses.iter().map(status).collect();
    let vendors: Vec<_> = told.vendors.iter().map(vendor).collect();
    json!({
        "cycle": told.cycle.date,
        "operations": statuses,
        "vendors_with_warnings": vendors,
        "payments": told.witness.as_ref().ok(),
        "ledger_errors": told.witness.as_ref().err(),
        "calls": told.calls,
    })
}
