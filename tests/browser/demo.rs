//! The demo: anyone can press its update button, and every state in it that waits for a person can be ended.

use std::process::Command;
use std::time::Duration;

use fantoccini::key::Key;
use serde_json::{Value, json};

use crate::browser::{Browser, Window};
use crate::release_builds::disguised;
use crate::running::Running;
use crate::updating::knows_of_the_exchange;

/// The demo first simulates some weeks of a marketplace, in an unoptimised build.
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_of_the_demo_is_installed_by_its_button() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("cashout");
    std::fs::write(&program, disguised("1.0.0", None)).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = Command::new(program);
    command.env_clear().env("TMPDIR", folder.path());
    command.args(["demo", "--listen", "127.0.0.1:0", "--shops", "5", "--latency-ms", "0"]);
    let mut demo = Running::start(command);
    let last = |line: String| line.rsplit(' ').next().unwrap().to_owned();
    let dashboard = last(demo.says("Dashboard ").await);
    let (login, password) = (last(demo.says("Login ").await), last(demo.says("Password ").await));

    let window = Window::on(dashboard.strip_suffix("/dashboard").unwrap()).patience(PATIENCE);
    let browser = window.start().await;
    knows_of_the_exchange(&browser);
    browser.open("/dashboard/settings").await;
    browser.fill("HiPay web service login", &login).await;
    browser.fill("Password", &password).await;
    browser.click("Sign in").await;
    browser.click("Check now").await;
    browser.sees("security patch 1.0.1").await;
    browser.screenshot("demo-update").await;
    browser.click("Update to 1.1.0").await;
    browser.sees("The update is done: version 1.1.0 is running.").await;
    browser.sees("time runs 1,440 times as fast").await;
    browser.done().await;

    demo.signal("TERM");
    demo.end().await.ends(0).says("each reference once, every balance to the cent");
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "nothing of it is kept but the program itself");
}

/// Each reason for which an operation of the demo is held, with the choice that ends it.
const HOLDS: [(&str, &str); 15] = [
    ("paid_in_mirakl", "Settle"),
    ("other_provider", "Release"),
    ("amount_changed", "Release"),
    ("voucher_gone", "Settle"),
    ("by_person", "Release"),
    ("settled", "Release"),
    ("other_payment", "Accept a payment"),
    ("remainder", "Settle"),
    ("too_many_attempts", "Settle"),
    ("outcome_unknown", "Accept a payment"),
    ("possible_payment", "Release"),
    ("several_payments", "Accept a payment"),
    ("revoked", "Retry"),
    ("ledger_unread", "Release"),
    ("executed_after_all", "Release"),
];

/// Each state of a voucher of the demo that waits for a person or can be corrected by one, with the
/// choice that does so.
const VOUCHERS: [(&str, &str); 4] =
    [("held", "Settle"), ("outside_cycles", "Release"), ("paid_elsewhere", "Release"), ("gone", "Settle")];

#[tokio::test(flavor = "multi_thread")]
async fn each_state_that_waits_for_a_person_is_ended_on_its_page() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cashout"));
    command.env_clear().env("TMPDIR", folder.path());
    // A day takes so long that nothing changes automatically meanwhile.
    command.args(["demo", "--listen", "127.0.0.1:0", "--shops", "24", "--latency-ms", "0", "--speed", "2"]);
    let mut demo = Running::start(command);
    let last = |line: String| line.rsplit(' ').next().unwrap().to_owned();
    let dashboard = last(demo.says("Dashboard ").await);
    let (login, password) = (last(demo.says("Login ").await), last(demo.says("Password ").await));
    let browser = Window::on(dashboard.strip_suffix("/dashboard").unwrap()).patience(PATIENCE).start().await;
    browser.open("/dashboard/transfers").await;
    browser.fill("HiPay web service login", &login).await;
    browser.fill("Password", &password).await;
    browser.click("Sign in").await;
    browser.sees("Transfers & withdrawals").await;

    let operations = all(&browser, "operations").await;
    for (why, choice) in HOLDS {
        let held = operations.iter().find(|one| one["held_for"] == why);
        let held = held.unwrap_or_else(|| panic!("no operation is held for {why}"));
        browser.open(&format!("/dashboard/transfers/{}", held["id"])).await;
        browser.sees("What you can do").await;
        browser.is_accessible().await;
        browser.screenshot(&format!("demo-{why}")).await;
        if choice == "Retry" {
            browser.click("Retry").await;
            browser.sees("Nothing is paid twice").await;
            browser.click("Retry").await;
            browser.does_not_see("Nothing is paid twice").await;
        } else {
            let detail = ask(&browser, &format!("operations/{}", held["id"])).await;
            browser.click(choice).await;
            if let (true, Some(candidate)) = (choice == "Accept a payment", detail["candidates"][0].as_str()) {
                browser.fill("Transaction at HiPay", candidate).await;
            }
            browser.fill("Reason", "somebody has looked").await;
            browser.press(Key::Enter).await;
            browser.sees("somebody has looked").await;
        }
        let ended = ask(&browser, &format!("operations/{}", held["id"])).await;
        let now = if choice == "Settle" { json!("settled") } else { Value::Null };
        assert_eq!(ended["held_for"], now, "{why}: {ended}");
    }
    for (state, choice) in VOUCHERS {
        let vouchers = all(&browser, &format!("vouchers?state={state}")).await;
        let id = vouchers.first().unwrap_or_else(|| panic!("no voucher is {state}"))["id"].as_str().unwrap();
        browser.open(&format!("/dashboard/vouchers/{id}")).await;
        browser.sees("What you can do").await;
        browser.screenshot(&format!("demo-voucher-{state}")).await;
        browser.click(choice).await;
        browser.fill("Reason", "somebody has looked").await;
        browser.press(Key::Enter).await;
        browser.sees("somebody has looked").await;
    }
    browser.done().await;
    demo.signal("TERM");
    demo.end().await.ends(0).says("each reference once, every balance to the cent");
}

/// Returns all items of a list of the API, with the session of the browser.
async fn all(browser: &Browser, list: &str) -> Vec<Value> {
    let mut items = Vec::new();
    for page in 1.. {
        let mark = if list.contains('?') { '&' } else { '?' };
        let found = ask(browser, &format!("{list}{mark}per_page=200&page={page}")).await;
        let found = found["items"].as_array().unwrap().clone();
        if found.is_empty() {
            break;
        }
        items.extend(found);
    }
    items
}

async fn ask(browser: &Browser, path: &str) -> Value {
    let script = "const [address] = arguments; return fetch(address).then(answer => answer.json());";
    browser.execute_waiting(script, vec![json!(format!("/api/v1/{path}"))]).await.unwrap()
}
