//! Cycles: whether the last one was paid, and the sheet of one, on the screen and on paper.

use serde_json::json;

use crate::users::{is_presentable, sign_in};
use crate::world::Site;

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_of_a_cycle_lead_to_their_rows() {
    let site = Site::of_sixty_shops().await;
    let browser = site.window().start().await;
    sign_in(&browser, "/dashboard/cycles").await;
    browser.sees("1 cycle").await;
    browser.sees("Needs action").await;
    let cycles = browser.table("table_cycles").await;
    assert_eq!((cycles.len(), cycles[0][0].as_str()), (1, "11 Nov 2026"), "{cycles:?}");
    browser.click("11 Nov 2026").await;
    browser.is_at("/dashboard/cycles/2026-11-11").await;
    browser.sees("Each sum equals the vouchers in Mirakl.").await;
    let lines = browser.table("table_cycle_EUR").await;
    assert_eq!((lines[0][0].as_str(), lines[lines.len() - 1][0].as_str()), ("Vouchers in Mirakl", "Sum"));
    assert_eq!(lines[0][2], lines[lines.len() - 1][2], "{lines:?}");
    let groups = browser.table("table_todo_cycle").await;
    assert!(!groups.is_empty());
    for group in &groups {
        let (reason, count) = (&group[0], &group[2]);
        let number: usize = count.split(' ').next().unwrap().parse().unwrap();
        browser.open("/dashboard/cycles/2026-11-11").await;
        browser.click(reason).await;
        let table = if count.contains("voucher") { "table_vouchers" } else { "table_transfers" };
        // A page has fifty rows at most.
        assert_eq!(browser.table(table).await.len(), number.min(50), "{reason}");
        browser.sees(&format!("{number} row")).await;
    }
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_pages_are_presentable_and_speak_french() {
    let site = Site::of_sixty_shops().await;
    is_presentable(&site, "/dashboard/cycles", "cycles").await;
    is_presentable(&site, "/dashboard/cycles/2026-11-11", "cycle").await;
    let browser = site.window().width(390).language("fr").start().await;
    sign_in(&browser, "/dashboard/cycles/2026-11-11").await;
    browser.sees("Bons de paiement dans Mirakl").await;
    browser.fits_the_window().await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_printed_sheet_has_every_column_and_no_navigation() {
    let site = Site::of_sixty_shops().await;
    // The printable width of A4 at 96 pixels an inch, without its margins.
    let browser = site.window().width(703).start().await;
    for path in ["/dashboard/cycles", "/dashboard/cycles/2026-11-11"] {
        if path == "/dashboard/cycles" {
            sign_in(&browser, path).await;
        } else {
            browser.open(path).await;
        }
        browser.devtools("Emulation.setEmulatedMedia", &json!({ "media": "print" })).await;
        browser.fits_the_window().await;
        let visible = "return [...document.querySelectorAll('.top nav, .back, .filters, td .button, .stages')]
            .filter(one => one.checkVisibility()).length";
        assert_eq!(browser.execute(visible, Vec::new()).await.unwrap(), json!(0), "{path}");
        assert_eq!(browser.style("body", "background-color").await, "rgb(255, 255, 255)");
        browser.screenshot(&format!("print{}", path.replace('/', "-"))).await;
        browser.devtools("Emulation.setEmulatedMedia", &json!({ "media": "" })).await;
    }
    // Paper is laid out differently from the screen.
    browser.allow_finding("layout shift");
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_marketplace_has_no_cycle_yet() {
    let site = Site::new().await;
    let browser = site.window().without_javascript().start().await;
    sign_in(&browser, "/dashboard/cycles").await;
    browser.sees("No cycles yet").await;
    browser.done().await;
    site.stop().await;
}
