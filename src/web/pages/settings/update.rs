//! Updating the application: which release runs, which are newer, what stands in the way, and what
//! became of the updates so far.

use askama::filters::HtmlSafeOutput;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use serde::Deserialize;

use super::super::page::Page;
use super::updating::Story;
use super::{HERE, refuse};
use crate::platform::release::TARGET;
use crate::text::message::Message;
use crate::update::story::{Outcome, Past};
use crate::update::{Answer, Kind, Obstacle, Release, notes_html, running};
use crate::web::Web;
use crate::web::auth::Operator;
use crate::web::form::Checked;
use crate::web::problem::Problem;

/// What this part of the settings shows.
pub(super) struct Update {
    /// When GitHub was asked last.
    pub(super) checked_at: Option<Timestamp>,
    pub(super) is_up_to_date: bool,
    /// The newer releases, the one that mends this one first.
    pub(super) offers: Vec<Offered>,
    /// Why it is not known whether there are any.
    pub(super) obstacle: Option<String>,
    /// Whether that is for want of a token.
    pub(super) wants_token: bool,
    /// Why none can be installed from here.
    pub(super) impossible: Option<String>,
    /// The version that is being installed.
    pub(super) under_way: Option<String>,
    /// The updates so far, the latest first.
    pub(super) past: Vec<Past>,
}

/// A newer release.
pub(super) struct Offered {
    pub(super) version: String,
    kind: Kind,
    /// It mends a security problem of the one that runs.
    security: bool,
    pub(super) prerelease: bool,
    pub(super) published_at: Option<Timestamp>,
    /// In KiB.
    pub(super) size: u64,
    /// What it says about itself, safe wherever it stands.
    pub(super) notes: HtmlSafeOutput<String>,
    /// Why it cannot be installed.
    pub(super) hindrance: Option<String>,
}

impl Offered {
    pub(super) fn kind(&self) -> &'static str {
        self.kind.name()
    }

    /// The sentence about its kind.
    pub(super) fn about(&self) -> &'static str {
        match (self.kind, self.security) {
            (Kind::SecurityPatch, _) => "update-about-patch",
            (Kind::Fix, _) => "update-about-fix",
            (Kind::NewVersion, true) => "update-about-new-version-security",
            (Kind::NewVersion, false) => "update-about-new-version",
        }
    }
}

impl Update {
    pub(super) async fn look(web: &Web, page: &Page) -> Result<Self, Problem> {
        let known = web.guard.known().borrow().clone();
        let running = running();
        let offered = |release: Release| {
            let version = release.version.to_string();
            // What holds for all of them is told once.
            let against = known.against(&version).filter(|_| known.impossible.is_none());
            Offered {
                kind: release.kind(&running).unwrap_or(Kind::NewVersion),
                security: release.mends_security(&running),
                prerelease: release.prerelease,
                published_at: release.published_at,
                size: release.asset.size.div_ceil(1024),
                notes: HtmlSafeOutput(notes_html(&release.notes)),
                hindrance: against.map(|reason| reason.in_words(page.texts())),
                version,
            }
        };
        let (mut offers, mut obstacle, mut is_up_to_date) = (Vec::new(), None, false);
        match web.updates.answer().await? {
            Answer::Available(offer) => {
                offers.extend([offer.patch, offer.new_version].into_iter().flatten().map(offered));
            }
            Answer::UpToDate => is_up_to_date = true,
            Answer::Cannot(met) => obstacle = Some(met),
            Answer::NotYet => {}
        }
        let story = Story::now(web, page);
        Ok(Self {
            checked_at: web.updates.last().await?.map(|last| last.checked_at),
            is_up_to_date,
            offers,
            wants_token: matches!(obstacle, Some(Obstacle::NoToken | Obstacle::TokenRefused)),
            obstacle: obstacle.map(|obstacle| obstacle.sentence(page.texts(), page.zone())),
            impossible: known.impossible.as_ref().map(|reason| reason.in_words(page.texts())),
            under_way: story.filter(Story::is_under_way).map(|story| story.to),
            past: known.past,
        })
    }

    /// Whether its button is there.
    pub(super) fn can_install(&self, page: &Page, offered: &Offered) -> bool {
        page.may_change() && self.impossible.is_none() && self.under_way.is_none() && offered.hindrance.is_none()
    }

    /// The name of a package for this machine.
    pub(super) fn package(&self, page: &Page) -> String {
        format!("cashout-{}-{TARGET}.tar.gz", page.t("update-version-sign"))
    }

    pub(super) fn tone(&self, past: &Past) -> &'static str {
        tone(past.outcome)
    }

    pub(super) fn outcome(&self, past: &Past) -> &'static str {
        past.outcome.name()
    }

    /// Why it ended so.
    pub(super) fn reason(&self, page: &Page, past: &Past) -> String {
        past.reason.as_ref().map(|reason| reason.in_words(page.texts())).unwrap_or_default()
    }
}

pub(super) fn tone(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Committed => "good",
        Outcome::RolledBack => "bad",
        Outcome::Refused | Outcome::Interrupted => "warn",
        Outcome::Other => "quiet",
    }
}

/// A form that says nothing but that it was sent.
#[derive(Debug, Deserialize)]
pub(in crate::web::pages) struct Sent {}

/// Looks for newer releases now.
pub(in crate::web::pages) async fn check(
    State(web): State<Web>,
    Operator(caller): Operator,
    Checked(Sent {}): Checked<Sent>,
) -> Result<Response, Problem> {
    tracing::info!(severity = "NOTICE", action = "update", "{caller} looks for newer releases");
    web.updates.check().await?;
    Ok(Redirect::to(&format!("{HERE}#update")).into_response())
}

/// What is to be installed.
#[derive(Debug, Deserialize)]
pub(in crate::web::pages) struct Wanted {
    version: String,
}

/// Begins to install a release, in the caller's name, and leads to where that can be watched.
pub(in crate::web::pages) async fn install(
    State(web): State<Web>,
    page: Page,
    Operator(caller): Operator,
    Checked(wanted): Checked<Wanted>,
) -> Result<Response, Problem> {
    if let Err(hindrance) = web.installer.begin(&wanted.version, &caller.name).await {
        let problem =
            Problem::new(StatusCode::CONFLICT, Message::quoting(hindrance.sentence(page.texts(), page.zone())));
        return refuse(&web, page, "update", &problem).await;
    }
    Ok(Redirect::to("/dashboard/update").into_response())
}
