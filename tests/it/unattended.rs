//! An unattended marketplace: the clock runs the batches, HiPay's notifications do the rest, and no look-up is made.

use std::collections::BTreeSet;

use cashout::domain::operation::{Operation, Status};
use cashout::domain::vendor::WalletStatus;
use cashout::jobs::BatchRecord;
use cashout::sandbox::shops::{Market, populate};
use cashout::sandbox::{Ending, Endpoint, HipayModel, Life, Reviews, SandboxOptions, Until};
use cashout::serve::Appliance;
use cashout::store::{Query, View};
use jiff::SignedDuration;
use jiff::tz::TimeZone;

use crate::notices::port;
use crate::world::{CYCLE, World};

/// Waits until the scheduler has seen the current time and all batches that it started are over.
async fn settled(world: &World, appliance: &Appliance) {
    let waiting = async {
        loop {
            let next = appliance.web().scheduler.next_runs().await.unwrap();
            let query = Query::<BatchRecord, _>::all().limit(10_000);
            let batches = world.context.store.reading(move |reader| reader.page(&query)).await.unwrap();
            let seen = next.iter().all(|run| run.at.is_none_or(|at| at > world.clock.now()));
            if seen && batches.items.iter().all(|batch| batch.state().is_over()) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), waiting).await.expect("the batches end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_of_forty_shops_needs_nobody_and_no_sync() {
    let (listener, url) = port();
    let settings = [format!("server.publicUrl: {url}"), "schedule.transactionStatusSync: ''".to_owned()];
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let world = World::with(SandboxOptions::default(), &settings).await;
    world.sandbox.hipay(|hipay| {
        hipay.reviews = Reviews::ByHand;
        hipay.life = Life::pending("AUTHORIZED", Until::ByHand, Ending::Captured);
        hipay.notify.copies = 2;
        hipay.notify.shuffle = true;
    });
    let market = Market { count: 40, seed: 1, cycles: vec![CYCLE], zone: TimeZone::get("Europe/Paris").unwrap() };
    let built = populate(&world.sandbox, &market).unwrap();
    // By design the market's escrow is slightly short; here every seller can be paid.
    world.fund(built.owed.minor());
    let appliance = world.heard_on(listener, &url).await;

    for _ in 0..4 * 24 {
        world.clock.advance(SignedDuration::from_hours(1));
        settled(&world, &appliance).await;
        world.sandbox.hipay(HipayModel::settle_reviews);
        world.sandbox.hipay(HipayModel::settle_transactions);
        world.all_heard().await;
    }

    assert_eq!(world.sandbox.traffic(|traffic| traffic.count(Endpoint::Transaction)), 0, "HiPay was asked");
    let operations = world.operations();
    let under_way = |one: &&Operation| {
        [Status::TRANSFER_SENT.as_slice(), Status::WITHDRAW_SENT.as_slice()].concat().contains(&one.status)
    };
    assert_eq!(operations.iter().find(under_way), None);
    let well: BTreeSet<u64> =
        built.shops.iter().filter(|(_, trouble)| trouble.is_none()).map(|(shop, _)| *shop).collect();
    assert!(well.len() >= 20);
    for shop in &well {
        let vendor = world.vendor(*shop);
        assert_eq!((vendor.wallet_status(), vendor.bank_status), (WalletStatus::Identified, 3), "{shop}");
        assert!(!vendor.payment_blocked, "{shop}");
    }
    let paid = |one: &Operation| one.status == Status::WithdrawSuccess;
    for one in operations.iter().filter(|one| well.contains(&one.mirakl_id) && one.amount.is_positive()) {
        assert!(paid(one), "{one:#?}");
    }
    assert!(operations.iter().filter(|one| paid(one)).count() >= well.len());
    appliance.stop().await.unwrap();
}
