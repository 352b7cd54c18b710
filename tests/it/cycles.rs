//! Cycles: every figure is that of the rows it links to, and together they are what the vouchers of the cycle state.

use std::collections::{BTreeMap, BTreeSet};

use cashout::domain::operation::{Operation, OperationChoice};
use cashout::domain::voucher::{VoucherChoice, VoucherRecord};
use cashout::jobs::choose_for_voucher;
use cashout::store::{StoreError, View};
use serde_json::{Value, json};

use crate::api::Api;
use crate::signing_in::{OPERATOR, signed_in};
use crate::snapshots::{generate, marketplace};
use crate::todo::{minor_units, rows};
use crate::world::World;

const STAGES: [&str; 12] = [
    "held",
    "paid_elsewhere",
    "outside_cycles",
    "netted",
    "nothing_to_pay",
    "to_transfer",
    "transferring",
    "in_wallets",
    "withdrawing",
    "withdrawn",
    "held_back",
    "settled",
];

const CYCLE: &str = "2026-11-11";

/// Makes a marketplace with vouchers in every state: besides those of the snapshots a debt that is not netted, a voucher
/// of another provider, and an operation and a voucher that were settled otherwise.
async fn varied() -> World {
    let world = marketplace().await;
    generate(&world, 21, 2005, -2_000, 0).await;
    world.voucher(22, 2001, 3_000, 100);
    world.sandbox.mirakl(|mirakl| mirakl.voucher_mut(22).unwrap().pay_out_psp_code = Some("MIRAKL_PAYOUT".to_owned()));
    generate(&world, 23, 2002, 1_000, 0).await;
    world.choose(world.operation(23).id, OperationChoice::Settle, "by cheque", OPERATOR.0).await.unwrap();
    generate(&world, 24, 2999, 4_200, 300).await;
    let settle = VoucherChoice::Settle;
    choose_for_voucher(&world.context, "invoices-2999-24", settle, "by cheque", OPERATOR.0).await.unwrap();
    generate(&world, 25, 2999, 700, 50).await;
    world
}

/// Returns sums of the API in minor units by currency, and the number of records.
fn stated(sums: &Value) -> (BTreeMap<String, i64>, u64) {
    let sums = sums.as_array().unwrap();
    let count = sums.iter().map(|sum| sum["count"].as_u64().unwrap()).sum();
    (minor_units(sums, "amount"), count)
}

fn without_zeros(mut sums: BTreeMap<String, i64>) -> BTreeMap<String, i64> {
    sums.retain(|_, minor| *minor != 0);
    sums
}

