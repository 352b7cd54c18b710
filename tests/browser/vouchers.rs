//! Every voucher and every line of HiPay's ledger, each with its outcome, and the completion of a
//! voucher without operations.

use cashout::jobs::{Command, GenerateArguments};
use cashout::sandbox::{Kind, OtherPayment, SandboxOptions};

use crate::users::sign_in;
use crate::world::{Site, World, euro, wallet_of};
use fantoccini::key::Key;

/// Makes a site with three vouchers: one with operations, one outside every cycle, one of another provider.
async fn three_vouchers() -> Site {
    let world = World::unscheduled(SandboxOptions::default(), &["cashout.firstCycle: 2026-11-11"]).await;
    for shop in [2001, 2002, 2003] {
        world.seller(shop);
        world.voucher(shop - 2000, shop, 10_000, 500);
    }
    world.sandbox.mirakl(|mirakl| {
        for voucher in &mut mirakl.vouchers {
            match voucher.shop_id {
                2002 => voucher.created = "2026-11-15T12:00:00Z".parse().unwrap(),
                2003 => voucher.pay_out_psp_code = Some("MANGOPAY".to_owned()),
                _ => {}
            }
        }
    });
    world.fund(1_000_000);
    world.vendors().await;
    world.clock.set("2026-11-16T08:00:00Z".parse().unwrap());
    world.run(Command::CashoutGenerate(GenerateArguments::default())).await;
    world.transfer().await;
    Site::of(world).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_without_operations_says_why_and_is_released_or_settled_on_its_page() {
    let site = three_vouchers().await;
    let browser = site.window().start().await;
    sign_in(&browser, "/dashboard/vouchers").await;
    assert_eq!(browser.table("table_vouchers").await.len(), 3);
    browser.is_accessible().await;
    browser.screenshot("vouchers").await;
    browser.open("/dashboard/vouchers?state=outside_cycles").await;
    assert_eq!(browser.table("table_vouchers").await.len(), 1);
    browser.click("2").await;
    browser.sees("No cycle’s window contains the voucher’s date").await;
    browser.is_accessible().await;
    browser.click("Release").await;
    browser.sees("creates its operations").await;
    browser.screenshot("voucher").await;
    browser.fill("Reason", "it is owed").await;
    browser.press(Key::Enter).await;
    browser.sees("An operator has released it").await;
    browser.sees("Decisions").await;
    site.world.run(Command::CashoutGenerate(GenerateArguments::default())).await;
    browser.reload().await;
    browser.sees("Has operations").await;
    browser.does_not_see("What you can do").await;

    browser.open("/dashboard/vouchers?state=paid_elsewhere").await;
    browser.click("3").await;
    browser.sees("another provider pays this voucher out").await;
    browser.click("Settle").await;
    browser.fill("Reason", "MANGOPAY has paid it").await;
    browser.press(Key::Enter).await;
    browser.sees("MANGOPAY has paid it").await;
    browser.sees("no operation is created").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hipays_ledger_shows_what_each_line_is_to_an_operation() {
    let mut site = three_vouchers().await;
    // Other parties pay as well.
    site.world.check_ledger = false;
    let world = &site.world;
    let payment = |reference: &str| OtherPayment {
        kind: Kind::Transfer,
        account: wallet_of(2002),
        amount: euro(1_234),
        label: "by hand".to_owned(),
        reference: Some(reference.to_owned()).filter(|reference| !reference.is_empty()),
    };
    world.sandbox.hipay(|hipay| {
        hipay.pay_otherwise(payment("")).unwrap();
        hipay.pay_otherwise(payment("TRANSFER_SALES_77_1_2")).unwrap();
    });
    world.sync().await;
    world.clock.advance(jiff::SignedDuration::from_hours(24));
    world.sync().await;
    let browser = site.window().start().await;
    sign_in(&browser, "/dashboard/transactions").await;
    browser.is_accessible().await;
    browser.screenshot("transactions").await;
    for (matched, word, rows) in [
        ("matched", "One of ours", 2),
        ("foreign", "Not ours", 2),
        ("orphan", "Ours, but unknown here", 1),
        ("mismatch", "Nothing matches these filters", 0),
    ] {
        browser.open(&format!("/dashboard/transactions?match={matched}")).await;
        browser.sees(word).await;
        assert_eq!(browser.table("table_transactions").await.len(), rows, "{matched}");
    }
    browser.open("/dashboard/transactions?match=matched").await;
    let link = browser.attribute("#table_transactions tbody a", "href").await.unwrap();
    browser.open(&link).await;
    browser.sees("What happened").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_lists_fit_small_and_dark_windows() {
    let site = three_vouchers().await;
    for (width, dark) in [(390, false), (1024, true)] {
        let window = site.window().width(width);
        let browser = if dark { window.dark() } else { window }.start().await;
        sign_in(&browser, "/dashboard/vouchers").await;
        for path in ["/dashboard/vouchers", "/dashboard/transactions", "/dashboard/vouchers?state=outside_cycles"] {
            browser.open(path).await;
            browser.fits_the_window().await;
            browser.is_accessible().await;
        }
        browser.click("2").await;
        browser.fits_the_window().await;
        browser.is_accessible().await;
        browser.screenshot("voucher").await;
        browser.done().await;
    }
    site.stop().await;
}
