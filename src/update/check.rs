//! Looking for newer releases: at the start, daily, and when somebody asks. The last answer is kept.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, Notify};

use super::fetch::Downloads;
use super::github::{GitHub, Listed};
use super::release::{Offer, Release, choose, named};
use super::{Obstacle, running};
use crate::config::{Settings, UpdateChannel, UpdateConfig};
use crate::platform::clock::Clock;
use crate::platform::hex::hex;
use crate::platform::release::TARGET;
use crate::remote::Manners;
use crate::store::{Store, StoreError, View};
use crate::text::Texts;

/// Where the last check is kept.
const DOCUMENT: &str = "update/last_check";
/// How long an answer holds.
const CHECK_EVERY: SignedDuration = SignedDuration::from_hours(24);
/// How soon it is tried again after one that failed.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// The last look at GitHub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastCheck {
    /// When it was (UTC).
    pub checked_at: Timestamp,
    /// What was newer when GitHub last answered, and when that was.
    #[serde(default)]
    pub found: Option<Found>,
    /// What stood in the way of the last look.
    #[serde(default)]
    pub obstacle: Option<Obstacle>,
    /// Tells the token of the last look from others; it cannot be read out of it.
    #[serde(default)]
    pub token: String,
    /// What a later release wrote beside this; kept as it is.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// What GitHub answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// What there was to choose from.
    #[serde(default)]
    pub offer: Offer,
    /// GitHub's tag of that state.
    #[serde(default)]
    etag: Option<String>,
    /// What the choice depended on beside GitHub's answer: where it changed, the tag is of no use.
    #[serde(default)]
    basis: String,
}

/// What is known about updates.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// There are newer releases.
    Available(Box<Offer>),
    /// There are none.
    UpToDate,
    /// It is not known, and this is why.
    Cannot(Obstacle),
    /// Nobody has looked yet.
    NotYet,
}

/// Looks for newer releases and fetches them. Cloning shares it.
#[derive(Clone)]
pub struct Updates {
    pub(super) clock: Clock,
    pub(super) settings: Settings,
    pub(super) manners: Manners,
    pub(super) store: Store,
    pub(super) downloads: Arc<Downloads>,
    look: Arc<Notify>,
    looked: Arc<Notify>,
    /// Two looks at once are one.
    turn: Arc<Mutex<()>>,
}

impl Updates {
    /// Updates of what works on this store, fetched into the folder `data`.
    pub fn new(store: Store, clock: Clock, settings: Settings, data: PathBuf, manners: Manners) -> Self {
        let downloads = Arc::new(Downloads::new(data));
        let (look, looked, turn) = (Arc::default(), Arc::default(), Arc::default());
        Self { clock, settings, manners, store, downloads, look, looked, turn }
    }

    /// The last look; nothing before the first.
    pub async fn last(&self) -> Result<Option<LastCheck>, StoreError> {
        self.store.reading(|reader| reader.get_document(DOCUMENT)).await
    }

    /// What is known now. What is missing in the settings is told at once.
    pub async fn answer(&self) -> Result<Answer, StoreError> {
        if let Some(missing) = missing(&self.settings.get().update) {
            return Ok(Answer::Cannot(missing));
        }
        let Some(last) = self.last().await? else { return Ok(Answer::NotYet) };
        Ok(match (last.obstacle, last.found) {
            (Some(obstacle), _) => Answer::Cannot(obstacle),
            (None, found) => {
                let offer = found.map(|found| found.offer).unwrap_or_default().newer_than(&running());
                if offer.newest().is_some() { Answer::Available(Box::new(offer)) } else { Answer::UpToDate }
            }
        })
    }

    /// How GitHub is spoken to, by the settings now.
    pub(super) fn manners(&self) -> Manners {
        Manners { network: self.settings.get().network.clone(), ..self.manners.clone() }
    }

    /// Has the daily look done now.
    pub fn look_soon(&self) {
        self.look.notify_one();
    }

    /// Looks now, unless GitHub has said that it is too early; keeps and gives the answer. Who asks
    /// while somebody else looks waits for that look.
    pub async fn check(&self) -> Result<Answer, StoreError> {
        let asked_at = self.clock.now();
        let _turn = self.turn.lock().await;
        let settings = self.settings.get();
        if missing(&settings.update).is_some() {
            return self.answer().await;
        }
        let last = self.last().await?;
        let now = self.clock.now();
        // What was said by a clock that has been set back since may be a year ahead.
        let waits = last.as_ref().is_some_and(|last| match &last.obstacle {
            // A limit is one token's.
            Some(Obstacle::LimitReached { until }) => {
                last.checked_at <= now && now < *until && last.token == mark(&settings.update)
            }
            _ => false,
        });
        if waits {
            return self.answer().await;
        }
        let former = last.as_ref().and_then(|last| last.found.clone());
        let (mut obstacle, mut found) = (None, former.clone());
        match self.look_at_github(&settings.update, former.as_ref(), asked_at).await {
            Ok(seen) => found = Some(seen),
            Err(met) => obstacle = Some(met),
        }
        let unknown = last.as_ref().map(|last| last.unknown.clone()).unwrap_or_default();
        let token = mark(&settings.update);
        let check = LastCheck { checked_at: now, found, obstacle, token, unknown };
        self.tell(&check, last.as_ref());
        self.store.write(move |writer| writer.put_document(DOCUMENT, &check)).await?;
        self.looked.notify_one();
        self.answer().await
    }

