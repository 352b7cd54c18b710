//! Tests of parsing and verification, over documents that are written and signed here independently.

use std::fmt::Write as _;

use md5::{Digest, Md5};
use proptest::prelude::*;

use super::*;
use crate::platform::secret::Secret;
use crate::remote::hipay::signature::{VerifiedNotice, verify_wallet_notice};

fn md5_hex(text: &[u8]) -> String {
    let digits: Vec<String> = Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

/// Returns a document around `result`, signed as if HiPay had hashed `hashed`.
fn signed(result: &str, hashed: &str, salt: &str) -> String {
    let checksum = md5_hex(format!("{hashed}{salt}").as_bytes());
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<notification>\n<md5content>{checksum}</md5content>\n{result}</notification>"
    )
}

fn verified(xml: &[u8], salt: &str) -> Option<VerifiedNotice> {
    let document =
        NoticeDocument::read(xml).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(xml)));
    verify_wallet_notice(&document, &Secret::new(salt))
}

const CAPTURE: &str = "<result><operation>capture</operation><status>ok</status><date>2019-10-01</date><time>13:41:28 UTC+0000</time><transid>5d935783d9cd316415</transid><account_id>470153</account_id><amount>5</amount><currency>EUR</currency><label/></result>";

#[test]
fn a_notice_as_it_is_documented_says_what_it_says() {
    let laid_out = CAPTURE.replace("><", ">\r\n\t  <").replace("<label/>", "<label></label>");
    let notice = verified(signed(&laid_out, CAPTURE, "pepper").as_bytes(), "pepper").unwrap();
    assert_eq!(notice.signed(), CAPTURE);
    let notice = notice.notice();
    assert_eq!((notice.operation.as_str(), notice.status.as_str(), notice.account_id), ("capture", "ok", 470_153));
    assert_eq!(notice.at.unwrap().to_string(), "2019-10-01T13:41:28Z");
    assert_eq!(notice.transaction_id.as_deref(), Some("5d935783d9cd316415"));
    assert_eq!(notice.amount(Currency::EUR), Some(Ok(Amount::from_minor(500, Currency::EUR))));
    assert_eq!((notice.text("label"), notice.text("message")), (None, None));
}

#[test]
fn the_offset_counts_in_every_spelling_of_the_time() {
    for (date, time, utc) in [
        ("2019-10-01", "13:41:28 UTC+0000", Some("2019-10-01T13:41:28Z")),
        ("2019-10-01", "16:39:42 Europe/Paris+0200", Some("2019-10-01T14:39:42Z")),
        ("2019-12-31", "23:30:00 America/Argentina/Buenos_Aires-0300", Some("2020-01-01T02:30:00Z")),
        ("2019-10-01", "10:00:00 Etc/GMT-5+05:00", Some("2019-10-01T05:00:00Z")),
        ("2019-10-01", "10:00:00 Asia/Kolkata+0530", Some("2019-10-01T04:30:00Z")),
        ("2019-10-01", "10:00:00 UTC", None),
        ("2019-10-01", "10:00:00", None),
        ("2019-10-01", "10:00:00 UTC+00", None),
        ("2019-10-01", "10:00:00 UTC+9999", None),
        ("2019-13-01", "10:00:00 UTC+0000", None),
        ("", "", None),
    ] {
        assert_eq!(instant(date, time).map(|at| at.to_string()).as_deref(), utc, "{date} {time}");
    }
}

#[test]
fn the_field_is_decoded_once_or_twice_as_it_needs() {
    for body in [
        "xml=%3Ca%3E1%2B1%3D2+%26%3C%2Fa%3E",
        "first=1&xml=%3Ca%3E1%2B1%3D2%20%26%3C%2Fa%3E&last",
        "xml=%253Ca%253E1%252B1%253D2%2520%2526%253C%252Fa%253E",
        // A sender that encodes the document itself may leave a plus as it is.
        "xml=%253Ca%253E1%2B1%253D2%2520%2526%253C%252Fa%253E",
    ] {
        assert_eq!(form_field(body.as_bytes()).unwrap(), b"<a>1+1=2 &</a>", "{body}");
    }
    assert_eq!(form_field(b"xml=%3Ca%3E%2541%3C/a%3E").unwrap(), b"<a>%41</a>");
    assert_eq!(form_field(b"xml=%EF%BB%BF%3Ca/%3E").unwrap(), b"\xef\xbb\xbf<a/>");
    assert_eq!(form_field(b"xml=%25EF%25BB%25BF%253Ca/%253E").unwrap(), b"\xef\xbb\xbf<a/>");
    for body in ["", "xm=1", "xml", "xml=1&xml=2"] {
        assert!(form_field(body.as_bytes()).is_err(), "{body}");
    }
}

