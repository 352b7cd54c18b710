//! Traces: a voucher's way across processes and days is one trace, and payments do not depend on the collector.
#![expect(clippy::indexing_slicing, reason = "a test says what it expects by failing")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use cashout::domain::operation::Status;
use cashout::sandbox::{Endpoint, Refusal, SandboxOptions};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode as SpanStatus};
use prost::Message;
use tokio_util::task::AbortOnDropHandle;

use crate::running::told;
use crate::world::{World, wallet_of};

/// A collector of traces.
struct Collector {
    address: std::net::SocketAddr,
    spans: Arc<Mutex<Vec<Span>>>,
    _serving: AbortOnDropHandle<()>,
}

impl Collector {
    async fn open() -> Self {
        let spans = Arc::<Mutex<Vec<Span>>>::default();
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/v1/traces", post(collect)).with_state(Arc::clone(&spans));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, spans, _serving: AbortOnDropHandle::new(serving) }
    }

    fn setting(&self) -> String {
        format!("telemetry.otlp: http://{}/", self.address)
    }

    fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap().clone()
    }

    /// Returns the spans of each voucher, by its number.
    fn by_voucher(&self) -> BTreeMap<String, Vec<Span>> {
        let mut vouchers: BTreeMap<String, Vec<Span>> = BTreeMap::new();
        let spans = self.spans();
        let of_trace: BTreeMap<_, _> = spans
            .iter()
            .filter_map(|span| Some((span.trace_id.clone(), attributes(span).get("cashout.voucher")?.clone())))
            .collect();
        for span in spans {
            vouchers.entry(of_trace[&span.trace_id].clone()).or_default().push(span);
        }
        vouchers
    }
}

async fn collect(State(spans): State<Arc<Mutex<Vec<Span>>>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    for of_resource in request.resource_spans {
        let service = of_resource.resource.unwrap().attributes;
        assert!(service.iter().any(|one| one.key == "service.name"), "{service:?}");
        spans.lock().unwrap().extend(of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
    }
    StatusCode::OK
}

fn attributes(span: &Span) -> BTreeMap<String, String> {
    let text = |value: Value| {
        if let Value::StringValue(text) = value {
            return text;
        }
        let Value::IntValue(number) = value else { panic!("{value:?}") };
        number.to_string()
    };
    let pairs = span.attributes.iter().cloned();
    pairs.map(|one| (one.key, text(one.value.unwrap().value.unwrap()))).collect()
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_is_one_trace_over_several_processes() {
    let collector = Collector::open().await;
    let world = World::unscheduled(SandboxOptions::default(), &[&collector.setting()]).await;
    for id in 1..=3 {
        world.seller(id);
        world.voucher(id, id, 10_000, 0);
    }
    world.fund(100_000);
    world.up_to_operations().await;
    assert_eq!(world.context.telemetry.end(), None);
    let words = "not for seller@shops.example with FR7630006000011234567890189".to_owned();
    let refusal = Refusal { message: words, ..Refusal::code(Endpoint::Transfer, 4).about(&wallet_of(2)) };
    world.sandbox.hipay(|hipay| hipay.refusals.push(refusal));
    world.release_store().await;
    world.told(&["cashout:transfer"]).await.ends(1);
    world.sandbox.hipay(cashout::sandbox::HipayModel::settle_transactions);
    world.told(&["cashout:transaction:status:sync"]).await.ends(0);
    world.told(&["cashout:withdraw"]).await.ends(0);

    let vouchers = collector.by_voucher();
    assert_eq!(vouchers.keys().map(String::as_str).collect::<Vec<_>>(), ["1", "2", "3"]);
    for (voucher, spans) in &vouchers {
        let traces: BTreeSet<_> = spans.iter().map(|span| &span.trace_id).collect();
        assert_eq!(traces.len(), 1, "voucher {voucher}");
        let first = named(spans, &format!("voucher {voucher}"));
        assert_eq!(first.len(), 1, "voucher {voucher}");
        assert!(first[0].parent_span_id.is_empty());
        assert_eq!(attributes(first[0])["cashout.operations"], "1");
        for span in spans.iter().filter(|span| !span.parent_span_id.is_empty()) {
            let parent = spans.iter().find(|one| one.span_id == span.parent_span_id);
            let parent = parent.unwrap_or_else(|| panic!("{} has a parent that nobody sent", span.name));
            if span.kind() == SpanKind::Client {
                assert!(parent.name.starts_with("cashout:"), "{} is called in {}", span.name, parent.name);
                assert!((parent.start_time_unix_nano..=parent.end_time_unix_nano).contains(&span.start_time_unix_nano));
            } else {
                assert_eq!(parent.span_id, first[0].span_id, "{}", span.name);
            }
        }
        let transfer = named(spans, "cashout:transfer");
        assert_eq!(transfer.len(), 1, "voucher {voucher}");
        assert_eq!(attributes(transfer[0])["cashout.amount"], "100.00");
        let refused = voucher == "2";
        let status =
            transfer[0].status.as_ref().map_or(SpanStatus::Unset, opentelemetry_proto::tonic::trace::v1::Status::code);
        assert_eq!(status == SpanStatus::Error, refused, "voucher {voucher}: {:?}", transfer[0]);
        assert_eq!(named(spans, "cashout:withdraw").len(), usize::from(!refused), "voucher {voucher}");
        let (calls, sent) = (named(spans, "POST /api/transfer.json"), attributes(transfer[0]));
        assert_eq!(calls.len(), 1, "voucher {voucher}: {:?}", spans.iter().map(|span| &span.name).collect::<Vec<_>>());
        assert_eq!(attributes(calls[0])["peer.service"], "HiPay");
        let expected = if refused { Status::TransferFailed } else { Status::TransferRequested };
        assert_eq!(sent["cashout.status"], expected.name(), "voucher {voucher}");
    }
    // No data that a collector need not know.
    assert!(collector.spans().iter().any(|span| format!("{span:?}").contains("not for s")), "the refusal is not shown");
    let credentials = world.sandbox.credentials();
    for span in collector.spans() {
        let text = format!("{span:?}");
        for secret in
            ["seller@", "7630006000011234567", credentials.ws_password.expose(), credentials.ws_login.as_str()]
        {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_go_on_while_the_collector_is_away_or_silent() {
    // Accepts connections and never answers.
    let silent = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let closed = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    for (address, words) in [(closed, "traces cannot be sent"), (silent.local_addr().unwrap(), "traces")] {
        let world =
            World::unscheduled(SandboxOptions::default(), &[&format!("telemetry.otlp: http://{address}")]).await;
        for id in 1..=3 {
            world.seller(id);
            world.voucher(id, id, 10_000, 0);
        }
        world.fund(100_000);
        world.up_to_operations().await;
        world.release_store().await;
        let begun = Instant::now();
        let told = world.told(&["cashout:transfer", "-v"]).await;
        told.ends(0);
        assert!(told.err.contains(words), "{}", told.err);
        assert!(told.err.matches("traces cannot be sent").count() < 2, "once: {}", told.err);
        assert!(begun.elapsed() < Duration::from_secs(20), "the command waited for the collector");
        let paid = world.sandbox.hipay(|hipay| hipay.ledger.paid().count());
        assert_eq!(paid, 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_cannot_be_a_collector_is_refused() {
    let world = World::new().await;
    world.release_store().await;
    for address in ["ftp://collector.example", "http://collector.example:4318", "collector"] {
        let mut process = world.cashout(&["cashout:transfer"]);
        process.env("CASHOUT_TELEMETRY_OTLP", address);
        told(process).await.ends(2).says("CASHOUT_TELEMETRY_OTLP");
    }
}
