//! Installation of a release on request: its choice, its download, and the handover to the guard.

use std::fs::File;
use std::path::Path;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use semver::Version;
use tokio::sync::watch;

use super::request::{ReleaseRequest, Releases};
use super::status::{UpdateOutcome, UpdateReason};
use super::worker::GuardLink;
use super::{Release, UpdateCheck, UpdateObstacle, Updates, running};
use crate::config::{Settings, UpdateAuto};
use crate::platform::release;
use crate::store::StoreError;
use crate::text::message::{Message, asker, logged, msg};

/// Interval of the checks for a patch to install automatically.
const CHECK_INTERVAL: SignedDuration = SignedDuration::from_mins(5);

/// A package on its way from GitHub to the guard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingInstall {
    /// Version of the release.
    pub version: Version,
    /// Origin of the request: a login, `command line` or `auto`.
    pub asked_by: String,
    /// Start time (UTC).
    pub began_at: Timestamp,
    /// Start time of the last attempt when this installation began (UTC). While that attempt is still the last one, this
    /// installation is the latest news.
    pub after: Option<Timestamp>,
    /// Progress of the installation.
    pub state: PendingInstallState,
    /// Set if the release is to be installed even if it is older than the running one or was rolled back before.
    insists: bool,
}

/// The progress of a package on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PendingInstallState {
    /// Download of the package.
    Fetching,
    /// Handover to the guard; the result is seen in [`GuardLink::status`].
    HandedOver,
    /// Failure before the package reached the guard, with its reason.
    Failed(UpdateObstacle),
}

/// The reason why a release is not installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hindrance {
    /// Inability or refusal of the guard.
    Guard(UpdateReason),
    /// Obstacle to the download.
    Obstacle(UpdateObstacle),
}

impl Hindrance {
    /// Returns the message, which says how to fix the problem; moments are shown in `zone`.
    pub fn message(&self, zone: &TimeZone) -> Message {
        match self {
            Self::Guard(reason) => reason.into(),
            Self::Obstacle(obstacle) => obstacle.message(zone),
        }
    }
}

/// The installation of releases on request. Clones share it.
#[derive(Clone)]
pub struct Installer {
    updates: Updates,
    guard: GuardLink,
    settings: Settings,
    /// Last package that was requested.
    errand: watch::Sender<Option<PendingInstall>>,
}

impl Installer {
    /// Creates an installer that hands the downloads of `updates` to `guard`.
    pub fn new(updates: Updates, guard: GuardLink, settings: Settings) -> Self {
        Self { updates, guard, settings, errand: watch::Sender::new(None) }
    }

    /// Returns the last package that was requested; `None` before the first.
    pub fn pending(&self) -> watch::Receiver<Option<PendingInstall>> {
        self.errand.subscribe()
    }

    /// Returns the last requested package while it is the latest news: no attempt is under way, and none has ended
    /// since.
    pub fn pending_now(&self) -> Option<PendingInstall> {
        let known = self.guard.status();
        let known = known.borrow();
        let last = known.past.first().map(|past| past.began_at);
        self.errand.borrow().clone().filter(|errand| known.attempt.is_none() && errand.after == last)
    }

    /// Begins to install a release. The installation continues if its caller goes away, and a caller that requests a
    /// release on its way joins it. The result is seen in [`Installer::pending`] and [`GuardLink::status`].
    pub async fn begin(&self, wanted: &str, asked_by: &str) -> Result<(), Hindrance> {
        if let Some(reason) = self.guard.status().borrow().against(wanted) {
            return Err(Hindrance::Guard(reason));
        }
        let release = self.offered(Some(wanted)).await.map_err(Hindrance::Obstacle)?;
        if self.accept(&release.version, asked_by, false).map_err(Hindrance::Obstacle)? {
            let installer = self.clone();
            tokio::spawn(async move { installer.execute(release).await });
        }
        Ok(())
    }

