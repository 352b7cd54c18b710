//! One run of a batch: its progress, its counts and failures.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::domain::money::Amount;
use crate::domain::pii::masked;
use crate::jobs::batch::record::{BatchRecord, BatchState, Failure, Subject};
use crate::jobs::{BatchCount, JobError, add_to_sums};
use crate::logs::without_numbers;
use crate::platform::telemetry;
use crate::store::StoreError;
use crate::text::message::{Message, logged, msg};

/// Display of the progress of a batch.
pub trait BatchProgress: Send + Sync {
    /// Begins a stage with this many items.
    fn stage(&self, name: &str, total: u64);
    /// Counts one more item as handled.
    fn step(&self);
    /// Marks the end of the batch.
    fn end(&self);
}

/// A display that shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl BatchProgress for Silent {
    fn stage(&self, _name: &str, _total: u64) {}
    fn step(&self) {}
    fn end(&self) {}
}

tokio::task_local! {
    /// Flag that is set once a failure is counted while the item is processed.
    static ITEM_FAILED: Cell<bool>;
}

/// Maximum number of similar failures that are logged individually.
const MAX_ALIKE_LOGGED: u64 = 20;
/// Maximum number of failures stored with a batch.
const MAX_FAILURES_KEPT: usize = 200;

/// A running batch. Its failures are logged here, once.
pub struct BatchRun {
    action: &'static str,
    batch: u64,
    progress: Arc<dyn BatchProgress>,
    stop: CancellationToken,
    tally: Mutex<Tally>,
}

#[derive(Default)]
struct Tally {
    done: u64,
    total: u64,
    counts: BTreeMap<BatchCount, u64>,
    amounts: BTreeMap<BatchCount, Vec<Amount>>,
    failures: Vec<Failure>,
    failed: u64,
    /// Number of items with one failure or more.
    items_failed: u64,
    /// Number of items for which a remote gave no answer.
    unanswered: u64,
    /// Failures by their English text without its numbers.
    alike: BTreeMap<String, AlikeFailures>,
    warnings: Vec<Failure>,
    abort: Option<JobError>,
}

/// Failures whose messages differ in numbers only.
struct AlikeFailures {
    /// Message of the first one.
    first: Message,
    count: u64,
}

impl BatchRun {
    /// Creates a run of `action` with the record `batch`.
    pub fn new(action: &'static str, batch: u64, progress: Arc<dyn BatchProgress>, stop: CancellationToken) -> Self {
        Self { action, batch, progress, stop, tally: Mutex::default() }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the batch's command.
    pub fn action(&self) -> &'static str {
        self.action
    }

    /// Begins a stage of `total` items.
    pub fn stage(&self, name: &str, total: usize) {
        let total = u64::try_from(total).unwrap_or(u64::MAX);
        {
            let mut tally = self.tally();
            tally.total = tally.total.saturating_add(total);
        }
        self.progress.stage(name, total);
    }

    /// Processes one item with `work`, and counts it as done; also as failed if `work` counted a failure.
    pub fn item<'a>(&'a self, work: impl Future<Output = ()> + 'a) -> impl Future<Output = ()> + 'a {
        let work = Box::pin(ITEM_FAILED.scope(Cell::new(false), async {
            work.await;
            ITEM_FAILED.with(Cell::get)
        }));
        async move {
            let failed = work.await;
            {
                let mut tally = self.tally();
                tally.done = tally.done.saturating_add(1);
                tally.items_failed = tally.items_failed.saturating_add(u64::from(failed));
            }
            self.progress.step();
        }
    }

    /// Counts an item with the outcome `what`.
    pub fn count(&self, what: BatchCount) {
        let mut tally = self.tally();
        let count = tally.counts.entry(what).or_default();
        *count = count.saturating_add(1);
    }

    /// Counts an item with money and the outcome `what`.
    pub fn count_amount(&self, what: BatchCount, amount: Amount) {
        self.count(what);
        let mut tally = self.tally();
        add_to_sums(tally.amounts.entry(what).or_default(), amount);
    }

    /// Records the failure of one item; the others continue. Of similar failures the log has the
    /// first ones and the number.
    pub fn fail(&self, subject: Subject, message: Message) {
        let Subject { mirakl_id, voucher } = &subject;
        let (action, batch) = (self.action, self.batch);
        let alike = {
            let mut tally = self.tally();
            let alike = tally.alike.entry(without_numbers(&message).collect());
            let alike = alike.or_insert_with(|| AlikeFailures { first: message.clone(), count: 0 });
            alike.count = alike.count.saturating_add(1);
            alike.count
        };
        if alike <= MAX_ALIKE_LOGGED {
            logged!(warn, action, batch, mirakl_id, voucher, message);
        } else {
            tracing::debug!(action, batch, mirakl_id, voucher, said = message.parts(), "{message}");
        }
        self.keep_failure(subject, message);
    }

