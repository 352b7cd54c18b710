//! Payments that HiPay accepts and that end badly: the money goes back, and the next attempt goes
//! under the next reference, or waits for a person.

use cashout::operation::{Beneficiary, Operation, OperationChoice, PaymentKind, Status};
use cashout::sandbox::{Ending, Endpoint, EntryState, Life, SandboxOptions, Until};

use crate::market::{Memory, all_is_paid, day, each, market, until_all_is_paid};
use crate::world::{World, euro, wallet_of};

const TERMINAL: [Ending; 4] = [Ending::Unauthed, Ending::Aborted, Ending::RejectedEnd, Ending::CancelledEnd];

/// When a payment ends: at once, or after it was seen under way.
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

/// Two payments fail for good, each twice; the third attempts go through.
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

/// A person asks for canceled withdrawals to be tried again.
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
    // Everybody else is paid; this one's money waits in the wallet, and nothing more is sent for it.
    assert_eq!(world.status(1), Status::WithdrawCanceled);
    assert!(world.operation(1).message.contains("CANCELLED_END"), "{}", world.operation(1).message);
    let others = world.operations().into_iter().filter(|one| one.status == Status::WithdrawSuccess).count();
    assert_eq!(others, 6);
    assert_eq!(world.sandbox.hipay(|hipay| hipay.balance(wallet_of(2001))), euro(10_000));
    let sent = world.sandbox.traffic(|traffic| traffic.count(Endpoint::Withdrawal));
    day(&world).await;
    assert_eq!(world.sandbox.traffic(|traffic| traffic.count(Endpoint::Withdrawal)), sent);
    // Until a person asks for it.
    retry_canceled(&world).await;
    until_all_is_paid(&world, 2).await;
    assert_eq!(references(&world.operation(1), PaymentKind::Withdrawal), [base.clone(), format!("{base}_R2")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_withdrawal_waits_for_a_person() {
    each(WHEN, cancel).await;
}

/// A payment that HiPay holds for days is neither failed nor sent again, and goes through.
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
