//! Retrying payments that were not made.

use cashout::domain::operation::{Operation, Status};
use cashout::store::{Query, View};

use crate::users::sign_in;
use crate::world::Site;

impl Site {
    async fn with_status(&self, status: Status) -> Vec<Operation> {
        let query = Query::group(Operation::BY_STATUS, status.code()).limit(200);
        self.world.context.store.reading(move |reader| reader.page(&query)).await.unwrap().items
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_matches_is_taken_up_again_once_number_and_total_were_confirmed() {
    let site = Site::of_sixty_shops().await;
    let short = site.with_status(Status::TransferNegative).await;
    assert!(!short.is_empty());
    let browser = site.window().start().await;
    sign_in(&browser, &format!("/dashboard/transfers/{}", short[0].id)).await;
    browser.sees("The technical account did not hold enough").await;
    browser.open("/dashboard/transfers?transfer_status=insufficient_funds").await;
    browser.click("Retry").await;
    let total: i64 = short.iter().map(|operation| operation.amount.minor()).sum();
    browser.sees(&format!("{} operation", short.len())).await;
    let cents = format!("{:02}", total % 100);
    assert!(browser.text().await.contains(&format!(".{cents} EUR")), "the total is told");
    browser.sees("Nothing is paid twice").await;
    browser.is_accessible().await;
    browser.screenshot("retry").await;
    assert_eq!(browser.table("table_retry").await.len(), short.len());

    // Meanwhile another person funds the account and runs the batch.
    site.world.fund(10_000_000);
    site.world.transfer().await;
    browser.expect_finding("409");
    browser.click("Retry").await;
    browser.sees("None of these failed").await;
    browser.sees("Something has changed since this page was shown").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_operation_says_why_it_was_not_paid_and_is_sent_once_that_is_mended() {
    let site = Site::of_sixty_shops().await;
    let short = site.with_status(Status::TransferNegative).await;
    site.world.fund(10_000_000);
    let browser = site.window().start().await;
    sign_in(&browser, &format!("/dashboard/transfers/{}", short[0].id)).await;
    browser.sees("Status and next step").await;
    browser.screenshot("operation-failed").await;
    browser.click("Retry").await;
    browser.sees("1 operation").await;
    // The button has the name of the link that led here.
    browser.sees("Nothing is paid twice").await;
    browser.click("Retry").await;
    // The page follows the batch by itself, and shows what has become of the operation.
    browser.sees("Retry: result").await;
    browser.sees("current status").await;
    browser.sees("Being transferred").await;
    browser.is_accessible().await;
    browser.screenshot("retry-result").await;
    assert!(site.with_status(Status::TransferNegative).await.is_empty());
    browser.done().await;
    site.stop().await;
}
