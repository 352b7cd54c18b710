//! Stores that cannot be used: damaged, too new, in use by another process, on a full disk.

use std::collections::BTreeMap;
use std::process::Command;

use cashout::domain::operation::Status;
use cashout::sandbox::{Endpoint, Moment, Remote};
use redb::ReadableTable;
use serde_json::{Value, json};

use crate::running::{Running, told};
use crate::world::{World, wallet_of};

/// Makes a world with `count` operations to transfer and a closed store.
async fn with_operations(count: u64) -> World {
    let world = World::new().await;
    for id in 1..=count {
        world.seller(id);
        world.voucher(id, id, 1_000, 0);
    }
    world.fund(10_000_000);
    world.up_to_operations().await;
    world.release_store().await;
    world
}

/// Runs the binary's batches of a day and checks that each of `count` sellers gets 10 once.
async fn finishes(world: &mut World, count: u64) {
    let sync = "cashout:transaction:status:sync";
    for command in ["cashout:transfer", sync, "cashout:withdraw", sync] {
        world.told(&[command]).await.ends(0);
    }
    let everybody: BTreeMap<u64, i64> = (1..=count).map(|id| (wallet_of(id), 1_000)).collect();
    assert_eq!(world.paid_out(), everybody);
    world.restart().await;
    assert!(world.operations().iter().all(|operation| operation.status == Status::WithdrawSuccess));
}

