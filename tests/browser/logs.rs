//! The logs: their content, their filters, and their download as a file.

use cashout::config::LogLevel;
use cashout::logs::LogLine;
use cashout::store::StoreError;
use fantoccini::key::Key;
use jiff::Timestamp;

use crate::users::signed_in;
use crate::world::Site;

/// Text that a spreadsheet or a browser would run, and that reverses a line.
const HOSTILE: &str = "=HYPERLINK(\"http://elsewhere.example\") <script>alert('1')</script> \u{202e}gnirts \u{1f4b6}";

/// Stores a line as the appliance stores its own.
pub(crate) async fn log(site: &Site, at: &str, level: LogLevel, action: &str, mirakl_id: Option<u64>, message: &str) {
    let (at, action, message) = (at.parse::<Timestamp>().unwrap(), action.to_owned(), message.to_owned());
    let kept = site.world.context.store.write(move |writer| {
        let id = writer.next_id::<LogLine>()?;
        writer.put(&LogLine { id, mirakl_id, ..LogLine::said(at, level, &action, message) })
    });
    let kept: Result<(), StoreError> = kept.await;
    kept.unwrap();
}

/// Makes a site with a day of lines: one of each level, two shops, two batches.
async fn site_with_lines() -> Site {
    let site = Site::new().await;
    let transfer = "cashout:transfer";
    for (at, level, action, shop, message) in [
        ("2026-11-06T07:00:00Z", LogLevel::Debug, "remote", None, "POST /transfer took 210 ms"),
        (
            "2026-11-06T08:00:00Z",
            LogLevel::Info,
            transfer,
            Some(2001),
            "300.00 EUR were transferred to the wallet 502001",
        ),
        ("2026-11-07T08:00:00Z", LogLevel::Notice, "settings", None, "otto changed github.token"),
        (
            "2026-11-07T09:00:00Z",
            LogLevel::Warning,
            "vendor:process",
            Some(2002),
            "The IBAN of shop 2002 is not valid: correct it in Mirakl",
        ),
        (
            "2026-11-07T10:00:00Z",
            LogLevel::Error,
            transfer,
            Some(2002),
            "HiPay refused the transfer: the account is not identified",
        ),
        (
            "2026-11-08T08:00:00Z",
            LogLevel::Critical,
            "check",
            None,
            "The custom field hipay-process is missing in Mirakl",
        ),
        ("2026-11-08T09:00:00Z", LogLevel::Alert, "", None, "The technical account does not cover what is due"),
        ("2026-11-08T10:00:00Z", LogLevel::Emergency, "store", None, HOSTILE),
    ] {
        log(&site, at, level, action, shop, message).await;
    }
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn the_logs_show_every_line_with_its_level_action_shop_and_message() {
    let site = site_with_lines().await;
    let browser = signed_in(site.window(), "/dashboard/logs").await;
    assert_eq!(browser.title().await, "Logs · cashout");
    assert_eq!(browser.columns("table_logs").await, ["Date ▼", "Information type", "Action", "Mirakl ID", "Message"]);
    let rows = browser.table("table_logs").await;
    let levels: Vec<&str> = rows.iter().map(|row| row[1].as_str()).collect();
    assert_eq!(levels, ["EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"]);
    assert_eq!(rows[3][2..], ["cashout:transfer", "2002", "HiPay refused the transfer: the account is not identified"]);
    assert_eq!(rows[0][4], HOSTILE, "what came from outside is shown as it is, and does nothing");
    browser.is_accessible().await;

    // The earliest first, by the head of the column.
    browser.click("Date ▼").await;
    browser.sees("Date ▲").await;
    assert_eq!(browser.table("table_logs").await[0][1], "DEBUG");

    // From a line to the vendor that it is about.
    browser.click_in("transferred to the wallet", "2001").await;
    browser.sees("Every seller of the marketplace").await;
    assert_eq!(browser.address().await, "/dashboard/vendors?q=2001");
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_logs_are_filtered_and_exactly_what_is_filtered_is_exported() {
    let site = site_with_lines().await;
    let browser = signed_in(site.window(), "/dashboard/logs").await;
    browser.choose("Information type", "ERROR").await;
    browser.sees("1 row").await;
    assert_eq!(browser.address().await, "/dashboard/logs?level=ERROR&per_page=50");

    browser.open("/dashboard/logs").await;
    browser.fill("From", "2026-11-07T00:00").await;
    browser.sees("6 rows").await;
    browser.fill("To", "2026-11-07T23:59").await;
    browser.sees("3 rows").await;
    browser.fill("Mirakl ID", "2002").await;
    browser.press(Key::Enter).await;
    browser.sees("2 rows").await;
    browser.fill("Action", "cashout:transfer").await;
    browser.press(Key::Enter).await;
    browser.sees("1 row").await;
    let address = browser.address().await;
    for part in ["from=2026-11-07T00%3A00", "to=2026-11-07T23%3A59", "mirakl_id=2002", "action=cashout%3Atransfer"] {
        assert!(address.contains(part), "the address says what is filtered: {address}");
    }

    let export = browser.attribute(".summary a", "href").await.unwrap();
    let file = browser.download(&export).await;
    assert_eq!((file.status, file.content_type.as_str()), (200, "text/csv; charset=utf-8"));
    assert_eq!(file.disposition, "attachment; filename=\"logs.csv\"");
    assert_eq!(
        file.text(),
        "date,level,action,mirakl_id,batch,message\r\n2026-11-07T10:00:00Z,ERROR,cashout:transfer,2002,,HiPay refused \
         the transfer: the account is not identified\r\n"
    );
    // A spreadsheet runs nothing in it.
    let all = browser.download("/dashboard/logs.csv?level=EMERGENCY").await;
    assert!(all.text().contains("\"'=HYPERLINK(\"\"http://elsewhere.example\"\")"), "{}", all.text());

    browser.click("Show all").await;
    browser.sees("8 rows").await;

    // A mistake is reported instead of the lines.
    browser.expect_finding("answered 400");
    browser.allow_finding("Failed to load resource");
    browser.open("/dashboard/logs?mirakl_id=soon").await;
    browser.sees("This filter cannot be used").await;
    browser.sees("mirakl_id: not a whole number").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_message_is_cut_and_shown_whole_on_demand() {
    let site = Site::new().await;
    let long = format!("It begins here {} and ends here", "word ".repeat(2_000));
    log(&site, "2026-11-08T10:00:00Z", LogLevel::Info, "remote", None, &long).await;
    let browser = signed_in(site.window(), "/dashboard/logs").await;
    browser.sees("It begins here").await;
    browser.does_not_see("and ends here").await;
    browser.execute("document.querySelector('.sentence summary').focus()", Vec::new()).await.unwrap();
    browser.press(Key::Enter).await;
    browser.sees("and ends here").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_logs_can_be_filtered_without_javascript() {
    let site = site_with_lines().await;
    let browser = signed_in(site.window().without_javascript(), "/dashboard/logs").await;
    browser.choose("Information type", "WARNING").await;
    browser.fill("From", "2026-11-07T00:00").await;
    browser.click("Filter").await;
    browser.sees("1 row").await;
    browser.sees("The IBAN of shop 2002 is not valid").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_logs_say_why_they_are_empty() {
    let site = Site::new().await;
    let browser = signed_in(site.window(), "/dashboard/logs").await;
    browser.sees("No log lines yet").await;
    browser.is_accessible().await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_logs_fit_every_window_in_both_languages_and_shades() {
    let site = site_with_lines().await;
    for (width, dark, language) in
        [(1440, false, "en"), (1024, true, "fr"), (390, false, "fr"), (390, true, "en"), (1440, true, "en")]
    {
        let window = site.window().width(width).language(language);
        let window = if dark { window.dark() } else { window };
        let browser = signed_in(window, "/dashboard/logs").await;
        browser.sees(if language == "fr" { "Type d’information" } else { "Information type" }).await;
        browser.fits_the_window().await;
        browser.is_accessible().await;
        browser.screenshot(&format!("logs-{language}")).await;
        browser.done().await;
    }
    site.stop().await;
}
