//! One wallet per shop: an existing one is found whatever the shop's present name, several wait for a
//! person, and the person's decision moves payments that are not sent yet.

use cashout::domain::operation::{Beneficiary, Status};
use cashout::domain::vendor::VendorProblem;
use cashout::jobs::{rebind, set_wallet};
use cashout::sandbox::{Account, Endpoint, Fault, FaultKind, Kind, SandboxOptions, Shop};
use jiff::SignedDuration;

use crate::running::told;
use crate::world::{IBAN, World, euro, wallet_of};

/// Adds a shop that has no wallet yet, with everything that HiPay needs.
fn shop(world: &World, id: u64, name: &str, email: &str) {
    world.sandbox.mirakl(|mirakl| {
        let mut shop = Shop::new(id, name);
        shop.email = Some(email.to_owned());
        shop.hipay_process = Some(true);
        mirakl.shops.push(shop);
    });
}

/// Returns the wallets at HiPay, without the marketplace's own accounts.
fn wallets(world: &World) -> Vec<u64> {
    let own = [world.sandbox.credentials().technical_id, world.sandbox.credentials().operator_id];
    world.sandbox.hipay(|hipay| hipay.accounts.keys().copied().filter(|id| !own.contains(id)).collect())
}

/// Makes every wallet identified, with validated bank details.
fn ready(world: &World) {
    world.sandbox.hipay(|hipay| {
        for account in hipay.accounts.values_mut() {
            *account = account.clone().ready(IBAN);
        }
    });
}

