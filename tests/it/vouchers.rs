//! Processing of vouchers to operations, and of operations to money in the bank.

use cashout::domain::operation::{Beneficiary, Status};
use cashout::jobs::{Command, GenerateArguments, JobError};
use cashout::sandbox::{Ending, Endpoint, Refusal, Remote, SandboxOptions, Voucher};
use jiff::SignedDuration;
use jiff::civil::{Date, date};

use crate::world::{CYCLE, World, added_in_front, euro, wallet_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_reaches_the_bank_accounts_to_the_cent() {
    let world = World::new().await;
    for (id, vendor, operator) in [(2001, 10_000, 1_500), (2002, 25_050, 0), (2003, 1, 1)] {
        world.seller(id);
        world.voucher(id * 10, id, vendor, operator);
    }
    world.fund(1_000_000);
    world.up_to_operations().await;
    world.pay_day().await;
    assert!(world.operations().iter().all(|operation| operation.status == Status::WithdrawSuccess));
    let paid = world.paid_out();
    assert_eq!(paid[&wallet_of(2001)], 10_000);
    assert_eq!(paid[&wallet_of(2002)], 25_050);
    assert_eq!(paid[&wallet_of(2003)], 1);
    assert_eq!(paid[&world.sandbox.credentials().operator_id], 1_501);
}

#[tokio::test(flavor = "multi_thread")]
async fn running_everything_again_changes_nothing() {
    let world = World::new().await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 500);
    world.fund(100_000);
    world.up_to_operations().await;
    world.pay_day().await;
    let before = world.operations();
    for _ in 0..2 {
        let again = Command::CashoutGenerate(GenerateArguments { cycle_date: Some(CYCLE), ..Default::default() });
        let batch = world.run(again).await;
        assert_eq!(batch.counts.get("known already"), Some(&1));
        world.vendors().await;
        world.pay_day().await;
    }
    assert_eq!(world.operations(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_and_the_labels_are_the_products_own() {
    let world = World::with(
        SandboxOptions::default(),
        &["label.public: 'P {{miraklId}} {{amount}} {{nope}}|{{cycleDate}}'", "hipay.mkp.technical.id: 777"],
    )
    .await;
    world.seller(2001);
    world.voucher(41, 2001, 8_300, 100);
    world.fund(100_000);
    world.up_to_operations().await;
    world.pay_day().await;
    let entries: Vec<(String, String)> = world.sandbox.hipay(|hipay| {
        hipay.ledger.paid().map(|entry| (entry.reference.clone().unwrap(), entry.public_label.clone())).collect()
    });
    let wallet = wallet_of(2001);
    let references: Vec<&str> = entries.iter().map(|(reference, _)| reference.as_str()).collect();
    for kind in ["TRANSFER_SALES", "TRANSFER_COMMISSION", "WITHDRAWAL_SALES", "WITHDRAWAL_COMMISSION"] {
        assert!(references.contains(&format!("{kind}_41_777_{wallet}").as_str()), "{kind}: {references:?}");
    }
    assert!(entries.iter().any(|(_, label)| label == "P 2001 83.00 |2026-11-11"), "{entries:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_debt_is_netted_into_the_next_positive_voucher() {
    let world = World::new().await;
    world.seller(2001);
    world.voucher(1, 2001, -3_000, 0);
    world.voucher(2, 2001, 10_000, 0);
    world.fund(100_000);
    world.up_to_operations().await;
    world.pay_day().await;
    assert_eq!(world.status(1), Status::AdjustedOperations);
    let payer = world.operation(2);
    assert_eq!((payer.amount, payer.origin_amount, payer.status), (euro(7_000), euro(10_000), Status::WithdrawSuccess));
    assert_eq!(payer.adjusts, [world.operation(1).id]);
    assert_eq!(world.operation(1).adjusted_by, Some(payer.id));
    assert_eq!(world.paid_out()[&wallet_of(2001)], 7_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn netting_can_be_switched_off() {
    let world = World::with(SandboxOptions::default(), &["cashout.negativeVouchers: ignore"]).await;
    world.seller(2001);
    world.voucher(1, 2001, -3_000, 0);
    world.voucher(2, 2001, 10_000, 0);
    world.up_to_operations().await;
    assert_eq!((world.status(1), world.operation(2).amount), (Status::InvalidAmount, euro(10_000)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unpaid_voucher_waits_for_its_vendor_whatever_its_window() {
    let world = World::new().await;
    world.voucher(1, 2001, 10_000, 0);
    world.vendors().await;
    world.after_the_cycle();
    assert_eq!(world.generate().await.counts["held"], 1);
    assert!(world.operations().is_empty());
    world.seller(2001);
    world.vendors().await;
    world.clock.advance(SignedDuration::from_hours(24 * 60));
    world.generate().await;
    assert_eq!(world.status(1), Status::Created);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_mirakl_shows_as_paid_is_held() {
    let world = World::new().await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 0);
    world.sandbox.mirakl(|mirakl| mirakl.voucher_mut(1).unwrap().state = "PAID".to_owned());
    world.vendors().await;
    world.after_the_cycle();
    assert_eq!(world.generate().await.counts["held"], 1);
    assert!(world.operations().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amount_that_mirakl_changes_later_is_told_and_not_taken_over() {
    let world = World::new().await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 0);
    world.up_to_operations().await;
    world.sandbox.mirakl(|mirakl| mirakl.voucher_mut(1).unwrap().amount_transferred = Some("120.00".to_owned()));
    let again = Command::CashoutGenerate(GenerateArguments { cycle_date: Some(CYCLE), ..Default::default() });
    assert_eq!(world.run(again).await.counts["warnings"], 2, "the change, and the hold that follows from it");
    assert_eq!(world.operation(1).amount, euro(10_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_without_an_amount_is_an_error_on_it_alone_and_is_read_again() {
    let world = World::new().await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 0);
    world.voucher(2, 2001, 500, 0);
    world.sandbox.mirakl(|mirakl| mirakl.voucher_mut(2).unwrap().amount_transferred = None);
    world.vendors().await;
    world.after_the_cycle();
    let batch = world.generate().await;
    assert_eq!(batch.failed, 1);
    assert!(batch.failures[0].message.contains("voucher 2: it has no amount"), "{:?}", batch.failures);
    assert_eq!(world.operations().len(), 1);
    world.sandbox.mirakl(|mirakl| mirakl.voucher_mut(2).unwrap().amount_transferred = Some("5.00".to_owned()));
    world.generate().await;
    assert_eq!(world.operation(2).amount, euro(500));
}

#[tokio::test(flavor = "multi_thread")]
async fn downtime_loses_no_cycle_and_earlier_ones_are_refused() {
    let world = World::new().await;
    world.seller(2001);
    let dates: [(u64, &str); 3] =
        [(1, "2026-11-11T02:00:00Z"), (2, "2026-11-21T02:00:00Z"), (3, "2026-12-01T02:00:00Z")];
    for (number, created) in dates {
        world.sandbox.mirakl(|mirakl| {
            mirakl.vouchers.push(Voucher::new(number, 2001, "10.00", created.parse().unwrap()));
        });
    }
    world.vendors().await;
    world.clock.set("2026-12-05T08:00:00Z".parse().unwrap());
    world.generate().await;
    assert_eq!(world.operations().len(), 3);
    let at = |cycle: Date| {
        Command::CashoutGenerate(GenerateArguments { cycle_date: Some(cycle), ..GenerateArguments::default() })
    };
    let refused = world.try_run(at(date(2026, 11, 1))).await.unwrap_err();
    assert!(matches!(&refused, JobError::Refused(why) if why.contains("paid by the previous system")), "{refused}");
    let refused = world.try_run(at(date(2026, 12, 21))).await.unwrap_err();
    assert!(matches!(&refused, JobError::Refused(why) if why.contains("has not begun")), "{refused}");
    // A complete cycle is not read again: only vouchers that may have been added since the last read.
    let asked = world.sandbox.traffic(|traffic| traffic.count(Endpoint::Invoices));
    world.generate().await;
    assert_eq!(world.sandbox.traffic(|traffic| traffic.count(Endpoint::Invoices)), asked + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn billing_cycles_are_a_source_too_and_one_voucher_is_one_thing_in_both() {
    let mut world = World::with(SandboxOptions::default(), &["mirakl.voucherSource: billingCycles"]).await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 100);
    world.fund(100_000);
    world.up_to_operations().await;
    let numbers: Vec<String> = world.operations().into_iter().map(|operation| operation.voucher).collect();
    assert_eq!(numbers, ["000000000001", "000000000001"]);
    assert!(world.operations().iter().all(|operation| operation.billing_cycle_id.is_some()));
    world.set("mirakl.voucherSource: invoices").await;
    let again = Command::CashoutGenerate(GenerateArguments { cycle_date: Some(CYCLE), ..Default::default() });
    let batch = world.run(again).await;
    assert_eq!(batch.counts.get("known already"), Some(&1), "{batch:?}");
    assert_eq!(world.operations().len(), 2);
    assert!(world.operations().iter().all(|operation| operation.invoice_id.as_deref() == Some("1")));
}

#[tokio::test(flavor = "multi_thread")]
async fn vouchers_added_while_the_list_is_read_are_neither_missed_nor_doubled() {
    let world = World::new().await;
    world.seller(2001);
    for number in 1..=250 {
        world.voucher(number, 2001, 1_000, 0);
    }
    world.sandbox.mirakl(|mirakl| {
        for number in [301, 302] {
            let created = "2026-11-11T01:00:00Z".parse().unwrap();
            mirakl.pending_additions.push(added_in_front(Voucher::new(number, 2001, "1.00", created)));
        }
    });
    world.up_to_operations().await;
    let mut numbers: Vec<u64> = world.operations().iter().map(|operation| operation.voucher.parse().unwrap()).collect();
    numbers.sort_unstable();
    let expected: Vec<u64> = (1..=250).chain([301, 302]).collect();
    assert_eq!(numbers, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_payment_behind_a_large_one_that_does_not_fit_still_goes() {
    let world = World::new().await;
    for (id, amount) in [(2001, 4_000), (2002, 90_000), (2003, 900)] {
        world.seller(id);
        world.voucher(id, id, amount, 0);
    }
    world.fund(5_000);
    world.up_to_operations().await;
    world.transfer().await;
    assert_eq!(world.status(2001), Status::TransferRequested);
    assert_eq!(world.status(2002), Status::TransferNegative);
    assert_eq!(world.status(2003), Status::TransferRequested);
    // Funded, the next run pays it.
    world.fund(100_000);
    world.pay_day().await;
    assert_eq!(world.paid_out()[&wallet_of(2002)], 90_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_vendor_is_not_paid_until_it_comes_back() {
    let world = World::new().await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 0);
    world.fund(100_000);
    world.up_to_operations().await;
    world.sandbox.mirakl(|mirakl| mirakl.shop_mut(2001).unwrap().hipay_process = Some(false));
    world.vendors().await;
    world.transfer().await;
    assert_eq!(world.status(1), Status::TransferVendorDisabled);
    world.sandbox.mirakl(|mirakl| mirakl.shop_mut(2001).unwrap().hipay_process = Some(true));
    world.vendors().await;
    world.pay_day().await;
    assert_eq!(world.status(1), Status::WithdrawSuccess);
}

#[tokio::test(flavor = "multi_thread")]
async fn blocked_payments_wait_in_the_wallet() {
    let world = World::new().await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 0);
    world.fund(100_000);
    world.sandbox.mirakl(|mirakl| mirakl.shop_mut(2001).unwrap().payment_blocked = true);
    world.up_to_operations().await;
    world.pay_day().await;
    assert_eq!(world.status(1), Status::WithdrawPaymentBlocked);
    world.sandbox.mirakl(|mirakl| mirakl.shop_mut(2001).unwrap().payment_blocked = false);
    world.vendors().await;
    world.pay_day().await;
    assert_eq!(world.status(1), Status::WithdrawSuccess);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_refusal_of_a_withdrawal_is_told_in_its_own_words() {
    let world = World::new().await;
    let details = [4002, 4003, 4004, 4005, 4006, 4007, 4008, 4009, 4010, 4012, 4013, 4014, 4015];
    for (id, _) in (2001_u64..).zip(details) {
        world.seller(id);
        world.voucher(id, id, 1_000, 0);
    }
    world.fund(1_000_000);
    world.up_to_operations().await;
    world.transfer().await;
    world.sync().await;
    for (id, detail) in (2001_u64..).zip(details) {
        world.sandbox.hipay(|hipay| hipay.refusals.push(Refusal::withdrawal_detail(detail).about(&wallet_of(id))));
    }
    world.withdraw().await;
    let messages: std::collections::BTreeSet<String> =
        (2001_u64..).zip(details).map(|(id, _)| world.operation(id).message).collect();
    assert_eq!(messages.len(), details.len(), "{messages:#?}");
    for (id, detail) in (2001_u64..).zip(details) {
        assert_eq!(world.status(id), Status::WithdrawFailed);
        let explanations = cashout::domain::explanation::explain(&world.operation(id));
        assert_eq!(explanations[0].id(), format!("refusal-{detail}"));
    }
    // The reference is unused: the next run sends it again, without a suffix.
    world.withdraw().await;
    world.sync().await;
    let references: Vec<String> =
        world.sandbox.hipay(|hipay| hipay.ledger.paid().filter_map(|entry| entry.reference.clone()).collect());
    assert!(references.iter().all(|reference| !reference.contains("_R")), "{references:?}");
    assert!(world.operations().iter().all(|operation| operation.status == Status::WithdrawSuccess));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_for_good_at_hipay_is_paid_under_the_next_reference() {
    let world = World::new().await;
    for id in [2001, 2002] {
        world.seller(id);
        world.voucher(id, id, 10_000, 0);
    }
    world.fund(100_000);
    world.up_to_operations().await;
    let reference = format!("TRANSFER_SALES_2001_{}_{}", world.sandbox.credentials().technical_id, wallet_of(2001));
    world.sandbox.hipay(|hipay| {
        hipay.lives.insert(reference.clone(), cashout::sandbox::Life::failing(Ending::Unauthed));
    });
    world.pay_day().await;
    assert_eq!(world.status(2001), Status::TransferFailed);
    assert_eq!(world.status(2002), Status::WithdrawSuccess);
    world.pay_day().await;
    assert_eq!(world.status(2001), Status::WithdrawSuccess);
    let attempts = world.operation(2001).transfer.attempts;
    assert_eq!(
        attempts.iter().map(|one| one.reference.as_str()).collect::<Vec<_>>(),
        [reference.as_str(), format!("{reference}_R2").as_str()]
    );
    assert_eq!(world.paid_out()[&wallet_of(2001)], 10_000);
}

/// Adds cents to the operator's account, or removes them, beside all payments.
fn credit_operator(world: &World, cents: i64) {
    let operator = world.sandbox.credentials().operator_id;
    world.sandbox.hipay(|hipay| {
        let account = hipay.account_mut(operator).unwrap();
        account.opening = account.opening.checked_add(euro(cents)).unwrap();
        account.balance = account.balance.checked_add(euro(cents)).unwrap();
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_withdraws_what_is_there() {
    let world = World::new().await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 2_000);
    world.fund(100_000);
    world.up_to_operations().await;
    world.transfer().await;
    world.sync().await;
    // HiPay took a fee from the operator's account.
    let operator = world.sandbox.credentials().operator_id;
    credit_operator(&world, -300);
    world.withdraw().await;
    world.sync().await;
    let commission = world.operations().into_iter().find(|one| one.beneficiary == Beneficiary::Operator).unwrap();
    assert_eq!((commission.status, commission.shortfall), (Status::WithdrawSuccess, Some(euro(300))));
    assert_eq!(world.paid_out()[&operator], 1_700);
}

/// Checks that the amount of a commission's withdrawal is computed again after HiPay has refused an
/// attempt, in both directions: with more and with less money available.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_part_of_a_commission_does_not_fix_its_amount() {
    for (first, then, rest) in [(-300, 300, None), (0, -300, Some(euro(300)))] {
        let world = World::new().await;
        world.seller(2001);
        world.voucher(1, 2001, 10_000, 2_000);
        world.fund(100_000);
        world.up_to_operations().await;
        world.transfer().await;
        world.sync().await;
        let operator = world.sandbox.credentials().operator_id;
        credit_operator(&world, first);
        world.sandbox.hipay(|hipay| {
            hipay.refusals.push(Refusal::code(Endpoint::Withdrawal, 13).about(&operator).times(1));
        });
        world.withdraw().await;
        credit_operator(&world, then);
        world.withdraw().await;
        world.sync().await;
        let commission = world.operations().into_iter().find(|one| one.beneficiary == Beneficiary::Operator).unwrap();
        assert_eq!((commission.status, commission.shortfall), (Status::WithdrawSuccess, rest));
        assert_eq!(commission.withdrawal.attempts.len(), 1, "the reference was still unused");
        assert_eq!(world.paid_out()[&operator], rest.map_or(2_000, |rest| 2_000 - rest.minor()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_stop_the_batch_and_leave_nothing_half_done() {
    let mut world = World::new().await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 0);
    world.fund(100_000);
    world.up_to_operations().await;
    world.set("hipay.wsPassword: wrong-one").await;
    assert!(matches!(world.try_run(Command::CashoutTransfer).await, Err(JobError::Credentials(_))));
    assert_eq!(world.sandbox.traffic(|traffic| traffic.count(Endpoint::Transfer)), 0);
    world.set("hipay.wsPassword: 'sandbox-password'").await;
    world.pay_day().await;
    assert_eq!(world.status(1), Status::WithdrawSuccess);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_another_installation_sends_nothing() {
    let mut world = World::new().await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 0);
    world.fund(100_000);
    world.up_to_operations().await;
    world.set("account.technical.hipayId: 999").await;
    let refused = world.try_run(Command::CashoutTransfer).await.unwrap_err();
    assert!(matches!(&refused, JobError::Refused(why) if why.contains("--rebind")), "{refused}");
    assert_eq!(world.sandbox.traffic(|traffic| traffic.count(Endpoint::Transfer)), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_most_eight_requests_are_in_flight() {
    let world =
        World::with(SandboxOptions { latency: std::time::Duration::from_millis(5), ..SandboxOptions::default() }, &[])
            .await;
    for id in 2001..2041 {
        world.seller(id);
        world.voucher(id, id, 1_000, 10);
    }
    world.fund(1_000_000);
    world.up_to_operations().await;
    world.pay_day().await;
    assert!(world.operations().iter().all(|operation| operation.status == Status::WithdrawSuccess));
    let most = world.sandbox.traffic(|traffic| traffic.most_in_flight(Remote::Hipay));
    assert!((6..=8).contains(&most), "{most}");
}
