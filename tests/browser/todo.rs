//! The work list: who has to act, why, on how much, and the way to exactly those rows.

use crate::users::sign_in;
use crate::world::Site;

#[tokio::test(flavor = "multi_thread")]
async fn each_figure_leads_to_its_rows_and_a_failed_group_to_its_retry() {
    let site = Site::of_sixty_shops().await;
    let browser = site.window().start().await;
    sign_in(&browser, "/dashboard").await;
    browser.sees("Needs action").await;
    browser.click("To do").await;
    browser.is_at("/dashboard/todo").await;
    browser.sees("Everything that is not paid yet").await;
    browser.is_accessible().await;
    browser.screenshot("todo").await;
    let groups = browser.table("table_todo_marketplace").await;
    assert!(!groups.is_empty());
    for group in &groups {
        let (reason, count) = (&group[0], &group[1]);
        let number: usize = count.split(' ').next().unwrap().parse().unwrap();
        browser.open("/dashboard/todo").await;
        browser.click(reason).await;
        let table = if count.contains("voucher") { "table_vouchers" } else { "table_transfers" };
        assert_eq!(browser.table(table).await.len(), number, "{reason}");
        // The reason stays while another filter changes.
        browser.sees(&format!("{number} row")).await;
        browser.is_accessible().await;
        browser.screenshot("todo-rows").await;
    }
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_fits_small_and_dark_windows_and_speaks_french() {
    let site = Site::of_sixty_shops().await;
    for (width, dark, language) in [(390, false, "fr"), (390, true, "en"), (1024, true, "fr"), (1280, false, "fr")] {
        let window = site.window().width(width).language(language);
        let browser = if dark { window.dark() } else { window }.start().await;
        sign_in(&browser, "/dashboard/todo").await;
        browser.fits_the_window().await;
        browser.is_accessible().await;
        browser.screenshot("todo").await;
        browser.done().await;
    }
    site.stop().await;
}
