//! Tests that faults happen on the wire, and that requests can be held.

use std::time::Instant;

use super::*;
use crate::sandbox::{Endpoint, Fault, FaultKind, Moment, Outcome, Remote};

fn version(sandbox: &Sandbox) -> RequestBuilder {
    mirakl(sandbox, Method::GET, "/api/version")
}

#[tokio::test]
async fn a_lost_answer_is_a_cut_connection_after_the_payment() {
    let sandbox = sandbox().await;
    sandbox.strike(Fault::lost_answer(Endpoint::Transfer));
    let lost = transfer(&sandbox, "10.00", "T").send().await.unwrap_err();
    assert!(lost.is_request(), "{lost:?}");
    assert_eq!(sandbox.hipay(|hipay| hipay.balance(500)), euro(1_000));
    assert_eq!(code(look_up(&sandbox, "T")).await.0, 200);
}

#[tokio::test]
async fn a_reset_before_execution_leaves_nothing_behind() {
    let sandbox = sandbox().await;
    sandbox.strike(Fault::new(FaultKind::Reset).on(Remote::Hipay).method("post").path("/transfer").skip(1).times(2));
    assert_eq!(code(transfer(&sandbox, "10.00", "A")).await, (201, 0), "the first passes");
    for reference in ["B", "C"] {
        assert!(transfer(&sandbox, "10.00", reference).send().await.is_err());
    }
    assert_eq!(code(transfer(&sandbox, "10.00", "D")).await, (201, 0));
    let paid: Vec<String> =
        sandbox.hipay(|hipay| hipay.ledger.paid().filter_map(|entry| entry.reference.clone()).collect());
    assert_eq!(paid, ["A", "D"]);
}

#[tokio::test]
async fn error_answers_have_the_status_header_and_body_they_should() {
    let sandbox = sandbox().await;
    for (kind, status, retry_after) in [
        (FaultKind::ServerError, 500, None),
        (FaultKind::Unavailable(None), 503, None),
        (FaultKind::Unavailable(Some(7)), 503, Some("7")),
        (FaultKind::TooMany(3), 429, Some("3")),
        (FaultKind::HtmlPage(200), 200, None),
        (FaultKind::HtmlPage(502), 502, None),
    ] {
        sandbox.strike(Fault::new(kind));
        let response = version(&sandbox).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{kind:?}");
        assert_eq!(response.headers().get("retry-after").map(|value| value.to_str().unwrap()), retry_after);
        let html = matches!(kind, FaultKind::HtmlPage(_));
        assert_eq!(response.text().await.unwrap().starts_with("<!DOCTYPE html>"), html);
    }
}

#[tokio::test]
async fn a_late_500_is_executed_all_the_same() {
    let sandbox = sandbox().await;
    sandbox.strike(Fault::new(FaultKind::ServerError).at(Endpoint::Withdrawal).after_execution());
    answer(transfer(&sandbox, "10.00", "T")).await;
    assert_eq!(withdrawal(&sandbox, "10.00", "W").send().await.unwrap().status(), 500);
    assert!(sandbox.hipay(|hipay| hipay.ledger.by_reference("W").is_some()));
}

#[tokio::test]
async fn bodies_dribble_break_off_and_never_end() {
    let sandbox = sandbox().await;
    sandbox.strike(Fault::new(FaultKind::TruncatedBody).after_execution());
    let response = version(&sandbox).send().await.unwrap();
    let promised = response.content_length().unwrap();
    let broken = response.bytes().await.unwrap_err();
    assert!(promised > 1 && (broken.is_body() || broken.is_decode()), "{broken:?}");

    sandbox.strike(Fault::new(FaultKind::SlowBody).after_execution());
    let started = Instant::now();
    let slow = version(&sandbox).send().await.unwrap().text().await.unwrap();
    assert!(slow.contains("version") && started.elapsed() > Duration::from_millis(500));

    sandbox.strike(Fault::new(FaultKind::OversizedBody));
    let mut response = version(&sandbox).send().await.unwrap();
    let mut bytes = 0;
    while let Some(chunk) = response.chunk().await.unwrap() {
        bytes += chunk.len();
    }
    assert_eq!(bytes, 64 * 1024 * 1024);
}

