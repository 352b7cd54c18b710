//! The one writer: takes the queued jobs, commits them together with one flush of the disk, and then answers
//! all that wait.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::metrics::{counter, histogram};
use redb::Database;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot, watch};

use super::building::BuildSlice;
use super::commit_time::Commits;
use super::error::StoreError;
use super::record::Schema;
use super::writer::Writer;
use crate::platform::metrics;

/// Number of jobs that may wait; further senders wait until there is room.
const MAX_WAITING: usize = 1024;
/// Maximum number of jobs per commit.
const GROUP: usize = 256;

/// A job as the writer sees it.
pub(super) trait Job: Send {
    /// Does the work. Returns true if its changes are to be kept.
    fn run(&mut self, writer: &mut Writer<'_>) -> bool;
    /// Answers, once the group is on the disk or has failed.
    fn answer(self: Box<Self>, group: Result<(), StoreError>);
}

pub(super) type Queue = mpsc::Sender<Box<dyn Job>>;
pub(super) type Queued = mpsc::Receiver<Box<dyn Job>>;

/// Creates an empty queue.
pub(super) fn queue() -> (Queue, Queued) {
    mpsc::channel(MAX_WAITING)
}

/// A closure for the writer, and the channel that waits for its result.
struct Work<F, T, E> {
    closure: Option<F>,
    result: Option<Result<T, E>>,
    waiting: oneshot::Sender<Result<T, E>>,
}

/// Makes a job of a closure; the receiver gets its result.
pub(super) fn job<F, T, E>(closure: F) -> (Box<dyn Job>, oneshot::Receiver<Result<T, E>>)
where
    F: FnOnce(&mut Writer<'_>) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let (waiting, answer) = oneshot::channel();
    (Box::new(Work { closure: Some(closure), result: None, waiting }), answer)
}

impl<F, T, E> Job for Work<F, T, E>
where
    F: FnOnce(&mut Writer<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn run(&mut self, writer: &mut Writer<'_>) -> bool {
        let Some(closure) = self.closure.take() else { return false };
        // Half-done changes of the closure are undone, so that they are not visible after a panic.
        let result = catch_unwind(AssertUnwindSafe(|| closure(writer)))
            .unwrap_or_else(|panic| Err(panicked("a write", panic.as_ref()).into()));
        self.result.insert(result).is_ok()
    }

    fn answer(self: Box<Self>, group: Result<(), StoreError>) {
        let answer = match group {
            Ok(()) => self.result.unwrap_or_else(|| Err(StoreError::Closed.into())),
            Err(error) => Err(error.into()),
        };
        // A caller that no longer waits does not need the answer.
        let _ = self.waiting.send(answer);
    }
}

/// Works off the queue until every sender is gone.
pub(super) fn commit_jobs(
    database: &Database,
    schema: &Schema,
    mut queued: Queued,
    trouble: &watch::Sender<Option<StoreError>>,
    commits: &Commits,
) {
    let mut jobs = Vec::with_capacity(GROUP);
    let left_to_build = Arc::new(AtomicBool::new(true));
    loop {
        if left_to_build.load(Ordering::Relaxed) {
            if !take_waiting(&mut queued, &mut jobs) {
                break;
            }
            jobs.push(Box::new(BuildSlice { left: Arc::clone(&left_to_build) }));
        } else if queued.blocking_recv_many(&mut jobs, GROUP) == 0 {
            break;
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| commit(database, schema, &mut jobs, commits)))
            .unwrap_or_else(|panic| Err(panicked("the writer", panic.as_ref())));
        if let Err(error @ (StoreError::Machine(_) | StoreError::Damaged { .. })) = &outcome {
            // The first reason is the one to fix; later ones only report that the store has stopped.
            trouble.send_if_modified(|known| known.is_none() && known.insert(error.clone()) == error);
        }
        let outcome = outcome.map_err(|error| first_reason(trouble.borrow().as_ref(), error));
        for job in jobs.drain(..) {
            job.answer(outcome.clone());
        }
    }
}

/// Returns the error of the disk that stopped the store, `first`, in the place of a later one.
pub(super) fn first_reason(first: Option<&StoreError>, error: StoreError) -> StoreError {
    first.filter(|_| matches!(error, StoreError::Machine(_))).cloned().unwrap_or(error)
}

/// Takes the waiting jobs. Returns false if there are none and every sender is gone.
fn take_waiting(queued: &mut Queued, jobs: &mut Vec<Box<dyn Job>>) -> bool {
    while jobs.len() < GROUP {
        match queued.try_recv() {
            Ok(job) => jobs.push(job),
            Err(TryRecvError::Empty) => break,
            Err(TryRecvError::Disconnected) => return !jobs.is_empty(),
        }
    }
    true
}

/// Runs the jobs in one transaction, isolated from each other's failures, and commits it.
pub(super) fn commit(
    database: &Database,
    schema: &Schema,
    jobs: &mut [Box<dyn Job>],
    commits: &Commits,
) -> Result<(), StoreError> {
    counter!(metrics::STORE_WRITES).increment(u64::try_from(jobs.len()).unwrap_or(u64::MAX));
    let transaction = begin(database)?;
    let mut changed = false;
    let mut writer = Writer::new(schema, &transaction);
    for job in jobs {
        if job.run(&mut writer) {
            changed |= writer.has_changed();
            writer.keep();
        } else {
            writer.take_back()?;
        }
        writer.check()?;
    }
    if changed {
        writer.store_numbers()?;
    }
    drop(writer);
    if changed {
        let begun = commits.begin();
        let committed = transaction.commit();
        commits.end(begun);
        histogram!(metrics::STORE_COMMIT_SECONDS).record(begun.elapsed());
        counter!(metrics::STORE_COMMITS, "outcome" => if committed.is_ok() { "ok" } else { "failed" }).increment(1);
        committed?;
    } else {
        transaction.abort()?;
    }
    Ok(())
}

/// Begins a write transaction whose commit is on the disk before it returns. After a kill, the store reopens
/// without a scan of the whole file.
pub(super) fn begin(database: &Database) -> Result<redb::WriteTransaction, StoreError> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    Ok(transaction)
}

/// Makes the error for a panic in `what`.
pub(super) fn panicked(what: &str, panic: &(dyn Any + Send)) -> StoreError {
    StoreError::Defect(format!("{what} stopped in the middle ({})", panic_text(panic)))
}

/// Returns the message of a panic.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given")
}