    /// Fetches a release, the newest if none is named, and hands it to the guard. With `insists`, the release may be
    /// older than the running one, or may have been rolled back before. The result is seen in [`GuardLink::status`].
    pub async fn install(&self, wanted: Option<&str>, asked_by: &str, insists: bool) -> Result<(), UpdateObstacle> {
        let version = wanted.and_then(|wanted| wanted.parse::<Version>().ok());
        let release = match version.filter(|version| *version <= running()) {
            Some(version) if insists => self.updates.find(&version).await?,
            Some(version) => return Err(UpdateObstacle::NotNewer { version, running: running() }),
            None => self.offered(wanted).await?,
        };
        if self.accept(&release.version, asked_by, insists)? {
            self.execute(release).await;
        }
        let mut errand = self.errand.subscribe();
        let is_there = |errand: &Option<PendingInstall>| {
            errand.as_ref().is_none_or(|errand| !matches!(errand.state, PendingInstallState::Fetching))
        };
        let errand = errand.wait_for(is_there).await.map_err(|_| UpdateObstacle::Stopping)?.clone();
        match errand.map(|errand| errand.state) {
            Some(PendingInstallState::Failed(obstacle)) => Err(obstacle),
            Some(PendingInstallState::Fetching | PendingInstallState::HandedOver) | None => Ok(()),
        }
    }

    /// Returns the release of this version, or the newest if none is named, if it is on offer.
    async fn offered(&self, wanted: Option<&str>) -> Result<Release, UpdateObstacle> {
        let not_offered = || UpdateObstacle::NotOffered { wanted: wanted.unwrap_or_default().to_owned() };
        let offer = match self.updates.answer().await {
            Ok(UpdateCheck::Available(offer)) => *offer,
            Ok(UpdateCheck::Cannot(obstacle)) => return Err(obstacle),
            Ok(UpdateCheck::UpToDate | UpdateCheck::NotYet) => return Err(not_offered()),
            Err(error) => return Err(UpdateObstacle::Folder { detail: error.to_string() }),
        };
        let release = match wanted {
            None => offer.newest(),
            Some(wanted) => wanted.parse::<Version>().ok().and_then(|version| offer.release(&version)),
        };
        release.cloned().ok_or_else(not_offered)
    }

    /// Accepts an installation; returns false if this release is already on its way.
    fn accept(&self, version: &Version, asked_by: &str, insists: bool) -> Result<bool, UpdateObstacle> {
        let known = self.guard.status().borrow().clone();
        let attempted = known.attempt.as_ref().and_then(|attempt| attempt.to.parse::<Version>().ok());
        let after = known.past.first().map(|past| past.began_at);
        let mut on_its_way = None;
        let taken = self.errand.send_if_modified(|errand| {
            let fetched = errand.as_ref().filter(|errand| match errand.state {
                PendingInstallState::Fetching => true,
                PendingInstallState::HandedOver => known.attempt.is_none() && errand.after == after,
                PendingInstallState::Failed(_) => false,
            });
            on_its_way = fetched.map(|errand| errand.version.clone()).or(attempted);
            let free = on_its_way.is_none();
            if free {
                let (version, asked_by) = (version.clone(), asked_by.to_owned());
                let (began_at, state) = (self.updates.clock.now(), PendingInstallState::Fetching);
                *errand = Some(PendingInstall { version, asked_by, began_at, after, state, insists });
            }
            free
        });
        if taken {
            let message = msg!("log-update-requested", person = asker(asked_by), version = version.to_string());
            logged!(info, severity = "NOTICE", action = "update", message);
        }
        match on_its_way {
            Some(other) if other != *version => Err(UpdateObstacle::Busy { version: other }),
            Some(_) | None => Ok(taken),
        }
    }

    /// Carries out the accepted installation.
    async fn execute(&self, release: Release) {
        let state = match self.fetch_and_hand_over(release).await {
            Ok(()) => PendingInstallState::HandedOver,
            Err(obstacle) => {
                logged!(warn, action = "update", obstacle.message(&self.settings.get().hipay.time_zone));
                PendingInstallState::Failed(obstacle)
            }
        };
        self.errand.send_modify(|errand| {
            if let Some(errand) = errand {
                errand.state = state;
            }
        });
    }

    async fn fetch_and_hand_over(&self, release: Release) -> Result<(), UpdateObstacle> {
        let version = release.version.to_string();
        let fetched = self.updates.fetch(release).await?;
        let errand = self.errand.borrow().clone();
        let (asked_by, insists) = errand.map(|errand| (errand.asked_by, errand.insists)).unwrap_or_default();
        let file = fetched.file.try_clone().map_err(|error| UpdateObstacle::Folder { detail: error.to_string() })?;
        self.hand_over(file, version, asked_by, insists).await
    }

