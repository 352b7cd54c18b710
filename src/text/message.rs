//! Messages of the core for people. A message is made once, in English, as logs, the API and the command line show it;
//! its key and arguments are kept with it, so that pages can render it in their reader's language, even long
//! afterwards. The texts are those of `ui/locales/*/messages.ftl`.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::format::{decimals_of, plain_decimal};
use super::{Locale, Texts, WrittenAmount};

/// A message's key with its arguments, stored so that it can be rendered in another language later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StoredParts {
    /// Key of the message.
    id: String,
    /// Arguments of the message, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    values: BTreeMap<String, StoredValue>,
    /// Words of a library, in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// An argument of a stored message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum StoredValue {
    /// Plain text: a number, an id, a third party's words.
    Text(String),
    Amount(MinorUnits),
    Day {
        day: Date,
    },
    Moment {
        moment: Timestamp,
        /// Name of the time zone in which it is shown.
        zone: String,
    },
    Count {
        count: u64,
    },
    Message(StoredParts),
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    english: String,
    value: StoredValue,
}

/// A localisable message with its English text. In JSON it is the English text alone.
#[derive(Debug, Clone, Default)]
pub struct Message {
    text: String,
    // Boxed, because errors carry messages and must stay small.
    said: Option<Box<StoredParts>>,
}

/// Compares the English texts, so that a message that was read back equals the original.
impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Message {}

impl PartialEq<str> for Message {
    fn eq(&self, text: &str) -> bool {
        self.text == text
    }
}

impl PartialEq<&str> for Message {
    fn eq(&self, text: &&str) -> bool {
        self.text == *text
    }
}

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

/// Logs a message at a level of `tracing`: fields as in `tracing`, and the message last. The line's text is English, and
/// its field `said` has the message's parts for readers of other languages: `logged!(warn, action = "mail", batch,
/// msg!("log-mail-refused", to, reason))`.
macro_rules! logged {
    (@fields $level:ident [$($fields:tt)*] $name:ident = $value:expr, $($rest:tt)+) => {
        $crate::text::message::logged!(@fields $level [$($fields)* $name = $value,] $($rest)+)
    };
    (@fields $level:ident [$($fields:tt)*] $name:ident, $($rest:tt)+) => {
        $crate::text::message::logged!(@fields $level [$($fields)* $name,] $($rest)+)
    };
    (@fields $level:ident [$($fields:tt)*] $message:expr $(,)?) => {{
        let message = &$message;
        ::tracing::$level!($($fields)* said = message.parts(), "{message}");
    }};
    ($level:ident, $($rest:tt)+) => { $crate::text::message::logged!(@fields $level [] $($rest)+) };
}
pub(crate) use logged;

