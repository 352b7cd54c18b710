//! Tests of `jobs/cycle_account.rs`.

use std::collections::BTreeSet;

use jiff::civil::date;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::operation::Hold;
use crate::schema::with_domain;
use crate::store::{Schema, Store, StoreOptions};

const NOON: &str = "2026-11-21T12:00:00Z";

/// Days of the generated records: two cycles, and a day that may have vouchers outside every cycle alone.
const DAYS: [&str; 3] = ["2026-11-01", "2026-11-11", "2026-11-15"];

fn currency() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["EUR", "GBP", "JPY"])
}

/// Generates an operation of any status, held or not, with or without deducted debts; some are larger than the voucher.
fn operation() -> impl Strategy<Value = Value> {
    let statuses: Vec<i64> = Status::ALL.into_iter().map(Status::code).chain([99]).collect();
    let hold = prop::option::weighted(0.3, prop::sample::select(Hold::ALL.to_vec()));
    let short = prop::option::weighted(0.3, 1_i64..500);
    let difference = prop_oneof![3 => Just(0), 1 => -300_i64..300];
    let day = prop::sample::select(DAYS[..2].to_vec());
    let parts = (prop::sample::select(statuses), hold, -1_000_i64..100_000, difference, currency(), day, any::<bool>());
    (parts, short).prop_map(|((status, hold, minor, difference, currency, day, of_operator), short)| {
        let amount = |minor: i64| json!({ "minor": minor, "currency": currency });
        json!({
            "beneficiary": if of_operator { "operator" } else { "vendor" }, "mirakl_id": 2001, "vendor_hipay_id": 502_001,
            "recipient_hipay_id": 502_001, "amount": amount(minor), "origin_amount": amount(minor + difference),
            "cycle_date": day, "cycle_at": format!("{day}T12:00:00Z"), "status": status, "held": hold.map(|_| "why"),
            "held_for": hold, "shortfall": short.map(amount), "created_at": NOON, "updated_at": NOON,
        })
    })
}

/// Generates a voucher with or without operations.
fn voucher() -> impl Strategy<Value = Value> {
    let held = prop::option::weighted(0.8, prop::sample::select(HeldBecause::ALL.to_vec()));
    let day = prop::sample::select(DAYS.to_vec());
    (held, any::<bool>(), -50_000_i64..1_000_000, -100_i64..10_000, currency(), day).prop_map(
        |(held, released, vendor, operator, currency, day)| {
            let held = if day == DAYS[2] { Some(HeldBecause::OutsideCycles) } else { held };
            let amount = |minor: i64| json!({ "minor": minor, "currency": currency });
            json!({
                "voucher": { "source": "invoices", "shop_id": 7, "vendor_amount": amount(vendor),
                    "operator_amount": amount(operator), "created_at": NOON },
                "cycle_date": day, "cycle_at": NOON, "held": held.map(|_| "not_shown"), "held_for": held,
                "first_seen_at": NOON, "released": released && day != DAYS[2],
            })
        },
    )
}

/// Stores the records. Each has had the status or the reason of another before.
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
            for voucher in &vouchers {
                writer.put(&VoucherRecord { held: Some(HeldBecause::CycleOpen), ..voucher.clone() })?;
            }
            vouchers.iter().try_for_each(|voucher| writer.put(voucher))?;
            operations.iter().try_for_each(|operation| writer.put(operation))
        })
        .unwrap();
    (folder, store, kept, kept_vouchers)
}

/// Adds up by hand.
fn sums<'a>(amounts: impl IntoIterator<Item = &'a Amount>) -> CurrencySums {
    let mut sums = CurrencySums::default();
    for amount in amounts {
        sums.add(1, *amount);
    }
    sums
}

