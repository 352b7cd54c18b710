//! Tests of `domain/money.rs`.

use proptest::prelude::*;

use super::*;

fn currency(code: &str) -> Currency {
    Currency::from_code(code).unwrap()
}

#[test]
fn reads_every_way_a_decimal_is_written() {
    for (text, code, minor) in [
        ("83.00", "EUR", 8300),
        ("83", "EUR", 8300),
        ("83.5", "EUR", 8350),
        ("-0.05", "EUR", -5),
        (".5", "EUR", 50),
        ("5.", "EUR", 500),
        ("+7", "EUR", 700),
        ("83.000", "EUR", 8300),
        ("8.3E+1", "EUR", 8300),
        ("8300e-2", "EUR", 8300),
        ("0E-10", "EUR", 0),
        ("-0", "EUR", 0),
        ("83", "JPY", 83),
        ("83.0", "JPY", 83),
        ("1.234", "KWD", 1234),
        ("92233720368547758.07", "EUR", i64::MAX),
        ("-92233720368547758.08", "EUR", i64::MIN),
    ] {
        assert_eq!(Amount::parse(text, currency(code)).unwrap().minor(), minor, "{text} {code}");
    }
}

#[test]
fn refuses_what_is_no_exact_amount() {
    for text in ["", " ", "-", ".", "1,5", "1.2.3", "NaN", "1e", "1e1e1", "0x10", "1 000", "٣"] {
        assert_eq!(Amount::parse(text, Currency::EUR), Err(MoneyError::NotDecimal(text.to_owned())), "{text}");
    }
    for (text, code) in [("83.005", "EUR"), ("0.001", "EUR"), ("83.5", "JPY"), ("1.2345", "KWD"), ("1e-3", "EUR")] {
        assert!(matches!(Amount::parse(text, currency(code)), Err(MoneyError::TooPrecise { .. })), "{text} {code}");
    }
    for text in ["92233720368547758.08", "1e400", "1e2147483647", "99999999999999999999999"] {
        assert_eq!(Amount::parse(text, Currency::EUR), Err(MoneyError::TooLarge), "{text}");
    }
}

#[test]
fn what_a_float_left_behind_is_not_money() {
    for (text, code, minor) in [
        ("19.899999999999999", "EUR", 1990),
        ("19.900000000000002", "EUR", 1990),
        ("-0.29999999999999999", "EUR", -30),
        ("-0.30000000000000004", "EUR", -30),
        ("99.99999999999999", "EUR", 10_000),
        ("82.9999999999", "JPY", 83),
        ("83.00", "EUR", 8300),
    ] {
        assert_eq!(Amount::parse_computed(text, currency(code)).unwrap().minor(), minor, "{text}");
    }
    for text in ["19.895", "19.8999", "19.8989999999999", "19.89999x9999", ".", "1e-3"] {
        assert!(Amount::parse_computed(text, Currency::EUR).is_err(), "{text}");
    }
}

#[test]
fn a_balance_is_rounded_down_however_many_decimals_it_has() {
    for (text, code, minor) in [
        ("12345678.910000001", "EUR", 1_234_567_891),
        ("12345678.919999999", "EUR", 1_234_567_891),
        ("83", "EUR", 8_300),
        ("83.009", "EUR", 8_300),
        ("0.001", "EUR", 0),
        ("-0.001", "EUR", -1),
        ("-8.30000001", "EUR", -831),
        ("8.3999E+1", "EUR", 8_399),
        ("83999e-3", "EUR", 8_399),
        ("1e-30", "EUR", 0),
        ("-1e-2147483648", "EUR", -1),
        ("83.9", "JPY", 83),
    ] {
        assert_eq!(Amount::parse_down(text, currency(code)).unwrap().minor(), minor, "{text}");
    }
    for text in ["", ".", "eighty", "1e99", "1,5"] {
        assert!(Amount::parse_down(text, Currency::EUR).is_err(), "{text}");
    }
}

#[test]
fn only_real_currencies() {
    assert_eq!(currency("eur"), Currency::EUR);
    assert_eq!((currency("JPY").decimals(), currency("KWD").decimals()), (0, 3));
    for code in ["", "EURO", "XAU", "ZZZ", "€"] {
        assert!(Currency::from_code(code).is_err(), "{code}");
    }
}

#[test]
fn never_across_currencies() {
    let euro = Amount::from_minor(100, Currency::EUR);
    let yen = Amount::from_minor(1, currency("JPY"));
    assert!(euro.checked_add(yen).is_err() && euro.checked_sub(yen).is_err() && euro.checked_min(yen).is_err());
    assert!(!euro.covers(yen));
}

proptest! {
    #[test]
    fn text_and_amount_are_one(minor: i64, code in prop::sample::select(vec!["EUR", "JPY", "KWD", "USD"])) {
        let amount = Amount::from_minor(minor, currency(code));
        prop_assert_eq!(Amount::parse(&amount.decimal(), amount.currency()).unwrap(), amount);
        let stored = serde_json::to_string(&amount).unwrap();
        prop_assert_eq!(serde_json::from_str::<Amount>(&stored).unwrap(), amount);
    }

    #[test]
    fn no_text_panics(text in ".{0,24}") {
        let _ = (Amount::parse(&text, Currency::EUR), Amount::parse_computed(&text, Currency::EUR));
        let _ = Amount::parse_down(&text, Currency::EUR);
    }

    #[test]
    fn rounded_down_is_at_most_and_less_than_one_below(minor in -1_000_000_i64..1_000_000, rest in "[0-9]{0,12}") {
        let exact = Amount::from_minor(minor, Currency::EUR).decimal();
        let down = Amount::parse_down(&format!("{exact}{rest}"), Currency::EUR).unwrap().minor();
        let is_more = exact.starts_with('-') && rest.bytes().any(|byte| byte != b'0');
        prop_assert_eq!(down, if is_more { minor - 1 } else { minor });
    }

    #[test]
    fn what_is_added_can_be_taken_away(left in -1_000_000_000_i64..1_000_000_000, right in -1_000_000_000_i64..1_000_000_000) {
        let (left, right) = (Amount::from_minor(left, Currency::EUR), Amount::from_minor(right, Currency::EUR));
        prop_assert_eq!(left.checked_add(right).unwrap().checked_sub(right).unwrap(), left);
    }
}
