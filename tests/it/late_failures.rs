//! Payments that HiPay accepts and that fail later: the money goes back, and the next attempt uses
//! the next reference or waits for a person.

use cashout::domain::explanation::explain;
use cashout::domain::operation::{Beneficiary, Hold, Operation, OperationChoice, PaymentKind, Status};
use cashout::sandbox::{Ending, Endpoint, EntryState, Life, SandboxOptions, Until};

use crate::market::{Memory, all_is_paid, day, each, market, until_all_is_paid};
use crate::world::{World, euro, wallet_of};

const TERMINAL: [Ending; 4] = [Ending::Unauthed, Ending::Aborted, Ending::RejectedEnd, Ending::CancelledEnd];

/// Times at which a payment ends: at once, or after it was seen as pending.
const WHEN: [Until; 2] = [Until::AtOnce, Until::Lookups(2)];

fn base(world: &World, operation: &Operation, kind: PaymentKind) -> String {
    operation.base_reference(kind, &world.sandbox.credentials().technical_id.to_string())
}

fn references(operation: &Operation, kind: PaymentKind) -> Vec<String> {
    operation.payment(kind).attempts.iter().map(|attempt| attempt.reference.clone()).collect()
}

fn operation_of(world: &World, voucher: &str, beneficiary: Beneficiary) -> Operation {
    let mut operations = world.operations().into_iter();
    operations.find(|one| one.voucher == voucher && one.beneficiary == beneficiary).expect("the operation")
}

