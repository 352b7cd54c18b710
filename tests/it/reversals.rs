//! Payments that are reversed after their execution without a notice: HiPay's ledger shows them. Also
//! the cost of reading it.

use cashout::domain::explanation::explain;
use cashout::domain::operation::{Column, Hold, OperationChoice, PaymentKind, Status};
use cashout::sandbox::{Ending, Endpoint, Fault, FaultKind, FaultPlan, Life, Listed, SandboxOptions, Traffic, Until};
use jiff::SignedDuration;

use crate::market::{Memory, all_is_paid, day, each, market, until_all_is_paid};
use crate::world::{World, euro, wallet_of};

const SHAPES: [Listed; 3] = [Listed::Objects, Listed::Ids, Listed::Summaries];

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

/// Checks that executed payments are examined again for ninety days: a reversal ends the attempt,
/// waits for a person, and is paid again, once, when that person requests it.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_without_a_notice_is_found_for_ninety_days() {
    let endings = [Ending::CancelledEnd, Ending::Unauthed, Ending::Refunded];
    let cases = PaymentKind::ALL.into_iter().flat_map(move |kind| {
        let cases = SHAPES.into_iter().flat_map(move |listed| [2, 88].map(|age| (kind, listed, age)));
        cases.zip(endings.into_iter().cycle())
    });
    each(cases, async |((kind, listed, age), ending)| {
        let world = market(SandboxOptions::default(), Memory::Whole).await;
        world.sandbox.hipay(|hipay| hipay.listed = listed);
        world.generate().await;
        world.transfer().await;
        world.sync().await;
        if kind == PaymentKind::Withdrawal {
            world.withdraw().await;
            world.sync().await;
            all_is_paid(&world);
        }
        world.clock.advance(days(age));
        // An earlier examination while everything is as it should be.
        assert_eq!(world.sync().await.failed, 0);
        let id = world.operation(1).payment(kind).last().and_then(|last| last.transaction_id.clone()).unwrap();
        world.sandbox.hipay(|hipay| hipay.take_back(&id, ending));
        world.clock.advance(days(1));
        let sync = world.sync().await;
        let came_back = world.operation(1);
        assert!(sync.failures.iter().any(|one| one.message.contains(ending.status())), "{sync:?}");
        let (status, held) = match kind {
            PaymentKind::Transfer => (Status::TransferFailed, Some(Hold::Revoked)),
            PaymentKind::Withdrawal => (Status::WithdrawCanceled, None),
        };
        assert_eq!((came_back.status, came_back.held_for), (status, held), "{came_back:?}");
        assert!(came_back.message.contains(ending.status()), "{}", came_back.message);
        assert!(!explain(&came_back).is_empty());
        // Nothing is paid again automatically, and it is reported once.
        let attempts = came_back.payment(kind).attempts.len();
        for _ in 0..2 {
            assert_eq!(world.sync().await.failures, [], "it is told once");
            day(&world).await;
            world.clock.advance(days(1));
        }
        assert_eq!(world.operation(1).payment(kind).attempts.len(), attempts);
        if kind == PaymentKind::Withdrawal {
            assert_eq!(world.sandbox.hipay(|hipay| hipay.balance(wallet_of(2001))), euro(10_000));
        }
        world.choose(came_back.id, OperationChoice::Retry, "HiPay gave it back", "Otto").await.unwrap();
        until_all_is_paid(&world, 4).await;
        all_is_paid(&world);
        let references = world.operation(1).payment(kind).attempts.clone();
        assert!(references[1].reference.ends_with("_R2") && references.len() == 2, "{references:?}");
    })
    .await;
}

