//! Amounts, numbers, dates and spans of time, written by the conventions of a language.
//!
//! Pure: the caller provides the zone and the current time. No number here is ever a float.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{Locale, Texts};

/// Space that keeps a group of digits, or a number and its unit, on one line.
const NARROW_SPACE: char = '\u{202f}';
/// Space that keeps a number and what follows it on one line.
const NO_BREAK_SPACE: char = '\u{a0}';
/// The sign of a negative number, as wide as a digit.
const MINUS: char = '\u{2212}';

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// An amount of money in digits, to be formatted for a language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenAmount {
    /// Plain decimal: `-1234.50`.
    pub decimal: String,
    /// Code of the currency.
    pub currency: String,
}

/// Returns the number of decimals of a currency by its code (ISO 4217); `None` if the code is unknown or has none.
pub(super) fn decimals_of(currency: &str) -> Option<u32> {
    iso_currency::Currency::from_code(currency)?.exponent().map(u32::from)
}

/// Writes a number of minor units with this many decimals: `-1234.50`.
pub fn plain_decimal(minor: i64, decimals: u32) -> String {
    let places = usize::try_from(decimals).unwrap_or(0);
    let sign = if minor < 0 { "-" } else { "" };
    let digits = format!("{:0width$}", minor.unsigned_abs(), width = places.saturating_add(1));
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(places));
    if places == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

impl Texts {
    /// Writes an amount with its currency: `1,234.50 EUR`, `1 234,50 EUR`. In French it never breaks over two lines; in
    /// English the space before the currency is a plain one.
    pub fn amount(&self, amount: impl Into<WrittenAmount>) -> String {
        let amount = amount.into();
        let space = match self.locale() {
            Locale::English => ' ',
            Locale::French => NO_BREAK_SPACE,
        };
        let currency = amount.currency;
        format!("{}{space}{currency}", self.grouped_decimal(&amount.decimal))
    }

    /// Writes an amount without its currency: `1,234.50`, `1 234,50`.
    pub fn decimal(&self, amount: impl Into<WrittenAmount>) -> String {
        self.grouped_decimal(&amount.into().decimal)
    }

    fn grouped_decimal(&self, plain: &str) -> String {
        let (sign, digits) = match plain.strip_prefix('-') {
            Some(digits) => (Some(MINUS), digits),
            None => (None, plain),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let mut text: String = sign.into_iter().collect();
        text.push_str(&self.grouped(whole));
        if !fraction.is_empty() {
            text.push(match self.locale() {
                Locale::English => '.',
                Locale::French => ',',
            });
            text.push_str(fraction);
        }
        text
    }

    /// Writes a whole number in groups of three: `1,234,567`, `1 234 567`.
    pub fn number(&self, number: u64) -> String {
        self.grouped(&number.to_string())
    }

    fn grouped(&self, digits: &str) -> String {
        let separator = match self.locale() {
            Locale::English => ',',
            Locale::French => NARROW_SPACE,
        };
        let count = digits.len();
        let mut grouped = String::with_capacity(count.saturating_mul(2));
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && count.saturating_sub(place).is_multiple_of(3) {
                grouped.push(separator);
            }
            grouped.push(digit);
        }
        grouped
    }

    /// Writes a day: `21 Nov 2026`, `21 nov. 2026`.
    pub fn day(&self, day: Date) -> String {
        let month = self.text(&format!("month-{}", day.month()), &[]);
        let day_of_month = match (self.locale(), day.day()) {
            (Locale::French, 1) => "1er".to_owned(),
            (Locale::English | Locale::French, day) => day.to_string(),
        };
        let values = [("day", day_of_month.into()), ("month", month.into()), ("year", day.year().to_string().into())];
        self.text("date-day", &values)
    }

    /// Writes a moment in `zone`, to the minute: `21 Nov 2026, 14:05`, `21 nov. 2026, 14:05`.
    pub fn moment(&self, at: Timestamp, zone: &TimeZone) -> String {
        let local = zone.to_datetime(at);
        let time = format!("{:02}:{:02}", local.hour(), local.minute());
        self.text("date-moment", &[("date", self.day(local.date()).into()), ("time", time.into())])
    }

    /// Writes the distance of `at` from `now`: `in 5 minutes`, `2 hours ago`, `just now`. In whole minutes, hours (from
    /// one hour on) or days (from two days on).
    pub fn relative(&self, at: Timestamp, now: Timestamp) -> String {
        let away = at.duration_since(now);
        let future = away > SignedDuration::ZERO;
        let seconds = away.unsigned_abs().as_secs();
        let (unit, count) = match seconds {
            0..MINUTE => return self.text(if future { "relative-soon" } else { "relative-now" }, &[]),
            MINUTE..HOUR => ("minutes", seconds / MINUTE),
            _ if seconds < 2 * DAY => ("hours", seconds / HOUR),
            _ => ("days", seconds / DAY),
        };
        let direction = if future { "in" } else { "ago" };
        let values = [("count", count.into()), ("number", self.number(count).into())];
        self.text(&format!("relative-{direction}-{unit}"), &values)
    }

    /// Writes a span of time in its two largest units: `850 ms`, `12 s`, `3 min 20 s`, `2 d 3 h`. A negative span
    /// counts as zero.
    pub fn duration(&self, span: SignedDuration) -> String {
        if span < SignedDuration::from_secs(1) {
            return self.unit("milliseconds", u64::try_from(span.as_millis()).unwrap_or(0));
        }
        let seconds = span.unsigned_abs().as_secs();
        let (larger, smaller) = match seconds {
            0..MINUTE => return self.unit("seconds", seconds),
            MINUTE..HOUR => (("minutes", MINUTE), ("seconds", 1)),
            HOUR..DAY => (("hours", HOUR), ("minutes", MINUTE)),
            _ => (("days", DAY), ("hours", HOUR)),
        };
        let whole = self.unit(larger.0, seconds / larger.1);
        match (seconds % larger.1) / smaller.1 {
            0 => whole,
            rest => format!("{whole}{NO_BREAK_SPACE}{}", self.unit(smaller.0, rest)),
        }
    }

    fn unit(&self, unit: &str, count: u64) -> String {
        self.text(&format!("duration-{unit}"), &[("number", self.number(count).into())])
    }
}

#[cfg(test)]
mod tests {
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
}
