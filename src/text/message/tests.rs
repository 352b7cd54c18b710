//! Tests of `text/message.rs`.

use serde_json::json;

use super::*;
use crate::domain::money::{Amount, Currency};
use crate::domain::payment_kind::PaymentKind;
use crate::store::StoreError;

fn french() -> &'static Texts {
    Texts::of(Some(Locale::French))
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    #[serde(flatten, with = "stored")]
    why: Message,
    #[serde(flatten, with = "stored_error")]
    error: Option<Message>,
    #[serde(flatten, with = "stored_list")]
    unreadable: Vec<Message>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "stored_parts")]
    because: Option<Message>,
    #[serde(flatten)]
    unknown: serde_json::Map<String, serde_json::Value>,
}

/// Makes a record with the message in every field.
fn record_of(message: &Message) -> Record {
    Record {
        why: message.clone(),
        error: Some(message.clone()),
        unreadable: vec![message.clone()],
        because: Some(message.clone()),
        unknown: serde_json::Map::new(),
    }
}

/// Returns the message after it was stored in a record and read again.
fn stored(message: &Message) -> Message {
    let read: Record = serde_json::from_str(&serde_json::to_string(&record_of(message)).unwrap()).unwrap();
    assert!(read.unknown.is_empty(), "{:?}", read.unknown);
    for texts in [Texts::of(None), french()] {
        let shown = read.why.in_words(texts);
        assert_eq!(read.error.as_ref().unwrap().in_words(texts), shown);
        assert_eq!(read.unreadable[0].in_words(texts), shown);
    }
    assert_eq!(read.because.as_ref().unwrap().in_words(french()), read.why.in_words(french()));
    read.why
}

#[test]
fn a_record_has_the_fields_that_every_release_reads() {
    let message = msg!("pay-too-many", kind = PaymentKind::Transfer);
    let said = json!({ "id": "pay-too-many", "values": { "kind": { "id": "kind-of-transfer" } } });
    let expected = json!({
        "message": message.text(), "said": said, "error": message.text(), "error_said": said,
        "unreadable": [message.text()], "unreadable_said": [said], "because": said,
    });
    assert_eq!(serde_json::to_value(record_of(&message)).unwrap(), expected);
    let earlier = json!({ "message": "as it was", "error": null, "of_a_later_release": 1 });
    let earlier: Record = serde_json::from_value(earlier).unwrap();
    assert_eq!((earlier.why.in_words(french()), earlier.error), ("as it was".to_owned(), None));
    assert!(earlier.unreadable.is_empty() && earlier.because.is_none());
    assert_eq!(earlier.unknown.len(), 1);
}

#[test]
fn a_record_is_said_in_the_readers_language() {
    let amount = |minor| Amount::from_minor(minor, Currency::EUR);
    let (kind, balance) = (PaymentKind::Transfer, amount(123_450));
    let sentence = msg!("pay-short", kind, balance, amount = amount(200_000));
    assert_eq!(sentence.text(), "the account holds 1234.50 EUR, the transfer needs 2000.00 EUR");
    let kept = stored(&sentence);
    let shown = kept.in_words(french());
    assert_eq!(shown, "le compte contient 1\u{202f}234,50\u{a0}EUR, le virement demande 2\u{202f}000,00\u{a0}EUR");
    assert_eq!(kept.in_words(Texts::of(Some(Locale::English))), sentence.text());
}

#[test]
fn one_sentence_stands_in_another() {
    let closed = StoreError::Closed;
    let sentence = msg!("held-not-read", date = "2026-11-01".parse::<Date>().unwrap(), error = &closed);
    assert_eq!(sentence.text(), "the held vouchers of 2026-11-01 could not be read again: the store is closed");
    assert_eq!(
        stored(&sentence).in_words(french()),
        "les bons de paiement retenus du 1er nov. 2026 n’ont pas pu être relus\u{a0}: la base est fermée"
    );
    // A third party's words are inserted unchanged.
    let quoting = msg!("mirakl-credentials", said = Message::quoting("<b>no</b> { $said }"));
    assert_eq!(quoting.in_words(french()), "Mirakl a refusé nos identifiants\u{a0}: <b>no</b> { $said }");
}

#[test]
fn what_a_later_release_says_is_shown_as_it_stands() {
    for said in [
        json!({ "id": "of-a-later-release" }),
        json!({ "id": "pay-found", "new": true }),
        json!({ "id": "pay-too-many", "values": { "kind": { "of": ["later"] } } }),
        json!({ "id": "pay-too-many", "values": { "kind": { "id": "of-a-later-release" } } }),
        json!({ "id": "pay-too-many", "values": {} }),
    ] {
        let is_known = said["id"] == "pay-found";
        let record = json!({ "message": "it stands", "said": said });
        let record: Record = serde_json::from_value(record).unwrap();
        let shown = record.why.in_words(french());
        assert_eq!(shown == "it stands", !is_known, "{record:?}: {shown}");
    }
}

#[test]
fn the_log_alone_has_the_words_of_libraries() {
    let (english, french) = (Texts::of(Some(Locale::English)), Texts::of(Some(Locale::French)));
    let inner = msg!("batch-begins").detailed("os error 13");
    let message = msg!("operation-chosen", operation = 7_u64, note = inner);
    let kept = Message::of_parts(&message, &message.parts());
    for message in [&message, &kept] {
        assert_eq!(message.in_words(french), "opération 7\u{a0}: début");
        assert_eq!(message.with_details(french), "opération 7\u{a0}: début (os error 13)");
        assert_eq!(message.with_details(english), "operation 7: begins: os error 13");
    }
}
