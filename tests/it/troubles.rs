//! Drills: a failure is reported once on every channel within two minutes, and once more when it is
//! over, without any manual action.
#![expect(clippy::indexing_slicing, reason = "a test says what it expects by failing")]

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use cashout::config::Settings;
use cashout::logs::{LogLine, Logs};
use cashout::mail::Mailer;
use cashout::platform::clock::Clock;
use cashout::sandbox::{Endpoint, Fault, FaultKind, Refusal, Remote, SandboxOptions};
use cashout::serve::Appliance;
use cashout::store::{Query, View};
use jiff::SignedDuration;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use crate::installation::{API_TOKEN, Installation, Mounted};
use crate::mail_server::{House, PostOffice};
use crate::mailing::silent;
use crate::receiver::Receiver;
use crate::world::{World, wallet_of};

/// A world with two due vouchers, and a receiver for every channel.
struct Drill {
    receiver: Receiver,
    office: PostOffice,
    world: World,
    appliance: Option<Appliance>,
}

impl Drill {
    async fn begin(settings: &[&str]) -> Self {
        let (receiver, office) = (Receiver::open().await, PostOffice::open(House::default()).await);
        let mut all = receiver.settings();
        all.extend(office.settings(settings));
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let world = World::unscheduled(SandboxOptions::default(), &all).await;
        for id in 1..=2 {
            world.seller(id);
            world.voucher(id, id, 10_000, 0);
        }
        world.up_to_operations().await;
        let appliance = Some(world.serve().await);
        Self { receiver, office, world, appliance }
    }

