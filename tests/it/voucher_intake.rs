//! Intake of vouchers: every voucher that Mirakl shows is recorded; the calendar determines its
//! cycle, and never whether it is seen.

use cashout::domain::operation::Status;
use cashout::domain::voucher::{HeldBecause, VoucherRecord};
use cashout::sandbox::{SandboxOptions, Voucher};
use cashout::serve::Appliance;
use cashout::store::{Query, View};
use jiff::Timestamp;
use serde_json::Value;

use crate::world::{World, euro, http, wallet_of};

fn records(world: &World) -> Vec<VoucherRecord> {
    world.context.store.read(|reader| Ok(reader.page(&Query::<VoucherRecord, _>::all().limit(10_000))?.items)).unwrap()
}

/// Checks that each voucher that Mirakl shows is recorded, with its operations or with the reason for
/// which it has none.
fn all_are_known(world: &World) {
    let shown: Vec<u64> = world.sandbox.mirakl(|mirakl| mirakl.vouchers.iter().map(|voucher| voucher.number).collect());
    let records = records(world);
    let operations = world.operations();
    for number in shown {
        let record = records.iter().find(|record| record.voucher.number == number.to_string());
        let record = record.unwrap_or_else(|| panic!("voucher {number} is not known"));
        let made = operations.iter().any(|operation| operation.voucher == number.to_string());
        assert_eq!(made, record.held.is_none(), "{record:?}");
    }
}

fn held(world: &World, number: u64) -> Option<HeldBecause> {
    let records = records(world);
    records.iter().find(|record| record.voucher.number == number.to_string()).and_then(|record| record.held)
}

fn voucher_at(world: &World, number: u64, at: &str) {
    let created: Timestamp = at.parse().unwrap();
    world.sandbox.mirakl(|mirakl| mirakl.vouchers.push(Voucher::new(number, 2001, "10.00", created)));
}

