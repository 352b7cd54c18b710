//! The check for newer releases: at the start, daily, and on request. The last answer is kept.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, Notify};

use super::fetch::Downloads;
use super::github::{GitHub, ReleasesAnswer};
use super::release::{Offer, Release, choose, named};
use super::{UpdateObstacle, running};
use crate::config::{Settings, UpdateChannel, UpdateConfig};
use crate::platform::clock::Clock;
use crate::platform::hex::hex;
use crate::platform::release::TARGET;
use crate::remote::ClientPolicy;
use crate::store::{Store, StoreError, View};
use crate::text::message::{logged, msg};

/// Key of the document that keeps the last check.
const DOCUMENT: &str = "update/last_check";
/// Time for which an answer is valid.
const CHECK_INTERVAL: SignedDuration = SignedDuration::from_hours(24);
/// Delay of the next check after a failed one.
const RETRY_INTERVAL: SignedDuration = SignedDuration::from_hours(1);

/// The last check at GitHub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastCheck {
    /// Time of the check (UTC).
    pub checked_at: Timestamp,
    /// Last answer of GitHub, kept if a later check fails.
    #[serde(default)]
    pub found: Option<FoundReleases>,
    /// Obstacle that the last check met.
    #[serde(default)]
    pub obstacle: Option<UpdateObstacle>,
    /// Fingerprint of the token used by the last check; the token cannot be derived from it.
    #[serde(default)]
    pub token: String,
    /// Fields of a later release, kept as they are.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// An answer of GitHub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundReleases {
    /// Releases on offer.
    #[serde(default)]
    pub offer: Offer,
    /// GitHub's entity tag of the answer.
    #[serde(default)]
    etag: Option<String>,
    /// Inputs of the choice besides GitHub's answer: if they change, the tag is of no use.
    #[serde(default)]
    basis: String,
}

/// The knowledge about updates.
#[derive(Debug, Clone, PartialEq)]
pub enum UpdateCheck {
    /// Newer releases.
    Available(Box<Offer>),
    /// No newer release.
    UpToDate,
    /// No answer, because of this obstacle.
    Cannot(UpdateObstacle),
    /// No check so far.
    NotYet,
}

/// The check for newer releases and their download. Clones share it.
#[derive(Clone)]
pub struct Updates {
    pub(super) clock: Clock,
    pub(super) settings: Settings,
    pub(super) manners: ClientPolicy,
    pub(super) store: Store,
    pub(super) downloads: Arc<Downloads>,
    look: Arc<Notify>,
    looked: Arc<Notify>,
    /// Lock that lets one check run at a time.
    turn: Arc<Mutex<()>>,
}

impl Updates {
    /// Creates the updates of the appliance on this store, with downloads in the folder `data`.
    pub fn new(store: Store, clock: Clock, settings: Settings, data: PathBuf, manners: ClientPolicy) -> Self {
        let downloads = Arc::new(Downloads::new(data));
        let (look, looked, turn) = (Arc::default(), Arc::default(), Arc::default());
        Self { clock, settings, manners, store, downloads, look, looked, turn }
    }

    /// Returns the last check; `None` before the first.
    pub async fn last(&self) -> Result<Option<LastCheck>, StoreError> {
        self.store.reading(|reader| reader.get_document(DOCUMENT)).await
    }

    /// Returns the current knowledge. Missing settings are reported at once.
    pub async fn answer(&self) -> Result<UpdateCheck, StoreError> {
        if let Some(missing) = missing(&self.settings.get().update) {
            return Ok(UpdateCheck::Cannot(missing));
        }
        let Some(last) = self.last().await? else { return Ok(UpdateCheck::NotYet) };
        Ok(match (last.obstacle, last.found) {
            (Some(obstacle), _) => UpdateCheck::Cannot(obstacle),
            (None, found) => {
                let offer = found.map(|found| found.offer).unwrap_or_default().newer_than(&running());
                if offer.newest().is_some() { UpdateCheck::Available(Box::new(offer)) } else { UpdateCheck::UpToDate }
            }
        })
    }

    /// Returns the client policy for GitHub, with the current network settings.
    pub(super) fn manners(&self) -> ClientPolicy {
        ClientPolicy { network: self.settings.get().network.clone(), ..self.manners.clone() }
    }

    /// Requests the daily check now.
    pub fn look_soon(&self) {
        self.look.notify_one();
    }

    /// Checks now, unless GitHub has reported that it is too early; keeps and returns the answer. Checks run one at a
    /// time: a caller waits for a check that is under way.
    pub async fn check(&self) -> Result<UpdateCheck, StoreError> {
        let asked_at = self.clock.now();
        let _turn = self.turn.lock().await;
        let settings = self.settings.get();
        if missing(&settings.update).is_some() {
            return self.answer().await;
        }
        let last = self.last().await?;
        let now = self.clock.now();
        let token = mark(&settings.update);
        // A limit applies to one token. One that was recorded before the clock was set back may be a year ahead.
        if let Some(last) = &last
            && let Some(UpdateObstacle::LimitReached { until }) = &last.obstacle
            && last.token == token
            && (last.checked_at..*until).contains(&now)
        {
            return self.answer().await;
        }
        let former = last.as_ref().and_then(|last| last.found.clone());
        let looked = self.look_at_github(&settings.update, former.as_ref(), asked_at).await;
        let (found, obstacle) = match looked {
            Ok(seen) => (Some(seen), None),
            Err(met) => (former, Some(met)),
        };
        let unknown = last.as_ref().map(|last| last.unknown.clone()).unwrap_or_default();
        let check = LastCheck { checked_at: now, found, obstacle, token, unknown };
        self.log_news(&check, last.as_ref());
        self.store.write(move |writer| writer.put_document(DOCUMENT, &check)).await?;
        self.looked.notify_one();
        self.answer().await
    }

