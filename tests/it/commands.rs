//! The interface that scripts rely on: the shape of `--json`, and exit codes.

use cashout::sandbox::{Account, SandboxOptions};
use serde_json::{Value, json};

use crate::running::{Told, told};
use crate::world::{IBAN, World, wallet_of};

async fn bare(arguments: &[&str]) -> Told {
    let mut process = std::process::Command::new(env!("CARGO_BIN_EXE_cashout"));
    process.env_clear().args(arguments);
    told(process).await
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Checks that a batch has every expected field, of the expected type.
#[track_caller]
fn is_a_batch(batch: &Value, command: &str, counts: &Value) {
    assert_eq!(
        keys(batch),
        [
            "amounts",
            "arguments",
            "command",
            "counts",
            "done",
            "ended_at",
            "error",
            "failed",
            "failures",
            "id",
            "started_at",
            "state",
            "total",
            "warnings"
        ]
    );
    assert_eq!((&batch["command"], &batch["state"], &batch["error"]), (&json!(command), &json!("done"), &Value::Null));
    assert!(batch["id"].is_u64() && batch["done"].is_u64() && batch["failures"].is_array(), "{batch}");
    assert_eq!((&batch["done"], &batch["failed"]), (&batch["total"], &json!(0)), "{batch}");
    assert_eq!(&batch["counts"], counts, "{batch}");
    for time in ["started_at", "ended_at"] {
        assert!(batch[time].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{batch}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_batch_tells_one_json_object_with_amounts_as_texts() {
    // A cycle in the past, regardless of the machine's clock.
    let world = World::with(SandboxOptions::default(), &["cashout.firstCycle: '2024-01-11'"]).await;
    world.seller(2001);
    world.sandbox.mirakl(|mirakl| {
        let created = "2024-01-11T02:00:00Z".parse().unwrap();
        mirakl.vouchers.push(cashout::sandbox::Voucher::new(1, 2001, "83", created).commission("1.5"));
    });
    world.fund(100_000);
    world.release_store().await;
    let run = async |arguments: &[&str]| world.told(&[arguments, &["--json"]].concat()).await.ends(0).json();
    let both = json!([{ "amount": "84.50", "currency": "EUR" }]);

    is_a_batch(&run(&["vendor:process", "24h"]).await, "vendor:process", &json!({}));
    let vendors = run(&["vendor:process"]).await;
    is_a_batch(&vendors, "vendor:process", &json!({ "wallets found": 1 }));
    let generated = run(&["cashout:generate:process", "2024-01-11", "--before", "13h", "--after", "1d"]).await;
    is_a_batch(&generated, "cashout:generate", &json!({ "created": 2 }));
    assert_eq!(generated["amounts"], json!({ "created": both }));
    assert_eq!(generated["arguments"], "cycle 2024-01-11, 13h before, 24h after");
    let transferred = run(&["cashout:transfer"]).await;
    is_a_batch(&transferred, "cashout:transfer", &json!({ "requested": 2 }));
    assert_eq!(transferred["amounts"], json!({ "requested": both }));
    is_a_batch(
        &run(&["cashout:transaction:status:sync"]).await,
        "cashout:transaction:status:sync",
        &json!({"done": 2}),
    );
    let withdrawn = run(&["cashout:withdraw"]).await;
    is_a_batch(&withdrawn, "cashout:withdraw", &json!({ "requested": 2 }));
    assert_eq!(withdrawn["amounts"], json!({ "requested": both }));
    assert_eq!(world.paid_out()[&wallet_of(2001)], 8_300);

    let wallets = run(&["vendor:wallet:list"]).await;
    let seller = wallets["wallets"].as_array().unwrap().iter().find(|one| one["hipay_id"] == wallet_of(2001)).unwrap();
    assert_eq!(keys(seller), ["hipay_id", "identified", "login"]);
    let bank = run(&["vendor:wallet:bankInfos", &wallet_of(2001).to_string()]).await;
    assert_eq!(keys(&bank), ["bank_country", "bank_name", "hipay_id", "iban", "status", "status_code", "swift"]);
    assert_eq!((&bank["iban"], &bank["status"], &bank["status_code"]), (&json!(IBAN), &json!("validated"), &json!(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_in_words_tells_counts_and_sums() {
    let world = World::new().await;
    for id in [2001, 2002] {
        world.seller(id);
        world.voucher(id, id, 8_300, 0);
    }
    world.fund(10_000);
    world.up_to_operations().await;
    world.release_store().await;
    let told = world.told(&["cashout:transfer"]).await;
    told.ends(1).says("cashout:transfer: partly (2 of 2)").says("1  requested, 83.00 EUR");
    told.says("1  insufficient funds, 83.00 EUR").says("transfers: 2");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wallets_are_listed_page_by_page_and_one_is_shown_in_full() {
    let world = World::new().await;
    world.release_store().await;
    world.sandbox.hipay(|hipay| {
        for id in 1..=230 {
            hipay.add(Account::new(600_000 + id, &format!("wallet{id}@shops.example")));
        }
        hipay.add(Account::new(700_000, "ready@shops.example").ready(IBAN));
    });
    let list = world.told(&["vendor:wallet:list"]).await;
    list.ends(0).says("233 wallets").says("600230  ").says("700000  ").says("HiPay ID  Login");
    let json = world.told(&["vendor:wallet:list", "--json"]).await.ends(0).json();
    assert_eq!(json["wallets"].as_array().map(Vec::len), Some(233));
    let ready = world.told(&["vendor:wallet:bankInfos", "700000"]).await;
    ready.ends(0).says("3 (validated)").says(IBAN).says("AGRIFRPP");
    world.told(&["vendor:wallet:bankInfos", "600001"]).await.ends(0).says("1 (none)");
    let unknown = world.told(&["vendor:wallet:bankInfos", "1"]).await;
    unknown.ends(1).says("HiPay does not allow this account");
    world.told(&["vendor:wallet:bankInfos", "canary"]).await.ends(2).says("invalid value 'canary'");
}

#[tokio::test]
async fn the_version_is_told_in_words_and_as_json() {
    let json = bare(&["version", "--json"]).await.ends(0).json();
    assert_eq!(keys(&json), ["commit", "store", "target", "version"]);
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    let format = cashout::store::format();
    assert_eq!(json["store"], json!({ "format": format, "reads": [1, format] }));
    let words = bare(&["version"]).await;
    words.ends(0).says(concat!("cashout ", env!("CARGO_PKG_VERSION"))).says(&format!("format {format}"));
    bare(&["--version"]).await.ends(0).says(concat!("cashout ", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn help_is_no_mistake_and_a_wrong_option_is_one() {
    let help = bare(&["--help"]).await;
    help.ends(0).says("Usage: cashout").says("cashout:generate:process").says("[default: /var/lib/cashout]");
    assert!(help.err.is_empty(), "{help:#?}");
    for command in ["vendor:process", "cashout:generate", "cashout:transfer", "check", "demo", "version"] {
        bare(&[command, "--help"]).await.ends(0).says("Usage: cashout");
    }
    for (arguments, words) in [
        (&[][..], "Usage: cashout"),
        (&["--frobnicate"], "unexpected argument '--frobnicate'"),
        (&["cashout:transfe"], "'cashout:transfer'"),
        (&["cashout:generate", "yesterday"], "yesterday"),
        (&["cashout:generate", "2026-02-30"], "2026-02-30"),
        (&["cashout:generate", "--before", "soon"], "soon"),
        (&["vendor:wallet:bankInfos"], "<HIPAY_ID>"),
        (&["demo", "--shops", "0"], "--shops"),
        (&["demo", "--fault-rate", "100"], "--fault-rate"),
        (&["demo", "--speed", "0"], "--speed"),
        (&["demo", "--listen", "8080"], "--listen"),
        (&["demo", "--once", "--listen", "127.0.0.1:0"], "--once"),
    ] {
        let told = bare(arguments).await;
        told.ends(2).says(words);
        assert!(told.out.is_empty(), "{told:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_that_make_no_sense_are_refused_before_anything_is_done() {
    let world = World::new().await;
    world.release_store().await;
    world.told(&["vendor:process", "lately"]).await.ends(2).says("'lately' is not a point in time").says("24h, 7d");
    world.told(&["cashout:generate", "2001-01-11"]).await.ends(2).says("paid by the previous system");
    world.told(&["cashout:generate", "2999-01-11"]).await.ends(2).says("has not begun");
    world.told(&["cashout:generate", "2999-01-12"]).await.ends(2);
    assert_eq!(world.sandbox.traffic(|traffic| traffic.total()), 0);
}

#[tokio::test]
async fn the_demo_tells_its_story_and_what_the_ledger_says() {
    let told = bare(&["demo", "--once", "--shops", "6", "--latency-ms", "0"]).await;
    told.ends(0).says("6 shops, cycle of").says("Batch ").says("cashout:withdraw").says("Operations ");
    told.says("HiPay's own ledger shows").says("each reference once, every balance to the cent");
    let json = bare(&["demo", "--once", "--shops", "6", "--latency-ms", "0", "--json"]).await.ends(0).json();
    assert_eq!(keys(&json), ["calls", "cycle", "ledger_errors", "operations", "payments", "vendors_with_warnings"]);
    assert_eq!(json["ledger_errors"], Value::Null);
    for operation in json["operations"].as_array().unwrap() {
        assert_eq!(keys(operation), ["amounts", "code", "count", "status"]);
        let amount = operation["amounts"][0]["amount"].as_str().unwrap();
        assert!(amount.split_once('.').is_some_and(|(_, cents)| cents.len() == 2), "{amount}");
    }
}

#[tokio::test]
async fn the_demo_on_a_bad_line_ends_well_too() {
    let arguments =
        ["demo", "--once", "--shops", "6", "--latency-ms", "0", "--fault-rate", "20", "--seed", "7", "--json"];
    let json = bare(&arguments).await.ends(0).json();
    assert_eq!(json["ledger_errors"], Value::Null);
    assert!(json["payments"].as_u64().is_some_and(|payments| payments > 0), "{json}");
}
