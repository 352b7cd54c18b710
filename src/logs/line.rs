//! A log line: its conversion from an event of `tracing`, and its indexes.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};

use crate::config::LogLevel;
use crate::store::{AnyIndex, Index, QUARTER_OF_A_DAY, Record};
use crate::text::Texts;
use crate::text::message::Message;

/// Maximum length of a message, in characters; longer ones are cut.
const MAX_MESSAGE_LENGTH: usize = 4_000;
const MAX_FIELD_LENGTH: usize = 1_000;
/// Maximum number of fields; further ones are dropped.
const MAX_FIELDS: usize = 40;

/// A stored line of the log. The latest has the highest key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// Our own number; 0 until the line is stored.
    pub id: u64,
    /// Time of the event (UTC).
    pub at: Timestamp,
    /// Level from 100 (DEBUG) to 600 (EMERGENCY), as in the configuration; see [`LogLine::severity`].
    pub level: u16,
    /// Action: a batch's command, or a part of the appliance such as `mail`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub action: String,
    /// The shop concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirakl_id: Option<u64>,
    /// The batch that was running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<u64>,
    /// The message.
    #[serde(default)]
    pub message: String,
    /// Key and arguments of the message, as [`Message::parts`] has them; empty for a text that is English only.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub said: String,
    /// Target of the event, that is, the library; empty for our own lines.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub target: String,
    /// All other fields, such as `voucher` or `request_id`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
    /// Fields written by a later release, kept unchanged.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl LogLine {
    /// Creates a line with `message` that is not stored yet.
    pub fn said(at: Timestamp, level: LogLevel, action: impl Into<String>, message: String) -> Self {
        Self {
            id: 0,
            at,
            level: level.number(),
            action: action.into(),
            mirakl_id: None,
            batch: None,
            message,
            said: String::new(),
            target: String::new(),
            fields: Map::new(),
            unknown: Map::new(),
        }
    }

    /// Returns the level as an enum.
    pub fn severity(&self) -> LogLevel {
        LogLevel::of_number(self.level)
    }

    /// Renders the message in the language of `texts`; in English if only that is known.
    pub fn in_words(&self, texts: &Texts) -> String {
        Message::of_parts(&self.message, &self.said).with_details(texts)
    }

    /// Returns true if the line comes from our own code and not from a library.
    pub fn is_own(&self) -> bool {
        self.target.is_empty()
    }

    /// Returns the approximate memory that it takes, in bytes.
    pub(super) fn size(&self) -> usize {
        let of_value = |value: &Value| value.as_str().map_or(16, str::len);
        let fields: usize = self.fields.iter().map(|(name, value)| name.len() + of_value(value) + 64).sum();
        size_of::<Self>() + self.action.len() + self.message.len() + self.said.len() + self.target.len() + fields
    }
}

/// The key is the time and then the number, so that every list is in chronological order without an
/// index for it. The level and the action have few groups, shops and batches many small ones.
/// Within each of these, the lines of one level are indexed separately.
impl Record for LogLine {
    const COLLECTION: &'static str = "logs";
    type Key = (Timestamp, u64);
    const INDEXES: &[&dyn AnyIndex<Self>] = &[&Self::BY_LEVEL, &Self::BY_ACTION, &Self::BY_SHOP, &Self::BY_BATCH];

    fn key(&self) -> Self::Key {
        (self.at, self.id)
    }
}

impl LogLine {
    /// By level.
    pub const BY_LEVEL: Index<Self, u64> =
        Index::by_key("level", 1, |line: &Self| vec![u64::from(line.level)]).bucketed(QUARTER_OF_A_DAY);

    /// By action and level.
    pub const BY_ACTION: Index<Self, (String, u64)> = Index::by_key("action", 2, |line: &Self| {
        let action = Some(line.action.clone()).filter(|action| !action.is_empty());
        action.map(|action| (action, u64::from(line.level))).into_iter().collect()
    })
    .bucketed(QUARTER_OF_A_DAY)
    .for_pages();

    /// By shop and level.
    pub const BY_SHOP: Index<Self, (u64, u64)> = Index::by_key("mirakl_id", 2, |line: &Self| {
        line.mirakl_id.map(|id| (id, u64::from(line.level))).into_iter().collect()
    })
    .bucketed(QUARTER_OF_A_DAY)
    .for_pages();

    /// By batch and level.
    pub const BY_BATCH: Index<Self, (u64, u64)> = Index::by_key("batch", 2, |line: &Self| {
        line.batch.map(|batch| (batch, u64::from(line.level))).into_iter().collect()
    })
    .bucketed(QUARTER_OF_A_DAY)
    .for_pages();
}

/// Fields of an event or a span.
#[derive(Debug, Clone, Default)]
pub(super) struct FieldVisitor {
    pub(super) message: String,
    pub(super) said: String,
    pub(super) severity: Option<LogLevel>,
    pub(super) action: Option<String>,
    pub(super) mirakl_id: Option<u64>,
    pub(super) batch: Option<u64>,
    pub(super) fields: Vec<(&'static str, Value)>,
}

impl FieldVisitor {
    fn say(&mut self, field: &Field, value: Value) {
        match (field.name(), &value) {
            ("message", Value::String(text)) => self.message = shortened(text, MAX_MESSAGE_LENGTH),
            ("said", Value::String(parts)) if parts.len() > MAX_MESSAGE_LENGTH => {}
            ("said", Value::String(parts)) => parts.clone_into(&mut self.said),
            ("severity", Value::String(text)) => self.severity = LogLevel::named(text),
            ("action", Value::String(text)) => self.action = Some(text.clone()),
            ("mirakl_id", Value::Number(id)) if id.is_u64() => self.mirakl_id = id.as_u64(),
            ("batch", Value::Number(id)) if id.is_u64() => self.batch = id.as_u64(),
            (_, Value::String(text)) => self.keep(field.name(), Value::String(shortened(text, MAX_FIELD_LENGTH))),
            _ => self.keep(field.name(), value),
        }
    }

    fn keep(&mut self, name: &'static str, value: Value) {
        self.fields.retain(|(known, _)| *known != name);
        if self.fields.len() < MAX_FIELDS {
            self.fields.push((name, value));
        }
    }
}

impl Visit for FieldVisitor {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.say(field, Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.say(field, Value::String(value.to_owned()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.say(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.say(field, value.into());
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.say(field, u64::try_from(value).map_or_else(|_| value.to_string().into(), Value::from));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.say(field, value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.say(field, Value::String(value.to_string()));
    }
}

fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