fn meaning(operation: &str, status: &str, more: &str) -> Meaning {
    let xml = format!(
        "<result><account_id>1</account_id>{more}<status>{status}</status><operation>{operation}</operation></result>"
    );
    WalletNotice::read(&xml).unwrap().meaning()
}

#[test]
fn every_operation_in_any_case_means_one_thing() {
    use Meaning as M;
    use PaymentKind::{Transfer, Withdrawal};
    let payment = |kind, state| M::Payment { kind, state };
    for (operation, status, expected) in [
        ("identification", "ok", M::Identification { identified: true }),
        ("IDENTIFICATION", "NOK", M::Identification { identified: false }),
        ("bank_info_validation", "ok", M::BankDetails { validated: true }),
        ("Bank_Info_Validation", "nok", M::BankDetails { validated: false }),
        ("document_validation", "ok", M::Document { valid: true, hipay_type: Some(3) }),
        ("authorization", "ok", payment(Transfer, None)),
        ("authorization", "nok", payment(Transfer, Some(TransactionState::Failed))),
        ("capture", "ok", payment(Transfer, Some(TransactionState::Captured))),
        ("CAPTURE", "nok", payment(Transfer, Some(TransactionState::Failed))),
        ("withdraw_validation", "ok", payment(Withdrawal, Some(TransactionState::Captured))),
        ("WITHDRAWAL_VALIDATION", "nok", payment(Withdrawal, Some(TransactionState::Canceled))),
        ("other_transaction", "ok", M::OtherTransaction),
        ("other_transaction", "", M::OtherTransaction),
        ("something_new", "ok", M::Unknown),
        ("capture", "perhaps", M::Unknown),
    ] {
        assert_eq!(meaning(operation, status, "<document_type>3</document_type>"), expected, "{operation} {status}");
    }
    assert_eq!(meaning("document_validation", "nok", ""), M::Document { valid: false, hipay_type: None });
}

