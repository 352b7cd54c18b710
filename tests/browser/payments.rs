//! Customers' payments, as reported by HiPay Enterprise.

use std::time::Duration;

use cashout::domain::payment::CustomerPayment;
use cashout::domain::settlement::Settlement;
use cashout::sandbox::Delivery;
use cashout::sandbox::enterprise::{Customers, Enterprise, EnterpriseNotice};
use cashout::store::View;

use crate::browser::Browser;
use crate::notices::until;
use crate::users::{is_presentable, signed_in};
use crate::world::Site;

/// The example of HiPay's documentation, byte for byte.
const EXAMPLE: &str = include_str!("../fuzz/corpus/enterprise/documented.form");
const FORM: &str = "application/x-www-form-urlencoded";

/// Text that must not break a page: markup, quotes, a change of direction, four bytes.
pub(crate) const HOSTILE: &str = "<script>alert('x')</script> \"quoted\" \u{202e}drawkcab\u{202c} 🛒 </td></table>";

/// Makes a HiPay Enterprise that sends notifications to this site.
pub(crate) fn enterprise(site: &Site) -> Enterprise {
    let passphrase = site.world.sandbox.credentials().enterprise_passphrase.expose().to_owned();
    Enterprise::new(format!("{}/notifications/enterprise", site.base()), passphrase)
}

/// Waits until this number of payments is known.
pub(crate) async fn known(site: &Site, payments: u64) {
    let come = async {
        while site.world.context.store.read(|reader| reader.total::<CustomerPayment>()).unwrap() < payments {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), come).await.expect("the payments are told of");
}

/// Returns the documented example with some fields changed.
pub(crate) fn notice(changes: &[(&str, &str)]) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for pair in EXAMPLE.split('&') {
        let (name, value) = pair.split_once('=').unwrap();
        let told = changes.iter().find(|(changed, _)| *changed == name).map_or(value, |(_, value)| value);
        form.append_pair(name, told);
    }
    let known = |name: &str| EXAMPLE.split('&').any(|pair| pair.split_once('=').unwrap().0 == name);
    for (name, value) in changes.iter().filter(|(name, _)| !known(name)) {
        form.append_pair(name, value);
    }
    form.finish()
}

/// Makes a site that received three payments: the documented one, one declined and one test with hostile text.
async fn told() -> Site {
    let site = Site::new().await;
    let hipay = enterprise(&site);
    let long = "very long ".repeat(1_000);
    let declined = notice(&[
        ("transaction_reference", "200000000001"),
        ("status", "113"),
        ("state", "declined"),
        ("message", "Refused"),
        ("reason[code]", "4010201"),
        ("reason[message]", "Declined: insufficient funds"),
        ("captured_amount", "0.00"),
        ("order[id]", "HiPay-120035"),
    ]);
    let hostile = notice(&[
        ("transaction_reference", "<b>&\"1"),
        ("test", "true"),
        ("status", "777"),
        ("message", HOSTILE),
        ("order[id]", &format!("{HOSTILE}{long}")),
        ("payment_product", "<i>visa</i>"),
        ("custom_data[<b>]", HOSTILE),
    ]);
    for body in [EXAMPLE, &declined, &hostile] {
        assert_eq!(hipay.send_body(FORM, body.as_bytes()).await, Delivery::Answered(204));
    }
    known(&site, 3).await;
    site
}

