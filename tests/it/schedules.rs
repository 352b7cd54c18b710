//! Random schedules of events: money is conserved and moves once, and once nothing fails any more everything is paid.

use cashout::jobs::Command;
use cashout::sandbox::{Ending, Endpoint, Fault, FaultKind, Lag, Life, Moment, RepeatAnswer, Repeats};
use cashout::sandbox::{HipayModel, SandboxOptions, Until};
use jiff::SignedDuration;
use proptest::prelude::*;

use crate::late_failures::retry_canceled;
use crate::market::{
    every_request_was_committed_before, owed, received, unfunded_market, until_all_is_paid, whatever_the_remotes_do,
};
use crate::world::World;

/// One event of a schedule.
#[derive(Debug, Clone)]
enum Step {
    Batch(Command),
    /// Two concurrent batches; the second of two identical ones waits for its turn.
    Batches(Command, Command),
    Fault {
        kind: FaultKind,
        moment: Moment,
        endpoint: Endpoint,
        skip: u32,
    },
    /// Percentage of answers to payments that are lost from now on.
    LoseAnswers(u8),
    /// Percentage of calls that fail at random from now on.
    FaultRate(u8),
    Lag(Lag),
    Repeats(Repeats),
    /// Course of payments from now on.
    Life(Life),
    /// End of the process and start of another one.
    Restart,
    /// A restart that cannot know whether the store is the one that was left.
    Forget,
    Fund(i64),
    /// Execution by HiPay of everything that it has accepted.
    Settle,
    Time(i64),
}

fn commands() -> [Command; 4] {
    [
        Command::CashoutGenerate(cashout::jobs::GenerateArguments::default()),
        Command::CashoutTransfer,
        Command::CashoutWithdraw,
        Command::TransactionStatusSync,
    ]
}

fn some_command() -> impl Strategy<Value = Command> {
    prop::sample::select(commands().to_vec())
}

fn faults() -> impl Strategy<Value = Step> {
    let kinds = [
        FaultKind::Reset,
        FaultKind::ServerError,
        FaultKind::Unavailable(None),
        FaultKind::TooMany(1),
        FaultKind::HtmlPage(200),
        FaultKind::HtmlPage(502),
        FaultKind::TruncatedBody,
    ];
    let endpoints =
        [Endpoint::Transfer, Endpoint::Withdrawal, Endpoint::Transaction, Endpoint::Balance, Endpoint::Account];
    let moments = prop::sample::select(vec![Moment::Before, Moment::After]);
    let (kinds, endpoints) = (prop::sample::select(kinds.to_vec()), prop::sample::select(endpoints.to_vec()));
    (kinds, moments, endpoints, 0_u32..5).prop_map(|(kind, moment, endpoint, skip)| Step::Fault {
        kind,
        moment,
        endpoint,
        skip,
    })
}

fn lives() -> impl Strategy<Value = Step> {
    let endings =
        [Ending::Captured, Ending::Unauthed, Ending::Aborted, Ending::RejectedEnd, Ending::CancelledEnd].to_vec();
    let until = [
        Until::AtOnce,
        Until::ByHand,
        Until::Lookups(1),
        Until::Lookups(3),
        Until::Elapsed(SignedDuration::from_mins(50)),
    ];
    (prop::sample::select(until.to_vec()), prop::sample::select(endings))
        .prop_map(|(until, ending)| Step::Life(Life::pending("AUTHORIZED", until, ending)))
}

