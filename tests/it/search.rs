//! The search: everything that has a number or a name is found by each of its texts, the closest first.

use cashout::domain::attempt::prefix;
use cashout::domain::operation::{Beneficiary, PaymentKind};
use cashout::domain::vendor::Vendor;
use cashout::sandbox::SandboxOptions;
use cashout::sandbox::shops::{Market, populate};
use cashout::serve::Appliance;
use cashout::store::{StoreError, View};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::api::{Api, TOKEN};
use crate::payments::{ACCEPTED, FORM, enterprise};
use crate::signing_in::{VIEWER, signed_in, world};
use crate::world::{CYCLE, World, wallet_of};

/// Makes three shops of which two are paid, with HiPay's ledger.
async fn shops() -> World {
    let token = format!("dashboard.apiToken: {TOKEN}");
    let world = world(&[&token]).await;
    for (id, name) in [(2001, "Chez Élise & Fils"), (2002, "Grand Marché des Élites"), (2003, "Boutique Nord")] {
        world.seller(id);
        world.sandbox.mirakl(|mirakl| {
            mirakl.shops.iter_mut().filter(|shop| shop.id == id).for_each(|shop| name.clone_into(&mut shop.name));
        });
    }
    world.voucher(700_017, 2001, 8_300, 1_200);
    world.voucher(700_018, 2002, 5_000, 0);
    world.fund(100_000);
    world.up_to_operations().await;
    world.pay_day().await;
    world
}

/// Returns the hits for a text, each as kind and id.
async fn hits(api: &Api, text: &str) -> Vec<(String, String)> {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("q", text).finish();
    let found = api.get(&format!("search?{query}")).await;
    let items = found["items"].as_array().unwrap();
    assert!(items.len() <= 20, "{found}");
    for item in items {
        let is_text = |name: &str| item[name].as_str().is_some_and(|text| !text.is_empty());
        assert!(["title", "text"].into_iter().all(is_text), "{item}");
        assert!(item["address"].as_str().unwrap().starts_with("/dashboard/"), "{item}");
    }
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    items.iter().map(|item| (text(&item["kind"]), text(&item["id"]))).collect()
}

