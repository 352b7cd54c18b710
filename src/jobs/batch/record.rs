//! What stays of a batch: who asked for what, how it stands, and what came of it.

use std::collections::BTreeMap;

use ::metrics::counter;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::domain::money::Amount;
use crate::jobs::batch::run::Run;
use crate::jobs::{Command, Context, JobError};
use crate::platform::metrics;
use crate::store::{Entry, Index, Query, Record, Store, StoreError, View, Writer};
use crate::text::message::{Message, StoredMessage, msg};
use crate::text::word_by_name;

/// How a batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BatchState {
    /// Waits for its turn; survives a restart.
    Queued,
    /// At work.
    Running,
    /// Went through, and nothing failed.
    Done,
    /// Went through; some of what was due failed.
    Partly,
    /// All of what was due failed, or an error ended it early.
    Failed,
    /// Stopped by a person or cut off by a crash.
    Interrupted,
    /// A state of a release that we do not know.
    #[serde(other)]
    Unknown,
}

impl BatchState {
    /// Every one.
    pub const ALL: [Self; 7] =
        [Self::Queued, Self::Running, Self::Done, Self::Partly, Self::Failed, Self::Interrupted, Self::Unknown];

    /// True once nothing more comes of it.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Partly | Self::Failed | Self::Interrupted)
    }

    /// The name in filters and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Partly => "partly",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Unknown => "unknown",
        }
    }
}

/// The document about the last runs without failures.
const LAST_SUCCESSES: &str = "batches/last_success";

/// Returns when each batch went through last without any failure (UTC), by its command.
pub fn last_successes(view: &impl View) -> Result<BTreeMap<String, Timestamp>, StoreError> {
    Ok(view.get_document(LAST_SUCCESSES)?.unwrap_or_default())
}

/// The counts of items that nothing was asked for: the next act is the vendor's or a person's.
pub(crate) const NOT_DUE: [&str; 5] =
    ["vendor disabled", "shop gone", "wallet not ready", "payment blocked", "nothing to pay"];

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
    /// What says the same in other languages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<StoredMessage>,
}

impl Failure {
    /// What happened to `subject`, and what to do.
    pub fn new(subject: Subject, message: Message) -> Self {
        let (message, said) = message.into_parts();
        Self { subject, message, said }
    }
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
    /// The state as it is stored: a release that knows no [`BatchState::Partly`] reads [`BatchState::Done`] for it.
    #[serde(rename = "state")]
    pub(crate) stored_state: BatchState,
    /// When it began (UTC); of one that is queued, when it was asked for.
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
    /// Failed items that a remote did not answer about; known while the run is told of, not stored.
    #[serde(skip)]
    pub(crate) unanswered: u64,
    /// Items that were due and failed; likewise.
    #[serde(skip)]
    pub(crate) items_failed: u64,
    /// The first of the things to know that are no failures.
    #[serde(default)]
    pub warnings: Vec<Failure>,
    /// Why the whole batch ended early.
    #[serde(default)]
    pub error: Option<String>,
    /// What says the same in other languages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_said: Option<StoredMessage>,
    /// What it was asked for, to be read again by [`BatchRecord::request`].
    #[serde(default)]
    pub request: Option<Value>,
    /// When it was asked for (UTC), where it had to be queued.
    #[serde(default)]
    pub queued_at: Option<Timestamp>,
    /// How many asked for the same while it was queued, beside the first.
    #[serde(default)]
    pub joined: u32,
    /// The due moment of the schedule that it was made for (UTC).
    #[serde(default)]
    pub scheduled_for: Option<Timestamp>,
    /// It begins only when this batch is over.
    #[serde(default)]
    pub after: Option<u64>,
    /// What a later release wrote beside this; kept as it is.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// How a run ended: what stays of it, and why it ended early where it did.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The record as it is stored; as it should be where the error is the store's.
    pub record: BatchRecord,
    /// Why the whole batch ended early.
    pub error: Option<JobError>,
}

impl Ended {
    /// The record of a batch that went through or was stopped, the error of any other.
    pub fn into_result(self) -> Result<BatchRecord, JobError> {
        self.error.map_or(Ok(self.record), Err)
    }
}

/// What a new record says of a batch before it runs.
pub(crate) struct NewBatch {
    pub(crate) command: Command,
    pub(crate) asked_by: String,
    pub(crate) state: BatchState,
    pub(crate) scheduled_for: Option<Timestamp>,
    pub(crate) after: Option<u64>,
}

impl BatchRecord {
    /// Stores a new record.
    pub(crate) fn make(writer: &mut Writer<'_>, new: NewBatch, now: Timestamp) -> Result<Self, StoreError> {
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
            error_said: None,
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

    /// Says why it ended early, if it did.
    pub(crate) fn say(&mut self, why: Option<Message>) {
        let (error, said) = why.map(Message::into_parts).unzip();
        (self.error, self.error_said) = (error, said.flatten());
    }

    /// The state, computed from the failures too: a run that went through is [`BatchState::Partly`] where something failed.
    pub fn state(&self) -> BatchState {
        if self.stored_state == BatchState::Done && self.failed > 0 { BatchState::Partly } else { self.stored_state }
    }

    /// Returns the number of items that were due: those dealt with, less those known beforehand not to be payable now.
    pub(crate) fn due(&self) -> u64 {
        let not_due = NOT_DUE.iter().filter_map(|word| self.counts.get(*word)).sum();
        self.done.saturating_sub(not_due)
    }

    /// What it was asked for; `None` where this release does not know such a batch.
    pub fn request(&self) -> Option<Command> {
        self.request.as_ref().and_then(|request| Command::deserialize(request).ok())
    }

    /// Ends the record by what came of `run`.
    pub(crate) async fn end(mut self, context: &Context, run: &Run, outcome: Result<(), JobError>) -> Ended {
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
        Ended { record: self, error }
    }

    /// Batches that were running when their process died are shown as interrupted; those that were
    /// queued go on waiting.
    pub fn close_interrupted(store: &Store, now: Timestamp) -> Result<(), StoreError> {
        let query = Query::group("state", BatchState::Running.name().to_owned()).limit(1_000);
        let page = store.read(|reader| reader.page::<Self>(&query))?;
        if page.items.is_empty() {
            return Ok(());
        }
        store.write_blocking(move |writer| {
            for mut batch in page.items {
                batch.stored_state = BatchState::Interrupted;
                batch.ended_at = Some(now);
                batch.say(Some(msg!("batch-cut-off")));
                writer.put(&batch)?;
            }
            Ok::<_, StoreError>(())
        })
    }
}

impl Record for BatchRecord {
    const COLLECTION: &'static str = "batches";
    type Key = u64;

    fn key(&self) -> u64 {
        self.id
    }

    fn indexes() -> Vec<Index<Self>> {
        vec![
            Index::new("state", 2, |batch: &Self| vec![Entry::new(batch.state().name().to_owned(), batch.started_at)])
                .counted(),
            Index::new("command", 1, |batch: &Self| vec![Entry::new(batch.command.clone(), batch.started_at)])
                .counted(),
        ]
    }
}

word_by_name!(BatchState => "batch");
