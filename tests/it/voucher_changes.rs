//! Changes of a voucher in Mirakl before its payment: paid by others, assigned to another provider,
//! corrected, gone, or shown by another source under another number.

use cashout::domain::operation::{Beneficiary, Hold, Operation, OperationChoice, Status};
use cashout::domain::voucher::HeldBecause;
use cashout::jobs::{Command, GenerateArguments};
use cashout::sandbox::{Endpoint, Fault, FaultKind, Refusal, SandboxOptions};

use crate::market::each;
use crate::world::{CYCLE, World, euro, wallet_of};

/// Reasons for which the transfer has not been executed when Mirakl's data changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unsent {
    NeverTried,
    LackOfFunds,
    Refused,
}

/// Changes that Mirakl shows by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Paid,
    OtherProvider,
    Corrected,
    Gone,
}

impl Word {
    const ALL: [Self; 4] = [Self::Paid, Self::OtherProvider, Self::Corrected, Self::Gone];

    fn say(self, world: &World) {
        world.sandbox.mirakl(|mirakl| match self {
            Self::Paid => "PAID".clone_into(&mut mirakl.voucher_mut(1).unwrap().state),
            Self::OtherProvider => {
                mirakl.voucher_mut(1).unwrap().pay_out_psp_code = Some("MIRAKL_PAYOUT".to_owned());
            }
            Self::Corrected => {
                let voucher = mirakl.voucher_mut(1).unwrap();
                voucher.amount_transferred = Some("10.00".to_owned());
                voucher.amount_to_operator = Some("1.00".to_owned());
            }
            Self::Gone => mirakl.vouchers.retain(|voucher| voucher.number != 1),
        });
    }

    fn hold(self) -> Hold {
        match self {
            Self::Paid => Hold::PaidInMirakl,
            Self::OtherProvider => Hold::OtherProvider,
            Self::Corrected => Hold::AmountChanged,
            Self::Gone => Hold::VoucherGone,
        }
    }
}

async fn unsent(world: &World, why: Unsent) {
    match why {
        Unsent::NeverTried => {}
        Unsent::LackOfFunds => drop(world.transfer().await),
        Unsent::Refused => {
            world.fund(100_000);
            world.sandbox.hipay(|hipay| {
                hipay.refusals.push(Refusal::code(Endpoint::Transfer, 4).times(2));
            });
            world.transfer().await;
            assert!(world.operations().iter().all(|one| one.status == Status::TransferFailed));
        }
    }
}

