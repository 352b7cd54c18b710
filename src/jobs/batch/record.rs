//! Records of batches: the request, the state and the results.

use std::collections::BTreeMap;

use ::metrics::counter;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use crate::domain::money::Amount;
use crate::jobs::batch::run::BatchRun;
use crate::jobs::{BatchCount, Command, Context, JobError};
use crate::platform::metrics;
use crate::platform::variants::named;
use crate::store::{AnyIndex, Index, Ordered, Query, Record, Store, StoreError, View, Writer};
use crate::text::message::{self, Message, msg};
use crate::text::word_by_name;

/// State of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum BatchState {
    /// Waiting for its turn; survives a restart.
    Queued,
    /// In progress.
    Running,
    /// Completed without any failure.
    Done,
    /// Completed, but some of the due items failed.
    Partly,
    /// All due items failed, or an error ended it early.
    Failed,
    /// Stopped by a person or cut off by a crash.
    Interrupted,
    /// A state of a release that this one does not know.
    #[serde(other)]
    Unknown,
}

named!(pub BatchState);

impl BatchState {
    /// Returns true for a final state.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Partly | Self::Failed | Self::Interrupted)
    }
}

/// Name of the document about the last runs without failures.
const LAST_SUCCESSES: &str = "batches/last_success";

/// Returns the time of the last run without any failure (UTC), by command.
pub fn last_successes(view: &impl View) -> Result<BTreeMap<String, Timestamp>, StoreError> {
    Ok(view.get_document(LAST_SUCCESSES)?.unwrap_or_default())
}

/// Counts of items that were not due: the next action is the vendor's or a person's.
pub(crate) const NOT_DUE: [BatchCount; 5] = [
    BatchCount::VendorDisabled,
    BatchCount::ShopGone,
    BatchCount::WalletNotReady,
    BatchCount::PaymentBlocked,
    BatchCount::NothingToPay,
];

/// The shop and voucher that a failure or warning concerns.
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
    /// Creates a subject for a shop.
    pub fn shop(mirakl_id: u64) -> Self {
        Self { mirakl_id: Some(mirakl_id), voucher: None }
    }

    /// Creates a subject for a voucher of a shop.
    pub fn voucher(mirakl_id: u64, voucher: &str) -> Self {
        Self { mirakl_id: Some(mirakl_id), voucher: Some(voucher.to_owned()) }
    }
}

/// A failed item; the others continued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The shop and voucher concerned.
    #[serde(flatten)]
    pub subject: Subject,
    /// Text of the failure and of the action to take.
    #[serde(flatten, with = "message::stored")]
    pub message: Message,
}

impl Failure {
    /// Creates a failure of `subject`; `message` states what happened and what to do.
    pub fn new(subject: Subject, message: Message) -> Self {
        Self { subject, message }
    }
}

/// The stored record of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchRecord {
    /// Our own number, from 1.
    pub id: u64,
    /// The command's name.
    pub command: String,
    /// Arguments in words.
    #[serde(default)]
    pub arguments: String,
    /// User or component that requested it.
    #[serde(default)]
    pub asked_by: String,
    /// The state as it is stored: [`BatchState::Partly`] is stored as [`BatchState::Done`], which
    /// earlier releases know.
    #[serde(rename = "state")]
    pub(crate) stored_state: BatchState,
    /// Start (UTC); for a queued batch, the time of the request.
    pub started_at: Timestamp,
    /// End (UTC).
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
    /// Number of items handled.
    #[serde(default)]
    pub done: u64,
    /// Number of items in all.
    #[serde(default)]
    pub total: u64,
    /// Number of items per outcome.
    #[serde(default)]
    pub counts: BTreeMap<String, u64>,
    /// Sums of money per outcome.
    #[serde(default)]
    pub amounts: BTreeMap<String, Vec<Amount>>,
    /// The first failures, up to a limit.
    #[serde(default)]
    pub failures: Vec<Failure>,
    /// Number of failures in all.
    #[serde(default)]
    pub failed: u64,
    /// Number of failed items for which a remote did not answer; available while the run is reported, not stored.
    #[serde(skip)]
    pub(crate) unanswered: u64,
    /// Number of due items that failed; not stored either.
    #[serde(skip)]
    pub(crate) items_failed: u64,
    /// The first warnings, up to a limit.
    #[serde(default)]
    pub warnings: Vec<Failure>,
    /// Error that ended the whole batch early.
    #[serde(flatten, with = "message::stored_error")]
    pub error: Option<Message>,
    /// The request as JSON, to be parsed by [`BatchRecord::request`].
    #[serde(default)]
    pub request: Option<Value>,
    /// Time of the request (UTC), if the batch had to be queued.
    #[serde(default)]
    pub queued_at: Option<Timestamp>,
    /// Number of further identical requests while it was queued.
    #[serde(default)]
    pub joined: u32,
    /// Due moment of the schedule that it was made for (UTC).
    #[serde(default)]
    pub scheduled_for: Option<Timestamp>,
    /// Batch that must be over before this one begins.
    #[serde(default)]
    pub after: Option<u64>,
    /// Fields written by a later release, kept unchanged.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// Result of a run: its record, and the error that ended it early, if any.
#[derive(Debug, Clone)]
pub struct BatchEnd {
    /// The record as it is stored; as it should be if the error is the store's.
    pub record: BatchRecord,
    /// Error that ended the whole batch early.
    pub error: Option<JobError>,
}

