//! Transfers and withdrawals: payments that were made, and those that were not, with the reasons.

use crate::users::sign_in;
use crate::world::Site;

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_has_its_row_and_a_ko_says_why() {
    let site = Site::of_sixty_shops().await;
    let browser = site.window().start().await;
    sign_in(&browser, "/dashboard/transfers").await;
    let columns = browser.columns("table_transfers").await;
    for column in [
        "Mirakl ID",
        "HiPay ID",
        "Payment order Id",
        "Amount",
        "Origin amount",
        "Transfer status",
        "Withdraw status",
        "Balance",
        "Date",
    ] {
        assert!(columns.iter().any(|one| one.contains(column)), "{columns:?}");
    }
    browser.is_accessible().await;
    browser.screenshot("transfers").await;
    browser.choose("Withdraw status", "KO (failed)").await;
    browser.does_not_see("1–50").await;
    let rows = browser.table("table_transfers").await;
    assert!(!rows.is_empty() && rows.iter().all(|row| row[6].contains("KO (failed)")), "{rows:?}");
    browser.click_in(&rows[0][2], "Show message").await;
    browser.screenshot("transfers-message").await;
    browser.choose("Transfer status", "KO (insufficient funds)").await;
    browser.sees("Nothing matches these filters").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_tells_its_whole_story() {
    let site = Site::of_sixty_shops().await;
    let browser = site.window().start().await;
    sign_in(&browser, "/dashboard/transfers?withdraw_status=ok").await;
    let rows = browser.table("table_transfers").await;
    let voucher = rows[0][2].split_whitespace().next().unwrap();
    // A commission has the same payment order as the payment that it belongs to.
    let link = browser.attribute("#table_transfers tbody a", "href").await.unwrap();
    browser.open(&link).await;
    browser.sees("What happened").await;
    browser.sees(&format!("Created from payment order {voucher}")).await;
    browser.sees("Transfer sent to HiPay: Executed").await;
    browser.sees("Withdrawal sent to HiPay: Executed").await;
    browser.is_accessible().await;
    browser.screenshot("operation").await;
    browser.expect_finding("404");
    browser.open("/dashboard/transfers/999999").await;
    browser.sees("There is nothing here").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_fits_small_and_dark_windows() {
    let site = Site::of_sixty_shops().await;
    for (width, dark) in [(390, false), (390, true), (1024, false), (1440, true)] {
        let window = site.window().width(width);
        let browser = if dark { window.dark() } else { window }.start().await;
        sign_in(&browser, "/dashboard/transfers").await;
        browser.fits_the_window().await;
        browser.is_accessible().await;
        browser.screenshot("transfers").await;
        browser.open("/dashboard/transfers/3").await;
        browser.fits_the_window().await;
        browser.is_accessible().await;
        browser.screenshot("operation").await;
        // An operation that a person can decide about.
        browser.open("/dashboard/transfers?withdraw_status=failed").await;
        let link = browser.attribute("#table_transfers tbody a", "href").await.unwrap();
        browser.open(&link).await;
        browser.sees("What you can do").await;
        browser.click("Hold").await;
        browser.fits_the_window().await;
        browser.is_accessible().await;
        browser.screenshot("operation-choices").await;
        browser.done().await;
    }
    site.stop().await;
}