#[test]
fn what_cannot_be_read_is_refused_with_a_reason() {
    let around = |inner: &str| format!("<notification><md5content>{:032}</md5content>{inner}</notification>", 0);
    let deep = |levels: usize| {
        let (open, close) = ("<a>".repeat(levels), "</a>".repeat(levels));
        around(&CAPTURE.replace("<label/>", &format!("{open}{close}")))
    };
    let laughs = "<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;&lol;\">]>";
    let outside = "<!DOCTYPE foo [<!ENTITY xxe SYSTEM \"file:///etc/passwd\">]>";
    for (xml, words) in [
        (String::new(), "ends too early"),
        ("no xml at all".to_owned(), "text outside"),
        ("<notification>".to_owned(), "ends too early"),
        ("<notification></other>".to_owned(), "not well-formed"),
        ("<other/>".to_owned(), "root is not <notification>"),
        (around("") + "<again/>", "more than one root"),
        (around(""), "<result> is missing"),
        (format!("<notification>{CAPTURE}</notification>"), "<md5content> is missing"),
        (around(&format!("{CAPTURE}{CAPTURE}")), "twice"),
        (around(CAPTURE).replace("0000", "xyz0"), "32 hexadecimal digits"),
        (around(&CAPTURE.replace("<status>ok</status>", "<status>ok</status><status>nok</status>")), "twice"),
        (around(&CAPTURE.replace("470153", "seven")), "<account_id> is not a number"),
        (around(&CAPTURE.replace("<operation>capture</operation>", "")), "lacks <operation>"),
        (format!("{laughs}{}", around(CAPTURE)), "document type"),
        (format!("{outside}{}", around(CAPTURE)), "document type"),
        (around(&CAPTURE.replace("<label/>", "<label>&lol2;</label>")), "an entity"),
        (around(&CAPTURE.replace("<label/>", "<label>&#0;</label>")), "an entity"),
        (around(&CAPTURE.replace("<label/>", "<label>&#xFFFE;</label>")), "an entity"),
        (around(&CAPTURE.replace("<label/>", "<label>\u{1}</label>")), "a character"),
        (around(&CAPTURE.replace("<label/>", "<?php ?>")), "processing instruction"),
        (around(&CAPTURE.replace("<label/>", "<label a=1/>")), "attribute"),
        (around(&CAPTURE.replace("<label/>", &"<a/>".repeat(3_000))), "4096 pieces"),
        (deep(10_000), "32 levels"),
        (format!("<?xml version=\"1.0\" encoding=\"UTF-16\"?>{}", around(CAPTURE)), "an encoding other"),
    ] {
        let error = NoticeDocument::read(xml.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
        assert!(error.len() < 200, "{error}");
    }
    assert!(NoticeDocument::read(deep(10).as_bytes()).is_ok());
    for bytes in [b"\xff\xfe<\0a\0".as_slice(), b"\xfe\xff\0<", b"<notification>\xe9</notification>"] {
        assert!(NoticeDocument::read(bytes).unwrap_err().to_string().contains("UTF-8"));
    }
}

#[test]
fn a_byte_order_mark_and_iso_8859_1_are_read() {
    let result = CAPTURE.replace("<label/>", "<label>Règlement</label>");
    let with_mark = format!("\u{feff}{}", signed(&result, &result, "pepper"));
    assert_eq!(verified(with_mark.as_bytes(), "pepper").unwrap().notice().text("label"), Some("Règlement"));

    let latin = |text: &str| -> Vec<u8> { text.chars().map(|letter| u8::try_from(letter).unwrap()).collect() };
    // Hashed in its own encoding, or in UTF-8, as an XML library holds it.
    for hashed in [latin(&format!("{result}pepper")), format!("{result}pepper").into_bytes()] {
        let xml = signed(&result, "", "").replace("UTF-8", "ISO-8859-1").replace(&md5_hex(b""), &md5_hex(&hashed));
        assert_eq!(verified(&latin(&xml), "pepper").unwrap().notice().text("label"), Some("Règlement"));
    }
}

#[test]
fn what_was_signed_is_what_is_read() {
    // Newlines and tabs do not affect the checksum, so they must not affect the meaning.
    let xml = signed(CAPTURE, CAPTURE, "pepper").replace("<amount>5</amount>", "<amount>\n\t5\n</amount>");
    let notice = verified(xml.as_bytes(), "pepper").unwrap();
    assert_eq!(notice.signed(), CAPTURE);
    assert_eq!(notice.notice().text("amount"), Some("5"));
    // Elements around the signed element are dropped.
    let xml = signed(CAPTURE, CAPTURE, "pepper").replace("<result>", "<amount>7</amount><result>");
    assert_eq!(verified(xml.as_bytes(), "pepper").unwrap().signed(), CAPTURE);
    // A comment does not split a text.
    let split = CAPTURE.replace("470153", "470<!-- x -->153");
    assert_eq!(verified(signed(&split, &split, "pepper").as_bytes(), "pepper").unwrap().notice().account_id, 470_153);
}

#[test]
fn an_account_without_a_salt_hears_nothing() {
    let xml = signed(CAPTURE, CAPTURE, "");
    assert_eq!(verified(xml.as_bytes(), ""), None);
}

/// Generates parts of a text, each as sent and as an XML library writes it back.
fn letters() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    prop::collection::vec(
        prop::sample::select(vec![
            ("a", "a"),
            ("7", "7"),
            (" ", " "),
            ("é", "é"),
            ("&#233;", "é"),
            ("&#xe9;", "é"),
            ("€", "€"),
            ("&amp;", "&amp;"),
            ("&#38;", "&amp;"),
            ("&lt;", "&lt;"),
            ("&gt;", "&gt;"),
            ("&quot;", "\""),
            ("'", "'"),
            ("&apos;", "'"),
            ("\n", ""),
            ("\r\n", ""),
            ("\t", ""),
            ("+", "+"),
            ("%3C", "%3C"),
        ]),
        0..12,
    )
}

/// Generates insignificant white space between two elements.
fn gap() -> impl Strategy<Value = String> {
    "[ \t\n]{0,4}|\r\n  "
}

