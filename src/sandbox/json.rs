//! JSON written by hand: a number must be sent in exactly the spelling that was chosen for it
//! (`83.00`, `8.3E+1`), which a value tree would normalise.

use crate::domain::money::Amount;

/// A piece of JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Json(String);

impl Json {
    /// Wraps text that already is JSON, or deliberately is not.
    pub(super) fn raw(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn null() -> Self {
        Self::raw("null")
    }

    pub(super) fn number(number: impl std::fmt::Display) -> Self {
        Self(number.to_string())
    }

    pub(super) fn flag(flag: bool) -> Self {
        Self(flag.to_string())
    }

    pub(super) fn text(text: &str) -> Self {
        Self(serde_json::Value::from(text).to_string())
    }

    pub(super) fn list(items: impl IntoIterator<Item = Self>) -> Self {
        let items: Vec<String> = items.into_iter().map(|Self(item)| item).collect();
        Self(format!("[{}]", items.join(",")))
    }

    pub(super) fn object<'name>(fields: impl IntoIterator<Item = (&'name str, Self)>) -> Self {
        let fields: Vec<String> =
            fields.into_iter().map(|(name, Self(value))| format!("{}:{value}", Self::text(name).0)).collect();
        Self(format!("{{{}}}", fields.join(",")))
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// Spelling of the values in one answer that a client must read leniently.
pub(super) struct Spelling(fastrand::Rng);

impl Spelling {
    pub(super) fn new(rng: fastrand::Rng) -> Self {
        Self(rng)
    }

    /// Writes a whole number, sometimes as a string.
    pub(super) fn whole(&mut self, number: impl std::fmt::Display) -> Json {
        if self.0.u8(0..4) == 0 { Json::text(&number.to_string()) } else { Json::number(number) }
    }

    /// Writes a truth value in any of the spellings that HiPay uses.
    pub(super) fn flag(&mut self, flag: bool) -> Json {
        let (yes, no) = match self.0.u8(0..5) {
            0 => ("true", "false"),
            1 => ("\"1\"", "\"0\""),
            2 => ("\"yes\"", "\"no\""),
            3 => ("\"true\"", "\"false\""),
            _ => ("1", "0"),
        };
        Json::raw(if flag { yes } else { no })
    }

    /// Writes a JSON decimal: `83.00`, `83.0`, `83`, sometimes `8.3E+1`.
    pub(super) fn decimal(&mut self, amount: Amount) -> Json {
        let plain = amount.decimal();
        match self.0.u8(0..8) {
            0..=3 => Json::raw(plain),
            4 | 5 => Json::raw(shortest(&plain, 1)),
            6 => Json::raw(shortest(&plain, 0)),
            _ => Json::raw(scientific(amount)),
        }
    }

    /// Writes an amount as HiPay does: a number or a string.
    pub(super) fn money(&mut self, amount: Amount) -> Json {
        match self.0.u8(0..3) {
            0 => Json::text(&amount.decimal()),
            1 => Json::raw(amount.decimal()),
            _ => Json::raw(shortest(&amount.decimal(), 1)),
        }
    }

    /// Adds a field that may be absent: with its value, as null, or not at all.
    pub(super) fn maybe<'name>(&mut self, fields: &mut Vec<(&'name str, Json)>, name: &'name str, value: Option<&str>) {
        match value {
            Some(text) => fields.push((name, Json::text(text))),
            None if self.0.bool() => fields.push((name, Json::null())),
            None => {}
        }
    }

    pub(super) fn either(&mut self) -> bool {
        self.0.bool()
    }
}

/// Drops zeros at the end of the fraction, but keeps at least `least` decimals.
fn shortest(plain: &str, least: usize) -> String {
    let Some((whole, fraction)) = plain.split_once('.') else { return plain.to_owned() };
    let mut kept = fraction.trim_end_matches('0').to_owned();
    while kept.len() < least {
        kept.push('0');
    }
    if kept.is_empty() { whole.to_owned() } else { format!("{whole}.{kept}") }
}

/// Returns `8.3E+1`, the notation that decimal types of some languages print.
fn scientific(amount: Amount) -> String {
    if amount.minor() == 0 {
        return amount.decimal();
    }
    let sign = if amount.minor() < 0 { "-" } else { "" };
    let digits = amount.minor().unsigned_abs().to_string();
    let places = i64::try_from(digits.len()).unwrap_or(0);
    let power = places.saturating_sub(1).saturating_sub(i64::from(amount.currency().decimals()));
    let significant = digits.trim_end_matches('0');
    let (first, rest) = significant.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    format!("{sign}{first}{point}{rest}E{power:+}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::money::Currency;

    proptest! {
        #[test]
        fn every_spelling_is_json_and_the_same_amount(minor: i64, seed: u64, code in prop::sample::select(vec!["EUR", "JPY", "KWD"])) {
            let amount = Amount::from_minor(minor, Currency::from_code(code).unwrap());
            let mut spelling = Spelling::new(fastrand::Rng::with_seed(seed));
            for json in [spelling.decimal(amount), spelling.money(amount)] {
                let text = json.into_text();
                prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{}", text);
                prop_assert_eq!(Amount::parse(text.trim_matches('"'), amount.currency()).unwrap(), amount, "{}", text);
            }
        }
    }
}