    /// Waits for the next look, or for one that nobody has waited for.
    pub(super) async fn looked(&self) {
        self.looked.notified().await;
    }

    async fn look_at_github(
        &self,
        config: &UpdateConfig,
        former: Option<&Found>,
        now: Timestamp,
    ) -> Result<Found, Obstacle> {
        let github = GitHub::new(config, &self.manners())?;
        let basis = basis(config, &running());
        let former = former.filter(|former| former.basis == basis);
        let etag = former.and_then(|former| former.etag.as_deref());
        match (github.releases(etag, now).await?, former) {
            (Listed::Unchanged, Some(former)) => Ok(former.clone()),
            (Listed::Unchanged, None) => Err(Obstacle::Failed { detail: "HTTP 304 unasked".to_owned() }),
            (Listed::Releases(releases, etag), _) => {
                let offer = choose(&releases, config.channel, &running(), TARGET)?;
                Ok(Found { offer, etag, basis })
            }
        }
    }

    /// The release of this version, be it newer or older than the one that runs; GitHub is asked.
    pub async fn find(&self, version: &Version) -> Result<Release, Obstacle> {
        let github = GitHub::new(&self.settings.get().update, &self.manners())?;
        match github.releases(None, self.clock.now()).await? {
            Listed::Releases(releases, _) => named(&releases, version, TARGET),
            Listed::Unchanged => Err(Obstacle::Failed { detail: "HTTP 304 unasked".to_owned() }),
        }
    }

    /// Says what is new since the last look, once.
    fn tell(&self, check: &LastCheck, last: Option<&LastCheck>) {
        let newest = |check: &LastCheck| check.found.as_ref().and_then(|found| found.offer.newest().cloned());
        if let Some(obstacle) = &check.obstacle {
            if last.and_then(|last| last.obstacle.as_ref()) != Some(obstacle) {
                let sentence = obstacle.sentence(Texts::of(None), &self.settings.get().hipay.time_zone);
                tracing::warn!(action = "update", "{sentence}");
            }
        } else if let Some(release) = newest(check)
            && last.and_then(newest).is_none_or(|known| known.version != release.version)
        {
            tracing::info!(severity = "NOTICE", action = "update", "release {} is available", release.version);
        }
    }

    /// Looks at the start, then daily, earlier after a failure, and whenever [`Updates::look_soon`] is
    /// called.
    pub async fn run(self) {
        loop {
            let next = match self.due().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::error!(action = "update", "what is known about updates cannot be read: {error}");
                    self.later(AGAIN_AFTER)
                }
            };
            tokio::select! {
                () = self.clock.until(next) => {}
                () = self.look.notified() => {}
            }
            if let Err(error) = self.check().await {
                tracing::error!(action = "update", "what was found cannot be kept: {error}");
            }
        }
    }

    /// When the next look is due. A new process looks at once where the last look is not of this release.
    async fn due(&self) -> Result<Timestamp, StoreError> {
        let config = self.settings.get();
        if missing(&config.update).is_some() {
            // Nothing can be looked at until a setting changes.
            return Ok(self.later(CHECK_EVERY));
        }
        let Some(last) = self.last().await? else { return Ok(Timestamp::MIN) };
        let now = self.clock.now();
        let same = last.found.as_ref().is_some_and(|found| found.basis == basis(&config.update, &running()));
        if (last.obstacle.is_none() && !same) || last.checked_at > now {
            return Ok(Timestamp::MIN);
        }
        let (asked, span) = match &last.obstacle {
            Some(Obstacle::LimitReached { until }) if last.token == mark(&config.update) => {
                (*until, SignedDuration::ZERO)
            }
            Some(_) => (Timestamp::MIN, AGAIN_AFTER),
            None => (Timestamp::MIN, CHECK_EVERY),
        };
        Ok(last.checked_at.checked_add(span).unwrap_or(Timestamp::MAX).max(asked))
    }

    fn later(&self, span: SignedDuration) -> Timestamp {
        self.clock.now().checked_add(span).unwrap_or(Timestamp::MAX)
    }
}

/// What is missing in the settings.
fn missing(config: &UpdateConfig) -> Option<Obstacle> {
    match (&config.repository, &config.token) {
        (None, _) => Some(Obstacle::NoRepository),
        (Some(_), None) => Some(Obstacle::NoToken),
        (Some(_), Some(_)) => None,
    }
}

/// Tells one token from another without saying what it is.
fn mark(config: &UpdateConfig) -> String {
    let token = config.token.as_ref().map_or("", |token| token.expose());
    hex(Sha256::digest(format!("github token {token}")).into_iter().take(8))
}

/// What an answer depends on beside GitHub.
fn basis(config: &UpdateConfig, running: &Version) -> String {
    let channel = match config.channel {
        UpdateChannel::Stable => "stable",
        UpdateChannel::Beta => "beta",
    };
    let repository = config.repository.as_deref().unwrap_or_default();
    format!("{} {repository} {channel} {running} {TARGET}", config.api_url)
}
