//! The three ways to authenticate at Mirakl, and the behaviour when Mirakl no longer accepts them.

use cashout::jobs::{Command, JobError};
use cashout::sandbox::{Endpoint, Fault, FaultKind};
use jiff::SignedDuration;

use crate::world::World;

fn tokens(world: &World) -> u64 {
    world.sandbox.traffic(|traffic| traffic.count(Endpoint::Token))
}

async fn with_bearer(token: &str) -> World {
    let mut world = World::new().await;
    world.seller(2001);
    world.set(&format!("mirakl.operatorKey: ~\n    mirakl.bearerToken: {token}")).await;
    world
}

async fn with_client(secret: &str) -> World {
    let mut world = World::new().await;
    world.seller(2001);
    let (id, url) = (&world.sandbox.credentials().client_id, &world.sandbox.credentials().auth_url);
    let lines = format!(
        "mirakl.operatorKey: ~\n    mirakl.clientId: {id}\n    mirakl.clientSecret: {secret}\n    mirakl.authUrl: {url}"
    );
    world.set(&lines).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bearer_token_opens_mirakl() {
    let world = with_bearer("sandbox-bearer-token").await;
    assert_eq!(world.vendors().await.failed, 0);
    assert!(world.vendor(2001).hipay_id.is_some());
    assert_eq!(tokens(&world), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn client_credentials_open_mirakl_with_one_token_for_all_calls() {
    let world = with_client("sandbox-client-secret").await;
    assert_eq!(world.vendors().await.failed, 0);
    assert!(world.vendor(2001).hipay_id.is_some());
    assert_eq!(tokens(&world), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_earlier_than_promised_is_renewed_once() {
    let world = with_client("sandbox-client-secret").await;
    world.vendors().await;
    world.clock.advance(SignedDuration::from_hours(2));
    assert_eq!(world.vendors().await.failed, 0);
    assert_eq!(tokens(&world), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_endpoint_that_stumbles_once_is_asked_again() {
    let world = with_client("sandbox-client-secret").await;
    world.sandbox.strike(Fault::new(FaultKind::HtmlPage(200)).at(Endpoint::Token));
    assert_eq!(world.vendors().await.failed, 0);
    assert_eq!(tokens(&world), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_mirakl_no_longer_takes_is_not_tried_for_ever() {
    let world = with_client("sandbox-client-secret").await;
    world.vendors().await;
    // Tokens are still issued, and none is accepted.
    world.sandbox.strike(Fault::new(FaultKind::HtmlPage(401)).at(Endpoint::Shops).times(1_000));
    let error = world.try_run(Command::VendorProcess { since: None }).await.unwrap_err();
    assert!(matches!(&error, JobError::Credentials(why) if why.contains("Mirakl refused our credentials")), "{error}");
    assert_eq!(tokens(&world), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_for_mirakl_end_with_their_own_code_and_touch_nothing() {
    let mut key = World::new().await;
    key.seller(2001);
    key.set("mirakl.operatorKey: wrong-canary").await;
    for world in [key, with_bearer("wrong-canary").await, with_client("wrong-canary").await] {
        world.release_store().await;
        let told = world.told(&["vendor:process", "-vvv"]).await;
        told.ends(3).says("Mirakl refused our credentials").hides("wrong-canary");
        assert_eq!(world.told(&["vendor:process", "--json"]).await.ends(3).json()["exit"], 3);
        let checked = world.told(&["check"]).await;
        checked.ends(1).says("WRONG  Mirakl").says("check mirakl.operatorKey, mirakl.bearerToken or mirakl.clientId");
        checked.says("ok     HiPay").hides("wrong-canary");
        assert_eq!(world.sandbox.traffic(|traffic| traffic.count(Endpoint::CreateAccount)), 0);
    }
}
