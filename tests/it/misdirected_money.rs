//! Ways in which money could go to the wrong place, move twice, or get lost, but does not.

use cashout::domain::operation::{OperationChoice, Status};
use cashout::jobs::{Command, GenerateArguments, JobError};
use cashout::sandbox::{
    Document, Endpoint, Fault, FaultKind, HipayModel, Lag, Life, RepeatAnswer, Repeats, Reviews, SandboxOptions, Shop,
    Until,
};
use jiff::SignedDuration;

use crate::world::{CYCLE, IBAN, World, wallet_of};

/// Adds a shop that has never been seen, with a proof of its bank account.
fn stranger(world: &World, id: u64, email: &str) {
    world.sandbox.mirakl(|mirakl| {
        let mut shop = Shop::new(id, "Stranger");
        shop.email = Some(email.to_owned());
        shop.hipay_process = Some(true);
        if let Some(payment) = &mut shop.payment {
            "DE89370400440532013000".clone_into(&mut payment.iban);
        }
        mirakl.shops.push(shop);
        mirakl.documents.push(Document::new(id * 10, id, "ALL_PROOF_OF_BANK_ACCOUNT", "bank.pdf"));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_with_the_marketplaces_own_email_does_not_get_its_account() {
    let world = World::new().await;
    let (operator, technical) = (world.sandbox.credentials().operator_id, world.sandbox.credentials().technical_id);
    for (shop, account) in [(2001, operator), (2002, technical)] {
        let email = world.sandbox.hipay(|hipay| hipay.account(account).unwrap().email.clone());
        stranger(&world, shop, &email);
    }
    world.vendors().await;
    for shop in [2001, 2002] {
        assert_eq!(world.vendor(shop).hipay_id, None);
        assert!(world.vendor(shop).warnings[0].contains("marketplace's own"), "{:?}", world.vendor(shop).warnings);
    }
    let bank = world.sandbox.hipay(|hipay| hipay.account(operator).unwrap().bank.clone().unwrap().iban);
    assert_eq!(bank, IBAN);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_voucher_that_was_paid_by_hand_meanwhile_is_not_paid() {
    let world = World::new().await;
    world.vendors().await;
    world.voucher(1, 2001, 10_000, 0);
    world.after_the_cycle();
    assert_eq!(world.generate().await.counts["held"], 1);
    world.sandbox.mirakl(|mirakl| mirakl.voucher_mut(1).unwrap().state = "PAID".to_owned());
    world.seller(2001);
    world.vendors().await;
    world.fund(100_000);
    world.generate().await;
    world.pay_day().await;
    assert!(world.operations().is_empty());
    // A voucher that Mirakl no longer shows is not paid either.
    world.sandbox.mirakl(|mirakl| mirakl.vouchers.clear());
    let batch = world.generate().await;
    assert!(batch.warnings[0].message.contains("does not show it any more"), "{:?}", batch.warnings);
    assert!(world.operations().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_mirakl_shows_as_paid_before_it_was_sent_is_held_until_a_person_says_otherwise() {
    let world = World::new().await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 700);
    world.fund(100_000);
    world.up_to_operations().await;
    world.sandbox.mirakl(|mirakl| mirakl.voucher_mut(1).unwrap().state = "PAID".to_owned());
    let again = Command::CashoutGenerate(GenerateArguments { cycle_date: Some(CYCLE), ..Default::default() });
    assert_eq!(world.run(again).await.counts["held"], 2);
    world.pay_day().await;
    assert!(world.paid_out().is_empty());
    // A person knows better.
    world.sandbox.mirakl(|mirakl| mirakl.voucher_mut(1).unwrap().state = "PENDING".to_owned());
    for operation in world.operations() {
        world.choose(operation.id, OperationChoice::Retry, "", "finance").await.unwrap();
    }
    world.pay_day().await;
    assert_eq!(world.paid_out()[&wallet_of(2001)], 10_000);
    let nobody = world.choose(world.operation(1).id, OperationChoice::Retry, "", "finance").await.unwrap_err();
    assert!(matches!(&nobody, JobError::Refused(why) if why.contains("needs no action")), "{nobody}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_shops_may_have_vouchers_of_one_number() {
    let world = World::with(SandboxOptions::default(), &["mirakl.voucherSource: billingCycles"]).await;
    for (number, shop) in [(1, 2001), (2, 2002)] {
        world.seller(shop);
        world.voucher(number, shop, 10_000, 50);
    }
    world.sandbox.mirakl(|mirakl| {
        let number = mirakl.voucher_mut(1).unwrap().payment_voucher_number.clone();
        mirakl.voucher_mut(2).unwrap().payment_voucher_number = number;
    });
    world.fund(100_000);
    world.up_to_operations().await;
    world.pay_day().await;
    assert_eq!((world.paid_out()[&wallet_of(2001)], world.paid_out()[&wallet_of(2002)]), (10_000, 10_000));
    assert_eq!(world.paid_out()[&world.sandbox.credentials().operator_id], 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_not_believed_while_an_earlier_sending_may_have_been_executed() {
    let world = World::new().await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 0);
    world.fund(100_000);
    world.up_to_operations().await;
    world.sandbox.hipay(|hipay| {
        hipay.lag = Lag::Lookups(100);
        hipay.repeats = Repeats::Always(RepeatAnswer::BadRequest);
    });
    world.sandbox.strike(Fault::lost_answer(Endpoint::Transfer));
    for _ in 0..3 {
        world.transfer().await;
        assert_eq!(world.status(1), Status::TransferSending);
    }
    // HiPay never received it: a day later its refusal counts.
    world.clock.advance(SignedDuration::from_hours(25));
    world.transfer().await;
    assert_eq!(world.status(1), Status::TransferFailed);
    // If HiPay had received it nevertheless, that is found before anything is sent.
    world.sandbox.hipay(|hipay| {
        hipay.lag = Lag::None;
        hipay.transactions.iter_mut().for_each(|transaction| transaction.hidden_lookups = 0);
    });
    world.pay_day().await;
    assert_eq!(world.paid_out()[&wallet_of(2001)], 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_blocked_stays_blocked() {
    let world = World::new().await;
    world.sandbox.hipay(|hipay| hipay.reviews = Reviews::ByHand);
    stranger(&world, 2001, "stranger@shops.example");
    let payment = world.sandbox.mirakl(|mirakl| mirakl.shop_mut(2001).unwrap().payment.take());
    world.vendors().await;
    world.sandbox.mirakl(|mirakl| {
        let shop = mirakl.shop_mut(2001).unwrap();
        (shop.payment_blocked, shop.payment) = (true, payment);
    });
    world.vendors().await;
    world.sandbox.hipay(HipayModel::settle_reviews);
    world.vendors().await;
    assert_eq!(world.vendor(2001).bank_status, 3);
    assert!(world.sandbox.mirakl(|mirakl| mirakl.shop(2001).unwrap().payment_blocked));
    assert!(world.vendor(2001).reasons().any(|one| one.contains("someone else has blocked them")));
}

/// Checks a block that is older than the store's knowledge of the shop: it is taken as waiting for
/// valid bank details, and HiPay's validation ends it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_blocked_before_we_knew_it_is_unblocked_by_the_validation() {
    let world = World::new().await;
    world.sandbox.hipay(|hipay| hipay.reviews = Reviews::ByHand);
    stranger(&world, 2001, "stranger@shops.example");
    world.sandbox.mirakl(|mirakl| mirakl.shop_mut(2001).unwrap().payment_blocked = true);
    world.vendors().await;
    assert!(world.sandbox.mirakl(|mirakl| mirakl.shop(2001).unwrap().payment_blocked));
    world.sandbox.hipay(HipayModel::settle_reviews);
    world.vendors().await;
    assert_eq!(world.vendor(2001).bank_status, 3);
    assert!(!world.sandbox.mirakl(|mirakl| mirakl.shop(2001).unwrap().payment_blocked));
    assert!(!world.vendor(2001).payment_blocked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validation_is_seen_although_the_shop_has_not_changed() {
    let world = World::new().await;
    world.sandbox.hipay(|hipay| hipay.reviews = Reviews::ByHand);
    stranger(&world, 2001, "stranger@shops.example");
    world.vendors().await;
    assert!(world.sandbox.mirakl(|mirakl| mirakl.shop(2001).unwrap().payment_blocked));
    world.clock.advance(SignedDuration::from_hours(72));
    world.sandbox.hipay(HipayModel::settle_reviews);
    let lately = world.clock.now().checked_sub(SignedDuration::from_hours(24)).unwrap();
    world.run(Command::VendorProcess { since: Some(lately) }).await;
    assert!(!world.sandbox.mirakl(|mirakl| mirakl.shop(2001).unwrap().payment_blocked));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_not_bound_anew_while_payments_are_under_way() {
    let mut world = World::new().await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 0);
    world.fund(100_000);
    world.sandbox.hipay(|hipay| {
        hipay.life = Life::pending("AUTHORIZED", Until::ByHand, cashout::sandbox::Ending::Captured);
    });
    world.up_to_operations().await;
    world.transfer().await;
    world.set("hipay.mkp.technical.id: 999").await;
    let refused = cashout::jobs::rebind(&world.context).await.unwrap_err();
    assert!(matches!(&refused, JobError::Refused(why) if why.contains("1 payments are under way")), "{refused}");
    assert!(matches!(world.try_run(Command::CashoutTransfer).await, Err(JobError::Refused(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wider_window_takes_in_no_voucher_of_somebody_elses_time() {
    let world = World::new().await;
    world.seller(2001);
    let created = "2026-11-01T02:00:00Z".parse().unwrap();
    world.sandbox.mirakl(|mirakl| mirakl.vouchers.push(cashout::sandbox::Voucher::new(9, 2001, "50.00", created)));
    world.voucher(1, 2001, 10_000, 0);
    world.vendors().await;
    world.after_the_cycle();
    let wide = GenerateArguments {
        cycle_date: Some(CYCLE),
        before: Some(SignedDuration::from_hours(24 * 20)),
        ..GenerateArguments::default()
    };
    let batch = world.run(Command::CashoutGenerate(wide)).await;
    assert_eq!((batch.counts["created"], batch.counts["held"]), (1, 1));
    assert!(batch.warnings[0].message.contains("cashout.firstCycle"), "{:?}", batch.warnings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_ahead_loses_no_cycle() {
    let mut world = World::new().await;
    world.seller(2001);
    world.vendors().await;
    world.restart_with_the_clock_at("2027-03-05T08:00:00Z".parse().unwrap()).await;
    world.generate().await;
    // The clock is right again, and now the cycle is processed.
    world.restart().await;
    world.voucher(1, 2001, 10_000, 0);
    world.fund(100_000);
    world.after_the_cycle();
    world.generate().await;
    world.pay_day().await;
    assert_eq!(world.paid_out()[&wallet_of(2001)], 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_been_made_is_not_called_unsent_because_a_repetition_was_not() {
    let world = World::new().await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 0);
    world.fund(100_000);
    world.up_to_operations().await;
    world.sandbox.hipay(|hipay| hipay.lag = Lag::Lookups(1));
    world.sandbox.strike(Fault::lost_answer(Endpoint::Transfer));
    world.sandbox.strike(Fault::new(FaultKind::TooMany(0)).at(Endpoint::Transfer).times(50));
    world.transfer().await;
    let message = world.operation(1).message;
    assert!(message.contains("may have been made"), "{message}");
    world.sandbox.faults(|plan| plan.rules.clear());
    world.pay_day().await;
    assert_eq!(world.paid_out()[&wallet_of(2001)], 10_000);
}
