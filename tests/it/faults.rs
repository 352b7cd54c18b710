//! Every step of a payment fails in every way, once each: generated over all steps.

use std::time::Duration;

use cashout::jobs::{Command, JobError};
use cashout::sandbox::{Endpoint, Fault, FaultKind, Lag, Life, Moment, SandboxOptions, Until};

use crate::market::{
    Memory, Step, all_is_paid, batches, each, every_request_was_committed_before, market, steps, until_all_is_paid,
    whatever_the_remotes_do,
};
use crate::world::World;

/// Short, so that a missing answer costs little time. On a slow machine more answers come too late,
/// which is only one more fault.
const PATIENCE: Duration = Duration::from_millis(300);

/// Returns every kind of fault at every moment.
fn faults() -> Vec<(FaultKind, Moment)> {
    let kinds = [
        FaultKind::Reset,
        FaultKind::ServerError,
        FaultKind::Unavailable(None),
        FaultKind::Unavailable(Some(1)),
        FaultKind::TooMany(1),
        FaultKind::HtmlPage(200),
        FaultKind::HtmlPage(502),
        FaultKind::TruncatedBody,
        FaultKind::SlowBody,
        FaultKind::Hang,
    ];
    [Moment::Before, Moment::After].into_iter().flat_map(|moment| kinds.map(|kind| (kind, moment))).collect()
}

/// Plays one day with one fault at one step, then days without faults.
async fn strike(memory: Memory, step: Step, kind: FaultKind, moment: Moment) {
    let mut world = market(SandboxOptions::default(), memory).await;
    if matches!(kind, FaultKind::Hang | FaultKind::SlowBody) {
        world.patience(PATIENCE).await;
    }
    step.approach(&world).await;
    let fault = Fault { moment, ..Fault::new(kind).at(step.endpoint).skip(step.nth - 1) };
    world.sandbox.strike(fault);
    let _ = world.try_run(step.command()).await;
    let left = world.sandbox.faults(|plan| plan.rules.iter().map(|rule| rule.times).sum::<u32>());
    assert_eq!(left, 0, "the fault was not met");
    every_request_was_committed_before(&world);
    until_all_is_paid(&world, 4).await;
}

async fn every_fault_at(memory: Memory, steps: Vec<Step>) {
    let cases = steps.into_iter().flat_map(|step| faults().into_iter().map(move |(kind, moment)| (step, kind, moment)));
    each(cases, |(step, kind, moment)| strike(memory, step, kind, moment)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_call_of_a_day_may_fail_in_any_way() {
    let steps = steps(Memory::Whole).await;
    every_fault_at(Memory::Whole, steps).await;
}

/// Checks the look-ups and the payments alone, in the case that each payment is looked up before it is sent.
#[tokio::test(flavor = "multi_thread")]
async fn any_call_of_a_payment_that_is_looked_up_first_may_fail_in_any_way() {
    let mut steps = steps(Memory::Young).await;
    steps.retain(|step| {
        let paying = matches!(step.command(), Command::CashoutTransfer | Command::CashoutWithdraw);
        paying && (step.is_payment() || step.endpoint == Endpoint::Transaction)
    });
    // Of the seven similar steps, the first, a middle one, and the last.
    steps.retain(|step| matches!(step.nth, 1 | 4 | 7));
    every_fault_at(Memory::Young, steps).await;
}

/// Makes every commit fail from the moment at which a call of the day has been executed: neither its
/// outcome nor a later intent can be recorded. The batch reports it, and nothing more is sent.
async fn lose_the_store_at(step: Step) {
    let mut world = market(SandboxOptions::default(), Memory::Whole).await;
    step.approach(&world).await;
    let mut pause = world.sandbox.pause_at(step.endpoint, Moment::After, step.nth);
    let losing = async {
        assert!(pause.reached().await);
        world.release_store().await;
        pause.release();
    };
    let (outcome, ()) = tokio::join!(world.try_run(step.command()), losing);
    assert!(matches!(outcome, Err(JobError::Store(_))), "{outcome:?}");
    world.restart().await;
    every_request_was_committed_before(&world);
    until_all_is_paid(&world, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_commit_of_a_day_may_fail() {
    each(steps(Memory::Whole).await, lose_the_store_at).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_batch_run_twice_sends_everything_once() {
    for memory in [Memory::Whole, Memory::Young] {
        let world = market(SandboxOptions::default(), memory).await;
        for batch in batches() {
            let sent = |world: &World| {
                world.sandbox.traffic(|traffic| traffic.count(Endpoint::Transfer) + traffic.count(Endpoint::Withdrawal))
            };
            world.run(batch.clone()).await;
            let once = sent(&world);
            assert_eq!(world.run(batch).await.failed, 0);
            assert_eq!(sent(&world), once);
        }
        all_is_paid(&world);
        assert_eq!(world.sandbox.traffic(|traffic| traffic.count(Endpoint::Transfer)), 7);
        assert_eq!(world.sandbox.traffic(|traffic| traffic.count(Endpoint::Withdrawal)), 7);
    }
}

/// Runs transfers, withdrawals and the sync at the same time, while answers get lost and look-ups lag.
async fn all_at_once(seed: u64) {
    let options = SandboxOptions { seed, lost_answers_percent: 40, ..SandboxOptions::default() };
    let world = market(options, if seed.is_multiple_of(2) { Memory::Whole } else { Memory::Young }).await;
    world.sandbox.hipay(|hipay| {
        hipay.lag = Lag::Lookups(u32::try_from(seed % 3).unwrap());
        hipay.life = Life::pending("AUTHORIZED", Until::Lookups(2), cashout::sandbox::Ending::Captured);
    });
    world.generate().await;
    for _ in 0..6 {
        tokio::join!(
            whatever_the_remotes_do(&world, Command::CashoutTransfer),
            whatever_the_remotes_do(&world, Command::CashoutWithdraw),
            whatever_the_remotes_do(&world, Command::TransactionStatusSync),
        );
        every_request_was_committed_before(&world);
    }
    until_all_is_paid(&world, 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_beside_each_other_do_not_disturb_each_other() {
    each(1..=24_u64, all_at_once).await;
}
