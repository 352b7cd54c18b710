//! Progress of batches, streamed to a watcher while the session lasts.

use std::time::Duration;

use cashout::jobs::Command;
use cashout::platform::secret::Secret;
use cashout::sandbox::SandboxOptions;
use cashout::serve::Appliance;
use cashout::web::{NewSession, Peer, sign_in, sign_out};
use reqwest::Response;

use crate::world::{World, http};

/// Upper bound on any wait in these tests.
const PATIENCE: Duration = Duration::from_secs(30);

fn somewhere() -> Peer {
    Peer { address: "198.51.100.7".parse().unwrap(), secure: false }
}

async fn signed_in(appliance: &Appliance) -> NewSession {
    sign_in(appliance.web(), "sandbox-login", &Secret::new("sandbox-password"), somewhere(), None).await.unwrap()
}

async fn watch(appliance: &Appliance, session: &NewSession) -> Response {
    let cookie = session.set_cookie.expose().split(';').next().unwrap().to_owned();
    let url = format!("http://{}/dashboard/batches/events", appliance.address());
    http().get(url).header("cookie", cookie).send().await.unwrap()
}

/// Reads until `wanted` appears.
async fn hears(stream: &mut Response, wanted: &str) {
    let mut heard = String::new();
    let reading = async {
        while !heard.contains(wanted) {
            let chunk = stream.chunk().await.unwrap();
            heard.push_str(&String::from_utf8_lossy(&chunk.unwrap_or_else(|| panic!("it ended before {wanted}"))));
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap_or_else(|_| panic!("{wanted} is not told"));
}

/// Reads to the end of the stream, which must come.
async fn ends(stream: &mut Response) {
    let reading = async { while stream.chunk().await.unwrap().is_some() {} };
    tokio::time::timeout(PATIENCE, reading).await.expect("it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn watching_ends_when_the_process_stops() {
    let world = World::unscheduled(SandboxOptions::default(), &[]).await;
    let appliance = world.serve().await;
    let mut stream = watch(&appliance, &signed_in(&appliance).await).await;
    assert_eq!(stream.status(), 200);
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    hears(&mut stream, "event: progress\ndata: []\n").await;

    let (stopped, ()) = tokio::join!(appliance.stop(), ends(&mut stream));
    stopped.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_anything_who_has_signed_out_or_never_signed_in() {
    let world = World::unscheduled(SandboxOptions::default(), &[]).await;
    let appliance = world.serve().await;
    let session = signed_in(&appliance).await;
    let mut stream = watch(&appliance, &session).await;
    hears(&mut stream, "data: []\n").await;
    sign_out(appliance.web(), &session.session, somewhere()).await.unwrap();
    // The next event has no reader.
    appliance.web().scheduler.enqueue(&Command::CashoutTransfer, "test", true).await.unwrap();
    ends(&mut stream).await;

    let stranger = http().get(format!("http://{}/dashboard/batches/events", appliance.address()));
    assert_eq!(stranger.send().await.unwrap().status(), 303);
    appliance.stop().await.unwrap();
}