#[tokio::test]
async fn a_hanging_answer_ends_with_the_sandbox() {
    let sandbox = sandbox().await;
    sandbox.strike(Fault::new(FaultKind::Hang));
    let impatient = version(&sandbox).timeout(Duration::from_millis(200)).send().await.unwrap_err();
    assert!(impatient.is_timeout());

    sandbox.strike(Fault::new(FaultKind::Hang));
    let mut held = sandbox.pause_at(Endpoint::Version, Moment::Before, 1);
    let waiting = tokio::spawn(version(&sandbox).send());
    assert!(held.reached().await);
    held.release();
    drop(sandbox);
    assert!(waiting.await.unwrap().is_err());
}

#[tokio::test]
async fn random_faults_come_at_their_rate_and_the_same_again_with_the_same_seed() {
    let run = async |seed| {
        let options = SandboxOptions { seed, clock: clock(), fault_rate_percent: 30, ..SandboxOptions::default() };
        let sandbox = start(options).await;
        for _ in 0..60 {
            let _ = version(&sandbox).send().await;
        }
        sandbox.traffic(|traffic| traffic.exchanges().map(|exchange| exchange.outcome).collect::<Vec<_>>())
    };
    let first = run(7).await;
    let struck = first.iter().filter(|outcome| matches!(outcome, Outcome::Spoiled(..))).count();
    assert!((5..35).contains(&struck), "{struck} of {}", first.len());
    assert_eq!(first, run(7).await);
    assert_ne!(first, run(8).await);
}

#[tokio::test]
async fn every_answer_takes_as_long_as_it_should() {
    let options = SandboxOptions { latency: Duration::from_millis(80), clock: clock(), ..SandboxOptions::default() };
    let sandbox = start(options).await;
    let started = Instant::now();
    assert_eq!(version(&sandbox).send().await.unwrap().status(), 200);
    assert!(started.elapsed() >= Duration::from_millis(80));
}

#[tokio::test]
async fn a_held_request_is_executed_when_released_even_if_its_sender_is_gone() {
    let sandbox = sandbox().await;
    let mut held = sandbox.pause_at(Endpoint::Transfer, Moment::Before, 2);
    assert_eq!(code(transfer(&sandbox, "1.00", "A")).await, (201, 0));
    let sender = tokio::spawn(transfer(&sandbox, "1.00", "B").send());
    assert!(held.reached().await);
    assert!(sandbox.hipay(|hipay| hipay.ledger.by_reference("B").is_none()), "it is held before its execution");
    sender.abort();
    let mut executed = sandbox.pause_at(Endpoint::Transfer, Moment::After, 1);
    held.release();
    assert!(executed.reached().await);
    assert!(sandbox.hipay(|hipay| hipay.ledger.by_reference("B").is_some()));
}

#[tokio::test]
async fn a_discarded_request_never_happens() {
    let sandbox = sandbox().await;
    let mut held = sandbox.pause_at(Endpoint::Transfer, Moment::Before, 1);
    let sender = tokio::spawn(transfer(&sandbox, "1.00", "A").send());
    assert!(held.reached().await);
    held.discard();
    assert!(sender.await.unwrap().is_err());
    assert_eq!(sandbox.hipay(|hipay| hipay.ledger.paid().count()), 0);
}

#[tokio::test]
async fn the_log_knows_how_many_were_under_way_and_about_what() {
    let sandbox = sandbox().await;
    let mut pauses: Vec<_> = (1..=3).map(|nth| sandbox.pause_at(Endpoint::Transfer, Moment::Before, nth)).collect();
    let senders: Vec<_> =
        ["A", "B", "C"].map(|reference| tokio::spawn(transfer(&sandbox, "1.00", reference).send())).into();
    for pause in &mut pauses {
        assert!(pause.reached().await);
    }
    assert_eq!(sandbox.traffic(|traffic| traffic.in_flight(Remote::Hipay)), 3);
    drop(pauses);
    for sender in senders {
        assert_eq!(sender.await.unwrap().unwrap().status(), 201);
    }
    answer(look_up(&sandbox, "A")).await;
    sandbox.traffic(|traffic| {
        assert_eq!((traffic.most_in_flight(Remote::Hipay), traffic.most_in_flight(Remote::Mirakl)), (3, 0));
        let last = traffic.exchanges().last().unwrap();
        assert_eq!((last.endpoint, last.reference.as_deref()), (Some(Endpoint::Transaction), Some("A")));
        assert_eq!((last.outcome, last.number), (Outcome::Answered(200), 4));
    });
}