async fn references(browser: &Browser) -> Vec<String> {
    browser.table("table_payments").await.into_iter().map(|row| row[0].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_are_listed_with_what_they_come_to() {
    let site = told().await;
    let browser = signed_in(site.window(), "/dashboard/vendors").await;
    browser.click("Payments").await;
    browser.sees("3 rows").await;
    assert_eq!(
        browser.columns("table_payments").await,
        [
            "Transaction reference",
            "Order",
            "Status",
            "Outcome",
            "Authorised",
            "Captured",
            "Refunded",
            "Payment product",
            "Date ▼"
        ]
    );
    let rows = browser.table("table_payments").await;
    let of = |reference: &str| rows.iter().find(|row| row[0].starts_with(reference)).unwrap().clone();
    assert_eq!(
        of("132255767588")[..8],
        ["132255767588", "HiPay-120034", "118 Captured", "accepted", "83.00 EUR", "83.00 EUR", "0.00 EUR", "cb"]
    );
    assert_eq!(of("200000000001")[2..4], ["113 Refused", "declined Show message"]);
    browser.click("Show message").await;
    browser.sees("Declined: insufficient funds").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_are_filtered_searched_and_exported() {
    let site = told().await;
    let browser = signed_in(site.window(), "/dashboard/vendors").await;
    browser.open("/dashboard/payments").await;
    browser.choose("Outcome", "declined").await;
    browser.sees("1 row").await;
    assert_eq!(references(&browser).await, ["200000000001"]);
    assert_eq!(browser.address().await, "/dashboard/payments?outcome=declined&per_page=50");
    let export = browser.attribute(".summary a", "href").await.unwrap();
    let file = browser.download(&export).await;
    assert!(file.text().starts_with("transaction_reference,order_id,status,"), "{}", file.text());
    assert!(file.text().contains("\r\n200000000001,HiPay-120035,113,Refused,declined,83.00,0.00,0.00,EUR,cb,false,"));
    assert_eq!(file.text().lines().count(), 2);

    for (query, wanted) in [
        ("status=118", vec!["132255767588"]),
        ("order_id=hipay-120034", vec!["132255767588"]),
        ("q=2000", vec!["200000000001"]),
        ("test=true", vec!["<b>&\"1 test"]),
        ("from=2019-08-05&to=2019-08-05&outcome=accepted", vec!["132255767588"]),
        ("from=2020-01-01", vec![]),
    ] {
        browser.open(&format!("/dashboard/payments?{query}")).await;
        assert_eq!(references(&browser).await, wanted, "{query}");
    }
    browser.sees("Nothing matches these filters").await;
    for (query, rows) in [("q=2000", 1), ("q=2000&outcome=accepted", 0), ("sort=date", 3)] {
        let file = browser.download(&format!("/dashboard/payments.csv?{query}")).await;
        assert_eq!(file.text().lines().count(), rows + 1, "{query}: {}", file.text());
    }
    browser.expect_finding("400");
    browser.open("/dashboard/payments?status=many").await;
    browser.sees("This filter cannot be used").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_shows_its_history_and_every_field_that_was_told() {
    let site = told().await;
    let refunded = notice(&[
        ("status", "125"),
        ("message", "Refunded"),
        ("refunded_amount", "83.00"),
        ("date_updated", "2019-08-06T09:00:00+0000"),
        ("operation[type]", "refund"),
        ("operation[id]", "R-7"),
        ("three_d_secure[enrollment_message]", "Authentication Available"),
    ]);
    assert_eq!(enterprise(&site).send_body(FORM, refunded.as_bytes()).await, Delivery::Answered(204));
    let browser = signed_in(site.window(), "/dashboard/vendors").await;
    browser.open("/dashboard/payments").await;
    browser.sees("125 Refunded").await;
    browser.click("132255767588").await;
    browser.sees("Payment 132255767588").await;
    for said in [
        "118 Captured",
        "125 Refunded",
        "83.00 EUR",
        "HiPay-120034",
        "400000******0001",
        "TEST HIPAY",
        "test@hipay.com",
        "00001234567",
        "ce2742xxxxxxxxxxxxxxxx3326e6f9",
        "CAISSE NATIONALE DES CAISSES D EPARGNE (CNCE)",
        "customer-id",
        "3-D Secure",
        "Authentication Available",
        "Fraud screening",
        "Personal data",
        "refund",
        "R-7",
    ] {
        browser.sees(said).await;
    }
    browser.expect_finding("404");
    browser.open("/dashboard/payments/no-such-payment").await;
    browser.sees("There is nothing here").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_customer_writes_is_shown_as_text_and_cut() {
    let site = told().await;
    for window in [site.window(), site.window().without_javascript(), site.window().width(390)] {
        let browser = signed_in(window, "/dashboard/vendors").await;
        browser.open("/dashboard/payments?test=true").await;
        browser.sees("<script>alert('x')</script>").await;
        assert!(!browser.text().await.contains("very long very long very long very long very long very long"));
        browser.is_accessible().await;
        browser.fits_the_window().await;
        browser.click("<b>&\"1").await;
        browser.sees("777 <script>alert('x')</script>").await;
        browser.sees("custom_data[<b>]").await;
        browser.is_accessible().await;
        browser.fits_the_window().await;
        assert_eq!(browser.count("main script, main b, main i, main table").await, 0);
        browser.done().await;
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_look_alike_on_every_screen() {
    let site = told().await;
    let hipay = enterprise(&site);
    let mut customers = Customers::new(11, site.world.clock.now());
    let told: Vec<EnterpriseNotice> = (0..20).flat_map(|_| customers.pay()).collect();
    for notice in &told {
        assert_eq!(hipay.send(notice).await, Delivery::Answered(204));
    }
    known(&site, 23).await;
    is_presentable(&site, "/dashboard/payments", "payments").await;
    is_presentable(&site, "/dashboard/payments/132255767588", "payment").await;
    let browser = signed_in(site.window(), "/dashboard/vendors").await;
    browser.open("/dashboard/payments").await;
    browser.click("Français").await;
    browser.sees("Référence de transaction").await;
    browser.is_accessible().await;
    browser.screenshot("payments-fr").await;
    browser.open("/dashboard/payments/132255767588").await;
    browser.sees("Dernières données reçues de HiPay").await;
    browser.screenshot("payment-fr").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_leads_to_the_settlements_of_its_account_that_came_after_it() {
    let site = told().await;
    let hipay = enterprise(&site);
    for (account, reference) in [("1234567", "S-9"), ("7654321", "S-8")] {
        let body = format!(
            "notification_type=settlement&account={account}&reference={reference}&sales=1000.00&amount=917.20&currency=EUR"
        );
        assert_eq!(hipay.send_body(FORM, body.as_bytes()).await, Delivery::Answered(204));
    }
    until("both are settled", || site.world.context.store.read(|reader| reader.total::<Settlement>()).unwrap() == 2)
        .await;
    let browser = signed_in(site.window(), "/dashboard/vendors").await;
    browser.open("/dashboard/payments/132255767588").await;
    browser.sees("S-9 917.20 EUR").await;
    browser.does_not_see("S-8").await;
    browser.is_accessible().await;
    browser.click("S-9").await;
    browser.sees("Settlement").await;
    browser.sees("reference=S-9").await;
    browser.done().await;
    site.stop().await;
}
