//! Endpoints that list, enqueue, follow and stop batches.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use jiff::SignedDuration;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::broadcast::error::TryRecvError;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;
use utoipa::ToSchema;

use super::extract::{Body, OptionalBody};
use crate::jobs::{BatchKind, BatchRecord, Command, Enqueued, GenerateArguments};
use crate::scheduler::{BatchStage, Ending, LiveBatch, LiveBatches, Stopping};
use crate::text::message::{asker, logged, msg};
use crate::web::Web;
use crate::web::auth::{Caller, Origin};
use crate::web::lists::{
    self, BatchDetail, BatchFilter, BatchItem, List, ListFilter, ListQuery, Moment, PageParams, moment,
};
use crate::web::path::Id;
use crate::web::problem::{Problem, ProblemBody, ProblemKind};

/// Maximum window before and after a cycle, as in the configuration.
const MAX_WINDOW: SignedDuration = SignedDuration::from_hours(31 * 24);
/// Minimum interval between two events about progress.
const REPORT_INTERVAL: Duration = Duration::from_millis(100);
/// Interval between keep-alive messages, and between checks of the caller's session.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// A batch to enqueue.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewBatch)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchRequest {
    /// Command to run.
    command: BatchKind,
    /// Earliest update of the shops to process: a day or an instant, inclusive. Only for `vendor:process`.
    #[serde(default)]
    #[schema(schema_with = moment)]
    since: Option<Moment>,
    /// Day of the cycle to process. Only for `cashout:generate`.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Date)]
    cycle_date: Option<Date>,
    /// Day as which the run is executed. Only for `cashout:generate`.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Date)]
    execution_date: Option<Date>,
    /// Replacement for `cycle.interval.before` (ISO 8601). Only for `cashout:generate`.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^PT[0-9]{1,2}[HMS]$", example = "PT13H")]
    before: Option<SignedDuration>,
    /// Replacement for `cycle.interval.after` (ISO 8601). Only for `cashout:generate`.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^PT[0-9]{1,2}[HMS]$", example = "PT13H")]
    after: Option<SignedDuration>,
    /// False to refuse the request while a batch of this kind runs or is queued.
    #[serde(default = "yes")]
    may_wait: bool,
}

fn yes() -> bool {
    true
}

/// A batch that was enqueued.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct EnqueuedBatch {
    /// The batch.
    #[serde(flatten)]
    pub item: BatchItem,
    /// True if the same batch was queued already; it runs once for all requests.
    pub joined: bool,
    /// Batch of the same kind that it waits for.
    pub waits_for: Option<u64>,
}

/// A request to stop a batch.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StopRequest {
    /// True to leave a batch alone that others have requested too.
    #[serde(default)]
    unless_joined: bool,
}

/// The effect of a request to stop a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopEffect {
    /// The batch ends at its next safe point.
    Stopping,
    /// The batch was removed from the queue.
    Removed,
    /// The batch had ended already.
    Over,
    /// The batch continues, because others have requested it too.
    Joined,
}

/// The answer to a request to stop a batch.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct StopResult {
    /// Effect of the request.
    pub effect: StopEffect,
}

/// Lists the batches, latest first.
#[utoipa::path(get, path = "/batches", params(PageParams, BatchFilter), responses(
    (status = 200, body = List<BatchItem>),
))]
pub(super) async fn batches(
    State(web): State<Web>,
    query: ListQuery<BatchFilter, PageParams>,
) -> Result<Json<List<BatchItem>>, Problem> {
    let mut list = lists::page(&web, query).await?;
    let live = web.scheduler.live();
    list.items.iter_mut().for_each(|item| show_progress(item, &live.borrow()));
    Ok(Json(list))
}

/// Shows the present progress of a batch that runs.
fn show_progress(item: &mut BatchItem, live: &LiveBatches) {
    if let Some(batch) = live.get(&item.id) {
        item.done = batch.done();
        item.total = batch.total();
    }
}

