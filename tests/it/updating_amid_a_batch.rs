//! Updates while money is being moved: the operation in progress is finished first, nothing is moved
//! during the trial, and the new release does the rest.

use std::collections::BTreeMap;

use cashout::domain::operation::Status;
use cashout::jobs::{BatchRecord, BatchState};
use cashout::sandbox::{Endpoint, Moment};
use cashout::store::{Query, View};
use serde_json::Value;

use crate::installation::{API_TOKEN, Installation, NEW, OLD, Service, signed};
use crate::notices::until;
use crate::running::Running;
use crate::world::wallet_of;

const SELLERS: std::ops::RangeInclusive<u64> = 2001..=2010;

/// Makes an installation with ten sellers to be paid 10 each, one payment in flight at a time: a held
/// payment holds all.
async fn to_be_paid() -> Installation {
    let mut installation = Installation::with(&["hipay.maxConcurrency: 1"]).await;
    installation.look_inside().await;
    let world = &installation.world;
    for id in SELLERS {
        // The installation already has the first one.
        if id != *SELLERS.start() {
            world.seller(id);
        }
        world.voucher(id, id, 1_000, 0);
    }
    world.fund(1_000_000);
    world.up_to_operations().await;
    world.release_store().await;
    installation
}

fn paid(installation: &Installation) -> usize {
    installation.world.sandbox.hipay(|hipay| hipay.ledger.paid().count())
}

/// Returns the states of all transfer batches, the oldest first, from the service.
async fn batches(installation: &Installation, service: &Service) -> Vec<String> {
    let asked = installation.client.get(service.url("/api/v1/batches?command=cashout:transfer")).bearer_auth(API_TOKEN);
    let list: Value = asked.send().await.unwrap().json().await.unwrap();
    let state = |batch: &Value| batch["state"].as_str().unwrap().to_owned();
    list.get("items").unwrap().as_array().unwrap().iter().rev().map(state).collect()
}

/// Starts the update while the third transfer is held, before or after HiPay executed it.
async fn goes_on(moment: Moment) {
    let mut installation = to_be_paid().await;
    let service = installation.serve().await;
    let mut third = installation.world.sandbox.pause_at(Endpoint::Transfer, moment, 3);
    let paying = Running::start(installation.command(&["cashout:transfer"]));
    assert!(third.reached().await);

    let asking = Running::start(installation.installing(NEW, &signed(NEW, None)));
    installation.comes_to("drain").await;
    assert_eq!(installation.version(&service).await, OLD);
    assert_eq!(batches(&installation, &service).await, ["running"], "the operation in hand is not cut");
    third.release();
    installation.comes_to("trial").await;
    let by_then = paid(&installation);
    assert!((3..SELLERS.count()).contains(&by_then), "{by_then} are paid");
    let journal = installation.of_guard("journal");
    until("the new release is no longer on trial", || {
        let now = paid(&installation);
        let tried = std::fs::read_to_string(&journal)
            .is_ok_and(|text| text.contains("\"state\": \"trial\"") || text.contains("\"state\": \"guard_trial\""));
        assert!(!tried || now == by_then, "{} were paid on trial", now - by_then);
        !tried
    })
    .await;
    asking.end().await.ends(0).says("updated from 1.0.0 to 1.1.0");
    let paid_for = paying.end().await;
    paid_for.ends(130).says("cashout:transfer: interrupted");

    // The new release does the rest without any request.
    until("everybody is paid", || paid(&installation) == SELLERS.count()).await;
    assert_eq!(installation.version(&service).await, NEW);
    while batches(&installation, &service).await != ["interrupted", "done"] {
        tokio::task::yield_now().await;
    }
    service.stop().await;
    installation.look_inside().await;
    let all = Query::<BatchRecord, _>::all();
    let records = installation.world.context.store.read(|reader| Ok(reader.page(&all)?.items)).unwrap();
    let of = |state| records.iter().find(|one| one.command == "cashout:transfer" && one.state() == state).unwrap();
    let (first, rest) = (of(BatchState::Interrupted), of(BatchState::Done));
    assert_eq!((first.done, first.total), (u64::try_from(by_then).unwrap(), 10));
    assert_eq!((rest.done, rest.total), (10 - first.done, 10 - first.done));
    assert_eq!(first.asked_by, rest.asked_by);
    // A waiting command need not be repeated.
    let told = format!("it stopped for an update, and batch {} does the rest automatically", rest.id);
    assert_eq!(first.error.as_deref(), Some(told.as_str()));
    paid_for.says(&format!("{}  left; {told}", 10 - first.done));
    installation.world.pay_day().await;
    let everybody: BTreeMap<u64, i64> = SELLERS.map(|id| (wallet_of(id), 1_000)).collect();
    assert_eq!(installation.world.paid_out(), everybody);
    assert!(installation.world.operations().iter().all(|one| one.status == Status::WithdrawSuccess));
    assert_eq!(paid(&installation), 20, "one transfer and one withdrawal each");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_hipay_has_not_executed_yet_is_finished_before_the_exchange() {
    goes_on(Moment::Before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_hipay_has_executed_and_not_answered_is_finished_before_the_exchange() {
    goes_on(Moment::After).await;
}
