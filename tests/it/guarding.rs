//! `cashout serve` is two processes: the guard keeps the listening socket and a worker running.

use std::net::SocketAddr;
use std::path::Path;

use cashout::sandbox::SandboxOptions;
use serde_json::json;

use crate::notices::until;
use crate::running::Running;
use crate::world::{World, http};

async fn world() -> World {
    let world = World::unscheduled(SandboxOptions::default(), &["server.listen: 127.0.0.1:0"]).await;
    world.release_store().await;
    world
}

async fn serving(world: &World) -> (Running, SocketAddr) {
    let mut running = Running::start(world.cashout(&["serve"]));
    let line = running.says("answers on").await;
    (running, line.trim().rsplit(' ').next().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_is_started_again_and_no_connection_is_refused_meanwhile() {
    let world = world().await;
    let (mut running, address) = serving(&world).await;
    let first = running.worker();
    running.signal_worker("KILL");
    // The connections that it had accepted end with it.
    until("it is gone", || !Path::new("/proc").join(&first).exists()).await;
    // Sent while there is no worker: the request waits in the socket's queue, and the next worker answers it.
    let answer = http().get(format!("http://{address}/healthz")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    running.says("the worker was ended by signal 9; it is started again").await;
    running.says("answers on").await;
    assert_ne!(running.worker(), first);
    running.signal("TERM");
    running.end().await.ends(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_ends_with_its_guard_whatever_ends_that() {
    let world = world().await;
    let (running, _) = serving(&world).await;
    running.signal("KILL");
    // Its end is visible once both have closed their output; then the store is free.
    running.end().await;
    world.told(&["check", "--offline", "--no-wait"]).await.ends(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_comes_to_both_and_is_one_wish_to_stop() {
    let world = world().await;
    let (running, _) = serving(&world).await;
    running.signal_worker("INT");
    running.signal("INT");
    running.end().await.ends(0).says("stopping at the next safe point");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_the_first_worker_from_starting_ends_the_guard_with_its_code() {
    let world = world().await;
    std::fs::write(world.data().join("store.redb"), "no store").unwrap();
    world.told(&["serve"]).await.ends(4).says("the store is damaged");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_a_guard_starts_a_worker() {
    let world = world().await;
    let told = world.told(&["serve", "--worker-of", "1"]).await;
    assert_eq!(told.code, Some(4), "{told:?}");
    let me = std::process::id().to_string();
    world.told(&["serve", "--worker-of", &me]).await.ends(2).says("--worker-of is for the guard alone");
}

/// Returns one line of the history: a release that was rolled back, with `text` in every field of free text.
fn rolled_back(text: &str, lines: usize) -> String {
    json!({
        "from": "1.0.0", "to": "1.1.0", "asked_by": text, "began_at": "2026-11-01T00:00:00Z",
        "ended_at": "2026-11-01T00:01:00Z", "digest": "00", "outcome": "rolled_back",
        "reason": { "kind": "ended", "sentence": text, "details": { "ended": text } },
        "lines": vec![text; lines],
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_of_any_size_keeps_no_guard_from_starting() {
    let whole = |text: &str, attempts: usize, lines: usize| vec![rolled_back(text, lines); attempts].join("\n") + "\n";
    for history in [
        whole(&"x".repeat(230), 20, 20),
        whole(&"é\u{1}\"".repeat(80), 20, 400),
        whole(&"long ".repeat(40_000), 3, 3),
        whole("short", 5_000, 0),
        "rubbish\n".repeat(10_000),
    ] {
        let world = world().await;
        let folder = world.data().join("guard");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("history"), &history).unwrap();
        let (running, address) = serving(&world).await;
        let answer = http().get(format!("http://{address}/healthz")).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        running.signal("TERM");
        running.end().await.ends(0);
    }
}