    /// Hands an open package to the guard.
    async fn hand_over(
        &self,
        file: File,
        version: String,
        asked_by: String,
        insists: bool,
    ) -> Result<(), UpdateObstacle> {
        let guard = self.guard.clone();
        let handed = tokio::task::spawn_blocking(move || guard.install(&version, &asked_by, insists, &file));
        let handed = handed.await.map_err(|_| UpdateObstacle::Stopping)?;
        handed.map_err(|error| UpdateObstacle::NoGuard { detail: error.to_string() })
    }

    /// Hands a package on this machine's disk to the guard.
    async fn install_package(
        &self,
        path: &Path,
        version: &str,
        asked_by: &str,
        insists: bool,
    ) -> Result<(), UpdateObstacle> {
        let opened = tokio::fs::File::open(path).await;
        let file = opened.map_err(|error| UpdateObstacle::Folder { detail: format!("{}: {error}", path.display()) })?;
        self.hand_over(file.into_std().await, version.to_owned(), asked_by.to_owned(), insists).await
    }

    /// Installs security patches automatically, as [`Installer::patch`] does, after each check and every few minutes.
    pub async fn run(self) {
        loop {
            self.patch().await;
            tokio::select! {
                () = self.updates.clock.sleep(CHECK_INTERVAL) => {}
                () = self.updates.wait_for_check() => {}
            }
        }
    }

    /// Installs the available security patch, if `update.auto` allows it and its window of the day is open. A patch
    /// that failed is not tried again: an operator has to look at it first.
    pub async fn patch(&self) {
        let settings = self.settings.get();
        let now = self.updates.clock.now().to_zoned(settings.hipay.time_zone.clone());
        if settings.update.auto != UpdateAuto::Patch || !settings.update.window.contains(now.time()) {
            return;
        }
        let Ok(UpdateCheck::Available(offer)) = self.updates.answer().await else { return };
        let Some(patch) = offer.patch.filter(|patch| patch.mends_security(&running())) else { return };
        let patch = patch.version.to_string();
        let known = self.guard.status().borrow().clone();
        let was_tried = known.past.iter().any(|past| past.to == patch && past.outcome != UpdateOutcome::Interrupted);
        if known.impossible.is_some() || known.attempt.is_some() || was_tried {
            return;
        }
        if let Err(obstacle) = self.install(Some(&patch), "auto", false).await {
            let reason = obstacle.message(&settings.hipay.time_zone);
            logged!(error, action = "update", msg!("log-patch-not-installed", version = patch, reason));
        }
    }

    /// Answers a request of the command line.
    pub async fn answer(&self, wanted: &ReleaseRequest) -> Result<Releases, StoreError> {
        let asked_by = "command line";
        if matches!(wanted, ReleaseRequest::Check | ReleaseRequest::Install { .. }) {
            self.updates.check().await?;
        }
        let mut obstacle = match wanted {
            ReleaseRequest::Look | ReleaseRequest::Check => None,
            ReleaseRequest::Install { version, insists } => {
                self.install(version.as_deref(), asked_by, *insists).await.err()
            }
            ReleaseRequest::Package { path, version, insists } => {
                self.install_package(path, version, asked_by, *insists).await.err()
            }
            ReleaseRequest::Return => {
                let asked = self.guard.go_back(asked_by);
                asked.err().map(|error| UpdateObstacle::NoGuard { detail: error.to_string() })
            }
        };
        let mut newer = Vec::new();
        match self.updates.answer().await? {
            UpdateCheck::Available(offer) => {
                newer.extend([offer.patch, offer.new_version].into_iter().flatten().map(|one| one.version.to_string()));
            }
            UpdateCheck::Cannot(reason) if matches!(wanted, ReleaseRequest::Check) => obstacle = Some(reason),
            UpdateCheck::Cannot(_) | UpdateCheck::UpToDate | UpdateCheck::NotYet => {}
        }
        let zone = self.settings.get().hipay.time_zone.clone();
        Ok(Releases {
            version: release::version().to_owned(),
            known: self.guard.status().borrow().clone(),
            newer,
            obstacle: obstacle.map(|obstacle| obstacle.message(&zone).to_string()),
        })
    }
}
