//! `cashout serve`: requests, health, and an orderly stop.

use std::io::Read;
use std::process::Stdio;

use serde_json::Value;

use cashout::sandbox::SandboxOptions;

use crate::world::{World, http, own_address};

#[tokio::test(flavor = "multi_thread")]
async fn it_says_that_it_is_alive_and_ready() {
    let world = World::new().await;
    let appliance = world.serve().await;
    let base = format!("http://{}", appliance.address());
    let client = http();

    let alive = client.get(format!("{base}/healthz")).send().await.unwrap();
    assert_eq!(alive.status(), 200);
    assert_eq!(alive.headers()["x-content-type-options"], "nosniff");
    assert_eq!(alive.headers()["x-request-id"].len(), 16);
    let said: Value = alive.json().await.unwrap();
    assert_eq!((said["status"].as_str(), said["version"].as_str()), (Some("ok"), Some(env!("CARGO_PKG_VERSION"))));
    assert_eq!(client.get(format!("{base}/readyz")).send().await.unwrap().status(), 200);

    let missing = client.get(format!("{base}/no-such-thing")).send().await.unwrap();
    assert_eq!(missing.status(), 404);
    assert_eq!(missing.headers()["content-type"], "application/problem+json");

    appliance.stop().await.unwrap();
    assert!(client.get(format!("{base}/healthz")).send().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_binary_serves_until_it_is_told_to_stop() {
    let world = World::with(SandboxOptions::default(), &["server.listen: 127.0.0.1:0"]).await;
    world.release_store().await;
    let mut process = world.cashout(&["serve"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = std::io::BufReader::new(process.stderr.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut stderr, &mut line).unwrap();
    let address = line.trim().rsplit(' ').next().unwrap().to_owned();
    assert!(line.starts_with("cashout "), "{line}");

    let client = http();
    assert_eq!(client.get(format!("http://{address}/readyz")).send().await.unwrap().status(), 200);

    let kill = std::process::Command::new("kill").args(["-TERM", &process.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let status = tokio::task::spawn_blocking(move || process.wait().unwrap()).await.unwrap();
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(status.code(), Some(0), "{rest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_can_be_read_on_its_own_listener_or_with_the_token_and_not_else() {
    let own = std::net::TcpListener::bind((own_address(), 0)).unwrap().local_addr().unwrap();
    let listen = format!("server.metricsListen: {own}");
    let mut world = World::with(SandboxOptions::default(), &[&listen]).await;
    world.fund(100_000);
    for id in 1..=3 {
        world.seller(id);
        world.voucher(100 + id, id, 8_300, 0);
    }
    world.up_to_operations().await;
    let appliance = world.serve().await;
    let url = format!("http://{}/metrics", appliance.address());
    world.transfer().await;
    let text = loop {
        // The metrics address is opened slightly later than the main one.
        if let Ok(answer) = http().get(format!("http://{own}/metrics")).send().await {
            break answer.text().await.unwrap();
        }
    };
    for line in [
        "cashout_operations{status=\"TRANSFER_REQUESTED\"} 3",
        "cashout_operations_amount_minor_units{status=\"TRANSFER_REQUESTED\",currency=\"EUR\"} 24900",
        "cashout_vendors{status=\"success\",wallet_status=\"identified\"} 3",
        "cashout_remote_calls_total{remote=\"HiPay\",outcome=\"ok\"}",
        "cashout_remote_call_seconds_count{remote=\"HiPay\"}",
        "cashout_store_commits_total{outcome=\"ok\"}",
        "cashout_build_info{version=",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    // A foreign page whose name was rebound to this machine is refused; nothing but metrics is served there.
    let elsewhere =
        http().get(format!("http://{own}/metrics")).header("host", "evil.example:9464").send().await.unwrap();
    assert_eq!(elsewhere.status(), 421);
    assert_eq!(http().get(format!("http://{own}/dashboard")).send().await.unwrap().status(), 404);
    // A request from this machine may have come through a proxy on it.
    assert_eq!(http().get(&url).send().await.unwrap().status(), 404);
    appliance.stop().await.unwrap();

    world.set("server.metricsToken: a-token-of-some-length").await;
    let appliance = world.serve().await;
    let url = format!("http://{}/metrics", appliance.address());
    assert_eq!(http().get(&url).send().await.unwrap().status(), 401);
    let shown = http().get(&url).bearer_auth("a-token-of-some-length").send().await.unwrap();
    assert_eq!(shown.status(), 200);
    // After a hundred wrong tokens within a minute a guesser must wait; the right token always works.
    for number in 0..110 {
        let wrong = http().get(format!("http://{}/api/v1/vendors", appliance.address())).bearer_auth("wrong");
        assert_eq!(wrong.send().await.unwrap().status(), if number < 100 { 401 } else { 429 });
    }
    let right = http().get(&url).bearer_auth("a-token-of-some-length");
    assert_eq!(right.send().await.unwrap().status(), 200);
    appliance.stop().await.unwrap();
}
