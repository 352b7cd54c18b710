//! Lenient decoding of JSON scalars, in one place: the remotes send numbers as numbers or as text and booleans
//! as `0/1`, `"0"/"1"`, `true/false` or `yes/no`.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::domain::money::{Amount, Currency, MoneyError};

/// A JSON string, number or boolean as its literal text: a number never passes through a float. Null, an absent
/// field, an object and an array all count as absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Scalar {
    /// Null, an absent field, an object or an array.
    #[default]
    Nothing,
    /// Text of a string or a number.
    Text(String),
    /// `true` or `false`, which is never a text or a number.
    Boolean(bool),
}

impl Scalar {
    /// Returns the text, unless it is absent or blank.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.trim()).filter(|text| !text.is_empty()),
            Self::Nothing | Self::Boolean(_) => None,
        }
    }

    /// Returns the text; empty if it is absent.
    pub fn text_or_empty(&self) -> String {
        self.text().unwrap_or_default().to_owned()
    }

    /// Parses a whole number; `12.0` counts as one.
    pub fn integer(&self) -> Option<i64> {
        let text = self.text()?;
        let whole = match text.split_once('.') {
            Some((whole, fraction)) if fraction.bytes().all(|digit| digit == b'0') => whole,
            _ => text,
        };
        whole.parse().ok()
    }

    /// Parses a count: a whole number that is not negative.
    pub fn count(&self) -> Option<u64> {
        self.integer().and_then(|number| u64::try_from(number).ok())
    }

    /// Parses an id: a whole number above zero.
    pub fn id(&self) -> Option<u64> {
        self.count().filter(|id| *id > 0)
    }

    /// Parses a boolean in any of its spellings; `None` for any other text.
    pub fn flag(&self) -> Option<bool> {
        if let Self::Boolean(value) = self {
            return Some(*value);
        }
        match self.text()?.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "y" | "on" => Some(true),
            "0" | "false" | "no" | "n" | "off" => Some(false),
            _ => None,
        }
    }

    /// Parses an account's balance, rounded down to the currency's decimals; `None` if it is absent.
    pub fn balance(&self, currency: Currency) -> Result<Option<Amount>, MoneyError> {
        self.text().map(|text| Amount::parse_down(text, currency)).transpose()
    }

    /// Parses an amount that its sender may have computed with floats; `None` if it is absent.
    pub fn computed_amount(&self, currency: Currency) -> Result<Option<Amount>, MoneyError> {
        self.text().map(|text| Amount::parse_computed(text, currency)).transpose()
    }

    /// Parses an amount in `currency`; `None` if it is absent.
    pub fn amount(&self, currency: Currency) -> Result<Option<Amount>, MoneyError> {
        self.text().map(|text| Amount::parse(text, currency)).transpose()
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <Box<RawValue>>::deserialize(deserializer)?;
        let text = raw.get();
        Ok(match text.as_bytes().first() {
            None | Some(b'n' | b'{' | b'[') => Self::Nothing,
            Some(b't' | b'f') => Self::Boolean(text == "true"),
            Some(b'"') => Self::Text(serde_json::from_str(text).map_err(serde::de::Error::custom)?),
            Some(_) => Self::Text(text.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests;