/// Checks the part of one beneficiary against the records.
fn check_side(account: &CycleAccount, beneficiary: Beneficiary, operations: &[Operation], vouchers: &[VoucherRecord]) {
    let side = account.side(beneficiary);
    let owed = |record: &VoucherRecord| match beneficiary {
        Beneficiary::Vendor => record.voucher.vendor_amount,
        Beneficiary::Operator => record.voucher.operator_amount,
    };
    let operations = operations.iter().filter(|one| one.cycle_date == account.date && one.beneficiary == beneficiary);
    let operations: Vec<&Operation> = operations.collect();
    let vouchers: Vec<&VoucherRecord> = vouchers.iter().filter(|one| one.cycle_date == account.date).collect();
    let mut explained = CurrencySums::default();
    for stage in Stage::ALL {
        let of_operations =
            operations.iter().filter(|one| Standing::of_operation(one).stage == stage).map(|one| one.amount);
        let in_stage = |record: &&&VoucherRecord| Standing::of_voucher(record).is_some_and(|one| one.stage == stage);
        let of_vouchers = vouchers.iter().filter(in_stage).map(|record| owed(record));
        let expected = sums(&of_operations.chain(of_vouchers).collect::<Vec<_>>());
        assert_eq!(side.stage(stage), expected, "{stage:?}");
        explained.add_all(&expected);
    }
    let stated: Vec<Amount> = vouchers.iter().map(|record| owed(record)).collect();
    assert_eq!(side.vouchers, sums(&stated));
    let differences =
        operations.iter().map(|one| (one.difference(), one.origin_amount.checked_sub(one.amount).unwrap()));
    let deducted = differences.clone().filter(|(kind, _)| *kind == Some(AmountDifference::Deducted));
    assert_eq!(side.deducted, sums(&deducted.map(|(_, amount)| amount).collect::<Vec<_>>()));
    let is_short = |one: &&&Operation| Standing::of_operation(one).stage == Stage::Withdrawn && one.shortfall.is_some();
    let short: Vec<Amount> = operations.iter().filter(is_short).filter_map(|one| one.shortfall).collect();
    assert_eq!(side.shortfall, sums(&short));
    // All stages, with the differences, are the operations' vouchers and the vouchers without operations.
    for currency in account.currencies() {
        let minor = |amounts: &mut dyn Iterator<Item = Amount>| -> i64 {
            amounts.filter(|amount| amount.currency() == currency).map(Amount::minor).sum()
        };
        let origins = minor(&mut operations.iter().map(|one| one.origin_amount));
        let unmade = minor(&mut vouchers.iter().filter(|one| one.held.is_some()).map(|one| owed(one)));
        let all = side.sum().of(currency).amount.minor() - side.increased.of(currency).amount.minor();
        assert_eq!(all, origins + unmade, "{currency}");
        let stated = side.vouchers.of(currency).amount.minor();
        assert_eq!(side.difference(currency).minor(), stated - all, "{currency}");
    }
    assert_eq!(explained.count(), side.sum().count());
}

