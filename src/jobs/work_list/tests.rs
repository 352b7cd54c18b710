//! Tests of `jobs/work_list.rs`.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::operation::{Hold, Status, Unready};
use crate::domain::standing::Standing;
use crate::domain::voucher::HeldBecause;
use crate::schema::with_domain;
use crate::store::{Schema, Store, StoreOptions};

const NOON: &str = "2026-11-21T12:00:00Z";

fn currency() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["EUR", "GBP", "JPY"])
}

/// Generates an operation of any status, held or not, with any reason.
fn operation() -> impl Strategy<Value = Value> {
    let statuses: Vec<i64> = Status::ALL.into_iter().map(Status::code).chain([99]).collect();
    let hold = prop::option::weighted(0.3, prop::sample::select(Hold::ALL.to_vec()));
    let unready = prop::option::weighted(0.3, prop::sample::select(Unready::ALL.to_vec()));
    let short = prop::option::weighted(0.2, 1_i64..500);
    let parts =
        (prop::sample::select(statuses), hold, unready, 0_i64..1_000_000, currency(), 0_i64..40, any::<bool>(), short);
    parts.prop_map(|(status, hold, unready, minor, currency, days, of_operator, short)| {
        let amount = json!({ "minor": minor, "currency": currency });
        let day = jiff::civil::date(2026, 10, 11).saturating_add(jiff::Span::new().days(days));
        json!({
            "beneficiary": if of_operator { "operator" } else { "vendor" }, "mirakl_id": 2001, "vendor_hipay_id": 502_001,
            "recipient_hipay_id": 502_001, "amount": amount, "origin_amount": amount, "cycle_date": day,
            "cycle_at": format!("{day}T12:00:00Z"), "status": status, "held": hold.map(|_| "why"), "held_for": hold,
            "unready": unready, "shortfall": short.map(|minor| json!({ "minor": minor, "currency": currency })),
            "created_at": NOON, "updated_at": NOON,
        })
    })
}

/// Generates a voucher with or without operations.
fn voucher() -> impl Strategy<Value = Value> {
    let held = prop::option::weighted(0.8, prop::sample::select(HeldBecause::ALL.to_vec()));
    (held, -50_000_i64..1_000_000, 0_i64..10_000, currency()).prop_map(|(held, vendor, operator, currency)| {
        let amount = |minor: i64| json!({ "minor": minor, "currency": currency });
        json!({
            "voucher": { "source": "invoices", "shop_id": 7, "vendor_amount": amount(vendor),
                "operator_amount": amount(operator), "created_at": NOON },
            "cycle_date": "2026-11-21", "cycle_at": NOON, "held": held.map(|_| "not_shown"), "held_for": held,
            "first_seen_at": NOON,
        })
    })
}

/// Stores the records. Each operation has had the status and amount of another before.
fn stored(operations: &[Value], vouchers: &[Value]) -> (tempfile::TempDir, Store, Vec<Operation>, Vec<VoucherRecord>) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &StoreOptions::default(), &with_domain(Schema::new())).unwrap();
    let numbered = |(id, value): (usize, &Value)| {
        let mut value = value.clone();
        value["id"] = json!(id + 1);
        value["voucher"] = json!(id.to_string());
        serde_json::from_value::<Operation>(value).unwrap()
    };
    let operations: Vec<Operation> = operations.iter().enumerate().map(numbered).collect();
    let numbered = |(number, value): (usize, &Value)| {
        let mut value = value.clone();
        value["voucher"]["number"] = json!(number.to_string());
        serde_json::from_value::<VoucherRecord>(value).unwrap()
    };
    let vouchers: Vec<VoucherRecord> = vouchers.iter().enumerate().map(numbered).collect();
    let (kept, kept_vouchers) = (operations.clone(), vouchers.clone());
    store
        .write_blocking(move |writer| {
            let others = operations.iter().skip(1).chain(operations.first());
            for (operation, other) in operations.iter().zip(others) {
                writer.put(&Operation { status: other.status, amount: other.amount, ..operation.clone() })?;
            }
            vouchers.iter().try_for_each(|voucher| writer.put(voucher))?;
            operations.iter().try_for_each(|operation| writer.put(operation))
        })
        .unwrap();
    (folder, store, kept, kept_vouchers)
}

