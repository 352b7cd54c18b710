//! Messages of the core for people. A message is made once, in English, as logs, the API and the command line show it;
//! its key and arguments are kept with it, so that pages can render it in their reader's language, even long
//! afterwards. The texts are those of `ui/locales/*/messages.ftl`.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::format::{decimals_of, plain_decimal};
use super::{Locale, Texts, WrittenAmount};

/// A message key with its arguments, stored so that it can be rendered in another language later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredMessage {
    /// Key of the message.
    id: String,
    /// Arguments of the message, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    values: BTreeMap<String, Value>,
}

/// An argument of a stored message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Value {
    /// Plain text: a number, an id, a third party's words.
    Text(String),
    Amount(MinorUnits),
    Day {
        day: Date,
    },
    StoredMessage(StoredMessage),
    /// A value that a later release wrote.
    Unknown(serde_json::Value),
}

/// An amount as stored in records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct MinorUnits {
    minor: i64,
    /// The code of the currency.
    currency: String,
}

impl MinorUnits {
    /// Returns the amount in digits; `None` for a currency that this release does not know.
    fn written(&self) -> Option<WrittenAmount> {
        let decimal = plain_decimal(self.minor, decimals_of(&self.currency)?);
        Some(WrittenAmount { decimal, currency: self.currency.clone() })
    }
}

/// An argument of a message, with its English text.
#[derive(Debug, Clone)]
pub struct Argument {
    english: String,
    value: Value,
}

/// A localisable message with its English text. In JSON it is the English text alone.
#[derive(Debug, Clone, Default)]
pub struct Message {
    text: String,
    // Boxed, because errors carry messages and must stay small.
    said: Option<Box<StoredMessage>>,
}

/// Compares the English texts, so that a message that was read back equals the original.
impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Message {}

/// Makes a message from its key and the arguments that its text requires: `msg!("pay-refused", kind, reason =
/// &rejection)`.
macro_rules! msg {
    (@value $name:ident) => { $crate::text::message::Argument::from($name) };
    (@value $name:ident = $value:expr) => { $crate::text::message::Argument::from($value) };
    ($key:literal $(, $name:ident $(= $value:expr)?)* $(,)?) => {
        $crate::text::message::Message::new(
            {
                const _: () = $crate::text::assert_message($key, &[$(stringify!($name)),*]);
                $key
            },
            [$((stringify!($name), $crate::text::message::msg!(@value $name $(= $value)?))),*],
        )
    };
}
pub(crate) use msg;

