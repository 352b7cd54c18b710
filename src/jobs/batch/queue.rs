//! The batches that wait for their turn. They are kept in the store, so that a restart loses none.

use jiff::Timestamp;

use crate::jobs::batch::record::NewBatch;
use crate::jobs::{BatchRecord, BatchState, Command, JobError};
use crate::store::{Query, Store, StoreError, View, Writer};
use crate::text::message::msg;

/// How many batches may wait. More of them are no use to anybody.
const WAITING_AT_MOST: usize = 50;

/// What came of asking for a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It is queued, and begins as soon as no other of its kind runs.
    Queued {
        /// Its record.
        record: BatchRecord,
        /// The batch of its kind that it has to wait for.
        behind: Option<u64>,
    },
    /// The same was queued already: one run serves all who asked.
    Joined(BatchRecord),
    /// It would have to wait for this one, which was not wanted. Nothing is queued.
    Busy(BatchRecord),
}

/// Queues `command`, or joins the one that is queued already. Where it would have to wait for
/// another of its kind and `may_wait` is false, nothing is queued.
pub async fn ask(
    store: &Store,
    command: &Command,
    asked_by: &str,
    may_wait: bool,
    now: Timestamp,
) -> Result<Asked, JobError> {
    let (command, asked_by) = (command.clone(), asked_by.to_owned());
    let asked = store.write(move |writer: &mut Writer<'_>| {
        let waiting = waiting(writer)?;
        let ahead = match waiting.iter().find(|other| other.command == command.name()) {
            Some(ahead) => Some(ahead.clone()),
            None => running(writer, command.name())?,
        };
        let behind = ahead.as_ref().map(|ahead| ahead.id);
        if let Some(ahead) = ahead.filter(|_| !may_wait) {
            return Ok(Asked::Busy(ahead));
        }
        if let Some(mut known) = waiting.iter().find(|other| other.request().as_ref() == Some(&command)).cloned() {
            known.joined = known.joined.saturating_add(1);
            writer.put(&known)?;
            return Ok(Asked::Joined(known));
        }
        if waiting.len() >= WAITING_AT_MOST {
            return Err(JobError::Refused(msg!("batch-too-many", most = WAITING_AT_MOST)));
        }
        let new = NewBatch { command, asked_by, state: BatchState::Queued, scheduled_for: None, after: None };
        Ok::<_, JobError>(Asked::Queued { record: BatchRecord::make(writer, new, now)?, behind })
    });
    asked.await
}

/// Queues what is left of a batch that made way for an update, and says so in its record.
pub async fn ask_for_the_rest(
    store: &Store,
    record: &mut BatchRecord,
    command: &Command,
    now: Timestamp,
) -> Result<(), JobError> {
    let (Asked::Queued { record: rest, .. } | Asked::Joined(rest) | Asked::Busy(rest)) =
        ask(store, command, &record.asked_by, true, now).await?;
    record.say(Some(msg!("batch-rest", batch = rest.id)));
    let told = record.clone();
    Ok(store.write(move |writer: &mut Writer<'_>| writer.put(&told)).await?)
}

/// Queues `command` for its due moment, behind the batch `after`; `None` where one that
/// serves as well runs or waits already.
pub fn schedule(
    writer: &mut Writer<'_>,
    command: Command,
    due: Timestamp,
    after: Option<u64>,
    now: Timestamp,
) -> Result<Option<BatchRecord>, StoreError> {
    let name = command.name();
    // One that a person asked for with other arguments does not do what this one is for.
    let serves = |other: &BatchRecord| {
        other.command == name && (other.scheduled_for.is_some() || other.request().as_ref() == Some(&command))
    };
    if waiting(writer)?.iter().any(serves) || running(writer, name)?.is_some_and(|other| serves(&other)) {
        return Ok(None);
    }
    let asked_by = "schedule".to_owned();
    let new = NewBatch { command, asked_by, state: BatchState::Queued, scheduled_for: Some(due), after };
    BatchRecord::make(writer, new, now).map(Some)
}

/// All that wait, in the order in which they were asked for.
pub fn waiting(view: &impl View) -> Result<Vec<BatchRecord>, StoreError> {
    let mut waiting = in_state(view, BatchState::Queued)?;
    // Not by time: a clock that was set back would turn the order round.
    waiting.sort_unstable_by_key(|record| record.id);
    Ok(waiting)
}

/// The batch of this name that runs.
fn running(view: &impl View, name: &str) -> Result<Option<BatchRecord>, StoreError> {
    Ok(in_state(view, BatchState::Running)?.into_iter().find(|record| record.command == name))
}

fn in_state(view: &impl View, state: BatchState) -> Result<Vec<BatchRecord>, StoreError> {
    Ok(view.page::<BatchRecord>(&Query::group("state", state.name().to_owned()).limit(1_000))?.items)
}

/// The scheduled or unlimited `vendor:process` that went through last, as far as `now` knows: what
/// was updated before it began has been dealt with.
pub fn last_whole_vendor_process(view: &impl View, now: Timestamp) -> Result<Option<BatchRecord>, StoreError> {
    let mut cursor = None;
    loop {
        let query = Query::group("command", "vendor:process".to_owned()).to(now).descending().limit(50).after(cursor);
        let page = view.page::<BatchRecord>(&query)?;
        let whole = |record: &BatchRecord| {
            // A scheduled one begins where the one before it left off.
            let gapless = record.scheduled_for.is_some() || record.arguments.is_empty();
            matches!(record.state(), BatchState::Done | BatchState::Partly) && gapless
        };
        if let Some(found) = page.items.into_iter().find(whole) {
            return Ok(Some(found));
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(None);
        }
    }
}

/// Takes batch `id` out of the queue; `None` where it was not there.
pub async fn withdraw(store: &Store, id: u64, now: Timestamp) -> Result<Option<BatchRecord>, StoreError> {
    let withdrawn = store.write(move |writer: &mut Writer<'_>| {
        let Some(mut record) = queued(writer, id)? else { return Ok(None) };
        record.stored_state = BatchState::Interrupted;
        record.ended_at = Some(now);
        record.say(Some(msg!("batch-taken-out")));
        writer.put(&record)?;
        Ok::<_, StoreError>(Some(record))
    });
    withdrawn.await
}

/// Batch `id` begins; `None` where it does not wait any more.
pub(crate) async fn begin(store: &Store, id: u64, now: Timestamp) -> Result<Option<BatchRecord>, StoreError> {
    let begun = store.write(move |writer: &mut Writer<'_>| {
        let Some(mut record) = queued(writer, id)? else { return Ok(None) };
        record.stored_state = BatchState::Running;
        record.started_at = now;
        writer.put(&record)?;
        Ok::<_, StoreError>(Some(record))
    });
    begun.await
}

fn queued(writer: &Writer<'_>, id: u64) -> Result<Option<BatchRecord>, StoreError> {
    Ok(writer.get::<BatchRecord>(&id)?.filter(|record| record.state() == BatchState::Queued))
}
