//! Which release this is.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::config::UpdateChannel;
use crate::store;
use crate::web::Web;
use crate::web::problem::ProblemBody;

/// This release, and where others would come from.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Update {
    /// The version that runs.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// The machine that it was built for.
    target: &'static str,
    /// The commit that it was built from; empty where that is not known.
    commit: &'static str,
    /// The format of the store.
    store_format: u32,
    /// Which releases are wanted: `stable` or `beta`.
    channel: &'static str,
    /// The repository that releases come from, where one is set.
    repository: Option<String>,
}

/// Which release this is.
#[utoipa::path(get, path = "/update", responses(
    (status = 200, body = Update),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn update(State(web): State<Web>) -> Json<Update> {
    let settings = web.settings.get();
    let channel = match settings.update.channel {
        UpdateChannel::Stable => "stable",
        UpdateChannel::Beta => "beta",
    };
    Json(Update {
        version: crate::release::version(),
        target: crate::release::TARGET,
        commit: crate::release::COMMIT,
        store_format: store::format(),
        channel,
        repository: settings.update.repository.clone(),
    })
}
