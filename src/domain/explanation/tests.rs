//! Tests that every obstacle has its explanation, in both languages.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::domain::operation::{Hold, Operation, Status, Unready};
use crate::domain::vendor::{DocumentStatus, Vendor, VendorProblem, Warning};
use crate::domain::voucher::{HeldBecause, VoucherRecord};
use crate::text::Locale;

/// A change that makes a vendor incomplete.
type Change = fn(&mut Vendor);

const NOON: &str = "2026-11-21T12:00:00Z";

fn english() -> &'static Texts {
    Texts::of(Some(Locale::English))
}

fn french() -> &'static Texts {
    Texts::of(Some(Locale::French))
}

fn operation(status: Status, change: impl FnOnce(&mut Value)) -> Operation {
    let euro = |minor: i64| json!({ "minor": minor, "currency": "EUR" });
    let mut record = json!({
        "id": 1, "voucher": "7", "beneficiary": "vendor", "mirakl_id": 2001, "vendor_hipay_id": 502_001,
        "recipient_hipay_id": 502_001, "amount": euro(123_450), "origin_amount": euro(123_450), "cycle_date": "2026-11-21",
        "cycle_at": NOON, "status": status.code(), "message": "why it stands there", "created_at": NOON, "updated_at": NOON,
    });
    change(&mut record);
    serde_json::from_value(record).unwrap()
}

/// Returns stored attempts with one in this state, with what HiPay showed and answered.
fn attempt(state: &str, word: &str, refusal: &Value) -> Value {
    json!([{
        "number": 1, "reference": "TRANSFER_SALES_7_1_502001", "amount": { "minor": 123_450, "currency": "EUR" },
        "account": 502_001, "public_label": "label", "intended_at": NOON, "state": state, "transaction_id": "5d9357",
        "transaction_status": word, "refusal": refusal, "updated_at": NOON,
    }])
}

fn vendor(change: impl FnOnce(&mut Vendor)) -> Vendor {
    let mut vendor = Vendor::new(2001, NOON.parse().unwrap());
    vendor.hipay_id = Some(502_001);
    vendor.identified = true;
    vendor.bank_status = 3;
    change(&mut vendor);
    vendor
}

/// Asserts that every text of an explanation exists in both languages and differs between them.
fn is_told(explanation: &Explanation) {
    let id = explanation.id();
    let mut told = BTreeSet::new();
    for texts in [english(), french()] {
        let what = explanation.what(texts);
        let mend = explanation.mend(texts);
        for text in [&what, &mend, &explanation.actor(texts)] {
            assert!(text.contains(' ') && text.len() > 5, "{id}: {text}");
            for left in [id, "-mend", "next-", "actor-", "place-", "command-", "{", "$"] {
                assert!(!text.contains(left), "{id}: '{left}' in {text}");
            }
        }
        let title = texts.find(&format!("{id}-title"), &[]);
        let is_reason = ["why-", "held-", "voucher-", "refusal-"].iter().any(|family| id.starts_with(family));
        assert_eq!(title.is_some(), is_reason, "{id}: {title:?}");
        told.insert(what);
        told.insert(mend);
    }
    assert_eq!(told.len(), 4, "{id} is not told in two languages: {told:?}");
}

fn ids(explanations: &[Explanation]) -> Vec<&str> {
    explanations.iter().map(Explanation::id).collect()
}

#[test]
fn every_status_but_the_last_is_explained() {
    for status in Status::ALL.into_iter().chain([Status::Unknown(99)]) {
        let explanations = explain(&operation(status, |_| {}));
        assert_eq!(explanations.is_empty(), status == Status::WithdrawSuccess, "{status}");
        explanations.iter().for_each(is_told);
    }
    for (minor, id) in [(0, "why-amount-zero"), (-500, "why-amount-negative")] {
        let nothing = operation(Status::InvalidAmount, |record| record["amount"]["minor"] = minor.into());
        assert_eq!(ids(&explain(&nothing)), [id]);
        is_told(&explain(&nothing)[0]);
    }
    let part =
        operation(Status::WithdrawSuccess, |record| record["shortfall"] = json!({ "minor": 5, "currency": "EUR" }));
    assert_eq!(ids(&explain(&part)), ["why-shortfall"]);
    is_told(&explain(&part)[0]);
    let short =
        operation(Status::WithdrawNegative, |record| record["balance"] = json!({ "minor": 5, "currency": "EUR" }));
    is_told(&explain(&short)[0]);
    assert!(
        explain(&short)[0]
            .what(english())
            .contains("held 0.05 EUR, which does not cover the withdrawal of 1,234.50 EUR")
    );
}

