//! Amounts of money: integer minor units with a currency. Nothing else in the crate computes amounts, and nothing here
//! uses floating point.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::text::message::{Argument, Message, msg};
use crate::text::{WrittenAmount, plain_decimal};

/// An ISO 4217 currency that has a minor unit (or none, like the yen).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// The euro.
    pub const EUR: Self = Self(iso_currency::Currency::EUR);

    /// Parses a three-letter code, in any case. Codes without a number of decimals (gold, test codes) are refused: no
    /// seller can be paid in them.
    pub fn from_code(code: &str) -> Result<Self, MoneyError> {
        iso_currency::Currency::from_code(&code.trim().to_ascii_uppercase())
            .filter(|currency| currency.exponent().is_some())
            .map(Self)
            .ok_or_else(|| MoneyError::UnknownCurrency(code.to_owned()))
    }

    /// Returns the three-letter code, in capitals.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Returns the number of decimals of an amount: 2 for most, 0 for the yen, 3 for the dinars.
    pub fn decimals(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        Self::from_code(&code).map_err(serde::de::Error::custom)
    }
}

/// An amount of money in minor units (cents) of its currency. May be negative: a seller can owe.
///
/// In the store it is `{"minor": 8300, "currency": "EUR"}`, on pages and in JSON `"83.00"`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Amount {
    minor: i64,
    currency: Currency,
}

/// Number of digits after the currency's decimals that must all be 0 or all be 9 to count as a float's noise.
const FLOAT_NOISE: usize = 8;

/// Reason why a text is no amount, or why two amounts cannot be added.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MoneyError {
    /// A code that is not in ISO 4217 or has no number of decimals.
    #[error("'{0}' is not a currency code of ISO 4217 (such as EUR)")]
    UnknownCurrency(String),
    /// A text that is not a decimal number.
    #[error("'{0}' is not a decimal amount (such as 83.00)")]
    NotDecimal(String),
    /// A text with more decimals than the currency has; rounding money is not ours to decide.
    #[error("{text} has more decimals than {currency} has ({})", currency.decimals())]
    TooPrecise {
        /// The text as received.
        text: String,
        /// The currency of the amount.
        currency: Currency,
    },
    /// An amount beyond 64 bits of minor units.
    #[error("the amount is too large")]
    TooLarge,
    /// Two different currencies in one sum.
    #[error("{0} and {1} cannot be added")]
    CurrencyMismatch(Currency, Currency),
}

impl From<&MoneyError> for Message {
    fn from(error: &MoneyError) -> Self {
        match error {
            MoneyError::UnknownCurrency(text) => msg!("money-no-currency", text),
            MoneyError::NotDecimal(text) => msg!("money-not-decimal", text),
            MoneyError::TooPrecise { text, currency } => {
                msg!("money-too-precise", text, currency = currency.code(), decimals = currency.decimals())
            }
            MoneyError::TooLarge => msg!("money-too-large"),
            MoneyError::CurrencyMismatch(one, other) => {
                msg!("money-two-currencies", one = one.code(), other = other.code())
            }
        }
    }
}

