//! Incomplete memory: HiPay's ledger decides what was paid, whatever ids its references carry, and also without any.

use cashout::domain::operation::{Beneficiary, Hold, Operation, OperationChoice, PaymentKind, Status};
use cashout::jobs::rebind;
use cashout::sandbox::{Endpoint, Kind, Listed, OtherPayment, Refusal, SandboxOptions};

use crate::market::{Memory, day, each, market, owed, received, until_all_is_paid};
use crate::world::{World, euro, wallet_of};

fn posts(world: &World) -> u64 {
    world.sandbox.traffic(|traffic| traffic.count(Endpoint::Transfer) + traffic.count(Endpoint::Withdrawal))
}

/// Loses the whole data folder and creates a new store.
async fn lose_the_store(world: &mut World) {
    world.release_store().await;
    std::fs::remove_dir_all(world.data()).unwrap();
    world.restart().await;
}

/// Checks that some days later nothing was sent again, and that the store shows the same as HiPay.
async fn nothing_is_paid_again(world: &World) {
    let sent = posts(world);
    until_all_is_paid(world, 3).await;
    assert_eq!(posts(world), sent, "something was sent again");
}

const SHAPES: [Listed; 3] = [Listed::Objects, Listed::Ids, Listed::Summaries];

/// Numbers of batches that had run when the memory was lost.
const MOMENTS: [usize; 3] = [2, 3, 5];