async fn day(world: &World, at: &str) {
    world.clock.set(at.parse().unwrap());
    world.generate().await;
    world.pay_day().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_between_two_windows_waits_for_a_person_or_for_the_next_cycle() {
    for (setting, paid_at_once, paid_in_the_end) in [("hold", false, false), ("next", false, true)] {
        let line = format!("cashout.outsideCycles: {setting}");
        let world = World::with(SandboxOptions::default(), &[&line]).await;
        world.seller(2001);
        world.fund(100_000);
        world.vendors().await;
        voucher_at(&world, 1, "2026-11-11T02:00:00Z");
        voucher_at(&world, 2, "2026-11-15T12:00:00Z");
        day(&world, "2026-11-16T08:00:00Z").await;
        all_are_known(&world);
        assert_eq!(world.status(1), Status::WithdrawSuccess);
        assert_eq!(held(&world, 2).is_none(), paid_at_once, "{setting}");
        assert_eq!(held(&world, 2) == Some(HeldBecause::OutsideCycles), setting == "hold");
        day(&world, "2026-11-22T08:00:00Z").await;
        all_are_known(&world);
        assert_eq!(held(&world, 2).is_none(), paid_in_the_end, "{setting}");
        let paid = if paid_in_the_end { 2_000 } else { 1_000 };
        assert_eq!(world.paid_out().get(&wallet_of(2001)), Some(&paid), "{setting}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_that_appears_after_its_window_is_paid_with_its_cycle() {
    let world = World::new().await;
    world.seller(2001);
    world.fund(100_000);
    world.vendors().await;
    voucher_at(&world, 1, "2026-11-11T02:00:00Z");
    day(&world, "2026-11-12T08:00:00Z").await;
    // Its date is in a window that was read and closed days ago.
    voucher_at(&world, 2, "2026-11-11T03:00:00Z");
    day(&world, "2026-11-14T08:00:00Z").await;
    all_are_known(&world);
    assert_eq!(world.status(2), Status::WithdrawSuccess);
    // And weeks ago.
    voucher_at(&world, 3, "2026-11-11T04:00:00Z");
    day(&world, "2026-12-20T08:00:00Z").await;
    assert_eq!(world.status(3), Status::WithdrawSuccess);
    assert_eq!(world.operation(3).cycle_date.to_string(), "2026-11-11");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_calendar_is_mended_by_correcting_it() {
    // (the wrong setting, the right one)
    let cases = [
        ("cycle.days: [1, 21]", "cycle.days: [1, 11, 21]"),
        ("cycle.interval.before: 1 hour", "cycle.interval.before: 12 hours"),
        ("hipay.timezone: Pacific/Honolulu", "hipay.timezone: Europe/Paris"),
    ];
    for (wrong, right) in cases {
        let mut world = World::with(SandboxOptions::default(), &[wrong]).await;
        world.seller(2001);
        world.fund(100_000);
        world.vendors().await;
        voucher_at(&world, 1, "2026-11-10T15:00:00Z");
        day(&world, "2026-11-13T08:00:00Z").await;
        all_are_known(&world);
        assert_eq!(held(&world, 1), Some(HeldBecause::OutsideCycles), "{wrong}");
        world.set(right).await;
        day(&world, "2026-11-14T08:00:00Z").await;
        assert_eq!(world.status(1), Status::WithdrawSuccess, "{right}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_of_a_cycle_that_is_not_over_is_known_and_waits_for_it() {
    let world = World::new().await;
    world.seller(2001);
    world.fund(100_000);
    world.vendors().await;
    voucher_at(&world, 1, "2026-11-11T02:00:00Z");
    day(&world, "2026-11-11T03:00:00Z").await;
    all_are_known(&world);
    assert_eq!(held(&world, 1), Some(HeldBecause::CycleOpen));
    day(&world, "2026-11-12T03:00:00Z").await;
    assert_eq!((world.status(1), world.operation(1).amount), (Status::WithdrawSuccess, euro(1_000)));
}

/// Checks that every voucher is recorded, with a generated calendar and generated dates of the
/// vouchers and of their appearance.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_calendar_every_voucher_is_known() {
    for seed in 0..12_u64 {
        let mut chance = fastrand::Rng::with_seed(seed);
        let days: Vec<String> = (1..=28).filter(|_| chance.u8(0..6) == 0).map(|day: u8| day.to_string()).collect();
        let days = if days.is_empty() { "15".to_owned() } else { days.join(", ") };
        let settings = [
            format!("cycle.days: [{days}]"),
            format!("cycle.interval.before: {} hours", chance.u8(0..40)),
            format!("cycle.interval.after: {} hours", chance.u8(0..40)),
            format!("cashout.outsideCycles: {}", if chance.bool() { "hold" } else { "next" }),
        ];
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let world = World::with(SandboxOptions::default(), &settings).await;
        world.seller(2001);
        world.fund(1_000_000);
        world.vendors().await;
        let begin: Timestamp = "2026-11-10T00:00:00Z".parse().unwrap();
        for number in 1..=25 {
            let at = begin + jiff::SignedDuration::from_secs(chance.i64(0..30 * 86_400));
            // It appears up to ten days after its date.
            let seen = at + jiff::SignedDuration::from_secs(chance.i64(0..10 * 86_400));
            if world.clock.now() < seen {
                world.clock.set(seen);
                world.generate().await;
            }
            voucher_at(&world, number, &at.to_string());
        }
        world.clock.advance(jiff::SignedDuration::from_hours(24));
        world.generate().await;
        all_are_known(&world);
    }
}

const TOKEN: &str = "a-token-of-this-test-0123456789";

/// Returns the API's list of vouchers for a query.
async fn listed(appliance: &Appliance, query: &str) -> Value {
    let url = format!("http://{}/api/v1/vouchers?{query}", appliance.address());
    http().get(url).bearer_auth(TOKEN).send().await.unwrap().json().await.unwrap()
}

/// Posts a choice to the API; returns the status and the body of the answer.
async fn post(appliance: &Appliance, id: &str, act: &str, body: &str) -> (u16, String) {
    let url = format!("http://{}/api/v1/vouchers/{id}/{act}", appliance.address());
    let sent = http().post(url).bearer_auth(TOKEN).header("content-type", "application/json").body(body.to_owned());
    let answer = sent.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Checks the choices by the API: the first voucher is released, the second is settled.
async fn chosen_by_the_api(appliance: &Appliance) {
    let list = listed(appliance, "state=outside_cycles").await;
    assert_eq!(list["total"], 4, "{list}");
    let item = &list["items"][0];
    assert_eq!((item["amount"].as_str(), item["actor"].as_str()), (Some("10.00"), Some("marketplace")), "{item}");
    assert!(item["reason"].as_str().unwrap().contains("no cycle's window contains its date"), "{item}");
    assert_eq!(post(appliance, "invoices-2001-1", "release", r#"{"reason": "owed"}"#).await.0, 200);
    let (status, said) = post(appliance, "invoices-2001-1", "release", "{}").await;
    assert_eq!(status, 409, "{said}");
    assert!(said.contains("is already released"), "{said}");
    let (status, said) = post(appliance, "invoices-2001-2", "settle", "{}").await;
    assert_eq!(status, 409, "{said}");
    assert!(said.contains("a reason is required"), "{said}");
    assert_eq!(post(appliance, "invoices-2001-2", "settle", r#"{"reason": "paid by hand"}"#).await.0, 200);
    assert_eq!(post(appliance, "invoices-2001-99", "settle", r#"{"reason": "paid by hand"}"#).await.0, 404);
    assert_eq!(post(appliance, "nothing", "release", "{}").await.0, 404);
}

/// Checks that each voucher shows the operations that it produced, and the shop.
async fn each_shows_its_operations(world: &World) {
    let appliance = world.serve().await;
    let list = listed(&appliance, "sort=date").await;
    for item in list["items"].as_array().unwrap() {
        let operations: Vec<u64> = serde_json::from_value(item["operations"].clone()).unwrap();
        let made = world.operations().into_iter().filter(|one| one.voucher == item["number"].as_str().unwrap());
        assert_eq!(operations, made.map(|one| one.id).collect::<Vec<_>>(), "{item}");
        assert_eq!(item["shop_name"], "Shop 2001", "{item}");
    }
    appliance.stop().await.unwrap();
}

/// Checks a person's choices on vouchers without operations: by the API, by the command line, beside a running service.
#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_outside_every_cycle_is_released_or_settled() {
    let line = format!("dashboard.apiToken: {TOKEN}");
    let mut world = World::unscheduled(SandboxOptions::default(), &[&line]).await;
    world.seller(2001);
    world.fund(100_000);
    world.vendors().await;
    for number in 1..=4 {
        voucher_at(&world, number, "2026-11-15T12:00:00Z");
    }
    day(&world, "2026-11-16T08:00:00Z").await;
    assert_eq!(world.operations().len(), 0);

    let appliance = world.serve().await;
    chosen_by_the_api(&appliance).await;
    // Through the running service.
    world.told(&["voucher:release", "invoices-2001-3"]).await.ends(0).says("is released");
    world.told(&["voucher:settle", "invoices-2001-3"]).await.ends(2).says("--reason");
    appliance.stop().await.unwrap();
    world.release_store().await;
    world.told(&["voucher:settle", "invoices-2001-4", "--reason", "by another way"]).await.ends(0).says("is settled");
    world.restart().await;

    day(&world, "2026-11-17T08:00:00Z").await;
    let mut paid: Vec<String> = world.operations().into_iter().map(|operation| operation.voucher).collect();
    paid.sort();
    assert_eq!(paid, ["1", "3"]);
    assert_eq!(world.paid_out().get(&wallet_of(2001)), Some(&2_000));
    assert_eq!(held(&world, 2), Some(HeldBecause::Settled));
    all_are_known(&world);
    world.release_store().await;
    world.told(&["voucher:release", "invoices-2001-1"]).await.ends(2).says("already has operations");
    // A mistake: it is owed after all.
    world.told(&["voucher:release", "invoices-2001-4", "--reason", "a mistake"]).await.ends(0);
    world.restart().await;
    day(&world, "2026-11-18T08:00:00Z").await;
    assert_eq!(world.status(4), Status::WithdrawSuccess);
    let story: Vec<_> = records(&world).into_iter().find(|one| one.voucher.number == "4").unwrap().story;
    assert_eq!(story.iter().map(|note| note.reason.as_str()).collect::<Vec<_>>(), ["by another way", "a mistake"]);
    each_shows_its_operations(&world).await;
}
