//! The vendors, with the states of their wallets and their problems.

use cashout::sandbox::{Endpoint, Fault, FaultKind, FaultPlan};
use cashout::text::Locale;
use cashout::text::Texts;
use fantoccini::key::Key;

use crate::users::{sign_in, signed_in};
use crate::world::{Site, wallet_of};

#[tokio::test(flavor = "multi_thread")]
async fn every_vendor_has_its_row_with_a_message_where_something_is_wrong() {
    let site = Site::of_sixty_shops().await;
    let browser = site.window().start().await;
    sign_in(&browser, "/dashboard/vendors").await;
    let columns = browser.columns("table_vendor").await;
    for column in ["Mirakl ID", "Login", "Status", "Wallet account status", "HiPay ID", "Date", "Documents sent"] {
        assert!(columns.iter().any(|one| one.contains(column)), "{columns:?}");
    }
    let rows = browser.table("table_vendor").await;
    assert_eq!(rows.len(), 50);
    browser.sees("57 rows").await;
    let wrong = rows.iter().find(|row| row[3].contains("warning")).unwrap();
    browser.click_in(&wrong[0], "Show message").await;
    browser.press(Key::Escape).await;
    browser.is_accessible().await;
    browser.screenshot("vendors").await;

    browser.click("Next →").await;
    browser.sees("51–57").await;
    assert_eq!(browser.table("table_vendor").await.len(), 7);
    browser.click("← Previous").await;
    browser.sees("1–50").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_change_the_list_in_place_and_stand_in_the_address() {
    let site = Site::of_sixty_shops().await;
    let browser = site.window().start().await;
    sign_in(&browser, "/dashboard/vendors").await;
    browser.choose("Status", "warning").await;
    browser.does_not_see("57 rows").await;
    assert_eq!(browser.address().await, "/dashboard/vendors?status=warning&per_page=50");
    let rows = browser.table("table_vendor").await;
    assert!(!rows.is_empty() && rows.iter().all(|row| row[3].contains("warning")), "{rows:?}");
    browser.choose("Wallet account status", "not identified").await;
    browser.does_not_see(&format!("{} rows", rows.len())).await;
    let fewer = browser.table("table_vendor").await;
    assert!(fewer.len() < rows.len() && fewer.iter().all(|row| row[4].contains("not identified")), "{fewer:?}");

    let export = browser.download("/dashboard/vendors.csv?status=warning").await;
    assert_eq!(export.text().lines().count(), rows.len() + 1);

    browser.reload().await;
    assert_eq!(browser.table("table_vendor").await.len(), fewer.len());
    browser.back().await;
    browser.sees(&format!("{} rows", rows.len())).await;
    browser.click("Show all").await;
    browser.sees("57 rows").await;
    browser.fill("Search", &rows[0][0]).await;
    browser.press(Key::Enter).await;
    browser.sees("1 row").await;
    browser.fill("From", "2030-01-01").await;
    browser.sees("Nothing matches these filters").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_of_a_vendor_are_shown_as_hipay_shows_them() {
    let site = Site::of_sixty_shops().await;
    let browser = site.window().start().await;
    sign_in(&browser, "/dashboard/vendors").await;
    let rows = browser.table("table_vendor").await;
    browser.click_in(&rows[0][0], "Show details").await;
    browser.sees("As HiPay shows them").await;
    browser.sees("Identity of the legal representative").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_works_narrow_dark_french_without_javascript_and_with_the_keyboard_alone() {
    let site = Site::of_sixty_shops().await;
    for (width, dark) in [(390, false), (390, true), (1024, true), (1440, true)] {
        let window = site.window().width(width);
        let browser = if dark { window.dark() } else { window }.start().await;
        sign_in(&browser, "/dashboard/vendors").await;
        browser.fits_the_window().await;
        browser.is_accessible().await;
        browser.screenshot("vendors").await;
        browser.done().await;
    }
    let browser = site.window().without_javascript().start().await;
    sign_in(&browser, "/dashboard/vendors").await;
    browser.click("Français").await;
    browser.sees("Statut du compte").await;
    browser.choose("Statut du compte", "identifié").await;
    browser.click("Filtrer").await;
    browser.sees("lignes").await;
    let rows = browser.table("table_vendor").await;
    assert!(rows.iter().all(|row| row[4].contains("identifié")), "{rows:?}");
    browser.click_in(&rows[0][0], "Afficher le détail").await;
    browser.click_in(&rows[0][0], &format!("Justificatifs de la boutique {}", rows[0][0])).await;
    browser.sees("Tels que HiPay les affiche").await;
    browser.done().await;

    let browser = site.window().start().await;
    sign_in(&browser, "/dashboard/vendors").await;
    browser.press(Key::Tab).await;
    assert_eq!(browser.focused().await, "Skip to the content");
    browser.press(Key::Enter).await;
    browser.press(Key::Tab).await;
    assert_eq!(browser.focused().await, "Search");
    browser.type_in("mirakl_").await;
    browser.press(Key::Enter).await;
    browser.sees("rows").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_hipay_does_not_show_are_told_apart_from_no_answer() {
    let site = Site::new().await;
    site.world.seller(7);
    site.world.vendors().await;
    let browser = site.window().start().await;
    sign_in(&browser, "/dashboard/vendors/7/documents").await;
    browser.sees("As HiPay shows them").await;

    let cut = Fault::new(FaultKind::ServerError).at(Endpoint::Documents).times(1_000);
    site.world.sandbox.strike(cut);
    browser.reload().await;
    browser.sees("HiPay does not answer at the moment").await;

    site.world.sandbox.faults(|faults| *faults = FaultPlan::default());
    site.world.sandbox.hipay(|hipay| hipay.accounts.remove(&wallet_of(7)));
    browser.reload().await;
    browser.sees("HiPay does not show them").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_is_told_in_the_language_of_the_page_with_what_to_do() {
    let site = Site::new().await;
    site.world.seller(7);
    site.world.sandbox.mirakl(|mirakl| mirakl.shops[0].email = None);
    site.world.vendors().await;
    for (language, show, told) in [
        ("en", "Show message", Texts::of(Some(Locale::English)).text("trouble-no-email", &[])),
        ("fr", "Afficher le message", Texts::of(Some(Locale::French)).text("trouble-no-email", &[])),
    ] {
        let browser = signed_in(site.window().language(language), "/dashboard/vendors").await;
        browser.does_not_see(&told).await;
        browser.click(show).await;
        browser.sees(&told).await;
        browser.done().await;
    }
    site.stop().await;
}