#[test]
fn netting_is_named_where_it_took_part() {
    let euro = |minor: i64| json!({ "minor": minor, "currency": "EUR" });
    for status in Status::ALL {
        for held in [None, Some("possible_payment"), Some("settled")] {
            let netted = operation(status, |record| {
                (record["amount"], record["adjusts"]) = (euro(93_450), json!([8, 9]));
                if let Some(why) = held {
                    (record["held"], record["held_for"]) = ("why".into(), why.into());
                }
            });
            let explanations = explain(&netted);
            let named = explanations.iter().find(|explanation| explanation.id() == "why-netted");
            assert_eq!(
                named.is_none(),
                status == Status::WithdrawSuccess || held == Some("settled"),
                "{status} {held:?}"
            );
            let Some(named) = named else { continue };
            is_told(named);
            let what = named.what(english());
            for said in ["1,234.50 EUR", "300.00 EUR", "934.50 EUR", "#8, #9"] {
                assert!(what.contains(said), "{what}");
            }
        }
    }
    assert!(!ids(&explain(&operation(Status::Created, |_| {}))).contains(&"why-netted"));
}

#[test]
fn money_that_is_kept_for_another_payment_is_not_called_missing() {
    let kept = operation(Status::TransferNegative, |record| record["unready"] = "money_kept".into());
    let [explanation] = explain(&kept).try_into().unwrap();
    assert_eq!(explanation.id(), "why-transfer-kept");
    is_told(&explanation);
}

#[test]
fn every_documented_refusal_has_its_own_explanation() {
    let mut texts = BTreeSet::new();
    for (code, shown, _) in REFUSAL_CODES {
        let refusal = json!({ "http_status": 400, "code": code, "words": "No way" });
        let refused = operation(Status::TransferFailed, |record| record["transfer"] = attempt("refused", "", &refusal));
        let [explanation] = explain(&refused).try_into().unwrap();
        assert_eq!(explanation.id(), format!("refusal-{shown}"));
        is_told(&explanation);
        assert_eq!(explanation.said(english()).unwrap(), format!("HiPay’s own words: “No way” (code {code})"));
        assert_eq!(explanation.next(), Next::TransferRun);
        texts.insert(explanation.what(english()));
        // The HTTP status alone is enough if the code is one.
        if (400..410).contains(&code) {
            let plain = json!({ "http_status": code });
            let refused =
                operation(Status::WithdrawFailed, |record| record["withdrawal"] = attempt("refused", "", &plain));
            assert_eq!(explain(&refused)[0].id(), explanation.id());
            assert_eq!(explain(&refused)[0].said(french()).unwrap(), format!("Réponse de HiPay\u{a0}: HTTP {code}"));
        }
    }
    for (detail, _) in REFUSAL_DETAILS {
        let refusal = json!({ "http_status": 400, "code": 400, "detail": detail, "words": "" });
        let refused =
            operation(Status::WithdrawFailed, |record| record["withdrawal"] = attempt("refused", "", &refusal));
        let [explanation] = explain(&refused).try_into().unwrap();
        assert_eq!(explanation.id(), format!("refusal-{detail}"));
        is_told(&explanation);
        assert_eq!(explanation.said(english()).unwrap(), format!("HiPay’s answer: code 400, detail {detail}"));
        assert_eq!(explanation.next(), Next::WithdrawRun);
        texts.insert(explanation.what(english()));
    }
    // Two explanations have a second number: 401 and 404.
    assert_eq!(texts.len(), REFUSAL_CODES.len() + REFUSAL_DETAILS.len() - 2);
}

#[test]
fn what_is_not_documented_is_quoted() {
    for refusal in [
        json!({ "code": 9999, "words": "Moon too full" }),
        json!({ "code": 400, "detail": 4099, "words": "Moon too full" }),
    ] {
        let refused =
            operation(Status::WithdrawFailed, |record| record["withdrawal"] = attempt("refused", "", &refusal));
        let [explanation] = explain(&refused).try_into().unwrap();
        assert_eq!(explanation.id(), "refusal-other");
        is_told(&explanation);
        assert!(explanation.said(french()).unwrap().contains("«\u{a0}Moon too full\u{a0}»"));
    }
    // Stored by a release that did not keep the numbers.
    let earlier =
        operation(Status::WithdrawFailed, |record| record["withdrawal"] = attempt("refused", "", &Value::Null));
    assert_eq!(ids(&explain(&earlier)), ["why-withdraw-failed"]);
    assert!(explain(&earlier)[0].what(english()).ends_with("why it stands there"));
    // HiPay's words are treated as plain text.
    let hostile = json!({ "code": 3, "words": "<b>{ $amount }</b>" });
    let refused = operation(Status::TransferFailed, |record| record["transfer"] = attempt("refused", "", &hostile));
    assert!(explain(&refused)[0].said(english()).unwrap().contains("“<b>{ $amount }</b>”"));
}