/// Checks that the groups of what is not paid are those of the records.
fn check_unpaid(account: &CycleAccount, operations: &[Operation], vouchers: &[VoucherRecord]) {
    let mut places = BTreeSet::new();
    let mut counted = (0, 0);
    for group in &account.unpaid {
        assert!(places.insert((group.kind, group.reason.clone())), "{group:?}");
        let has_reason = |standing: &Standing| standing.reason.as_deref() == Some(group.reason.as_str());
        let (count, amounts): (u64, Vec<Amount>) = match group.kind {
            WorkKind::Operations => {
                let rows = operations.iter().filter(|one| one.cycle_date == account.date);
                let rows = rows.filter(|one| {
                    let standing = Standing::of_operation(one);
                    standing.is_open() && has_reason(&standing) && standing.actor == group.actor
                });
                let open = |one: &Operation| {
                    let withdrawn = Standing::of_operation(one).stage == Stage::Withdrawn;
                    one.shortfall.filter(|_| withdrawn).unwrap_or(one.amount)
                };
                let open: Vec<Amount> = rows.map(open).collect();
                counted.0 += group.count;
                (u64::try_from(open.len()).unwrap(), open)
            }
            WorkKind::Vouchers => {
                let rows = vouchers.iter().filter(|one| one.cycle_date == account.date);
                let rows = rows.filter(|one| Standing::of_voucher(one).as_ref().is_some_and(has_reason));
                let owed: Vec<Amount> = rows.map(|one| one.voucher.vendor_amount).collect();
                counted.1 += group.count;
                (u64::try_from(owed.len()).unwrap(), owed)
            }
        };
        assert_eq!(group.count, count, "{group:?}");
        let mut expected = Vec::new();
        for amount in &amounts {
            add_to_sums(&mut expected, *amount);
        }
        let total = |amounts: &[Amount]| -> BTreeSet<_> {
            amounts.iter().map(|amount| (amount.currency().code(), amount.minor())).collect()
        };
        assert_eq!(total(&group.amounts), total(&expected), "{group:?}");
    }
    let of_day = |date: Date| date == account.date;
    let open = operations.iter().filter(|one| of_day(one.cycle_date) && Standing::of_operation(one).is_open()).count();
    let held = vouchers.iter().filter(|one| of_day(one.cycle_date) && one.held.is_some()).count();
    assert_eq!(counted, (u64::try_from(open).unwrap(), u64::try_from(held).unwrap()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_figure_of_a_cycle_is_the_sum_of_its_rows(
        operations in prop::collection::vec(operation(), 0..60),
        vouchers in prop::collection::vec(voucher(), 0..40),
    ) {
        let (_folder, store, operations, vouchers) = stored(&operations, &vouchers);
        for day in DAYS {
            let day: Date = day.parse().unwrap();
            let account = store.read(|reader| cycle_account(reader, day)).unwrap();
            let none = !operations.iter().any(|one| one.cycle_date == day)
                && !vouchers.iter().any(|one| one.cycle_date == day);
            prop_assert_eq!(account.is_none(), none);
            let Some(account) = account else { continue };
            for beneficiary in Beneficiary::ALL {
                check_side(&account, beneficiary, &operations, &vouchers);
            }
            check_unpaid(&account, &operations, &vouchers);
            let transferred = operations.iter().filter(|one| one.cycle_date == day && one.status.columns().0 == Column::Ok);
            prop_assert_eq!(&account.transferred, &sums(transferred.map(|one| &one.amount)));
            prop_assert_eq!(&account.operations, &sums(operations.iter().filter(|one| one.cycle_date == day).map(|one| &one.amount)));
        }
        let days: Vec<Date> = store.read(|reader| cycle_days(reader).collect()).unwrap();
        let inside = vouchers.iter().filter(|one| one.state() != VoucherState::OutsideCycles).map(|one| one.cycle_date);
        let expected: BTreeSet<Date> = operations.iter().map(|one| one.cycle_date).chain(inside).collect();
        prop_assert_eq!(days, expected.into_iter().rev().collect::<Vec<_>>());
        store.close().unwrap();
    }
}

#[test]
fn the_state_of_a_cycle_is_that_of_all_its_money() {
    let euro = json!({ "minor": 100, "currency": "EUR" });
    let operation = |status: Status, fields: &Value| {
        let mut record = json!({
            "beneficiary": "vendor", "mirakl_id": 2001, "vendor_hipay_id": 502_001, "recipient_hipay_id": 502_001,
            "amount": euro, "origin_amount": euro, "cycle_date": "2026-11-11", "cycle_at": NOON,
            "status": status.code(), "created_at": NOON, "updated_at": NOON,
        });
        record.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        record
    };
    let voucher = |held: HeldBecause| {
        json!({
            "voucher": { "source": "invoices", "shop_id": 7, "vendor_amount": euro, "operator_amount": euro },
            "cycle_date": "2026-11-11", "cycle_at": NOON, "held": "not_shown", "held_for": held, "first_seen_at": NOON,
        })
    };
    let none = json!({});
    let paid = operation(Status::WithdrawSuccess, &none);
    let settled = operation(Status::TransferFailed, &json!({ "held": "why", "held_for": "settled" }));
    let cases = [
        (vec![paid.clone()], vec![], CycleState::Paid),
        (vec![settled], vec![voucher(HeldBecause::OtherProvider)], CycleState::Paid),
        (vec![paid.clone(), operation(Status::Created, &none)], vec![], CycleState::InProgress),
        (vec![paid.clone(), operation(Status::TransferNegative, &none)], vec![], CycleState::NeedsAction),
        (vec![operation(Status::WithdrawSuccess, &json!({ "shortfall": euro }))], vec![], CycleState::NeedsAction),
        (vec![paid.clone()], vec![voucher(HeldBecause::VendorUnknown)], CycleState::NeedsAction),
        (vec![paid], vec![voucher(HeldBecause::CycleOpen)], CycleState::InProgress),
        (vec![operation(Status::InvalidAmount, &none)], vec![voucher(HeldBecause::Settled)], CycleState::Paid),
        (vec![operation(Status::InvalidAmount, &none)], vec![], CycleState::NothingDue),
        (vec![], vec![voucher(HeldBecause::BeforeFirstCycle)], CycleState::NothingDue),
    ];
    let at: Timestamp = NOON.parse().unwrap();
    let cycle = |end: Timestamp| Cycle { date: date(2026, 11, 11), at, start: at, end };
    for (operations, vouchers, expected) in cases {
        let (_folder, store, ..) = stored(&operations, &vouchers);
        let account = store.read(|reader| cycle_account(reader, date(2026, 11, 11))).unwrap().unwrap();
        assert_eq!(account.state(at, None), expected, "{account:?}");
        assert_eq!(account.state(at, Some(&cycle(at))), CycleState::Open);
        store.close().unwrap();
    }
}
