//! The binary's log on its output, in a file and in the store.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use cashout::config::LogLevel;
use cashout::logs::{LogFilter, LogLine};
use cashout::platform::clock::Clock;
use cashout::sandbox::SandboxOptions;
use cashout::store::View;
use serde_json::Value;

use crate::world::World;

const ANY_PORT: &str = "server.listen: 127.0.0.1:0";

async fn world(settings: &[&str]) -> World {
    let world = World::with(SandboxOptions::default(), settings).await;
    // The process uses the machine's clock, and would report that HiPay's differs.
    world.clock.set(Clock::system().now());
    world.release_store().await;
    world
}

/// A `cashout serve` that answers.
struct Serving {
    process: Child,
}

impl Serving {
    fn start(world: &World, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = world.cashout(&[&["serve"], arguments].concat());
        command.envs(environment.iter().copied());
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(process.stderr.take().unwrap()).read_line(&mut ready).unwrap();
        assert!(ready.contains("answers on"), "{ready}");
        Self { process }
    }

    fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        assert!(std::process::Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Stops it in an orderly way; returns its output.
    fn stop(mut self) -> String {
        self.signal("-TERM");
        let mut printed = String::new();
        self.process.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
        assert_eq!(self.process.wait().unwrap().code(), Some(0), "{printed}");
        printed
    }
}

/// Returns the lines that a process has stored, the first one first.
async fn stored(world: &mut World, filter: LogFilter) -> Vec<LogLine> {
    world.restart().await;
    let listing = filter.listing().limit(10_000);
    let lines = world.context.store.reading(move |reader| reader.page(&listing)).await.unwrap().items;
    world.release_store().await;
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_logs_as_its_listener_wants_it() {
    let world = world(&[ANY_PORT]).await;
    let journal = Serving::start(&world, &[], &[("JOURNAL_STREAM", "8:1")]).stop();
    assert!(journal.lines().all(|line| line.starts_with("<6>") || line.starts_with("<4>")), "{journal}");
    assert!(journal.contains("<6>serve: answers on 127.0.0.1:") && journal.contains("<6>serve: stops"), "{journal}");

    let json = Serving::start(&world, &["--log-format", "json"], &[("JOURNAL_STREAM", "8:1")]).stop();
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["level"], &lines[0]["action"]), (&"INFO".into(), &"serve".into()), "{json}");
    assert!(lines.iter().all(|line| line["date"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok()));

    let text = Serving::start(&world, &[], &[]).stop();
    let first = text.lines().next().unwrap();
    let (time, rest) = first.split_once(' ').unwrap();
    assert!(time.parse::<jiff::Timestamp>().is_ok() && rest.starts_with("INFO      serve: answers on"), "{text}");
    // Colours are used on terminals only.
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_file_goes_on_when_logrotate_moves_it_away() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("cashout.log"), folder.path().join("cashout.log.1"));
    let world = world(&[ANY_PORT, &format!("log.file.path: {}", path.display())]).await;
    let serving = Serving::start(&world, &[], &[]);
    let begun = tokio::time::Instant::now();
    while !std::fs::read_to_string(&path).is_ok_and(|text| text.contains("answers on")) {
        assert!(begun.elapsed().as_secs() < 20, "nothing is in the file");
        tokio::task::yield_now().await;
    }
    std::fs::rename(&path, &moved).unwrap();
    serving.signal("-HUP");
    serving.stop();
    let text = |path| std::fs::read_to_string(path).unwrap();
    assert!(
        text(&moved).contains("INFO      serve: answers on") && !text(&moved).contains("stops"),
        "{}",
        text(&moved)
    );
    assert!(text(&path).contains("INFO      serve: stops"), "{}", text(&path));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o640);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_file_on_a_full_disk_is_said_once_and_stops_nothing() {
    let mut world = world(&[ANY_PORT, "log.file.path: /dev/full"]).await;
    let printed = Serving::start(&world, &[], &[]).stop();
    assert_eq!(printed.matches("the log file /dev/full cannot be written").count(), 1, "{printed}");
    assert!(printed.contains("make room"), "{printed}");
    let errors = LogFilter { level: Some(LogLevel::Error), ..LogFilter::default() };
    assert_eq!(stored(&mut world, errors).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_stores_its_lines_and_prints_what_it_is_asked_to() {
    let mut world = world(&[]).await;
    world.seller(2001);
    world.told(&["vendor:process"]).await.ends(0).hides("begins");
    world.told(&["vendor:process", "-v"]).await.ends(0).says("INFO      vendor:process: begins batch=2");
    let lines =
        stored(&mut world, LogFilter { action: Some("vendor:process".to_owned()), ..LogFilter::default() }).await;
    let said: Vec<(&str, Option<u64>)> = lines.iter().map(|line| (line.message.as_str(), line.batch)).collect();
    assert_eq!(said, [("begins", Some(1)), ("ends: done", Some(1)), ("begins", Some(2)), ("ends: done", Some(2))]);
    assert!(lines.iter().all(|line| line.severity() == LogLevel::Info), "{lines:?}");
    assert_eq!(lines[1].fields["done"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_keeps_lines_from_the_level_that_is_set() {
    let mut world = world(&["db.logger.level: error", "mirakl.operatorKey: wrong-key"]).await;
    world.told(&["vendor:process"]).await.ends(3);
    let lines = stored(&mut world, LogFilter::default()).await;
    let said: Vec<&str> = lines.iter().map(|line| line.message.as_str()).collect();
    assert!(said.len() == 1 && said[0].starts_with("vendor:process ended early: "), "{said:?}");
}