impl Message {
    /// Makes the message `id` with these arguments.
    pub fn new(id: &str, values: impl IntoIterator<Item = (&'static str, Argument)>) -> Self {
        let values: Vec<(&'static str, Argument)> = values.into_iter().collect();
        let english: Vec<super::TextArgument<'_>> =
            values.iter().map(|(name, argument)| (*name, argument.english.as_str().into())).collect();
        Self::worded(Texts::of(None).text(id, &english), id, values)
    }

    /// Makes a message whose English text differs from the catalogue's.
    pub fn worded<'a>(
        english: impl Into<String>,
        id: &str,
        values: impl IntoIterator<Item = (&'a str, Argument)>,
    ) -> Self {
        let values = values.into_iter().map(|(name, argument)| (name.to_owned(), argument.value)).collect();
        Self { text: english.into(), said: Some(Box::new(StoredParts { id: id.to_owned(), values, detail: None })) }
    }

    /// Makes a message of a third party's words, which are the same in every language.
    pub fn quoting(words: impl Into<String>) -> Self {
        Self { text: words.into(), said: None }
    }

    /// Appends the words of a library to the English text. They are English in any language: pages leave them out in
    /// the others, except for those of the log.
    #[must_use]
    pub fn detailed(mut self, words: impl fmt::Display) -> Self {
        self.text = format!("{}: {words}", self.text);
        self.containing(words)
    }

    /// Replaces the English text; the other languages keep theirs.
    #[must_use]
    pub fn with_text(self, english: impl Into<String>) -> Self {
        Self { text: english.into(), ..self }
    }

    /// Marks words of a library that the English text contains already. Other languages show them as those of
    /// [`detailed`](Self::detailed).
    #[must_use]
    pub fn containing(mut self, words: impl fmt::Display) -> Self {
        if let Some(said) = &mut self.said {
            said.detail = Some(words.to_string());
        }
        self
    }

    /// Makes an empty message, for a case that needs no further explanation.
    pub fn none() -> Self {
        Self::default()
    }

    /// Returns true for quoted words, which are the same in every language.
    pub fn is_quoted(&self) -> bool {
        self.said.is_none()
    }

    /// Returns the English text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the key and the arguments as a field of a log line, for [`Message::of_parts`]; empty for quoted words.
    pub fn parts(&self) -> String {
        self.said.as_ref().and_then(|said| serde_json::to_string(said).ok()).unwrap_or_default()
    }

    /// Makes the message with this English text from its [`parts`](Self::parts); quoted words if they cannot be read.
    pub fn of_parts(text: &str, parts: &str) -> Self {
        Self { text: text.to_owned(), said: serde_json::from_str(parts).ok() }
    }

    /// Renders the message by the catalogue, in English too; as its English text if the catalogue does not have it.
    pub fn rendered(&self, texts: &Texts) -> String {
        self.said.as_ref().and_then(|said| said.in_words(texts, false)).unwrap_or_else(|| self.text.clone())
    }

    /// Renders the message in the language of `texts`; in English if only that was stored, as by an earlier release.
    pub fn in_words(&self, texts: &Texts) -> String {
        if texts.locale() == Locale::English { self.text.clone() } else { self.rendered(texts) }
    }

    /// Renders the message like [`in_words`](Self::in_words), with the words of libraries.
    pub fn with_details(&self, texts: &Texts) -> String {
        let said = self.said.as_ref().filter(|_| texts.locale() != Locale::English);
        said.and_then(|said| said.in_words(texts, true)).unwrap_or_else(|| self.text.clone())
    }
}

/// A message in the fields `message`, its English text, and `said`, its key and arguments, of a record:
/// `#[serde(flatten, with = "stored")]`. Every release reads the first.
pub mod stored {
    use std::borrow::Cow;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Message, StoredParts};

    #[derive(Serialize, Deserialize)]
    struct StoredMessage<'a> {
        #[serde(default)]
        message: Cow<'a, str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said: Option<Cow<'a, StoredParts>>,
    }

    /// Writes both fields.
    pub fn serialize<S: Serializer>(message: &Message, serializer: S) -> Result<S::Ok, S::Error> {
        let said = message.said.as_deref().map(Cow::Borrowed);
        StoredMessage { message: Cow::Borrowed(message.text()), said }.serialize(serializer)
    }

    /// Reads both fields; each may be missing.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Message, D::Error> {
        let StoredMessage { message, said } = StoredMessage::deserialize(deserializer)?;
        Ok(Message { text: message.into_owned(), said: said.map(|said| Box::new(said.into_owned())) })
    }
}

/// Messages in the fields `unreadable` and `unreadable_said` of a record, one of each for each.
pub mod stored_list {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Message, StoredParts};

    #[derive(Serialize, Deserialize)]
    struct StoredListFields {
        #[serde(default)]
        unreadable: Vec<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unreadable_said: Vec<StoredParts>,
    }

    /// Writes both fields.
    pub fn serialize<S: Serializer>(messages: &[Message], serializer: S) -> Result<S::Ok, S::Error> {
        let unreadable = messages.iter().map(|message| message.text.clone()).collect();
        let unreadable_said = messages.iter().filter_map(|message| message.said.as_deref().cloned()).collect();
        StoredListFields { unreadable, unreadable_said }.serialize(serializer)
    }

    /// Reads both fields; each may be missing.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Message>, D::Error> {
        let StoredListFields { unreadable, unreadable_said } = StoredListFields::deserialize(deserializer)?;
        let said = unreadable_said.into_iter().map(|said| Some(Box::new(said))).chain(std::iter::repeat(None));
        Ok(unreadable.into_iter().zip(said).map(|(text, said)| Message { text, said }).collect())
    }
}

