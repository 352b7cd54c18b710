//! The command line while the service runs: two real processes of the binary.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command as Process;
use std::time::Duration;

use cashout::domain::operation::Status;
use cashout::jobs::{BatchRecord, BatchState};
use cashout::sandbox::{Endpoint, Moment, Pause, SandboxOptions};
use serde_json::{Value, json};

use crate::running::{Running, told};
use crate::scheduling::batches;
use crate::world::{World, wallet_of};

/// Upper bound on any wait; only a test that would otherwise hang reaches it.
const FOR_EVER: Duration = Duration::from_mins(1);

const SELLERS: std::ops::RangeInclusive<u64> = 2001..=2006;
const SYNC: &str = "cashout:transaction:status:sync";

/// Makes a world with some sellers to be paid 10 each, one payment in flight at a time: a held payment holds all.
async fn to_be_paid() -> World {
    let settings = [
        "hipay.maxConcurrency: 1",
        "server.listen: 127.0.0.1:0",
        "schedule.vendorProcess: ''",
        "schedule.cashoutGenerate: ''",
        "schedule.cashoutTransfer: ''",
        "schedule.cashoutWithdraw: ''",
        "schedule.transactionStatusSync: ''",
    ];
    let world = World::with(SandboxOptions::default(), &settings).await;
    for id in SELLERS {
        world.seller(id);
        world.voucher(id, id, 1_000, 0);
    }
    world.fund(1_000_000);
    world.up_to_operations().await;
    world.release_store().await;
    world
}

/// Starts the service of this world and waits until it answers.
async fn served(world: &World) -> Running {
    let mut service = Running::start(world.cashout(&["serve"]));
    service.says("answers on").await;
    service
}

async fn reached(pause: &mut Pause) {
    assert_eq!(tokio::time::timeout(FOR_EVER, pause.reached()).await, Ok(true));
}

/// Stops the service and opens the store again; returns the world and its transfer batches.
async fn stopped(mut world: World, service: Running) -> (World, Vec<BatchRecord>) {
    service.signal("TERM");
    service.end().await.ends(0);
    assert!(!world.data().join("cashout.sock").exists(), "the socket is gone with the service");
    world.restart().await;
    let transfers = batches(&world).into_iter().filter(|one| one.command == "cashout:transfer").collect();
    (world, transfers)
}

/// Checks that the batches of a day bring every seller's money to the bank, once.
async fn finishes(world: &World) {
    world.pay_day().await;
    let everybody: BTreeMap<u64, i64> = SELLERS.map(|id| (wallet_of(id), 1_000)).collect();
    assert_eq!(world.paid_out(), everybody);
}