/// Enqueues a batch.
///
/// It begins at once, or when the running batch of its kind has ended. A request for a batch that is queued already
/// joins it.
#[utoipa::path(post, path = "/batches", operation_id = "ask", request_body = BatchRequest, responses(
    (status = 202, body = EnqueuedBatch),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn enqueue(
    State(web): State<Web>,
    caller: Caller,
    Body(new): Body<BatchRequest>,
) -> Result<(StatusCode, Json<EnqueuedBatch>), Problem> {
    let may_wait = new.may_wait;
    let command = command(&web, new)?;
    let (record, joined, waits_for) = match web.scheduler.enqueue(&command, &caller.name, may_wait).await? {
        Enqueued::Queued { record, behind } => (record, false, behind),
        Enqueued::Joined(record) => (record, true, None),
        Enqueued::Busy(BatchRecord { command, id, .. }) => {
            let message = msg!("problem-batch-busy", command, batch = id.to_string());
            return Err(Problem::new(StatusCode::CONFLICT, message).of_kind(ProblemKind::Busy));
        }
    };
    let item = BatchFilter::item(record);
    Ok((StatusCode::ACCEPTED, Json(EnqueuedBatch { item, joined, waits_for })))
}

/// Shows one batch.
#[utoipa::path(get, path = "/batches/{id}", params(("id" = u64, Path, description = "Our own number")), responses(
    (status = 200, body = BatchDetail),
))]
pub(super) async fn batch(State(web): State<Web>, Id(id): Id) -> Result<Json<BatchDetail>, Problem> {
    let mut batch = BatchDetail::from(web.record::<BatchRecord>(id, msg!("problem-no-batch")).await?);
    show_progress(&mut batch.item, &web.scheduler.live().borrow());
    Ok(Json(batch))
}

