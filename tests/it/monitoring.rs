//! External monitoring: metrics compared with the records, Prometheus' rules, and an Alertmanager.
#![expect(clippy::float_cmp, reason = "the figures compared are whole")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cashout::domain::operation::Status;
use cashout::sandbox::{Endpoint, Refusal, SandboxOptions};
use cashout::serve::Appliance;
use serde_json::Value;

use crate::receiver::Receiver;
use crate::servers::{Server, free_port};
use crate::world::{World, http, own_address, wallet_of};

const TOKEN: &str = "a-token-for-the-metrics";

/// Makes a world that exposes its metrics, with three sellers and their vouchers up to operations.
async fn world() -> World {
    let world = World::unscheduled(SandboxOptions::default(), &[&format!("server.metricsToken: {TOKEN}")]).await;
    for id in 1..=3 {
        world.seller(id);
        world.voucher(id, id, 10_000, 0);
    }
    world.up_to_operations().await;
    world
}

/// Returns every exposed series with its value.
async fn series(appliance: &Appliance) -> BTreeMap<String, f64> {
    let url = format!("http://{}/metrics", appliance.address());
    let text = http().get(url).bearer_auth(TOKEN).send().await.unwrap().text().await.unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect()
}

fn of_monitoring(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/monitoring").join(file)
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_begin_at_nothing_and_count_what_a_batch_came_to() {
    let world = world().await;
    let appliance = world.serve().await;
    let first = series(&appliance).await;
    // The tests of one process share the counters, and each test has a process of its own.
    let failed = "cashout_batches_total{command=\"cashout:transfer\",state=\"failed\"}";
    let items = "cashout_batch_items_total{command=\"cashout:transfer\",outcome=\"failed\"}";
    let success = "cashout_batch_last_success_timestamp_seconds{command=\"cashout:transfer\"}";
    for born in [failed, items, success, "cashout_mails_total{outcome=\"given_up\"}", "cashout_mail_outbox"] {
        assert_eq!(first.get(born), Some(&0.0), "{born}: {first:#?}");
    }
    world.transfer().await;
    let short = series(&appliance).await;
    assert_eq!((short[failed], short[items], short[success]), (1.0, 3.0, 0.0));
    assert_eq!(short["cashout_trouble_open{trouble=\"escrow\"}"], 1.0);
    assert_eq!(short["cashout_trouble_open{trouble=\"hipay\"}"], 0.0);
    let (balance, due) = ("cashout_escrow_balance{currency=\"EUR\"}", "cashout_escrow_due{currency=\"EUR\"}");
    assert_eq!((short[balance], short[due]), (0.0, 300.0));
    world.fund(1_000_000);
    world.sandbox.hipay(|hipay| hipay.refusals.push(Refusal::code(Endpoint::Transfer, 4).about(&wallet_of(2))));
    world.transfer().await;
    let partly = series(&appliance).await;
    assert_eq!(partly["cashout_batches_total{command=\"cashout:transfer\",state=\"partly\"}"], 1.0);
    assert_eq!((partly[items], partly[success]), (4.0, 0.0));
    world.transfer().await;
    let done = series(&appliance).await;
    assert_eq!(done[success], f64::from(i32::try_from(world.clock.now().as_second()).unwrap()));
    // Amounts that are not at the bank yet, compared with the records.
    let operations = world.operations();
    let open = operations.iter().filter(|one| one.status.is_open()).map(|one| one.amount.minor()).sum::<i64>();
    let shown: f64 =
        done.iter().filter(|(name, _)| name.starts_with("cashout_open_amount{")).map(|(_, value)| value).sum();
    assert_eq!(format!("{shown:.2}"), format!("{}.00", open / 100), "{operations:#?}");
    let requested = Status::TransferRequested.name();
    assert!(
        done[&format!("cashout_open_amount{{reason=\"{requested}\",age=\"under_7_days\",currency=\"EUR\"}}")] > 0.0
    );
    assert!(done["process_resident_memory_bytes"] > 1_000_000.0 && done["process_open_fds"] > 3.0);
    assert!(done["process_start_time_seconds"] > 1_000_000_000.0);
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_and_dashboard_speak_of_what_is_shown() {
    let world = world().await;
    let appliance = world.serve().await;
    world.transfer().await;
    let shown: BTreeSet<String> =
        series(&appliance).await.into_keys().map(|name| name.split('{').next().unwrap().to_owned()).collect();
    let mut unknown = BTreeSet::new();
    for file in ["cashout.rules.yml", "cashout.dashboard.json"] {
        let text = std::fs::read_to_string(of_monitoring(file)).unwrap();
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let named =
            words.filter(|word| (word.starts_with("cashout_") || word.starts_with("process_")) && !word.ends_with('_'));
        // Only if TLS is served here.
        let named = named.filter(|word| *word != "cashout_certificate_expiry_timestamp_seconds");
        unknown.extend(named.filter(|word| !shown.contains(*word)).map(str::to_owned));
    }
    assert!(unknown.is_empty(), "{unknown:#?} are not among {shown:#?}");
    appliance.stop().await.unwrap();
}

#[test]
fn the_rules_fire_and_end_where_they_should() {
    for arguments in [["check", "rules", "cashout.rules.yml"], ["test", "rules", "cashout.rules.test.yml"]] {
        let told = Command::new("promtool").args(arguments).current_dir(of_monitoring("")).output().unwrap();
        assert!(told.status.success(), "{told:#?}");
    }
    let config = of_monitoring("alertmanager.example.yml");
    let told = Command::new("amtool").arg("check-config").arg(config).output().unwrap();
    assert!(told.status.success(), "{told:#?}");
    // Each rule is tested.
    let (rules, tests) = ["cashout.rules.yml", "cashout.rules.test.yml"]
        .map(|file| std::fs::read_to_string(of_monitoring(file)).unwrap())
        .into();
    let names: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(names.len() > 10);
    for name in names {
        assert!(
            tests.contains(&format!("alertname: {name}\n"))
                && tests.contains(&format!("alertname: {name}, exp_alerts: []")),
            "{name}"
        );
    }
}

/// A Prometheus and an Alertmanager that watch an appliance with the shipped files.
struct Monitoring {
    /// Query that Prometheus answers once it has scraped the appliance.
    query: String,
    _servers: [Server; 2],
    _folder: tempfile::TempDir,
}

impl Monitoring {
    /// Starts both; the alerts are posted to `receiver`.
    fn start(appliance: &Appliance, receiver: &Receiver) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (host, prometheus, manager) = (own_address(), free_port(), free_port());
        let example = std::fs::read_to_string(of_monitoring("alertmanager.example.yml")).unwrap();
        let own = example.replace("http://127.0.0.1:9999/alerts", &format!("http://{}/alerts", receiver.address));
        // The shipped file, except that it waits seconds instead of a minute.
        std::fs::write(
            path("alertmanager.yml"),
            own.replace("group_wait: 10s", "group_wait: 1s").replace("group_interval: 1m", "group_interval: 1s"),
        )
        .unwrap();
        let config = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: ['{}']\nalerting:\n  \
             alertmanagers:\n  - static_configs: [{{ targets: ['{host}:{manager}'] }}]\nscrape_configs:\n\
             - job_name: cashout\n  authorization: {{ credentials: {TOKEN} }}\n  \
             static_configs: [{{ targets: ['{}'] }}]\n",
            of_monitoring("cashout.rules.yml").display(),
            appliance.address()
        );
        std::fs::write(path("prometheus.yml"), config).unwrap();
        let manager = Server::start(
            "prometheus-alertmanager",
            &[
                format!("--config.file={}", path("alertmanager.yml")),
                format!("--storage.path={}", path("alerts")),
                format!("--web.listen-address={host}:{manager}"),
                "--cluster.listen-address=".to_owned(),
            ],
        );
        let query = format!("http://{host}:{prometheus}/api/v1/query?query=cashout_build_info");
        let prometheus = Server::start(
            "prometheus",
            &[
                format!("--config.file={}", path("prometheus.yml")),
                format!("--storage.tsdb.path={}", path("series")),
                format!("--web.listen-address={host}:{prometheus}"),
            ],
        );
        Self { query, _servers: [prometheus, manager], _folder: folder }
    }

    /// Waits until Prometheus has scraped the appliance.
    async fn has_scraped(&self) {
        let begun = tokio::time::Instant::now();
        loop {
            let seen = http().get(&self.query).send().await.ok();
            let text = match seen {
                Some(answer) => answer.text().await.unwrap_or_default(),
                None => String::new(),
            };
            if text.contains("cashout_build_info") {
                return;
            }
            assert!(begun.elapsed() < Duration::from_mins(1), "{text}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Waits for alerts of this status, and returns the first post of them.
async fn posted(receiver: &Receiver, status: &str) -> Value {
    let begun = tokio::time::Instant::now();
    loop {
        let posted = receiver.posted("/alerts");
        if let Some(found) = posted.iter().find(|one| one.body["status"] == status) {
            return found.body.clone();
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "{status}: {posted:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alertmanager_tells_a_trouble_once_and_its_end() {
    let world = world().await;
    let appliance = world.serve().await;
    let receiver = Receiver::open().await;
    let monitoring = Monitoring::start(&appliance, &receiver);
    // It has scraped the state before the failure.
    monitoring.has_scraped().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.transfer().await;
    let firing = posted(&receiver, "firing").await;
    let names: BTreeSet<&str> =
        firing["alerts"].as_array().unwrap().iter().filter_map(|one| one["labels"]["alertname"].as_str()).collect();
    assert!(names.contains("CashoutTrouble"), "{firing:#}");
    world.fund(1_000_000);
    world.transfer().await;
    let resolved = posted(&receiver, "resolved").await;
    assert!(
        resolved["alerts"].as_array().unwrap().iter().any(|one| one["labels"]["trouble"] == "escrow"),
        "{resolved:#}"
    );
    appliance.stop().await.unwrap();
}
