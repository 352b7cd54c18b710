//! Newer releases at GitHub: found, fetched or refused, each refusal with its message.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::sync::Arc;

use cashout::config::Settings;
use cashout::platform::clock::Clock;
use cashout::sandbox::{
    Endpoint, Fault, FaultKind, GitHubModel, Moment, Release, ReleaseAsset, Remote, SandboxOptions, Throttle,
};
use cashout::text::Locale;
use cashout::text::Texts;
use cashout::update::{self, DownloadedRelease, Offer, UpdateCheck, UpdateObstacle, Updates, asset_name};
use jiff::SignedDuration;
use semver::Version;
use serde_json::Value;

use crate::world::{World, http, manners};

/// A change that spoils a value before it is checked.
type Spoil<T> = fn(&mut T);

const TOKEN: &str = "ghp_sandboxGitHubToken0123456789";

/// Makes a world that knows its repository and has the token for it, with these additional settings.
pub(crate) async fn world(settings: &[&str]) -> World {
    let mut world = World::unscheduled(SandboxOptions::default(), settings).await;
    let api = world.sandbox.github_url();
    let own = [
        ("update.apiUrl", api.as_str()),
        ("update.repository", "marketplace/cashout"),
        ("github.token", TOKEN),
        ("server.listen", "127.0.0.1:0"),
    ];
    for (key, value) in own {
        if !settings.iter().any(|line| line.starts_with(key)) {
            world.set(&format!("{key}: {value}")).await;
        }
    }
    world
}

pub(crate) fn updates(world: &World) -> Updates {
    updates_by(world, &world.clock)
}

/// Makes the updates of a world with another clock.
pub(crate) fn updates_by(world: &World, clock: &Clock) -> Updates {
    let settings = Settings::new(&world.configuration(), Arc::clone(&world.context.config));
    Updates::new(world.context.store.clone(), clock.clone(), settings, world.data(), manners())
}

fn file(version: &str) -> ReleaseAsset {
    let name = asset_name(&Version::parse(version).unwrap(), cashout::platform::release::TARGET);
    ReleaseAsset::new(&name, format!("the program {version}, ").repeat(20_000))
}

pub(crate) fn release(version: &str) -> Release {
    Release::new(version, "2026-11-08T10:00:00Z".parse().unwrap()).asset(file(version))
}

pub(crate) fn publish(world: &World, release: Release) {
    world.sandbox.github(|github| github.publish(release));
}

async fn offer(updates: &Updates) -> Offer {
    match updates.check().await.unwrap() {
        UpdateCheck::Available(offer) => *offer,
        other @ (UpdateCheck::UpToDate | UpdateCheck::Cannot(_) | UpdateCheck::NotYet) => panic!("{other:?}"),
    }
}

fn versions(offer: &Offer) -> (Option<String>, Option<String>) {
    let version = |release: &Option<update::Release>| release.as_ref().map(|release| release.version.to_string());
    (version(&offer.patch), version(&offer.new_version))
}

fn sentence(world: &World, obstacle: &UpdateObstacle) -> String {
    let zone = &world.context.config.hipay.time_zone;
    let french = obstacle.message(zone).in_words(Texts::of(Some(Locale::French)));
    let english = obstacle.message(zone).to_string();
    assert!(!french.starts_with("update-") && french != english, "{french}");
    assert!(!english.contains(TOKEN) && !format!("{obstacle:?}").contains(TOKEN), "{english}");
    english
}

/// Returns the message with which the check ends.
async fn told(world: &World) -> String {
    match updates(world).check().await.unwrap() {
        UpdateCheck::Cannot(obstacle) => sentence(world, &obstacle),
        other @ (UpdateCheck::Available(_) | UpdateCheck::UpToDate | UpdateCheck::NotYet) => panic!("{other:?}"),
    }
}

async fn fetch(world: &World) -> Result<Arc<DownloadedRelease>, String> {
    let updates = updates(world);
    let release = offer(&updates).await.newest().unwrap().clone();
    updates.fetch(release).await.map_err(|obstacle| sentence(world, &obstacle))
}

