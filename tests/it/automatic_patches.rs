//! `update.auto: patch`: only security patches are installed automatically, within the daily window.

use std::sync::Arc;

use cashout::config::Settings;
use cashout::platform::clock::Clock;
use cashout::sandbox::Endpoint;
use cashout::update::channel::{GuardChannel, WorkerMessage};
use cashout::update::status::{PastUpdate, UpdateOutcome, UpdateStatus};
use cashout::update::worker::{GuardLink, Voice};
use cashout::update::{Installer, PendingInstallState, UpdateCheck};
use jiff::{SignedDuration, Timestamp};

use crate::installation::{Installation, OLD};
use crate::releases::{publish, release, updates, world};
use crate::world::World;

/// A worker's side of an installation, with this test as its guard.
struct Unattended {
    world: World,
    installer: Installer,
    link: GuardLink,
    guard: GuardChannel,
}

impl Unattended {
    /// Makes a world with these published releases. Each fixes a security problem, unless its version ends in `!`.
    async fn new(settings: &[&str], published: &[&str]) -> Self {
        let world = world(settings).await;
        for version in published {
            let one = release(version.trim_end_matches('!'));
            let notes = if version.ends_with('!') { "### Fixed\n" } else { "### Security\n\n- A hole is closed.\n" };
            publish(&world, one.notes(notes));
        }
        let updates = updates(&world);
        updates.check().await.unwrap();
        let (guard, worker) = GuardChannel::pair().unwrap();
        let link = GuardLink::new(UpdateStatus::default(), Voice::new(worker));
        let settings = Settings::new(&world.configuration(), Arc::clone(&world.context.config));
        let installer = Installer::new(updates, link.clone(), settings);
        Self { world, installer, link, guard }
    }

    /// Returns what the guard is asked to install at this moment.
    async fn at(&self, moment: &str) -> Option<(String, String)> {
        self.world.clock.set(moment.parse().unwrap());
        let before = self.installer.pending().borrow().clone();
        self.installer.patch().await;
        let errand = self.installer.pending().borrow().clone();
        if errand == before {
            return None;
        }
        assert_eq!(errand.unwrap().state, PendingInstallState::HandedOver);
        match self.guard.receive().unwrap().unwrap() {
            (WorkerMessage::Update { version, asked_by, insists: false }, files) if files.len() == 1 => {
                Some((version, asked_by))
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Settings with a window from 03:00 to 05:00 in Paris, which is an hour ahead of UTC in winter.
const WINDOW: [&str; 2] = ["update.auto: patch", "update.window: 03:00-05:00"];

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_is_installed_in_its_window_and_not_outside() {
    let unattended = Unattended::new(&WINDOW, &["0.1.1", "0.2.0"]).await;
    for outside in ["2026-11-10T01:59:59Z", "2026-11-10T04:00:00Z", "2026-11-10T12:00:00Z"] {
        assert_eq!(unattended.at(outside).await, None, "{outside}");
    }
    let asked = Some(("0.1.1".to_owned(), "auto".to_owned()));
    assert_eq!(unattended.at("2026-11-11T02:00:00Z").await, asked);
    // The guard has it: it is not passed on again until that attempt has ended.
    assert_eq!(unattended.at("2026-11-11T02:05:00Z").await, None);
    let past = |outcome, at: &str| PastUpdate {
        from: OLD.to_owned(),
        to: "0.1.1".to_owned(),
        asked_by: "auto".to_owned(),
        began_at: at.parse().unwrap(),
        ended_at: at.parse().unwrap(),
        digest: None,
        steps: Vec::new(),
        outcome,
        reason: None,
        lines: Vec::new(),
    };
    // Interrupted before anything was changed: it is tried again the next night.
    unattended.link.set_status(UpdateStatus {
        past: vec![past(UpdateOutcome::Interrupted, "2026-11-11T02:06:00Z")],
        ..UpdateStatus::default()
    });
    assert_eq!(unattended.at("2026-11-12T03:59:59Z").await, asked);
    // Tried and rolled back: a person must look at it first.
    unattended.link.set_status(UpdateStatus {
        past: vec![past(UpdateOutcome::RolledBack, "2026-11-12T03:59:59Z")],
        ..UpdateStatus::default()
    });
    assert_eq!(unattended.at("2026-11-13T02:30:00Z").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_is_never_installed_unasked_nor_a_patch_where_nobody_wants_that() {
    let night = "2026-11-11T02:30:00Z";
    let no_patch = Unattended::new(&WINDOW, &["0.2.0", "1.0.0"]).await;
    assert_eq!(no_patch.at(night).await, None);
    let off = Unattended::new(&["update.window: 03:00-05:00"], &["0.1.1"]).await;
    assert_eq!(off.at(night).await, None);
    assert!(matches!(updates(&off.world).answer().await.unwrap(), UpdateCheck::Available(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fix_waits_for_a_person_unless_a_security_patch_came_before_it() {
    let night = "2026-11-11T02:30:00Z";
    let fix = Unattended::new(&WINDOW, &["0.1.1!", "0.1.2!"]).await;
    assert_eq!(fix.at(night).await, None);
    // An update to the fix includes the patch.
    let both = Unattended::new(&WINDOW, &["0.1.1", "0.1.2!", "0.2.0"]).await;
    assert_eq!(both.at(night).await, Some(("0.1.2".to_owned(), "auto".to_owned())));
    // The fixes of a new version are no reason to install it automatically.
    let elsewhere = Unattended::new(&WINDOW, &["0.1.1!", "0.2.0"]).await;
    assert_eq!(elsewhere.at(night).await, None);
}

/// Returns a window of the hours around now, shifted by this number of hours.
fn window(hours_from_now: i64) -> String {
    let paris = jiff::tz::TimeZone::get("Europe/Paris").unwrap();
    let at = |hours: i64| {
        let moment: Timestamp = Clock::system().now() + SignedDuration::from_hours(hours);
        moment.to_zoned(paris.clone()).strftime("%H:%M").to_string()
    };
    format!("update.window: {}-{}", at(hours_from_now - 2), at(hours_from_now + 2))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_installs_a_patch_by_itself_and_leaves_the_new_version_to_a_person() {
    let installation = Installation::with(&["update.auto: patch", &window(0)]).await;
    installation.publish("1.0.1", None);
    installation.publish("1.1.0", None);
    let mut service = installation.serve().await;
    service.running.says("updated from 1.0.0 to 1.0.1").await;
    assert_eq!(installation.version(&service).await, "1.0.1");
    let history = installation.history();
    assert_eq!((&history[0]["asked_by"], &history[0]["outcome"]), (&"auto".into(), &"committed".into()));
    // The new release checks as well, finds the new version, and does not install it.
    installation.told(&["app:update", "--check"]).await.ends(0).says("1.0.1 is running; newer: 1.1.0");
    assert_eq!(installation.version(&service).await, "1.0.1");
    service.stop().await;
    assert_eq!(installation.outcomes(), ["committed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_waits_for_the_window() {
    let installation = Installation::with(&["update.auto: patch", &window(12)]).await;
    installation.publish("1.0.1", None);
    let service = installation.serve().await;
    for _ in 0..3 {
        installation.told(&["app:update", "--check"]).await.ends(0).says("1.0.0 is running; newer: 1.0.1");
    }
    service.stop().await;
    installation.is_unchanged();
    assert_eq!(installation.world.sandbox.traffic(|traffic| traffic.count(Endpoint::ReleaseFile)), 0);
    assert!(installation.outcomes().is_empty());
}
