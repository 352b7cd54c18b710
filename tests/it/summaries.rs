//! The summary at the end of a batch that could not move all money: one line, regardless of the number of vouchers.

use cashout::jobs::{BatchRecord, BatchState};
use cashout::logs::{LogFilter, LogLine};
use cashout::sandbox::{Endpoint, Fault, FaultKind, Refusal, Remote};
use cashout::store::{Query, View};

use crate::world::{World, wallet_of};

/// Makes a world with sellers with vouchers of 100.00 each, up to their operations, and no money to pay them with.
async fn unfunded(sellers: u64) -> World {
    let world = World::new().await;
    for seller in 1..=sellers {
        world.seller(2000 + seller);
        world.voucher(seller, 2000 + seller, 10_000, 0);
    }
    world.up_to_operations().await;
    world
}

/// Returns the warnings and failures of a transfer run: level and message.
async fn told_by_a_run(world: &mut World) -> Vec<(u16, String)> {
    world.release_store().await;
    world.told(&["cashout:transfer"]).await;
    world.restart().await;
    let batch = Query::group(BatchRecord::BY_COMMAND, "cashout:transfer").descending().limit(1);
    let listing = LogFilter::default().listing().limit(10_000);
    let (batch, lines) = world
        .context
        .store
        .reading(move |reader| Ok((reader.page(&batch)?.items, reader.page(&listing)?.items)))
        .await
        .unwrap();
    let of_it = |line: &LogLine| line.batch == batch.first().map(|batch| batch.id);
    let lines = lines.into_iter().filter(|line| of_it(line) && line.message.contains("did not succeed"));
    lines.map(|line| (line.level, line.message)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_line_tells_how_many_how_much_and_why_and_once_a_day() {
    let mut world = unfunded(7).await;
    let [(level, line)] = told_by_a_run(&mut world).await.try_into().unwrap();
    assert!(line.contains("7 of 7 payments") && line.contains("insufficient funds 7 (700.00 EUR)"), "{line}");
    assert_eq!(level, 400, "at ERROR");
    let [(level, line)] = told_by_a_run(&mut world).await.try_into().unwrap();
    assert_eq!(level, 300, "the same trouble within a day: {line}");
    // Once paid, the trouble is over.
    world.fund(1_000_000);
    let [(level, line)] = told_by_a_run(&mut world).await.try_into().unwrap();
    assert!(level == 250 && line.starts_with("resolved, after "), "{line}");
    assert_eq!(told_by_a_run(&mut world).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_which_every_call_fails_has_failed() {
    let world = unfunded(3).await;
    world.sandbox.strike(Fault::new(FaultKind::ServerError).on(Remote::Hipay).times(10_000));
    let batch = world.transfer().await;
    assert_eq!((batch.failed, batch.state()), (3, BatchState::Failed), "{batch:?}");
    world.sandbox.faults(|plan| plan.rules.clear());
    world.fund(1_000_000);
    assert_eq!(world.transfer().await.state(), BatchState::Done);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_a_batch_says_whether_all_some_or_none_of_what_was_due_failed() {
    let refuse = |world: &World, id: u64| {
        let refusal = Refusal::code(Endpoint::Transfer, 4).about(&wallet_of(id));
        world.sandbox.hipay(|hipay| hipay.refusals.push(refusal));
    };
    let world = unfunded(3).await;
    assert_eq!(world.transfer().await.state(), BatchState::Failed, "nothing to pay with");
    world.fund(10_000);
    assert_eq!(world.transfer().await.state(), BatchState::Partly, "enough for one of three");
    world.fund(1_000_000);
    (2001..=2003).for_each(|id| refuse(&world, id));
    assert_eq!(world.transfer().await.state(), BatchState::Failed, "HiPay refuses both that are left");
    assert_eq!(world.transfer().await.state(), BatchState::Done);
    // A payment that is not due is no failure: the vendor has to act.
    let world = unfunded(2).await;
    world.fund(1_000_000);
    world.sandbox.mirakl(|mirakl| mirakl.shops.iter_mut().for_each(|shop| shop.hipay_process = Some(false)));
    world.vendors().await;
    let batch = world.transfer().await;
    assert_eq!((batch.state(), batch.counts.get("vendor disabled")), (BatchState::Done, Some(&2)), "{batch:?}");
    // A wallet that cannot be paid out from yet is no failure either, whatever the others do.
    let world = World::new().await;
    for seller in 1..=3 {
        world.seller(seller);
        world.voucher(seller, seller, 10_000, 0);
    }
    world.fund(1_000_000);
    world.up_to_operations().await;
    world.transfer().await;
    world.sync().await;
    for seller in 1..=2 {
        world.sandbox.hipay(|hipay| hipay.account_mut(wallet_of(seller)).unwrap().identified = false);
    }
    for paid in [1, 0] {
        let batch = world.withdraw().await;
        let counts = (batch.failed, batch.counts.get("requested").copied().unwrap_or_default());
        assert_eq!((batch.state(), counts), (BatchState::Partly, (2, paid)), "{batch:?}");
        assert!(world.context.troubles.open().is_empty(), "{:#?}", world.context.troubles.open());
    }
    // The list finds it by the state that it shows.
    let of = |state: BatchState| {
        let query = Query::group(BatchRecord::BY_STATE, state);
        world.context.store.read(|reader| Ok(reader.page(&query)?.items)).unwrap()
    };
    assert_eq!(
        (of(BatchState::Partly).len(), of(BatchState::Failed).len(), of(BatchState::Done).is_empty()),
        (2, 0, false)
    );
}
