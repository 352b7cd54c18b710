//! `cashout demo`: a running marketplace to look at, from its first output to its end.

use std::process::Command;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use crate::running::Running;
use crate::world::http;

/// Upper bound on any wait; only a test that would otherwise hang reaches it.
const FOR_EVER: Duration = Duration::from_mins(3);

/// A user who has signed in to the demo.
struct Visitor {
    base: String,
    cookie: String,
}

impl Visitor {
    async fn get(&self, path: &str) -> reqwest::Response {
        let answer = http().get(format!("{}{path}", self.base)).header("cookie", &self.cookie).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer
    }

    async fn items(&self, path: &str) -> Vec<Value> {
        let list: Value = self.get(&format!("/api/v1/{path}")).await.json().await.unwrap();
        list.get("items").and_then(Value::as_array).unwrap().clone()
    }

    /// Waits until `seen` is true; checks again at every batch event of the dashboard.
    async fn until(&self, seen: impl AsyncFn() -> bool) {
        let mut events = self.get("/dashboard/batches/events").await;
        while !seen().await {
            events.chunk().await.unwrap().expect("the demo tells as long as it lives");
        }
    }

    async fn total(&self, path: &str) -> u64 {
        let list: Value = self.get(&format!("/api/v1/{path}")).await.json().await.unwrap();
        list.get("total").and_then(Value::as_u64).unwrap()
    }
}

/// Returns the last word of the line that contains `name`.
async fn invited(demo: &mut Running, name: &str) -> String {
    demo.says(name).await.rsplit(' ').next().unwrap().to_owned()
}

async fn sign_in(demo: &mut Running) -> Visitor {
    let dashboard = invited(demo, "Dashboard ").await;
    let (login, password) = (invited(demo, "Login ").await, invited(demo, "Password ").await);
    let base = dashboard.strip_suffix("/dashboard").unwrap().to_owned();
    let form = [("_username", login), ("_password", password)];
    let answer = http().post(format!("{dashboard}/login")).form(&form).send().await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    Visitor { base, cookie }
}

/// Reasons why operations are held in the demo's past: every state in which something waits for a person.
const REASONS: [&str; 15] = [
    "Mirakl shows the voucher as paid",
    "another provider (MANGOPAY)",
    "Mirakl changed the amount",
    "Mirakl does not show the voucher",
    "another payment under the reference",
    "several payments of this",
    "payments that may be this",
    "9 attempts",
    "UNDER_REVIEW",
    "HiPay had executed the transfer",
    "remained when a smaller payment was accepted",
    "Finance holds it",
    "Finance settled it",
    "although the operation was settled",
    "list of transactions cannot be read",
];

/// Checks that the demo has a past that includes trouble.
async fn has_a_past(visitor: &Visitor) {
    let refused: Value = visitor.get("/api/v1/vendors/2004").await.json().await.unwrap();
    assert_eq!((&refused["status"], &refused["wallet_status"]), (&"warning".into(), &"not_identified".into()));
    assert!(visitor.total("vendors").await >= 24);
    assert!(visitor.total("vendors?status=warning").await > 0);
    for (way, status) in [("withdraw", "ok"), ("withdraw", "payment_blocked"), ("withdraw", "failed")] {
        let path = format!("operations?{way}_status={status}");
        assert!(visitor.total(&path).await > 0, "{path}");
    }
    for path in ["payments?outcome=accepted", "payments?outcome=declined", "notifications", "logs"] {
        assert!(visitor.total(path).await > 0, "{path}");
    }
    // HiPay's last notice of that past may arrive slightly later.
    let all_are_there = async || {
        let mut held = Vec::new();
        for page in 1..=3 {
            let operations = visitor.items(&format!("operations?per_page=200&page={page}")).await;
            held.extend(operations.iter().filter_map(|one| one["held"].as_str().map(str::to_owned)));
        }
        REASONS.iter().all(|why| held.iter().any(|one| one.contains(why)))
    };
    visitor.until(all_are_there).await;
    for state in ["outside_cycles", "paid_elsewhere", "gone", "held", "nothing_to_pay", "operations"] {
        assert!(visitor.total(&format!("vouchers?state={state}")).await > 0, "no voucher is {state}");
    }
    let refused = visitor.items("logs?level=WARNING&action=notification&per_page=200").await;
    let forged = |line: &Value| line["message"].as_str().unwrap().contains("a payment notification was refused");
    assert!(refused.iter().any(forged), "nobody pretended to be HiPay: {refused:#?}");
    let page = visitor.get("/dashboard").await.text().await.unwrap();
    assert!(page.contains("no money moves, and time runs 7,200 times as fast"), "{page}");
}

/// Checks that time passes in the demo: the next cycle is paid, and trouble ends.
async fn goes_on(visitor: &Visitor) {
    // The schedule alone generates, transfers and withdraws the next cycle.
    let known = visitor.items("operations?per_page=1").await.first().unwrap()["id"].as_u64().unwrap();
    let is_new = |one: &Value| one["id"].as_u64().unwrap() > known;
    let paid = async || visitor.items("operations?withdraw_status=ok&per_page=200").await.iter().any(is_new);
    visitor.until(paid).await;
    // Trouble ends as well: the seller whose identity HiPay refused has submitted another card.
    let shop = async || -> Value { visitor.get("/api/v1/vendors/2004").await.json().await.unwrap() };
    visitor.until(async || shop().await["wallet_status"] == "identified").await;
    visitor.until(async || shop().await["status"] == "success").await;
    // Hours have passed in the demo, and the session is still valid.
    visitor.get("/dashboard/transfers").await;
    let batches = visitor.items("batches?command=cashout:withdraw&per_page=1").await;
    assert!(batches.first().unwrap()["error"].is_null(), "{batches:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_is_a_living_marketplace_until_it_is_ended() {
    let mut process = Command::new(env!("CARGO_BIN_EXE_cashout"));
    let folder = tempfile::tempdir().unwrap();
    process.env_clear().env("TMPDIR", folder.path());
    process.args(["demo", "--listen", "127.0.0.1:0", "--shops", "24", "--latency-ms", "0", "--speed", "7200"]);
    let mut demo = Running::start(process);
    let story = async {
        let visitor = sign_in(&mut demo).await;
        has_a_past(&visitor).await;
        goes_on(&visitor).await;
        demo.signal("INT");
    };
    tokio::time::timeout(FOR_EVER, story).await.expect("the demo goes on");
    let told = demo.end().await;
    told.ends(0).says("HiPay's own ledger shows").says("each reference once, every balance to the cent");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "something was left behind");
}
