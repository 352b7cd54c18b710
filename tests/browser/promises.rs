//! The promises of the dashboard, and the place on the screen where each is kept.
//!
//! [`SENTENCES`] is the list: what users are promised about the dashboard, the page concerned, and
//! what is checked there. A page that no longer shows one of them fails here.

use cashout::config::LogLevel;
use cashout::domain::vendor::Vendor;
use cashout::jobs::{Command, GenerateArguments};
use cashout::platform::release::TARGET;
use cashout::sandbox::{Release, ReleaseAsset};
use cashout::store::View;
use cashout::update::asset_name;
use serde_json::json;
use tokio::time::Instant;

use crate::actions::GLANCE;
use crate::browser::Browser;
use crate::logs::log;
use crate::users::sign_in;
use crate::world::Site;

/// Evidence on the screen that a promise is kept.
enum Shown {
    /// Texts that the page contains.
    Says(&'static [&'static str]),
    /// A column of the table with this name.
    Column(&'static str, &'static str),
    /// A column with at least one cell, whose cells all contain one of these words.
    Words(&'static str, &'static str, &'static [&'static str]),
    /// The exact choices of the list with this name in this form, besides "All".
    Choices(&'static str, &'static str, &'static [&'static str]),
    /// Some of the choices of the list with this name in this form.
    ChoicesAmong(&'static str, &'static str, &'static [&'static str]),
    /// Labels of fields of the form.
    Fields(&'static str, &'static [&'static str]),
    /// An element with this name in this part of the page that opens on a click and then shows this text.
    Opens(&'static str, &'static str, &'static str),
    /// A link with this name to an address that begins like this.
    Link(&'static str, &'static str),
    /// An attribute with this value of the element that a CSS selector finds.
    Has(&'static str, &'static str, &'static str),
    /// An older address that redirects to the page.
    LedFrom(&'static str),
    /// A row of the table for each vendor in the store.
    EveryVendor,
}

use Shown::{Choices, ChoicesAmong, Column, EveryVendor, Fields, Has, LedFrom, Link, Opens, Says, Words};

/// One promise, restated.
struct Message {
    promise: &'static str,
    page: &'static str,
    shown: Shown,
}

const fn on(page: &'static str, promise: &'static str, shown: Shown) -> Message {
    Message { promise, page, shown }
}

const LOGIN: &str = "/dashboard/login";
const VENDORS: &str = "/dashboard/vendors";
const WARNINGS: &str = "/dashboard/vendors?status=warning";
const TRANSFERS: &str = "/dashboard/transfers";
const FAILED: &str = "/dashboard/transfers?withdraw_status=failed";
const LOGS: &str = "/dashboard/logs";
const SETTINGS: &str = "/dashboard/settings";

const LEVELS: [&str; 8] = ["DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY"];

const SENTENCES: &[Message] = &[
    on(
        LOGIN,
        "informs of the statuses of vendors, transfers and withdrawals",
        Says(&["statuses of your vendors, transfers and withdrawals"]),
    ),
    on(LOGIN, "what failed can be run again", Says(&["what failed, and how to run it again"])),
    on(
        LOGIN,
        "all that passes between HiPay and Mirakl is in one place",
        Says(&["all data exchanged between HiPay and Mirakl, in one place"]),
    ),
    on(
        LOGIN,
        "sign in with the HiPay web service credentials of the technical account",
        Says(&["HiPay web service login", "Use the HiPay web service credentials of the technical account"]),
    ),
    on("/dashboard", "it is at /index.php/dashboard", LedFrom("/index.php/dashboard")),
    // Vendors.
    on(VENDORS, "every vendor that was processed is kept", EveryVendor),
    on(VENDORS, "Mirakl ID: the store in Mirakl", Column("table_vendor", "Mirakl ID")),
    on(VENDORS, "Login: that of the store's HiPay account", Column("table_vendor", "Login")),
    on(VENDORS, "Status: success or warning", Words("table_vendor", "Status", &["success", "warning"])),
    on(
        VENDORS,
        "Wallet account status: created, not created, identified, not identified",
        Words("table_vendor", "Wallet account status", &["created", "not created", "identified", "not identified"]),
    ),
    on(VENDORS, "HiPay ID: that of the wallet", Column("table_vendor", "HiPay ID")),
    on(VENDORS, "Date", Column("table_vendor", "Date")),
    on(VENDORS, "Documents sent", Column("table_vendor", "Documents sent")),
    on(
        VENDORS,
        "Show details shows how the documents stand",
        Opens("#table_vendor td:last-child", "Show details", "As HiPay shows them"),
    ),
    on(VENDORS, "filter by status", Choices("vendor-filter-form", "status", &["success", "warning"])),
    on(
        VENDORS,
        "filter by wallet account status",
        Choices("vendor-filter-form", "wallet_status", &["created", "not created", "identified", "not identified"]),
    ),
    on(VENDORS, "filter by time period", Fields("vendor-filter-form", &["From", "To"])),
    on(
        WARNINGS,
        "a warning's error is told by Show message",
        Opens("#table_vendor td:nth-child(4)", "Show message", ""),
    ),
    // Transfers and withdrawals.
    on(
        TRANSFERS,
        "every transfer and withdrawal that was processed is kept",
        Says(&["Every amount that is owed", "rows"]),
    ),
    on(TRANSFERS, "Mirakl ID", Column("table_transfers", "Mirakl ID")),
    on(TRANSFERS, "HiPay ID", Column("table_transfers", "HiPay ID")),
    on(TRANSFERS, "Payment order Id: that of the voucher", Column("table_transfers", "Payment order Id")),
    on(TRANSFERS, "Amount", Column("table_transfers", "Amount")),
    on(TRANSFERS, "Origin amount: before negative operations", Column("table_transfers", "Origin amount")),
    on(TRANSFERS, "Transfer status", Column("table_transfers", "Transfer status")),
    on(
        TRANSFERS,
        "Transfer status may be OK, KO (insufficient funds) or KO",
        ChoicesAmong("operations-filter-form", "transfer_status", &["OK", "KO (insufficient funds)", "KO"]),
    ),
    on(TRANSFERS, "Withdraw status", Column("table_transfers", "Withdraw status")),
    on(
        TRANSFERS,
        "Withdraw status may be OK (requested), OK, KO (failed), KO (insufficient funds) or KO (canceled)",
        ChoicesAmong(
            "operations-filter-form",
            "withdraw_status",
            &["OK (requested)", "OK", "KO (failed)", "KO (insufficient funds)", "KO (canceled)"],
        ),
    ),
    on(TRANSFERS, "Balance: that of the wallet", Column("table_transfers", "Balance")),
    on(TRANSFERS, "Date: of the last change", Column("table_transfers", "Date")),
    on(
        TRANSFERS,
        "filter by transfer and withdraw status",
        Fields("operations-filter-form", &["Transfer status", "Withdraw status"]),
    ),
    on(
        FAILED,
        "the error of a KO is told by Show message",
        Opens("#table_transfers td:nth-child(7)", "Show message", ""),
    ),
    on(TRANSFERS, "a failed action can be run again", Link("Retry", "/dashboard/transfers/retry")),
    // Logs.
    on(LOGS, "every line of the log is kept", Says(&["Every line is kept as long as the settings allow", "rows"])),
    on(LOGS, "Date", Column("table_logs", "Date")),
    on(LOGS, "Information type: the level", Column("table_logs", "Information type")),
    on(LOGS, "Information type is one of eight levels", Words("table_logs", "Information type", &LEVELS)),
    on(LOGS, "Action", Column("table_logs", "Action")),
    on(LOGS, "Mirakl ID", Column("table_logs", "Mirakl ID")),
    on(LOGS, "Message", Column("table_logs", "Message")),
    on(LOGS, "filter by information type", Choices("logs-filter-form", "level", &LEVELS)),
    on(LOGS, "filter by time period", Fields("logs-filter-form", &["From", "To"])),
    on(LOGS, "export to a CSV file", Link("Export to CSV", "/dashboard/logs.csv")),
    // Settings.
    on(
        SETTINGS,
        "commands, executed batches, technical information, settings and the update are here",
        Says(&["Fix errors", "Executed batches", "Technical information", "Settings", "Update the application"]),
    ),
    on(
        SETTINGS,
        "Fix errors runs wallet account creation, generation, transfer and withdrawal",
        ChoicesAmong(
            "fix-errors-form",
            "command",
            &["Wallet account creation", "Generate operations", "Transfer", "Withdraw"],
        ),
    ),
    on(
        SETTINGS,
        "each stands for its command",
        Has("#fix-errors-form option:nth-child(2)", "value", "cashout:generate"),
    ),
    on(SETTINGS, "a date from which Mirakl is asked can be given", Fields("fix-errors-form", &["Date"])),
    on(
        SETTINGS,
        "the date is for wallet account creation and generation",
        Says(&["For “Wallet account creation” and “Generate operations” you can give a date"]),
    ),
    on(
        SETTINGS,
        "without a date all vendors are retrieved",
        Says(&["“Wallet account creation” retrieves all vendors from Mirakl"]),
    ),
    on(
        SETTINGS,
        "without a date transactions are retrieved by the arguments of parameters.yml",
        Says(&["“Generate operations” retrieves transactions with the arguments of your parameters.yml file"]),
    ),
    on(SETTINGS, "the batches that were run are listed", Column("table_batchs", "Command")),
    on(SETTINGS, "each with its starting date", Column("table_batchs", "Starting date")),
    on(SETTINGS, "and its status", Column("table_batchs", "Status")),
    on(
        SETTINGS,
        "an error of a batch is told in the list",
        Opens("#table_batchs td:last-child", "Show message", "cashout.firstCycle"),
    ),
    on(SETTINGS, "the list is refreshed every 30 seconds", Has("#batches-refresh", "hx-trigger", "every 30s")),
    on(
        SETTINGS,
        "technical information can be read",
        Says(&[env!("CARGO_PKG_VERSION"), "Store", "Running for", "Host", "Time zone"]),
    ),
    on(SETTINGS, "some settings of parameters.yml can be changed", Has("#settings-form", "method", "post")),
    on(
        SETTINGS,
        "Github token: a personal access token, for the update",
        Says(&["Github token", "GitHub personal access token, necessary for the self-update feature"]),
    ),
    on(
        SETTINGS,
        "how a token is made: steps 1 to 9 of its section",
        Says(&["steps 1 to 9 in the “Creating a token” section"]),
    ),
    on(SETTINGS, "where that is written", Link("How a GitHub token is created", "https://docs.github.com/")),
    on(
        SETTINGS,
        "Minimal log level alert: from which level an e-mail is sent",
        Says(&["Minimal log level alert", "Minimum logging level at which an email will be sent"]),
    ),
    on(
        SETTINGS,
        "that level is one of the log's, or none",
        ChoicesAmong("settings-form", "level", &["DEBUG", "WARNING", "EMERGENCY", "none"]),
    ),
    // The update.
    on(SETTINGS, "the application is updated here", Says(&["Update the application", "is running."])),
    on(
        SETTINGS,
        "a new version is offered, with what it brings",
        Says(&["new version 0.2.0", "brings what sellers wait for"]),
    ),
    on(SETTINGS, "a security patch is offered apart from a new version", Says(&["security patch 0.1.1"])),
    on(
        SETTINGS,
        "a page tells what the update does, step by step",
        Says(&["opens a page that shows each step as it happens"]),
    ),
    on(
        SETTINGS,
        "the update may take a while, and what that means for its page",
        Says(&["It may take a while. Reload or leave that page as you like"]),
    ),
    on(
        SETTINGS,
        "please note: rights on the install folder are needed",
        Says(&["Please note:", "requires the right to write to the folder that cashout is installed in"]),
    ),
    on(SETTINGS, "who does not give them updates by hand", Link("Update by hand", "#by-hand")),
    on(SETTINGS, "please note: the Github token must be set", Says(&["requires the “Github token” setting"])),
    on(
        "/dashboard/update",
        "its page may be reloaded meanwhile",
        Says(&["These are the steps of an update, as they happen. It may take a while. Reload or leave this page"]),
    ),
];

/// Returns the fault of the screen if the promise is not kept on the open page.
async fn missing(site: &Site, browser: &Browser, sentence: &Message) -> Option<String> {
    match sentence.shown {
        Says(texts) => {
            let text = browser.text().await;
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            texts.iter().find(|wanted| !text.contains(**wanted)).map(|wanted| format!("it does not say \"{wanted}\""))
        }
        Column(table, column) => {
            let columns = names(&browser.columns(table).await);
            (!columns.iter().any(|name| name == column)).then(|| format!("the columns are {columns:?}"))
        }
        Words(table, column, words) => {
            let at = names(&browser.columns(table).await).iter().position(|name| name == column)?;
            let rows = browser.table(table).await;
            let odd =
                rows.iter().map(|row| row[at].replace("Show message", "")).find(|cell| !words.contains(&cell.trim()));
            if rows.is_empty() {
                Some("there is no row".to_owned())
            } else {
                odd.map(|cell| format!("a cell says \"{cell}\""))
            }
        }
        Choices(form, name, wanted) => {
            let offered = choices(browser, form, name).await;
            let offered: Vec<&str> = offered.iter().map(String::as_str).filter(|choice| *choice != "All").collect();
            (offered != wanted).then(|| format!("offered is {offered:?}"))
        }
        ChoicesAmong(form, name, wanted) => {
            let offered = choices(browser, form, name).await;
            let all = wanted.iter().all(|wanted| offered.iter().any(|choice| choice == wanted));
            (!all).then(|| format!("offered is {offered:?}"))
        }
        Fields(form, labels) => {
            let read = "return [...document.forms[arguments[0]].elements].filter(one => one.checkVisibility())
                .flatMap(one => [...one.labels || []]).map(label => label.firstChild.textContent.trim())";
            let fields = texts(browser, read, form).await;
            labels
                .iter()
                .find(|label| !fields.iter().any(|field| field == *label))
                .map(|_| format!("the fields are {fields:?}"))
        }
        Opens(part, name, tells) => opened(browser, part, name, tells).await,
        Link(name, address) => {
            let read = "return [...document.links].filter(one => one.checkVisibility() && one.innerText.trim() === arguments[0])
                .map(one => one.getAttribute('href'))";
            let links = texts(browser, read, name).await;
            (!links.iter().any(|link| link.starts_with(address))).then(|| format!("such links lead to {links:?}"))
        }
        Has(selector, attribute, value) => {
            let found = browser.attribute(selector, attribute).await;
            (found.as_deref() != Some(value)).then(|| format!("it is {found:?}"))
        }
        LedFrom(older) => {
            browser.open(older).await;
            let address = browser.address().await;
            (address != sentence.page).then(|| format!("{older} leads to {address}"))
        }
        EveryVendor => {
            let vendors = site.world.context.store.read(|reader| reader.total::<Vendor>()).unwrap();
            let text = browser.text().await;
            (!text.contains(&format!("{vendors} rows"))).then(|| format!("it does not say that there are {vendors}"))
        }
    }
}

/// Returns the names of columns, without the arrow of the one that the list is sorted by.
fn names(columns: &[String]) -> Vec<String> {
    columns.iter().map(|column| column.trim_end_matches(['▲', '▼', ' ']).to_owned()).collect()
}

async fn texts(browser: &Browser, read: &str, argument: &str) -> Vec<String> {
    let found = browser.execute(read, vec![json!(argument)]).await.unwrap_or_default();
    serde_json::from_value(found).unwrap_or_default()
}

/// Returns the choices of the list with this name in this form.
async fn choices(browser: &Browser, form: &str, name: &str) -> Vec<String> {
    let read =
        "return [...document.querySelectorAll(arguments[0])].filter(one => one.closest('select').checkVisibility())
        .map(one => one.text.trim())";
    texts(browser, read, &format!("#{form} select[name={name}] option")).await
}

/// Opens the first element with this name in a part of the page, and waits for its text.
async fn opened(browser: &Browser, part: &str, name: &str, tells: &str) -> Option<String> {
    let click = "const [part, name] = arguments;
        const found = [...document.querySelectorAll(part + ' summary')].find(one => one.innerText.trim() === name);
        if (found) found.click();
        return !!found;";
    if browser.execute(click, vec![json!(part), json!(name)]).await.unwrap_or_default() != json!(true) {
        return Some(format!("nothing there is called \"{name}\""));
    }
    let read = "return [...document.querySelectorAll(arguments[0] + ' details[open]')]
        .map(one => one.innerText.replace(/\\s+/g, ' ').trim())";
    let deadline = Instant::now() + browser.window.patience;
    loop {
        let told = texts(browser, read, part).await;
        if told.iter().any(|text| text.len() > name.len() + 10 && text.contains(tells)) {
            // Its movements were caused by the click.
            browser.still().await;
            return None;
        }
        if Instant::now() > deadline {
            return Some(format!("opened, it tells {told:?}"));
        }
        tokio::time::sleep(GLANCE).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sentence_can_be_pointed_at_on_the_screen() {
    let mut world = Site::sixty_shops().await;
    let api = format!("update.apiUrl: {}", world.sandbox.github_url());
    for line in ["update.repository: marketplace/cashout", "github.token: ghp_sandboxGitHubToken0123456789", &api] {
        world.set(line).await;
    }
    for version in ["0.1.1", "0.2.0"] {
        let name = asset_name(&version.parse().unwrap(), TARGET);
        let release = Release::new(version, "2026-11-08T10:00:00Z".parse().unwrap());
        let release = release
            .notes("brings what sellers wait for\n\n### Security\n")
            .asset(ReleaseAsset::new(&name, "a package"));
        world.sandbox.github(|github| github.publish(release));
    }
    let site = Site::of(world).await;
    site.look_for_releases().await;
    // A batch that fails as a whole: a cycle before this store's time.
    let before = GenerateArguments { cycle_date: Some("2026-11-01".parse().unwrap()), ..GenerateArguments::default() };
    site.world.try_run(Command::CashoutGenerate(before)).await.unwrap_err();

    for (level, name) in LogLevel::ALL.into_iter().zip(LEVELS) {
        log(&site, "2026-11-12T08:00:00Z", level, "check", Some(7), &format!("a line of the level {name}")).await;
    }

    let browser = site.window().start().await;
    let mut wrong = Vec::new();
    let mut open = "";
    for sentence in SENTENCES {
        if sentence.page != open {
            if open == LOGIN {
                sign_in(&browser, sentence.page).await;
            } else {
                browser.open(sentence.page).await;
            }
            open = sentence.page;
        }
        if let Some(why) = missing(&site, &browser, sentence).await {
            wrong.push(format!("{}: \"{}\": {why}", sentence.page, sentence.promise));
        }
    }
    if !wrong.is_empty() {
        browser.fail(&format!("not to be pointed at any more:\n  {}", wrong.join("\n  "))).await;
    }
    browser.done().await;
    site.stop().await;
}

#[test]
fn each_sentence_stands_once() {
    for (at, one) in SENTENCES.iter().enumerate() {
        let again = SENTENCES[at + 1..].iter().find(|other| (other.page, other.promise) == (one.page, one.promise));
        assert!(again.is_none(), "{}: {}", one.page, one.promise);
    }
}