    /// Records the failure of one item because a remote did not answer about it.
    pub fn unanswered(&self, subject: Subject, message: Message) {
        self.fail(subject, message);
        let mut tally = self.tally();
        tally.unanswered = tally.unanswered.saturating_add(1);
    }

    /// Records an item that is not due yet, because another party has to act first. It is listed as
    /// a failure, but the item counts as done.
    pub fn hold_back(&self, subject: Subject, message: Message) {
        let Subject { mirakl_id, voucher } = &subject;
        telemetry::note(&masked(&message), false);
        logged!(warn, action = self.action, batch = self.batch, mirakl_id, voucher, message);
        self.list_failure(subject, message);
    }

    fn keep_failure(&self, subject: Subject, message: Message) {
        // A failure of the batch itself is outside of every item.
        let _ = ITEM_FAILED.try_with(|failed| failed.set(true));
        telemetry::note(&masked(&message), true);
        self.list_failure(subject, message);
    }

    fn list_failure(&self, subject: Subject, message: Message) {
        let mut tally = self.tally();
        tally.failed = tally.failed.saturating_add(1);
        if tally.failures.len() < MAX_FAILURES_KEPT {
            tally.failures.push(Failure::new(subject, message));
        }
    }

    /// Records a warning about an item that is not a failure of the batch.
    pub fn warn(&self, subject: &Subject, message: Message) {
        let Subject { mirakl_id, voucher } = subject;
        logged!(warn, action = self.action, batch = self.batch, mirakl_id, voucher, message);
        self.count(BatchCount::Warnings);
        telemetry::note(&masked(&message), false);
        let mut tally = self.tally();
        if tally.warnings.len() < MAX_FAILURES_KEPT {
            tally.warnings.push(Failure::new(subject.clone(), message));
        }
    }

    /// Records something that a person must look at now; it is a failure of the batch too.
    pub fn critical(&self, subject: Subject, message: Message) {
        let Subject { mirakl_id, voucher } = &subject;
        let (action, batch) = (self.action, self.batch);
        logged!(error, severity = "CRITICAL", action, batch, mirakl_id, voucher, message);
        self.keep_failure(subject, message);
    }

    /// Writes the result of the run to `record`.
    pub(crate) fn write_down(&self, record: &mut BatchRecord, outcome: Option<&JobError>) {
        let tally = self.tally();
        for (words, alike) in tally.alike.iter().filter(|(_, alike)| alike.count > MAX_ALIKE_LOGGED) {
            let number = alike.count.saturating_sub(MAX_ALIKE_LOGGED);
            let failure = alike.first.clone().with_text(words);
            logged!(warn, action = self.action, batch = self.batch, msg!("log-failures-alike", number, failure));
        }
        record.done = tally.done;
        record.total = tally.total;
        record.counts = tally.counts.iter().map(|(what, count)| (what.name().to_owned(), *count)).collect();
        record.amounts = tally.amounts.iter().map(|(what, sums)| (what.name().to_owned(), sums.clone())).collect();
        record.failures.clone_from(&tally.failures);
        record.failed = tally.failed;
        record.unanswered = tally.unanswered;
        record.items_failed = tally.items_failed;
        record.warnings.clone_from(&tally.warnings);
        record.error = outcome.map(Message::from);
        record.stored_state = match outcome {
            Some(_) => BatchState::Failed,
            None if self.stop.is_cancelled() => BatchState::Interrupted,
            None if tally.items_failed > 0 && tally.items_failed >= record.due() => BatchState::Failed,
            None => BatchState::Done,
        };
        self.progress.end();
    }

    /// Returns the number of items with a failure and the number without.
    pub(crate) fn items(&self) -> (u64, u64) {
        let tally = self.tally();
        (tally.items_failed, tally.done.saturating_sub(tally.items_failed))
    }

    /// Returns the number of failures so far.
    pub fn failed(&self) -> u64 {
        self.tally().failed
    }

    /// Records the result of one item: an error of the item alone is a failure, any other ends the batch.
    pub fn settle(&self, subject: Subject, outcome: Result<(), JobError>) {
        match outcome {
            Ok(()) => {}
            Err(JobError::Store(error @ (StoreError::Unreadable { .. } | StoreError::Conflict { .. }))) => {
                self.critical(subject, (&error).into());
            }
            Err(JobError::Remote(reason)) => self.unanswered(subject, reason),
            Err(error) => self.abort(error),
        }
    }

    /// Ends the whole batch at the next safe point.
    pub fn abort(&self, error: JobError) {
        self.tally().abort.get_or_insert(error);
    }

    /// Returns the error that ended the batch early, if any.
    pub fn aborted(&self) -> Result<(), JobError> {
        self.tally().abort.clone().map_or(Ok(()), Err)
    }

    /// Returns true once no new item may be begun.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled() || self.tally().abort.is_some()
    }
}