/// Changes a shop's name and e-mail after its wallet was created.
fn rename(world: &World, id: u64) {
    world.clock.advance(SignedDuration::from_hours(1));
    let now = world.clock.now();
    world.sandbox.mirakl(|mirakl| {
        let shop = mirakl.shops.iter_mut().find(|shop| shop.id == id).unwrap();
        "Another name".clone_into(&mut shop.name);
        shop.email = Some("another@shops.example".to_owned());
        shop.updated = now;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_store_finds_the_wallet_of_a_shop_that_is_called_otherwise_by_now() {
    // (the group's list shows logins, shows external ids, wallets in the end)
    for (logins, external_ids, wallets_in_the_end) in [(true, false, 1), (false, true, 1), (false, false, 2)] {
        let mut world = World::with(SandboxOptions::default(), &["cashout.firstCycle: 2026-11-11"]).await;
        world.sandbox.hipay(|hipay| {
            hipay.group_shows_logins = logins;
            hipay.group_shows_external_ids = external_ids;
        });
        shop(&world, 2001, "First name", "first@shops.example");
        world.voucher(1, 2001, 10_000, 1_500);
        world.fund(100_000);
        world.vendors().await;
        ready(&world);
        world.after_the_cycle();
        world.generate().await;
        world.pay_day().await;
        assert_eq!(world.status(1), Status::WithdrawSuccess);
        let paid = world.paid_out();
        let sent = world.sandbox.traffic(|traffic| traffic.count(Endpoint::Transfer));

        world.release_store().await;
        std::fs::remove_dir_all(world.data()).unwrap();
        world.restart().await;
        rename(&world, 2001);
        world.vendors().await;
        assert_eq!(wallets(&world).len(), wallets_in_the_end, "{:?}", world.vendor(2001));
        ready(&world);
        world.generate().await;
        for _ in 0..2 {
            world.pay_day().await;
        }
        assert_eq!(world.paid_out(), paid, "whatever wallet it has, nothing is paid again");
        assert_eq!(world.sandbox.traffic(|traffic| traffic.count(Endpoint::Transfer)), sent);
        assert_eq!(world.status(1), Status::WithdrawSuccess, "{:?}", world.operation(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_wallets_wait_for_a_person_whose_word_is_done() {
    let mut world = World::new().await;
    shop(&world, 2001, "Shop", "shop@shops.example");
    let candidates = [700_001, 700_002];
    world.sandbox.hipay(|hipay| {
        for (id, login) in candidates.into_iter().zip(["mirakl_Old_2001", "mirakl_Older_2001"]) {
            let mut account = Account::new(id, &format!("former{id}@shops.example")).ready(IBAN);
            login.clone_into(&mut account.login);
            account.external_id = Some("2001".to_owned());
            hipay.add(account);
        }
    });
    world.voucher(1, 2001, 10_000, 0);
    world.fund(100_000);
    let batch = world.vendors().await;
    assert_eq!(batch.failed, 1, "{batch:?}");
    let vendor = world.vendor(2001);
    assert_eq!((vendor.hipay_id, vendor.troubles[0].trouble), (None, VendorProblem::SeveralWallets));
    assert_eq!(wallets(&world), candidates, "none was created");
    // Wrong input changes nothing.
    for (wallet, reason, told) in [
        (999_999, "a reason", "shows no account 999999"),
        (world.sandbox.credentials().technical_id, "a reason", "is an account of the marketplace"),
        (700_002, " ", "a reason is required"),
    ] {
        let refused = set_wallet(&world.context, 2001, wallet, reason, "finance").await.unwrap_err();
        assert!(refused.to_string().contains(told), "{refused}");
    }
    world.release_store().await;
    let set = ["vendor:wallet:set", "2001", "700002", "--reason", "as its owner says"];
    told(world.cashout(&set)).await.ends(0).says("the wallet of shop 2001 is 700002 from now on");
    told(world.cashout(&set)).await.ends(2).says("is 700002 already; nothing was changed");
    world.restart().await;
    world.up_to_operations().await;
    world.pay_day().await;
    assert_eq!(world.paid_out().get(&700_002), Some(&10_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_wallet_is_made_before_the_groups_list_was_read() {
    let world = World::new().await;
    shop(&world, 2001, "Shop", "shop@shops.example");
    world.sandbox.strike(Fault::new(FaultKind::Unavailable(None)).at(Endpoint::MerchantGroup).times(4));
    world.vendors().await;
    assert_eq!(wallets(&world).len(), 0);
    assert_eq!(world.vendor(2001).troubles[0].trouble, VendorProblem::WalletNotSettled);
    world.vendors().await;
    assert_eq!(wallets(&world).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_wallet_gets_what_is_not_sent_and_leaves_the_rest_where_it_is() {
    let world = World::new().await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 0);
    world.fund(10_000);
    world.up_to_operations().await;
    world.transfer().await;
    world.sync().await;
    world.voucher(2, 2001, 7_000, 0);
    world.generate().await;
    // The next cycle is not over: its voucher is read nevertheless if the cycle is requested.
    world
        .run(cashout::jobs::Command::CashoutGenerate(cashout::jobs::GenerateArguments {
            cycle_date: Some(crate::world::CYCLE),
            ..Default::default()
        }))
        .await;
    world.transfer().await;
    assert_eq!(world.status(2), Status::TransferNegative);
    world.sandbox.hipay(|hipay| {
        let mut account = Account::new(700_001, "new@shops.example").ready(IBAN);
        account.external_id = Some("2001".to_owned());
        hipay.add(account);
    });
    let change = set_wallet(&world.context, 2001, 700_001, "a new company", "finance").await.unwrap();
    assert_eq!(
        (change.former, change.to_new.sums, change.from_former.sums),
        (Some(wallet_of(2001)), vec![euro(7_000)], vec![euro(10_000)])
    );
    world.fund(100_000);
    world.pay_day().await;
    world.sandbox.hipay(|hipay| {
        let to = |wallet| {
            let place = cashout::sandbox::Place::Account(wallet);
            hipay.ledger.paid().filter(|entry| entry.kind == Kind::Transfer && entry.to == place).count()
        };
        assert_eq!((to(wallet_of(2001)), to(700_001)), (1, 1));
    });
    let paid = world.paid_out();
    assert_eq!((paid.get(&wallet_of(2001)), paid.get(&700_001)), (Some(&10_000), Some(&7_000)));
    let story = &world.operation(2).history;
    assert!(story.iter().any(|line| line.message.contains("a new company")), "{story:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_operators_account_is_confirmed_first_and_then_gets_what_is_not_sent() {
    let mut world = World::new().await;
    world.seller(2001);
    world.voucher(1, 2001, 10_000, 1_500);
    world.up_to_operations().await;
    world.sandbox.hipay(|hipay| {
        hipay.add(Account::new(400_099, "second-operator@marketplace.example").ready(IBAN));
    });
    world.set("account.operator.hipayId: 400099").await;
    world.set("account.operator.email: second-operator@marketplace.example").await;
    let former = world.sandbox.credentials().operator_id;
    let difference = format!("account.operator.hipayId: {former} (store), 400099 (configuration)");
    world.release_store().await;
    told(world.cashout(&["cashout:transfer"])).await.ends(2).says(&difference);
    let bound = told(world.cashout(&["check", "--rebind", "--yes"])).await;
    bound
        .ends(0)
        .says("2 operations (115.00 EUR) are not transferred yet")
        .says("1 commissions among them (15.00 EUR)");
    world.restart().await;
    world.fund(100_000);
    world.pay_day().await;
    assert_eq!(world.paid_out().get(&400_099), Some(&1_500), "{:#?}", world.operations());
    assert_eq!(world.paid_out().get(&former), None);
    let commission = world.operations().into_iter().find(|one| one.beneficiary == Beneficiary::Operator).unwrap();
    assert_eq!(commission.recipient_hipay_id, 400_099);

    // The technical account itself cannot receive commissions.
    let technical = world.sandbox.credentials().technical_id;
    world.set(&format!("account.operator.hipayId: {technical}")).await;
    rebind(&world.context).await.unwrap();
    world.release_store().await;
    told(world.cashout(&["check"])).await.ends(1).says("name the same account");
}
