//! Tests of `domain/label.rs`.

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::domain::money::Currency;

fn facts() -> LabelFacts<'static> {
    LabelFacts {
        mirakl_id: 2001,
        amount: Amount::from_minor(8300, Currency::EUR),
        hipay_id: 470_153,
        cycle: date(2026, 11, 11).at(0, 0, 0, 0),
        now: date(2026, 11, 12).at(2, 5, 9, 0),
        payment_voucher: "000123",
    }
}

#[test]
fn every_placeholder_is_rendered() {
    let template = PLACEHOLDERS.map(|name| format!("{{{{{name}}}}}")).join("|");
    assert_eq!(
        render(&template, &facts()),
        "2001|83.00|470153|2026-11-11|2026-11-11 00:00:00|00:00:00|2026-11-12|2026-11-12 02:05:09|2026-11-12 02:05:09|02:05:09|000123"
    );
}

#[test]
fn what_is_unknown_renders_empty_and_is_named() {
    assert_eq!(render("a {{ amount }} {{nope}}b {{open", &facts()), "a 83.00 b {{open");
    assert_eq!(unknown_placeholders("{{amount}} {{nope}} {{ date }} {{Amount}} {{"), ["nope", "Amount"]);
}

proptest! {
    #[test]
    fn text_without_placeholders_stays(text in "[^{]{0,40}") {
        prop_assert_eq!(render(&text, &facts()), text);
    }
}
