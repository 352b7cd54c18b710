//! Tests of `logs/style.rs`.

use super::super::tests::line;
use super::*;

#[test]
fn a_line_stays_one_line_whatever_it_says() {
    let mut forged = line(LogLevel::Warning, "first\n<0>second\u{1b}[2J");
    forged.fields.insert("voucher".to_owned(), json!("1\r\n2"));
    for style in [Style::Text { colours: false }, Style::Journal, Style::Json] {
        let written = style.write(&forged);
        assert_eq!(written.lines().count(), 1, "{written}");
        assert!(!written.trim_end().contains(char::is_control), "{written}");
    }
}

#[test]
fn each_style_says_all_of_it() {
    let mut one = line(LogLevel::Critical, "the ledger differs");
    one.action = "cashout:transfer".to_owned();
    one.mirakl_id = Some(2001);
    one.batch = Some(7);
    one.fields.insert("voucher".to_owned(), json!("1000001"));
    one.fields.insert("reason".to_owned(), json!("two words"));
    let rest = r#"cashout:transfer: the ledger differs mirakl_id=2001 batch=7 reason="two words" voucher=1000001"#;
    assert_eq!(Style::Journal.write(&one), format!("<2>{rest}\n"));
    let text = Style::Text { colours: false }.write(&one);
    assert_eq!(text, format!("2026-11-21T10:00:00.000Z CRITICAL  {rest}\n"));
    assert!(Style::Text { colours: true }.write(&one).contains("\u{1b}[1;31mCRITICAL"));
    let object: Value = serde_json::from_str(&Style::Json.write(&one)).unwrap();
    let expected = json!({
        "date": "2026-11-21T10:00:00Z", "level": "CRITICAL", "action": "cashout:transfer", "mirakl_id": 2001,
        "batch": 7, "message": "the ledger differs", "voucher": "1000001", "reason": "two words",
    });
    assert_eq!(object, expected);
}
