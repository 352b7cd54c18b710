//! The one writer: takes what is queued, commits it together with one flush of the disk, and then
//! answers all that waited.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::metrics::{counter, histogram};
use redb::Database;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot, watch};

use super::building::Slice;
use super::error::StoreError;
use super::pace::Commits;
use super::record::Schema;
use super::writer::Writer;
use crate::platform::metrics;

/// How many jobs may wait. Who brings one more waits until there is room.
const WAITING_AT_MOST: usize = 1024;
/// How many jobs are committed together.
const GROUP: usize = 256;

/// A job as the writer sees it.
pub(super) trait Job: Send {
    /// Does the work. True where its changes are to be kept.
    fn run(&mut self, writer: &mut Writer<'_>) -> bool;
    /// Answers, once the group is on the disk or has failed.
    fn answer(self: Box<Self>, group: Result<(), StoreError>);
}

pub(super) type Queue = mpsc::Sender<Box<dyn Job>>;
pub(super) type Queued = mpsc::Receiver<Box<dyn Job>>;

/// A queue, empty.
pub(super) fn queue() -> (Queue, Queued) {
    mpsc::channel(WAITING_AT_MOST)
}

/// A closure to be run by the writer, and who waits for its result.
struct Work<F, T, E> {
    closure: Option<F>,
    result: Option<Result<T, E>>,
    waiting: oneshot::Sender<Result<T, E>>,
}

/// Makes a job of a closure; its result comes through the receiver.
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
        // What the closure leaves half done is taken back, so nobody sees it after a panic.
        let result = catch_unwind(AssertUnwindSafe(|| closure(writer)))
            .unwrap_or_else(|panic| Err(panicked("a write", panic.as_ref()).into()));
        self.result.insert(result).is_ok()
    }

    fn answer(self: Box<Self>, group: Result<(), StoreError>) {
        let answer = match group {
            Ok(()) => self.result.unwrap_or_else(|| Err(StoreError::Closed.into())),
            Err(error) => Err(error.into()),
        };
        // Who does not wait any more has no use for the answer.
        let _ = self.waiting.send(answer);
    }
}

/// Works the queue off until nobody can put anything into it any more.
pub(super) fn work_off(
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
            jobs.push(Box::new(Slice { left: Arc::clone(&left_to_build) }));
        } else if queued.blocking_recv_many(&mut jobs, GROUP) == 0 {
            break;
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| commit(database, schema, &mut jobs, commits)))
            .unwrap_or_else(|panic| Err(panicked("the writer", panic.as_ref())));
        if let Err(error @ (StoreError::Machine(_) | StoreError::Damaged { .. })) = &outcome {
            // The first reason is the one to mend; those that follow only say that it stopped.
            trouble.send_if_modified(|known| known.is_none() && known.insert(error.clone()) == error);
        }
        for job in jobs.drain(..) {
            job.answer(outcome.clone());
        }
    }
}

/// Takes what waits. False where nothing does and nothing will.
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

/// Runs the jobs in one transaction, each as if alone, and commits it.
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

/// Begins a write whose commit reaches the disk before it returns, and after which a killed
/// process finds its store again without looking through all of it.
pub(super) fn begin(database: &Database) -> Result<redb::WriteTransaction, StoreError> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    Ok(transaction)
}

/// The error for a panic in `what`.
pub(super) fn panicked(what: &str, panic: &(dyn Any + Send)) -> StoreError {
    StoreError::Defect(format!("{what} stopped in the middle ({})", panic_text(panic)))
}

/// What a panic said.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given")
}
