//! Tests of `text/format.rs`.

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::domain::money::{Amount, Currency};

fn english() -> &'static Texts {
    Texts::of(Some(Locale::English))
}

fn french() -> &'static Texts {
    Texts::of(Some(Locale::French))
}

fn amount(minor: i64, currency: &str) -> Amount {
    Amount::from_minor(minor, Currency::from_code(currency).unwrap())
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn amounts_are_written_as_each_language_does() {
    for (minor, currency, in_english, in_french) in [
        (123_450, "EUR", "1,234.50 EUR", "1\u{202f}234,50\u{a0}EUR"),
        (-5, "EUR", "\u{2212}0.05 EUR", "\u{2212}0,05\u{a0}EUR"),
        (0, "EUR", "0.00 EUR", "0,00\u{a0}EUR"),
        (123_456_700, "EUR", "1,234,567.00 EUR", "1\u{202f}234\u{202f}567,00\u{a0}EUR"),
        (1_234, "JPY", "1,234 JPY", "1\u{202f}234\u{a0}JPY"),
        (1_234_567, "KWD", "1,234.567 KWD", "1\u{202f}234,567\u{a0}KWD"),
        (99_900, "USD", "999.00 USD", "999,00\u{a0}USD"),
    ] {
        let amount = amount(minor, currency);
        assert_eq!((english().amount(amount).as_str(), french().amount(amount).as_str()), (in_english, in_french));
    }
}

#[test]
fn moments_are_told_in_the_zone_that_is_asked_for() {
    let paris = TimeZone::get("Europe/Paris").unwrap();
    let moment = at("2026-11-21T13:05:59Z");
    assert_eq!(english().moment(moment, &paris), "21 Nov 2026, 14:05");
    assert_eq!(french().moment(moment, &paris), "21 nov. 2026, 14:05");
    assert_eq!(french().moment(at("2026-07-31T22:30:00Z"), &paris), "1er août 2026, 00:30");
    assert_eq!(english().moment(at("2026-07-31T22:30:00Z"), &TimeZone::UTC), "31 Jul 2026, 22:30");
    assert_eq!(
        (english().day(date(2026, 1, 1)), french().day(date(2026, 1, 1))),
        ("1 Jan 2026".into(), "1er janv. 2026".into())
    );
}

#[test]
fn times_are_told_from_now() {
    let now = at("2026-11-21T12:00:00Z");
    for (seconds, in_english, in_french) in [
        (0, "just now", "à l’instant"),
        (-59, "just now", "à l’instant"),
        (30, "in a moment", "dans un instant"),
        (300, "in 5 minutes", "dans 5 minutes"),
        (-60, "one minute ago", "il y a une minute"),
        (3_600, "in one hour", "dans une heure"),
        (-7_300, "2 hours ago", "il y a 2 heures"),
        (-90_000, "25 hours ago", "il y a 25 heures"),
        (172_800, "in 2 days", "dans 2 jours"),
        (-86_400 * 1_500, "1,500 days ago", "il y a 1\u{202f}500 jours"),
    ] {
        let then = now + SignedDuration::from_secs(seconds);
        assert_eq!(
            (english().relative(then, now), french().relative(then, now)),
            (in_english.into(), in_french.into())
        );
    }
}

#[test]
fn spans_are_told_in_two_units() {
    for (span, text) in [
        (SignedDuration::from_millis(-5), "0 ms"),
        (SignedDuration::from_millis(850), "850 ms"),
        (SignedDuration::from_secs(12), "12 s"),
        (SignedDuration::from_secs(200), "3 min 20 s"),
        (SignedDuration::from_secs(180), "3 min"),
        (SignedDuration::from_secs(3_900), "1 h 5 min"),
        (SignedDuration::from_hours(51), "2 d 3 h"),
    ] {
        let plain = english().duration(span).replace(NO_BREAK_SPACE, " ");
        assert_eq!(plain, text);
        assert_eq!(french().duration(span).replace(NO_BREAK_SPACE, " "), text.replace('d', "j"));
    }
}

proptest! {
    #[test]
    fn the_digits_read_back_are_the_amount(minor: i64, code in prop::sample::select(vec!["EUR", "JPY", "KWD"])) {
        let amount = amount(minor, code);
        for (texts, group, point) in [(english(), ',', '.'), (french(), NARROW_SPACE, ',')] {
            let text = texts.decimal(amount);
            let (whole, fraction) = text.split_once(point).unwrap_or((&text, ""));
            let groups: Vec<&str> = whole.trim_start_matches(MINUS).split(group).collect();
            prop_assert!(groups.iter().skip(1).all(|group| group.len() == 3), "{}", text);
            prop_assert!((1..=3).contains(&groups[0].len()), "{}", text);
            let sign = if whole.starts_with(MINUS) { "-" } else { "" };
            let plain = format!("{sign}{}.{fraction}", groups.concat());
            prop_assert_eq!(Amount::parse(&plain, amount.currency()).unwrap(), amount);
        }
    }

    #[test]
    fn every_moment_and_span_has_a_text(
        seconds in Timestamp::MIN.as_second()..Timestamp::MAX.as_second(),
        other in Timestamp::MIN.as_second()..Timestamp::MAX.as_second(),
        span: i64,
    ) {
        let (one, other) = (Timestamp::from_second(seconds).unwrap(), Timestamp::from_second(other).unwrap());
        for texts in [english(), french()] {
            let texts = [
                texts.moment(one, &TimeZone::UTC),
                texts.relative(one, other),
                texts.duration(SignedDuration::from_secs(span)),
            ];
            for text in texts {
                let named = ["month-", "relative-", "duration-", "date-"].iter().any(|id| text.contains(id));
                prop_assert!(!named && !text.contains('{'), "{}", text);
            }
        }
    }
}
