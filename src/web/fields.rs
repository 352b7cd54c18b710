//! Reader of the fields of addresses and forms. Its errors keep the field and the allowed values as they are, so that
//! they are shown in the reader's language.

use std::borrow::Cow;
use std::fmt;
use std::iter::Peekable;
use std::vec::IntoIter;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use crate::text::message::{Message, msg};

/// One field: its name and its value.
pub(super) type RequestField<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Reads `fields` as a `T`, each value in the form in which an address has it.
pub(super) fn read_fields<'a, T: DeserializeOwned>(
    fields: impl Iterator<Item = RequestField<'a>>,
) -> Result<T, RequestFieldError> {
    let fields: Vec<RequestField<'a>> = fields.collect();
    T::deserialize(MapAccessDeserializer::new(Fields(fields.into_iter().peekable())))
}

/// The field that cannot be read, and the reason.
#[derive(Debug)]
pub(super) struct RequestFieldError {
    /// Name of the field.
    name: String,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    /// There is no such field.
    Unknown {
        allowed: &'static [&'static str],
    },
    Twice,
    Missing,
    /// The value is none of those allowed.
    Value {
        value: String,
        allowed: &'static [&'static str],
    },
    /// The value is none of those that may be chosen here.
    Choice,
    /// The value is no whole number, or too large.
    Number,
    /// The value is neither true nor false.
    Truth,
    /// Another reason, in English.
    Other(String),
}

impl RequestFieldError {
    fn of(reason: Reason) -> Self {
        Self { name: String::new(), reason }
    }

    fn named(self, name: &str) -> Self {
        if self.name.is_empty() { Self { name: name.to_owned(), ..self } } else { self }
    }

    /// Returns the message about it. `also` has the names that are allowed besides those of the type that was read.
    pub(super) fn message(self, also: &[&str]) -> Message {
        let name = self.name;
        match self.reason {
            Reason::Unknown { allowed } => msg!("misread-name", name, allowed = [allowed, also].concat().join(", ")),
            Reason::Twice => msg!("misread-twice", name),
            Reason::Missing => msg!("misread-missing", name),
            Reason::Value { value, allowed } => msg!("misread-value", name, value, allowed = allowed.join(", ")),
            Reason::Choice => msg!("misread-choice", name),
            Reason::Number => msg!("misread-number", name),
            Reason::Truth => msg!("misread-truth", name),
            Reason::Other(said) => msg!("misread-other", said = format!("{name}: {said}")),
        }
    }
}

impl fmt::Display for RequestFieldError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {:?}", self.name, self.reason)
    }
}

impl std::error::Error for RequestFieldError {}

impl Error for RequestFieldError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::of(Reason::Other(message.to_string()))
    }

    fn invalid_value(_found: Unexpected<'_>, _expected: &dyn serde::de::Expected) -> Self {
        Self::of(Reason::Choice)
    }

    fn unknown_variant(value: &str, allowed: &'static [&'static str]) -> Self {
        Self::of(Reason::Value { value: value.to_owned(), allowed })
    }

    fn unknown_field(name: &str, allowed: &'static [&'static str]) -> Self {
        Self::of(Reason::Unknown { allowed }).named(name)
    }

    fn missing_field(name: &'static str) -> Self {
        Self::of(Reason::Missing).named(name)
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self::of(Reason::Twice).named(name)
    }
}

/// The fields that are still to be read.
struct Fields<'a>(Peekable<IntoIter<RequestField<'a>>>);

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = RequestFieldError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, RequestFieldError> {
        self.0.peek().map(|(name, _)| seed.deserialize(StrDeserializer::new(name))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, RequestFieldError> {
        let (name, value) = self.0.next().unwrap_or_default();
        seed.deserialize(Text(&value)).map_err(|error| error.named(&name))
    }
}

/// The value of a field.
struct Text<'a>(&'a str);

/// Implements the reading of whole numbers.
macro_rules! whole_numbers {
    ($($read:ident $visit:ident)+) => {
        $(fn $read<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RequestFieldError> {
            visitor.$visit(self.0.parse().map_err(|_| RequestFieldError::of(Reason::Number))?)
        })+
    };
}

impl<'de> Deserializer<'de> for Text<'_> {
    type Error = RequestFieldError;

    whole_numbers! { deserialize_u8 visit_u8 deserialize_u16 visit_u16 deserialize_u32 visit_u32
    deserialize_u64 visit_u64 deserialize_i64 visit_i64 }

    forward_to_deserialize_any! {
        u128 i8 i16 i32 i128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RequestFieldError> {
        visitor.visit_str(self.0)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RequestFieldError> {
        visitor.visit_bool(self.0.parse().map_err(|_| RequestFieldError::of(Reason::Truth))?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RequestFieldError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, RequestFieldError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, RequestFieldError> {
        visitor.visit_enum(StrDeserializer::new(self.0))
    }
}

#[cfg(test)]
mod tests;