fn steps() -> impl Strategy<Value = Step> {
    let lags = [Lag::None, Lag::Lookups(1), Lag::Lookups(5), Lag::Elapsed(SignedDuration::from_mins(40))];
    let repeats: Vec<Repeats> = RepeatAnswer::ALL.into_iter().map(Repeats::Always).chain([Repeats::Seeded]).collect();
    prop_oneof![
        10 => some_command().prop_map(Step::Batch),
        4 => (some_command(), some_command()).prop_map(|(one, other)| Step::Batches(one, other)),
        4 => faults(),
        2 => prop::sample::select(vec![0, 30, 100]).prop_map(Step::LoseAnswers),
        1 => prop::sample::select(vec![0, 20]).prop_map(Step::FaultRate),
        2 => prop::sample::select(lags.to_vec()).prop_map(Step::Lag),
        1 => prop::sample::select(repeats).prop_map(Step::Repeats),
        2 => lives(),
        1 => Just(Step::Restart),
        1 => Just(Step::Forget),
        3 => (1_i64..30_000).prop_map(Step::Fund),
        2 => Just(Step::Settle),
        2 => (1_i64..120).prop_map(Step::Time),
    ]
}

async fn take(world: &mut World, step: Step) {
    match step {
        Step::Batch(command) => whatever_the_remotes_do(world, command).await,
        Step::Batches(one, other) => {
            tokio::join!(whatever_the_remotes_do(world, one), whatever_the_remotes_do(world, other));
        }
        Step::Fault { kind, moment, endpoint, skip } => {
            world.sandbox.strike(Fault { moment, ..Fault::new(kind).at(endpoint).skip(skip) });
        }
        Step::LoseAnswers(percent) => world.sandbox.faults(|plan| plan.lost_answers_percent = percent),
        Step::FaultRate(percent) => world.sandbox.faults(|plan| plan.rate_percent = percent),
        Step::Lag(lag) => world.sandbox.hipay(|hipay| hipay.lag = lag),
        Step::Repeats(repeats) => world.sandbox.hipay(|hipay| hipay.repeats = repeats),
        Step::Life(life) => world.sandbox.hipay(|hipay| hipay.life = life),
        Step::Restart => world.restart().await,
        Step::Forget => world.forget_where_the_store_was().await,
        Step::Fund(cents) => world.fund(cents),
        Step::Settle => world.sandbox.hipay(HipayModel::settle_transactions),
        Step::Time(minutes) => world.clock.advance(SignedDuration::from_mins(minutes)),
    }
    never_too_much(world);
}

/// Checks that no wallet has received more than it is owed, and that HiPay's ledger is consistent.
fn never_too_much(world: &World) {
    let owed = owed(world);
    for (stage, moved) in [("transferred to", received(world)), ("paid out of", world.paid_out())] {
        for (wallet, cents) in moved {
            let most = owed.get(&wallet).copied().unwrap_or(0);
            assert!(cents <= most, "{cents} were {stage} {wallet}, which is owed {most}");
        }
    }
    assert_eq!(world.sandbox.verify_once(), Ok(()));
    every_request_was_committed_before(world);
}

/// Ends all faults, lags and shortages.
fn mend(world: &World) {
    world.sandbox.faults(|plan| {
        plan.rules.clear();
        plan.rate_percent = 0;
        plan.lost_answers_percent = 0;
    });
    world.sandbox.hipay(|hipay| {
        hipay.lag = Lag::None;
        hipay.life = Life::captured_at_once();
        hipay.settle_transactions();
        for transaction in &mut hipay.transactions {
            transaction.hidden_lookups = 0;
        }
    });
    // Longer than any lag by the clock.
    world.clock.advance(SignedDuration::from_hours(2));
    world.fund(1_000_000);
}

async fn play(schedule: Vec<Step>, seed: u64) {
    let mut world = unfunded_market(SandboxOptions { seed, ..SandboxOptions::default() }).await;
    for step in schedule {
        Box::pin(take(&mut world, step)).await;
    }
    mend(&world);
    // Withdrawals that HiPay canceled meanwhile become visible, and a person retries them.
    for _ in 0..3 {
        for command in commands() {
            whatever_the_remotes_do(&world, command).await;
        }
        retry_canceled(&world).await;
    }
    until_all_is_paid(&world, 12).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn money_moves_once_whatever_happens(schedule in prop::collection::vec(steps(), 1..40), seed in any::<u64>()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(play(schedule, seed));
    }
}
