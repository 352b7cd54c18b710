//! The queue of waiting batches. It is kept in the store, so that a restart loses none.

use jiff::Timestamp;

use crate::jobs::batch::record::NewBatch;
use crate::jobs::{BatchKind, BatchRecord, BatchState, Command, JobError};
use crate::store::{Query, Store, StoreError, View, Writer, readable_record};
use crate::text::message::msg;

/// Maximum number of waiting batches. More would be of no use.
const MAX_WAITING: usize = 50;

/// Outcome of a request for a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enqueued {
    /// A queued batch, which begins as soon as no other of its kind runs.
    Queued {
        /// Its record.
        record: BatchRecord,
        /// The batch of its kind that it has to wait for.
        behind: Option<u64>,
    },
    /// An identical batch in the queue: one run serves all requests.
    Joined(BatchRecord),
    /// The batch that this one would have to wait for, which the caller did not allow. Nothing is queued.
    Busy(BatchRecord),
}

impl Enqueued {
    /// Returns the batch that carries out the request.
    pub fn record(&self) -> &BatchRecord {
        match self {
            Self::Queued { record, .. } | Self::Joined(record) | Self::Busy(record) => record,
        }
    }
}

/// Enqueues `command`, or joins an identical batch that is already queued. If it would have to wait
/// for another of its kind and `may_wait` is false, nothing is queued.
pub async fn enqueue(
    store: &Store,
    command: &Command,
    asked_by: &str,
    may_wait: bool,
    now: Timestamp,
) -> Result<Enqueued, JobError> {
    let (command, asked_by) = (command.clone(), asked_by.to_owned());
    let asked = store.write(move |writer: &mut Writer<'_>| {
        let all_queued = all_queued(writer)?;
        let ahead = match all_queued.iter().find(|other| other.command == command.name()) {
            Some(ahead) => Some(ahead.clone()),
            None => running(writer, command.name())?,
        };
        let behind = ahead.as_ref().map(|ahead| ahead.id);
        if let Some(ahead) = ahead.filter(|_| !may_wait) {
            return Ok(Enqueued::Busy(ahead));
        }
        if let Some(mut known) = all_queued.iter().find(|other| other.request().as_ref() == Some(&command)).cloned() {
            known.joined = known.joined.saturating_add(1);
            writer.put(&known)?;
            return Ok(Enqueued::Joined(known));
        }
        if all_queued.len() >= MAX_WAITING {
            return Err(JobError::Refused(msg!("batch-too-many", most = MAX_WAITING)));
        }
        let new = NewBatch { command, asked_by, state: BatchState::Queued, scheduled_for: None, after: None };
        Ok::<_, JobError>(Enqueued::Queued { record: BatchRecord::store_new(writer, new, now)?, behind })
    });
    asked.await
}

/// Enqueues the rest of a batch that was stopped for an update, and notes this in its record.
pub async fn enqueue_rest(
    store: &Store,
    record: &mut BatchRecord,
    command: &Command,
    now: Timestamp,
) -> Result<(), JobError> {
    let (Enqueued::Queued { record: rest, .. } | Enqueued::Joined(rest) | Enqueued::Busy(rest)) =
        enqueue(store, command, &record.asked_by, true, now).await?;
    record.error = Some(msg!("batch-rest", batch = rest.id));
    let told = record.clone();
    Ok(store.write(move |writer: &mut Writer<'_>| writer.put(&told)).await?)
}

/// Enqueues `command` for its due moment, to run after the batch `after`; returns `None` if an
/// equivalent batch runs or waits already.
pub fn schedule(
    writer: &mut Writer<'_>,
    command: Command,
    due: Timestamp,
    after: Option<u64>,
    now: Timestamp,
) -> Result<Option<BatchRecord>, StoreError> {
    let name = command.name();
    // A batch that a person requested with other arguments does not replace this one.
    let serves = |other: &BatchRecord| {
        other.command == name && (other.scheduled_for.is_some() || other.request().as_ref() == Some(&command))
    };
    if all_queued(writer)?.iter().any(serves) || running(writer, name)?.is_some_and(|other| serves(&other)) {
        return Ok(None);
    }
    let asked_by = "schedule".to_owned();
    let new = NewBatch { command, asked_by, state: BatchState::Queued, scheduled_for: Some(due), after };
    BatchRecord::store_new(writer, new, now).map(Some)
}

/// Returns all waiting batches, in the order in which they were requested.
pub fn all_queued(view: &impl View) -> Result<Vec<BatchRecord>, StoreError> {
    let mut all_queued = in_state(view, BatchState::Queued)?;
    // Not by time: a clock that was set back would reverse the order.
    all_queued.sort_unstable_by_key(|record| record.id);
    Ok(all_queued)
}

/// Returns the running batch of this name.
fn running(view: &impl View, name: &str) -> Result<Option<BatchRecord>, StoreError> {
    Ok(in_state(view, BatchState::Running)?.into_iter().find(|record| record.command == name))
}

fn in_state(view: &impl View, state: BatchState) -> Result<Vec<BatchRecord>, StoreError> {
    Ok(view.page(&Query::group(BatchRecord::BY_STATE, state).limit(1_000))?.items)
}

/// Returns the last scheduled or unlimited `vendor:process` that completed and had started before
/// `now`: what was updated before its start has been handled.
pub fn last_whole_vendor_process(view: &impl View, now: Timestamp) -> Result<Option<BatchRecord>, StoreError> {
    let whole = |record: &BatchRecord| {
        // A scheduled one begins where the previous one stopped.
        let gapless = record.scheduled_for.is_some() || record.arguments.is_empty();
        matches!(record.state(), BatchState::Done | BatchState::Partly) && gapless
    };
    for record in
        view.records(Query::group(BatchRecord::BY_COMMAND, BatchKind::VendorProcess.name()).to(now).descending())
    {
        if let Some(record) = readable_record(record)?.filter(whole) {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

/// Removes batch `id` from the queue; returns `None` if it was not queued.
pub async fn dequeue(store: &Store, id: u64, now: Timestamp) -> Result<Option<BatchRecord>, StoreError> {
    take(store, id, move |record| {
        record.stored_state = BatchState::Interrupted;
        record.ended_at = Some(now);
        record.error = Some(msg!("batch-taken-out"));
    })
    .await
}

/// Marks batch `id` as running; returns `None` if it is no longer queued.
pub(crate) async fn begin(store: &Store, id: u64, now: Timestamp) -> Result<Option<BatchRecord>, StoreError> {
    take(store, id, move |record| {
        record.stored_state = BatchState::Running;
        record.started_at = now;
    })
    .await
}

/// Changes and stores batch `id`; returns `None` if it is not queued.
async fn take(
    store: &Store,
    id: u64,
    change: impl FnOnce(&mut BatchRecord) + Send + 'static,
) -> Result<Option<BatchRecord>, StoreError> {
    let taken = store.write(move |writer: &mut Writer<'_>| {
        let queued = writer.get::<BatchRecord>(&id)?.filter(|record| record.state() == BatchState::Queued);
        let Some(mut record) = queued else { return Ok(None) };
        change(&mut record);
        writer.put(&record)?;
        Ok(Some(record))
    });
    taken.await
}