/// Checks a payment that counted as failed and was paid again, or that a person settled otherwise, and that is executed
/// after all without a notice: the money may have moved twice, and a person is informed.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_executed_after_all_without_a_notice_is_found() {
    let cases = PaymentKind::ALL.into_iter().flat_map(move |kind| {
        SHAPES.into_iter().flat_map(move |listed| [true, false].map(|settles| (kind, listed, settles)))
    });
    each(cases, async |(kind, listed, settles)| {
        let mut world = market(SandboxOptions::default(), Memory::Whole).await;
        // HiPay itself pays twice here.
        world.check_ledger = false;
        world.sandbox.hipay(|hipay| hipay.listed = listed);
        world.generate().await;
        let technical = world.sandbox.credentials().technical_id.to_string();
        let reference = world.operation(1).base_reference(kind, &technical);
        let life = if settles {
            Life::pending("UNDER_REVIEW", Until::ByHand, Ending::Captured)
        } else {
            Life::failing(Ending::Aborted)
        };
        world.sandbox.hipay(|hipay| hipay.lives.insert(reference.clone(), life));
        world.transfer().await;
        world.sync().await;
        if kind == PaymentKind::Withdrawal {
            world.withdraw().await;
            world.sync().await;
        }
        let id = world.operation(1).id;
        let first = world.operation(1).payment(kind).last().and_then(|last| last.transaction_id.clone()).unwrap();
        if settles {
            world.choose(id, OperationChoice::Settle, "paid by hand", "Otto").await.unwrap();
        } else {
            if world.operation(1).status == Status::WithdrawCanceled {
                world.choose(id, OperationChoice::Retry, "HiPay says that it failed", "Otto").await.unwrap();
            }
            until_all_is_paid(&world, 4).await;
            assert_eq!(world.operation(1).payment(kind).attempts.len(), 2);
        }
        world.clock.advance(days(2));
        // An earlier examination while everything is as it should be.
        assert_eq!(world.sync().await.failed, 0);
        assert!(!world.operation(1).waits_for_person());
        world.sandbox.hipay(|hipay| {
            hipay.fund(technical.parse().unwrap(), euro(10_000)).unwrap();
            hipay.settle_transaction(&reference, Ending::Captured);
            hipay.execute_after_all(&first);
        });
        world.clock.advance(days(1));
        let sync = world.sync().await;
        let held = world.operation(1);
        assert!(sync.failures.iter().any(|one| one.message.contains("moved twice")), "{kind:?} {listed:?} {sync:?}");
        assert_eq!(held.held_for, Some(Hold::ExecutedAfterAll), "{held:?}");
        assert!(held.waits_for_person() && !explain(&held).is_empty());
        for _ in 0..2 {
            day(&world).await;
            world.clock.advance(days(1));
            assert_eq!(world.sync().await.failures, [], "it is told once");
            assert_eq!(world.operation(1).held_for, Some(Hold::ExecutedAfterAll));
        }
        // A person who has examined it ends it for good.
        world.choose(id, OperationChoice::Release, "the seller has given one back", "Otto").await.unwrap();
        for _ in 0..2 {
            day(&world).await;
            world.clock.advance(days(1));
            world.sync().await;
        }
        let ended = world.operation(1);
        assert_eq!((ended.held, ended.status), (None, Status::WithdrawSuccess));
    })
    .await;
}