#[test]
fn what_hipay_shows_as_ended_is_explained_by_its_word() {
    let said = json!({ "words": "Insufficient rights" });
    for (word, id) in [
        ("UNAUTHED", "why-ended-unauthed"),
        ("authorization nok", "why-ended-unauthed"),
        ("ABORTED", "why-ended-aborted"),
        ("REJECTED_END", "why-ended-rejected"),
        ("CANCELLED_END", "why-ended-canceled"),
        ("capture nok", "why-ended-other"),
    ] {
        let ended = operation(Status::TransferFailed, |record| record["transfer"] = attempt("ended", word, &said));
        assert_eq!(ids(&explain(&ended)), [id], "{word}");
        is_told(&explain(&ended)[0]);
        assert_eq!(explain(&ended)[0].said(english()).unwrap(), "HiPay’s own words: “Insufficient rights”");
    }
    let canceled =
        operation(Status::WithdrawCanceled, |record| record["withdrawal"] = attempt("ended", "CANCELLED_END", &said));
    assert_eq!((ids(&explain(&canceled)), explain(&canceled)[0].next()), (vec!["why-withdraw-canceled"], Next::Retry));
    assert!(explain(&canceled)[0].said(english()).is_some());
    for (status, payment, id) in [
        (Status::TransferRequested, "transfer", "why-transfer-standby"),
        (Status::WithdrawRequested, "withdrawal", "why-withdraw-standby"),
    ] {
        let waits = operation(status, |record| record[payment] = attempt("requested", "STANDBY", &Value::Null));
        assert_eq!(ids(&explain(&waits)), [id]);
        is_told(&explain(&waits)[0]);
    }
}

#[test]
fn an_unknown_outcome_is_told_with_what_hipay_said() {
    let busy = json!({ "http_status": 200, "code": 26, "words": "Transfer in progress" });
    let open = operation(Status::TransferSending, |record| record["transfer"] = attempt("sending", "", &busy));
    assert_eq!(ids(&explain(&open)), ["refusal-26", "why-transfer-sending"]);
    assert!(explain(&open).iter().all(|one| one.by() == Actor::Nobody));
}

#[test]
fn what_is_held_or_not_ready_says_why() {
    for why in Hold::ALL {
        let held = operation(Status::TransferFailed, |record| {
            record["held"] = "why it is held".into();
            record["held_for"] = serde_json::to_value(why).unwrap();
        });
        let explanations = explain(&held);
        assert!(explanations[0].id().starts_with("held-"));
        // A retry of a hold for another payment only looks again.
        let over = matches!(why, Hold::Settled | Hold::OtherPayment | Hold::ExecutedAfterAll);
        let next = if over { Next::Nothing } else { Next::Retry };
        assert_eq!(explanations.iter().map(Explanation::next).collect::<Vec<_>>(), [next, Next::Nothing]);
        is_told(&explanations[0]);
    }
    let earlier = operation(Status::Created, |record| record["held"] = "why it is held".into());
    assert!(explain(&earlier)[0].what(french()).ends_with("why it is held"));
    for why in Unready::ALL {
        let waits = operation(Status::WithdrawFailed, |record| record["unready"] = serde_json::to_value(why).unwrap());
        let [explanation] = explain(&waits).try_into().unwrap();
        is_told(&explanation);
        let names_wallet = !matches!(why, Unready::Unknown | Unready::MoneyKept);
        assert_eq!(explanation.what(english()).contains("502001"), names_wallet);
    }
    let pounds = operation(Status::TransferFailed, |record| record["unready"] = "no_account_in_currency".into());
    let [explanation] = explain(&pounds).try_into().unwrap();
    is_told(&explanation);
    assert_eq!(explanation.id(), "why-transfer-other-currency");
    for why in HeldBecause::ALL {
        let euro = json!({ "minor": 100, "currency": "EUR" });
        let record = |released: bool| -> VoucherRecord {
            let voucher = json!({ "number": "1", "source": "invoices", "shop_id": 1, "vendor_amount": euro, "operator_amount": euro });
            let held = json!({ "voucher": voucher, "cycle_date": "2026-11-21", "cycle_at": NOON, "held": "not_shown",
                "held_for": why, "first_seen_at": NOON, "released": released });
            serde_json::from_value(held).unwrap()
        };
        is_told(&explain_voucher(&record(false)).unwrap());
        assert_eq!(explain_voucher(&record(true)).unwrap().id(), "voucher-released");
        is_told(&explain_voucher(&record(true)).unwrap());
    }
}