/// Adds up by hand.
fn total<'a>(amounts: impl IntoIterator<Item = &'a Amount>) -> BTreeSet<(&'static str, i64)> {
    let mut sums = Vec::new();
    for amount in amounts {
        add_to_sums(&mut sums, *amount);
    }
    sums.iter().map(|sum| (sum.currency().code(), sum.minor())).collect()
}

/// Returns the amount that has not reached the bank.
fn open_amount(operation: &Operation) -> Amount {
    let withdrawn = operation.status == Status::WithdrawSuccess && operation.held.is_none();
    operation.shortfall.filter(|_| withdrawn).unwrap_or(operation.amount)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_unpaid_record_is_in_one_group_and_every_figure_is_that_of_its_rows(
        operations in prop::collection::vec(operation(), 0..60),
        vouchers in prop::collection::vec(voucher(), 0..30),
    ) {
        let (_folder, store, operations, vouchers) = stored(&operations, &vouchers);
        let groups = store.read(|reader| work_list(reader)).unwrap();
        let mut places = BTreeSet::new();
        let (mut seen_operations, mut seen_vouchers) = (BTreeSet::new(), BTreeSet::new());
        for group in &groups {
            prop_assert!(places.insert((group.kind, group.actor.name(), group.reason.clone())), "{group:?}");
            let key = (group.actor.name(), group.reason.as_str());
            match group.kind {
                WorkKind::Operations => {
                    let listed = Query::group(Operation::UNPAID, key).limit(1_000);
                    let rows = store.read(|reader| reader.page(&listed)).unwrap();
                    prop_assert_eq!((rows.total, rows.total_exact), (group.count, true));
                    let open: Vec<Amount> = rows.items.iter().map(open_amount).collect();
                    prop_assert_eq!(total(&open), total(&group.amounts));
                    prop_assert_eq!(group.oldest, rows.items.iter().map(|row| row.cycle_at).min());
                    for row in rows.items {
                        prop_assert!(seen_operations.insert(row.id), "twice: {}", row.id);
                    }
                }
                WorkKind::Vouchers => {
                    let listed = Query::group(VoucherRecord::BY_REASON, key).limit(1_000);
                    let rows = store.read(|reader| reader.page(&listed)).unwrap();
                    prop_assert_eq!((rows.total, rows.total_exact), (group.count, true));
                    let (owed, commissions) = (|row: &VoucherRecord| row.voucher.vendor_amount, |row: &VoucherRecord| row.voucher.operator_amount);
                    prop_assert_eq!(total(&rows.items.iter().map(owed).collect::<Vec<_>>()), total(&group.amounts));
                    prop_assert_eq!(total(&rows.items.iter().map(commissions).collect::<Vec<_>>()), total(&group.commissions));
                    for row in rows.items {
                        prop_assert!(seen_vouchers.insert(row.id()), "twice: {}", row.id());
                    }
                }
            }
        }
        // By hand, from the records alone.
        let unpaid = |operation: &&Operation| {
            let doubtful = operation.held.is_some() || operation.shortfall.is_some();
            let withdrawn = operation.status == Status::WithdrawSuccess && !doubtful;
            let nothing = operation.status == Status::InvalidAmount && operation.held.is_none();
            let is_over = withdrawn || nothing || operation.status == Status::AdjustedOperations;
            !is_over && operation.held_for.is_none_or(|hold| hold != Hold::Settled)
        };
        let expected: BTreeSet<u64> = operations.iter().filter(unpaid).map(|operation| operation.id).collect();
        prop_assert_eq!(seen_operations, expected);
        let expected: BTreeSet<String> = vouchers.iter().filter(|voucher| voucher.held.is_some()).map(VoucherRecord::id).collect();
        prop_assert_eq!(seen_vouchers, expected);
        for operation in &operations {
            prop_assert!(!Standing::of_operation(operation).is_open() || Standing::of_operation(operation).reason.is_some());
        }
        store.close().unwrap();
    }
}