/// Checks that a payment that is executed after all is accepted if nothing else was paid, whatever
/// was tried after it: it is paid once, and no person is needed.
#[tokio::test(flavor = "multi_thread")]
async fn an_only_payment_that_is_executed_after_all_counts() {
    let cases = PaymentKind::ALL.into_iter().flat_map(move |kind| {
        SHAPES.into_iter().flat_map(move |listed| [1_u32, 2].map(|failed| (kind, listed, failed)))
    });
    each(cases, async |(kind, listed, failed)| {
        let world = market(SandboxOptions::default(), Memory::Whole).await;
        world.sandbox.hipay(|hipay| hipay.listed = listed);
        world.generate().await;
        let technical = world.sandbox.credentials().technical_id.to_string();
        let base = world.operation(1).base_reference(kind, &technical);
        for number in 1..=failed {
            let reference = if number == 1 { base.clone() } else { format!("{base}_R{number}") };
            world.sandbox.hipay(|hipay| hipay.lives.insert(reference, Life::failing(Ending::Aborted)));
        }
        for _ in 0..failed {
            day(&world).await;
            world.sync().await;
            if world.operation(1).status == Status::WithdrawCanceled && failed > 1 {
                let id = world.operation(1).id;
                let again = world.operation(1).withdrawal.attempts.len() < 2;
                if again {
                    world.choose(id, OperationChoice::Retry, "HiPay says that it failed", "Otto").await.unwrap();
                }
            }
        }
        let tried = world.operation(1).payment(kind).attempts.clone();
        assert_eq!(tried.len(), usize::try_from(failed).unwrap(), "{kind:?}: {tried:?}");
        let first = tried[0].transaction_id.clone().unwrap();
        world.clock.advance(days(2));
        world.sandbox.hipay(|hipay| hipay.execute_after_all(&first));
        world.sync().await;
        let taken = world.operation(1);
        let column = if kind == PaymentKind::Transfer { taken.status.columns().0 } else { taken.status.columns().1 };
        assert_eq!((column, taken.held.clone()), (Column::Ok, None), "{kind:?} {listed:?}: {taken:#?}");
        until_all_is_paid(&world, 4).await;
        all_is_paid(&world);
        assert_eq!(world.operation(1).payment(kind).attempts.len(), tried.len(), "it was paid again");
    })
    .await;
}

/// Checks that an earlier attempt with another amount is not accepted as the payment that is due now.
#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_amount_that_is_executed_after_all_waits_for_a_person() {
    let mut world = market(SandboxOptions::default(), Memory::Whole).await;
    world.generate().await;
    let technical = world.sandbox.credentials().technical_id.to_string();
    let reference = world.operation(1).base_reference(PaymentKind::Transfer, &technical);
    world.sandbox.hipay(|hipay| hipay.lives.insert(reference, Life::failing(Ending::Aborted)));
    world.transfer().await;
    world.sync().await;
    let id = world.operation(1).id;
    let first = world.operation(1).transfer.last().and_then(|last| last.transaction_id.clone()).unwrap();
    world.sandbox.mirakl(|mirakl| mirakl.voucher_mut(1).unwrap().amount_transferred = Some("120.00".to_owned()));
    world.transfer().await;
    world.choose(id, OperationChoice::Release, "the new amount is right", "Otto").await.unwrap();
    assert_eq!(world.operation(1).amount, euro(12_000));
    world.clock.advance(days(2));
    world.sandbox.hipay(|hipay| hipay.execute_after_all(&first));
    for _ in 0..3 {
        world.sync().await;
        day(&world).await;
        world.clock.advance(days(1));
    }
    let held = world.operation(1);
    assert_eq!((held.held_for, &held.candidates), (Some(Hold::OtherPayment), &vec![first.clone()]), "{held:#?}");
    assert_eq!(world.paid_out().get(&wallet_of(2001)), None);
    world.choose(id, OperationChoice::Accept { transaction_id: first }, "HiPay says so", "Otto").await.unwrap();
    let rest = world.operations().into_iter().find(|one| one.remainder_of == Some(id)).unwrap();
    assert_eq!((rest.amount, rest.held_for), (euro(2_000), Some(Hold::Remainder)));
    world.choose(rest.id, OperationChoice::Release, "it is owed", "Otto").await.unwrap();
    world.check_ledger = false;
    for _ in 0..4 {
        day(&world).await;
        world.sync().await;
    }
    assert_eq!(world.paid_out().get(&wallet_of(2001)), Some(&12_000));
}