/// Runs the first batches of a paying day.
async fn begin_a_day(world: &World, batches: usize) {
    for command in crate::market::batches().into_iter().take(batches) {
        world.run(command).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_marketplace_id_after_a_restored_backup_pays_nothing_again() {
    let cases = SHAPES.into_iter().flat_map(|listed| MOMENTS.map(|batches| (listed, batches)));
    each(cases, async |(listed, batches)| {
        let mut world = market(SandboxOptions::default(), Memory::Whole).await;
        world.sandbox.hipay(|hipay| hipay.listed = listed);
        world.generate().await;
        world.release_store().await;
        let backup = std::fs::read(world.data().join("store.redb")).unwrap();
        world.restart().await;
        begin_a_day(&world, batches).await;
        world.release_store().await;
        std::fs::write(world.data().join("store.redb"), backup).unwrap();
        world.set("hipay.mkp.technical.id: another-marketplace").await;
        rebind(&world.context).await.unwrap();
        let sent = posts(&world);
        world.transfer().await;
        assert_eq!(posts(&world), sent, "a transfer was sent again");
        until_all_is_paid(&world, 3).await;
        // The outstanding withdrawals of the wallets were made once.
        assert_eq!((world.paid_out(), received(&world)), (owed(&world), owed(&world)));
    })
    .await;
}

/// Checks that payments that HiPay's list omits at first are found nevertheless, and that a list of
/// many pages is read completely.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_ledger_is_read_in_parts() {
    let mut world = market(SandboxOptions::default(), Memory::Whole).await;
    let technical = world.sandbox.credentials().technical_id;
    world.sandbox.hipay(|hipay| {
        for _ in 0..5_600 {
            hipay.fund(technical, euro(1)).unwrap();
        }
    });
    begin_a_day(&world, 5).await;
    world.sandbox.hipay(|hipay| {
        for _ in 0..5_600 {
            hipay.fund(technical, euro(1)).unwrap();
        }
    });
    lose_the_store(&mut world).await;
    world.vendors().await;
    nothing_is_paid_again(&world).await;
}

/// Makes the payments as the previous product did, without references.
fn pay_as_the_former_product(world: &World, withdrawn: bool, label: impl Fn(u64) -> String) {
    let operator = world.sandbox.credentials().operator_id;
    // Voucher 4 compensates the debt of voucher 3.
    let payments = [
        (1, wallet_of(2001), 10_000),
        (1, operator, 300),
        (2, wallet_of(2002), 25_050),
        (2, operator, 600),
        (4, wallet_of(2003), 6_000),
        (4, operator, 1_500),
        (5, wallet_of(2004), 1),
    ];
    world.sandbox.hipay(|hipay| {
        for kind in [Kind::Transfer, Kind::Withdrawal].into_iter().take(if withdrawn { 2 } else { 1 }) {
            for (voucher, account, cents) in payments {
                let payment =
                    OtherPayment { kind, account, amount: euro(cents), label: label(voucher), reference: None };
                hipay.pay_otherwise(payment).expect("HiPay takes it");
            }
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_former_product_paid_without_references_is_told_by_account_amount_and_label() {
    let cases = SHAPES.into_iter().flat_map(|listed| [false, true].map(|withdrawn| (listed, withdrawn)));
    each(cases, async |(listed, withdrawn)| {
        let world = market(SandboxOptions::default(), Memory::Young).await;
        world.sandbox.hipay(|hipay| hipay.listed = listed);
        pay_as_the_former_product(&world, withdrawn, |voucher| format!("Cycle 2026-11-11, voucher {voucher}"));
        for _ in 0..3 {
            day(&world).await;
        }
        assert_eq!((world.paid_out(), received(&world)), (owed(&world), owed(&world)));
        for operation in world.operations().iter().filter(|one| one.status != Status::AdjustedOperations) {
            assert_eq!(operation.status, Status::WithdrawSuccess, "{operation:?}");
            assert_eq!(operation.transfer.attempts[0].reference, "", "{operation:?}");
        }
        let expected = if withdrawn { 0 } else { 7 };
        assert_eq!(posts(&world), expected, "what was not withdrawn yet is withdrawn by us");
    })
    .await;
}

/// Checks payments that match ambiguously: a person has to decide, and the decision is carried out.
#[tokio::test(flavor = "multi_thread")]
async fn what_only_may_be_the_payment_waits_for_a_person() {
    let world = market(SandboxOptions::default(), Memory::Young).await;
    pay_as_the_former_product(&world, true, |_| "Your sales".to_owned());
    world.generate().await;
    world.transfer().await;
    assert_eq!(posts(&world), 0);
    let held: Vec<Operation> = world.operations().into_iter().filter(|one| one.held.is_some()).collect();
    assert_eq!(held.len(), 7, "{held:?}");
    for operation in &held {
        assert_eq!(operation.held_for, Some(Hold::PossiblePayment), "{operation:?}");
        assert_eq!(operation.candidates.len(), 1, "{operation:?}");
        assert!(operation.held.as_deref().is_some_and(|why| why.contains(&operation.candidates[0])), "{operation:?}");
    }
    world.transfer().await;
    world.withdraw().await;
    assert_eq!(posts(&world), 0, "no later run pays it");
    // A person has found that this one was for something else.
    let first = world.operation(1);
    world.choose(first.id, OperationChoice::Retry, "", "finance").await.unwrap();
    world.check_released(&first).await;
}

impl World {
    /// Checks that the next run pays the released operation, once, and no other.
    async fn check_released(&self, released: &Operation) {
        self.transfer().await;
        let paid = self.operation(1);
        assert_eq!((paid.id, paid.status), (released.id, Status::TransferRequested), "{paid:?}");
        assert_eq!(posts(self), 1);
        assert_eq!(paid.dismissed, released.candidates);
        self.transfer().await;
        assert_eq!(posts(self), 1);
    }
}

/// Checks the case of two live payments of one voucher: only a person can decide about it.
#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_that_was_paid_twice_before_is_held_and_told() {
    let mut world = market(SandboxOptions::default(), Memory::Whole).await;
    begin_a_day(&world, 5).await;
    let technical = world.sandbox.credentials().technical_id;
    let again = format!("TRANSFER_SALES_1_{technical}_777");
    world.sandbox.hipay(|hipay| {
        let payment = OtherPayment {
            kind: Kind::Transfer,
            account: wallet_of(2001),
            amount: euro(10_000),
            label: String::new(),
            reference: Some(again),
        };
        hipay.pay_otherwise(payment).expect("HiPay takes it");
    });
    world.check_ledger = false;
    lose_the_store(&mut world).await;
    world.vendors().await;
    world.generate().await;
    let sent = posts(&world);
    world.transfer().await;
    let held = world.operation(1);
    assert_eq!((held.held_for, held.candidates.len()), (Some(Hold::SeveralPayments), 2), "{held:?}");
    assert_eq!(posts(&world), sent);
}

/// Checks that a payment that may have been made waits while the ledger cannot be read; the runs
/// continue once it can, and a person can have it paid earlier.
#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_cannot_be_read_holds_what_memory_does_not_cover() {
    for by_person in [false, true] {
        let world = market(SandboxOptions::default(), Memory::Young).await;
        world.generate().await;
        world.sandbox.hipay(|hipay| {
            hipay.refusals.push(Refusal::code(Endpoint::Transactions, 403).times(1_000));
        });
        world.transfer().await;
        assert_eq!(posts(&world), 0);
        let held = world.operation(1);
        assert_eq!((held.held_for, held.status), (Some(Hold::LedgerUnread), Status::Created), "{held:?}");
        world.transfer().await;
        assert_eq!(world.operation(1).history, held.history, "the same hold is told once");
        if by_person {
            world.choose(held.id, OperationChoice::Retry, "", "finance").await.unwrap();
            world.transfer().await;
            assert_eq!(posts(&world), 1, "only the one that was released");
            world.sync().await;
            // Its withdrawal may have been made as well, so HiPay is asked about it again.
            world.withdraw().await;
            assert_eq!(world.status(1), Status::WithdrawRequested, "{:?}", world.operation(1));
        }
        world.sandbox.hipay(|hipay| hipay.refusals.clear());
        until_all_is_paid(&world, 3).await;
        assert!(world.operation(2).waived.is_empty());
    }
}

/// Checks the restoration of the machine's whole image: seal and store agree, and only HiPay knows the later payments.
#[tokio::test(flavor = "multi_thread")]
async fn an_image_put_back_as_a_whole_is_noticed_and_pays_nothing_again() {
    for batches in [2, 3, 5] {
        let mut world = market(SandboxOptions::default(), Memory::Whole).await;
        world.generate().await;
        let before = world.context.store.memory_since();
        world.release_store().await;
        let image = std::fs::read(world.data().join("store.redb")).unwrap();
        world.restart().await;
        begin_a_day(&world, batches).await;
        world.release_store().await;
        // The same file with its earlier content and seal.
        let opened = std::fs::OpenOptions::new().write(true).truncate(true).open(world.data().join("store.redb"));
        std::io::Write::write_all(&mut opened.unwrap(), &image).unwrap();
        seal_again(&world);
        world.restart().await;
        assert_eq!(world.context.store.memory_since(), before, "the store itself has noticed nothing");
        let sent = posts(&world);
        let batch = world.transfer().await;
        assert_eq!(posts(&world), sent, "a transfer was sent again");
        let told = batch.failures.iter().filter(|one| one.message.contains("7 payments of ours")).count();
        assert_eq!(told, 1, "{:?}", batch.failures);
        let again = world.transfer().await;
        assert!(again.failures.iter().all(|one| !one.message.contains("payments of ours")), "it is told once");
        until_all_is_paid(&world, 3).await;
    }
}

/// Restores the seal that belongs to the image.
fn seal_again(world: &World) {
    let path = world.data().join("store.seal");
    let mut seal: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    // The store was opened and closed once after the image was taken.
    let generation = seal.get_mut("generation").unwrap();
    *generation = (generation.as_u64().unwrap() - 2).into();
    let opened = std::fs::OpenOptions::new().write(true).truncate(true).open(&path);
    std::io::Write::write_all(&mut opened.unwrap(), seal.to_string().as_bytes()).unwrap();
}

/// Checks that the API lists HiPay's ledger with the relation of each entry to our operations.
#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_is_listed_with_what_each_entry_is_to_our_operations() {
    let mut world =
        World::unscheduled(SandboxOptions::default(), &["dashboard.apiToken: a-token-of-this-test-0123456789"]).await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 1_500);
    // More than is available: it stays due, so the next run reads the ledger again.
    world.voucher(2, 2001, 1_000_000, 0);
    world.fund(100_000);
    let technical = world.sandbox.credentials().technical_id;
    // Others pay amounts that no voucher owes.
    world.check_ledger = false;
    world.sandbox.hipay(|hipay| {
        for reference in [Some(format!("TRANSFER_SALES_77_{technical}_9")), None] {
            let (account, label) = (wallet_of(2001), "something else".to_owned());
            let payment = OtherPayment { kind: Kind::Transfer, account, amount: euro(700), label, reference };
            hipay.pay_otherwise(payment).expect("HiPay takes it");
        }
    });
    world.up_to_operations().await;
    world.transfer().await;
    world.transfer().await;
    let appliance = world.serve().await;
    for (matched, expected) in [("matched", 2), ("orphan", 1), ("foreign", 2), ("mismatch", 0)] {
        let url = format!("http://{}/api/v1/transactions?match={matched}", appliance.address());
        let answer = crate::world::http().get(url).bearer_auth("a-token-of-this-test-0123456789").send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let list: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(list["total"], expected, "{matched}: {list}");
        for item in list["items"].as_array().unwrap() {
            assert_eq!(item["account"], technical, "{item}");
            assert_eq!(item["operation"].is_number(), matched == "matched", "{item}");
        }
    }
    appliance.stop().await.unwrap();
}

/// Checks a payment to a former wallet of the shop: the money is withdrawn from that wallet.
#[tokio::test(flavor = "multi_thread")]
async fn money_that_was_sent_to_a_former_wallet_is_withdrawn_from_there() {
    for withdrawn in [false, true] {
        let world = market(SandboxOptions::default(), Memory::Young).await;
        let former = 777_001;
        let technical = world.sandbox.credentials().technical_id;
        world.sandbox.hipay(|hipay| {
            hipay.add(cashout::sandbox::Account::new(former, "former@shops.example").ready(crate::world::IBAN));
            hipay.account_mut(former).unwrap().external_id = Some("2001".to_owned());
            for kind in [Kind::Transfer, Kind::Withdrawal].into_iter().take(if withdrawn { 2 } else { 1 }) {
                let prefix = if kind == Kind::Transfer { "TRANSFER" } else { "WITHDRAWAL" };
                let reference = Some(format!("{prefix}_SALES_1_{technical}_{former}"));
                let (amount, label) = (euro(10_000), String::new());
                hipay
                    .pay_otherwise(OtherPayment { kind, account: former, amount, label, reference })
                    .expect("HiPay takes it");
            }
        });
        for _ in 0..3 {
            day(&world).await;
        }
        let paid = world.operation(1);
        assert_eq!((paid.status, paid.recipient_hipay_id), (Status::WithdrawSuccess, former), "{paid:?}");
        assert_eq!(world.paid_out().get(&former), Some(&10_000));
        assert_eq!(world.paid_out().get(&wallet_of(2001)), None);
        let attempts = (paid.transfer.attempts.len(), paid.withdrawal.attempts.len());
        assert_eq!(attempts, (1, 1), "{paid:?}");
        assert!(paid.payment(PaymentKind::Withdrawal).last().is_some());
        assert_eq!(paid.beneficiary, Beneficiary::Vendor);
    }
}

/// Checks a backup that is restored on a machine whose clock is slow: the payments since the backup
/// seem to be in the future.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_clock_remembers_nothing_that_others_paid_meanwhile() {
    let mut world = market(SandboxOptions::default(), Memory::Whole).await;
    world.generate().await;
    world.release_store().await;
    let backup = std::fs::read(world.data().join("store.redb")).unwrap();
    world.restart().await;
    begin_a_day(&world, 5).await;
    world.clock.advance(jiff::SignedDuration::from_hours(48));
    world.release_store().await;
    std::fs::write(world.data().join("store.redb"), backup).unwrap();
    let sent = posts(&world);
    world.restart_with_the_clock_at("2026-11-10T08:00:00Z".parse().unwrap()).await;
    world.transfer().await;
    assert_eq!(posts(&world), sent, "a transfer was sent again");
    // The right clock makes no difference.
    world.restart().await;
    nothing_is_paid_again(&world).await;
}

/// Checks that a store whose file is missing is not silently created again.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_missing_beside_its_seal_is_not_begun_anew() {
    let mut world = market(SandboxOptions::default(), Memory::Whole).await;
    begin_a_day(&world, 5).await;
    world.release_store().await;
    let (file, seal) = (world.data().join("store.redb"), world.data().join("store.seal"));
    let kept = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let told = world.told(&["cashout:transfer"]).await;
    assert_ne!(told.code, Some(0));
    told.says("is missing, but it was left here").says("store.seal");
    assert!(!file.exists());
    // With the file restored, work continues; without the seal, an empty store is created, and HiPay's ledger is read.
    std::fs::write(&file, kept).unwrap();
    world.restart().await;
    nothing_is_paid_again(&world).await;
    world.release_store().await;
    std::fs::remove_file(&file).unwrap();
    std::fs::remove_file(&seal).unwrap();
    world.restart().await;
    world.vendors().await;
    nothing_is_paid_again(&world).await;
}
