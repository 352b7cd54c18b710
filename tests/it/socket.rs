//! The command line while the service runs: two real processes of the binary.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
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
    world.told(&["cashout:generate", "2001-01-11"]).await.ends(2).says("paid by the previous system");
    world.told(&["operation:retry", "1"]).await.ends(2).says("needs no action");
    world.told(&["check"]).await.ends(0).says("used by the running service").says("technical account");
    let check = world.told(&["check", "--json"]).await.ends(0).json();
    assert_eq!(check["ok"], true);
    world.told(&["check", "--rebind", "--yes"]).await.ends(75).says("stop it, run `cashout check --rebind`");
    world.told(&["serve"]).await.ends(75).says("a cashout service is already running on");

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
    second.says("is already running (batch").await;
    let mut third = Running::start(world.cashout(&["cashout:transfer", "--json"]));
    third.says("is already queued as batch").await;
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
    waiting.says("is already running").await;
    waiting.signal("INT");
    waiting.end().await.ends(130).says("cashout:transfer: interrupted");

    running.signal("INT");
    running.says("stopping at the next safe point").await;
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
    second.says("is already running").await;
    let mut third = Running::start(world.cashout(&["cashout:transfer"]));
    third.says("is already queued").await;
    for leaving in [third, second] {
        leaving.signal("INT");
        leaving.end().await.ends(130).says("others requested this batch too: it continues");
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
    waiting.says("is already running").await;
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
    waiting.says("is already running").await;
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

/// Sends these bytes and returns everything that is answered.
fn answer(socket: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    // Refused before all of it is read; the rest cannot be delivered.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends a request over the socket and returns the answer's status and JSON.
fn call(socket: &Path, method: &str, path: &str, body: &str) -> (u16, Value) {
    let length = body.len();
    let request = format!(
        "{method} /api/v1{path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    let answer = answer(socket, request.as_bytes());
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
}

/// Follows the batches over the socket; returns the events as they come: name and data.
fn events(socket: &Path) -> impl Iterator<Item = (String, Value)> + use<> {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(b"GET /api/v1/batches/events HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut name = String::new();
    BufReader::new(stream).lines().map_while(Result::ok).filter_map(move |line| {
        if let Some(event) = line.strip_prefix("event: ") {
            event.clone_into(&mut name);
        }
        let data = line.strip_prefix("data: ")?;
        Some((name.clone(), serde_json::from_str(data).unwrap_or_default()))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_and_end_of_a_batch_are_reported() {
    let world = to_be_paid().await;
    let service = served(&world).await;
    let socket = world.data().join("cashout.sock");
    let mut held = world.sandbox.pause_at(Endpoint::Transfer, Moment::Before, 4);
    let mut events = events(&socket);
    assert_eq!(events.next().unwrap(), ("progress".to_owned(), json!([])));
    let (status, queued) = call(&socket, "POST", "/batches", r#"{"command":"cashout:transfer"}"#);
    assert_eq!(
        (status, &queued["id"], &queued["joined"], &queued["waits_for"]),
        (202, &json!(3), &json!(false), &json!(null))
    );
    assert_eq!(queued["asked_by"], "command line");
    reached(&mut held).await;
    // The fourth is held: three are done, and that is reported.
    let of_stages = |(name, data): &(String, Value), done: u64| {
        name == "progress" && data[0]["stages"] == json!([{ "name": "transfers", "total": 6, "done": done }])
    };
    assert!(events.by_ref().any(|event| of_stages(&event, 3)));
    assert_eq!(call(&socket, "GET", "/batches/3", "").1["done"], 3);
    held.release();
    let (_, ended) = events.by_ref().find(|(name, _)| name == "ended").unwrap();
    assert_eq!(
        (&ended["batch"]["id"], &ended["batch"]["state"], &ended["failure"]),
        (&json!(3), &json!("done"), &json!(null))
    );
    assert_eq!(ended["batch"]["amounts"], json!({ "requested": [{ "amount": "60.00", "currency": "EUR" }] }));
    assert_eq!(ended["stages"], json!([{ "name": "transfers", "total": 6, "done": 6 }]));
    assert_eq!(call(&socket, "POST", "/batches/3/stop", "").1, json!({ "effect": "over" }));
    assert_eq!(call(&socket, "GET", "/batches/99", "").0, 404);
    let (world, _) = stopped(world, service).await;
    finishes(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_make_no_sense_are_refused_and_harm_nothing() {
    let world = to_be_paid().await;
    let service = served(&world).await;
    let socket = world.data().join("cashout.sock");
    // A command of an earlier release sends a line of JSON, and gets one line in that form.
    for line in [
        "{}",
        r#"{"protocol":1,"version":"0.1.0","ask":"batch","may_wait":true,"request":{"command":"cashout:transfer"}}"#,
    ] {
        let said: Value = serde_json::from_str(&answer(&socket, format!("{line}\n").as_bytes())).unwrap();
        assert_eq!((&said["event"], &said["kind"]), (&json!("failed"), &json!("busy")), "{said}");
        assert!(
            said["message"].as_str().unwrap().contains("another release than the running cashout service"),
            "{said}"
        );
    }
    let long = [b"{".to_vec(), vec![b' '; 70_000], b"\n".to_vec()].concat();
    assert!(answer(&socket, &long).contains("another release"));
    for bytes in [&b"\xff\xfe\n"[..], b"GET\r\n\r\n", b"\r\n\r\n\r\n"] {
        let said = answer(&socket, bytes);
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 400"), "{said}");
    }
    for (path, body, status) in [
        ("/batches", r#"{"command":"cashout:everything"}"#, 422),
        ("/batches", r#"{"command":"cashout:transfer","cycle_date":"2026-11-11"}"#, 409),
        ("/batches", "{", 400),
        ("/nothing", "{}", 404),
    ] {
        let (answered, problem) = call(&socket, "POST", path, body);
        assert_eq!((answered, &problem["status"]), (status, &json!(status)), "{path} {body}: {problem}");
    }
    // Pages need a session, here too.
    assert!(
        answer(&socket, b"GET /dashboard HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .contains("/dashboard/login")
    );
    // Clients that stay silent, send half a request, or leave do not disturb others.
    let silent = UnixStream::connect(&socket).unwrap();
    let mut half = UnixStream::connect(&socket).unwrap();
    half.write_all(b"POST /api/v1/bat").unwrap();
    drop(UnixStream::connect(&socket).unwrap());
    world.told(&[SYNC]).await.ends(0);
    drop((silent, half));
    let (world, transfers) = stopped(world, service).await;
    assert_eq!(transfers.len(), 0);
    finishes(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_user_is_refused() {
    let world = to_be_paid().await;
    let service = served(&world).await;
    let socket = world.data().join("cashout.sock");
    if rustix::process::geteuid().is_root() {
        // Even where the files would let the user in, the kernel's word counts.
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o666)).unwrap();
        for folder in world.data().ancestors().take(2) {
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let script = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); \
            s.sendall(b'GET /api/v1/batches HTTP/1.1\\r\\nhost: localhost\\r\\n\\r\\n'); print(s.recv(100))";
        let output = Process::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "python3", "-c", script])
            .arg(&socket)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("200"), "{said}");
        assert!(said.contains("b''") || said.contains("Reset") || said.contains("Broken pipe"), "{said}");
    }
    let (world, _) = stopped(world, service).await;
    finishes(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_limited_in_number() {
    let world = to_be_paid().await;
    let service = served(&world).await;
    let socket = world.data().join("cashout.sock");
    let silent: Vec<UnixStream> = (0..64).map(|_| UnixStream::connect(&socket).unwrap()).collect();
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