/// Makes two payments fail for good, twice each; the third attempts succeed.
async fn fail_twice((kind, ending, until, memory): (PaymentKind, Ending, Until, Memory)) {
    let world = market(SandboxOptions::default(), memory).await;
    world.generate().await;
    let failing = [("1", Beneficiary::Vendor), ("4", Beneficiary::Operator)];
    for (voucher, beneficiary) in failing {
        let base = base(&world, &operation_of(&world, voucher, beneficiary), kind);
        world.sandbox.hipay(|hipay| {
            let life = Life::pending("AUTHORIZED", until, ending);
            hipay.lives.insert(base.clone(), life.clone());
            hipay.lives.insert(format!("{base}_R2"), life);
        });
    }
    until_all_is_paid(&world, 8).await;
    for (voucher, beneficiary) in failing {
        let operation = operation_of(&world, voucher, beneficiary);
        let base = base(&world, &operation, kind);
        let expected = [base.clone(), format!("{base}_R2"), format!("{base}_R3")];
        assert_eq!(references(&operation, kind), expected);
        let states = world.sandbox.hipay(|hipay| {
            expected.each_ref().map(|reference| hipay.ledger.by_reference(reference).expect("an entry").state)
        });
        assert_eq!(states, [EntryState::Reversed, EntryState::Reversed, EntryState::Executed]);
    }
    let suffixed = world.operations().iter().filter(|one| one.payment(kind).attempts.len() > 1).count();
    assert_eq!(suffixed, failing.len(), "nobody else's payment was begun anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_badly_comes_back_and_goes_under_the_next_reference() {
    let mut cases = Vec::new();
    for memory in [Memory::Whole, Memory::Young] {
        for until in WHEN {
            cases.extend(TERMINAL.map(|ending| (PaymentKind::Transfer, ending, until, memory)));
            let again = TERMINAL.into_iter().filter(|ending| *ending != Ending::CancelledEnd);
            cases.extend(again.map(|ending| (PaymentKind::Withdrawal, ending, until, memory)));
        }
    }
    each(cases, fail_twice).await;
}

/// Retries canceled withdrawals on behalf of a person.
pub(crate) async fn retry_canceled(world: &World) {
    for canceled in world.operations().iter().filter(|one| one.status == Status::WithdrawCanceled) {
        world.choose(canceled.id, OperationChoice::Retry, "", "a person").await.unwrap();
    }
}

async fn cancel(until: Until) {
    let world = market(SandboxOptions::default(), Memory::Whole).await;
    world.generate().await;
    let base = base(&world, &world.operation(1), PaymentKind::Withdrawal);
    world.sandbox.hipay(|hipay| {
        hipay.lives.insert(base.clone(), Life::pending("AUTHORIZED", until, Ending::CancelledEnd));
    });
    for _ in 0..3 {
        day(&world).await;
    }
    // All others are paid; this seller's money waits in the wallet, and nothing more is sent for it.
    assert_eq!(world.status(1), Status::WithdrawCanceled);
    assert!(world.operation(1).message.contains("CANCELLED_END"), "{}", world.operation(1).message);
    let others = world.operations().into_iter().filter(|one| one.status == Status::WithdrawSuccess).count();
    assert_eq!(others, 6);
    assert_eq!(world.sandbox.hipay(|hipay| hipay.balance(wallet_of(2001))), euro(10_000));
    let sent = world.sandbox.traffic(|traffic| traffic.count(Endpoint::Withdrawal));
    day(&world).await;
    assert_eq!(world.sandbox.traffic(|traffic| traffic.count(Endpoint::Withdrawal)), sent);
    // It waits until a person requests a retry.
    retry_canceled(&world).await;
    until_all_is_paid(&world, 2).await;
    assert_eq!(references(&world.operation(1), PaymentKind::Withdrawal), [base.clone(), format!("{base}_R2")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_withdrawal_waits_for_a_person() {
    each(WHEN, cancel).await;
}

/// Checks that a payment that HiPay holds for days is neither failed nor sent again, and succeeds.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_by_is_waited_for() {
    let world = market(SandboxOptions::default(), Memory::Whole).await;
    world.sandbox.hipay(|hipay| hipay.life = Life::pending("STANDBY", Until::ByHand, Ending::Captured));
    for _ in 0..4 {
        day(&world).await;
    }
    let statuses: Vec<Status> = world.operations().iter().map(|one| one.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == Status::TransferRequested).count(), 7, "{statuses:?}");
    assert_eq!(world.sandbox.traffic(|traffic| traffic.count(Endpoint::Transfer)), 7);
    world.clock.advance(jiff::SignedDuration::from_hours(80));
    assert_eq!(world.sync().await.failed, 7);
    world.sandbox.hipay(|hipay| {
        hipay.life = Life::captured_at_once();
        hipay.settle_transactions();
    });
    until_all_is_paid(&world, 2).await;
    all_is_paid(&world);
}

/// Checks a final status that no description has: it is reported at once, and only a person who was
/// shown it can have it paid again.
#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_is_not_known_waits_for_a_person_and_is_held_after_three_days() {
    let cases = PaymentKind::ALL.into_iter().flat_map(|kind| [false, true].map(|late| (kind, late)));
    each(cases, async |(kind, late)| {
        let world = market(SandboxOptions::default(), Memory::Whole).await;
        world.generate().await;
        let base = base(&world, &operation_of(&world, "1", Beneficiary::Vendor), kind);
        world.sandbox.hipay(|hipay| {
            hipay.lives.insert(base.clone(), Life::pending("AUTHORIZED", Until::AtOnce, Ending::Refunded));
        });
        for _ in 0..3 {
            world.transfer().await;
            world.sync().await;
            world.withdraw().await;
        }
        let told = world.sync().await;
        let operation = operation_of(&world, "1", Beneficiary::Vendor);
        let [failure] = told.failures.as_slice() else { panic!("{told:?}") };
        assert!(failure.message.contains("REFUNDED"), "{failure:?}");
        assert!(operation.unknown_word().is_some() && operation.held.is_none(), "{operation:?}");
        assert!(explain(&operation).iter().any(|one| one.id().ends_with("-unknown-word")));
        if late {
            world.clock.advance(jiff::SignedDuration::from_hours(80));
            world.sync().await;
            let held = operation_of(&world, "1", Beneficiary::Vendor);
            assert_eq!(held.held_for, Some(Hold::OutcomeUnknown), "{held:?}");
        }
        for _ in 0..3 {
            day(&world).await;
        }
        assert_eq!(references(&operation_of(&world, "1", Beneficiary::Vendor), kind), std::slice::from_ref(&base));
        world.choose(operation.id, OperationChoice::Retry, "HiPay gave it back", "Otto").await.unwrap();
        until_all_is_paid(&world, 4).await;
        all_is_paid(&world);
        let paid = operation_of(&world, "1", Beneficiary::Vendor);
        assert_eq!(references(&paid, kind), [base.clone(), format!("{base}_R2")]);
    })
    .await;
}

/// Checks that a payment that was accepted and is no longer shown is held after three days, and
/// continues once HiPay shows it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_vanishes_is_held_and_goes_on_once_it_is_shown() {
    let world = market(SandboxOptions::default(), Memory::Whole).await;
    world.sandbox.hipay(|hipay| hipay.life = Life::pending("AUTHORIZED", Until::ByHand, Ending::Captured));
    world.generate().await;
    world.transfer().await;
    let vanished = world.sandbox.hipay(|hipay| std::mem::take(&mut hipay.transactions));
    assert_eq!(world.sync().await.failed, 0, "a look-up may lag behind");
    world.clock.advance(jiff::SignedDuration::from_hours(80));
    assert_eq!(world.sync().await.failed, 7);
    let held = world.operations();
    assert_eq!(held.iter().filter(|one| one.held_for == Some(Hold::OutcomeUnknown)).count(), 7, "{held:?}");
    // One is released, and held again; one is settled by mistake, and under way again.
    for (voucher, choice) in [(1, OperationChoice::Release), (2, OperationChoice::Settle)] {
        let id = world.operation(voucher).id;
        world.choose(id, choice.clone(), "look", "Otto").await.unwrap();
        world.sync().await;
        if choice == OperationChoice::Settle {
            for _ in 0..2 {
                world.choose(id, OperationChoice::Release, "wrong one", "Otto").await.unwrap();
            }
        }
    }
    assert_eq!(world.operation(1).held_for, Some(Hold::OutcomeUnknown));
    assert_eq!(world.status(2), Status::TransferRequested);
    world.sandbox.hipay(|hipay| {
        hipay.transactions = vanished;
        hipay.life = Life::captured_at_once();
        hipay.settle_transactions();
    });
    until_all_is_paid(&world, 4).await;
    all_is_paid(&world);
}

