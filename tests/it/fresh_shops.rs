//! Mirakl's data of a shop at the time of its payment: a change takes effect before the next run of vendors.

use cashout::domain::operation::Status;
use cashout::sandbox::{Endpoint, Fault, FaultKind, Shop};

use crate::market::each;
use crate::world::World;

/// Changes in Mirakl since the vendors were processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Changed {
    Blocked,
    Unwanted,
    Gone,
}

const ALL: [Changed; 3] = [Changed::Blocked, Changed::Unwanted, Changed::Gone];

/// Makes a world with two sellers, of which the first is examined.
async fn two_sellers() -> World {
    let world = World::new().await;
    for shop in [2001, 2002] {
        world.seller(shop);
        world.voucher(shop - 2000, shop, 10_000, 0);
    }
    world.fund(100_000);
    world.up_to_operations().await;
    world
}

fn change(world: &World, changed: Changed) -> Shop {
    world.sandbox.mirakl(|mirakl| {
        let before = mirakl.shop(2001).unwrap().clone();
        match changed {
            Changed::Blocked => mirakl.shop_mut(2001).unwrap().payment_blocked = true,
            Changed::Unwanted => mirakl.shop_mut(2001).unwrap().hipay_process = Some(false),
            Changed::Gone => mirakl.shops.retain(|shop| shop.id != 2001),
        }
        before
    })
}

fn restore(world: &World, shop: Shop) {
    world.sandbox.mirakl(|mirakl| {
        mirakl.shops.retain(|other| other.id != shop.id);
        mirakl.shops.push(shop);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_mirakl_says_of_a_shop_now_stops_its_transfer_and_its_withdrawal() {
    let cases = ALL.into_iter().flat_map(|changed| [false, true].map(|transferred| (changed, transferred)));
    each(cases, async |(changed, transferred)| {
        let world = two_sellers().await;
        if transferred {
            world.transfer().await;
            world.sync().await;
        }
        let before = change(&world, changed);
        world.clock.advance(jiff::SignedDuration::from_secs(1));
        world.transfer().await;
        world.sync().await;
        world.withdraw().await;
        world.sync().await;
        let expected = match (changed, transferred) {
            (Changed::Blocked, _) => Status::WithdrawPaymentBlocked,
            (Changed::Unwanted | Changed::Gone, false) => Status::TransferVendorDisabled,
            (Changed::Unwanted | Changed::Gone, true) => Status::WithdrawVendorDisabled,
        };
        assert_eq!((world.status(1), world.status(2)), (expected, Status::WithdrawSuccess));
        let operation = world.operation(1);
        assert_eq!(operation.message.contains("does not show the shop"), changed == Changed::Gone, "{operation:?}");
        restore(&world, before);
        world.clock.advance(jiff::SignedDuration::from_secs(1));
        world.pay_day().await;
        assert_eq!(world.status(1), Status::WithdrawSuccess, "no run of vendors was needed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_where_mirakl_cannot_be_asked_about_the_shops() {
    let world = two_sellers().await;
    let out = || Fault::new(FaultKind::ServerError).at(Endpoint::Shops).times(1_000);
    world.sandbox.strike(out());
    world.try_run(cashout::jobs::Command::CashoutTransfer).await.unwrap_err();
    assert_eq!(world.sandbox.traffic(|traffic| traffic.count(Endpoint::Transfer)), 0);
    world.sandbox.faults(|plan| plan.rules.clear());
    world.transfer().await;
    world.sync().await;
    world.sandbox.strike(out());
    world.try_run(cashout::jobs::Command::CashoutWithdraw).await.unwrap_err();
    assert_eq!(world.sandbox.traffic(|traffic| traffic.count(Endpoint::Withdrawal)), 0);
    world.sandbox.faults(|plan| plan.rules.clear());
    world.pay_day().await;
    assert_eq!((world.status(1), world.status(2)), (Status::WithdrawSuccess, Status::WithdrawSuccess));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_shops_are_asked_for_in_one_call() {
    let world = World::new().await;
    for shop in 1..=250 {
        world.seller(2000 + shop);
        world.voucher(shop, 2000 + shop, 100, 0);
    }
    world.fund(100_000);
    world.up_to_operations().await;
    world.sandbox.traffic(cashout::sandbox::Traffic::clear);
    world.transfer().await;
    assert_eq!(world.sandbox.traffic(|traffic| traffic.count(Endpoint::Shops)), 3);
}
