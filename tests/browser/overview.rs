//! The overview: progress of the money, payments held back, and vendors that need attention.

use crate::users::sign_in;
use crate::world::Site;

#[tokio::test(flavor = "multi_thread")]
async fn it_shows_how_far_the_money_is_what_is_held_back_and_who_needs_attention() {
    let site = Site::of_sixty_shops().await;
    let browser = site.window().start().await;
    sign_in(&browser, "/dashboard").await;
    browser.sees("Cycle of 11 Nov 2026").await;
    browser.sees("Withdrawn to the bank").await;
    browser.sees("to be transferred").await;
    browser.sees("Held back, by reason").await;
    browser.is_accessible().await;
    browser.screenshot("overview").await;
    let runs = browser.table("table_runs").await;
    assert!(runs.iter().any(|run| run[0] == "Transfer" && run[2].contains("failed")), "{runs:?}");
    assert!(runs.iter().any(|run| run[0] == "Withdraw" && run[2].contains("partly done")), "{runs:?}");
    browser.click("All vendors with a warning").await;
    browser.sees("Wallet account status").await;
    assert_eq!(browser.address().await, "/dashboard/vendors?status=warning");
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_fits_small_and_dark_windows_and_an_empty_marketplace() {
    let site = Site::of_sixty_shops().await;
    for (width, dark) in [(390, false), (390, true), (1024, true), (1440, true)] {
        let window = site.window().width(width);
        let browser = if dark { window.dark() } else { window }.start().await;
        sign_in(&browser, "/dashboard").await;
        browser.sees("to be transferred").await;
        browser.fits_the_window().await;
        browser.is_accessible().await;
        browser.screenshot("overview").await;
        browser.done().await;
    }
    site.stop().await;
    let site = Site::new().await;
    let browser = site.window().without_javascript().start().await;
    sign_in(&browser, "/dashboard").await;
    browser.sees("No cycles yet").await;
    browser.click("Ask HiPay for the balance").await;
    browser.sees("covers what is due").await;
    browser.done().await;
    site.stop().await;
}
