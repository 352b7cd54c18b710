//! Distribution of the escrow's money when it is insufficient: by the order of what is due, never by chance.

use std::collections::BTreeMap;

use cashout::domain::money::{Amount, Currency};
use cashout::domain::operation::{Operation, Status, Unready};
use cashout::sandbox::SandboxOptions;
use jiff::{SignedDuration, Timestamp};

use crate::market::each;
use crate::world::{World, euro};

/// Dates the cycle of `operation` this number of days before now.
async fn has_waited(world: &World, mut operation: Operation, days: i64) {
    operation.cycle_at = world.clock.now() - SignedDuration::from_hours(24 * days);
    world.context.store.write(move |writer| writer.put(&operation)).await.unwrap();
}

/// Returns for each of these operations, in order, whether it can be transferred from `balance`: an
/// independent implementation of the rules of section 3.
fn affordable(ordered: &[&Operation], long_ago: Timestamp, balance: i64) -> BTreeMap<u64, bool> {
    let (mut left, mut kept) = (balance, false);
    let mut pay = |operation: &Operation| {
        let fits = !kept && operation.amount.minor() <= left;
        if fits {
            left -= operation.amount.minor();
        } else if operation.cycle_at < long_ago {
            kept = true;
        }
        (operation.id, fits)
    };
    ordered.iter().map(|operation| pay(operation)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_gets_the_money_in_its_order_whoever_asks_first() {
    each(0..8_u64, async |seed| {
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut world = World::with(SandboxOptions { seed, ..SandboxOptions::default() }, &[]).await;
        for number in 1..=24 {
            world.seller(2000 + number);
            let commission = chance.i64(1..40) * 100;
            world.voucher(number, 2000 + number, chance.i64(1..200) * 100, commission);
        }
        world.up_to_operations().await;
        for operation in world.operations() {
            let days = *chance.choice([0, 1, 6, 8, 15].as_slice()).unwrap();
            has_waited(&world, operation, days).await;
        }
        if seed % 2 == 1 {
            // HiPay is first asked about each of them.
            world.forget_where_the_store_was().await;
        }
        let long_ago = world.clock.now() - SignedDuration::from_hours(24 * 7);
        // Twice: the second run includes operations that the first could not pay, which have a status of their own.
        for balance in [chance.i64(0..300) * 100, chance.i64(0..300) * 100] {
            world.fund(balance);
            let technical = world.sandbox.credentials().technical_id;
            let balance = world.sandbox.hipay(|hipay| hipay.balance(technical)).minor();
            let operations = world.operations();
            let mut payable: Vec<&Operation> =
                operations.iter().filter(|one| Status::TRANSFER_PAYABLE.contains(&one.status)).collect();
            payable.sort_by_key(|one| {
                let place = Status::TRANSFER_PAYABLE.iter().position(|status| *status == one.status);
                let waits_long = one.cycle_at < long_ago;
                (!waits_long, place.filter(|_| !waits_long), one.cycle_at, one.id)
            });
            let expected = affordable(&payable, long_ago, balance);
            let record = world.transfer().await;
            for (id, paid) in &expected {
                let status = world.operations().into_iter().find(|one| one.id == *id).unwrap().status;
                let wanted = if *paid { Status::TransferRequested } else { Status::TransferNegative };
                assert_eq!(status, wanted, "seed {seed}, operation {id}, {record:?}");
            }
            world.sync().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_payment_does_not_wait_for_ever_behind_small_ones() {
    let world = World::new().await;
    for number in 1..=2 {
        world.seller(2000 + number);
    }
    world.voucher(1, 2001, 100_000, 0);
    world.voucher(2, 2002, 1_000, 0);
    world.up_to_operations().await;
    has_waited(&world, world.operation(1), 8).await;
    world.fund(50_000);
    world.transfer().await;
    let (large, small) = (world.operation(1), world.operation(2));
    assert_eq!((large.status, small.status), (Status::TransferNegative, Status::TransferNegative));
    assert!(large.message.contains("the account holds 500.00 EUR"), "{}", large.message);
    assert_eq!(
        small.message,
        "the account holds 500.00 EUR, reserved for a payment of 1000.00 EUR that has waited more than seven days; \
         the transfer follows it"
    );
    world.fund(50_000);
    world.transfer().await;
    assert_eq!((world.status(1), world.status(2)), (Status::TransferRequested, Status::TransferNegative));
    world.fund(1_000);
    world.pay_day().await;
    assert!(world.operations().iter().all(|one| one.status == Status::WithdrawSuccess));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_in_another_currency_is_no_lack_of_funds_and_is_in_nobodys_way() {
    let world = World::new().await;
    for number in 1..=2 {
        world.seller(2000 + number);
        world.voucher(number, 2000 + number, 10_000, 0);
    }
    let pound = Currency::from_code("GBP").unwrap();
    world.sandbox.mirakl(|mirakl| mirakl.voucher_mut(1).unwrap().currency = pound);
    world.up_to_operations().await;
    has_waited(&world, world.operation(1), 30).await;
    world.fund(10_000);
    for _ in 0..2 {
        world.transfer().await;
    }
    let foreign = world.operation(1);
    assert_eq!(foreign.amount, Amount::from_minor(10_000, pound));
    assert_eq!((foreign.status, foreign.unready), (Status::TransferFailed, Some(Unready::NoAccountInCurrency)));
    assert!(foreign.message.contains("the paying account is in another currency"), "{}", foreign.message);
    assert_eq!(world.status(2), Status::TransferRequested);
    assert!(foreign.transfer.attempts.is_empty() && euro(10_000) == world.operation(2).amount);
}