#[derive(Debug, Clone)]
struct Written {
    /// The document's element as sent.
    sent: String,
    /// The document's element as hashed.
    hashed: String,
}

/// Generates a signed element in any layout, with texts and attributes in any spelling.
fn written() -> impl Strategy<Value = Written> {
    let names = prop::sample::select(vec!["label", "message", "settlement_id", "x"]);
    let details = prop::collection::vec((names, letters(), gap(), any::<bool>(), any::<bool>()), 0..6);
    (details, gap(), gap()).prop_map(|(details, first, last)| {
        let mut written = Written { sent: "<result>".to_owned(), hashed: "<result>".to_owned() };
        for (name, text) in [("operation", "capture"), ("status", "ok"), ("account_id", "470153")] {
            write!(written.sent, "{first}<{name}>{text}</{name}>{last}").unwrap();
            write!(written.hashed, "<{name}>{text}</{name}>").unwrap();
        }
        for (name, letters, gap, attribute, long) in details {
            let sent: String = letters.iter().map(|(sent, _)| *sent).collect();
            let hashed: String = letters.iter().map(|(_, hashed)| *hashed).collect();
            let (sent_attribute, hashed_attribute) =
                if attribute { ("  a = '\"&#65;' ", " a=\"&quot;A\"") } else { ("", "") };
            if sent.is_empty() && !long {
                write!(written.sent, "{gap}<{name}{sent_attribute}/>").unwrap();
            } else {
                write!(written.sent, "{gap}<{name}{sent_attribute}>{sent}</{name} >").unwrap();
            }
            if sent.is_empty() {
                write!(written.hashed, "<{name}{hashed_attribute}/>").unwrap();
            } else if hashed.bytes().all(|byte| byte == b' ') {
                // Blanks only: those that remain are between `>` and `<`.
                write!(written.hashed, "<{name}{hashed_attribute}></{name}>").unwrap();
            } else {
                write!(written.hashed, "<{name}{hashed_attribute}>{hashed}</{name}>").unwrap();
            }
        }
        write!(written.sent, "{last}</result>").unwrap();
        written.hashed.push_str("</result>");
        written
    })
}

proptest! {
    #[test]
    fn the_checksum_fits_however_the_document_is_laid_out(written in written(), salt in "[a-zA-Z0-9]{1,40}") {
        let xml = signed(&written.sent, &written.hashed, &salt);
        let notice = verified(xml.as_bytes(), &salt);
        prop_assert!(notice.is_some(), "{xml}\n{}", written.hashed);
        let notice = notice.unwrap();
        prop_assert_eq!((notice.notice().account_id, notice.notice().operation.as_str()), (470_153, "capture"));
        prop_assert_eq!(&WalletNotice::read(notice.signed()).unwrap(), notice.notice());
    }

    #[test]
    fn another_salt_or_another_text_does_not_fit(written in written(), salt in "[a-z]{8}", other in "[a-z]{8}") {
        let xml = signed(&written.sent, &written.hashed, &salt);
        if salt != other {
            prop_assert_eq!(verified(xml.as_bytes(), &other), None);
        }
        let forged = xml.replace("<status>ok</status>", "<status>nok</status>");
        prop_assert_eq!(verified(forged.as_bytes(), &salt), None);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = NoticeDocument::read(&bytes);
    }

    #[test]
    fn no_spoilt_document_panics_or_is_taken_for_another(
        written in written(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<bool>(),
    ) {
        let xml = signed(&written.sent, &written.hashed, "pepper");
        let honest = verified(xml.as_bytes(), "pepper").unwrap();
        let mut bytes = xml.into_bytes();
        let place = place.index(bytes.len());
        if cut {
            bytes.truncate(place);
        } else {
            bytes[place] = byte;
        }
        if let Ok(document) = NoticeDocument::read(&bytes)
            && let Some(notice) = verify_wallet_notice(&document, &Secret::new("pepper"))
        {
            prop_assert_eq!(notice.notice().elements(), honest.notice().elements());
        }
    }

    #[test]
    fn no_text_is_a_wrong_time(date in "[0-9-]{0,10}", time in "[0-9:]{0,8} [A-Za-z/+-]{0,8}[0-9:]{0,5}") {
        let _ = instant(&date, &time);
    }
}
