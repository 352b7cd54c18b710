//! One run of a batch: its progress, its counts and failures, and the record that stays.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::{Context, JobError};
use crate::money::Amount;
use crate::store::{Query, StoreError, View};

/// How a batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchState {
    /// At work.
    Running,
    /// Went through; single items may have failed.
    Done,
    /// Ended early by an error.
    Failed,
    /// Stopped by a person or cut off by a crash.
    Interrupted,
    /// A state of a release that we do not know.
    #[serde(other)]
    Unknown,
}

impl BatchState {
    /// The name in filters and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Unknown => "unknown",
        }
    }
}

/// What one item's trouble is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The shop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirakl_id: Option<u64>,
    /// The voucher.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voucher: Option<String>,
}

impl Subject {
    /// About a shop.
    pub fn shop(mirakl_id: u64) -> Self {
        Self { mirakl_id: Some(mirakl_id), voucher: None }
    }

    /// About a voucher of a shop.
    pub fn voucher(mirakl_id: u64, voucher: &str) -> Self {
        Self { mirakl_id: Some(mirakl_id), voucher: Some(voucher.to_owned()) }
    }
}

/// One item that failed; the others went on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What it is about.
    #[serde(flatten)]
    pub subject: Subject,
    /// What happened, and what to do.
    pub message: String,
}

/// What stays of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchRecord {
    /// Our own number, from 1.
    pub id: u64,
    /// The command's name.
    pub command: String,
    /// What it was asked for beside its name, in words.
    #[serde(default)]
    pub arguments: String,
    /// Who asked for it.
    #[serde(default)]
    pub asked_by: String,
    /// How it stands.
    pub state: BatchState,
    /// When it began (UTC).
    pub started_at: Timestamp,
    /// When it ended (UTC).
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
    /// Items dealt with.
    #[serde(default)]
    pub done: u64,
    /// Items in all.
    #[serde(default)]
    pub total: u64,
    /// How many items came to what.
    #[serde(default)]
    pub counts: BTreeMap<String, u64>,
    /// How much money came to what.
    #[serde(default)]
    pub amounts: BTreeMap<String, Vec<Amount>>,
    /// The first of the items that failed.
    #[serde(default)]
    pub failures: Vec<Failure>,
    /// How many failed in all.
    #[serde(default)]
    pub failed: u64,
    /// The first of the things to know that are no failures.
    #[serde(default)]
    pub warnings: Vec<Failure>,
    /// Why the whole batch ended early.
    #[serde(default)]
    pub error: Option<String>,
    /// What a later release wrote beside this; kept as it is.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// Failures kept with a batch; the log has them all.
const FAILURES_KEPT: usize = 200;

impl BatchRecord {
    pub(super) async fn begin(
        context: &Context,
        command: &'static str,
        arguments: String,
        asked_by: &str,
    ) -> Result<Self, StoreError> {
        let asked_by = asked_by.to_owned();
        let started_at = context.clock.now();
        context
            .store
            .write(move |writer| {
                let record = Self {
                    id: writer.next_id::<Self>()?,
                    command: command.to_owned(),
                    arguments,
                    asked_by,
                    state: BatchState::Running,
                    started_at,
                    ended_at: None,
                    done: 0,
                    total: 0,
                    counts: BTreeMap::new(),
                    amounts: BTreeMap::new(),
                    failures: Vec::new(),
                    failed: 0,
                    warnings: Vec::new(),
                    error: None,
                    unknown: Map::new(),
                };
                writer.put(&record)?;
                Ok::<_, StoreError>(record)
            })
            .await
    }

    pub(super) async fn end(
        mut self,
        context: &Context,
        run: &Run,
        outcome: Result<(), JobError>,
    ) -> Result<Self, JobError> {
        {
            let tally = run.tally();
            self.done = tally.done;
            self.total = tally.total;
            self.counts.clone_from(&tally.counts);
            self.amounts.clone_from(&tally.amounts);
            self.failures.clone_from(&tally.failures);
            self.failed = tally.failed;
            self.warnings.clone_from(&tally.warnings);
        }
        self.ended_at = Some(context.clock.now());
        self.error = outcome.as_ref().err().map(ToString::to_string);
        self.state = match &outcome {
            Err(_) => BatchState::Failed,
            Ok(()) if run.stop.is_cancelled() => BatchState::Interrupted,
            Ok(()) => BatchState::Done,
        };
        run.progress.end();
        let (action, batch, state) = (run.action, self.id, self.state.name());
        match &outcome {
            Ok(()) => {
                tracing::info!(
                    action,
                    batch,
                    done = self.done,
                    total = self.total,
                    failed = self.failed,
                    "ends: {state}"
                );
            }
            Err(error) => tracing::error!(action, batch, done = self.done, total = self.total, "ended early: {error}"),
        }
        let record = self.clone();
        let kept = context.store.write(move |writer| writer.put(&record)).await;
        outcome?;
        kept?;
        Ok(self)
    }

    /// The batch that began last.
    pub fn latest(store: &crate::store::Store) -> Result<Option<Self>, StoreError> {
        let query = Query::all().descending().limit(1);
        Ok(store.read(|reader| reader.page::<Self>(&query))?.items.pop())
    }

