//! From a wish to the guard: which release, its package, and the handing over.

use std::fs::File;
use std::path::Path;

use jiff::SignedDuration;
use semver::Version;
use tokio::sync::watch;

use super::story::Outcome;
use super::worker::GuardLink;
use super::{Answer, Obstacle, Updates};
use crate::clock::Clock;
use crate::config::{Settings, UpdateAuto};
use crate::locale::Texts;
use crate::release;
use crate::socket::{Releases, Wanted};
use crate::store::StoreError;

/// How often it is looked whether a patch is to be installed unasked.
const LOOKED_AT_EVERY: SignedDuration = SignedDuration::from_mins(5);

/// Installs what somebody asks for. Cloning shares it.
#[derive(Clone)]
pub struct Installer {
    updates: Updates,
    guard: GuardLink,
    settings: Settings,
    /// Why the last package did not come to the guard.
    obstacle: watch::Sender<Option<Obstacle>>,
}

impl Installer {
    /// Installs what `updates` fetches by way of `guard`.
    pub fn new(updates: Updates, guard: GuardLink, settings: Settings) -> Self {
        Self { updates, guard, settings, obstacle: watch::Sender::new(None) }
    }

    /// Why the last package that was wanted did not come to the guard; nothing while it is on its way.
    pub fn obstacle(&self) -> watch::Receiver<Option<Obstacle>> {
        self.obstacle.subscribe()
    }

    /// Fetches a release, the newest where none is named, and hands it to the guard. What comes of it is
    /// seen in [`GuardLink::known`].
    pub async fn install(&self, wanted: Option<&str>, asked_by: &str) -> Result<(), Obstacle> {
        self.obstacle.send_replace(None);
        let done = self.fetch_and_hand_over(wanted, asked_by).await;
        self.obstacle.send_replace(done.as_ref().err().cloned());
        done
    }

    async fn fetch_and_hand_over(&self, wanted: Option<&str>, asked_by: &str) -> Result<(), Obstacle> {
        let offer = match self.updates.answer().await {
            Ok(Answer::Available(offer)) => *offer,
            Ok(Answer::Cannot(obstacle)) => return Err(obstacle),
            Ok(Answer::UpToDate | Answer::NotYet) => {
                return Err(Obstacle::NotOffered { wanted: wanted.unwrap_or_default().to_owned() });
            }
            Err(error) => return Err(Obstacle::Folder { detail: error.to_string() }),
        };
        let release = match wanted {
            None => offer.newest(),
            Some(wanted) => wanted.parse::<Version>().ok().and_then(|version| offer.release(&version)),
        };
        let not_offered = || Obstacle::NotOffered { wanted: wanted.unwrap_or_default().to_owned() };
        let release = release.cloned().ok_or_else(not_offered)?;
        let version = release.version.to_string();
        tracing::info!(severity = "NOTICE", action = "update", "{asked_by} wants cashout {version}");
        let fetched = self.updates.fetch(release).await?;
        self.guard
            .install(&version, asked_by, false, &fetched.file)
            .map_err(|error| Obstacle::NoGuard { detail: error.to_string() })
    }

    /// Hands a package of this machine's disk to the guard.
    async fn install_package(&self, path: &Path, version: &str, asked_by: &str) -> Result<(), Obstacle> {
        let (path, guard) = (path.to_owned(), self.guard.clone());
        let (version, asked_by) = (version.to_owned(), asked_by.to_owned());
        let handed = tokio::task::spawn_blocking(move || {
            let file = File::open(&path)
                .map_err(|error| Obstacle::Folder { detail: format!("{}: {error}", path.display()) })?;
            guard
                .install(&version, &asked_by, false, &file)
                .map_err(|error| Obstacle::NoGuard { detail: error.to_string() })
        });
        handed.await.unwrap_or(Err(Obstacle::Stopping))
    }

    /// Installs security patches unasked, in the window of the day, where `update.auto` says so. One that
    /// did not come through is not tried again: a person looks at it first.
    pub async fn run(self, clock: Clock) {
        loop {
            clock.pass(LOOKED_AT_EVERY).await;
            let settings = self.settings.get();
            let now = clock.now().to_zoned(settings.hipay.time_zone.clone());
            if settings.update.auto != UpdateAuto::Patch || !settings.update.window.contains(now.time()) {
                continue;
            }
            let Ok(Answer::Available(offer)) = self.updates.answer().await else { continue };
            let Some(patch) = offer.patch.map(|patch| patch.version.to_string()) else { continue };
            let known = self.guard.known().borrow().clone();
            let was_tried = known.past.iter().any(|past| past.to == patch && past.outcome != Outcome::Interrupted);
            if known.impossible.is_some() || known.attempt.is_some() || was_tried {
                continue;
            }
            if let Err(obstacle) = self.install(Some(&patch), "auto").await {
                let why = obstacle.sentence(Texts::of(None), &settings.hipay.time_zone);
                tracing::error!(action = "update", "the security patch {patch} could not be installed: {why}");
            }
        }
    }

    /// Answers the command line.
    pub async fn answer(&self, wanted: &Wanted) -> Result<Releases, StoreError> {
        let asked_by = "command line";
        let mut obstacle = None;
        let answer = match wanted {
            Wanted::Look => self.updates.answer().await?,
            Wanted::Check => self.updates.check().await?,
            Wanted::Install { version } => {
                self.updates.check().await?;
                obstacle = self.install(version.as_deref(), asked_by).await.err();
                self.updates.answer().await?
            }
            Wanted::Package { path, version } => {
                obstacle = self.install_package(path, version, asked_by).await.err();
                self.updates.answer().await?
            }
            Wanted::Return => {
                let asked = self.guard.go_back(asked_by);
                obstacle = asked.err().map(|error| Obstacle::NoGuard { detail: error.to_string() });
                self.updates.answer().await?
            }
        };
        let mut newer = Vec::new();
        match answer {
            Answer::Available(offer) => {
                newer.extend([offer.patch, offer.new_version].into_iter().flatten().map(|one| one.version.to_string()));
            }
            Answer::Cannot(reason) if matches!(wanted, Wanted::Check) => obstacle = Some(reason),
            Answer::Cannot(_) | Answer::UpToDate | Answer::NotYet => {}
        }
        let zone = self.settings.get().hipay.time_zone.clone();
        Ok(Releases {
            version: release::version().to_owned(),
            known: self.guard.known().borrow().clone(),
            newer,
            obstacle: obstacle.map(|obstacle| obstacle.sentence(Texts::of(None), &zone)),
        })
    }
}
