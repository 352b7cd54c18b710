//! The scheduler, which runs each batch when it is due, once, whatever the clock does; and the queue.

use std::time::Duration;

use cashout::domain::operation::Status;
use cashout::jobs::{BatchKind, BatchRecord, BatchState, Command, Enqueued, GenerateArguments};
use cashout::sandbox::{Endpoint, Fault, FaultKind, Moment, Remote, SandboxOptions};
use cashout::scheduler::{Remembered, Stopping};
use cashout::serve::Appliance;
use cashout::store::{Query, View};
use cashout::web;
use jiff::{SignedDuration, Timestamp};
use tower::ServiceExt;

use crate::market::{Memory, all_is_paid, market};
use crate::world::{CYCLE, World};

/// Upper bound on any wait; only a test that would otherwise hang reaches it.
const FOR_EVER: Duration = Duration::from_mins(1);

const SYNC: &str = "cashout:transaction:status:sync";
const WITHDRAW: &str = "cashout:withdraw";

/// Returns settings with only these schedules; every other one is switched off.
fn only(schedules: &[(&str, &str)]) -> Vec<String> {
    let all = ["vendorProcess", "cashoutGenerate", "cashoutTransfer", "cashoutWithdraw", "transactionStatusSync"];
    let line = |name: &&str| {
        let expression = schedules.iter().find(|(wanted, _)| wanted == name).map_or("", |(_, expression)| expression);
        format!("schedule.{name}: '{expression}'")
    };
    all.iter().map(line).collect()
}

async fn world_with(schedules: &[(&str, &str)]) -> World {
    let settings = only(schedules);
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    World::with(SandboxOptions::default(), &settings).await
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn batches(world: &World) -> Vec<BatchRecord> {
    world.context.store.read(|reader| Ok(reader.page(&Query::all().limit(10_000))?.items)).unwrap()
}

fn of<'a>(batches: &'a [BatchRecord], command: &str) -> Vec<&'a BatchRecord> {
    batches.iter().filter(|batch| batch.command == command).collect()
}

/// Returns the due times for which the batches of this command were run.
fn moments(batches: &[BatchRecord], command: &str) -> Vec<String> {
    of(batches, command).iter().map(|batch| batch.scheduled_for.expect("a scheduled batch").to_string()).collect()
}

/// Waits until the batches satisfy the condition.
async fn until(world: &World, appliance: &Appliance, wanted: impl Fn(&[BatchRecord]) -> bool) -> Vec<BatchRecord> {
    let mut live = appliance.web().scheduler.live();
    let waiting = async {
        loop {
            live.borrow_and_update();
            let batches = batches(world);
            if wanted(&batches) {
                return batches;
            }
            live.changed().await.unwrap();
        }
    };
    let found = tokio::time::timeout(FOR_EVER, waiting).await;
    found.unwrap_or_else(|_| panic!("it did not come to that: {:#?}", self::batches(world)))
}

/// Returns a condition: the batch for this due time is over, and so is every other.
fn is_over(command: &'static str, due: Timestamp) -> impl Fn(&[BatchRecord]) -> bool {
    move |batches| {
        batches.iter().any(|batch| batch.command == command && batch.scheduled_for == Some(due))
            && batches.iter().all(|batch| batch.state().is_over())
    }
}