    /// Batches that were running when their process died are shown as interrupted.
    pub fn close_interrupted(store: &crate::store::Store, now: Timestamp) -> Result<(), StoreError> {
        let query = Query::group("state", BatchState::Running.name().to_owned()).limit(1_000);
        let page = store.read(|reader| reader.page::<Self>(&query))?;
        if page.items.is_empty() {
            return Ok(());
        }
        store.write_blocking(move |writer| {
            for mut batch in page.items {
                batch.state = BatchState::Interrupted;
                batch.ended_at = Some(now);
                batch.error = Some("the process ended before the batch did".to_owned());
                writer.put(&batch)?;
            }
            Ok::<_, StoreError>(())
        })
    }
}

/// Where a batch shows how far it is.
pub trait Progress: Send + Sync {
    /// A new stage with this many items.
    fn stage(&self, name: &str, total: u64);
    /// One item more is dealt with.
    fn step(&self);
    /// The batch has ended.
    fn end(&self);
}

/// Shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn stage(&self, _name: &str, _total: u64) {}
    fn step(&self) {}
    fn end(&self) {}
}

/// A batch at work. Its trouble is logged here, once.
pub struct Run {
    action: &'static str,
    batch: u64,
    progress: Arc<dyn Progress>,
    stop: CancellationToken,
    tally: Mutex<Tally>,
}

#[derive(Default)]
struct Tally {
    done: u64,
    total: u64,
    counts: BTreeMap<String, u64>,
    amounts: BTreeMap<String, Vec<Amount>>,
    failures: Vec<Failure>,
    failed: u64,
    warnings: Vec<Failure>,
    abort: Option<JobError>,
}

impl Run {
    /// A run of `action`, kept as `batch`.
    pub fn new(action: &'static str, batch: u64, progress: Arc<dyn Progress>, stop: CancellationToken) -> Self {
        Self { action, batch, progress, stop, tally: Mutex::default() }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stage of `total` items begins.
    pub fn stage(&self, name: &str, total: usize) {
        let total = u64::try_from(total).unwrap_or(u64::MAX);
        {
            let mut tally = self.tally();
            tally.total = tally.total.saturating_add(total);
        }
        self.progress.stage(name, total);
    }

    /// One item is dealt with.
    pub fn step(&self) {
        {
            let mut tally = self.tally();
            tally.done = tally.done.saturating_add(1);
        }
        self.progress.step();
    }

    /// An item came to `what`.
    pub fn count(&self, what: &str) {
        let mut tally = self.tally();
        let count = tally.counts.entry(what.to_owned()).or_default();
        *count = count.saturating_add(1);
    }

    /// An item with money came to `what`.
    pub fn count_amount(&self, what: &str, amount: Amount) {
        self.count(what);
        let mut tally = self.tally();
        let sums = tally.amounts.entry(what.to_owned()).or_default();
        match sums.iter_mut().find(|sum| sum.currency() == amount.currency()) {
            // A sum over 64 bits is only for show; it stays where it is.
            Some(sum) => *sum = sum.checked_add(amount).unwrap_or(*sum),
            None => sums.push(amount),
        }
    }

    /// One item failed; the others go on.
    pub fn fail(&self, subject: Subject, message: impl Into<String>) {
        let message = message.into();
        let Subject { mirakl_id, voucher } = &subject;
        tracing::warn!(action = self.action, batch = self.batch, mirakl_id, voucher, "{message}");
        self.keep_failure(subject, message);
    }

    fn keep_failure(&self, subject: Subject, message: String) {
        let mut tally = self.tally();
        tally.failed = tally.failed.saturating_add(1);
        if tally.failures.len() < FAILURES_KEPT {
            tally.failures.push(Failure { subject, message });
        }
    }

    /// Something to know about an item that is no failure of the batch.
    pub fn warn(&self, subject: &Subject, message: &str) {
        let Subject { mirakl_id, voucher } = subject;
        tracing::warn!(action = self.action, batch = self.batch, mirakl_id, voucher, "{message}");
        self.count("warnings");
        let mut tally = self.tally();
        if tally.warnings.len() < FAILURES_KEPT {
            tally.warnings.push(Failure { subject: subject.clone(), message: message.to_owned() });
        }
    }

    /// Something that a person must look at now; a failure of the batch too.
    pub fn critical(&self, subject: Subject, message: impl Into<String>) {
        let message = message.into();
        let Subject { mirakl_id, voucher } = &subject;
        let (action, batch) = (self.action, self.batch);
        tracing::error!(severity = "CRITICAL", action, batch, mirakl_id, voucher, "{message}");
        self.keep_failure(subject, message);
    }

    /// How many items have failed so far.
    pub fn failed(&self) -> u64 {
        self.tally().failed
    }

    /// What came of one item: its own trouble is a failure of it alone, anything else ends the
    /// batch.
    pub fn settle(&self, subject: Subject, outcome: Result<(), JobError>) {
        match outcome {
            Ok(()) => {}
            Err(JobError::Store(error @ (StoreError::Unreadable { .. } | StoreError::Conflict { .. }))) => {
                self.critical(subject, error.to_string());
            }
            Err(JobError::Remote(reason)) => self.fail(subject, reason),
            Err(error) => self.abort(error),
        }
    }

    /// Ends the whole batch at the next safe point.
    pub fn abort(&self, error: JobError) {
        self.tally().abort.get_or_insert(error);
    }

    /// Why the batch was ended early, if it was.
    pub fn aborted(&self) -> Result<(), JobError> {
        self.tally().abort.clone().map_or(Ok(()), Err)
    }

    /// True once no new item is to be begun.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled() || self.tally().abort.is_some()
    }
}