/// Stops a batch: at its next safe point if it runs, before it begins if it is queued.
#[utoipa::path(post, path = "/batches/{id}/stop", request_body = Option<StopRequest>,
    params(("id" = u64, Path, description = "Our own number")), responses(
    (status = 200, body = StopResult),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn stop(
    State(web): State<Web>,
    caller: Caller,
    Id(id): Id,
    OptionalBody(stop): OptionalBody<StopRequest>,
) -> Result<Json<StopResult>, Problem> {
    let record = web.record::<BatchRecord>(id, msg!("problem-no-batch")).await?;
    let effect = if stop.unless_joined && record.joined > 0 {
        StopEffect::Joined
    } else {
        match web.scheduler.stop(id).await? {
            Stopping::AtSafePoint => StopEffect::Stopping,
            Stopping::Dequeued => StopEffect::Removed,
            Stopping::Over => StopEffect::Over,
        }
    };
    if matches!(effect, StopEffect::Stopping | StopEffect::Removed) {
        let message = msg!("log-batch-stopped", person = asker(&caller.name));
        logged!(info, severity = "NOTICE", action = record.command.as_str(), batch = id, message);
    }
    Ok(Json(StopResult { effect }))
}

/// Follows the batches: server-sent events.
///
/// `progress` has the running batches as a list (`id`, `done`, `total`, `stages`), `queue` reports a change of the
/// queue, `ended` has a batch that has ended (`batch`, `failure`, `stages`), and `stopping` the batches that are still
/// running while this process stops (`running`).
#[utoipa::path(get, path = "/batches/events", responses(
    (status = 200, body = String, content_type = "text/event-stream"),
))]
pub(super) async fn events(
    State(web): State<Web>,
    caller: Caller,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let (live, endings) = (web.scheduler.live(), web.scheduler.endings());
    let (next_look, next_check) = (Instant::now(), Instant::now() + CHECK_INTERVAL);
    let events = BatchEvents { web, caller, live, endings, sent: None, next_look, next_check, is_stopping: false };
    let events = unfold(events, |mut events| async move {
        let event = events.next().await?;
        Some((Ok(event), events))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(CHECK_INTERVAL))
}

/// The state of one stream of events about batches.
struct BatchEvents {
    web: Web,
    caller: Caller,
    live: watch::Receiver<LiveBatches>,
    endings: broadcast::Receiver<Arc<Ending>>,
    /// Progress that was sent last.
    sent: Option<String>,
    next_look: Instant,
    /// Time of the next check that the caller is still let in.
    next_check: Instant,
    is_stopping: bool,
}

impl BatchEvents {
    async fn next(&mut self) -> Option<Event> {
        if self.sent.is_none() {
            return self.progress();
        }
        let stop = self.web.stopping.clone();
        loop {
            if self.is_stopping && self.web.scheduler.running_batches().is_empty() {
                return self.published_ending();
            }
            let (next_look, live) = (self.next_look, &mut self.live);
            let changed = async {
                tokio::time::sleep_until(next_look).await;
                live.changed().await
            };
            tokio::select! {
                // A caller that has missed some asks for the batch itself.
                ending = self.endings.recv() => return ending.ok().map(|ending| ended(&ending)),
                changed = changed => {
                    changed.ok()?;
                    self.next_look = Instant::now() + REPORT_INTERVAL;
                    // Unchanged progress means that the queue has changed.
                    return self.progress().or_else(|| Some(Event::default().event("queue").data("changed")));
                }
                () = stop.cancelled(), if !self.is_stopping => {
                    if self.caller.from != Origin::CommandLine {
                        return None;
                    }
                    // The batches that are not among these have had their ending published already.
                    let running = json!({ "running": self.web.scheduler.running_batches() });
                    if let Some(ending) = self.published_ending() {
                        return Some(ending);
                    }
                    self.is_stopping = true;
                    return Some(Event::default().event("stopping").data(running.to_string()));
                }
                () = tokio::time::sleep_until(self.next_check) => {
                    self.next_check = Instant::now() + CHECK_INTERVAL;
                    if !self.caller.is_still_let_in(&self.web).await {
                        return None;
                    }
                }
            }
        }
    }

    /// Returns the next ending that was published and not yet sent, if there is one.
    fn published_ending(&mut self) -> Option<Event> {
        loop {
            match self.endings.try_recv() {
                Ok(ending) => return Some(ended(&ending)),
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
            }
        }
    }

    /// Returns an event with the running batches, unless they are the same as in the last one.
    fn progress(&mut self) -> Option<Event> {
        let batches = self.live.borrow_and_update();
        let batch = |batch: &LiveBatch| {
            let (done, total) = (batch.done(), batch.total());
            json!({ "id": batch.id, "done": done, "total": total, "stages": batch.stages })
        };
        let data = json!(batches.values().map(batch).collect::<Vec<_>>()).to_string();
        if self.sent.as_ref() == Some(&data) {
            return None;
        }
        self.sent = Some(data.clone());
        Some(Event::default().event("progress").data(data))
    }
}

/// Data of the event about a batch that has ended.
#[derive(Debug, Serialize, Deserialize)]
pub struct EndedBatch {
    /// The batch.
    pub batch: BatchDetail,
    /// Error that ended it early, if any.
    pub failure: Option<BatchError>,
    /// Progress of each stage at the end.
    pub stages: Vec<BatchStage>,
}

/// An error that ended a batch early.
#[derive(Debug, Serialize, Deserialize)]
pub struct BatchError {
    /// Kind of the error.
    pub kind: ProblemKind,
    /// Message that states what is wrong and how to fix it.
    pub message: String,
}

fn ended(ending: &Ending) -> Event {
    let failure = ending.error.as_ref().map(|error| BatchError { kind: error.into(), message: error.to_string() });
    let batch = BatchDetail::from(ending.record.clone());
    let data = serde_json::to_string(&EndedBatch { batch, failure, stages: ending.stages.clone() });
    Event::default().event("ended").data(data.unwrap_or_default())
}

fn command(web: &Web, new: BatchRequest) -> Result<Command, Problem> {
    let zone = web.settings.get().hipay.time_zone.clone();
    let since = new.since.map(|since| since.begin("since", &zone)).transpose()?;
    let is_too_long = |span: &SignedDuration| span.is_negative() || *span > MAX_WINDOW;
    if let Some(span) = [new.before, new.after].into_iter().flatten().find(is_too_long) {
        let value = format!("{span:#}");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, msg!("problem-window", value)));
    }
    let no_use = |argument| Problem::new(StatusCode::CONFLICT, msg!("problem-no-use", argument));
    let BatchRequest { cycle_date, execution_date, before, after, .. } = new;
    new.command.with(since, GenerateArguments { cycle_date, execution_date, before, after }).map_err(no_use)
}