fn add(sums: &mut BTreeMap<String, i64>, others: BTreeMap<String, i64>) {
    for (currency, minor) in others {
        *sums.entry(currency).or_default() += minor;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_figure_of_a_cycle_is_that_of_its_rows_and_all_stages_are_its_vouchers() {
    let world = varied().await;
    let appliance = world.serve().await;
    let api = Api::of(&appliance);
    let cycle = api.get(&format!("cycles/{CYCLE}")).await;
    assert_eq!((&cycle["date"], &cycle["state"]), (&json!(CYCLE), &json!("needs_action")), "{cycle}");
    assert!(cycle["from"].as_str().unwrap() < cycle["to"].as_str().unwrap(), "{cycle}");
    for (side, beneficiary, field) in [("vendors", "vendor", "amount"), ("operator", "operator", "commission")] {
        let account = &cycle[side];
        let (mut all, mut number) = (BTreeMap::new(), 0);
        for stage in STAGES {
            let filter = format!("cycle={CYCLE}&stage={stage}");
            let operations = rows(&api, &format!("operations?{filter}&beneficiary={beneficiary}")).await;
            let vouchers = rows(&api, &format!("vouchers?{filter}")).await;
            let mut sums = minor_units(&operations.1, "amount");
            add(&mut sums, minor_units(&vouchers.1, field));
            if stage == "netted" {
                add(&mut sums, stated(&account["deducted"]).0);
            }
            let figure = stated(&account[stage]);
            assert_eq!(without_zeros(figure.0.clone()), without_zeros(sums), "{side} {stage}: {account}");
            assert_eq!(figure.1, operations.0 + vouchers.0, "{side} {stage}: {account}");
            add(&mut all, figure.0);
            number += figure.1;
        }
        assert_eq!(stated(&account["vouchers"]), (all.clone(), number), "{account}");
        let vouchers = rows(&api, &format!("vouchers?cycle={CYCLE}")).await;
        let in_mirakl = (minor_units(&vouchers.1, field), vouchers.0);
        assert_eq!(stated(&account["in_mirakl"]), in_mirakl, "{account}");
        assert_eq!(without_zeros(all), without_zeros(in_mirakl.0), "{account}");
        let deducted =
            rows(&api, &format!("operations?cycle={CYCLE}&beneficiary={beneficiary}&difference=deducted")).await;
        let taken_off = deducted.1.iter().map(|row| {
            let sum = |field: &str| minor_units(std::slice::from_ref(row), field).into_values().sum::<i64>();
            sum("origin_amount") - sum("amount")
        });
        let taken_off: i64 = taken_off.sum();
        let figure = stated(&account["deducted"]);
        assert_eq!((figure.0.into_values().sum::<i64>(), figure.1), (taken_off, deducted.0), "{account}");
    }
    // The debt of 30.00 and its deduction are of the same cycle.
    let euro = |amount: &str, count: u64| json!([{ "currency": "EUR", "amount": amount, "count": count }]);
    assert_eq!(cycle["vendors"]["netted"], euro("0.00", 1));
    assert_eq!(cycle["vendors"]["deducted"], euro("30.00", 1));
    assert_eq!(cycle["vendors"]["nothing_to_pay"], euro("-20.00", 1));
    assert_eq!(cycle["vendors"]["paid_elsewhere"], euro("30.00", 1));
    assert_eq!(cycle["operator"]["paid_elsewhere"], euro("1.00", 1));
    assert_eq!(cycle["vendors"]["settled"], euro("52.00", 2));
    let mut unpaid = 0;
    for group in cycle["reasons"].as_array().unwrap() {
        let found = api.get(group["query"].as_str().unwrap()).await;
        assert_eq!((&found["total"], &found["total_exact"]), (&group["count"], &json!(true)), "{group}");
        unpaid += group["count"].as_u64().unwrap();
    }
    let groups = api.get("todo").await;
    let outside = api.get("vouchers?state=outside_cycles").await;
    // All is of this cycle but the voucher outside every cycle.
    assert_eq!(groups["total"].as_u64().unwrap(), unpaid + outside["total"].as_u64().unwrap());
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn cycles_are_listed_latest_first_and_a_day_outside_every_cycle_is_none() {
    let world = varied().await;
    let appliance = world.serve().await;
    let api = Api::of(&appliance);
    let cycles = api.get("cycles").await;
    assert_eq!((&cycles["total"], &cycles["items"][0]), (&json!(1), &api.get(&format!("cycles/{CYCLE}")).await));
    assert_eq!(api.get("cycles?page=2&per_page=1&sort=date").await["items"], json!([]));
    let outside = api.get("cycles/2026-11-15").await;
    assert_eq!((&outside["from"], &outside["state"]), (&Value::Null, &json!("needs_action")), "{outside}");
    assert_eq!(outside["vendors"]["vouchers"], outside["vendors"]["outside_cycles"]);
    let (status, title) = api.refused("cycles/2026-12-01").await;
    assert_eq!((status, title.as_str()), (404, "no voucher and no operation belongs to a cycle of 2026-12-01"));
    let (status, title) = api.refused("cycles/soon").await;
    assert!(status == 400 && title.starts_with("soon is not a day"), "{status} {title}");
    assert_eq!(api.refused("cycles?cursor=00").await.0, 400);
    assert_eq!(api.refused("operations?currency=euro").await.0, 400);
    appliance.stop().await.unwrap();
}

/// Returns the links of a page to lists, each with the number that it shows.
fn figures(page: &str) -> BTreeSet<(String, u64)> {
    let mut figures = BTreeSet::new();
    for (list, of_api) in [("transfers", "operations"), ("vouchers", "vouchers")] {
        for link in page.split(&format!("href=\"/dashboard/{list}?")).skip(1) {
            let (query, rest) = link.split_once('"').unwrap();
            let text = rest.split_once('>').unwrap().1;
            // Amounts have decimals; a number may be followed by what it counts.
            let number = text.split([' ', '<']).next().and_then(|number| number.parse().ok());
            let query = query.replace("&#38;", "&").replace("&amp;", "&");
            figures.extend(number.map(|number| (format!("{of_api}?{query}"), number)));
        }
    }
    figures
}

/// Adds an operation and a voucher of another currency to the cycle.
async fn with_pounds(world: &World) {
    let operation = world.operation(8);
    let stored = world.context.store.write(move |writer| {
        let key = VoucherRecord::key_of("invoices-2006-8").unwrap();
        let record = writer.get::<VoucherRecord>(&key)?.unwrap();
        let pounds = |value: &Value| -> Value {
            serde_json::from_str(&value.to_string().replace("\"EUR\"", "\"GBP\"")).unwrap()
        };
        let mut operation = pounds(&serde_json::to_value(&operation).unwrap());
        (operation["id"], operation["voucher"]) = (json!(9_000), json!("9000"));
        let mut record = pounds(&serde_json::to_value(&record).unwrap());
        record["voucher"]["number"] = json!("9000");
        writer.put(&serde_json::from_value::<Operation>(operation).unwrap())?;
        writer.put(&serde_json::from_value::<VoucherRecord>(record).unwrap())?;
        Ok::<_, StoreError>(())
    });
    stored.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_figure_of_the_pages_is_the_number_of_rows_that_it_links_to() {
    let world = varied().await;
    with_pounds(&world).await;
    let appliance = world.serve().await;
    let api = Api::of(&appliance);
    let operator = signed_in(&appliance, OPERATOR).await;
    let mut seen = Vec::new();
    for path in ["/dashboard/cycles".to_owned(), format!("/dashboard/cycles/{CYCLE}"), "/dashboard".to_owned()] {
        let page = operator.ask("GET", &path).send().await.unwrap().text().await.unwrap();
        let figures = figures(&page);
        assert!(figures.len() > 4, "{path}: {figures:?}");
        for (query, number) in &figures {
            let found = api.get(query).await;
            assert_eq!((&found["total"], &found["total_exact"]), (&json!(number), &json!(true)), "{path}: {query}");
        }
        seen.extend(figures);
        assert!(page.contains(&format!("/dashboard/cycles/{CYCLE}")) || path.ends_with(CYCLE), "{page}");
    }
    let link = format!("operations?cycle={CYCLE}&beneficiary=vendor&stage=held_back&currency=GBP");
    assert!(seen.contains(&(link, 1)), "{seen:?}");
    let page = operator.ask("GET", &format!("/dashboard/cycles/{CYCLE}")).send().await.unwrap().text().await.unwrap();
    for expected in [
        "Needs action",
        "table_cycle_EUR",
        "table_cycle_GBP",
        "Each sum equals the vouchers in Mirakl.",
        "Vouchers settled as paid by other means",
        "Deducted for debts",
        "/dashboard/transfers/retry?cycle=2026-11-11&#38;reason=why-transfer-negative",
        "/dashboard/transfers.csv?cycle=2026-11-11",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    assert!(!page.contains("The sum differs"), "{page}");
    for (path, status) in [("/dashboard/cycles/soon", 400), ("/dashboard/cycles/2026-12-01", 404)] {
        assert_eq!(operator.ask("GET", path).send().await.unwrap().status(), status, "{path}");
    }
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_currency_and_the_stage_are_combined_with_other_filters() {
    let world = varied().await;
    with_pounds(&world).await;
    let appliance = world.serve().await;
    let api = Api::of(&appliance);
    let total = async |query: &str| api.get(query).await["total"].as_u64().unwrap();
    assert_eq!(total("operations?currency=GBP").await, 1);
    assert_eq!(total("operations?currency=GBP&stage=held_back&beneficiary=vendor").await, 1);
    assert_eq!(total("operations?currency=GBP&stage=withdrawn").await, 0);
    assert_eq!(total("operations?currency=GBP&mirakl_id=2006&reason=why-transfer-negative").await, 1);
    assert_eq!(total("operations?currency=GBP&q=9000").await, 1);
    assert_eq!(total("operations?currency=XAF").await, 0);
    assert_eq!(total("operations?difference=deducted").await, 1);
    assert_eq!(total("operations?difference=deducted&mirakl_id=2002").await, 0);
    assert_eq!(total("vouchers?currency=GBP").await, 1);
    assert_eq!(total("vouchers?currency=GBP&state=operations&mirakl_id=2006").await, 1);
    assert_eq!(total("vouchers?currency=GBP&state=held").await, 0);
    assert_eq!(total("vouchers?stage=settled").await, 1);
    assert_eq!(total("vouchers?stage=settled&state=paid_elsewhere&q=24").await, 1);
    assert_eq!(total("vouchers?stage=outside_cycles").await, 1);
    let held = total(&format!("vouchers?stage=held&cycle={CYCLE}")).await;
    assert_eq!(held, total(&format!("vouchers?state=held&cycle={CYCLE}")).await);
    let unknown = format!("vouchers?cycle={CYCLE}&reason=voucher-vendor-unknown");
    assert_eq!(total(&unknown).await, 1);
    assert_eq!(total(&format!("{unknown}&mirakl_id=2999&stage=held&currency=EUR")).await, 1);
    assert_eq!(total(&format!("{unknown}&actor=hipay")).await, 0);
    appliance.stop().await.unwrap();
}
