//! Updates from one release to another: real packages, real processes, a real exchange of binaries.

use std::collections::BTreeSet;
use std::fs;
use std::io::Seek;
use std::process::Command;
use std::time::{Duration, Instant};

use cashout::platform::release::TARGET;
use cashout::update::asset_name;

use crate::installation::{Installation, NEW, OLD, TECHNICAL, signed};
use crate::notices::Notice;
use crate::release_builds::{disguised, package};
use crate::running::Running;
use crate::world::http;

#[tokio::test(flavor = "multi_thread")]
async fn a_release_takes_the_place_of_another_while_requests_come() {
    let installation = Installation::new().await;
    let mut service = installation.serve().await;
    assert_eq!(installation.version(&service).await, OLD);
    let guard = service.running.id();

    // A client sends requests all the time, each on its own connection.
    let url = service.url("/healthz");
    let over = tokio_util::sync::CancellationToken::new();
    let asking = {
        let (over, url) = (over.clone(), url.clone());
        tokio::spawn(async move {
            let (client, mut longest, mut asked) = (
                reqwest::Client::builder().pool_max_idle_per_host(0).no_proxy().build().unwrap(),
                Duration::ZERO,
                0_u32,
            );
            while !over.is_cancelled() {
                let begun = Instant::now();
                assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
                longest = longest.max(begun.elapsed());
                asked += 1;
            }
            (longest, asked)
        })
    };
    // HiPay sends fifty notifications per second.
    let telling = {
        let (over, address) = (over.clone(), service.address);
        tokio::spawn(async move {
            let (client, mut told) = (http(), BTreeSet::new());
            let mut every = tokio::time::interval(Duration::from_millis(20));
            while !over.is_cancelled() {
                every.tick().await;
                let id = format!("m{}", told.len());
                let notice = Notice::new("other_transaction", "ok", TECHNICAL).of(&id, "1.00");
                let sent = client.post(format!("http://{address}/")).form(&[("xml", notice.xml())]).send();
                assert_eq!(sent.await.unwrap().status(), 204);
                told.insert(id);
            }
            told
        })
    };
    installation.install(NEW, &signed(NEW, None)).await.ends(0).says("updated from 1.0.0 to 1.1.0");
    over.cancel();
    let (longest, asked) = asking.await.unwrap();
    let told = telling.await.unwrap();
    eprintln!("the longest of {asked} requests took {longest:?}, beside {} notifications", told.len());

    assert_eq!(installation.version(&service).await, NEW);
    assert_eq!(service.running.id(), guard, "the service manager sees one process all the time");
    assert_eq!(installation.outcomes(), ["committed"]);
    assert_eq!(fs::read(installation.folder.path().join("bin/cashout.prev")).unwrap(), disguised(OLD, None));
    installation.is_tidy();
    let copies = fs::read_dir(installation.world.data().join("backups")).unwrap().count();
    assert_eq!(copies, 1);
    service.running.says("go on with cashout 1.1.0").await;
    service.stop().await;
    // A service that starts from now on is the new release.
    let service = installation.serve().await;
    assert_eq!(installation.version(&service).await, NEW);
    service.stop().await;
    // Everything that was acknowledged is stored exactly once.
    let mut installation = installation;
    installation.look_inside().await;
    let kept = installation.notifications();
    assert_eq!(kept.len(), told.len());
    assert_eq!(kept.into_iter().collect::<BTreeSet<_>>(), told);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_what_it_is_said_to_be_is_refused_before_anything_runs() {
    let installation = Installation::new().await;
    let service = installation.serve().await;
    let (good, name) = (disguised(NEW, None), |version: &str| asset_name(&version.parse().unwrap(), TARGET));
    let mut tampered = package(&good, &name(NEW), "test.key");
    {
        use std::io::{Read, SeekFrom, Write};
        let mut byte = [0];
        tampered.seek(SeekFrom::Start(40_000)).unwrap();
        tampered.read_exact(&mut byte).unwrap();
        tampered.seek(SeekFrom::Start(40_000)).unwrap();
        let [byte] = byte;
        tampered.write_all(&[byte ^ 1]).unwrap();
    }
    let cases = [
        (tampered, NEW, "is not signed by a key that this release trusts"),
        (package(&good, &name(NEW), "stranger.key"), NEW, "is not signed by a key that this release trusts"),
        (package(&good, &name("1.0.5"), "test.key"), NEW, "is not signed by a key that this release trusts"),
        (package(&good, &name("0.9.0"), "test.key"), "0.9.0", "0.9.0 is not newer than 1.0.0"),
        (package(&good, &name("1.2.0"), "test.key"), "1.2.0", "is for 1.2.0 but contains 1.1.0"),
        (package(b"#!/bin/false", &name(NEW), "test.key"), NEW, "it is not used"),
    ];
    let count = cases.len();
    for (package, version, reason) in cases {
        installation.install(version, &package).await.ends(1).says(reason);
        assert_eq!(installation.version(&service).await, OLD);
    }
    assert_eq!(installation.outcomes(), vec!["refused"; count]);
    installation.is_unchanged();
}

/// Returns the number of kills in a run; `CASHOUT_KILLS` sets it.
fn kills() -> u32 {
    std::env::var("CASHOUT_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(4)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_is_killed_at_any_file_operation_leaves_a_whole_release_and_a_tidy_journal() {
    // The old guard passes some ninety points at which it can be killed, the new one some thirty, the
    // first of them at their start; each run tries others.
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    for _ in 0..kills() {
        let (version, point) = if rng.bool() { (OLD, rng.u32(8..96)) } else { (NEW, rng.u32(..30)) };
        let fault = rng.bool().then_some("exits at once");
        let installation = Installation::new().await;
        fs::create_dir_all(installation.of_guard("")).unwrap();
        let trap = installation.of_guard("dies-at");
        fs::write(&trap, format!("{version} {point}")).unwrap();
        let mut service = installation.serve().await;
        let mut asking = Running::start(installation.installing(NEW, &signed(NEW, fault)));
        tokio::select! {
            () = asking.is_gone() => {}
            () = service.running.is_gone() => {}
        }
        drop(asking);
        drop(service);
        fs::remove_file(&trap).unwrap();

        // As a service manager would: first the previous release, then the one in place.
        if installation.folder.path().join("bin/cashout.prev").exists() {
            let mut rescue = Command::new(installation.folder.path().join("bin/cashout.prev"));
            rescue.env_clear().arg("guard-recover").arg("--data").arg(installation.world.data());
            assert!(rescue.status().unwrap().success());
        }
        let service = installation.serve().await;
        installation.is_over().await;
        let there = fs::read(installation.program()).unwrap();
        let whole = [disguised(OLD, None), disguised(NEW, None)];
        assert!(
            whole.contains(&there),
            "{version}, point {point}, fault {fault:?}: an unknown or bad release is in place"
        );
        let answers = installation.version(&service).await;
        assert_eq!(answers == NEW, Some(&there) == whole.last(), "{version}, point {point}, fault {fault:?}");
        installation.is_tidy();
        service.stop().await;
    }
}