fn states(batches: &[BatchRecord]) -> Vec<BatchState> {
    batches.iter().map(BatchRecord::state).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_work_through_the_service_and_tell_the_same() {
    let world = to_be_paid().await;
    let service = served(&world).await;
    let socket = std::fs::symlink_metadata(world.data().join("cashout.sock")).unwrap();
    assert!(socket.file_type().is_socket());
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);

    let told = world.told(&["cashout:transfer"]).await;
    told.ends(0).says("transfers: 6").says("cashout:transfer: done (6 of 6)").says("6  requested, 60.00 EUR");
    let json = world.told(&[SYNC, "--json"]).await;
    assert_eq!(json.ends(0).err, "");
    let json = json.json();
    assert_eq!((&json["state"], &json["done"], &json["counts"]), (&json!("done"), &json!(6), &json!({ "done": 6 })));
    // Refusals and failures have the usual exit codes.
    world.told(&["cashout:generate", "2001-01-11"]).await.ends(2).says("paid by whoever did it before");
    world.told(&["operation:retry", "1"]).await.ends(2).says("waits for nobody");
    world.told(&["check"]).await.ends(0).says("used by the running service").says("technical account");
    let check = world.told(&["check", "--json"]).await.ends(0).json();
    assert_eq!(check["ok"], true);
    world.told(&["check", "--rebind", "--yes"]).await.ends(75).says("stop it, run `cashout check --rebind`");
    world.told(&["serve"]).await.ends(75).says("a cashout service is at work on");

    let (mut world, _) = stopped(world, service).await;
    world.release_store().await;
    world.told(&["cashout:withdraw"]).await.ends(0);
    world.restart().await;
    finishes(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_while_it_runs_waits_joins_or_leaves() {
    let world = to_be_paid().await;
    let service = served(&world).await;
    let mut held = world.sandbox.pause_at(Endpoint::Transfer, Moment::Before, 2);
    let first = Running::start(world.cashout(&["cashout:transfer"]));
    reached(&mut held).await;
    let mut second = Running::start(world.cashout(&["cashout:transfer"]));
    second.says("is running already (batch").await;
    let mut third = Running::start(world.cashout(&["cashout:transfer", "--json"]));
    third.says("is queued already as batch").await;
    world.told(&["cashout:transfer", "--no-wait"]).await.ends(75).says("is running or queued already");
    // Another batch does not wait for it.
    world.told(&["cashout:withdraw"]).await.ends(0);
    held.release();
    first.end().await.ends(0).says("done (6 of 6)");
    let (second, third) = (second.end().await, third.end().await);
    second.ends(0).says("cashout:transfer: done");
    assert_eq!(third.ends(0).json()["state"], "done");
    let (world, transfers) = stopped(world, service).await;
    assert_eq!(states(&transfers), [BatchState::Done, BatchState::Done]);
    assert_eq!(transfers.iter().map(|one| one.joined).collect::<Vec<_>>(), [0, 1]);
    finishes(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_stops_the_batch_of_who_alone_asked_for_it() {
    let world = to_be_paid().await;
    let service = served(&world).await;
    let mut held = world.sandbox.pause_at(Endpoint::Transfer, Moment::Before, 2);
    let mut running = Running::start(world.cashout(&["cashout:transfer"]));
    reached(&mut held).await;
    // A waiting one is dequeued at once.
    let mut waiting = Running::start(world.cashout(&["cashout:transfer"]));
    waiting.says("is running already").await;
    waiting.signal("INT");
    waiting.end().await.ends(130).says("cashout:transfer: interrupted");

    running.signal("INT");
    running.says("stopping as soon as what is in hand is safe").await;
    held.release();
    running.end().await.ends(130).says("cashout:transfer: interrupted").says("left; run the same command again");
    let (world, transfers) = stopped(world, service).await;
    assert_eq!(states(&transfers), [BatchState::Interrupted, BatchState::Interrupted]);
    assert!(world.operations().iter().all(|one| matches!(one.status, Status::Created | Status::TransferRequested)));
    finishes(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_goes_on_without_one_of_many_and_without_who_vanishes() {
    let world = to_be_paid().await;
    let service = served(&world).await;
    let mut held = world.sandbox.pause_at(Endpoint::Transfer, Moment::Before, 2);
    let first = Running::start(world.cashout(&["cashout:transfer"]));
    reached(&mut held).await;
    let mut second = Running::start(world.cashout(&["cashout:transfer"]));
    second.says("is running already").await;
    let mut third = Running::start(world.cashout(&["cashout:transfer"]));
    third.says("is queued already").await;
    for leaving in [third, second] {
        leaving.signal("INT");
        leaving.end().await.ends(130).says("others asked for this batch too: it goes on");
    }
    first.signal("KILL");
    assert_eq!(first.end().await.code, None);
    held.release();
    // After both of them.
    world.told(&["cashout:transfer"]).await.ends(0);
    let (world, transfers) = stopped(world, service).await;
    assert!(transfers.iter().all(|one| one.state() == BatchState::Done), "{transfers:#?}");
    assert_eq!(transfers[0].done, 6);
    finishes(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_it_shows_so_and_what_was_queued_runs_after_the_restart() {
    let world = to_be_paid().await;
    let service = served(&world).await;
    let mut held = world.sandbox.pause_at(Endpoint::Transfer, Moment::Before, 3);
    let running = Running::start(world.cashout(&["cashout:transfer"]));
    reached(&mut held).await;
    let mut waiting = Running::start(world.cashout(&["cashout:transfer"]));
    waiting.says("is running already").await;
    service.signal("KILL");
    assert_eq!(service.end().await.code, None);
    for client in [running, waiting] {
        client.end().await.ends(4).says("broke off").says("nothing is lost");
    }
    held.release();
    assert!(world.data().join("cashout.sock").exists(), "killed, it could not tidy up");

    let service = served(&world).await;
    // After the one that was queued.
    world.told(&["cashout:transfer"]).await.ends(0);
    let (world, transfers) = stopped(world, service).await;
    assert_eq!(transfers[0].state(), BatchState::Interrupted);
    assert!(transfers[0].error.as_ref().is_some_and(|why| why.contains("the process ended before the batch did")));
    assert!(transfers.len() >= 2 && transfers[1..].iter().all(|one| one.state() == BatchState::Done), "{transfers:#?}");
    finishes(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_stops_brings_the_batch_of_a_command_to_a_safe_point() {
    let world = to_be_paid().await;
    let service = served(&world).await;
    let mut held = world.sandbox.pause_at(Endpoint::Transfer, Moment::Before, 2);
    let running = Running::start(world.cashout(&["cashout:transfer"]));
    reached(&mut held).await;
    let mut waiting = Running::start(world.cashout(&["cashout:transfer"]));
    waiting.says("is running already").await;
    service.signal("TERM");
    waiting.end().await.ends(75).says("it stays queued, and runs after the next start");
    held.release();
    running.end().await.ends(130).says("cashout:transfer: interrupted");
    service.end().await.ends(0);
    let mut world = world;
    world.restart().await;
    let transfers: Vec<_> = batches(&world).into_iter().filter(|one| one.command == "cashout:transfer").collect();
    assert_eq!(states(&transfers), [BatchState::Interrupted, BatchState::Queued]);
    finishes(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_hears_how_far_it_is() {
    let world = to_be_paid().await;
    let service = served(&world).await;
    let mut held = world.sandbox.pause_at(Endpoint::Transfer, Moment::Before, 4);
    let mut stream = UnixStream::connect(world.data().join("cashout.sock")).unwrap();
    let request = json!({
        "protocol": 1, "version": "0", "ask": "batch", "may_wait": true, "request": { "command": "cashout:transfer" }
    });
    writeln!(stream, "{request}").unwrap();
    let mut lines = BufReader::new(stream).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(next()["event"], "welcome");
    assert_eq!(next(), json!({ "event": "queued", "batch": 3, "behind": null, "joined": false }));
    assert_eq!(next(), json!({ "event": "stage", "name": "transfers", "total": 6 }));
    reached(&mut held).await;
    // The fourth is held: three are done, and that is reported.
    let mut told = next();
    while told["done"] != 3 {
        assert_eq!(told["event"], "progress", "{told}");
        told = next();
    }
    held.release();
    let mut last = next();
    while last["event"] == "progress" {
        told = last;
        last = next();
    }
    assert_eq!(told["done"], 6);
    assert_eq!((&last["event"], &last["record"]["state"]), (&json!("ended"), &json!("done")));
    let (world, _) = stopped(world, service).await;
    finishes(&world).await;
}

/// Returns the answer to these bytes.
fn answer(socket: &Path, bytes: &[u8]) -> Value {
    let mut stream = UnixStream::connect(socket).unwrap();
    // Refused before all of it is read; the rest cannot be delivered.
    let _ = stream.write_all(bytes);
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_answered_so_and_harms_nothing() {
    let world = to_be_paid().await;
    let service = served(&world).await;
    let socket = world.data().join("cashout.sock");
    let long = [vec![b' '; 70_000], b"\n".to_vec()].concat();
    for (bytes, kind, words) in [
        (&b"GET / HTTP/1.1\r\n"[..], "refused", "not one of a cashout command"),
        (b"{}\n", "refused", "not one of a cashout command"),
        (b"\xff\xfe\n", "refused", "not one of a cashout command"),
        (&long, "refused", "longer than 65536 bytes"),
        (b"{\"protocol\":1,\"ask\":\"money\"}\n", "refused", "does not understand the request"),
        (
            b"{\"protocol\":1,\"ask\":\"batch\",\"may_wait\":true,\"request\":{\"command\":\"x\"}}\n",
            "refused",
            "unknown variant",
        ),
        (b"{\"protocol\":99,\"version\":\"9.9.9\",\"ask\":\"later\"}\n", "busy", "this command is cashout 9.9.9"),
    ] {
        let said = answer(&socket, bytes);
        assert_eq!((&said["event"], &said["kind"]), (&json!("failed"), &json!(kind)), "{said}");
        assert!(said["message"].as_str().unwrap().contains(words), "{said}");
    }
    // Clients that stay silent, send half a request, or leave do not disturb others.
    let silent = UnixStream::connect(&socket).unwrap();
    let mut half = UnixStream::connect(&socket).unwrap();
    half.write_all(b"{\"protocol\"").unwrap();
    drop(UnixStream::connect(&socket).unwrap());
    world.told(&[SYNC]).await.ends(0);
    drop((silent, half));
    let (world, transfers) = stopped(world, service).await;
    assert_eq!(transfers.len(), 0);
    finishes(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_are_spoken_with_at_once() {
    let world = to_be_paid().await;
    let service = served(&world).await;
    let socket = world.data().join("cashout.sock");
    let silent: Vec<UnixStream> = (0..32).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    let refused = world.told(&[SYNC]).await;
    refused.ends(75).says("work through the service already");
    drop(silent);
    // The service notices that they have left.
    let again = async { while world.told(&[SYNC]).await.code != Some(0) {} };
    tokio::time::timeout(FOR_EVER, again).await.unwrap();
    let (world, _) = stopped(world, service).await;
    finishes(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_with_a_long_name_and_one_with_something_in_the_way() {
    let world = to_be_paid().await;
    let folder = tempfile::tempdir().unwrap();
    let long = folder.path().join("d".repeat(120)).join("e".repeat(40));
    let command = |arguments: &[&str]| {
        let mut process = Process::new(env!("CARGO_BIN_EXE_cashout"));
        process.env_clear().args(arguments).arg("--config").arg(world.configuration()).arg("--data").arg(&long);
        process
    };
    let mut service = Running::start(command(&["serve"]));
    service.says("answers on").await;
    told(command(&[SYNC])).await.ends(0);
    told(command(&["check"])).await.ends(0).says("used by the running service");
    service.signal("TERM");
    service.end().await.ends(0);
    assert!(!long.join("cashout.sock").exists());

    std::fs::write(long.join("cashout.sock"), "mine").unwrap();
    let mut service = Running::start(command(&["serve"]));
    service.says("something that is no socket is in its place").await;
    service.says("answers on").await;
    told(command(&[SYNC, "--no-wait"])).await.ends(75).says("in use by another process");
    service.signal("TERM");
    service.end().await.ends(0);
    assert_eq!(std::fs::read(long.join("cashout.sock")).unwrap(), b"mine");
}
