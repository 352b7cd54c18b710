//! `cashout serve` is two processes: the guard keeps the listening socket and a worker running.

use std::net::SocketAddr;
use std::path::Path;

use cashout::sandbox::SandboxOptions;

use crate::notices::until;
use crate::told::Running;
use crate::world::{World, http};

async fn world() -> World {
    let world = World::unscheduled(SandboxOptions::default(), &["server.listen: 127.0.0.1:0"]).await;
    world.let_go().await;
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
    // What it had accepted by then ends with it.
    until("it is gone", || !Path::new("/proc").join(&first).exists()).await;
    // Asked while there is no worker: it waits in the queue of the socket, and is answered by the next.
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
    // Its end is seen where both have closed what they wrote to; then the store is free.
    running.end().await;
    world.told(&["check", "--offline", "--no-wait"]).await.ends(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_comes_to_both_and_is_one_wish_to_stop() {
    let world = world().await;
    let (running, _) = serving(&world).await;
    running.signal_worker("INT");
    running.signal("INT");
    running.end().await.ends(0).says("stopping as soon as");
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