/// Checks that each account that paid is read once a day, and no more after ninety days.
#[tokio::test(flavor = "multi_thread")]
async fn each_account_is_looked_at_once_a_day_and_no_longer_than_needed() {
    let world = market(SandboxOptions::default(), Memory::Whole).await;
    until_all_is_paid(&world, 3).await;
    let lists = async || {
        world.sandbox.traffic(Traffic::clear);
        world.sync().await;
        world.sandbox.traffic(|traffic| traffic.count(Endpoint::Transactions))
    };
    assert_eq!(lists().await, 0, "they were executed a moment ago");
    world.clock.advance(days(1));
    // The technical account, the operator's and those of the four sellers, one of which was owed nothing.
    assert_eq!(lists().await, 6);
    assert_eq!(lists().await, 0, "they were looked at");
    world.clock.advance(days(1));
    assert_eq!(lists().await, 6);
    world.clock.advance(days(90));
    assert_eq!(lists().await, 0);
}

/// Checks that a list that cannot be read is reported in one line, and read by the next run.
#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_cannot_be_looked_at_is_told_once_and_looked_at_later() {
    let world = market(SandboxOptions::default(), Memory::Whole).await;
    until_all_is_paid(&world, 3).await;
    let id = world.operation(1).withdrawal.last().and_then(|last| last.transaction_id.clone()).unwrap();
    world.sandbox.hipay(|hipay| hipay.take_back(&id, Ending::CancelledEnd));
    world.clock.advance(days(1));
    world.sandbox.strike(Fault::new(FaultKind::ServerError).at(Endpoint::Transactions).times(u32::MAX));
    let sync = world.sync().await;
    let [told] = sync.warnings.as_slice() else { panic!("{sync:?}") };
    assert!(told.message.contains("of 6 accounts"), "{told:?}");
    world.sandbox.faults(|plan| *plan = FaultPlan::default());
    world.sync().await;
    assert_eq!(world.status(1), Status::WithdrawCanceled);
}

/// Checks that the synchronisation reads transfers from lists if these contain everything, and looks
/// up each one if they contain ids only.
#[tokio::test(flavor = "multi_thread")]
async fn the_synchronisation_reads_many_transfers_in_one_list() {
    const SELLERS: u64 = 120;
    for listed in SHAPES {
        let world = World::new().await;
        world.sandbox.hipay(|hipay| hipay.listed = listed);
        for shop in 1..=SELLERS {
            world.seller(2_000 + shop);
            world.voucher(shop, 2_000 + shop, 100, 0);
        }
        world.fund(1_000_000);
        world.up_to_operations().await;
        world.transfer().await;
        world.sandbox.traffic(Traffic::clear);
        world.sync().await;
        assert!(world.operations().iter().all(|one| one.status == Status::TransferSuccess));
        let (lists, single) = world
            .sandbox
            .traffic(|traffic| (traffic.count(Endpoint::Transactions), traffic.count(Endpoint::Transaction)));
        assert!(lists <= 2, "{listed:?}: {lists} lists");
        let expected = if listed == Listed::Objects { 0 } else { SELLERS };
        // The money that arrived is listed by its id as well.
        assert!(single <= expected + u64::from(listed != Listed::Objects), "{listed:?}: {single} look-ups");
    }
}

fn transaction(world: &World, kind: PaymentKind) -> String {
    world.operation(1).payment(kind).last().and_then(|last| last.transaction_id.clone()).unwrap()
}

