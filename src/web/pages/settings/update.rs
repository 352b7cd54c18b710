//! The update part of the settings: the running release, newer ones, obstacles, and the updates so far.

use askama::filters::HtmlSafeOutput;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use serde::Deserialize;

use super::super::page::{PageFrame, Tone};
use super::updating::UpdateStoryView;
use super::{HERE, TypedFields, refuse};
use crate::platform::release::TARGET;
use crate::text::message::{Message, asker, logged, msg};
use crate::update::status::{PastUpdate, UpdateOutcome};
use crate::update::{Release, ReleaseKind, UpdateCheck, UpdateObstacle, notes_html, running};
use crate::web::Web;
use crate::web::auth::Operator;
use crate::web::form::Checked;
use crate::web::problem::Problem;

/// The data of the update part of the settings.
pub(super) struct UpdateView {
    /// Time of the last request to GitHub (UTC).
    pub(super) checked_at: Option<Timestamp>,
    pub(super) is_up_to_date: bool,
    /// Newer releases; the one that fixes the running one comes first.
    pub(super) offers: Vec<OfferedRelease>,
    /// Reason why newer releases are not known.
    pub(super) obstacle: Option<String>,
    /// Missing or refused token, as the reason.
    pub(super) wants_token: bool,
    /// Reason why no release can be installed from here.
    pub(super) impossible: Option<String>,
    /// Version that is being installed.
    pub(super) under_way: Option<String>,
    /// Updates so far, latest first.
    pub(super) past: Vec<PastUpdate>,
}

/// A newer release.
pub(super) struct OfferedRelease {
    pub(super) version: String,
    kind: ReleaseKind,
    /// Security fix for the running release.
    security: bool,
    pub(super) prerelease: bool,
    pub(super) published_at: Option<Timestamp>,
    /// Size, in KiB.
    pub(super) size: u64,
    /// Release notes as safe HTML.
    pub(super) notes: HtmlSafeOutput<String>,
    /// Reason why it cannot be installed.
    pub(super) hindrance: Option<String>,
}

impl OfferedRelease {
    pub(super) fn kind(&self) -> &'static str {
        self.kind.name()
    }

    /// Returns the id of the message about its kind.
    pub(super) fn about(&self) -> &'static str {
        match (self.kind, self.security) {
            (ReleaseKind::SecurityPatch, _) => "update-about-patch",
            (ReleaseKind::Fix, _) => "update-about-fix",
            (ReleaseKind::NewVersion, true) => "update-about-new-version-security",
            (ReleaseKind::NewVersion, false) => "update-about-new-version",
        }
    }
}

impl UpdateView {
    pub(super) async fn check_now(web: &Web, page: &PageFrame) -> Result<Self, Problem> {
        let known = web.guard.status().borrow().clone();
        let running = running();
        let offered = |release: Release| {
            let version = release.version.to_string();
            // A reason that applies to all releases is shown once.
            let against = known.against(&version).filter(|_| known.impossible.is_none());
            OfferedRelease {
                kind: release.kind(&running).unwrap_or(ReleaseKind::NewVersion),
                security: release.mends_security(&running),
                prerelease: release.prerelease,
                published_at: release.published_at,
                size: release.asset.size.div_ceil(1024),
                notes: HtmlSafeOutput(notes_html(&release.notes)),
                hindrance: against.map(|reason| page.say(&Message::from(&reason))),
                version,
            }
        };
        let (mut offers, mut obstacle, mut is_up_to_date) = (Vec::new(), None, false);
        match web.updates.answer().await? {
            UpdateCheck::Available(offer) => {
                offers.extend([offer.patch, offer.new_version].into_iter().flatten().map(offered));
            }
            UpdateCheck::UpToDate => is_up_to_date = true,
            UpdateCheck::Cannot(met) => obstacle = Some(met),
            UpdateCheck::NotYet => {}
        }
        let story = UpdateStoryView::now(web, page);
        Ok(Self {
            checked_at: web.updates.last().await?.map(|last| last.checked_at),
            is_up_to_date,
            offers,
            wants_token: matches!(obstacle, Some(UpdateObstacle::NoToken | UpdateObstacle::TokenRefused)),
            obstacle: obstacle.map(|obstacle| page.say(&obstacle.message(page.zone()))),
            impossible: known.impossible.as_ref().map(|reason| page.say(&reason.into())),
            under_way: story.filter(UpdateStoryView::is_under_way).map(|story| story.to),
            past: known.past,
        })
    }

    /// Returns true if the button that installs the release is shown.
    pub(super) fn can_install(&self, page: &PageFrame, offered: &OfferedRelease) -> bool {
        page.may_change() && self.impossible.is_none() && self.under_way.is_none() && offered.hindrance.is_none()
    }

    /// Returns the name of a package for this machine.
    pub(super) fn package(&self, page: &PageFrame) -> String {
        format!("cashout-{}-{TARGET}.tar.gz", page.t("update-version-sign"))
    }

    /// Returns the reason for the outcome.
    pub(super) fn reason(&self, page: &PageFrame, past: &PastUpdate) -> String {
        past.reason.as_ref().map(|reason| page.say(&reason.into())).unwrap_or_default()
    }
}

impl Tone for UpdateOutcome {
    fn tone(&self) -> &'static str {
        match self {
            UpdateOutcome::Committed => "good",
            UpdateOutcome::RolledBack => "bad",
            UpdateOutcome::Refused | UpdateOutcome::Interrupted => "warn",
            UpdateOutcome::Other => "quiet",
        }
    }
}

/// A form without fields: sending it is the whole request.
#[derive(Debug, Deserialize)]
pub(in crate::web::pages) struct Sent {}

/// Looks for newer releases now.
pub(in crate::web::pages) async fn check(
    State(web): State<Web>,
    Operator(caller): Operator,
    Checked(Sent {}): Checked<Sent>,
) -> Result<Response, Problem> {
    let message = msg!("log-update-check", person = asker(&caller.name));
    logged!(info, severity = "NOTICE", action = "update", message);
    web.updates.check().await?;
    Ok(Redirect::to(&format!("{HERE}#update")).into_response())
}

/// A release to install, as the form requests it.
#[derive(Debug, Deserialize)]
pub(in crate::web::pages) struct WantedRelease {
    version: String,
}

/// Begins to install a release in the caller's name, and redirects to the page that follows it.
pub(in crate::web::pages) async fn install(
    State(web): State<Web>,
    page: PageFrame,
    Operator(caller): Operator,
    Checked(wanted): Checked<WantedRelease>,
) -> Result<Response, Problem> {
    if let Err(hindrance) = web.installer.begin(&wanted.version, &caller.name).await {
        let problem = Problem::new(StatusCode::CONFLICT, hindrance.message(page.zone()));
        return refuse(&web, page, "update", TypedFields::default(), &problem).await;
    }
    Ok(Redirect::to("/dashboard/update").into_response())
}
