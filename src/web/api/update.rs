//! Endpoints for the running release, newer releases and their installation.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::extract::Body;
use crate::config::UpdateChannel;
use crate::store;
use crate::text::message::{asker, logged, msg};
use crate::update::status::{PastUpdate, UpdateAttempt, UpdateReason};
use crate::update::{PendingInstallState, Release, ReleaseKind, ReleaseRequest, Releases, UpdateCheck, running};
use crate::web::Web;
use crate::web::auth::Operator;
use crate::web::problem::{Problem, ProblemBody};

/// The running release, and the source of newer ones.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Update {
    /// Version that runs.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// Machine that the release was built for.
    target: &'static str,
    /// Commit that the release was built from; empty if unknown.
    commit: &'static str,
    /// Format of the store.
    store_format: u32,
    /// Channel of the wanted releases: `stable` or `beta`.
    channel: &'static str,
    /// Repository of the releases; absent if none is set.
    repository: Option<String>,
    /// Time of the last request to GitHub (UTC); absent before the first one.
    checked_at: Option<Timestamp>,
    /// Result of the last check: `available`, `up_to_date`, `cannot` or `not_yet`.
    answer: &'static str,
    /// Newest release of each kind; empty if there is none, or if it is not known.
    available: Vec<NewerRelease>,
    /// Name of the obstacle if `answer` is `cannot`; absent otherwise.
    reason: Option<&'static str>,
    /// Message that states the obstacle and its remedy; absent unless `answer` is `cannot`.
    message: Option<String>,
    /// Reason why this installation cannot be updated from here; absent if it can.
    impossible: Option<UpdateReason>,
    /// Version that is being fetched, or that waits for the guard; absent if there is none.
    fetching: Option<String>,
    /// Reason why the last requested release did not reach the guard; absent if it did.
    not_fetched: Option<String>,
    /// Update in progress, step by step; absent if there is none.
    attempt: Option<UpdateAttempt>,
    /// Last updates, latest first.
    past: Vec<PastUpdate>,
}

/// A newer release.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NewerRelease {
    /// Version of the release.
    version: String,
    /// Kind of release. If only the last number differs, `patch` (fixes a security problem) or `fix`, else
    /// `new_version`.
    kind: &'static str,
    /// Security fix: true if it fixes a security problem of the running version.
    security: bool,
    /// Pre-release, that is, not finished.
    prerelease: bool,
    /// Time of publication (UTC).
    published_at: Option<Timestamp>,
    /// Size of its file for this machine, in bytes.
    size: u64,
    /// Release notes, in Markdown.
    notes: String,
}

impl NewerRelease {
    fn new(release: Release) -> Self {
        let running = running();
        let kind = release.kind(&running).unwrap_or(ReleaseKind::NewVersion);
        let security = release.mends_security(&running);
        Self {
            version: release.version.to_string(),
            kind: kind.name(),
            security,
            prerelease: release.prerelease,
            published_at: release.published_at,
            size: release.asset.size,
            notes: release.notes,
        }
    }
}

/// Returns the running release and the newer ones.
#[utoipa::path(get, path = "/update", responses((status = 200, body = Update)))]
pub(super) async fn update(State(web): State<Web>) -> Result<Json<Update>, Problem> {
    status(&web).await.map(Json)
}

/// A release to install.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUpdate {
    /// Version of the release, one of those in `available`.
    #[schema(example = "1.2.0")]
    version: String,
}

/// Begins to install a release.
///
/// The progress appears in `attempt`, the outcome in `past`. A request for the release that is already on its way joins
/// it.
#[utoipa::path(post, path = "/update", request_body = NewUpdate, responses(
    (status = 202, body = Update),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn install(
    State(web): State<Web>,
    Operator(caller): Operator,
    Body(new): Body<NewUpdate>,
) -> Result<(StatusCode, Json<Update>), Problem> {
    if let Err(hindrance) = web.installer.begin(&new.version, &caller.name).await {
        let zone = web.settings.get().hipay.time_zone.clone();
        return Err(Problem::new(StatusCode::CONFLICT, hindrance.message(&zone)));
    }
    status(&web).await.map(|update| (StatusCode::ACCEPTED, Json(update)))
}

/// Looks for newer releases now.
#[utoipa::path(post, path = "/update/check", responses(
    (status = 200, body = Update),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn check(State(web): State<Web>, Operator(caller): Operator) -> Result<Json<Update>, Problem> {
    let message = msg!("log-update-check", person = asker(&caller.name));
    logged!(info, severity = "NOTICE", action = "update", message);
    web.updates.check().await?;
    status(&web).await.map(Json)
}

/// Answers a request of the command line about releases.
///
/// Only the command line may insist, name a package on this machine's disk, or go back to the previous release.
#[utoipa::path(post, path = "/update/request", request_body = ReleaseRequest, responses(
    (status = 200, body = Releases),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn request(
    State(web): State<Web>,
    Operator(caller): Operator,
    Body(request): Body<ReleaseRequest>,
) -> Result<Json<Releases>, Problem> {
    caller.must_be_on_command_line()?;
    tokio::select! {
        releases = web.installer.answer(&request) => Ok(Json(releases?)),
        () = web.stopping.cancelled() => Err(Problem::unavailable(msg!("service-stops"), 5)),
    }
}

async fn status(web: &Web) -> Result<Update, Problem> {
    let settings = web.settings.get();
    let channel = match settings.update.channel {
        UpdateChannel::Stable => "stable",
        UpdateChannel::Beta => "beta",
    };
    let checked_at = web.updates.last().await?.map(|last| last.checked_at);
    let (mut available, mut reason, mut message) = (Vec::new(), None, None);
    let answer = match web.updates.answer().await? {
        UpdateCheck::Available(offer) => {
            available.extend([offer.patch, offer.new_version].into_iter().flatten().map(NewerRelease::new));
            "available"
        }
        UpdateCheck::UpToDate => "up_to_date",
        UpdateCheck::Cannot(obstacle) => {
            reason = Some(obstacle.name());
            message = Some(obstacle.message(&settings.hipay.time_zone).to_string());
            "cannot"
        }
        UpdateCheck::NotYet => "not_yet",
    };
    let (mut fetching, mut not_fetched) = (None, None);
    if let Some(errand) = web.installer.pending_now() {
        match errand.state {
            PendingInstallState::Fetching | PendingInstallState::HandedOver => {
                fetching = Some(errand.version.to_string());
            }
            PendingInstallState::Failed(obstacle) => {
                not_fetched = Some(obstacle.message(&settings.hipay.time_zone).to_string());
            }
        }
    }
    let told = web.guard.status().borrow().clone();
    Ok(Update {
        version: crate::platform::release::version(),
        target: crate::platform::release::TARGET,
        commit: crate::platform::release::COMMIT,
        store_format: store::format(),
        channel,
        repository: settings.update.repository.clone(),
        checked_at,
        answer,
        available,
        reason,
        message,
        impossible: told.impossible,
        fetching,
        not_fetched,
        attempt: told.attempt,
        past: told.past,
    })
}