/// Checks that both payments of an operation can be reversed, in either order, together or one after the other: paying
/// again begins with the transfer, and uses no money that is in the wallet for another voucher.
#[tokio::test(flavor = "multi_thread")]
async fn where_both_payments_come_back_both_are_made_again() {
    let orders = [[PaymentKind::Withdrawal, PaymentKind::Transfer], [PaymentKind::Transfer, PaymentKind::Withdrawal]];
    let cases = orders.into_iter().flat_map(|order| [false, true].map(|at_once| (order, at_once)));
    each(cases, async |(order, at_once)| {
        let world = market(SandboxOptions::default(), Memory::Whole).await;
        until_all_is_paid(&world, 3).await;
        world.clock.advance(days(2));
        let ids = order.map(|kind| transaction(&world, kind));
        for id in &ids {
            world.sandbox.hipay(|hipay| hipay.take_back(id, Ending::CancelledEnd));
            if !at_once {
                world.sync().await;
                world.clock.advance(days(1));
            }
        }
        world.sync().await;
        let back = world.operation(1);
        assert_eq!((back.status, back.held_for), (Status::TransferFailed, Some(Hold::Revoked)), "{back:?}");
        assert!(explain(&back).iter().any(|one| one.id() == "held-returned"));
        world.choose(back.id, OperationChoice::Retry, "both came back", "Otto").await.unwrap();
        until_all_is_paid(&world, 4).await;
        all_is_paid(&world);
        let paid = world.operation(1);
        assert_eq!((paid.transfer.attempts.len(), paid.withdrawal.attempts.len()), (2, 2));
    })
    .await;
}

/// Checks a transfer that is reversed while its withdrawal is pending, whose outcome is followed nevertheless.
#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_comes_back_under_a_withdrawal_begins_anew_once_that_has_failed() {
    let world = market(SandboxOptions::default(), Memory::Whole).await;
    world.generate().await;
    world.transfer().await;
    world.sync().await;
    world.sandbox.hipay(|hipay| hipay.life = Life::pending("AUTHORIZED", Until::ByHand, Ending::RejectedEnd));
    world.withdraw().await;
    world.clock.advance(days(2));
    let id = transaction(&world, PaymentKind::Transfer);
    world.sandbox.hipay(|hipay| hipay.take_back(&id, Ending::Unauthed));
    world.sync().await;
    let held = world.operation(1);
    assert_eq!((held.status, held.held_for), (Status::WithdrawRequested, Some(Hold::Revoked)));
    world.sandbox.hipay(|hipay| {
        hipay.settle_transactions();
        hipay.life = Life::captured_at_once();
    });
    world.sync().await;
    assert_eq!(world.status(1), Status::WithdrawFailed);
    world.choose(held.id, OperationChoice::Retry, "both came back", "Otto").await.unwrap();
    assert_eq!(world.status(1), Status::TransferFailed);
    until_all_is_paid(&world, 4).await;
    all_is_paid(&world);
}

/// Checks that payments adopted after a loss of memory are examined again as well.
#[tokio::test(flavor = "multi_thread")]
async fn adopted_payments_are_looked_at_again() {
    let mut world = market(SandboxOptions::default(), Memory::Whole).await;
    until_all_is_paid(&world, 3).await;
    world.clock.advance(days(20));
    world.release_store().await;
    std::fs::remove_dir_all(world.data()).unwrap();
    world.restart().await;
    world.vendors().await;
    until_all_is_paid(&world, 3).await;
    world.clock.advance(days(2));
    let id = transaction(&world, PaymentKind::Withdrawal);
    world.sandbox.hipay(|hipay| hipay.take_back(&id, Ending::CancelledEnd));
    world.sync().await;
    assert_eq!(world.status(1), Status::WithdrawCanceled);
}

/// Checks that a payment that a person accepted as executed is not reversed because of the same status.
#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_a_person_took_for_executed_takes_nothing_back() {
    let world = market(SandboxOptions::default(), Memory::Whole).await;
    world.generate().await;
    world.sandbox.hipay(|hipay| hipay.life = Life::pending("AUTHORIZED", Until::AtOnce, Ending::Refunded));
    world.transfer().await;
    world.sync().await;
    let operation = world.operation(1);
    let accept = OperationChoice::Accept { transaction_id: transaction(&world, PaymentKind::Transfer) };
    world.choose(operation.id, accept, "HiPay says that it was executed", "Otto").await.unwrap();
    assert_eq!(world.status(1), Status::TransferSuccess);
    world.clock.advance(days(2));
    world.sync().await;
    assert_eq!((world.status(1), world.operation(1).held_for), (Status::TransferSuccess, None));
}
