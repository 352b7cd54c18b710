//! The work list: every figure is that of the rows it links to, and together they are all that is owed.

use std::collections::{BTreeMap, BTreeSet};

use cashout::domain::money::{Amount, Currency};
use cashout::domain::operation::{Operation, Status};
use cashout::domain::voucher::VoucherRecord;
use cashout::store::{Query, View};
use serde_json::Value;

use crate::api::Api;
use crate::signing_in::{OPERATOR, VIEWER, signed_in};
use crate::snapshots::{generate, marketplace};
use crate::world::World;

/// Returns sums in minor units, by currency and field.
pub(crate) fn minor_units(rows: &[Value], field: &str) -> BTreeMap<String, i64> {
    let mut sums = BTreeMap::new();
    for row in rows.iter().filter(|row| row[field].is_string()) {
        let currency = row["currency"].as_str().unwrap();
        let amount = Amount::parse(row[field].as_str().unwrap(), Currency::from_code(currency).unwrap()).unwrap();
        *sums.entry(currency.to_owned()).or_default() += amount.minor();
    }
    sums
}

/// Returns all rows of a list, page by page.
pub(crate) async fn rows(api: &Api, query: &str) -> (u64, Vec<Value>) {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("{query}&per_page=2{cursor}")).await;
        items.extend(page["items"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (page["total"].as_u64().unwrap(), items),
        }
    }
}

