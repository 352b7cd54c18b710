//! `cashout serve`: it answers, says how it is, and stops in good order.

use std::io::Read;
use std::process::Stdio;

use serde_json::Value;

use cashout::sandbox::SandboxOptions;

use crate::world::{World, http};

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
    world.let_go().await;
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