#[test]
fn a_vendor_says_what_is_wrong_and_what_is_not_there_yet() {
    assert!(explain_vendor(&vendor(|_| {})).is_empty());
    for enabled in [true, false] {
        let gone = explain_vendor(&vendor(|vendor| (vendor.gone, vendor.enabled) = (true, enabled)));
        assert_eq!(gone[0].id(), "vendor-gone");
        is_told(&gone[0]);
    }
    for trouble in VendorProblem::ALL {
        let warned =
            vendor(|vendor| vendor.set_warnings(vec![Warning::new(trouble, "why it is wrong").about("this one")]));
        let [explanation] = explain_vendor(&warned).try_into().unwrap();
        assert_eq!(explanation.id(), format!("trouble-{}", trouble.name()));
        is_told(&explanation);
    }
    // A warning without its kind, as an earlier release stored it.
    let earlier = vendor(|vendor| vendor.warnings.push("why it is wrong".to_owned()));
    assert!(explain_vendor(&earlier)[0].what(english()).ends_with("why it is wrong"));

    let cases: [(Change, &[&str]); 10] = [
        (|vendor| vendor.enabled = false, &["vendor-not-enabled"]),
        (|vendor| vendor.hipay_id = None, &["vendor-no-wallet"]),
        (|vendor| vendor.identified = false, &["vendor-no-documents"]),
        (|vendor| (vendor.identified, vendor.documents_sent) = (false, 2), &["vendor-not-identified"]),
        (|vendor| vendor.bank_status = 1, &["vendor-bank-none"]),
        (|vendor| vendor.bank_status = 2, &["vendor-bank-in-progress"]),
        (|vendor| vendor.payment_blocked = true, &["vendor-blocked-by-others"]),
        (
            |vendor| (vendor.payment_blocked, vendor.blocked_for_bank_details) = (true, true),
            &["vendor-blocked-for-bank-details"],
        ),
        (
            |vendor| {
                vendor.identified = false;
                vendor.identification_refusal = Some("HiPay has not identified the vendor: expired: 2020".to_owned());
            },
            &["vendor-identification-refused"],
        ),
        (
            |vendor| {
                vendor.bank_status = 1;
                vendor.bank_refusal = Some("HiPay has refused the bank details: no reason given".to_owned());
            },
            &["vendor-bank-refused"],
        ),
    ];
    for (change, expected) in cases {
        let explanations = explain_vendor(&vendor(change));
        assert_eq!(ids(&explanations), expected);
        explanations.iter().for_each(is_told);
        let said = explanations[0].said(english());
        let quoted = expected == ["vendor-identification-refused"];
        assert_eq!(said, quoted.then(|| "HiPay’s own words: “expired: 2020”".to_owned()));
    }
}

#[test]
fn a_document_says_what_it_needs() {
    for status in DocumentStatus::ALL {
        let explanation = explain_document(status, "The document is unreadable");
        assert_eq!(explanation.is_none(), matches!(status, DocumentStatus::Validated | DocumentStatus::Unknown));
        let Some(explanation) = explanation else { continue };
        is_told(&explanation);
        assert!(explanation.said(english()).unwrap().contains("“The document is unreadable”"));
    }
}

#[test]
fn who_has_to_act_and_how_it_goes_on_have_words() {
    for actor in Actor::ALL {
        is_told(&Explanation::new("refusal-4005", actor));
    }
    for next in [Next::VendorRun, Next::GenerateRun, Next::TransferRun, Next::WithdrawRun, Next::Retry] {
        is_told(&Explanation::new("refusal-4005", Actor::Vendor).then(next));
    }
    let refused = json!({ "code": 400, "detail": 4005 });
    let refused = operation(Status::WithdrawFailed, |record| record["withdrawal"] = attempt("refused", "", &refused));
    let mend = explain(&refused)[0].mend(french());
    assert!(
        mend.contains("sous Paramètres › Corriger les erreurs") && mend.contains("«\u{a0}Retraits\u{a0}»"),
        "{mend}"
    );
}