/// A shop that has no wallet is owed money as well.
async fn troubled() -> World {
    let world = marketplace().await;
    generate(&world, 20, 2999, 4_200, 300).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn every_figure_is_that_of_its_rows_and_all_of_them_are_all_that_is_owed() {
    let world = troubled().await;
    let appliance = world.serve().await;
    let api = Api::of(&appliance);
    let todo = api.get("todo").await;
    let (mut operations, mut vouchers) = (BTreeSet::new(), BTreeSet::new());
    let mut sums: BTreeMap<&str, BTreeMap<String, i64>> = BTreeMap::new();
    for group in todo["items"].as_array().unwrap() {
        let query = group["query"].as_str().unwrap();
        let (total, rows) = rows(&api, query).await;
        let number = u64::try_from(rows.len()).unwrap();
        assert_eq!((group["count"].as_u64(), total), (Some(number), number), "{query}");
        let stated = group["sums"].as_array().unwrap();
        for field in ["amount", "commission"] {
            assert_eq!(minor_units(stated, field), minor_units(&rows, field), "{query}");
            for (currency, minor) in minor_units(&rows, field) {
                *sums.entry(field).or_default().entry(currency).or_default() += minor;
            }
        }
        for row in rows {
            assert_eq!(row["actor"], group["actor"], "{query}: {row}");
            let (seen, id) = match query.split_once('?').unwrap().0 {
                "operations" => (&mut operations, row["id"].to_string()),
                _ => (&mut vouchers, row["id"].as_str().unwrap().to_owned()),
            };
            assert!(seen.insert(id), "in two groups: {row}");
        }
    }
    for field in ["amount", "commission"] {
        assert_eq!(minor_units(todo["sums"].as_array().unwrap(), field), sums[field]);
    }
    assert_eq!(todo["total"], operations.len() + vouchers.len());

    let over = |operation: &Operation| {
        let paid =
            operation.status == Status::WithdrawSuccess && operation.held.is_none() && operation.shortfall.is_none();
        paid || operation.is_settled()
            || [Status::AdjustedOperations, Status::InvalidAmount].contains(&operation.status)
    };
    let expected = world.operations().into_iter().filter(|operation| !over(operation)).map(|operation| operation.id);
    assert_eq!(operations, expected.map(|id| id.to_string()).collect());
    let held = Query::group(VoucherRecord::HELD, ()).limit(1_000);
    let held = world.context.store.reading(move |reader| reader.page(&held)).await.unwrap().items;
    assert_eq!(vouchers, held.iter().map(VoucherRecord::id).collect());
    assert!(vouchers.contains("invoices-2999-20"), "the voucher of the shop without a wallet: {vouchers:?}");
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_by_reason_and_actor_are_combined_with_the_others() {
    let world = troubled().await;
    let appliance = world.serve().await;
    let api = Api::of(&appliance);
    let all = api.get("operations?actor=marketplace").await;
    let ids = |list: &Value| -> BTreeSet<u64> {
        list["items"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect()
    };
    assert!(all["total"].as_u64().unwrap() > 1, "{all}");
    let of_shop = api.get("operations?actor=marketplace&mirakl_id=2002").await;
    assert_eq!(ids(&of_shop), BTreeSet::from([world.operation(2).id]));
    let searched = api.get("operations?actor=marketplace&q=2002").await;
    assert_eq!(ids(&searched), ids(&of_shop));
    assert_eq!(api.get("operations?actor=hipay&reason=held-by-somebody").await["total"], 0);
    let none = api.get("vouchers?actor=nobody&state=outside_cycles").await;
    assert_eq!(none["total"], 0, "{none}");
    let outside = api.get("vouchers?reason=voucher-outside-cycles&cycle=2026-11-11").await;
    assert!(outside["total"].as_u64().unwrap() <= 1, "{outside}");
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_filtered_by_cycle_beneficiary_and_stage_and_every_operation_is_in_one_stage() {
    let world = troubled().await;
    let appliance = world.serve().await;
    let api = Api::of(&appliance);
    let all = rows(&api, "operations?from=2020-01-01").await.1;
    assert_eq!(all.len(), world.operations().len());
    let ids = |rows: &[Value]| -> BTreeSet<u64> { rows.iter().map(|row| row["id"].as_u64().unwrap()).collect() };
    let mut seen = BTreeSet::new();
    for beneficiary in ["vendor", "operator"] {
        for stage in [
            "netted",
            "nothing_to_pay",
            "to_transfer",
            "transferring",
            "in_wallets",
            "withdrawing",
            "withdrawn",
            "held_back",
            "settled",
        ] {
            let expected: Vec<Value> =
                all.iter().filter(|row| row["stage"] == stage && row["beneficiary"] == beneficiary).cloned().collect();
            let of_cycle: Vec<Value> = expected.iter().filter(|row| row["cycle"] == "2026-11-11").cloned().collect();
            let filter = format!("beneficiary={beneficiary}&stage={stage}");
            let (total, found) = rows(&api, &format!("operations?{filter}")).await;
            assert_eq!((ids(&found), total), (ids(&expected), u64::try_from(expected.len()).unwrap()), "{filter}");
            let (total, found) = rows(&api, &format!("operations?cycle=2026-11-11&{filter}")).await;
            assert_eq!((ids(&found), total), (ids(&of_cycle), u64::try_from(of_cycle.len()).unwrap()), "{filter}");
            let of_shop = api.get(&format!("operations?mirakl_id=2002&{filter}")).await;
            let expected = expected.iter().filter(|row| row["mirakl_id"] == 2002).count();
            assert_eq!(of_shop["total"], expected, "{filter}");
            assert!(found.iter().all(|row| seen.insert(row["id"].as_u64().unwrap())));
        }
    }
    assert_eq!(seen, ids(&all.into_iter().filter(|row| row["cycle"] == "2026-11-11").collect::<Vec<_>>()));
    appliance.stop().await.unwrap();
}

/// Returns the links of a page to operations, each with the number that it shows.
fn figures(page: &str) -> Vec<(String, u64)> {
    let links = page.split("href=\"/dashboard/transfers?").skip(1);
    let parts = links.filter_map(|link| link.split_once('"').zip(link.split_once('>')));
    let parts = parts.map(|((query, _), (_, text))| (query.replace("&#38;", "&"), text));
    let number = |text: &str| text.split([' ', '<']).next().and_then(|number| number.parse().ok());
    parts.filter_map(|(query, text)| number(text).map(|number| (query, number))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_figure_of_the_overview_is_the_number_of_rows_that_it_links_to() {
    let world = troubled().await;
    let appliance = world.serve().await;
    let api = Api::of(&appliance);
    let operator = signed_in(&appliance, OPERATOR).await;
    let overview = operator.ask("GET", "/dashboard").send().await.unwrap().text().await.unwrap();
    let figures = figures(&overview);
    assert!(figures.len() > 5, "{figures:?}");
    for (query, number) in figures {
        let found = api.get(&format!("operations?{query}")).await;
        assert_eq!(found["total"], number, "{query}: {found}");
    }
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_the_overview_name_who_has_to_act() {
    let world = troubled().await;
    let appliance = world.serve().await;
    let operator = signed_in(&appliance, OPERATOR).await;
    let page = operator.ask("GET", "/dashboard/todo").send().await.unwrap().text().await.unwrap();
    for expected in
        ["The marketplace has to act", "Held by an operator", "Shop has no HiPay account yet", "Bank details"]
    {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    assert!(page.contains("/dashboard/vouchers?actor=marketplace&#38;reason=voucher-vendor-unknown"), "{page}");
    let retry = "/dashboard/transfers/retry?actor=marketplace&#38;reason=why-transfer-negative";
    assert!(page.contains(retry), "{page}");
    let overview = operator.ask("GET", "/dashboard").send().await.unwrap().text().await.unwrap();
    assert!(overview.contains("Shop has no HiPay account yet") && !overview.contains("Nothing needs action"));
    let viewer = signed_in(&appliance, VIEWER).await;
    let page = viewer.ask("GET", "/dashboard/todo").send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Held by an operator") && !page.contains("/dashboard/transfers/retry"), "{page}");
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_s_page_names_all_that_is_unpaid_and_exists_without_a_wallet() {
    let world = troubled().await;
    let appliance = world.serve().await;
    let operator = signed_in(&appliance, OPERATOR).await;
    for (shop, expected) in [
        (2999, "Shop has no HiPay account yet"),
        (2003, "Bank details not valid at HiPay"),
        (2002, "Held by an operator"),
        (2006, "Insufficient funds in the technical account"),
    ] {
        let answer = operator.ask("GET", &format!("/dashboard/vendors/{shop}")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{shop}");
        let page = answer.text().await.unwrap();
        assert!(page.contains(expected) && !page.contains("Nothing prevents payments"), "{shop}: {page}");
    }
    let paid = operator.ask("GET", "/dashboard/vendors/2001").send().await.unwrap().text().await.unwrap();
    assert!(paid.contains("Nothing prevents payments to this vendor."), "{paid}");
    assert_eq!(operator.ask("GET", "/dashboard/vendors/2998").send().await.unwrap().status(), 404);
    appliance.stop().await.unwrap();
}
