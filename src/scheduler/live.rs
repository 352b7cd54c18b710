//! How far the batches are that run now, for whoever watches.

use std::collections::BTreeMap;

use tokio::sync::watch;

use crate::jobs::Progress;

/// A part of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// What it deals with: `transfers`.
    pub name: String,
    /// Items in it.
    pub total: u64,
    /// Items dealt with.
    pub done: u64,
}

/// A batch that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveBatch {
    /// Its record's number.
    pub id: u64,
    /// The command's name.
    pub command: String,
    /// Its stages so far; the last one is at work.
    pub stages: Vec<Stage>,
}

impl LiveBatch {
    /// How many items have been dealt with, in all stages.
    pub fn done(&self) -> u64 {
        self.stages.iter().map(|stage| stage.done).sum()
    }

    /// How many items there are, in all stages so far.
    pub fn total(&self) -> u64 {
        self.stages.iter().map(|stage| stage.total).sum()
    }
}

/// All that run, by number.
pub type LiveBatches = BTreeMap<u64, LiveBatch>;

/// The progress of one batch, seen by all who watch.
pub(super) struct Reporter {
    pub(super) id: u64,
    pub(super) live: watch::Sender<LiveBatches>,
}

impl Reporter {
    fn change(&self, change: impl FnOnce(&mut LiveBatch)) {
        self.live.send_if_modified(|live| match live.get_mut(&self.id) {
            Some(batch) => {
                change(batch);
                true
            }
            None => false,
        });
    }
}

impl Progress for Reporter {
    fn stage(&self, name: &str, total: u64) {
        self.change(|batch| batch.stages.push(Stage { name: name.to_owned(), total, done: 0 }));
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
