//! Almost every third answer to a payment is lost after HiPay has executed it, look-ups lag, and a
//! repeated reference is answered in every possible way.

use cashout::domain::operation::PaymentKind;
use cashout::sandbox::{Ending, Endpoint, Lag, Life, Refusal, RepeatAnswer, Repeats, SandboxOptions, Until};
use jiff::SignedDuration;

use crate::market::{Memory, each, every_request_was_committed_before, market, until_all_is_paid};
use crate::world::{World, euro};

#[derive(Debug, Clone, Copy)]
struct Case {
    seed: u64,
    lost_percent: u8,
    repeats: Repeats,
    lag: Lag,
    memory: Memory,
}

async fn lose(case: Case) {
    let options =
        SandboxOptions { seed: case.seed, lost_answers_percent: case.lost_percent, ..SandboxOptions::default() };
    let world = market(options, case.memory).await;
    world.sandbox.hipay(|hipay| {
        hipay.repeats = case.repeats;
        hipay.lag = case.lag;
        // Pending for a while, so that nothing is executed before a look-up.
        hipay.life = Life::pending("AUTHORIZED", Until::Lookups(1), Ending::Captured);
    });
    // A day takes an hour here, and a look-up may lag for two of them.
    until_all_is_paid(&world, 16).await;
    every_request_was_committed_before(&world);
}

fn cases(lost_percent: u8) -> Vec<Case> {
    let answers = RepeatAnswer::ALL.into_iter().map(Repeats::Always).chain([Repeats::Seeded]);
    let lags = [Lag::None, Lag::Lookups(1), Lag::Lookups(4), Lag::Elapsed(SignedDuration::from_mins(90))];
    let mut cases = Vec::new();
    for (seed, repeats) in (1..).zip(answers) {
        for lag in lags {
            for memory in [Memory::Whole, Memory::Young] {
                cases.push(Case { seed, lost_percent, repeats, lag, memory });
            }
        }
    }
    cases
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_cost_time_and_no_money() {
    each(cases(30), lose).await;
}

/// Checks payments that are never answered: look-ups alone complete everything.
#[tokio::test(flavor = "multi_thread")]
async fn not_one_answer_and_still_everything_is_paid_once() {
    each(cases(100), lose).await;
}

/// Checks that an amount that may already have left the operator's account is not subtracted from its
/// balance twice: otherwise the next commission would be withdrawn in part, and the rest never.
#[tokio::test(flavor = "multi_thread")]
async fn an_open_withdrawal_of_the_operator_does_not_shorten_the_next_one() {
    let world = World::new().await;
    for (id, commission) in [(2001, 300), (2002, 600)] {
        world.seller(id);
        world.voucher(id, id, 1_000, commission);
    }
    world.fund(10_000);
    world.sandbox.hipay(|hipay| hipay.repeats = Repeats::Always(RepeatAnswer::InProgress));
    world.up_to_operations().await;
    let late = world.operations().into_iter().find(|one| one.amount == euro(600)).unwrap();
    let about = late.base_reference(PaymentKind::Transfer, &world.sandbox.credentials().technical_id.to_string());
    world.sandbox.hipay(|hipay| hipay.refusals.push(Refusal::code(Endpoint::Transfer, 4).about(&about)));
    world.transfer().await;
    world.sync().await;
    // The first commission's withdrawal is executed; its answer is lost, and no look-up shows it yet.
    world.sandbox.faults(|plan| plan.lost_answers_percent = 100);
    world.sandbox.hipay(|hipay| hipay.lag = Lag::Elapsed(SignedDuration::from_hours(10)));
    world.withdraw().await;
    world.sandbox.faults(|plan| plan.lost_answers_percent = 0);
    world.sandbox.hipay(|hipay| hipay.lag = Lag::None);
    // The second commission reaches the operator's account, and its withdrawal is due as well.
    world.transfer().await;
    world.sync().await;
    world.withdraw().await;
    world.clock.advance(SignedDuration::from_hours(11));
    until_all_is_paid(&world, 4).await;
}