    /// Advances the clock in steps.
    async fn pass(&self, seconds: i64) {
        for _ in 0..seconds.div_euclid(5) {
            self.world.clock.advance(SignedDuration::from_secs(5));
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    /// Checks that trouble `key` is reported once on each channel; at most two minutes have passed.
    async fn told(&self, key: &str, words: &str) {
        self.receiver.told(key, &["trouble.opened"]).await;
        let (_, data) = &self.receiver.about(key)[0];
        assert!(data["message"].as_str().unwrap().contains(words), "{data}");
        for channel in ["/slack/T0/B0/secret", "/teams", "/pagerduty/v2/enqueue"] {
            self.posted(channel, 1).await;
        }
        let mails = self.office.takes(1).await;
        assert!(mails[0].text().contains(words), "{mails:#?}");
        assert!(mails[0].header("Subject").starts_with("Cash-out alert: "), "{mails:#?}");
    }

    /// Checks that the end of the trouble is reported once on each channel.
    async fn over(&self, key: &str) {
        self.receiver.told(key, &["trouble.opened", "trouble.resolved"]).await;
        for channel in ["/slack/T0/B0/secret", "/teams", "/pagerduty/v2/enqueue"] {
            self.posted(channel, 2).await;
        }
        let mails = self.office.takes(2).await;
        assert!(mails[1].header("Subject").starts_with("Resolved: "), "{mails:#?}");
        assert!(mails[1].text().starts_with("Resolved "), "{mails:#?}");
        let events = self.receiver.posted("/pagerduty/v2/enqueue");
        let acts: Vec<&str> = events.iter().filter_map(|one| one.body["event_action"].as_str()).collect();
        assert_eq!(acts, ["trigger", "resolve"]);
        assert_eq!(events[0].body["dedup_key"], events[1].body["dedup_key"]);
        // No further reports follow.
        self.pass(180).await;
        assert_eq!(self.receiver.posted("/hook").len(), 2, "{:#?}", self.receiver.posted("/hook"));
        assert_eq!(self.office.taken().len(), 2);
    }

    async fn posted(&self, channel: &str, number: usize) {
        let begun = tokio::time::Instant::now();
        while self.receiver.posted(channel).len() != number {
            assert!(begun.elapsed() < Duration::from_secs(20), "{channel}: {:#?}", self.receiver.posted(channel));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn end(mut self) {
        self.appliance.take().unwrap().stop().await.unwrap();
    }
}

fn away(remote: Remote) -> Fault {
    Fault::new(FaultKind::Reset).on(remote).times(1_000_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn hipay_down_is_told_once_however_many_batches_fail_and_resolved_by_a_probe() {
    let drill = Drill::begin(&[]).await;
    drill.world.sandbox.strike(away(Remote::Hipay));
    drill.world.transfer().await;
    drill.told("hipay", "2 of 2 payments did not succeed").await;
    drill.world.transfer().await;
    drill.pass(120).await;
    drill.world.transfer().await;
    drill.world.sandbox.faults(|plan| plan.rules.clear());
    drill.pass(65).await;
    drill.over("hipay").await;
    drill.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hipay_refusing_everything_is_told_and_resolved_by_the_next_batch() {
    let drill = Drill::begin(&[]).await;
    drill.world.fund(1_000_000);
    for id in 1..=2 {
        let refusal = Refusal::code(Endpoint::Transfer, 4).about(&wallet_of(id));
        drill.world.sandbox.hipay(|hipay| hipay.refusals.push(refusal));
    }
    drill.world.transfer().await;
    drill.told("batch:cashout:transfer", "refused 2 (200.00 EUR)").await;
    drill.world.transfer().await;
    drill.over("batch:cashout:transfer").await;
    drill.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mirakl_down_is_told_and_resolved_by_a_probe() {
    let drill = Drill::begin(&[]).await;
    drill.world.sandbox.strike(away(Remote::Mirakl));
    drill.world.try_run(cashout::jobs::Command::VendorProcess { since: None }).await.unwrap_err();
    drill.told("mirakl", "vendor:process ended early").await;
    drill.world.sandbox.faults(|plan| plan.rules.clear());
    drill.pass(65).await;
    drill.over("mirakl").await;
    drill.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_are_told_and_resolved_once_they_are_taken() {
    let drill = Drill::begin(&[]).await;
    drill.world.sandbox.strike(Fault::new(FaultKind::HtmlPage(401)).on(Remote::Mirakl).times(1_000_000));
    drill.world.try_run(cashout::jobs::Command::VendorProcess { since: None }).await.unwrap_err();
    drill.told("credentials", "vendor:process ended early").await;
    drill.world.sandbox.faults(|plan| plan.rules.clear());
    drill.pass(65).await;
    drill.over("credentials").await;
    drill.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_escrow_account_that_runs_short_is_told_and_resolved_when_money_arrives() {
    let drill = Drill::begin(&[]).await;
    drill.world.transfer().await;
    drill.told("escrow", "insufficient funds 2 (200.00 EUR)").await;
    drill.world.fund(19_999);
    drill.pass(65).await;
    drill.receiver.told("escrow", &["trouble.opened"]).await;
    drill.world.fund(1);
    drill.pass(65).await;
    drill.over("escrow").await;
    drill.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_that_falls_silent_outside_batches_is_told_too() {
    let drill = Drill::begin(&[]).await;
    drill.world.sandbox.strike(away(Remote::Hipay));
    for _ in 0..5 {
        drill.pass(10).await;
        let wallet = cashout::remote::hipay::ActingOn::Technical;
        drill.world.context.hipay.balance(wallet).await.unwrap_err();
    }
    drill.told("hipay", "HiPay has not answered any call since").await;
    drill.world.sandbox.faults(|plan| plan.rules.clear());
    drill.pass(65).await;
    drill.over("hipay").await;
    drill.end().await;
}

/// Makes a certificate that expires on this day.
fn certify(folder: &std::path::Path, (year, month, day): (i32, u8, u8)) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = date_time_ymd(year, month, day);
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    std::fs::write(folder.join("chain.pem"), certificate.pem()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_near_its_end_is_told_and_resolved_when_it_is_renewed() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path(), (2026, 11, 25));
    let tls = ["certificate: {}/chain.pem", "key: {}/key.pem"]
        .map(|line| format!("server.tls.{}", line.replace("{}", &folder.path().display().to_string())));
    let drill = Drill::begin(&tls.each_ref().map(String::as_str)).await;
    drill.pass(10).await;
    drill.told("certificate", "expires on 2026-11-25").await;
    drill.pass(120).await;
    certify(folder.path(), (2027, 11, 25));
    drill.pass(10).await;
    drill.over("certificate").await;
    drill.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off_is_told_and_resolved_when_it_is_right() {
    let mut drill = Drill::begin(&[]).await;
    drill.appliance.take().unwrap().stop().await.unwrap();
    let right = drill.world.clock.now();
    drill.world.restart_with_the_clock_at(right.checked_sub(SignedDuration::from_mins(10)).unwrap()).await;
    let appliance = drill.world.serve().await;
    let wrong = drill.world.context.clock.clone();
    drill.world.context.hipay.balance(cashout::remote::hipay::ActingOn::Technical).await.unwrap();
    wrong.advance(SignedDuration::from_secs(6));
    drill.told("clock", "differs by ").await;
    wrong.set(right.checked_add(SignedDuration::from_secs(30)).unwrap());
    tokio::time::sleep(Duration::from_millis(50)).await;
    wrong.advance(SignedDuration::from_secs(6));
    drill.over("clock").await;
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_relay_that_is_away_is_told_on_the_other_channels_and_by_one_mail_when_it_is_back() {
    let mut drill = Drill::begin(&[]).await;
    drill.office.close().await;
    drill.world.transfer().await;
    drill.receiver.told("escrow", &["trouble.opened"]).await;
    drill.pass(90).await;
    drill.receiver.told("mail", &["trouble.opened"]).await;
    drill.world.fund(1_000_000);
    drill.office.reopen().await;
    drill.pass(120).await;
    drill.receiver.told("escrow", &["trouble.opened", "trouble.resolved"]).await;
    drill.receiver.told("mail", &["trouble.opened", "trouble.resolved"]).await;
    // Both are over: one mail contains the whole history of each.
    let mails = drill.office.takes(2).await;
    assert!(mails.iter().all(|mail| mail.header("Subject").starts_with("Resolved: ")), "{mails:#?}");
    drill.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_takes_nothing_is_told_on_the_others_and_gets_its_messages_later() {
    let drill = Drill::begin(&[]).await;
    drill.receiver.answer(Some(StatusCode::SERVICE_UNAVAILABLE));
    drill.world.transfer().await;
    assert!(drill.office.takes(1).await[0].text().contains("insufficient funds"));
    drill.pass(20 * 60).await;
    let mails = drill.office.takes(5).await;
    let about: Vec<String> = mails.iter().skip(1).map(|mail| mail.header("Subject")).collect();
    for name in ["webhook", "Slack", "Microsoft Teams", "PagerDuty"] {
        assert!(about.iter().any(|subject| subject.contains(name)), "{name}: {about:#?}");
    }
    drill.receiver.answer(None);
    drill.pass(60 * 60).await;
    drill.receiver.told("escrow", &["trouble.opened"]).await;
    let slack = drill.receiver.posted("/slack/T0/B0/secret");
    assert!(slack.iter().any(|one| one.body["text"].as_str().unwrap().contains("insufficient funds")), "{slack:#?}");
    drill.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_go_to_every_channel_in_its_own_form() {
    let drill = Drill::begin(&["server.publicUrl: https://cashout.example.com"]).await;
    let log = Logs::new(silent(), drill.world.clock.clone());
    tracing::subscriber::with_default(log.subscriber(), || {
        log.follow(Settings::new(&drill.world.configuration(), Arc::clone(&drill.world.context.config)));
        tracing::error!(severity = "CRITICAL", action = "cashout:transfer", "<the ledger> & *ours* differ");
    });
    let channels = Mailer::new(
        drill.world.context.store.clone(),
        drill.world.clock.clone(),
        Settings::new(&drill.world.configuration(), Arc::clone(&drill.world.context.config)),
        Some(log),
        drill.world.context.troubles.clone(),
    );
    channels.once().await;
    let of = |path: &str| drill.receiver.posted(path).remove(0).body;
    let hook = of("/hook");
    assert_eq!(
        (&hook["type"], &hook["data"]["level"], &hook["data"]["lines"]),
        (&"log.lines".into(), &"CRITICAL".into(), &1.into())
    );
    assert!(hook["data"]["text"].as_str().unwrap().contains("<the ledger> & *ours* differ"), "{hook}");
    assert!(of("/slack/T0/B0/secret")["text"].as_str().unwrap().contains("&lt;the ledger&gt; &amp; *ours* differ"));
    let card = of("/teams")["attachments"][0]["content"]["body"][1]["text"].to_string();
    assert!(card.contains("<the ledger> & *ours* differ"), "{card}");
    let event = of("/pagerduty/v2/enqueue");
    assert_eq!((&event["event_action"], &event["payload"]["severity"]), (&"trigger".into(), &"critical".into()));
    assert_eq!(event["links"][0]["href"], "https://cashout.example.com/dashboard");
    assert_eq!(event["routing_key"], "0123456789abcdef0123456789abcdef");
    drill.end().await;
}

/// Makes an installation that reports to `receiver`.
async fn installed(receiver: &Receiver) -> Installation {
    let settings = receiver.settings();
    let installation = Installation::with(&settings.iter().map(String::as_str).collect::<Vec<_>>()).await;
    // Its process uses the machine's clock.
    installation.world.clock.set(Clock::system().now());
    installation
}

/// Checks both cases concurrently, because each takes a minute of waiting.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_and_a_worker_that_hangs_are_told_once_over_all_restarts_and_resolved() {
    tokio::join!(a_full_disk(), a_worker_that_hangs());
}

/// Checks that a full disk is reported while it is full, and logged afterwards.
async fn a_full_disk() {
    let receiver = Receiver::open().await;
    let mut installation = installed(&receiver).await;
    let Some(disk) = Mounted::small_disk(&installation.world.data(), 48) else { return };
    let service = installation.serve().await;
    let filler = disk.filled_but(0);
    let batch = |url: String| {
        let request = installation.client.post(url).bearer_auth(API_TOKEN);
        request.json(&serde_json::json!({ "command": "cashout:transfer" })).send()
    };
    // Every write fails on the disk.
    while receiver.about("store").is_empty() {
        let _ = batch(service.url("/api/v1/batches")).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    receiver.told("store", &["trouble.opened"]).await;
    let (_, data) = &receiver.about("store")[0];
    assert!(data["message"].as_str().unwrap().contains("make room on the disk"), "{data}");
    // It is restarted repeatedly, and reports nothing more.
    tokio::time::sleep(Duration::from_secs(20)).await;
    receiver.told("store", &["trouble.opened"]).await;
    std::fs::remove_file(filler).unwrap();
    let begun = tokio::time::Instant::now();
    while receiver.about("store").len() < 2 {
        assert!(begun.elapsed() < Duration::from_mins(2), "{:#?}", receiver.posted("/hook"));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    receiver.told("store", &["trouble.opened", "trouble.resolved"]).await;
    service.stop().await;
    installation.world.restart().await;
    let lines =
        installation.world.context.store.read(|reader| Ok(reader.page(&Query::<LogLine, _>::all().limit(500))?.items));
    let kept = lines.unwrap().into_iter().filter(|line| line.message.contains("make room on the disk")).count();
    assert!(kept > 0, "nothing of it is kept");
    assert_eq!(receiver.posted("/slack/T0/B0/secret").len(), receiver.posted("/hook").len());
}

/// Checks that the next worker reports the trouble, which is resolved once that worker works.
async fn a_worker_that_hangs() {
    let receiver = Receiver::open().await;
    let installation = installed(&receiver).await;
    let service = installation.serve().await;
    let workers = Command::new("pgrep").args(["-P", &service.running.id()]).output().unwrap();
    let worker = String::from_utf8(workers.stdout).unwrap().lines().next().unwrap().to_owned();
    assert!(Command::new("kill").args(["-STOP", &worker]).status().unwrap().success());
    let begun = tokio::time::Instant::now();
    while receiver.about("service").len() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(150), "{:#?}", receiver.posted("/hook"));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    receiver.told("service", &["trouble.opened", "trouble.resolved"]).await;
    service.stop().await;
}