/// A message, or none, by its key and arguments alone.
pub mod stored_parts {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Message, StoredParts};
    use crate::text::Texts;

    /// Writes them; nothing for a message that is quoted.
    pub fn serialize<S: Serializer>(message: &Option<Message>, serializer: S) -> Result<S::Ok, S::Error> {
        message.as_ref().and_then(|message| message.said.as_deref()).serialize(serializer)
    }

    /// Reads them.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Message>, D::Error> {
        let said = Option::<Box<StoredParts>>::deserialize(deserializer)?;
        let text = |said: &StoredParts| said.in_words(Texts::of(None), false).unwrap_or_default();
        Ok(said.map(|said| Message { text: text(&said), said: Some(said) }))
    }
}

/// A message, or none, in the fields `error` and `error_said` of a record, as [`stored`] for `message` and `said`.
pub mod stored_error {
    use std::borrow::Cow;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Message, StoredParts};

    #[derive(Serialize, Deserialize)]
    struct StoredError<'a> {
        #[serde(default)]
        error: Option<Cow<'a, str>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error_said: Option<Cow<'a, StoredParts>>,
    }

    /// Writes both fields.
    pub fn serialize<S: Serializer>(error: &Option<Message>, serializer: S) -> Result<S::Ok, S::Error> {
        let error = error.as_ref();
        let error_said = error.and_then(|error| error.said.as_deref()).map(Cow::Borrowed);
        StoredError { error: error.map(|error| Cow::Borrowed(error.text())), error_said }.serialize(serializer)
    }

    /// Reads both fields; each may be missing.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Message>, D::Error> {
        let StoredError { error, error_said } = StoredError::deserialize(deserializer)?;
        let said = error_said.map(|said| Box::new(said.into_owned()));
        Ok(error.map(|text| Message { text: text.into_owned(), said }))
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

impl StoredParts {
    /// Renders the message, with the words of libraries if `detailed`; returns `None` for a message or an argument of a
    /// later release.
    fn in_words(&self, texts: &Texts, detailed: bool) -> Option<String> {
        let shown = |(name, value): (&String, &StoredValue)| {
            let shown = match value {
                StoredValue::Text(text) => text.clone(),
                StoredValue::Amount(amount) => texts.amount(amount.written()?),
                StoredValue::Day { day } => texts.day(*day),
                StoredValue::Moment { moment, zone } => {
                    texts.moment(*moment, &TimeZone::get(zone).unwrap_or(TimeZone::UTC))
                }
                StoredValue::Count { count } => texts.number(*count),
                StoredValue::Message(said) => said.in_words(texts, detailed)?,
                StoredValue::Unknown(_) => return None,
            };
            Some((name.clone(), shown))
        };
        let values: Vec<(String, String)> = self.values.iter().map(shown).collect::<Option<_>>()?;
        let values: Vec<super::TextArgument<'_>> =
            values.iter().map(|(name, shown)| (name.as_str(), shown.as_str().into())).collect();
        let text = texts.find(&self.id, &values)?;
        let detail = self.detail.as_ref().filter(|_| detailed);
        Some(detail.map_or_else(|| text.clone(), |detail| format!("{text} ({detail})")))
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
        Self { english: text.clone(), value: StoredValue::Text(text) }
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
        Self { english, value: StoredValue::Amount(amount) }
    }

    /// Returns a moment, shown in `zone`; in UTC if the zone has no name.
    pub fn moment(moment: Timestamp, zone: &TimeZone) -> Self {
        let english = Texts::of(None).moment(moment, zone);
        Self { english, value: StoredValue::Moment { moment, zone: zone.iana_name().unwrap_or("UTC").to_owned() } }
    }

    /// Returns a number that counts something: with separators.
    pub fn count(count: u64) -> Self {
        Self { english: Texts::of(None).number(count), value: StoredValue::Count { count } }
    }
}

impl From<Date> for Argument {
    fn from(day: Date) -> Self {
        Self { english: day.to_string(), value: StoredValue::Day { day } }
    }
}

impl From<Message> for Argument {
    fn from(sentence: Message) -> Self {
        match sentence.said {
            Some(said) => Self { english: sentence.text, value: StoredValue::Message(*said) },
            None => sentence.text.into(),
        }
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
mod tests;
