//! Which release this is, which are newer, and installing one.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::extract::Body;
use crate::config::UpdateChannel;
use crate::store;
use crate::text::Texts;
use crate::text::message::Message;
use crate::update::story::{Attempt, Past, Reason};
use crate::update::{Answer, ErrandState, Kind, Release, running};
use crate::web::Web;
use crate::web::auth::Operator;
use crate::web::problem::{Problem, ProblemBody};

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
    /// When GitHub was asked last; absent before the first time.
    checked_at: Option<Timestamp>,
    /// What is known: `available`, `up_to_date`, `cannot` or `not_yet`.
    answer: &'static str,
    /// The newest release of each kind; empty where there is none, or where it is not known.
    available: Vec<NewerRelease>,
    /// Why it is not known, by name; absent where it is.
    reason: Option<&'static str>,
    /// The same as a sentence with the way out.
    message: Option<String>,
    /// Why this installation cannot be updated from here; absent where it can.
    impossible: Option<Reason>,
    /// The release that is fetched, or that waits for the guard; absent where there is none.
    fetching: Option<String>,
    /// Why the release that was asked for last did not come to the guard; absent where it did.
    not_fetched: Option<String>,
    /// The update under way, step by step; absent where there is none.
    attempt: Option<Attempt>,
    /// The last updates, the latest first.
    past: Vec<Past>,
}

/// A newer release.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NewerRelease {
    /// Its version.
    version: String,
    /// Where only the last number differs, `patch` (it fixes a security problem) or `fix`, else `new_version`.
    kind: &'static str,
    /// True where it fixes a security problem of the version that runs.
    security: bool,
    /// Whether it is not finished.
    prerelease: bool,
    /// When it was published.
    published_at: Option<Timestamp>,
    /// How large its file for this machine is, in bytes.
    size: u64,
    /// What it says about itself, in Markdown.
    notes: String,
}

impl NewerRelease {
    fn new(release: Release) -> Self {
        let running = running();
        let kind = release.kind(&running).unwrap_or(Kind::NewVersion);
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

/// Which release this is, and which are newer.
#[utoipa::path(get, path = "/update", responses(
    (status = 200, body = Update),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn update(State(web): State<Web>) -> Result<Json<Update>, Problem> {
    known(&web).await.map(Json)
}

/// A release to be installed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUpdate {
    /// Its version: one of those that are available.
    #[schema(example = "1.2.0")]
    version: String,
}

/// Begins to install a release. What comes of it is seen in `attempt`, then in `past`; who asks for the
/// one that is on its way already joins it.
#[utoipa::path(post, path = "/update", request_body = NewUpdate, responses(
    (status = 202, body = Update),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn install(
    State(web): State<Web>,
    Operator(caller): Operator,
    Body(new): Body<NewUpdate>,
) -> Result<(StatusCode, Json<Update>), Problem> {
    if let Err(hindrance) = web.installer.begin(&new.version, &caller.name).await {
        let zone = web.settings.get().hipay.time_zone.clone();
        return Err(Problem::new(StatusCode::CONFLICT, Message::quoting(hindrance.sentence(Texts::of(None), &zone))));
    }
    known(&web).await.map(|update| (StatusCode::ACCEPTED, Json(update)))
}

/// Looks for newer releases now.
#[utoipa::path(post, path = "/update/check", responses(
    (status = 200, body = Update),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn check(State(web): State<Web>, Operator(caller): Operator) -> Result<Json<Update>, Problem> {
    tracing::info!(severity = "NOTICE", action = "update", "{caller} looks for newer releases");
    web.updates.check().await?;
    known(&web).await.map(Json)
}

async fn known(web: &Web) -> Result<Update, Problem> {
    let settings = web.settings.get();
    let channel = match settings.update.channel {
        UpdateChannel::Stable => "stable",
        UpdateChannel::Beta => "beta",
    };
    let checked_at = web.updates.last().await?.map(|last| last.checked_at);
    let (mut available, mut reason, mut message) = (Vec::new(), None, None);
    let answer = match web.updates.answer().await? {
        Answer::Available(offer) => {
            available.extend([offer.patch, offer.new_version].into_iter().flatten().map(NewerRelease::new));
            "available"
        }
        Answer::UpToDate => "up_to_date",
        Answer::Cannot(obstacle) => {
            reason = Some(obstacle.name());
            message = Some(obstacle.sentence(Texts::of(None), &settings.hipay.time_zone));
            "cannot"
        }
        Answer::NotYet => "not_yet",
    };
    let texts = Texts::of(None);
    let (mut fetching, mut not_fetched) = (None, None);
    if let Some(errand) = web.installer.errand_now() {
        match errand.state {
            ErrandState::Fetching | ErrandState::HandedOver => fetching = Some(errand.version.to_string()),
            ErrandState::Failed(obstacle) => {
                not_fetched = Some(obstacle.sentence(texts, &settings.hipay.time_zone));
            }
        }
    }
    let told = web.guard.known().borrow().clone();
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
