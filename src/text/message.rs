//! What the core says to people. A sentence is made once, in English, as logs, the API and the command line
//! show it; beside that stands what it was made of, so that pages can say it in their reader's language,
//! also long after. Its texts are those of `ui/locales/*/sentences.ftl`.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::format::{decimals_of, plain_decimal};
use super::{Locale, Texts, WrittenAmount};

/// What was made a sentence of: kept in records beside the English text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The name of its text.
    id: String,
    /// What stands in the places of that.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    values: BTreeMap<String, Value>,
}

/// What stands in a place of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Value {
    /// As it is: a number, an id, somebody else's words.
    Text(String),
    Amount(MinorUnits),
    Day {
        day: Date,
    },
    Said(Said),
    /// What a later release wrote.
    Unknown(serde_json::Value),
}

/// An amount as records keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct MinorUnits {
    minor: i64,
    /// The code of the currency.
    currency: String,
}

impl MinorUnits {
    /// Returns its digits; `None` for a currency that this release does not know.
    fn written(&self) -> Option<WrittenAmount> {
        let decimal = plain_decimal(self.minor, decimals_of(&self.currency)?);
        Some(WrittenAmount { decimal, currency: self.currency.clone() })
    }
}

/// A value for a place of a text, and how it reads in English.
#[derive(Debug, Clone)]
pub struct Argument {
    english: String,
    value: Value,
}

/// A sentence in English that can be said in other languages. In JSON it is its English text alone.
#[derive(Debug, Clone, Default)]
pub struct Sentence {
    text: String,
    // Errors carry sentences: they stay small.
    said: Option<Box<Said>>,
}