    /// Waits for the next check, or returns at once for one that no caller has waited for.
    pub(super) async fn wait_for_check(&self) {
        self.looked.notified().await;
    }

    async fn look_at_github(
        &self,
        config: &UpdateConfig,
        former: Option<&FoundReleases>,
        now: Timestamp,
    ) -> Result<FoundReleases, UpdateObstacle> {
        let github = GitHub::new(config, &self.manners())?;
        let basis = basis(config, &running());
        let former = former.filter(|former| former.basis == basis);
        let etag = former.and_then(|former| former.etag.as_deref());
        match (github.releases(etag, now).await?, former) {
            (ReleasesAnswer::Unchanged, Some(former)) => Ok(former.clone()),
            (ReleasesAnswer::Unchanged, None) => {
                Err(UpdateObstacle::Failed { detail: "unexpected HTTP 304".to_owned() })
            }
            (ReleasesAnswer::Releases(releases, etag), _) => {
                let offer = choose(&releases, config.channel, &running(), TARGET)?;
                Ok(FoundReleases { offer, etag, basis })
            }
        }
    }

    /// Asks GitHub for the release of this version, newer or older than the running one.
    pub async fn find(&self, version: &Version) -> Result<Release, UpdateObstacle> {
        let github = GitHub::new(&self.settings.get().update, &self.manners())?;
        match github.releases(None, self.clock.now()).await? {
            ReleasesAnswer::Releases(releases, _) => named(&releases, version, TARGET),
            ReleasesAnswer::Unchanged => Err(UpdateObstacle::Failed { detail: "unexpected HTTP 304".to_owned() }),
        }
    }

    /// Logs a new obstacle or a new release, once.
    fn log_news(&self, check: &LastCheck, last: Option<&LastCheck>) {
        let newest = |check: &LastCheck| check.found.as_ref().and_then(|found| found.offer.newest().cloned());
        if let Some(obstacle) = &check.obstacle {
            if last.and_then(|last| last.obstacle.as_ref()) != Some(obstacle) {
                logged!(warn, action = "update", obstacle.message(&self.settings.get().hipay.time_zone));
            }
        } else if let Some(release) = newest(check)
            && last.and_then(newest).is_none_or(|known| known.version != release.version)
        {
            let message = msg!("log-release-available", version = release.version.to_string());
            logged!(info, severity = "NOTICE", action = "update", message);
        }
    }

    /// Checks at the start, then daily, earlier after a failure, and whenever [`Updates::look_soon`] is called.
    pub async fn run(self) {
        loop {
            let next = match self.due().await {
                Ok(next) => next,
                Err(error) => {
                    logged!(error, action = "update", msg!("log-updates-unread", error = &error));
                    self.later(RETRY_INTERVAL)
                }
            };
            tokio::select! {
                () = self.clock.until(next) => {}
                () = self.look.notified() => {}
            }
            if let Err(error) = self.check().await {
                logged!(error, action = "update", msg!("log-updates-not-kept", error = &error));
            }
        }
    }

    /// Returns the time of the next check. A check is due at once if the last answer was for another release or for
    /// other settings.
    async fn due(&self) -> Result<Timestamp, StoreError> {
        let config = self.settings.get();
        if missing(&config.update).is_some() {
            // No check is possible until a setting changes.
            return Ok(self.later(CHECK_INTERVAL));
        }
        let Some(last) = self.last().await? else { return Ok(Timestamp::MIN) };
        let now = self.clock.now();
        let same = last.found.as_ref().is_some_and(|found| found.basis == basis(&config.update, &running()));
        if (last.obstacle.is_none() && !same) || last.checked_at > now {
            return Ok(Timestamp::MIN);
        }
        let span = match &last.obstacle {
            Some(UpdateObstacle::LimitReached { until }) if last.token == mark(&config.update) => {
                return Ok(last.checked_at.max(*until));
            }
            Some(_) => RETRY_INTERVAL,
            None => CHECK_INTERVAL,
        };
        Ok(last.checked_at.checked_add(span).unwrap_or(Timestamp::MAX))
    }

    fn later(&self, span: SignedDuration) -> Timestamp {
        self.clock.now().checked_add(span).unwrap_or(Timestamp::MAX)
    }
}

/// Returns the obstacle for a missing setting, if one is missing.
fn missing(config: &UpdateConfig) -> Option<UpdateObstacle> {
    match (&config.repository, &config.token) {
        (None, _) => Some(UpdateObstacle::NoRepository),
        (Some(_), None) => Some(UpdateObstacle::NoToken),
        (Some(_), Some(_)) => None,
    }
}

/// Returns a fingerprint of the token, which does not reveal it.
fn mark(config: &UpdateConfig) -> String {
    let token = config.token.as_ref().map_or("", |token| token.expose());
    hex(Sha256::digest(format!("github token {token}")).into_iter().take(8))
}

/// Returns the inputs of an answer besides GitHub's.
fn basis(config: &UpdateConfig, running: &Version) -> String {
    let channel = match config.channel {
        UpdateChannel::Stable => "stable",
        UpdateChannel::Beta => "beta",
    };
    let repository = config.repository.as_deref().unwrap_or_default();
    format!("{} {repository} {channel} {running} {TARGET}", config.api_url)
}