/// Checks that a failed payment is not repeated automatically once HiPay shows it with a status that no
/// person has been shown.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_is_called_otherwise_later_is_shown_to_a_person_first() {
    let world = World::new().await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 0);
    world.fund(100_000);
    world.up_to_operations().await;
    world.sandbox.hipay(|hipay| hipay.life = Life::pending("AUTHORIZED", Until::AtOnce, Ending::Aborted));
    world.transfer().await;
    world.sync().await;
    assert_eq!(world.status(1), Status::TransferFailed);
    world.sandbox.hipay(|hipay| {
        hipay.life = Life::captured_at_once();
        let ours = hipay.transactions.iter_mut().find(|one| one.reference.is_some()).unwrap();
        "UNDER_REVIEW".clone_into(&mut ours.status);
    });
    for _ in 0..2 {
        world.transfer().await;
        let held = world.operation(1);
        assert_eq!((held.held_for, held.transfer.attempts.len()), (Some(Hold::OutcomeUnknown), 1), "{held:?}");
    }
    world.choose(world.operation(1).id, OperationChoice::Retry, "HiPay gave it back", "Otto").await.unwrap();
    world.pay_day().await;
    assert_eq!((world.status(1), world.operation(1).transfer.attempts.len()), (Status::WithdrawSuccess, 2));
}

/// Checks that the permitted number of attempts is made; then a person decides.
#[tokio::test(flavor = "multi_thread")]
async fn the_ninth_attempt_is_the_last_without_a_person() {
    let world = World::new().await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 0);
    world.fund(100_000);
    world.up_to_operations().await;
    world.sandbox.hipay(|hipay| hipay.life = Life::pending("AUTHORIZED", Until::AtOnce, Ending::Aborted));
    for _ in 0..12 {
        world.transfer().await;
        world.sync().await;
    }
    let held = world.operation(1);
    assert_eq!((held.transfer.attempts.len(), held.held_for), (9, Some(Hold::TooManyAttempts)), "{held:?}");
    world.sandbox.hipay(|hipay| hipay.life = Life::captured_at_once());
    world.choose(held.id, OperationChoice::Retry, "", "Otto").await.unwrap();
    world.pay_day().await;
    let paid = world.operation(1);
    assert_eq!((paid.transfer.attempts.len(), paid.status), (10, Status::WithdrawSuccess));
}

/// Checks that a transaction under our id is compared with the operation before it is accepted.
#[tokio::test(flavor = "multi_thread")]
async fn another_payment_under_the_same_id_is_held_by_the_synchronisation() {
    for difference in ["amount", "reference", "recipient"] {
        let mut world = World::new().await;
        for shop in [2001, 2002] {
            world.seller(shop);
        }
        world.voucher(1, 2001, 10_000, 0);
        world.fund(100_000);
        world.up_to_operations().await;
        world.transfer().await;
        world.check_ledger = false;
        world.sandbox.hipay(|hipay| {
            let ours = |one: &&mut cashout::sandbox::Transaction| one.reference.is_some();
            let transaction = hipay.transactions.iter_mut().find(ours).unwrap();
            match difference {
                "amount" => transaction.amount = euro(4_000),
                "reference" => transaction.reference = Some("TRANSFER_SALES_77_1_2".to_owned()),
                _ => transaction.recipient = Some(wallet_of(2002)),
            }
        });
        world.sync().await;
        let held = world.operation(1);
        assert_eq!((held.held_for, held.status), (Some(Hold::OtherPayment), Status::TransferRequested), "{difference}");
    }
}
