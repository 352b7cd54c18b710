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
        let space = self.convention(' ', NO_BREAK_SPACE);
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
            text.push(self.convention('.', ','));
            text.push_str(fraction);
        }
        text
    }

    /// Writes a whole number in groups of three: `1,234,567`, `1 234 567`.
    pub fn number(&self, number: u64) -> String {
        self.grouped(&number.to_string())
    }

    fn grouped(&self, digits: &str) -> String {
        let separator = self.convention(',', NARROW_SPACE);
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

/// Returns a text of foreign origin on one line of at most `most` characters, the last one an ellipsis if it is cut.
/// Control characters become blanks, and characters that change the direction of writing are dropped: the author may
/// want to fake another line, or to move the cursor of a reader's terminal.
pub fn one_line(text: &str, most: usize) -> String {
    let changes_direction = |letter: char| matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut letters = text.chars().filter(|letter| !changes_direction(*letter));
    let mut line: String =
        letters.by_ref().take(most).map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if letters.next().is_some() {
        line.pop();
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests;
