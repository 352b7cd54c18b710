//! The settings: running batches by hand and following them, technical information, and changes of settings.

use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use cashout::sandbox::{Endpoint, Moment, SandboxOptions};
use fantoccini::key::Key;

use crate::browser::Browser;
use crate::users::{signed_in, signed_in_as};
use crate::world::{Site, World};

/// A user who may look and change nothing.
pub(crate) const VIEWER: (&str, &str) = ("vera", "a long night at sea");

/// Returns the setting that adds a user who may look and change nothing.
pub(crate) fn with_a_viewer() -> String {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
    let hash = argon2.hash_password_with_salt(VIEWER.1.as_bytes(), b"sixteen bytes ..").unwrap();
    format!("dashboard.users: [{{ name: {}, passwordHash: '{hash}', role: viewer }}]", VIEWER.0)
}

/// Makes a marketplace on which no batch runs automatically, with these lines in its configuration,
/// whose remotes may be slow.
async fn site_with(settings: &[&str]) -> Site {
    let mut world = World::unscheduled(SandboxOptions::default(), settings).await;
    world.patience(Duration::from_mins(1)).await;
    Site::of(world).await
}

/// Returns command and status of each batch in the list, the latest first.
async fn batches(browser: &Browser) -> Vec<(String, String)> {
    let rows = browser.table("table_batchs").await;
    rows.into_iter().map(|row| (row[0].split(" #").next().unwrap_or_default().to_owned(), row[4].clone())).collect()
}

