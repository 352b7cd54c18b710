//! The API conforms to its own description for any request: a tester generates requests from the
//! description and compares every answer with it.

use std::process::Command;

use crate::api::{TOKEN, paid_world};

fn tester() -> Command {
    let found = Command::new("schemathesis").arg("--version").output();
    assert!(
        found.is_ok_and(|output| output.status.success()),
        "schemathesis is missing on the path; tests/run installs it beside what is built"
    );
    Command::new("schemathesis")
}

#[tokio::test(flavor = "multi_thread")]
async fn it_answers_as_its_description_says() {
    let world = paid_world().await;
    let appliance = world.serve().await;
    let mut tester = tester();
    let folder = tempfile::tempdir().unwrap();
    tester.current_dir(folder.path()).env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    tester.args(["run", "--seed", "1", "--max-examples", "40", "--continue-on-failure", "--no-color"]);
    // The stream of events does not end; tests/it/socket.rs reads it.
    tester.args(["--exclude-path", "/batches/events"]);
    tester.args(["--header", &format!("Authorization: Bearer {TOKEN}")]);
    tester.arg(format!("http://{}/api/v1/openapi.json", appliance.address()));
    let output = tokio::task::spawn_blocking(move || tester.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    appliance.stop().await.unwrap();
}