/// One that was read again says the same.
impl PartialEq for Sentence {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Sentence {}

/// A sentence by the name of its text, with the values that this has places for:
/// `say!("pay-refused", kind, reason = &rejection)`.
macro_rules! say {
    (@value $name:ident) => { $crate::text::message::Argument::from($name) };
    (@value $name:ident = $value:expr) => { $crate::text::message::Argument::from($value) };
    ($id:literal $(, $name:ident $(= $value:expr)?)* $(,)?) => {
        $crate::text::message::Sentence::new(
            $id,
            [$((stringify!($name), $crate::text::message::say!(@value $name $(= $value)?))),*],
        )
    };
}
pub(crate) use say;

impl Sentence {
    /// The text `id` with these values.
    pub fn new<const N: usize>(id: &str, values: [(&'static str, Argument); N]) -> Self {
        let english: Vec<super::Value<'_>> =
            values.iter().map(|(name, argument)| (*name, argument.english.as_str().into())).collect();
        Self::worded(Texts::of(None).text(id, &english), id, values)
    }

    /// The same, with an English text of its own.
    pub fn worded<const N: usize>(english: impl Into<String>, id: &str, values: [(&'static str, Argument); N]) -> Self {
        let values = values.into_iter().map(|(name, argument)| (name.to_owned(), argument.value)).collect();
        Self { text: english.into(), said: Some(Box::new(Said { id: id.to_owned(), values })) }
    }

    /// Somebody else's words, which are the same in every language.
    pub fn quoting(words: impl Into<String>) -> Self {
        Self { text: words.into(), said: None }
    }

    /// With the words of a library behind it. They are English in any language, and stay out of others: they
    /// are in the log.
    #[must_use]
    pub fn detailed(mut self, words: impl fmt::Display) -> Self {
        self.text = format!("{}: {words}", self.text);
        self
    }

    /// Nothing: where all has been said.
    pub fn none() -> Self {
        Self::default()
    }

    /// The English text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it was made of, to be kept; nothing where it is quoted.
    pub fn said(&self) -> Option<&Said> {
        self.said.as_deref()
    }

    /// Both, for a record.
    pub fn into_parts(self) -> (String, Option<Said>) {
        (self.text, self.said.map(|said| *said))
    }

    /// The sentence of which a record keeps these parts.
    pub fn of_parts(text: String, said: Option<Said>) -> Self {
        Self { text, said: said.map(Box::new) }
    }

    /// In the language of `texts`.
    pub fn in_words(&self, texts: &Texts) -> String {
        in_words(&self.text, self.said(), texts)
    }
}

/// Who asked for something: a person by name, or what asks in the place of one.
pub fn asker(name: &str) -> Sentence {
    const NOBODY: [&str; 4] = ["schedule", "auto", "command line", "a person on the command line"];
    if NOBODY.contains(&name) {
        return Sentence::worded(name, &format!("asker-{}", name.replace(' ', "-")), []);
    }
    Sentence::quoting(name)
}

/// What a record keeps of a sentence, in the language of `texts`; the English text where there is nothing
/// else, as in the records of an earlier release.
pub fn in_words(english: &str, said: Option<&Said>, texts: &Texts) -> String {
    let foreign = said.filter(|_| texts.locale() != Locale::English);
    foreign.and_then(|said| said.in_words(texts)).unwrap_or_else(|| english.to_owned())
}

impl Said {
    /// Nothing where a later release has said what this one has no words for.
    fn in_words(&self, texts: &Texts) -> Option<String> {
        let shown = |(name, value): (&String, &Value)| {
            let shown = match value {
                Value::Text(text) => text.clone(),
                Value::Amount(amount) => texts.amount(amount.written()?),
                Value::Day { day } => texts.day(*day),
                Value::Said(said) => said.in_words(texts)?,
                Value::Unknown(_) => return None,
            };
            Some((name.clone(), shown))
        };
        let values: Vec<(String, String)> = self.values.iter().map(shown).collect::<Option<_>>()?;
        let values: Vec<super::Value<'_>> =
            values.iter().map(|(name, shown)| (name.as_str(), shown.as_str().into())).collect();
        texts.find(&self.id, &values)
    }
}

impl fmt::Display for Sentence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Deref for Sentence {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl Serialize for Sentence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Sentence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::quoting)
    }
}

impl From<String> for Argument {
    fn from(text: String) -> Self {
        Self { english: text.clone(), value: Value::Text(text) }
    }
}

impl From<&String> for Argument {
    fn from(text: &String) -> Self {
        text.clone().into()
    }
}

impl From<&str> for Argument {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// Numbers that name something: without separators.
macro_rules! numbers {
    ($($number:ty),+) => {$(
        impl From<$number> for Argument {
            fn from(number: $number) -> Self {
                number.to_string().into()
            }
        }
    )+};
}
numbers!(u16, u32, u64, usize, i64);

impl Argument {
    /// Returns an amount in minor units of the currency with this code.
    pub fn amount(minor: i64, currency: &str) -> Self {
        let amount = MinorUnits { minor, currency: currency.to_owned() };
        let english = amount.written().map_or_else(
            || format!("{minor} {currency}"),
            |WrittenAmount { decimal, currency }| format!("{decimal} {currency}"),
        );
        Self { english, value: Value::Amount(amount) }
    }
}

impl From<Date> for Argument {
    fn from(day: Date) -> Self {
        Self { english: day.to_string(), value: Value::Day { day } }
    }
}

impl From<Sentence> for Argument {
    fn from(sentence: Sentence) -> Self {
        match sentence.said {
            Some(said) => Self { english: sentence.text, value: Value::Said(*said) },
            None => sentence.text.into(),
        }
    }
}

impl From<Said> for Argument {
    fn from(said: Said) -> Self {
        Self { english: said.in_words(Texts::of(None)).unwrap_or_default(), value: Value::Said(said) }
    }
}

/// Whatever can be said as a sentence can stand in one.
impl<T> From<&T> for Argument
where
    for<'a> Sentence: From<&'a T>,
{
    fn from(thing: &T) -> Self {
        Sentence::from(thing).into()
    }
}

impl From<&Self> for Sentence {
    fn from(sentence: &Self) -> Self {
        sentence.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::json;

    use super::*;
    use crate::domain::money::{Amount, Currency};
    use crate::domain::payment_kind::PaymentKind;
    use crate::store::StoreError;
    use crate::text::catalog::source;

    fn french() -> &'static Texts {
        Texts::of(Some(Locale::French))
    }

    /// The sentence out of a record.
    fn kept(sentence: &Sentence) -> (String, Option<Said>) {
        let (text, said) = sentence.clone().into_parts();
        let said = said.map(|said| serde_json::from_value(serde_json::to_value(said).unwrap()).unwrap());
        (text, said)
    }

    #[test]
    fn a_record_is_said_in_the_readers_language() {
        let amount = |minor| Amount::from_minor(minor, Currency::EUR);
        let (kind, balance) = (PaymentKind::Transfer, amount(123_450));
        let sentence = say!("pay-short", kind, balance, amount = amount(200_000));
        assert_eq!(sentence.text(), "the account holds 1234.50 EUR, the transfer needs 2000.00 EUR");
        let (text, said) = kept(&sentence);
        let shown = in_words(&text, said.as_ref(), french());
        assert_eq!(shown, "le compte contient 1\u{202f}234,50\u{a0}EUR, le virement demande 2\u{202f}000,00\u{a0}EUR");
        assert_eq!(in_words(&text, said.as_ref(), Texts::of(Some(Locale::English))), text);
        // An earlier release has kept no more than this.
        assert_eq!(in_words(&text, None, french()), text);
    }

    #[test]
    fn one_sentence_stands_in_another() {
        let closed = StoreError::Closed;
        let sentence = say!("held-not-read", date = "2026-11-01".parse::<Date>().unwrap(), error = &closed);
        assert_eq!(sentence.text(), "the held vouchers of 2026-11-01 could not be read again: the store is closed");
        let (text, said) = kept(&sentence);
        assert_eq!(
            in_words(&text, said.as_ref(), french()),
            "les bons de paiement retenus du 1er nov. 2026 n’ont pas pu être relus\u{202f}: la base est fermée"
        );
        // What somebody else said stands there as it was said.
        let quoting = say!("mirakl-credentials", said = Sentence::quoting("<b>no</b> { $said }"));
        assert_eq!(quoting.in_words(french()), "Mirakl a refusé nos identifiants\u{202f}: <b>no</b> { $said }");
    }

    #[test]
    fn what_a_later_release_says_is_shown_as_it_stands() {
        for said in [
            json!({ "id": "of-a-later-release" }),
            json!({ "id": "pay-found", "new": true }),
            json!({ "id": "pay-too-many", "values": { "kind": { "of": ["later"] } } }),
            json!({ "id": "pay-too-many", "values": { "kind": { "id": "of-a-later-release" } } }),
            json!({ "id": "pay-too-many", "values": {} }),
        ] {
            let said: Said = serde_json::from_value(said).unwrap();
            let shown = in_words("it stands", Some(&said), french());
            assert_eq!(shown == "it stands", said.id != "pay-found", "{said:?}: {shown}");
        }
    }

    /// The texts of a language by name, each with the names of its places.
    fn texts(file: &str) -> BTreeMap<String, BTreeSet<String>> {
        let named = file.lines().filter_map(|line| line.split_once(" = "));
        let places = |text: &str| {
            text.split("{ $").skip(1).filter_map(|rest| rest.split_once(' ')).map(|(name, _)| name.to_owned()).collect()
        };
        named.map(|(id, text)| (id.to_owned(), places(text))).collect()
    }

    /// What is said in `code`: the name of the text, and the names of the values.
    fn said_in(code: &str) -> Vec<(String, BTreeSet<String>)> {
        let mut said = Vec::new();
        for call in code.split(concat!("say", "!(")).skip(1) {
            let Some(rest) = call.trim_start().strip_prefix('"') else { continue };
            let (id, rest) = rest.split_once('"').unwrap();
            let (mut depth, mut arguments) = (0_i32, vec![String::new()]);
            for letter in rest.chars() {
                depth += i32::from("([{".contains(letter)) - i32::from(")]}".contains(letter));
                if depth < 0 {
                    break;
                }
                if letter == ',' && depth == 0 {
                    arguments.push(String::new());
                } else if let Some(last) = arguments.last_mut() {
                    last.push(letter);
                }
            }
            let name = |argument: &String| argument.split(" = ").next().unwrap_or_default().trim().to_owned();
            said.push((id.to_owned(), arguments.iter().map(name).filter(|name| !name.is_empty()).collect()));
        }
        said
    }

    #[test]
    fn every_sentence_has_a_text_with_places_for_its_values_and_every_text_is_said() {
        let code = source("src");
        let mut texts_known = texts(include_str!("../../ui/locales/en/sentences.ftl"));
        texts_known.extend(texts(include_str!("../../ui/locales/en/problem.ftl")));
        let said = said_in(&code);
        assert!(said.len() > 150, "{}", said.len());
        for (id, values) in said {
            assert_eq!(texts_known.get(&id), Some(&values), "{id}");
        }
        // Those that are made of a word and a name are named by what they begin with.
        for id in texts_known.keys() {
            let made = ["hipay-code-", "hipay-detail-", "kind-of-", "row-", "asker-", "unmoved-"]
                .into_iter()
                .any(|start| id.starts_with(start));
            assert!(made || code.contains(&format!("\"{id}\"")), "{id} is never said");
        }
    }
}
