//! The search from every page: by the key /, by a part of a name, and what happened at a minute.

use cashout::config::LogLevel;
use fantoccini::key::Key;

use crate::logs::log;
use crate::users::{is_presentable, signed_in};
use crate::world::Site;

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_name_leads_to_the_shop_in_three_actions() {
    let site = Site::of_sixty_shops().await;
    let browser = signed_in(site.window(), "/dashboard/vendors").await;
    let rows = browser.table("table_vendor").await;
    let (id, name) = (rows[0][0].clone(), rows[0][1].clone());
    // All but the first and the last letter; the names of the market are long enough.
    let part: String = name.chars().skip(1).take(name.chars().count() - 2).collect();

    browser.type_in("/").await;
    assert_eq!(browser.focused().await, "Search everything");
    browser.type_in(&part).await;
    browser.press(Key::Enter).await;
    browser.sees("Closest matches for").await;
    browser.is_accessible().await;
    browser.screenshot("search").await;
    browser.click_in(&format!("Shop {id} "), &name).await;
    browser.is_at(&format!("/dashboard/vendors/{id}")).await;

    // An id leads there at once.
    browser.type_in("/").await;
    browser.type_in(&id).await;
    browser.press(Key::Enter).await;
    browser.is_at(&format!("/dashboard/vendors/{id}")).await;

    // In a field, the key is a sign like any other.
    browser.open("/dashboard/vendors").await;
    browser.fill("Search", "a/b").await;
    assert_eq!(browser.value("Search").await, "a/b");
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_works_without_javascript_and_fits_every_window() {
    let site = Site::of_sixty_shops().await;
    let browser = signed_in(site.window().without_javascript(), "/dashboard").await;
    browser.fill("Search everything", "atelier").await;
    browser.press(Key::Enter).await;
    browser.sees("Search results").await;
    browser.done().await;
    is_presentable(&site, "/dashboard/search?q=ma", "search-hits").await;
    is_presentable(&site, "/dashboard/search", "search-empty").await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_at_a_minute_takes_three_actions() {
    let site = Site::new().await;
    for (at, message) in [
        ("2026-11-08T02:11:59Z", "a minute earlier"),
        ("2026-11-08T02:12:40Z", "HiPay did not answer"),
        ("2026-11-08T02:13:00Z", "a minute later"),
    ] {
        log(&site, at, LogLevel::Warning, "cashout:transfer", None, message).await;
    }
    let browser = signed_in(site.window(), "/dashboard").await;
    browser.click("Logs").await;
    browser.fill("From", "2026-11-08T03:12").await;
    browser.sees("2 rows").await;
    browser.fill("To", "2026-11-08T03:12").await;
    browser.sees("1 row").await;
    assert_eq!(browser.table("table_logs").await[0][4], "HiPay did not answer");
    browser.choose("Lowest level", "ERROR and above").await;
    browser.sees("Nothing matches these filters").await;
    browser.choose("Lowest level", "WARNING and above").await;
    browser.fill("Search", "did NOT").await;
    browser.press(Key::Enter).await;
    browser.sees("1 row").await;
    browser.is_accessible().await;
    browser.screenshot("logs-filtered").await;
    browser.done().await;
    site.stop().await;
}
