//! The JSON format: nested objects. Numbers are kept as written and never become floats.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{MAX_DEPTH, NotificationFields, UnreadableNotification, nested, too_deep};
use crate::text::message::msg;

/// Parses an object: its fields, and the name of the single object that it consists of, if it does (`{"settlement":
/// {…}}`).
pub(super) fn read(body: &str) -> Result<(String, NotificationFields), UnreadableNotification> {
    let mut object: Object<'_> = parse(body)?;
    let mut root = String::new();
    if let [(name, only)] = object.0.as_slice()
        && only.get().starts_with('{')
    {
        root.clone_from(name);
        object = parse(only.get())?;
    }
    let mut fields = NotificationFields::default();
    for (name, value) in object.0 {
        add(&mut fields, &name, value, 1)?;
    }
    Ok((root, fields))
}

fn add(
    fields: &mut NotificationFields,
    name: &str,
    value: &RawValue,
    depth: usize,
) -> Result<(), UnreadableNotification> {
    if depth > MAX_DEPTH {
        return Err(too_deep());
    }
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'{') => {
            for (inner, value) in parse::<Object<'_>>(text)?.0 {
                add(fields, &nested(name, &inner), value, depth + 1)?;
            }
        }
        Some(b'[') => {
            for (number, value) in parse::<Vec<&RawValue>>(text)?.into_iter().enumerate() {
                add(fields, &nested(name, &number.to_string()), value, depth + 1)?;
            }
        }
        Some(b'"') => fields.insert(name, &parse::<String>(text)?),
        Some(b'n') | None => fields.insert(name, ""),
        Some(_) => fields.insert(name, text),
    }
    Ok(())
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, UnreadableNotification> {
    serde_json::from_str(text).map_err(|error| UnreadableNotification(msg!("unreadable-json").detailed(error)))
}

/// Members of an object in their order.
struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}