fn asked(world: &World, endpoint: Endpoint) -> u64 {
    world.sandbox.traffic(|traffic| traffic.count(endpoint))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_of_each_kind_is_offered_and_nothing_unfinished() {
    let world = world(&[]).await;
    let updates = updates(&world);
    assert_eq!(updates.answer().await.unwrap(), UpdateCheck::NotYet);
    assert_eq!(updates.check().await.unwrap(), UpdateCheck::UpToDate);
    for version in ["0.0.9", "0.1.0", "0.1.2", "0.1.1", "0.3.0", "0.2.0"] {
        publish(&world, release(version).notes("**pays** on time"));
    }
    publish(&world, release("0.4.0").draft());
    publish(&world, release("0.5.0").prerelease());
    publish(&world, release("0.6.0-beta.1"));
    let offered = offer(&updates).await;
    assert_eq!(versions(&offered), (Some("0.1.2".to_owned()), Some("0.3.0".to_owned())));
    let newest = offered.newest().unwrap();
    assert_eq!((newest.notes.as_str(), newest.asset.size), ("**pays** on time", file("0.3.0").size));
    // The answer survives the process.
    assert_eq!(updates.answer().await.unwrap(), UpdateCheck::Available(Box::new(offered)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_channel_for_the_brave_offers_unfinished_releases_but_no_drafts() {
    let world = world(&["update.channel: beta"]).await;
    publish(&world, release("0.2.0-beta.2").prerelease());
    publish(&world, release("0.1.9").prerelease());
    publish(&world, release("0.9.0").draft());
    let offered = offer(&updates(&world)).await;
    assert_eq!(versions(&offered), (Some("0.1.9".to_owned()), Some("0.2.0-beta.2".to_owned())));
    assert!(offered.newest().unwrap().prerelease);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_read_also_below_a_path_of_its_own() {
    let mut world = world(&[]).await;
    let api = format!("update.apiUrl: {}/api/v3", world.sandbox.github_url());
    world.set(&api).await;
    world.sandbox.github(|github| github.longest_page = 2);
    publish(&world, release("0.7.0"));
    for patch in 0..6 {
        publish(&world, release(&format!("0.0.{patch}")));
    }
    assert_eq!(versions(&offer(&updates(&world)).await).1.as_deref(), Some("0.7.0"));
    assert_eq!(asked(&world, Endpoint::Releases), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_changed_is_not_sent_again() {
    let mut world = world(&[]).await;
    publish(&world, release("0.1.1"));
    let first = offer(&updates(&world)).await;
    world.clock.advance(SignedDuration::from_hours(1));
    let again = updates(&world);
    assert_eq!(offer(&again).await, first);
    assert_eq!(again.last().await.unwrap().unwrap().checked_at, world.clock.now());
    let statuses: Vec<String> = world.sandbox.traffic(|traffic| {
        traffic.exchanges().filter(|one| one.remote == Remote::GitHub).map(|one| format!("{:?}", one.outcome)).collect()
    });
    assert_eq!(statuses, ["Answered(200)", "Answered(304)"]);
    // Another channel chooses another release from the same list.
    publish(&world, release("0.2.0").prerelease());
    offer(&updates(&world)).await;
    world.set("update.channel: beta").await;
    assert_eq!(versions(&offer(&updates(&world)).await).1.as_deref(), Some("0.2.0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reason_why_it_cannot_is_a_sentence_with_the_way_out() {
    let cases: [(Spoil<GitHubModel>, &str); 7] = [
        (
            |github| github.token = cashout::platform::secret::Secret::new("another"),
            "GitHub refuses the token: it has expired",
        ),
        (|github| github.token_may_read = false, "GitHub shows no repository marketplace/cashout to this token"),
        (
            |github| github.forbids = Some("SSO is\nneeded".to_owned()),
            "does not let this token read marketplace/cashout and answers “SSO is needed”",
        ),
        (
            |github| {
                let until = "2026-11-09T09:30:00Z".parse().unwrap();
                github.throttle = Some(Throttle::UsedUp(403, until));
            },
            "it allows the next one on 9 Nov 2026, 10:30",
        ),
        (|github| github.throttle = Some(Throttle::ComeBackAfter(429, 300)), "the next one on 9 Nov 2026, 09:05"),
        (|github| github.throttle = Some(Throttle::WithoutAWord), "the next one on 9 Nov 2026, 09:01"),
        (
            |github| github.releases[0].assets[0].name = "cashout-0.1.1-sparc.tar.gz".to_owned(),
            "Release 0.1.1 has no file for this machine",
        ),
    ];
    for (change, expected) in cases {
        let world = world(&[]).await;
        publish(&world, release("0.1.1"));
        world.sandbox.github(change);
        let told = told(&world).await;
        assert!(told.contains(expected), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_in_the_settings_is_told_without_asking_anybody() {
    let cases = [("github.token: ~", "No GitHub token is set"), ("update.repository: ~", "set “update.repository”")];
    for (line, expected) in cases {
        let mut world = world(&[]).await;
        world.set(line).await;
        let told = told(&world).await;
        assert!(told.contains(expected), "{told}");
        assert_eq!(asked(&world, Endpoint::Releases), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_in_trouble_is_told_and_what_was_found_before_stays_known() {
    let world = world(&[]).await;
    publish(&world, release("0.1.1"));
    let known = offer(&updates(&world)).await;
    let cases = [
        (FaultKind::ServerError, "(HTTP 500): try again later"),
        (FaultKind::HtmlPage(502), "(HTTP 502)"),
        (FaultKind::HtmlPage(200), "not a list of releases"),
        (FaultKind::Reset, "GitHub cannot be reached"),
        (FaultKind::Hang, "GitHub cannot be reached ("),
        (FaultKind::TruncatedBody, "GitHub cannot be reached"),
        (FaultKind::OversizedBody, "GitHub cannot be reached"),
    ];
    for (kind, expected) in cases {
        publish(&world, release("0.0.1"));
        world.sandbox.strike(Fault::new(kind).on(Remote::GitHub));
        let told = told(&world).await;
        assert!(told.contains(expected), "{kind:?}: {told}");
        let last = updates(&world).last().await.unwrap().unwrap();
        assert_eq!(last.found.unwrap().offer, known, "{kind:?}");
    }
    assert_eq!(offer(&updates(&world)).await, known);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_before_github_allows_it() {
    let world = world(&[]).await;
    publish(&world, release("0.1.1"));
    world.sandbox.github(|github| github.throttle = Some(Throttle::ComeBackAfter(403, 600)));
    told(&world).await;
    world.sandbox.github(|github| github.throttle = None);
    world.clock.advance(SignedDuration::from_mins(9));
    told(&world).await;
    assert_eq!(asked(&world, Endpoint::Releases), 1);
    world.clock.advance(SignedDuration::from_mins(1));
    offer(&updates(&world)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetched_release_is_whole_and_its_token_stayed_at_home() {
    let world = world(&[]).await;
    publish(&world, release("0.1.1"));
    let leftover = world.data().join("downloads/.part-leftover");
    std::fs::create_dir_all(leftover.parent().unwrap()).unwrap();
    std::fs::write(&leftover, "half").unwrap();
    let fetched = fetch(&world).await.unwrap();
    let mut bytes = Vec::new();
    (&fetched.file).read_to_end(&mut bytes).unwrap();
    assert_eq!((bytes, fetched.size), (file("0.1.1").bytes, file("0.1.1").size));
    assert_eq!(format!("sha256:{}", fetched.digest), file("0.1.1").digest.unwrap());
    assert_eq!(fetched.path, world.data().join("downloads").join(file("0.1.1").name));
    assert_eq!(std::fs::metadata(&fetched.path).unwrap().permissions().mode() & 0o077, 0);
    assert_eq!(std::fs::read_dir(world.data().join("downloads")).unwrap().count(), 1);
    assert_eq!(asked(&world, Endpoint::ReleaseFile), 1);
    // Some installations send the file themselves.
    world.sandbox.github(|github| github.sends_files_itself = true);
    fetch(&world).await.unwrap();
    assert_eq!(asked(&world, Endpoint::ReleaseFile), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_sends_to_another_host_gives_it_no_token() {
    let world = world(&[]).await;
    publish(&world, release("0.1.1"));
    let mut files = String::new();
    world.sandbox.github(|github| {
        let asset = &github.releases[0].assets[0];
        assert_eq!(asset.name, file("0.1.1").name);
        files = github.files_url();
        github.moved_to = Some(files.clone());
    });
    // The other host refuses what it does not know; had it received the token, it would have recorded a complaint.
    let told = told(&world).await;
    assert!(told.contains("does not let this token read"), "{told}");
    assert!(world.sandbox.traffic(|traffic| traffic.exchanges().any(|one| one.remote == Remote::GitHubFiles)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_github_announces_is_thrown_away() {
    let cases: [(Spoil<ReleaseAsset>, &str); 4] = [
        (|asset| *asset = asset.clone().tampered(), "is not the file that GitHub announced, so it was deleted"),
        (|asset| asset.size -= 1, "is not the file that GitHub announced"),
        (|asset| asset.size += 1, "is not the file that GitHub announced"),
        (|asset| asset.size = 64 * 1024 * 1024 + 1, "is larger than a release may be (64 MiB)"),
    ];
    for (change, expected) in cases {
        let world = world(&[]).await;
        publish(&world, release("0.1.1"));
        world.sandbox.github(|github| change(&mut github.releases[0].assets[0]));
        let refused = fetch(&world).await.unwrap_err();
        assert!(refused.contains(expected), "{refused}");
        let left = std::fs::read_dir(world.data().join("downloads")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_breaks_off_begins_again_and_gives_up_in_the_end() {
    let world = world(&[]).await;
    publish(&world, release("0.1.1"));
    let at_file =
        |kind, times| world.sandbox.strike(Fault::new(kind).at(Endpoint::ReleaseFile).after_execution().times(times));
    at_file(FaultKind::TruncatedBody, 1);
    at_file(FaultKind::Reset, 1);
    assert_eq!(fetch(&world).await.unwrap().size, file("0.1.1").size);
    assert_eq!(asked(&world, Endpoint::ReleaseFile), 3);
    at_file(FaultKind::SlowBody, 1);
    fetch(&world).await.unwrap();
    at_file(FaultKind::TruncatedBody, 3);
    let refused = fetch(&world).await.unwrap_err();
    assert!(refused.starts_with("The download broke off 3 times ("), "{refused}");
    assert_eq!(std::fs::read_dir(world.data().join("downloads")).unwrap().count(), 0);
    at_file(FaultKind::OversizedBody, 1);
    let refused = fetch(&world).await.unwrap_err();
    assert!(refused.contains("is not the file that GitHub announced"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_while_it_is_fetched_waits_for_the_same_download() {
    let world = world(&[]).await;
    publish(&world, release("0.1.1"));
    publish(&world, release("0.2.0"));
    let updates = updates(&world);
    let offered = offer(&updates).await;
    let (patch, other) = (offered.patch.unwrap(), offered.new_version.unwrap());
    let mut held = world.sandbox.pause_at(Endpoint::ReleaseFile, Moment::After, 1);
    let both = [updates.clone(), updates.clone()].map(|updates| {
        let patch = patch.clone();
        tokio::spawn(async move { updates.fetch(patch).await.unwrap() })
    });
    assert!(held.reached().await);
    let busy = updates.fetch(other).await.unwrap_err();
    assert_eq!(sentence(&world, &busy), "Release 0.1.1 is being installed: wait until that is done.");
    held.release();
    let [one, two] = both;
    assert!(Arc::ptr_eq(&one.await.unwrap(), &two.await.unwrap()));
    assert_eq!(asked(&world, Endpoint::ReleaseFile), 1);
    assert_eq!(*updates.progress().borrow(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn how_far_a_download_is_can_be_watched() {
    let world = world(&[]).await;
    publish(&world, release("0.1.1"));
    let updates = updates(&world);
    let patch = offer(&updates).await.patch.unwrap();
    // A watcher sees the latest progress only, and may be too late for all of it.
    for _ in 0..50 {
        world.sandbox.strike(Fault::new(FaultKind::SlowBody).at(Endpoint::ReleaseFile).after_execution());
        let (fetching, asked_for) = (updates.clone(), patch.clone());
        let fetched = tokio::spawn(async move { fetching.fetch(asked_for).await.unwrap() });
        let mut progress = updates.progress();
        let seen = tokio::select! {
            biased;
            seen = progress.wait_for(Option::is_some) => seen.unwrap().clone(),
            () = ended(&fetched) => None,
        };
        fetched.await.unwrap();
        if let Some(seen) = seen {
            assert!(seen.done > 0 && seen.total == patch.asset.size, "{seen:?}");
            return;
        }
    }
    panic!("nobody was told how far the download is");
}

/// Waits until the task has ended.
async fn ended<T>(task: &tokio::task::JoinHandle<T>) {
    while !task.is_finished() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_written_is_told() {
    let world = world(&[]).await;
    publish(&world, release("0.1.1"));
    std::fs::write(world.data().join("downloads"), "in the way").unwrap();
    let refused = fetch(&world).await.unwrap_err();
    assert!(refused.starts_with("The download cannot be kept: ") && refused.contains("/downloads: "), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_looks_by_itself_and_daily_and_its_api_tells() {
    let world = world(&["dashboard.apiToken: canary-api-token"]).await;
    publish(&world, release("0.1.1").notes("## 0.1.1\n\n### Security\n\n- A hole is closed."));
    let appliance = world.serve().await;
    let address = format!("http://{}/api/v1/update", appliance.address());
    let told = async |expected: &str| {
        loop {
            let answer = http().get(&address).bearer_auth("canary-api-token").send().await.unwrap();
            let json: Value = answer.json().await.unwrap();
            if json.to_string().contains(expected) {
                return json;
            }
            tokio::task::yield_now().await;
        }
    };
    let json = told("0.1.1").await;
    assert_eq!((&json["answer"], &json["version"]), (&"available".into(), &env!("CARGO_PKG_VERSION").into()));
    assert_eq!((&json["available"][0]["kind"], &json["reason"]), (&"patch".into(), &Value::Null));
    assert_eq!(json["available"][0]["security"], true);
    // It is a single process, which cannot be replaced: it reports that on every request for an update.
    assert_eq!((&json["impossible"]["kind"], &json["past"]), (&"no_guard".into(), &serde_json::json!([])));
    let install = http().post(&address).bearer_auth("canary-api-token").json(&serde_json::json!({"version": "0.1.1"}));
    let refused = install.send().await.unwrap();
    assert_eq!(refused.status(), 409);
    let title = refused.json::<Value>().await.unwrap()["title"].as_str().unwrap().to_owned();
    assert!(title.starts_with("This process runs without its guard"), "{title}");
    publish(&world, release("0.1.2"));
    let check = http().post(format!("{address}/check")).bearer_auth("canary-api-token").send().await.unwrap();
    assert_eq!(check.json::<Value>().await.unwrap()["available"][0]["version"], "0.1.2");
    publish(&world, release("0.2.0"));
    world.clock.advance(SignedDuration::from_hours(24));
    assert_eq!(told("0.2.0").await["available"][1]["kind"], "new_version");
    world.sandbox.github(|github| github.token_may_read = false);
    appliance.web().updates.look_soon();
    let json = told("not_found").await;
    assert!(json["message"].as_str().unwrap().starts_with("GitHub shows no repository"), "{json}");
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_tells_of_a_release_and_never_of_the_token() {
    let world = world(&["log.file.path: ~"]).await;
    publish(&world, release("0.1.1"));
    world.release_store().await;
    let mut process = world.cashout(&["serve", "-vv"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let reading = tokio::task::spawn_blocking(move || {
        let mut lines = Vec::new();
        for line in BufReader::new(process.stdout.take().unwrap()).lines() {
            lines.push(line.unwrap());
            if lines.last().unwrap().contains("release 0.1.1 is available") {
                break;
            }
        }
        let id = process.id().to_string();
        std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap();
        let errors = std::io::read_to_string(process.stderr.take().unwrap()).unwrap();
        process.wait().unwrap();
        (lines.join("\n"), errors)
    });
    let (printed, errors) = reading.await.unwrap();
    assert!(printed.contains("release 0.1.1 is available"), "{printed}\n{errors}");
    assert!(!printed.contains(TOKEN) && !errors.contains(TOKEN), "{printed}\n{errors}");
}
