//! Endpoint for the troubles that are open now.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::config::LogLevel;
use crate::trouble::Trouble;
use crate::web::Web;

/// An open trouble.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TroubleItem {
    /// Kind of trouble, as a stable word: `hipay`, `mirakl`, `credentials`, `escrow`, `store`, `slow_disk`, `clock`,
    /// `certificate`, `service`, `mail`, `batch:` with a command, `alert:` with a channel.
    key: String,
    /// Severity, as a log level.
    level: &'static str,
    /// Message that states what happened and what to do.
    message: String,
    /// Time when it was first noticed (UTC).
    opened_at: Timestamp,
    /// Time when it was last noticed (UTC).
    seen_at: Timestamp,
    /// Number of times that it was noticed.
    times: u64,
}

/// All open troubles.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OpenTroubles {
    /// Open troubles, oldest first.
    items: Vec<TroubleItem>,
    /// Number of open troubles.
    total: usize,
}

impl From<Trouble> for TroubleItem {
    fn from(trouble: Trouble) -> Self {
        let Trouble { key, level, message, opened_at, seen_at, times, .. } = trouble;
        Self { key, level: LogLevel::of_number(level).name(), message: message.to_string(), opened_at, seen_at, times }
    }
}

/// Lists the open troubles.
///
/// The beginning and the end of each is reported by mail and on the channels of `alert.*`.
#[utoipa::path(get, path = "/troubles", responses((status = 200, body = OpenTroubles)))]
pub(super) async fn troubles(State(web): State<Web>) -> Json<OpenTroubles> {
    let items: Vec<TroubleItem> = web.context.troubles.open().into_iter().map(TroubleItem::from).collect();
    Json(OpenTroubles { total: items.len(), items })
}