fn all(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(one, other)| ((*one).to_owned(), (*other).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_run_by_the_fix_errors_form_and_its_end_is_seen() {
    let site = site_with(&[]).await;
    site.world.seller(2001);
    let browser = signed_in(site.window(), "/dashboard/settings").await;
    assert_eq!(browser.title().await, "Settings · cashout");
    // The text of the form about an empty date.
    browser.sees("“Wallet account creation” retrieves all vendors from Mirakl").await;
    browser.sees("“Generate operations” retrieves transactions with the arguments of your parameters.yml file").await;
    browser.sees("No batch has run yet").await;
    browser.is_accessible().await;

    // It runs, visibly, before Mirakl has answered.
    let mut shops = site.world.sandbox.pause_at(Endpoint::Shops, Moment::Before, 1);
    browser.choose("Command to run", "Wallet account creation").await;
    browser.click("Run").await;
    assert!(shops.reached().await);
    browser.sees("batch 1").await;
    browser.sees("running").await;
    assert_eq!(batches(&browser).await, all(&[("Wallet account creation", "running")]));
    browser.is_accessible().await;
    // The page waits only for the event.
    shops.release();
    browser.sees("1 of 1").await;
    browser.sees("done").await;
    let row = browser.table("table_batchs").await.remove(0);
    assert_eq!((row[1].as_str(), row[2].as_str()), ("sandbox-login", "9 Nov 2026, 09:00"));
    assert_eq!((row[3].as_str(), row[4].as_str(), row[5].as_str()), ("9 Nov 2026, 09:00", "done", "1 of 1"));
    assert_eq!(
        browser.columns("table_batchs").await,
        ["Command", "Requested by", "Starting date", "End", "Status", "Items", "Message"]
    );
    assert!(site.world.vendor(2001).hipay_id.is_some(), "the batch has done its work");
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_batch_queues_behind_the_first_and_a_third_joins_it() {
    let site = site_with(&[]).await;
    let browser = signed_in(site.window(), "/dashboard/settings").await;
    let mut shops = site.world.sandbox.pause_at(Endpoint::Shops, Moment::Before, 1);
    browser.click("Run").await;
    assert!(shops.reached().await);
    browser.sees("batch 1").await;
    browser.click("Run").await;
    browser.sees("Batch 2 waits until batch 1 is done, then begins automatically.").await;
    browser.click("Run").await;
    browser.sees("was already queued as batch 2: it runs once for everyone who requested it.").await;
    let name = "Wallet account creation";
    assert_eq!(batches(&browser).await, all(&[(name, "queued"), (name, "running")]));

    // Only those of one state.
    browser.choose("Status", "queued").await;
    browser.sees("1 row").await;
    // A shorter list moves the content below it, which the user caused.
    browser.still().await;
    assert!(browser.address().await.contains("state=queued"), "{}", browser.address().await);
    browser.click("Show all").await;
    browser.sees("2 rows").await;

    shops.release();
    browser.does_not_see("already queued").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_date_is_taken_where_it_is_of_use_and_refused_where_it_is_not() {
    let site = site_with(&[]).await;
    let browser = signed_in(site.window(), "/dashboard/settings").await;
    browser.fill("Date", "2026-11-01").await;
    browser.click("Run").await;
    browser.sees("since 1 Nov 2026, 00:00").await;

    browser.choose("Command to run", "Generate operations").await;
    browser.fill("Date", "2026-11-01").await;
    browser.click("Run").await;
    browser.sees("cycle 2026-11-01").await;
    // A cycle before this store's time is refused, and the list shows the reason.
    browser.sees("failed").await;
    browser.click_in("cycle 2026-11-01", "Show message").await;
    browser.sees("cashout.firstCycle").await;
    browser.press(Key::Escape).await;
    browser.does_not_see("cashout.firstCycle").await;

    browser.expect_finding("answered 422");
    browser.allow_finding("Failed to load resource");
    browser.choose("Command to run", "Transfer").await;
    browser.fill("Date", "2026-11-01").await;
    browser.click("Run").await;
    browser.sees("“Transfer” takes no date: leave it empty. Nothing was run.").await;
    assert_eq!(batches(&browser).await.len(), 2);
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_leaves_alone_what_has_not_changed_and_keeps_open_what_was() {
    let site = site_with(&[]).await;
    let browser = signed_in(site.window(), "/dashboard/settings").await;
    browser.choose("Command to run", "Generate operations").await;
    browser.fill("Date", "2026-11-01").await;
    browser.click("Run").await;
    browser.sees("failed").await;
    assert_eq!(browser.attribute("#batches-refresh", "hx-trigger").await.unwrap(), "every 30s");
    browser.click("Show message").await;
    browser.sees("cashout.firstCycle").await;
    assert_eq!(browser.focused().await, "Show message");

    // Nothing has changed: the very same elements stay.
    let refresh = "document.getElementById('table_batchs').dataset.same = 'yes';
        return new Promise(done => {
            document.addEventListener('htmx:afterRequest', event => done(event.detail.xhr.status), {once: true});
            htmx.ajax('GET', '/dashboard/settings', {source: '#batches-refresh', target: '#batches', select: '#batches', swap: 'outerHTML'});
        });";
    assert_eq!(browser.execute_waiting(refresh, Vec::new()).await.unwrap(), 204);
    assert_eq!(browser.attribute("#table_batchs", "data-same").await.as_deref(), Some("yes"));

    // Another user runs something: it appears automatically, and the opened details stay open.
    let other = signed_in(site.window(), "/dashboard/settings").await;
    other.choose("Command to run", "Transfer").await;
    other.click("Run").await;
    other.sees("done").await;
    other.done().await;
    browser.sees("2 rows").await;
    browser.sees("cashout.firstCycle").await;
    assert_eq!(browser.focused().await, "Show message");
    // An action of another user moves the list.
    browser.allow_finding("layout shift");
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_here_is_told_and_whether_the_remotes_answer() {
    let site = site_with(&[]).await;
    let browser = signed_in(site.window(), "/dashboard/settings").await;
    browser.sees(env!("CARGO_PKG_VERSION")).await;
    for text in
        ["Technical information", "Store", "format", "Running for", "Host", "Europe/Paris", "Last backup none yet"]
    {
        browser.sees(text).await;
    }
    browser.sees("answers Mirakl").await;
    browser.sees("answers HiPay").await;
    browser.sees("Transaction status synchronisation switched off").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_is_changed_is_in_the_file_and_in_use() {
    let site = site_with(&["email.logger.alert.level: 400"]).await;
    let browser = signed_in(site.window(), "/dashboard/settings").await;
    assert_eq!(browser.value("Minimal log level alert").await, "ERROR");
    browser.choose("Minimal log level alert", "CRITICAL").await;
    browser.fill("Github token", "ghp_a1b2c3d4e5f6g7h8").await;
    browser.click("Save").await;
    browser.sees("The settings were saved to the file and are in use.").await;
    assert_eq!(browser.value("Minimal log level alert").await, "CRITICAL");
    // The token is never shown, only that there is one.
    assert_eq!(browser.value("Github token").await, "");
    browser.sees("Github token set").await;
    let page = browser.download("/dashboard/settings").await;
    assert!(!page.text().contains("ghp_a1b2"), "the token is on the page");
    let file = std::fs::read_to_string(site.file()).unwrap();
    assert!(file.contains("email.logger.alert.level: 500") && file.contains("ghp_a1b2c3d4e5f6g7h8"), "{file}");

    browser.click("Remove the token").await;
    browser.choose("Minimal log level alert", "none").await;
    browser.click("Save").await;
    browser.sees("Github token not set").await;
    let file = std::fs::read_to_string(site.file()).unwrap();
    assert!(file.contains("email.logger.alert.level: 9999") && !file.contains("ghp_a1b2"), "{file}");
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_sees_everything_and_has_no_button() {
    let site = site_with(&[&with_a_viewer()]).await;
    let browser = signed_in_as(site.window(), VIEWER, "/dashboard/settings").await;
    browser.sees("You may look at everything. An operator may run commands.").await;
    browser.sees("An operator may change settings.").await;
    assert_eq!(browser.count("#fix-errors-form, #settings-form").await, 0);
    browser.is_accessible().await;

    // A user who sends the request nevertheless is refused.
    browser.expect_finding("answered 403");
    browser.allow_finding("Failed to load resource");
    let post = "const token = document.querySelector('[name=_csrf]').value;
        const body = new URLSearchParams({_csrf: token, command: 'cashout:transfer'});
        return fetch('/dashboard/settings/run', {method: 'POST', body}).then(answer => answer.status);";
    assert_eq!(browser.execute_waiting(post, Vec::new()).await.unwrap(), 403);
    browser.open("/dashboard/settings").await;
    browser.sees("No batch has run yet").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_without_javascript() {
    let site = site_with(&[]).await;
    let browser = signed_in(site.window().without_javascript(), "/dashboard/settings").await;
    browser.choose("Command to run", "Transfer").await;
    browser.click("Run").await;
    browser.sees("batch 1").await;
    for _ in 0..50 {
        if batches(&browser).await == all(&[("Transfer", "done")]) {
            break;
        }
        browser.click("Refresh").await;
    }
    assert_eq!(batches(&browser).await, all(&[("Transfer", "done")]));
    browser.click("Check whether Mirakl and HiPay answer").await;
    browser.sees("answers Mirakl").await;
    browser.click("← Settings").await;
    browser.choose("Minimal log level alert", "ALERT").await;
    browser.click("Save").await;
    browser.sees("The settings were saved to the file and are in use.").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_run_with_the_keyboard_alone() {
    let site = site_with(&[]).await;
    let browser = signed_in(site.window(), "/dashboard/settings").await;
    for _ in 0..30 {
        if browser.focused().await == "Command to run" {
            break;
        }
        browser.press(Key::Tab).await;
    }
    assert_eq!(browser.focused().await, "Command to run");
    browser.type_in("Transfer").await;
    for _ in 0..8 {
        if browser.focused().await == "Run" {
            break;
        }
        browser.press(Key::Tab).await;
    }
    browser.press(Key::Enter).await;
    browser.sees("“Transfer”").await;
    browser.sees("done").await;
    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settings_fit_every_window_in_both_languages_and_shades() {
    let site = site_with(&[]).await;
    site.world.seller(2001);
    site.world.vendors().await;
    site.world.transfer().await;
    for (width, dark, language) in [
        (1440, false, "en"),
        (1440, true, "fr"),
        (1024, true, "en"),
        (1024, false, "fr"),
        (390, false, "fr"),
        (390, true, "en"),
    ] {
        let window = site.window().width(width).language(language);
        let window = if dark { window.dark() } else { window };
        let browser = signed_in(window, "/dashboard/settings").await;
        browser.sees(if language == "fr" { "Corriger les erreurs" } else { "Fix errors" }).await;
        browser.sees(if language == "fr" { "répond HiPay" } else { "answers HiPay" }).await;
        browser.fits_the_window().await;
        browser.is_accessible().await;
        browser.screenshot(&format!("settings-{language}")).await;
        browser.done().await;
    }
    site.stop().await;
}
