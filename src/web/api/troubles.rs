//! What is wrong now, as people were told.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::config::LogLevel;
use crate::trouble::Trouble;
use crate::web::Web;
use crate::web::problem::ProblemBody;

/// An open trouble.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TroubleItem {
    /// What is wrong, as a stable word: `hipay`, `mirakl`, `credentials`, `escrow`, `store`, `slow_disk`, `clock`,
    /// `certificate`, `service`, `mail`, `batch:` with a command, `alert:` with a channel.
    key: String,
    /// Its level.
    level: &'static str,
    /// What happened, and what to do.
    message: String,
    /// When it was noticed first.
    opened_at: Timestamp,
    /// When it was noticed last.
    seen_at: Timestamp,
    /// How often it was noticed.
    times: u64,
}

/// All open troubles.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OpenTroubles {
    /// The oldest first.
    items: Vec<TroubleItem>,
    /// How many.
    total: usize,
}

impl From<Trouble> for TroubleItem {
    fn from(trouble: Trouble) -> Self {
        let Trouble { key, level, message, opened_at, seen_at, times, .. } = trouble;
        Self { key, level: LogLevel::of_number(level).name(), message, opened_at, seen_at, times }
    }
}

/// What is wrong now; each is told by mail and on the channels of `alert.*` when it begins and when it is over.
#[utoipa::path(get, path = "/troubles", responses(
    (status = 200, body = OpenTroubles),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn troubles(State(web): State<Web>) -> Json<OpenTroubles> {
    let items: Vec<TroubleItem> = web.context.troubles.open().into_iter().map(TroubleItem::from).collect();
    Json(OpenTroubles { total: items.len(), items })
}