impl BatchEnd {
    /// Returns the record of a batch that completed or was stopped, the error of any other.
    pub fn into_result(self) -> Result<BatchRecord, JobError> {
        self.error.map_or(Ok(self.record), Err)
    }
}

/// Fields of a new record before the batch runs.
pub(crate) struct NewBatch {
    pub(crate) command: Command,
    pub(crate) asked_by: String,
    pub(crate) state: BatchState,
    pub(crate) scheduled_for: Option<Timestamp>,
    pub(crate) after: Option<u64>,
}

impl BatchRecord {
    /// Stores a new record.
    pub(crate) fn store_new(writer: &mut Writer<'_>, new: NewBatch, now: Timestamp) -> Result<Self, StoreError> {
        let request = serde_json::to_value(&new.command)
            .map_err(|error| StoreError::Defect(format!("{} is no JSON: {error}", new.command.name())))?;
        let record = Self {
            id: writer.next_id::<Self>()?,
            command: new.command.name().to_owned(),
            arguments: new.command.arguments().to_string(),
            asked_by: new.asked_by,
            stored_state: new.state,
            started_at: now,
            ended_at: None,
            done: 0,
            total: 0,
            counts: BTreeMap::new(),
            amounts: BTreeMap::new(),
            failures: Vec::new(),
            failed: 0,
            unanswered: 0,
            items_failed: 0,
            warnings: Vec::new(),
            error: None,
            request: Some(request),
            queued_at: (new.state == BatchState::Queued).then_some(now),
            joined: 0,
            scheduled_for: new.scheduled_for,
            after: new.after,
            unknown: Map::new(),
        };
        writer.put(&record)?;
        Ok(record)
    }

    /// Returns the state, also considering the failures: a completed run is [`BatchState::Partly`] if something failed.
    pub fn state(&self) -> BatchState {
        if self.stored_state == BatchState::Done && self.failed > 0 { BatchState::Partly } else { self.stored_state }
    }

    /// Returns the number of items that were due: those handled, except those known beforehand not to be payable now.
    pub(crate) fn due(&self) -> u64 {
        self.done.saturating_sub(NOT_DUE.iter().map(|what| self.count_of(*what)).sum())
    }

    /// Returns the number of items with this outcome.
    pub fn count_of(&self, what: BatchCount) -> u64 {
        self.counts.get(what.name()).copied().unwrap_or_default()
    }

    /// Returns the requested command; `None` if this release does not know such a batch.
    pub fn request(&self) -> Option<Command> {
        self.request.as_ref().and_then(|request| Command::deserialize(request).ok())
    }

    /// Completes the record with the result of `run`.
    pub(crate) async fn end(mut self, context: &Context, run: &BatchRun, outcome: Result<(), JobError>) -> BatchEnd {
        let mut error = outcome.err();
        run.write_down(&mut self, error.as_ref());
        self.ended_at = Some(context.clock.now());
        let (command, state) = (self.command.clone(), self.state().name());
        counter!(metrics::BATCHES, "command" => command.clone(), "state" => state).increment(1);
        let (failed, done) = run.items();
        counter!(metrics::BATCH_ITEMS, "command" => command.clone(), "outcome" => "failed").increment(failed);
        counter!(metrics::BATCH_ITEMS, "command" => command, "outcome" => "done").increment(done);
        let record = self.clone();
        let kept = context.store.write(move |writer| {
            if record.state() == BatchState::Done {
                let mut last = last_successes(writer)?;
                last.insert(record.command.clone(), record.ended_at.unwrap_or(record.started_at));
                writer.put_document(LAST_SUCCESSES, &last)?;
            }
            writer.put(&record)
        });
        if let Err(unkept) = kept.await {
            error.get_or_insert(unkept.into());
        }
        BatchEnd { record: self, error }
    }

    /// Marks batches that were running when their process died as interrupted; queued batches keep waiting.
    pub fn close_interrupted(store: &Store, now: Timestamp) -> Result<(), StoreError> {
        let query = Query::group(Self::BY_STATE, BatchState::Running).limit(1_000);
        let page = store.read(|reader| reader.page(&query))?;
        if page.items.is_empty() {
            return Ok(());
        }
        store.write_blocking(move |writer| {
            for mut batch in page.items {
                batch.stored_state = BatchState::Interrupted;
                batch.ended_at = Some(now);
                batch.error = Some(msg!("batch-cut-off"));
                writer.put(&batch)?;
            }
            Ok::<_, StoreError>(())
        })
    }
}

impl Record for BatchRecord {
    const COLLECTION: &'static str = "batches";
    type Key = u64;
    const INDEXES: &[&dyn AnyIndex<Self>] = &[&Self::BY_STATE, &Self::BY_COMMAND];

    fn key(&self) -> u64 {
        self.id
    }
}

impl BatchRecord {
    /// By state, oldest first.
    pub const BY_STATE: Index<Self, BatchState, Timestamp> =
        Index::new("state", 2, |batch: &Self| vec![(batch.state(), batch.started_at)]).counted();

    /// By command, oldest first.
    pub const BY_COMMAND: Index<Self, String, Timestamp> =
        Index::new("command", 1, |batch: &Self| vec![(batch.command.clone(), batch.started_at)]).counted();
}

impl Ordered for BatchState {
    type Kind = Self;

    fn encode(&self, out: &mut Vec<u8>) {
        self.name().encode(out);
    }
}

word_by_name!(BatchState => "batch");
