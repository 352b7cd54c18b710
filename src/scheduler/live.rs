//! Progress of the running batches.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::jobs::BatchProgress;

/// A part of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchStage {
    /// Kind of items, such as `transfers`.
    pub name: String,
    /// Number of items.
    pub total: u64,
    /// Number of items handled.
    pub done: u64,
}

/// A running batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveBatch {
    /// Number of its record.
    pub id: u64,
    /// The command's name.
    pub command: String,
    /// Its stages so far; the last one is in progress.
    pub stages: Vec<BatchStage>,
}

impl LiveBatch {
    /// Returns the number of items handled in all stages.
    pub fn done(&self) -> u64 {
        self.stages.iter().map(|stage| stage.done).sum()
    }

    /// Returns the number of items in all stages so far.
    pub fn total(&self) -> u64 {
        self.stages.iter().map(|stage| stage.total).sum()
    }
}

/// All running batches, by number.
pub type LiveBatches = BTreeMap<u64, LiveBatch>;

/// Publisher of the progress of one batch.
pub(super) struct Reporter {
    pub(super) id: u64,
    pub(super) live: watch::Sender<LiveBatches>,
}

impl Reporter {
    fn change(&self, change: impl FnOnce(&mut LiveBatch)) {
        self.live.send_if_modified(|live| live.get_mut(&self.id).map(change).is_some());
    }
}

impl BatchProgress for Reporter {
    fn stage(&self, name: &str, total: u64) {
        self.change(|batch| batch.stages.push(BatchStage { name: name.to_owned(), total, done: 0 }));
    }

    fn step(&self) {
        self.change(|batch| {
            if let Some(stage) = batch.stages.last_mut() {
                stage.done = stage.done.saturating_add(1);
            }
        });
    }

    fn end(&self) {}
}
