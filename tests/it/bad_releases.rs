//! Releases that do not work: each is rolled back automatically and in time, nothing that was
//! acknowledged is lost, and it is not tried again.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::installation::{Installation, Mounted, NEW, OLD, SHOP, Seen, Service, Witness, signed};
use crate::notices::Notice;
use crate::release_builds::disguised;
use crate::world::wallet_of;

/// Extra time for a kill, a rollback and the start of a debug build, besides the expected waiting time.
const SLACK: Duration = Duration::from_secs(25);

/// A faulty release and the outcome that is expected of it.
struct Bad {
    fault: &'static str,
    /// Expected text in the reason of the failure.
    reason: &'static str,
    /// Expected text in the release's last output.
    last_words: &'static str,
    /// Time from the exchange until the failure is detected.
    known_after: Duration,
}

impl Bad {
    fn new(fault: &'static str, reason: &'static str) -> Self {
        Self { fault, reason, last_words: "", known_after: Duration::ZERO }
    }

    /// Tries the release in `installation`, to which the old release returns afterwards.
    async fn is_rolled_back_in(&self, installation: &mut Installation) -> Seen {
        let service = installation.serve().await;
        let witness = Witness::of(&service);
        let bad = signed(NEW, Some(self.fault));
        installation.install(NEW, &bad).await.ends(1).says(self.reason).says(self.last_words);
        assert_eq!(installation.version(&service).await, OLD);
        acknowledges(&service).await;
        let seen = witness.ends().await;

        assert!(fs::read(installation.program()).unwrap() == disguised(OLD, None), "the old release is not back");
        installation.is_tidy();
        assert_eq!(installation.outcomes(), ["rolled_back"]);
        let in_time = took(installation.history().first().unwrap());
        assert!(in_time >= self.known_after && in_time < self.known_after + SLACK, "it took {in_time:?}");
        assert!(seen.longest < self.known_after + SLACK, "nobody answered for {:?}", seen.longest);
        installation.told(&["app:update", "--history"]).await.ends(0).says("rolled back").says(self.reason);
        // It is not tried a second time.
        installation.install(NEW, &bad).await.ends(1).says("was tried and rolled back before");
        assert_eq!(installation.outcomes(), ["rolled_back", "refused"]);
        installation.is_tidy();
        service.stop().await;
        // Everything that was acknowledged is stored exactly once.
        installation.look_inside().await;
        let kept = installation.notifications();
        let each: BTreeSet<String> = kept.iter().cloned().collect();
        assert_eq!(kept.len(), each.len(), "something is there twice");
        let lost: Vec<_> = seen.acknowledged.difference(&each).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
        seen
    }

    async fn is_rolled_back(&self) -> Seen {
        self.is_rolled_back_in(&mut Installation::new().await).await
    }
}

/// Checks that the old release stores notifications again.
async fn acknowledges(service: &Service) {
    let notice = Notice::new("other_transaction", "ok", wallet_of(SHOP)).of("afterwards", "1.00");
    assert_eq!(notice.send(service.address).await, 204);
}

/// Returns the time from the exchange to the end.
fn took(past: &Value) -> Duration {
    let at = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
    let swap = past["steps"].as_array().unwrap().iter().find(|taken| taken["step"] == "swap").unwrap();
    Duration::try_from(at(&past["ended_at"]).duration_since(at(&swap["began_at"]))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_exits_at_once_is_rolled_back() {
    Bad::new("exits at once", "the worker ended with code 7").is_rolled_back().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_crashes_on_trial_is_rolled_back_with_what_it_had_acknowledged() {
    let known_after = Duration::from_secs(5);
    let bad = Bad { known_after, ..Bad::new("crashes after 5 s", "the worker was ended by signal 6") };
    let mut installation = Installation::new().await;
    installation.serving = ["--trial-seconds", "30"].map(str::to_owned).to_vec();
    let seen = bad.is_rolled_back_in(&mut installation).await;
    assert!(seen.by.contains_key(NEW), "the new release acknowledged nothing: {:?}", seen.by);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_hangs_before_it_is_ready_is_rolled_back_in_time() {
    let known_after = Duration::from_secs(3);
    let bad = Bad { known_after, ..Bad::new("hangs before ready", "the new release was not ready within 3 seconds") };
    let mut installation = Installation::new().await;
    installation.serving.extend(["--ready-seconds", "3"].map(str::to_owned));
    bad.is_rolled_back_in(&mut installation).await;
    // A new release never gets more time than the product's limit.
    installation.told(&["serve", "--ready-seconds", "31"]).await.ends(2).says("31 is not in 1..=30");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_never_answers_its_guard_is_rolled_back() {
    let known_after = Duration::from_secs(10);
    let bad = Bad::new("never answers", "did not report its health within 10 seconds");
    Bad { known_after, ..bad }.is_rolled_back().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_answers_as_another_is_rolled_back() {
    Bad::new("answers as another version", "answers as 9.9.9, not as 1.1.0").is_rolled_back().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_cannot_read_the_store_is_rolled_back_with_its_last_words() {
    let last_words = "the store has format 1, which this release cannot read (it reads up to 0)";
    let bad = Bad { last_words, ..Bad::new("cannot read the store", "the worker ended with code 4") };
    bad.is_rolled_back().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_whose_migration_fails_is_rolled_back_and_the_old_one_reads_what_it_left() {
    let last_words = "the store cannot be brought to format 3";
    let bad = Bad { last_words, ..Bad::new("its migration fails", "the worker ended with code 4") };
    bad.is_rolled_back().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_says_that_it_reads_no_such_store_is_not_even_tried() {
    let installation = Installation::new().await;
    let service = installation.serve().await;
    let bad = signed(NEW, Some("reads no store of today"));
    for _ in 0..2 {
        installation.install(NEW, &bad).await.ends(1).says("1.1.0 cannot read the store as it is now");
        installation.is_unchanged();
    }
    assert_eq!(installation.outcomes(), ["refused", "refused"]);
    assert_eq!(installation.version(&service).await, OLD);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_fills_the_disk_is_rolled_back_and_the_old_one_goes_on_with_what_was_held() {
    let mut installation = Installation::new().await;
    // The guard's journal, the store and its copies are on this disk.
    let Some(_disk) = Mounted::small_disk(&installation.world.data(), 64) else { return };
    installation.serving = ["--trial-seconds", "30"].map(str::to_owned).to_vec();
    let bad = Bad::new("fills the disk", "the new release is not healthy: the disk is full: there is no room left in");
    let seen = bad.is_rolled_back_in(&mut installation).await;
    assert!(seen.by.contains_key(NEW), "the new release acknowledged nothing: {:?}", seen.by);
    assert!(installation.world.data().join("filler").exists());
}