async fn ids(api: &Api, text: &str, kind: &str) -> Vec<String> {
    hits(api, text).await.into_iter().filter(|(of, _)| of == kind).map(|(_, id)| id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_is_found_by_ids_and_by_any_part_of_name_login_and_e_mail() {
    let world = shops().await;
    let appliance = world.serve().await;
    let api = Api::of(&appliance);
    let vendor = world.vendor(2001);
    let wallet = vendor.hipay_id.unwrap().to_string();
    for text in [
        "2001",
        &wallet,
        &vendor.login,
        &vendor.login.to_uppercase(),
        &vendor.email,
        "Chez Élise & Fils",
        "chez elise",
        "  ÉLISE & ",
        "e\u{301}lise",
        "z él",
        "lise",
        "se & f",
        "seller2001",
        "er2001@sh",
    ] {
        let found = hits(&api, text).await;
        assert_eq!(found.first(), Some(&("vendor".to_owned(), "2001".to_owned())), "{text}: {found:?}");
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("q", text).finish();
        let list = api.get(&format!("vendors?{query}")).await;
        assert!(list["items"].as_array().unwrap().iter().any(|one| one["mirakl_id"] == 2001), "{text}: {list}");
    }
    // The beginning of a word is closer than its middle.
    assert_eq!(ids(&api, "elis", "vendor").await, ["2001"]);
    assert_eq!(ids(&api, "eli", "vendor").await, ["2001", "2002"]);
    assert_eq!(ids(&api, "marche des", "vendor").await, ["2002"]);
    assert_eq!(ids(&api, "shops.example", "vendor").await, ["2001", "2002", "2003"]);
    for unknown in ["", "  ", "@&-", "Chez Élisa", "nobody@nowhere.example", "=1+1", "%", "'; --", "\u{0}", "🦄🦄"]
    {
        assert_eq!(hits(&api, unknown).await, [], "{unknown}");
    }
    // A shop whose name changes is not found by the former one; a removed vendor by nothing.
    let changed = world.context.store.write(|writer| {
        let vendor = writer.get::<Vendor>(&2001)?.unwrap();
        writer.put(&Vendor { name: "Mercerie".to_owned(), login: "other".to_owned(), ..vendor })?;
        writer.delete::<Vendor>(&2002)
    });
    assert!(changed.await.map_err(|error: StoreError| error).unwrap());
    assert_eq!(ids(&api, "elis", "vendor").await, Vec::<String>::new());
    assert_eq!(ids(&api, "erceri", "vendor").await, ["2001"]);
    assert_eq!(ids(&api, "marche", "vendor").await, Vec::<String>::new());
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_vouchers_transactions_and_payments_are_found_by_each_of_their_numbers() {
    let world = shops().await;
    let appliance = world.serve().await;
    let api = Api::of(&appliance);
    let operation = world.operation(700_017);
    let id = operation.id.to_string();
    let attempt = operation.transfer.last().unwrap();
    let transaction = attempt.transaction_id.clone().unwrap();
    let reference = attempt.reference.clone();
    assert!(reference.starts_with(prefix(PaymentKind::Transfer, Beneficiary::Vendor)));
    let beginning: String = reference.chars().take(reference.len() - 3).collect();
    for text in [&id, "700017", &transaction, &reference, &reference.to_lowercase(), &beginning] {
        assert!(ids(&api, text, "operation").await.contains(&id), "{text}");
    }
    let voucher = world.vouchers().into_iter().find(|voucher| voucher.contains("700017")).unwrap();
    for text in ["700017", &voucher, "70001"] {
        assert!(ids(&api, text, "voucher").await.contains(&voucher), "{text}");
    }
    let entries: Vec<String> = world.ledger().into_iter().map(|entry| entry.transaction_id).collect();
    for entry in &entries {
        assert_eq!(ids(&api, entry, "transaction").await.iter().filter(|id| *id == entry).count(), 1, "{entry}");
    }
    // The lists find the same.
    for text in ["700017", &transaction, &reference, "Chez Élise"] {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("q", text).finish();
        let list = api.get(&format!("operations?{query}")).await;
        assert!(list["items"].as_array().unwrap().iter().any(|one| one["id"] == operation.id), "{text}: {list}");
        let list = api.get(&format!("vouchers?{query}")).await;
        assert_eq!((&list["total"], &list["items"][0]["id"]), (&json!(1), &json!(voucher)), "{text}: {list}");
    }
    let hipay = enterprise(&world, &appliance);
    let body = "status=118&message=Captured&transaction_reference=132255767588&order[id]=HiPay-120034&currency=EUR&decimals=2&captured_amount=83.00&test=false&date_updated=2026-11-09T07:57:51+0000";
    assert_eq!(hipay.send_body(FORM, body.as_bytes()).await, ACCEPTED);
    crate::payments::dealt_with(&world).await;
    for text in ["132255767588", "1322557", "hipay-120034", "HiPay-12"] {
        assert_eq!(hits(&api, text).await, [("payment".to_owned(), "132255767588".to_owned())], "{text}");
    }
    appliance.stop().await.unwrap();
}

/// Returns the answer of the page for a text, as status, address that it leads to, and content.
async fn page(appliance: &Appliance, text: &str) -> (u16, String, String) {
    let viewer = signed_in(appliance, VIEWER).await;
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("q", text).finish();
    let answer = viewer.ask("GET", &format!("/dashboard/search?{query}")).send().await.unwrap();
    let address = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
    (answer.status().as_u16(), address, answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_for_viewers_too_and_leads_to_the_only_exact_hit() {
    let world = shops().await;
    let appliance = world.serve().await;
    for text in ["2001", "chez elise & fils", "seller2001@shops.example", &wallet_of(2001).to_string()] {
        let (status, address, _) = page(&appliance, text).await;
        assert_eq!((status, address.as_str()), (303, "/dashboard/vendors/2001"), "{text}");
    }
    let (status, _, shown) = page(&appliance, "elis").await;
    assert!(status == 200 && shown.contains("href=\"/dashboard/vendors/2001\""), "{shown}");
    assert!(shown.contains("/dashboard/vendors?q=elis") && shown.contains("Search in Vendors"), "{shown}");
    // A voucher and its operations have one number.
    let (status, _, shown) = page(&appliance, "700017").await;
    assert!(status == 200 && shown.contains("/dashboard/vouchers/") && shown.contains("/dashboard/transfers/"));
    let (status, _, shown) = page(&appliance, "").await;
    assert!(status == 200 && shown.contains("What are you looking for?"), "{shown}");
    let (status, _, shown) = page(&appliance, "<script>nowhere").await;
    assert!(status == 200 && shown.contains("Nothing found for") && !shown.contains("<script>nowhere"), "{shown}");
    let (status, _, shown) = page(&appliance, &"é".repeat(201)).await;
    assert!(status == 400 && shown.contains("200 characters"), "{shown}");
    assert_eq!(page(&appliance, &"é".repeat(200)).await.0, 200);

    let api = Api::of(&appliance);
    for (path, text) in [(format!("search?q={}", "x".repeat(201)), "200"), ("search?text=x".to_owned(), "q")] {
        let (status, title) = api.refused(&path).await;
        assert!(status == 400 && title.contains(text), "{path}: {title}");
    }
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_has_room_and_exact_matches_come_first() {
    let world = shops().await;
    let now = world.clock.now();
    let many = world.context.store.write(move |writer| {
        for id in 3_001..3_101 {
            let name = format!("Depot 700017{id}");
            writer.put(&Vendor { name, ..Vendor::new(id, now) })?;
        }
        writer.put(&Vendor { name: "700017".to_owned(), ..Vendor::new(9_999, now) })
    });
    many.await.map_err(|error: StoreError| error).unwrap();
    let appliance = world.serve().await;
    let api = Api::of(&appliance);
    let found = hits(&api, "700017").await;
    assert_eq!(found.len(), 20, "{found:?}");
    assert_eq!(found[0], ("vendor".to_owned(), "9999".to_owned()));
    for kind in ["operation", "voucher"] {
        let place = found.iter().position(|(of, _)| of == kind);
        assert!(place.is_some_and(|place| place < 4), "{kind}: {found:?}");
    }
    let listed = api.get("vendors?q=depot").await;
    assert_eq!((&listed["total"], &listed["total_exact"]), (&json!(100), &json!(true)));
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_vendor_is_found_by_every_part_of_its_name() {
    let mut world = World::unscheduled(SandboxOptions::default(), &[&format!("dashboard.apiToken: {TOKEN}")]).await;
    // The market's amounts are random.
    world.check_ledger = false;
    let zone = TimeZone::get("Europe/Paris").unwrap();
    populate(&world.sandbox, &Market { count: 40, seed: 7, cycles: vec![CYCLE], zone }).unwrap();
    let shops = world.sandbox.mirakl(|mirakl| {
        mirakl.shops.iter().map(|shop| (shop.id, shop.name.clone(), shop.email.clone())).collect::<Vec<_>>()
    });
    let now = world.clock.now();
    let known = shops.clone();
    let stored = world.context.store.write(move |writer| {
        known.into_iter().try_for_each(|(id, name, email)| {
            let login = cashout::domain::vendor::login(&name, id);
            writer.put(&Vendor { name, login, email: email.unwrap_or_default(), ..Vendor::new(id, now) })
        })
    });
    stored.await.map_err(|error: StoreError| error).unwrap();
    let appliance = world.serve().await;
    let api = Api::of(&appliance);
    for (id, name, _) in shops.iter().step_by(4) {
        let letters: Vec<char> = name.chars().collect();
        let parts = (3..=letters.len()).flat_map(|length| letters.windows(length));
        // One in seven of all parts, each of the shortest among them for some shop.
        for part in parts.step_by(7).map(|part| part.iter().collect::<String>()) {
            if part.chars().filter(|letter| letter.is_alphanumeric()).count() < 2 {
                continue;
            }
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("q", &part).finish();
            let list = api.get(&format!("vendors?per_page=200&{query}")).await;
            let found = list["items"].as_array().unwrap().iter().any(|one| one["mirakl_id"] == *id);
            assert!(found, "{name} by \"{part}\": {}", list["total"]);
        }
    }
    appliance.stop().await.unwrap();
}
