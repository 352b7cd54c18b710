//! HiPay's notifications, and their outcomes.

use cashout::domain::inbox::NotificationState;
use cashout::sandbox::Delivery;

use crate::notices::{Notice, post, until};
use crate::payments::{HOSTILE, enterprise, notice};
use crate::users::{is_presentable, signed_in};
use crate::world::{Site, wallet_of};

const FORM: &str = "application/x-www-form-urlencoded";

/// Escapes text for XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Makes a site that received notifications about an identification, a refused document with hostile
/// text, an unknown transfer, and a payment, twice.
pub(crate) async fn told() -> Site {
    let site = Site::new().await;
    site.world.seller(7);
    site.world.vendors().await;
    let to = site.base().trim_start_matches("http://").parse().unwrap();
    let wallet = wallet_of(7);
    let words = escaped(&format!("{HOSTILE}{}", "very long ".repeat(1_000)));
    for notice in [
        Notice::new("identification", "ok", wallet),
        Notice::new("document_validation", "nok", wallet).with("document_type", "1").with("message", &words),
        Notice::new("capture", "ok", wallet).of("5d935783d9cd316415", "12.00"),
    ] {
        assert_eq!(notice.send(to).await, 204);
    }
    for _ in 0..2 {
        assert_eq!(enterprise(&site).send_body(FORM, notice(&[]).as_bytes()).await, Delivery::Answered(204));
    }
    until("all four are dealt with", || {
        let known = site.world.notifications();
        known.len() == 4 && known.iter().all(|one| one.state != NotificationState::Received)
    })
    .await;
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_are_listed_with_what_came_of_them() {
    let site = told().await;
    let browser = signed_in(site.window(), "/dashboard/vendors").await;
    browser.click("Notifications").await;
    browser.sees("4 rows").await;
    assert_eq!(
        browser.columns("table_notifications").await,
        ["Notification", "Kind", "Action", "State", "About", "Mirakl ID", "Result", "Repeats", "Received ▼"]
    );
    let rows = browser.table("table_notifications").await;
    let of = |action: &str| rows.iter().find(|row| row[2] == action).unwrap().clone();
    assert_eq!(
        of("118 Captured")[1..8],
        ["Payment", "118 Captured", "processed", "132255767588", "—", "payment 132255767588: 118 Captured", "1"]
    );
    assert_eq!(of("capture")[3..7], ["waiting", "5d935783d9cd316415", "—", "no operation has this transaction (yet)"]);
    assert_eq!(of("identification")[3..6], ["processed", "account 500007", "7"]);

    browser.choose("State", "waiting").await;
    browser.sees("1 row").await;
    assert_eq!(browser.address().await, "/dashboard/notifications?state=waiting&per_page=50");
    let file = browser.download(&browser.attribute(".summary a", "href").await.unwrap()).await;
    assert_eq!(file.text().lines().count(), 2, "{}", file.text());
    assert!(file.text().contains(",wallet,waiting,capture,5d935783d9cd316415,500007,,"), "{}", file.text());
    for (query, rows) in [("kind=payment", 1), ("q=5d93", 1), ("state=unmatched", 0), ("from=2026-11-09", 4)] {
        browser.open(&format!("/dashboard/notifications?{query}")).await;
        assert_eq!(browser.table("table_notifications").await.len(), rows, "{query}");
    }
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_shows_what_was_sent_and_leads_to_what_it_did() {
    let site = told().await;
    let browser = signed_in(site.window(), "/dashboard/vendors").await;
    browser.open("/dashboard/notifications?kind=payment").await;
    browser.click_in("118 Captured", "4").await;
    browser.sees("Notification 4").await;
    browser.sees("payment_method%5Bpan%5D=400000******0001").await;
    browser.click("Payment 132255767588").await;
    browser.sees("118 Captured").await;
    browser.click_in("Attempt", "4").await;
    browser.sees("Content").await;
    browser.open("/dashboard/notifications/1").await;
    browser.sees("HiPay has identified the vendor").await;
    browser.sees("Shop 7").await;
    browser.expect_finding("404");
    browser.open("/dashboard/notifications/999").await;
    browser.sees("There is nothing here").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_replayed_and_says_what_came_of_it() {
    let site = told().await;
    for (window, tries) in [(site.window(), 2), (site.window().without_javascript(), 3)] {
        let browser = signed_in(window, "/dashboard/vendors").await;
        browser.open("/dashboard/notifications/3").await;
        browser.sees("no operation has this transaction (yet)").await;
        browser.click("Replay").await;
        browser.sees("It is being processed again.").await;
        browser.is_accessible().await;
        browser.screenshot("notification-replayed").await;
        until("it is tried again", || site.world.notifications()[2].tries == tries).await;
        browser.click("Show the current state").await;
        browser.does_not_see("It is being processed again.").await;
        browser.sees("waiting").await;
        // A notification that was applied offers no such action.
        browser.open("/dashboard/notifications/1").await;
        browser.sees("HiPay has identified the vendor").await;
        assert_eq!(browser.count("form.replay").await, 0);
        browser.done().await;
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_sent_is_shown_as_text_and_cut() {
    let site = told().await;
    let long = "very long ".repeat(400);
    for window in [site.window(), site.window().without_javascript(), site.window().width(390)] {
        let browser = signed_in(window, "/dashboard/vendors").await;
        browser.open("/dashboard/notifications").await;
        browser.sees("HiPay has refused a document").await;
        assert!(!browser.text().await.contains("very long very long"));
        browser.fits_the_window().await;
        browser.open("/dashboard/notifications/2").await;
        browser.sees("&lt;script&gt;alert('x')").await;
        assert!(!browser.text().await.contains(&long));
        browser.click("Show all of it (10,301 characters)").await;
        browser.sees(&long).await;
        browser.is_accessible().await;
        browser.fits_the_window().await;
        assert_eq!(browser.count("main script, main b, main table").await, 0);
        browser.done().await;
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_look_alike_on_every_screen() {
    let site = told().await;
    is_presentable(&site, "/dashboard/notifications", "notifications").await;
    is_presentable(&site, "/dashboard/notifications/2", "notification").await;
    let browser = signed_in(site.window(), "/dashboard/vendors").await;
    browser.open("/dashboard/notifications").await;
    browser.click("Français").await;
    browser.sees("Résultat").await;
    browser.is_accessible().await;
    browser.screenshot("notifications-fr").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_told_in_number() {
    let site = Site::new().await;
    let browser = signed_in(site.window(), "/dashboard/vendors").await;
    browser.open("/dashboard/notifications").await;
    browser.sees("None has been refused since this service started, 9 Nov 2026, 09:00.").await;

    let to = site.base().trim_start_matches("http://").parse().unwrap();
    let forged = Notice::new("identification", "ok", wallet_of(7)).salted("guessed");
    for _ in 0..2 {
        assert_eq!(forged.send(to).await, 401);
    }
    assert_eq!(post(to, "/notifications/wallet", "no notice").await.0, 400);
    browser.reload().await;
    let told = "3 notifications have been refused since this service started, 9 Nov 2026, 09:00: \
                2 not signed by HiPay, 1 unreadable.";
    browser.sees(told).await;
    browser.open("/dashboard").await;
    browser.sees(told).await;
    browser.is_accessible().await;
    browser.done().await;

    let browser = signed_in(site.window().width(390), "/dashboard/vendors").await;
    browser.open("/dashboard?lang=fr").await;
    browser.sees("3 notifications ont été refusées").await;
    browser.sees("2 sans signature valable de HiPay, 1 illisible.").await;
    browser.fits_the_window().await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_of_an_operation_leads_to_the_notifications_that_it_tells_of() {
    let site = Site::new().await;
    site.world.fund(100_000);
    site.world.seller(7);
    site.world.voucher(1, 7, 8_300, 0);
    site.world.up_to_operations().await;
    site.world.transfer().await;
    let operation = site.world.operation(1);
    let transaction = operation.transaction_ids().next().unwrap().to_owned();
    let to = site.base().trim_start_matches("http://").parse().unwrap();
    assert_eq!(Notice::new("capture", "ok", wallet_of(7)).of(&transaction, "83.00").send(to).await, 204);
    until("it is dealt with", || site.world.notifications().iter().all(|one| !one.state.is_open())).await;

    let browser = signed_in(site.window(), "/dashboard/vendors").await;
    browser.open(&format!("/dashboard/transfers/{}", operation.id)).await;
    browser.sees("HiPay notification: capture").await;
    browser.click_in("HiPay notification: capture", "1").await;
    browser.is_at("/dashboard/notifications/1").await;
    browser.sees(&transaction).await;
    browser.done().await;
    site.stop().await;
}
