//! Different batches at the same time, repeatedly, over a bad line: HiPay's ledger is the witness.

use std::time::Duration;

use cashout::jobs::{Command, GenerateArguments};
use cashout::sandbox::{Ending, HipayModel, Lag, Life, Repeats, SandboxOptions, Until};
use futures_util::future::join_all;
use jiff::SignedDuration;

use crate::late_failures::retry_canceled;
use crate::market::{
    each, every_request_was_committed_before, unfunded_market, until_all_is_paid, whatever_the_remotes_do,
};

/// Returns all batches of a day, which run at the same time.
fn all() -> [Command; 5] {
    [
        Command::VendorProcess { since: None },
        Command::CashoutGenerate(GenerateArguments::default()),
        Command::CashoutTransfer,
        Command::TransactionStatusSync,
        Command::CashoutWithdraw,
    ]
}

async fn play(seed: u64) {
    let options = SandboxOptions { seed, latency: Duration::from_millis(2), ..SandboxOptions::default() };
    let world = unfunded_market(options).await;
    for shop in 3001..3013 {
        world.seller(shop);
        world.voucher(shop, shop, i64::try_from(shop).unwrap(), 10);
    }
    let mut rng = fastrand::Rng::with_seed(seed);
    world.sandbox.faults(|plan| {
        plan.rate_percent = 5;
        plan.lost_answers_percent = 15;
    });
    world.sandbox.hipay(|hipay| hipay.repeats = Repeats::Seeded);
    for _ in 0..8 {
        let ending = *rng.choice(&[Ending::Captured, Ending::Captured, Ending::Aborted, Ending::CancelledEnd]).unwrap();
        let until = *rng.choice(&[Until::AtOnce, Until::Lookups(1), Until::Lookups(3), Until::ByHand]).unwrap();
        let lag = *rng.choice(&[Lag::None, Lag::None, Lag::Lookups(2)]).unwrap();
        world.sandbox.hipay(|hipay| {
            hipay.life = Life::pending("AUTHORIZED", until, ending);
            hipay.lag = lag;
        });
        world.fund(rng.i64(5_000..40_000));
        let mut batches = all().to_vec();
        rng.shuffle(&mut batches);
        join_all(batches.into_iter().map(|batch| whatever_the_remotes_do(&world, batch))).await;
        assert_eq!(world.sandbox.verify_once(), Ok(()));
        every_request_was_committed_before(&world);
        if rng.bool() {
            world.sandbox.hipay(HipayModel::settle_transactions);
        }
        world.clock.advance(SignedDuration::from_mins(rng.i64(1..90)));
    }
    world.sandbox.faults(|plan| {
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
    world.clock.advance(SignedDuration::from_hours(25));
    world.fund(1_000_000);
    for _ in 0..4 {
        join_all(all().into_iter().map(|batch| whatever_the_remotes_do(&world, batch))).await;
        retry_canceled(&world).await;
    }
    until_all_is_paid(&world, 12).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_batches_at_once_pay_everybody_once() {
    each(1..=10_u64, play).await;
}
