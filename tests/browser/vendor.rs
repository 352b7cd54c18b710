//! One vendor, with all its data on one page.

use cashout::logs::LogLine;
use cashout::sandbox::Shop;
use cashout::store::Writer;
use serde_json::json;

use crate::notices::{Notice, until};
use crate::payments::HOSTILE;
use crate::users::{is_presentable, signed_in};
use crate::world::{Site, wallet_of};

/// Makes a site with a seller who was paid once, and a shop without an e-mail and with a hostile name.
async fn two_vendors() -> Site {
    let site = Site::new().await;
    let world = &site.world;
    world.seller(7);
    world.voucher(1, 7, 10_000, 0);
    world.fund(100_000);
    world.sandbox.mirakl(|mirakl| {
        let mut shop = Shop::new(70, &format!("{HOSTILE}{}", "very long ".repeat(1_000)));
        shop.email = None;
        shop.hipay_process = Some(true);
        mirakl.shops.push(shop);
    });
    world.up_to_operations().await;
    world.transfer().await;
    world.sync().await;
    world.withdraw().await;
    world.sync().await;
    let to = site.base().trim_start_matches("http://").parse().unwrap();
    assert_eq!(Notice::new("identification", "ok", wallet_of(7)).send(to).await, 204);
    until("the notice is dealt with", || world.notifications().iter().all(|one| !one.state.is_open())).await;
    for (id, shop, level, message) in [(1, 7, 300, "a line about shop 7"), (2, 70, 400, HOSTILE)] {
        let line = json!({ "id": id, "at": world.clock.now(), "level": level, "action": "vendor:process",
            "mirakl_id": shop, "message": message });
        let line: LogLine = serde_json::from_value(line).unwrap();
        world.context.store.write(move |writer: &mut Writer<'_>| writer.put(&line)).await.unwrap();
    }
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_shows_everything_that_is_known_of_it() {
    let site = two_vendors().await;
    let browser = signed_in(site.window(), "/dashboard/vendors").await;
    browser.click("7").await;
    for said in [
        "Shop 7",
        "success",
        "identified",
        "500007",
        "validated",
        "open",
        "Nothing prevents payments to this vendor.",
        "HiPay has identified the vendor (already known)",
        "a line about shop 7",
    ] {
        browser.sees(said).await;
    }
    let operations = browser.table("table_operations").await;
    assert_eq!(operations.len(), 1, "the other shop's are not here: {operations:?}");
    assert_eq!(operations[0][..4], ["1 Vendor", "100.00 EUR", "OK", "OK"]);
    assert_eq!(browser.table("table_lines").await[0][1..], ["WARNING", "vendor:process", "a line about shop 7"]);
    browser.click("Show details").await;
    browser.sees("As HiPay shows them,").await;

    browser.click("All transfers and withdrawals of this shop").await;
    browser.sees("1 row").await;
    assert_eq!(browser.address().await, "/dashboard/transfers?mirakl_id=7");
    assert_eq!(browser.value("Mirakl ID").await, "7");
    browser.click("1").await;
    browser.sees("What happened").await;
    browser.click("7").await;
    browser.sees("Nothing prevents payments").await;
    browser.expect_finding("404");
    browser.open("/dashboard/vendors/999").await;
    browser.sees("There is nothing here").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_vendor_is_said_in_full_whatever_its_name() {
    let site = two_vendors().await;
    for window in [site.window(), site.window().without_javascript(), site.window().width(390)] {
        let documents =
            if window.scripts { "There is no wallet yet, so nothing was sent." } else { "Documents of shop 70" };
        let browser = signed_in(window, "/dashboard/vendors").await;
        browser.open("/dashboard/vendors/70").await;
        browser.sees("Shop 70").await;
        browser.sees("<script>alert('x')</script>").await;
        browser.sees("Open issues").await;
        browser.sees("Who has to act:").await;
        browser.sees("No operations for this shop yet.").await;
        assert!(!browser.text().await.contains(&"very long ".repeat(10)));
        browser.click("Show details").await;
        browser.sees(documents).await;
        browser.is_accessible().await;
        browser.fits_the_window().await;
        assert_eq!(browser.count("main script, main b, main td table").await, 0);
        browser.done().await;
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_looks_alike_on_every_screen() {
    let site = two_vendors().await;
    is_presentable(&site, "/dashboard/vendors/7", "vendor").await;
    let browser = signed_in(site.window(), "/dashboard/vendors").await;
    browser.open("/dashboard/vendors/70").await;
    browser.screenshot("vendor-warning").await;
    browser.click("Français").await;
    browser.sees("Qui doit agir").await;
    browser.is_accessible().await;
    browser.screenshot("vendor-warning-fr").await;
    browser.done().await;
    site.stop().await;
}
