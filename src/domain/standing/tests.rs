//! Tests of `domain/standing.rs`.

use std::fmt::Write;

use serde_json::{Value, json};

use super::*;
use crate::domain::explanation::{REFUSAL_CODES, REFUSAL_DETAILS};
use crate::domain::operation::{Hold, Unready};

const NOON: &str = "2026-11-21T12:00:00Z";

fn operation(status: Status, fields: &Value) -> Operation {
    let euro = json!({ "minor": 100, "currency": "EUR" });
    let mut record = json!({
        "id": 1, "voucher": "7", "beneficiary": "vendor", "mirakl_id": 2001, "vendor_hipay_id": 502_001,
        "recipient_hipay_id": 502_001, "amount": euro, "origin_amount": euro, "cycle_date": "2026-11-21",
        "cycle_at": NOON, "status": status.code(), "created_at": NOON, "updated_at": NOON,
    });
    record.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    serde_json::from_value(record).unwrap()
}

/// Returns an operation with one attempt at both payments, with what HiPay showed and answered.
fn attempted(status: Status, state: &str, word: &str, refusal: &Value) -> Operation {
    let attempts = json!([{
        "number": 1, "reference": "TRANSFER_SALES_7_1_502001", "amount": { "minor": 100, "currency": "EUR" },
        "account": 502_001, "public_label": "label", "intended_at": NOON, "state": state, "transaction_id": "5d9357",
        "transaction_status": word, "refusal": refusal, "updated_at": NOON,
    }]);
    operation(status, &json!({ "transfer": attempts, "withdrawal": attempts }))
}

fn voucher(held: HeldBecause, released: bool) -> VoucherRecord {
    let euro = json!({ "minor": 100, "currency": "EUR" });
    serde_json::from_value(json!({
        "voucher": { "number": "1", "source": "invoices", "shop_id": 1, "vendor_amount": euro, "operator_amount": euro },
        "cycle_date": "2026-11-21", "cycle_at": NOON, "held_for": held, "held": "not_shown", "first_seen_at": NOON,
        "released": released,
    }))
    .unwrap()
}

fn statuses() -> impl Iterator<Item = Status> {
    Status::ALL.into_iter().chain([Status::Unknown(99)])
}

/// Adds the standing of each operation of a family, with each value of it in a line.
fn add(table: &mut String, family: &str, standing: &Standing) {
    let Standing { stage, actor, reason } = standing;
    let reason = reason.as_deref().unwrap_or("-");
    writeln!(table, "{family} | {} | {} | {reason}", stage.name(), actor.name()).unwrap();
}

/// The store lists records by what is compared here. If this test fails, give each index that uses a [`Standing`] in
/// `src/schema.rs` another version before the table is accepted: otherwise a store that has the former entries refuses
/// to change those records.
#[test]
fn standings_change_only_with_the_version_of_their_indexes() {
    let mut table = String::new();
    for status in statuses() {
        add(&mut table, &status.to_string(), &Standing::of_operation(&operation(status, &json!({}))));
    }
    for status in statuses() {
        for hold in Hold::ALL {
            let held = operation(status, &json!({ "held": "why", "held_for": hold }));
            add(&mut table, &format!("{status} {hold:?}"), &Standing::of_operation(&held));
        }
    }
    for status in [Status::TransferFailed, Status::TransferNegative, Status::WithdrawFailed, Status::WithdrawNegative] {
        for unready in Unready::ALL {
            let unready_one = operation(status, &json!({ "unready": unready }));
            add(&mut table, &format!("{status} {unready:?}"), &Standing::of_operation(&unready_one));
        }
    }
    let codes = REFUSAL_CODES.into_iter().map(|(code, ..)| json!({ "words": "no", "code": code }));
    let details = REFUSAL_DETAILS.into_iter().map(|(detail, _)| json!({ "words": "no", "code": 3, "detail": detail }));
    let others =
        [json!({ "words": "no" }), json!({ "words": "no", "code": 77 }), json!({ "http_status": 403, "words": "" })];
    let refusals: Vec<Value> = codes.chain(details).chain(others).collect();
    for status in [Status::TransferSending, Status::TransferFailed, Status::WithdrawSending, Status::WithdrawFailed] {
        for refusal in &refusals {
            let refused = attempted(status, "refused", "", refusal);
            add(&mut table, &format!("{status} {refusal}"), &Standing::of_operation(&refused));
        }
    }
    let words =
        ["", "STANDBY", "CAPTURED", "UNAUTHED", "AUTHORIZATION NOK", "ABORTED", "REJECTED_END", "CANCELLED_END"];
    for status in statuses().filter(|status| status.is_open()) {
        for state in ["requested", "ended"] {
            for word in words.into_iter().chain(["SOMETHING_NEW"]) {
                let shown = attempted(status, state, word, &Value::Null);
                add(&mut table, &format!("{status} {state} {word:?}"), &Standing::of_operation(&shown));
            }
        }
    }
    for (minor, status) in
        [(-100, Status::InvalidAmount), (-100, Status::AdjustedOperations), (0, Status::InvalidAmount)]
    {
        let amount = json!({ "minor": minor, "currency": "EUR" });
        let negative = operation(status, &json!({ "amount": amount, "origin_amount": amount }));
        add(&mut table, &format!("{status} {minor}"), &Standing::of_operation(&negative));
    }
    for status in [Status::WithdrawSuccess, Status::WithdrawNegative, Status::TransferNegative] {
        let euro = json!({ "minor": 5, "currency": "EUR" });
        let short = operation(status, &json!({ "shortfall": euro, "balance": euro }));
        add(&mut table, &format!("{status} short"), &Standing::of_operation(&short));
        let held = operation(status, &json!({ "held": "by an earlier release" }));
        add(&mut table, &format!("{status} held"), &Standing::of_operation(&held));
    }
    for held in HeldBecause::ALL {
        for released in [false, true] {
            let standing = Standing::of_voucher(&voucher(held, released)).unwrap();
            add(&mut table, &format!("voucher {held:?} released {released}"), &standing);
        }
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("standings", table));
}
