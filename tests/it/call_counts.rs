//! Number of calls to HiPay when nothing goes wrong: it depends neither on the machine nor on the disk.

use std::collections::BTreeMap;

use cashout::domain::operation::Status;
use cashout::sandbox::{Endpoint, Remote};

use crate::world::World;

/// HiPay's calls that a payment involves.
const CALLS: [Endpoint; 6] = [
    Endpoint::Transfer,
    Endpoint::Withdrawal,
    Endpoint::Transaction,
    Endpoint::Transactions,
    Endpoint::Account,
    Endpoint::Balance,
];

/// Returns the number of requests of each kind that HiPay received since the last check; any other kind is a failure.
fn calls(world: &World) -> BTreeMap<String, u64> {
    world.sandbox.traffic(|traffic| {
        let counts: BTreeMap<String, u64> = CALLS
            .into_iter()
            .map(|endpoint| (format!("{endpoint:?}"), traffic.count(endpoint)))
            .filter(|(_, count)| *count > 0)
            .collect();
        let seen = traffic.exchanges().filter(|exchange| exchange.remote == Remote::Hipay).count();
        assert_eq!(counts.values().sum::<u64>(), u64::try_from(seen).unwrap(), "HiPay was asked something else");
        traffic.clear();
        counts
    })
}

fn expected(counts: &[(&str, u64)]) -> BTreeMap<String, u64> {
    counts.iter().map(|&(endpoint, count)| (endpoint.to_owned(), count)).collect()
}

/// Makes a world with this number of sellers and vouchers each, up to their operations.
async fn world_of(sellers: u64, vouchers: u64) -> World {
    let world = World::new().await;
    for seller in 0..sellers {
        world.seller(2001 + seller);
        for voucher in 0..vouchers {
            world.voucher(seller * 100 + voucher + 1, 2001 + seller, 10_000, 0);
        }
    }
    world.fund(100_000_000);
    world.up_to_operations().await;
    world.sandbox.traffic(cashout::sandbox::Traffic::clear);
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn five_calls_pay_an_operation_and_four_where_no_sync_is_needed() {
    let world = world_of(20, 1).await;
    world.transfer().await;
    // The escrow account's balance and its ledger are read once for the whole run.
    assert_eq!(calls(&world), expected(&[("Transfer", 20), ("Balance", 1), ("Transactions", 1)]));
    world.sync().await;
    // One list shows many transfers.
    assert_eq!(calls(&world), expected(&[("Transactions", 1)]));
    world.withdraw().await;
    // Each wallet is checked for whether it may withdraw and what it holds: four calls, including the transfer.
    assert_eq!(calls(&world), expected(&[("Account", 20), ("Balance", 20), ("Withdrawal", 20)]));
    world.sync().await;
    assert_eq!(calls(&world), expected(&[("Transaction", 20)]));
    assert!(world.operations().iter().all(|operation| operation.status == Status::WithdrawSuccess));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_is_asked_once_for_all_its_withdrawals() {
    let world = world_of(4, 5).await;
    world.transfer().await;
    world.sync().await;
    calls(&world);
    world.withdraw().await;
    assert_eq!(calls(&world), expected(&[("Account", 4), ("Balance", 4), ("Withdrawal", 20)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_with_nothing_to_pay_asks_hipay_nothing() {
    let world = world_of(3, 1).await;
    world.pay_day().await;
    calls(&world);
    world.pay_day().await;
    assert_eq!(calls(&world), expected(&[]));
}