fn calls(world: &World) -> u64 {
    world.sandbox.traffic(|traffic| traffic.total())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_store_is_refused_left_alone_and_nothing_is_sent() {
    let mut world = with_operations(2).await;
    let path = world.data().join("store.redb");
    let whole = std::fs::read(&path).unwrap();
    let before = calls(&world);
    let mut garbage = whole.clone();
    garbage.fill(0x5a);
    let mut broken: Vec<Vec<u8>> =
        [0, 1, 100, 4_096, whole.len() / 2, whole.len() - 1].map(|length| whole[..length].to_vec()).to_vec();
    broken.push(garbage);
    broken.push(b"<html>moved</html>".to_vec());
    for bytes in broken {
        std::fs::write(&path, &bytes).unwrap();
        for arguments in [&["cashout:transfer"][..], &["check"]] {
            let told = world.told(arguments).await;
            told.ends(4).says("the store is damaged").says("restore the last backup");
        }
        let json = world.told(&["cashout:transfer", "--json"]).await.ends(4).json();
        assert_eq!(json["exit"], 4);
        assert!(std::fs::read(&path).unwrap() == bytes, "a damaged store was changed");
    }
    assert_eq!(calls(&world), before);
    // With the backup restored, work continues.
    std::fs::write(&path, &whole).unwrap();
    finishes(&mut world, 2).await;
}

/// Changes the record in which the store describes itself, as a later release might have left it.
fn change_format(world: &World, change: impl FnOnce(&mut Value)) {
    const TABLE: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("format");
    let database = redb::Database::open(world.data().join("store.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut table = transaction.open_table(TABLE).unwrap();
        let known = table.get(b"format".as_slice()).unwrap().unwrap().value().to_vec();
        let mut format: Value = serde_json::from_slice(&known).unwrap();
        change(&mut format);
        table.insert(b"format".as_slice(), serde_json::to_vec(&format).unwrap().as_slice()).unwrap();
    }
    transaction.commit().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_a_later_release_names_the_release_that_can_read_it() {
    let mut world = with_operations(1).await;
    let before = calls(&world);
    let mut known = json!(null);
    change_format(&world, |format| {
        known = format.clone();
        format["format"] = json!(7);
        format["readable_from"] = json!(6);
        format["readable_by"] = json!("2.3.0");
    });
    let told = world.told(&["cashout:transfer"]).await;
    told.ends(4).says("the store has format 7").says("install release 2.3.0 or a later one");
    assert_eq!(calls(&world), before);
    // A later format that this release may still read does not prevent work.
    change_format(&world, |format| {
        *format = known;
        format["format"] = json!(7);
    });
    finishes(&mut world, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_use_is_told_at_once_or_waited_for() {
    let mut world = with_operations(1).await;
    world.restart().await;
    for command in ["cashout:transfer", "check"] {
        let told = world.told(&[command, "--no-wait"]).await;
        told.ends(75).says("is in use by another process").says("wait until it is done");
        assert_eq!(world.told(&[command, "--no-wait", "--json"]).await.ends(75).json()["exit"], 75);
    }
    for command in ["check", "cashout:transfer"] {
        world.restart().await;
        let mut running = Running::start(world.cashout(&[command]));
        running.says("another process uses the store; waiting").await;
        world.release_store().await;
        running.end().await.ends(0);
    }
    world.restart().await;
    assert_eq!(world.status(1), Status::TransferRequested);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_commands_at_once_take_turns() {
    let mut world = with_operations(3).await;
    let mut held = world.sandbox.pause_at(Endpoint::Transfer, Moment::Before, 1);
    let first = Running::start(world.cashout(&["cashout:transfer"]));
    assert!(held.reached().await);
    world.told(&["cashout:transfer", "--no-wait"]).await.ends(75).says("in use");
    let mut second = Running::start(world.cashout(&["cashout:transfer"]));
    second.says("waiting").await;
    held.release();
    first.end().await.ends(0).says("3  requested");
    second.end().await.ends(0).says("(0 of 0)");
    finishes(&mut world, 3).await;
}

/// Returns a command that runs the binary under a limit on the size of files, which to a process is
/// like a full disk. The signal that comes with the limit, but not with a full disk, is ignored.
pub(crate) fn limitable(world: &World, arguments: &[&str]) -> Command {
    let plain = world.cashout(arguments);
    let mut limited = Command::new("sh");
    limited.env_clear().args(["-c", r#"trap "" XFSZ; exec "$0" "$@""#]);
    limited.arg(plain.get_program()).args(plain.get_args());
    limited
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_from_the_start_is_told_and_nothing_is_sent() {
    let mut world = with_operations(2).await;
    let before = calls(&world);
    for room in ["--fsize=0", "--fsize=4096"] {
        for command in ["cashout:transfer", "check"] {
            let plain = limitable(&world, &[command]);
            let mut limited = Command::new("prlimit");
            limited.arg(room).arg(plain.get_program()).args(plain.get_args());
            let told = told(limited).await;
            told.ends(4).says("File too large").says("make room on the disk").says("start again");
        }
    }
    assert_eq!(calls(&world), before);
    finishes(&mut world, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_in_the_middle_stops_the_batch_and_loses_nothing() {
    const COUNT: u64 = 20;
    let mut world = with_operations(COUNT).await;
    world.set("hipay.maxConcurrency: 1").await;
    world.release_store().await;
    let mut fifth = world.sandbox.pause_at(Endpoint::Transfer, Moment::Before, 5);
    let running = Running::start(limitable(&world, &["cashout:transfer"]));
    assert!(fifth.reached().await);
    assert!(Command::new("prlimit").args(["--fsize=0", "--pid", &running.id()]).status().unwrap().success());
    fifth.release();
    running.end().await.ends(4).says("File too large").says("make room on the disk");
    // HiPay executed the fifth, and perhaps the one whose intent was already on the disk.
    let paid = world.sandbox.hipay(|hipay| hipay.ledger.paid().count());
    assert!((5..=6).contains(&paid), "{paid}");
    finishes(&mut world, COUNT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_that_cannot_be_one_is_told() {
    let world = with_operations(1).await;
    let before = calls(&world);
    let folder = tempfile::tempdir().unwrap();
    let (file, inside) = (folder.path().join("data"), folder.path().join("data/inside"));
    std::fs::write(&file, "a file").unwrap();
    for (place, words) in [(&file, "is no folder"), (&inside, "cannot be created")] {
        let mut process = Command::new(env!("CARGO_BIN_EXE_cashout"));
        process.env_clear().args(["cashout:transfer", "--config"]).arg(world.configuration()).arg("--data").arg(place);
        told(process).await.ends(4).says(words).says("--data");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "a file");
    // A folder at the path of the store's file.
    let store = world.data().join("store.redb");
    std::fs::rename(&store, world.data().join("elsewhere")).unwrap();
    std::fs::create_dir(&store).unwrap();
    world.told(&["cashout:transfer"]).await.ends(4).says("store.redb is not a file");
    assert_eq!(calls(&world), before);
    assert_eq!(world.sandbox.traffic(|traffic| traffic.in_flight(Remote::Hipay)), 0);
}
