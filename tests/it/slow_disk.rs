//! A disk that really is slow: each flush of a running service takes seconds, by strace.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cashout::sandbox::SandboxOptions;
use tokio::time::Instant;

use crate::receiver::Receiver;
use crate::running::Running;
use crate::servers::free_port;
use crate::world::{World, http, own_address};

/// Time limit for reporting a trouble and, once it is over, its resolution.
const REPORT_TIMEOUT: Duration = Duration::from_mins(2);

/// An strace that makes every flush of a process take seven seconds until it is ended.
struct SlowDisk(Child);

impl SlowDisk {
    fn of(process: &str) -> Self {
        let delay = "inject=fsync,fdatasync:delay_exit=7000000";
        let mut strace = Command::new("strace");
        strace.args(["-f", "-q", "-p", process, "-e", "trace=fsync,fdatasync", "-e", delay]);
        Self(strace.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Detaches from the process, which continues as before.
    fn end(mut self) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-s", "INT", &id]).status().unwrap().success());
        self.0.wait().unwrap();
    }
}

/// Waits until the messages about the disk have these types.
async fn reported(receiver: &Receiver, types: &[&str]) {
    let begun = Instant::now();
    loop {
        let about: Vec<String> = receiver.about("slow_disk").into_iter().map(|(kind, _)| kind).collect();
        if about == types {
            return;
        }
        assert!(begun.elapsed() < REPORT_TIMEOUT, "{about:?}, not {types:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_disk_is_reported_once_and_resolved_while_pages_are_answered() {
    let receiver = Receiver::open().await;
    let address = format!("{}:{}", own_address(), free_port());
    let mut settings = receiver.settings();
    settings.extend([format!("server.listen: {address}"), "dashboard.apiToken: a-token-of-the-api".to_owned()]);
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let world = World::unscheduled(SandboxOptions::default(), &settings).await;
    world.release_store().await;
    let mut service = Running::start(world.cashout(&["serve"]));
    service.says("answers on").await;
    let slow = SlowDisk::of(&service.worker());
    // Each request causes a stored line.
    let ask = |token: &str| http().get(format!("http://{address}/api/v1/operations")).bearer_auth(token).send();
    let begun = Instant::now();
    while receiver.about("slow_disk").is_empty() {
        assert!(begun.elapsed() < REPORT_TIMEOUT, "nothing is reported");
        assert_eq!(ask("a-wrong-token-of-the-api").await.unwrap().status(), 401);
        let asked = Instant::now();
        assert_eq!(ask("a-token-of-the-api").await.unwrap().status(), 200);
        assert!(asked.elapsed() < Duration::from_secs(5), "a page waits for the disk: {:?}", asked.elapsed());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    slow.end();
    reported(&receiver, &["trouble.opened", "trouble.resolved"]).await;
    service.signal("TERM");
    service.end().await.ends(0);
}