/// Sets the clock back, and waits until the scheduler has noticed it.
async fn set_back(world: &World, to: &str) {
    world.clock.set(at(to));
    let seen = || {
        let name = format!("schedule {WITHDRAW}");
        let remembered = world.context.store.read(|reader| reader.get_document::<Remembered>(&name));
        remembered.unwrap().expect("a schedule that is followed").seen
    };
    let noticed = async {
        while seen() > world.clock.now() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(FOR_EVER, noticed).await.expect("nobody notices that the clock was set back");
}

/// Advances the clock to one minute past each hour, while a batch runs every hour.
async fn pass_hours(world: &World, appliance: &Appliance, heartbeat: &'static str, hours: i64) {
    let hour = 3_600;
    let mut due = Timestamp::from_second(world.clock.now().as_second().div_euclid(hour) * hour).unwrap();
    for _ in 0..hours {
        due += SignedDuration::from_hours(1);
        world.clock.set(due + SignedDuration::from_mins(1));
        until(world, appliance, is_over(heartbeat, due)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_pays_everybody_by_the_clock_alone() {
    let world = market(SandboxOptions::default(), Memory::Whole).await;
    let before = batches(&world).len();
    let appliance = world.serve().await;
    pass_hours(&world, &appliance, SYNC, 24).await;
    appliance.stop().await.unwrap();
    let mut world = world;
    world.restart().await;
    let batches = batches(&world).split_off(before);
    assert_eq!(of(&batches, SYNC).len(), 24);
    // By the clock in Paris: 00:00 and so on, 00:30, 02:00, 04:00.
    let six = ["2026-11-12T11:00:00Z", "2026-11-12T17:00:00Z", "2026-11-12T23:00:00Z", "2026-11-13T05:00:00Z"];
    assert_eq!(moments(&batches, "vendor:process"), six);
    assert_eq!(moments(&batches, "cashout:generate"), ["2026-11-12T23:30:00Z"]);
    assert_eq!(moments(&batches, "cashout:transfer"), ["2026-11-13T01:00:00Z"]);
    assert_eq!(moments(&batches, WITHDRAW), ["2026-11-13T03:00:00Z"]);
    assert!(
        batches.iter().all(|batch| batch.state() == BatchState::Done && batch.asked_by == "schedule"),
        "{batches:#?}"
    );
    all_is_paid(&world);
}

#[tokio::test(flavor = "multi_thread")]
async fn downtime_over_a_cycle_day_is_caught_up_once_and_in_order() {
    let mut world = World::with(SandboxOptions::default(), &[]).await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 300);
    world.fund(100_000);
    let appliance = world.serve().await;
    world.clock.set(at("2026-11-10T23:10:00Z"));
    // Every batch is known from here on; those of the night before were run.
    until(&world, &appliance, |all| !all.is_empty() && all.iter().all(|batch| batch.state().is_over())).await;
    appliance.stop().await.unwrap();
    let before = {
        world.restart().await;
        batches(&world)
    };
    let vendors = of(&before, "vendor:process").last().unwrap().started_at;

    world.clock.set(at("2026-11-14T09:20:00Z"));
    let appliance = world.serve().await;
    let all = |all: &[BatchRecord]| all.len() == before.len() + 5 && all.iter().all(|batch| batch.state().is_over());
    let after = until(&world, &appliance, all).await.split_off(before.len());
    let order: Vec<&str> = after.iter().map(|batch| batch.command.as_str()).collect();
    assert_eq!(order, ["vendor:process", "cashout:generate", "cashout:transfer", SYNC, WITHDRAW]);
    // The last of the missed times represents all of them.
    let due: Vec<String> = after.iter().map(|batch| batch.scheduled_for.unwrap().to_string()).collect();
    let expected = [
        "2026-11-14T05:00:00Z",
        "2026-11-13T23:30:00Z",
        "2026-11-14T01:00:00Z",
        "2026-11-14T09:00:00Z",
        "2026-11-14T03:00:00Z",
    ];
    assert_eq!(due, expected);
    let since = vendors - SignedDuration::from_hours(1);
    assert_eq!(after[0].request(), Some(Command::VendorProcess { since: Some(since) }));
    // Each batch used the results of the previous one: the seller's money is at the bank.
    assert_eq!(after.iter().map(|batch| batch.failed).sum::<u64>(), 0, "{after:#?}");
    assert_eq!(world.status(1), Status::WithdrawRequested);
    assert_eq!(world.paid_out()[&crate::world::wallet_of(2001)], 10_000);

    // The missed times have no further effect.
    pass_hours(&world, &appliance, SYNC, 1).await;
    assert_eq!(batches(&world).len(), before.len() + 6);
    appliance.stop().await.unwrap();
}

/// Runs one daily batch over the night in which the clocks change, and another one every hour.
async fn a_night(from: &str, daily: &str) -> Vec<String> {
    let world = world_with(&[("transactionStatusSync", daily), ("cashoutWithdraw", "0 * * * *")]).await;
    world.clock.set(at(from));
    let appliance = world.serve().await;
    pass_hours(&world, &appliance, WITHDRAW, 48).await;
    appliance.stop().await.unwrap();
    let mut world = world;
    world.restart().await;
    let batches = batches(&world);
    assert_eq!(of(&batches, WITHDRAW).len(), 48, "an hourly batch runs every hour");
    moments(&batches, SYNC)
}

#[tokio::test(flavor = "multi_thread")]
async fn half_past_two_is_due_once_where_it_does_not_exist() {
    let moments = a_night("2026-03-28T12:00:00Z", "30 2 * * *").await;
    assert_eq!(moments, ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_past_two_is_due_once_where_it_exists_twice() {
    let moments = a_night("2026-10-24T12:00:00Z", "30 2 * * *").await;
    assert_eq!(moments, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_either_way_runs_nothing_twice_and_stops_nothing() {
    let world = world_with(&[("transactionStatusSync", "0 2 * * *"), ("cashoutWithdraw", "0 * * * *")]).await;
    let appliance = world.serve().await;
    pass_hours(&world, &appliance, WITHDRAW, 2).await;
    assert_eq!(moments(&batches(&world), WITHDRAW), ["2026-11-09T09:00:00Z", "2026-11-09T10:00:00Z"]);

    // Ten years ahead: each is caught up once.
    world.clock.set(at("2036-11-09T10:30:00Z"));
    let all = until(&world, &appliance, |all| all.len() == 4 && all.iter().all(|batch| batch.state().is_over())).await;
    assert_eq!(moments(&all, SYNC), ["2036-11-09T01:00:00Z"]);
    // And back: the day continues as if nothing had happened.
    set_back(&world, "2026-11-09T10:40:00Z").await;
    pass_hours(&world, &appliance, WITHDRAW, 16).await;
    let all = batches(&world);
    assert_eq!(moments(&all, SYNC).last().unwrap(), "2026-11-10T01:00:00Z");
    assert_eq!((of(&all, WITHDRAW).len(), of(&all, SYNC).len()), (2 + 1 + 16, 2));

    // Back by more than an hour: the times come a second time, the batches do not.
    set_back(&world, "2026-11-10T00:45:00Z").await;
    pass_hours(&world, &appliance, WITHDRAW, 3).await;
    // Back by a day: five due times come that were before the first start.
    set_back(&world, "2026-11-09T03:30:00Z").await;
    pass_hours(&world, &appliance, WITHDRAW, 25).await;
    let all = batches(&world);
    assert_eq!(
        (of(&all, WITHDRAW).len(), of(&all, SYNC).len()),
        (2 + 1 + 16 + 1 + 5 + 1, 2),
        "{:#?}",
        moments(&all, WITHDRAW)
    );
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_fails_is_run_again_when_it_is_next_due_and_not_before() {
    let world = world_with(&[("vendorProcess", "0 * * * *")]).await;
    let appliance = world.serve().await;
    world.sandbox.strike(Fault::new(FaultKind::ServerError).on(Remote::Mirakl).times(u32::MAX));
    pass_hours(&world, &appliance, "vendor:process", 1).await;
    let failed = batches(&world).remove(0);
    assert_eq!((failed.state(), failed.ended_at.is_some()), (BatchState::Failed, true), "{failed:?}");
    assert!(failed.error.is_some_and(|why| why.contains("Mirakl")));
    world.clock.advance(SignedDuration::from_mins(50));
    world.sandbox.faults(|plan| plan.rules.clear());
    pass_hours(&world, &appliance, "vendor:process", 1).await;
    let all = batches(&world);
    assert_eq!(all.len(), 2);
    // It failed, so no earlier look at updates is known: all shops.
    assert_eq!((all[1].state(), all[1].request()), (BatchState::Done, Some(Command::VendorProcess { since: None })));
    pass_hours(&world, &appliance, "vendor:process", 1).await;
    let Some(Command::VendorProcess { since: Some(since) }) = batches(&world)[2].request() else { panic!("no since") };
    assert!(world.clock.now().duration_since(since) >= SignedDuration::from_hours(24));
    appliance.stop().await.unwrap();
}

/// Makes a world with ten to be paid to one seller, and the hourly transfer scheduled.
async fn to_be_paid() -> World {
    let mut world = world_with(&[("cashoutTransfer", "0 * * * *")]).await;
    world.seller(2001);
    world.voucher(1, 2001, 1_000, 0);
    world.fund(10_000);
    world.up_to_operations().await;
    world.restart().await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_while_it_runs_is_queued_and_who_asks_for_the_same_joins() {
    let world = to_be_paid().await;
    let before = batches(&world).len();
    let appliance = world.serve().await;
    let scheduler = appliance.web().scheduler.clone();
    let mut held = world.sandbox.pause_at(Endpoint::Transfer, Moment::Before, 1);
    let ask = async |command| scheduler.enqueue(&command, "somebody", true).await.unwrap();
    let Enqueued::Queued { record: first, behind: None } = ask(Command::CashoutTransfer).await else {
        panic!("not queued")
    };
    assert_eq!(tokio::time::timeout(FOR_EVER, held.reached()).await, Ok(true));
    let live = scheduler.live().borrow()[&first.id].clone();
    let stage = &live.stages[0];
    assert_eq!((live.command.as_str(), stage.total, stage.done), ("cashout:transfer", 1, 0));

    let Enqueued::Queued { record: second, behind } = ask(Command::CashoutTransfer).await else { panic!("not queued") };
    let Enqueued::Joined(third) = ask(Command::CashoutTransfer).await else { panic!("not joined") };
    assert_eq!(behind, Some(first.id));
    assert_eq!((second.id, second.state(), third.joined), (third.id, BatchState::Queued, 1));
    let refused = scheduler.enqueue(&Command::CashoutTransfer, "somebody in a hurry", false).await.unwrap();
    assert!(matches!(refused, Enqueued::Busy(_)), "{refused:?}");
    // Another batch does not wait for it, and neither does a request with another command.
    ask(Command::TransactionStatusSync).await;
    until(&world, &appliance, |all| all.iter().any(|one| one.command == SYNC && one.state().is_over())).await;
    // Due meanwhile: it is not run a second time. The minute shows that the due time was handled.
    world.clock.set(at("2026-11-12T09:01:00Z"));
    let next =
        async || scheduler.next_runs().await.unwrap().into_iter().find(|one| one.kind == BatchKind::CashoutTransfer);
    while next().await.unwrap().at.unwrap() < at("2026-11-12T10:00:00Z") {
        tokio::task::yield_now().await;
    }
    held.release();
    let transfers = |all: &[BatchRecord]| of(all, "cashout:transfer").iter().all(|one| one.state().is_over());
    let all = until(&world, &appliance, transfers).await.split_off(before);
    let transfers = of(&all, "cashout:transfer");
    assert_eq!(transfers.iter().map(|one| (one.id, one.done)).collect::<Vec<_>>(), [(first.id, 1), (second.id, 0)]);
    assert!(transfers.iter().all(|one| one.state() == BatchState::Done && one.queued_at.is_some()));
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_with_other_arguments_waits_for_a_turn_of_its_own() {
    let world = to_be_paid().await;
    let appliance = world.serve().await;
    let scheduler = appliance.web().scheduler.clone();
    let mut held = world.sandbox.pause_at(Endpoint::Invoices, Moment::Before, 1);
    let generate = |hours| {
        let before = Some(SignedDuration::from_hours(hours));
        Command::CashoutGenerate(GenerateArguments { cycle_date: Some(CYCLE), before, ..Default::default() })
    };
    let mut ids = Vec::new();
    for hours in [13, 14, 15, 14] {
        match scheduler.enqueue(&generate(hours), "somebody", true).await.unwrap() {
            Enqueued::Queued { record, .. } | Enqueued::Joined(record) => ids.push(record.id),
            Enqueued::Busy(record) => panic!("{record:?}"),
        }
        if ids.len() == 1 {
            assert_eq!(tokio::time::timeout(FOR_EVER, held.reached()).await, Ok(true));
        }
    }
    assert_eq!(ids[1], ids[3]);
    // One is removed from the queue.
    assert_eq!(scheduler.stop(ids[2]).await.unwrap(), Stopping::Dequeued);
    held.release();
    let all = until(&world, &appliance, |all| all.iter().all(|one| one.state().is_over())).await;
    let state = |id| all.iter().find(|one| one.id == id).map(BatchRecord::state);
    assert_eq!(
        [0, 1, 2].map(|index| state(ids[index]).unwrap()),
        [BatchState::Done, BatchState::Done, BatchState::Interrupted]
    );
    assert_eq!(scheduler.stop(ids[0]).await.unwrap(), Stopping::Over);
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_comes_to_a_safe_point_and_what_waits_runs_after_the_next_start() {
    let mut world = to_be_paid().await;
    let before = batches(&world).len();
    let appliance = world.serve().await;
    let scheduler = appliance.web().scheduler.clone();
    let mut held = world.sandbox.pause_at(Endpoint::Transfer, Moment::Before, 1);
    scheduler.enqueue(&Command::CashoutTransfer, "somebody", true).await.unwrap();
    assert_eq!(tokio::time::timeout(FOR_EVER, held.reached()).await, Ok(true));
    scheduler.enqueue(&Command::CashoutTransfer, "somebody else", true).await.unwrap();
    let stop = appliance.web().stopping.clone();
    let stopping = tokio::spawn(appliance.stop());
    // The payment in progress is released only after that.
    stop.cancelled().await;
    held.release();
    stopping.await.unwrap().unwrap();
    assert!(!scheduler.is_at_work());
    world.restart().await;
    let states = |world: &World| batches(world).split_off(before).iter().map(BatchRecord::state).collect::<Vec<_>>();
    assert_eq!(states(&world), [BatchState::Interrupted, BatchState::Queued]);
    assert_eq!(world.status(1), Status::TransferRequested);

    let appliance = world.serve().await;
    until(&world, &appliance, |all| all.iter().all(|one| one.state().is_over())).await;
    assert_eq!(states(&world), [BatchState::Interrupted, BatchState::Done]);
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_not_ready_while_nobody_runs_the_batches() {
    let world = World::new().await;
    let appliance = world.serve().await;
    let idle = cashout::scheduler::Scheduler::new(world.context.clone(), appliance.web().settings.clone());
    let router = web::router(web::Web { scheduler: idle, ..appliance.web().clone() });
    let request = axum::http::Request::get("/readyz").body(axum::body::Body::empty()).unwrap();
    let answer = router.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 503);
    let body = axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap();
    assert!(String::from_utf8_lossy(&body).contains("the scheduler does not run"));
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_is_not_dropped_for_a_run_that_was_asked_for_with_other_arguments() {
    let mut world = to_be_paid().await;
    world.set("schedule.cashoutGenerate: '30 0 * * *'").await;
    world.patience(FOR_EVER).await;
    let appliance = world.serve().await;
    let scheduler = appliance.web().scheduler.clone();
    let mut held = world.sandbox.pause_at(Endpoint::Invoices, Moment::Before, 1);
    let arguments = GenerateArguments { cycle_date: Some(CYCLE), ..Default::default() };
    scheduler.enqueue(&Command::CashoutGenerate(arguments), "somebody", true).await.unwrap();
    assert_eq!(tokio::time::timeout(FOR_EVER, held.reached()).await, Ok(true));
    world.clock.set(at("2026-11-12T23:32:00Z"));
    let is_due = |one: &BatchRecord| one.command == "cashout:generate" && one.asked_by == "schedule";
    crate::notices::until("what is due is queued", || batches(&world).iter().any(is_due)).await;
    held.release();
    let all = until(&world, &appliance, |all| all.iter().all(|one| one.state().is_over())).await;
    assert!(all.iter().filter(|one| is_due(one)).all(|one| one.state() == BatchState::Done), "{all:#?}");
    appliance.stop().await.unwrap();
}
