//! A person's choice on several operations at once, and what became of each request.
//!
//! Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::text::message::{self, Message};

/// A choice on several operations, stored before the first of them is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupChoice {
    /// Our own number, from 1.
    pub id: u64,
    /// Word of the choice: `retry`, `hold`, `release` or `settle`.
    pub choice: String,
    /// The person who made it.
    pub person: String,
    /// Reason in the person's words; empty if none was given.
    #[serde(default)]
    pub reason: String,
    /// Time of the choice (UTC).
    pub at: Timestamp,
    /// The operations as the person confirmed them, by their numbers.
    pub operations: Vec<u64>,
    /// Those that were not changed, with the reason.
    #[serde(default)]
    pub refused: Vec<RefusedChoice>,
    /// Batches that were enqueued for them, by their numbers.
    #[serde(default)]
    pub batches: Vec<u64>,
    /// Fields that a later release wrote, kept unchanged.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// An operation that a choice did not change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedChoice {
    /// Number of the operation.
    pub operation: u64,
    /// Reason for the refusal.
    #[serde(flatten, with = "message::stored")]
    pub message: Message,
}