impl Message {
    /// Makes the message `id` with these arguments.
    pub fn new<const N: usize>(id: &str, values: [(&'static str, Argument); N]) -> Self {
        let english: Vec<super::Value<'_>> =
            values.iter().map(|(name, argument)| (*name, argument.english.as_str().into())).collect();
        Self::worded(Texts::of(None).text(id, &english), id, values)
    }

    /// Makes a message whose English text differs from the catalogue's.
    pub fn worded<const N: usize>(english: impl Into<String>, id: &str, values: [(&'static str, Argument); N]) -> Self {
        let values = values.into_iter().map(|(name, argument)| (name.to_owned(), argument.value)).collect();
        Self { text: english.into(), said: Some(Box::new(StoredMessage { id: id.to_owned(), values })) }
    }

    /// Makes a message of a third party's words, which are the same in every language.
    pub fn quoting(words: impl Into<String>) -> Self {
        Self { text: words.into(), said: None }
    }

    /// Appends the words of a library to the English text. They are English in any language and are left out of the
    /// others; the log contains them.
    #[must_use]
    pub fn detailed(mut self, words: impl fmt::Display) -> Self {
        self.text = format!("{}: {words}", self.text);
        self
    }

    /// Makes an empty message, for a case that needs no further explanation.
    pub fn none() -> Self {
        Self::default()
    }

    /// Returns the English text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the key and arguments for storing; `None` for a quotation.
    pub fn said(&self) -> Option<&StoredMessage> {
        self.said.as_deref()
    }

    /// Splits the message into its English text and its stored form, for a record.
    pub fn into_parts(self) -> (String, Option<StoredMessage>) {
        (self.text, self.said.map(|said| *said))
    }

    /// Makes the message from the parts that a record keeps.
    pub fn of_parts(text: String, said: Option<StoredMessage>) -> Self {
        Self { text, said: said.map(Box::new) }
    }

    /// Returns the message in the language of `texts`.
    pub fn in_words(&self, texts: &Texts) -> String {
        in_words(&self.text, self.said(), texts)
    }
}

/// Makes the message for the author of a request: a person by name, or an automatic source.
pub fn asker(name: &str) -> Message {
    const NOBODY: [&str; 4] = ["schedule", "auto", "command line", "a person on the command line"];
    if NOBODY.contains(&name) {
        return Message::worded(name, &format!("asker-{}", name.replace(' ', "-")), []);
    }
    Message::quoting(name)
}

/// Renders a message from a record in the language of `texts`; returns the English text if nothing else is stored, as
/// in the records of an earlier release.
pub fn in_words(english: &str, said: Option<&StoredMessage>, texts: &Texts) -> String {
    let foreign = said.filter(|_| texts.locale() != Locale::English);
    foreign.and_then(|said| said.in_words(texts)).unwrap_or_else(|| english.to_owned())
}

impl StoredMessage {
    /// Renders the message; returns `None` for a message or an argument of a later release.
    fn in_words(&self, texts: &Texts) -> Option<String> {
        let shown = |(name, value): (&String, &Value)| {
            let shown = match value {
                Value::Text(text) => text.clone(),
                Value::Amount(amount) => texts.amount(amount.written()?),
                Value::Day { day } => texts.day(*day),
                Value::StoredMessage(said) => said.in_words(texts)?,
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

impl fmt::Display for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Deref for Message {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Message {
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

/// Implements the conversion of numbers that identify something: they are written without separators.
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
    /// Makes the argument for an amount in minor units of the currency with this code.
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

impl From<Message> for Argument {
    fn from(sentence: Message) -> Self {
        match sentence.said {
            Some(said) => Self { english: sentence.text, value: Value::StoredMessage(*said) },
            None => sentence.text.into(),
        }
    }
}

impl From<StoredMessage> for Argument {
    fn from(said: StoredMessage) -> Self {
        Self { english: said.in_words(Texts::of(None)).unwrap_or_default(), value: Value::StoredMessage(said) }
    }
}

/// Converts any value that has a message, so that one message can be an argument of another.
impl<T> From<&T> for Argument
where
    for<'a> Message: From<&'a T>,
{
    fn from(thing: &T) -> Self {
        Message::from(thing).into()
    }
}

impl From<&Self> for Message {
    fn from(sentence: &Self) -> Self {
        sentence.clone()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::money::{Amount, Currency};
    use crate::domain::payment_kind::PaymentKind;
    use crate::store::StoreError;

    fn french() -> &'static Texts {
        Texts::of(Some(Locale::French))
    }

    /// Returns the message as read back from a record.
    fn kept(sentence: &Message) -> (String, Option<StoredMessage>) {
        let (text, said) = sentence.clone().into_parts();
        let said = said.map(|said| serde_json::from_value(serde_json::to_value(said).unwrap()).unwrap());
        (text, said)
    }

    #[test]
    fn a_record_is_said_in_the_readers_language() {
        let amount = |minor| Amount::from_minor(minor, Currency::EUR);
        let (kind, balance) = (PaymentKind::Transfer, amount(123_450));
        let sentence = msg!("pay-short", kind, balance, amount = amount(200_000));
        assert_eq!(sentence.text(), "the account holds 1234.50 EUR, the transfer needs 2000.00 EUR");
        let (text, said) = kept(&sentence);
        let shown = in_words(&text, said.as_ref(), french());
        assert_eq!(shown, "le compte contient 1\u{202f}234,50\u{a0}EUR, le virement demande 2\u{202f}000,00\u{a0}EUR");
        assert_eq!(in_words(&text, said.as_ref(), Texts::of(Some(Locale::English))), text);
        // An earlier release stored only the English text.
        assert_eq!(in_words(&text, None, french()), text);
    }

    #[test]
    fn one_sentence_stands_in_another() {
        let closed = StoreError::Closed;
        let sentence = msg!("held-not-read", date = "2026-11-01".parse::<Date>().unwrap(), error = &closed);
        assert_eq!(sentence.text(), "the held vouchers of 2026-11-01 could not be read again: the store is closed");
        let (text, said) = kept(&sentence);
        assert_eq!(
            in_words(&text, said.as_ref(), french()),
            "les bons de paiement retenus du 1er nov. 2026 n’ont pas pu être relus\u{202f}: la base est fermée"
        );
        // A third party's words are inserted unchanged.
        let quoting = msg!("mirakl-credentials", said = Message::quoting("<b>no</b> { $said }"));
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
            let said: StoredMessage = serde_json::from_value(said).unwrap();
            let shown = in_words("it stands", Some(&said), french());
            assert_eq!(shown == "it stands", said.id != "pay-found", "{said:?}: {shown}");
        }
    }
}