impl Amount {
    /// Makes an amount from minor units (cents).
    pub fn from_minor(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Returns zero in `currency`.
    pub fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// Returns the minor units (cents).
    pub fn minor(self) -> i64 {
        self.minor
    }

    /// Returns the currency.
    pub fn currency(self) -> Currency {
        self.currency
    }

    /// Parses decimal text such as `83`, `83.00`, `-0.5`, `.5` or `8.3E+1` (the form in which some JSON writers put
    /// decimals). Exact: text that does not fit the currency's decimals is refused.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        match Self::read(text, currency)? {
            (_, true) => Err(MoneyError::TooPrecise { text: text.trim().to_owned(), currency }),
            (amount, false) => Ok(amount),
        }
    }

    /// Parses decimal text, truncated after the currency's decimals; the flag is true if digits other than 0 were cut
    /// off.
    fn read(text: &str, currency: Currency) -> Result<(Self, bool), MoneyError> {
        let not_decimal = || MoneyError::NotDecimal(text.to_owned());
        let trimmed = text.trim();
        let (mantissa, exponent) = match trimmed.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                let exponent: i32 = exponent.parse().map_err(|_| not_decimal())?;
                (mantissa, exponent)
            }
            None => (trimmed, 0),
        };
        let (negative, digits) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
            return Err(not_decimal());
        }

        let significant = format!("{whole}{fraction}");
        let significant = significant.trim_start_matches('0');
        if significant.is_empty() {
            return Ok((Self::zero(currency), false));
        }
        // value = significant × 10^(exponent − fraction digits); wanted in units of 10^−decimals.
        let fraction_digits = i32::try_from(fraction.len()).map_err(|_| not_decimal())?;
        let decimals = i32::try_from(currency.decimals()).map_err(|_| MoneyError::TooLarge)?;
        let shift = exponent
            .checked_sub(fraction_digits)
            .and_then(|power| power.checked_add(decimals))
            .ok_or(MoneyError::TooLarge)?;
        let (digits, cut) = if let Ok(zeros) = usize::try_from(shift) {
            // 64 bits hold 19 digits: with more zeros than that the amount is too large in any case.
            if zeros > 19 {
                return Err(MoneyError::TooLarge);
            }
            (format!("{significant}{}", "0".repeat(zeros)), false)
        } else {
            let dropped = usize::try_from(shift.unsigned_abs()).unwrap_or(usize::MAX);
            let (kept, rest) = significant.split_at(significant.len().saturating_sub(dropped));
            // The first digit is not zero: if all digits are dropped, a nonzero one is.
            let cut = kept.is_empty() || rest.bytes().any(|byte| byte != b'0');
            (if kept.is_empty() { "0" } else { kept }.to_owned(), cut)
        };
        let sign = if negative { "-" } else { "" };
        let minor = format!("{sign}{digits}").parse().map_err(|_| MoneyError::TooLarge)?;
        Ok((Self { minor, currency }, cut))
    }

    /// Parses decimal text and rounds it down to the currency's decimals, however many it has, so that an account's
    /// balance is never overestimated.
    pub fn parse_down(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let (amount, cut) = Self::read(text, currency)?;
        let below = if cut && text.trim().starts_with('-') { -1 } else { 0 };
        amount.checked_add(Self { minor: below, currency })
    }

    /// Parses decimal text that its writer may have computed with floats: `19.899999999999999` is 19.90, because the
    /// error is far below any amount that can be meant. Anything else that does not fit the currency's decimals is
    /// refused, as by [`Amount::parse`].
    pub fn parse_computed(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let exact = Self::parse(text, currency);
        let Err(MoneyError::TooPrecise { .. }) = &exact else { return exact };
        let decimals = usize::try_from(currency.decimals()).unwrap_or(0);
        let Some((whole, fraction)) = text.trim().split_once('.') else { return exact };
        let (Some(kept), Some(rest)) = (fraction.get(..decimals), fraction.get(decimals..)) else { return exact };
        let off = |digit: char| rest.len() >= FLOAT_NOISE && rest.chars().take(FLOAT_NOISE).all(|one| one == digit);
        let below = Self::parse(&format!("{whole}.{kept}"), currency)?;
        if off('0') {
            return Ok(below);
        }
        if !off('9') {
            return exact;
        }
        let one = Self { minor: if whole.starts_with('-') { -1 } else { 1 }, currency };
        below.checked_add(one)
    }

    /// Returns the decimal text with exactly the currency's decimals: `83.00`, `-0.05`, `83` for yen.
    pub fn decimal(self) -> String {
        plain_decimal(self.minor, self.currency.decimals())
    }

    /// Returns the sum; both must be of one currency.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::TooLarge)?;
        Ok(Self { minor, currency: self.currency })
    }

    /// Returns the difference; both must be of one currency.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = self.minor.checked_sub(other.minor).ok_or(MoneyError::TooLarge)?;
        Ok(Self { minor, currency: self.currency })
    }

    /// Returns true if `self`, as a balance, is enough to pay `other`. Always false across currencies.
    pub fn covers(self, other: Self) -> bool {
        self.currency == other.currency && self.minor >= other.minor
    }

    /// Returns the amount without its sign.
    #[must_use]
    pub fn magnitude(self) -> Self {
        Self { minor: self.minor.saturating_abs(), currency: self.currency }
    }

    /// Returns the smaller of two amounts of one currency.
    pub fn checked_min(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        Ok(Self { minor: self.minor.min(other.minor), currency: self.currency })
    }

    /// Returns true for an amount above zero.
    pub fn is_positive(self) -> bool {
        self.minor > 0
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::CurrencyMismatch(self.currency, other.currency))
        }
    }
}

impl From<Amount> for WrittenAmount {
    fn from(amount: Amount) -> Self {
        Self { decimal: amount.decimal(), currency: amount.currency.code().to_owned() }
    }
}

impl From<Amount> for Argument {
    fn from(amount: Amount) -> Self {
        Self::amount(amount.minor, amount.currency.code())
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.decimal(), self.currency)
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
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
}
