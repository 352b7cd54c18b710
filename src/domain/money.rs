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
        self.combined(other, i64::checked_add)
    }

    /// Returns the difference; both must be of one currency.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.combined(other, i64::checked_sub)
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
        self.combined(other, |one, other| Some(one.min(other)))
    }

    /// Returns true for an amount above zero.
    pub fn is_positive(self) -> bool {
        self.minor > 0
    }

    fn combined(self, other: Self, minor: fn(i64, i64) -> Option<i64>) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch(self.currency, other.currency));
        }
        let minor = minor(self.minor, other.minor).ok_or(MoneyError::TooLarge)?;
        Ok(Self { minor, currency: self.currency })
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
mod tests;
