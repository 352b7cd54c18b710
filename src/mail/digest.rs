//! The digest: the work of one day, in numbers.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::domain::money::Amount;

/// Summary of the work of one day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// The day, in the configured zone.
    pub day: Date,
    /// The batches, by their command.
    #[serde(default)]
    pub batches: BTreeMap<String, Runs>,
    /// Operations that changed on that day, by their present status.
    #[serde(default)]
    pub operations: Vec<OfStatus>,
    /// Number of vendors that need attention.
    #[serde(default)]
    pub vendors: u64,
    /// Some of these vendors, by their Mirakl id.
    #[serde(default)]
    pub shops: Vec<u64>,
    /// Log lines of that day by level, the most severe first.
    #[serde(default)]
    pub levels: Vec<OfLevel>,
    /// Number of notifications that were given up as unmatched on that day.
    #[serde(default)]
    pub unmatched: u64,
    /// Number of notifications that are still open.
    #[serde(default)]
    pub waiting: u64,
}

/// Runs of one batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    /// Number of runs.
    pub runs: u64,
    /// Number of runs that ended early.
    #[serde(default)]
    pub ended_early: u64,
    /// Number of items that failed in all of the runs.
    #[serde(default)]
    pub failed: u64,
}

/// Operations of one status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfStatus {
    /// Name of the status.
    pub status: String,
    /// Number of operations.
    pub count: u64,
    /// Sums of their amounts, one per currency.
    #[serde(default)]
    pub sums: Vec<Amount>,
}

/// Log lines of one level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfLevel {
    /// Level from 100 (DEBUG) to 600 (EMERGENCY).
    pub level: u16,
    /// Number of lines; a lower bound if `exact` is false.
    pub count: u64,
    /// False if there are more lines than counted.
    pub exact: bool,
}
