//! The digest: what was done on a day, in numbers.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::domain::money::Amount;

/// What was done on a day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// The day, in the configured zone.
    pub day: Date,
    /// The batches by their command.
    #[serde(default)]
    pub batches: BTreeMap<String, Runs>,
    /// Operations that changed on that day, by their status since.
    #[serde(default)]
    pub operations: Vec<OfStatus>,
    /// How many vendors need attention.
    #[serde(default)]
    pub vendors: u64,
    /// Some of them.
    #[serde(default)]
    pub shops: Vec<u64>,
    /// Log lines of that day by level, the most severe first.
    #[serde(default)]
    pub levels: Vec<OfLevel>,
    /// Notifications that were given up as unmatched on that day.
    #[serde(default)]
    pub unmatched: u64,
    /// Notifications that are not dealt with yet.
    #[serde(default)]
    pub waiting: u64,
}

/// Runs of one batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    /// How many.
    pub runs: u64,
    /// How many of them ended early.
    #[serde(default)]
    pub ended_early: u64,
    /// How many items failed in all of them.
    #[serde(default)]
    pub failed: u64,
}

/// Operations of one status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfStatus {
    /// The status by its name.
    pub status: String,
    /// How many.
    pub count: u64,
    /// Their amounts, one sum a currency.
    #[serde(default)]
    pub sums: Vec<Amount>,
}

/// Log lines of one level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfLevel {
    /// 100 DEBUG to 600 EMERGENCY.
    pub level: u16,
    /// How many, at least.
    pub count: u64,
    /// False where there are more.
    pub exact: bool,
}