fn transfers(world: &World) -> u64 {
    world
        .sandbox
        .hipay(|hipay| u64::try_from(hipay.transactions.iter().filter(|one| one.reference.is_some()).count()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_mirakl_speaks_against_is_held_before_any_attempt_and_a_person_can_have_it_paid() {
    let cases = [Unsent::NeverTried, Unsent::LackOfFunds, Unsent::Refused]
        .into_iter()
        .flat_map(|why| Word::ALL.map(|word| (why, word)));
    each(cases, async |(why, word)| {
        for source in ["invoices", "billingCycles"] {
            let setting = format!("mirakl.voucherSource: {source}");
            let mut world = World::with(SandboxOptions::default(), &[&setting]).await;
            world.check_ledger = word == Word::Corrected;
            world.seller(2001);
            world.voucher(1, 2001, 10_000, 1_500);
            world.up_to_operations().await;
            unsent(&world, why).await;
            word.say(&world);
            world.fund(100_000);
            for _ in 0..2 {
                world.pay_day().await;
            }
            assert_eq!(transfers(&world), 0, "{source}: something was sent");
            let operations = world.operations();
            assert!(operations.iter().all(|one| one.held_for == Some(word.hold())), "{source}: {operations:?}");
            // A person decides that they are owed nevertheless.
            for operation in &operations {
                world.choose(operation.id, OperationChoice::Retry, "", "finance").await.unwrap();
            }
            world.pay_day().await;
            let paid = world.paid_out();
            let (vendor, operator) = if word == Word::Corrected { (1_000, 100) } else { (10_000, 1_500) };
            let operators = world.sandbox.credentials().operator_id;
            assert_eq!((paid.get(&wallet_of(2001)), paid.get(&operators)), (Some(&vendor), Some(&operator)));
        }
    })
    .await;
}

/// Checks that the state "paid" has no effect after our transfer was executed, because it then
/// results from that transfer.
#[tokio::test(flavor = "multi_thread")]
async fn paid_in_mirakl_after_our_transfer_stops_neither_withdrawal_nor_commission() {
    let mut world = World::new().await;
    world.seller(2001);
    // The commission alone is more than the available money, whichever of the two reserves its amount first.
    world.voucher(1, 2001, 1_000, 15_000);
    world.fund(10_000);
    world.up_to_operations().await;
    world.transfer().await;
    world.sync().await;
    assert_eq!(world.status(1), Status::TransferSuccess);
    Word::Paid.say(&world);
    world.check_ledger = false;
    world.fund(10_000);
    world.pay_day().await;
    assert!(world.operations().iter().all(|one| one.status == Status::WithdrawSuccess), "{:?}", world.operations());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_while_mirakl_cannot_be_asked() {
    let world = World::new().await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 0);
    world.fund(100_000);
    world.up_to_operations().await;
    world.sandbox.strike(Fault::new(FaultKind::ServerError).at(Endpoint::Invoices).times(4));
    let refused = world.try_run(Command::CashoutTransfer).await.unwrap_err();
    assert!(refused.to_string().contains("nothing is transferred"), "{refused}");
    assert_eq!((world.status(1), transfers(&world)), (Status::Created, 0));
    world.pay_day().await;
    assert_eq!(world.status(1), Status::WithdrawSuccess);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_of_another_provider_makes_no_operation() {
    for (code, paid) in [("MIRAKL_PAYOUT", false), ("MANGOPAY", false), ("LATER", false), ("OPERATOR", true)] {
        for source in ["invoices", "billingCycles"] {
            let setting = format!("mirakl.voucherSource: {source}");
            let world = World::with(SandboxOptions::default(), &[&setting]).await;
            world.seller(2001);
            world.voucher(1, 2001, 10_000, 1_500);
            world.fund(100_000);
            world.sandbox.mirakl(|mirakl| mirakl.voucher_mut(1).unwrap().pay_out_psp_code = Some(code.to_owned()));
            world.up_to_operations().await;
            world.pay_day().await;
            assert_eq!(world.operations().len(), if paid { 2 } else { 0 }, "{code}");
            if !paid {
                assert_eq!(held(&world), [HeldBecause::OtherProvider]);
                // Mirakl returns it to the operator.
                world.sandbox.mirakl(|mirakl| mirakl.voucher_mut(1).unwrap().pay_out_psp_code = None);
                world.generate().await;
                assert_eq!(world.operations().len(), 2);
            }
        }
    }
}

fn held(world: &World) -> Vec<HeldBecause> {
    use cashout::domain::voucher::VoucherRecord;
    use cashout::store::{Query, View};
    let records = world.context.store.read(|reader| Ok(reader.page(&Query::<VoucherRecord, _>::all())?.items)).unwrap();
    records.into_iter().filter_map(|record| record.held).collect()
}

async fn generate_again(world: &World) {
    world.run(Command::CashoutGenerate(GenerateArguments { cycle_date: Some(CYCLE), ..Default::default() })).await;
}

/// Progress of a voucher when the source was switched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Held,
    Unsent,
    Refused,
    Transferred,
    Paid,
}

#[tokio::test(flavor = "multi_thread")]
async fn another_source_of_vouchers_pays_nothing_again_and_loses_nothing() {
    let stages = [Stage::Held, Stage::Unsent, Stage::Refused, Stage::Transferred, Stage::Paid];
    let cases = [("invoices", "billingCycles"), ("billingCycles", "invoices")]
        .into_iter()
        .flat_map(|sources| stages.map(|stage| (sources, stage)))
        .flat_map(|case| [true, false].map(|amounts| (case, amounts)));
    each(cases, async |(((from, to), stage), amounts_stay)| {
        let mut world = World::with(SandboxOptions::default(), &[&format!("mirakl.voucherSource: {from}")]).await;
        if stage != Stage::Held {
            world.seller(2001);
        }
        world.voucher(1, 2001, 10_000, 1_500);
        world.up_to_operations().await;
        match stage {
            Stage::Held | Stage::Unsent => {}
            Stage::Refused => unsent(&world, Unsent::Refused).await,
            Stage::Transferred => {
                world.fund(100_000);
                world.transfer().await;
                world.sync().await;
            }
            Stage::Paid => {
                world.fund(100_000);
                world.pay_day().await;
            }
        }
        let references: Vec<String> = references(&world.operations());
        world.set(&format!("mirakl.voucherSource: {to}")).await;
        // The reason for a switch: invoices no longer have amounts.
        if to == "billingCycles" && !amounts_stay {
            world.sandbox.mirakl(|mirakl| mirakl.invoices_have_amounts = false);
        }
        if stage == Stage::Held {
            world.seller(2001);
            world.vendors().await;
        }
        generate_again(&world).await;
        world.fund(100_000);
        for _ in 0..2 {
            world.generate().await;
            world.pay_day().await;
        }
        let operations = world.operations();
        assert_eq!(operations.len(), 2, "{operations:?}");
        assert_eq!(world.paid_out().get(&wallet_of(2001)), Some(&10_000), "{operations:?}");
        let after = self::references(&operations);
        assert!(references.iter().all(|known| after.contains(known)), "{references:?} {after:?}");
        for operation in &operations {
            assert!(operation.voucher_numbers().contains(&"1".to_owned()), "{operation:?}");
            assert!(operation.voucher_numbers().contains(&"000000000001".to_owned()), "{operation:?}");
        }
    })
    .await;
}

fn references(operations: &[Operation]) -> Vec<String> {
    let attempts = operations.iter().flat_map(|one| one.transfer.attempts.iter().chain(&one.withdrawal.attempts));
    attempts.map(|attempt| attempt.reference.clone()).collect()
}

/// Checks invoices that do not name their voucher: nothing links the two sources, so a person has to decide.
#[tokio::test(flavor = "multi_thread")]
async fn vouchers_that_nothing_joins_are_not_paid_a_second_time() {
    let mut world = World::new().await;
    world.sandbox.mirakl(|mirakl| mirakl.invoices_name_vouchers = false);
    world.seller(2001);
    world.seller(2002);
    world.voucher(1, 2001, 10_000, 0);
    world.fund(100_000);
    world.up_to_operations().await;
    world.pay_day().await;
    world.set("mirakl.voucherSource: billingCycles").await;
    // Another shop had none: its voucher is new.
    world.voucher(2, 2002, 5_000, 0);
    generate_again(&world).await;
    world.pay_day().await;
    assert_eq!(held(&world), [HeldBecause::MayBeKnown]);
    let paid = world.paid_out();
    assert_eq!((paid.get(&wallet_of(2001)), paid.get(&wallet_of(2002))), (Some(&10_000), Some(&5_000)));
    // Once the invoices name their vouchers, it is recognised.
    world.sandbox.mirakl(|mirakl| mirakl.invoices_name_vouchers = true);
    generate_again(&world).await;
    world.pay_day().await;
    assert_eq!(world.operations().len(), 2);
    assert_eq!(world.operations()[0].beneficiary, Beneficiary::Vendor);
    assert_eq!(world.operation(1).amount, euro(10_000));
    assert_eq!(held(&world), []);
    assert_eq!(world.paid_out(), paid, "and nothing was paid again");
}
