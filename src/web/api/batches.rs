//! Endpoints that list and enqueue batches.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::ToSchema;

use super::extract::Body;
use crate::jobs::{Command, Enqueued};
use crate::text::message::msg;
use crate::web::Web;
use crate::web::auth::Caller;
use crate::web::lists::{
    self, BatchCommand, BatchFilter, BatchItem, List, ListFilter, ListQuery, Moment, PageParams, moment,
};
use crate::web::problem::{Problem, ProblemBody};

/// A batch to enqueue.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchRequest {
    /// Command to run.
    command: BatchCommand,
    /// Earliest update of the shops to process: a day or an instant, inclusive. Only for `vendor:process`.
    #[serde(default)]
    #[schema(schema_with = moment)]
    since: Option<Moment>,
    /// Day of the cycle to process. Only for `cashout:generate`.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Date)]
    cycle_date: Option<Date>,
}

/// Lists the batches, latest first.
#[utoipa::path(get, path = "/batches", params(PageParams, BatchFilter), responses(
    (status = 200, body = List<BatchItem>),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn batches(
    State(web): State<Web>,
    ListQuery(turning, filter): ListQuery<BatchFilter, PageParams>,
) -> Result<Json<List<BatchItem>>, Problem> {
    let mut list = lists::page(&web, turning.into(), filter).await?;
    let live = web.scheduler.live().borrow().clone();
    for item in &mut list.items {
        let Some(batch) = live.get(&item.id) else { continue };
        item.done = batch.done();
        item.total = batch.total();
    }
    Ok(Json(list))
}

/// Enqueues a batch.
///
/// It begins at once, or when the running batch of its kind has ended. A request for a batch that is queued already
/// joins it.
#[utoipa::path(post, path = "/batches", operation_id = "ask", request_body = BatchRequest, responses(
    (status = 202, body = BatchItem),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn enqueue(
    State(web): State<Web>,
    caller: Caller,
    Body(new): Body<BatchRequest>,
) -> Result<(StatusCode, Json<BatchItem>), Problem> {
    let command = command(&web, new)?;
    let record = match web.scheduler.ask(&command, &caller.name, true).await? {
        Enqueued::Queued { record, .. } | Enqueued::Joined(record) | Enqueued::Busy(record) => record,
    };
    Ok((StatusCode::ACCEPTED, Json(BatchFilter::item(record))))
}

fn command(web: &Web, new: BatchRequest) -> Result<Command, Problem> {
    let zone = web.settings.get().hipay.time_zone.clone();
    let since = new.since.map(|since| since.begin("since", &zone)).transpose()?;
    let no_use = |argument| Problem::new(StatusCode::CONFLICT, msg!("problem-no-use", argument));
    new.command.with(since, new.cycle_date).map_err(no_use)
}
