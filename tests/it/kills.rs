//! The real binary, killed before and after every call of a payment, and at random moments.

use std::process::{Child, Stdio};
use std::time::Duration;

use cashout::jobs::Command;
use cashout::sandbox::{Endpoint, Moment, Pause, SandboxOptions};
use futures_util::future::join_all;

use crate::market::{
    Memory, Step, all_is_paid, each, every_request_was_committed_before, is_all_done, market, steps, until_all_is_paid,
};
use crate::world::World;

/// Upper bound on any wait; only a test that would otherwise hang reaches it.
const FOR_EVER: Duration = Duration::from_mins(1);

/// Fate of the request in progress when its sender is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InHand {
    /// Never sent to HiPay: killed between the commit of the intent and the sending.
    NeverSent,
    /// Executed by HiPay after its sender has died.
    ExecutedLater,
    /// Executed by HiPay before: killed between the answer and the commit of the outcome.
    Executed,
}

impl InHand {
    const ALL: [Self; 3] = [Self::NeverSent, Self::ExecutedLater, Self::Executed];

    fn moment(self) -> Moment {
        match self {
            Self::NeverSent | Self::ExecutedLater => Moment::Before,
            Self::Executed => Moment::After,
        }
    }

    fn let_go(self, pause: Pause) {
        match self {
            Self::NeverSent | Self::Executed => pause.discard(),
            Self::ExecutedLater => pause.release(),
        }
    }
}

/// Starts the binary with `command` on this world, as a separate process.
fn begin(world: &World, command: &Command) -> Child {
    world.cashout(&[command.name()]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Kills a process with SIGKILL, so that it cannot clean up. Returns true if it was still alive.
async fn kill(mut child: Child) -> bool {
    let alive = child.try_wait().unwrap().is_none();
    tokio::task::spawn_blocking(move || {
        child.kill().unwrap();
        child.wait().unwrap()
    })
    .await
    .unwrap();
    alive
}

async fn kill_at(memory: Memory, step: Step, in_hand: InHand) {
    let mut world = market(SandboxOptions::default(), memory).await;
    step.approach(&world).await;
    world.release_store().await;
    let mut pause = world.sandbox.pause_at(step.endpoint, in_hand.moment(), step.nth);
    let child = begin(&world, &step.command());
    let reached = tokio::time::timeout(FOR_EVER, pause.reached()).await;
    assert_eq!(reached, Ok(true), "the binary did not come to {step:?}");
    assert!(kill(child).await);
    in_hand.let_go(pause);
    world.restart().await;
    every_request_was_committed_before(&world);
    until_all_is_paid(&world, 4).await;
}

/// Returns the steps of the batches that pay and look up payments.
async fn paying_steps(memory: Memory) -> Vec<Step> {
    let mut steps = steps(memory).await;
    steps.retain(|step| !matches!(step.command(), Command::CashoutGenerate(_)));
    steps
}

async fn killed_at_each(memory: Memory, steps: Vec<Step>) {
    let cases = steps.into_iter().flat_map(|step| InHand::ALL.map(|in_hand| (step, in_hand)));
    each(cases, |(step, in_hand)| kill_at(memory, step, in_hand)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_and_after_every_call() {
    killed_at_each(Memory::Whole, paying_steps(Memory::Whole).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_and_after_every_look_up_and_payment_of_a_store_without_memory() {
    let mut steps = paying_steps(Memory::Young).await;
    steps.retain(|step| !matches!(step.command(), Command::TransactionStatusSync));
    steps.retain(|step| step.is_payment() || step.endpoint == Endpoint::Transaction);
    killed_at_each(Memory::Young, steps).await;
}

/// Kills processes of one world at random moments until everything is paid. Returns the number of
/// processes that were alive when killed.
async fn killed_at_random(seed: u64) -> u32 {
    const COMMANDS: [Command; 4] = [
        Command::CashoutTransfer,
        Command::TransactionStatusSync,
        Command::CashoutWithdraw,
        Command::TransactionStatusSync,
    ];
    let options = SandboxOptions { seed, latency: Duration::from_millis(3), ..SandboxOptions::default() };
    let mut world = market(options, Memory::Whole).await;
    for shop in 3001..3031 {
        world.seller(shop);
        world.voucher(shop, shop, i64::try_from(shop).unwrap(), 10);
    }
    world.vendors().await;
    world.generate().await;
    world.sandbox.faults(|plan| {
        plan.rate_percent = 3;
        plan.lost_answers_percent = 10;
    });
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut killed = 0;
    for command in COMMANDS.iter().cycle().take(60) {
        world.release_store().await;
        let child = begin(&world, command);
        // The time of the kill is the subject of the test, so it is random and waits for no event.
        tokio::time::sleep(Duration::from_millis(rng.u64(20..300))).await;
        killed += u32::from(kill(child).await);
        world.restart().await;
        every_request_was_committed_before(&world);
        if is_all_done(&world) {
            break;
        }
    }
    world.sandbox.faults(|plan| {
        plan.rate_percent = 0;
        plan.lost_answers_percent = 0;
    });
    until_all_is_paid(&world, 5).await;
    killed
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_the_money_still_arrives_once() {
    let mut killed = 0;
    let mut seeds = 1..=30_u64;
    while killed < 40 {
        let some = seeds.by_ref().take(3).map(killed_at_random);
        let here: Vec<u32> = join_all(some).await;
        assert!(!here.is_empty(), "only {killed} processes were alive when they were killed");
        killed += here.iter().sum::<u32>();
    }
}

/// Checks the same through the binary alone, whose exit codes must also report success.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_day_is_finished_by_the_next_one() {
    let mut world = market(SandboxOptions::default(), Memory::Whole).await;
    world.generate().await;
    world.release_store().await;
    let mut pause = world.sandbox.pause_at(Endpoint::Transfer, Moment::After, 3);
    let child = begin(&world, &Command::CashoutTransfer);
    assert_eq!(tokio::time::timeout(FOR_EVER, pause.reached()).await, Ok(true));
    assert!(kill(child).await);
    pause.discard();
    let sync = Command::TransactionStatusSync.name();
    for command in ["cashout:transfer", sync, "cashout:withdraw", sync] {
        let output = world.output(&[command]).await;
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{text}");
    }
    world.restart().await;
    all_is_paid(&world);
}
