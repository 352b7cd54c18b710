//! Batches that a person stops, that a kill interrupts, or that are requested twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use cashout::domain::operation::Status;
use cashout::jobs::{self, BatchRecord, BatchState, Command, Silent};
use cashout::sandbox::{Endpoint, Moment, SandboxOptions};
use cashout::store::{Query, View};
use tokio_util::sync::CancellationToken;

use crate::running::Running;
use crate::world::{World, wallet_of};

const SELLERS: std::ops::RangeInclusive<u64> = 2001..=2012;

/// Makes a world with twelve sellers to be paid 10 each, one payment in flight at a time: a held payment holds all.
async fn to_be_paid() -> World {
    let world = World::with(SandboxOptions::default(), &["hipay.maxConcurrency: 1"]).await;
    for id in SELLERS {
        world.seller(id);
        world.voucher(id, id, 1_000, 0);
    }
    world.fund(1_000_000);
    world.up_to_operations().await;
    world.release_store().await;
    world
}

fn batches(world: &World) -> Vec<BatchRecord> {
    world.context.store.read(|reader| Ok(reader.page(&Query::<BatchRecord, _>::all())?.items)).unwrap()
}

/// Returns the record of the only transfer batch so far.
fn transfer_batch(world: &World) -> BatchRecord {
    let mut found: Vec<_> = batches(world).into_iter().filter(|one| one.command == "cashout:transfer").collect();
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

/// Checks that the batches of a day bring every seller's money to the bank, once.
async fn finishes(world: &World) {
    world.pay_day().await;
    let everybody: BTreeMap<u64, i64> = SELLERS.map(|id| (wallet_of(id), 1_000)).collect();
    assert_eq!(world.paid_out(), everybody);
    assert!(world.operations().iter().all(|operation| operation.status == Status::WithdrawSuccess));
    let transfers = world.sandbox.hipay(|hipay| hipay.ledger.paid().count());
    assert_eq!(transfers, 24, "one transfer and one withdrawal each");
}

async fn stopped_by(signal: &str) {
    let mut world = to_be_paid().await;
    let mut third = world.sandbox.pause_at(Endpoint::Transfer, Moment::Before, 3);
    let mut running = Running::start(world.cashout(&["cashout:transfer"]));
    assert!(third.reached().await);
    running.signal(signal);
    running.says("stopping at the next safe point").await;
    third.release();
    let told = running.end().await;
    told.ends(130).says("cashout:transfer: interrupted").says("left; run the same command again to continue");

    world.restart().await;
    let batch = transfer_batch(&world);
    assert_eq!(batch.state(), BatchState::Interrupted);
    assert!(batch.done < batch.total && batch.total == 12, "{batch:?}");
    // Payments in progress were completed: none is half sent.
    let operations = world.operations();
    assert!(operations.iter().all(|one| matches!(one.status, Status::Created | Status::TransferRequested)));
    let requested = operations.iter().filter(|one| one.status == Status::TransferRequested).count();
    assert_eq!(world.sandbox.hipay(|hipay| hipay.ledger.paid().count()), requested);
    assert!((3..12).contains(&requested), "{requested}");
    finishes(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminated_batch_ends_at_a_safe_point_and_the_next_one_goes_on() {
    stopped_by("TERM").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_stopped_by_ctrl_c_ends_at_a_safe_point_and_the_next_one_goes_on() {
    stopped_by("INT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once_and_nothing_is_paid_twice_or_lost() {
    let mut world = to_be_paid().await;
    let mut third = world.sandbox.pause_at(Endpoint::Transfer, Moment::Before, 3);
    let mut running = Running::start(world.cashout(&["cashout:transfer"]));
    assert!(third.reached().await);
    running.signal("INT");
    running.says("repeat to stop at once").await;
    running.signal("TERM");
    let told = running.end().await;
    told.ends(130);
    // HiPay executes what has arrived, even if its sender no longer waits for the answer.
    third.release();
    world.restart().await;
    let batch = transfer_batch(&world);
    assert_eq!(batch.state(), BatchState::Interrupted);
    assert!(batch.error.as_ref().is_some_and(|why| why.contains("the process ended before the batch did")));
    finishes(&world).await;
}

/// Kills a process while a transfer is held before or after HiPay executed it.
async fn killed(moment: Moment) {
    let mut world = to_be_paid().await;
    let mut held = world.sandbox.pause_at(Endpoint::Transfer, moment, 4);
    let running = Running::start(world.cashout(&["cashout:transfer"]));
    assert!(held.reached().await);
    running.signal("KILL");
    assert_eq!(running.end().await.code, None);
    held.release();
    // The next opening of the store, by any command, marks the batch as interrupted.
    world.told(&["check", "--offline"]).await.ends(0);
    world.restart().await;
    let batch = transfer_batch(&world);
    assert_eq!(batch.state(), BatchState::Interrupted);
    assert!(batch.ended_at.is_some() && batch.error.is_some(), "{batch:?}");
    assert!(world.operations().iter().any(|one| one.status == Status::TransferSending));
    finishes(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_killed_before_a_payment_was_executed_is_shown_as_interrupted_and_finished() {
    killed(Moment::Before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_killed_after_a_payment_was_executed_is_shown_as_interrupted_and_finished() {
    killed(Moment::After).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_batch_twice_in_one_process_waits_for_its_turn_and_another_one_does_not() {
    let world = World::new().await;
    world.seller(2001);
    world.voucher(1, 2001, 1_000, 0);
    world.fund(10_000);
    world.up_to_operations().await;
    let mut held = world.sandbox.pause_at(Endpoint::Transfer, Moment::Before, 1);
    let transfer = || {
        let context = world.context.clone();
        tokio::spawn(async move {
            jobs::run(&context, &Command::CashoutTransfer, "test", Arc::new(Silent), CancellationToken::new()).await
        })
    };
    let first = transfer();
    assert!(held.reached().await);
    let second = transfer();
    assert_eq!(world.sync().await.state(), BatchState::Done);
    assert!(!second.is_finished());
    held.release();
    let (first, second) = (first.await.unwrap().unwrap(), second.await.unwrap().unwrap());
    assert_eq!((first.state(), second.state()), (BatchState::Done, BatchState::Done));
    assert!(first.id < second.id, "the second one began when the first had ended");
    assert_eq!((first.total, second.total), (1, 0));
    assert_eq!(world.sandbox.traffic(|traffic| traffic.count(Endpoint::Transfer)), 1);
    world.pay_day().await;
    assert_eq!(world.paid_out()[&wallet_of(2001)], 1_000);
}
