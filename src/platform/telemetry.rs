//! Traces over OTLP (`telemetry.otlp`): one trace per voucher, from its operations to the bank.
//!
//! A voucher takes days and several processes, so its trace is not propagated: its identifier is computed from the shop
//! and the voucher. Each step (operations created, a transfer, a notification, a withdrawal) is a span of its own, and
//! every call to HiPay in it is a child span.
//!
//! A payment never waits for the collector: spans go into a bounded queue, and spans that do not fit are dropped.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    FutureExt, Span, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId,
    TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::HttpClient;
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{IdGenerator, Sampler, SdkTracer, SdkTracerProvider};
use reqwest::{Method, Url};
use sha2::{Digest, Sha256};

use crate::platform::clock::Clock;

/// Time-out of one request to the collector.
pub const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time limit for sending the spans that are still queued when a process ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);
/// Path of traces below the collector's address (OTLP over HTTP).
const TRACES_PATH: &str = "/v1/traces";

/// The traces of this process; off unless `telemetry.otlp` is set. Clones share them.
#[derive(Clone, Default)]
pub struct Telemetry {
    traces: Option<Arc<Traces>>,
}

struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    clock: Clock,
    marketplace: String,
}

/// The voucher that a step belongs to.
#[derive(Debug, Clone, Copy)]
pub struct VoucherTrace<'a> {
    /// Store ID of the shop in Mirakl.
    pub mirakl_id: u64,
    /// Number of the voucher.
    pub voucher: &'a str,
}

impl VoucherTrace<'_> {
    /// Returns the identifiers of the trace and of its first span, the same in every process and never those of another
    /// marketplace.
    fn ids(self, marketplace: &str) -> (TraceId, SpanId) {
        let digest = Sha256::digest(format!("cashout voucher {marketplace} {} {}", self.mirakl_id, self.voucher));
        let mut bytes = digest.iter().copied();
        let (mut trace, mut span) = ([0; 16], [0; 8]);
        trace.iter_mut().chain(&mut span).zip(&mut bytes).for_each(|(to, from)| *to = from);
        (TraceId::from_bytes(trace), SpanId::from_bytes(span))
    }

    /// Returns a span of the trace that starts at `start`.
    fn span(self, name: impl Into<Cow<'static, str>>, start: SystemTime, attributes: Vec<KeyValue>) -> SpanBuilder {
        let own = [
            KeyValue::new("cashout.mirakl_id", i64::try_from(self.mirakl_id).unwrap_or(i64::MAX)),
            KeyValue::new("cashout.voucher", self.voucher.to_owned()),
        ];
        SpanBuilder::from_name(name)
            .with_kind(SpanKind::Internal)
            .with_start_time(start)
            .with_attributes(own.into_iter().chain(attributes))
    }
}

impl Debug for Telemetry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Telemetry").field("on", &self.is_on()).finish()
    }
}

impl Telemetry {
    /// Sends traces of `marketplace` (its address) by `client` to the collector at `base`, a URL without a trailing slash.
    ///
    /// Headers and limits are those of the usual `OTEL_…` variables of the environment. Every voucher is traced: half a
    /// trace explains nothing.
    pub fn to_collector(
        base: &str,
        marketplace: &str,
        client: impl HttpClient + 'static,
        clock: Clock,
    ) -> Result<Self, ExporterBuildError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{base}{TRACES_PATH}"))
            .with_timeout(EXPORT_TIMEOUT)
            .build()?;
        let resource = Resource::builder()
            .with_service_name("cashout")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attribute(KeyValue::new("service.namespace", marketplace.to_owned()))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_id_generator(Identifiers)
            .with_sampler(Sampler::AlwaysOn)
            .with_batch_exporter(exporter)
            .build();
        let tracer = provider.tracer("cashout");
        Ok(Self { traces: Some(Arc::new(Traces { provider, tracer, clock, marketplace: marketplace.to_owned() })) })
    }

    /// Returns true if traces are sent.
    pub fn is_on(&self) -> bool {
        self.traces.is_some()
    }

    /// Records the first span of a voucher's trace, for the creation of its operations. `since` is the voucher's date.
    pub fn begin(&self, voucher: VoucherTrace<'_>, since: SystemTime, attributes: Vec<KeyValue>) {
        let Some(traces) = &self.traces else { return };
        let ids = voucher.ids(&traces.marketplace);
        let now = traces.now();
        let builder = voucher.span(format!("voucher {}", voucher.voucher), since.min(now), attributes);
        NEXT_IDS.set(Some(ids));
        let mut span = traces.tracer.build_with_context(builder, &Context::new());
        NEXT_IDS.set(None);
        span.end_with_timestamp(now);
    }

    /// Runs `work` as a step of a voucher's trace.
    pub async fn step<T>(
        &self,
        name: &'static str,
        voucher: VoucherTrace<'_>,
        attributes: Vec<KeyValue>,
        work: impl Future<Output = T>,
    ) -> T {
        let Some(traces) = &self.traces else { return work.await };
        let (trace_id, first) = voucher.ids(&traces.marketplace);
        let parent = SpanContext::new(trace_id, first, TraceFlags::SAMPLED, true, TraceState::default());
        let parent = Context::new().with_remote_span_context(parent);
        let builder = voucher.span(name, traces.now(), attributes);
        let span = traces.tracer.build_with_context(builder, &parent);
        let context = parent.with_span(span).with_value(Arc::clone(traces));
        let outcome = work.with_context(context.clone()).await;
        context.span().end_with_timestamp(traces.now());
        outcome
    }

    /// Sends the queued spans, within some seconds, and shuts down. Returns the error if some may not have been sent.
    /// Blocks.
    #[must_use]
    pub fn end(&self) -> Option<String> {
        let traces = self.traces.as_ref()?;
        traces.provider.shutdown_with_timeout(FLUSH_TIMEOUT).err().map(|error| error.to_string())
    }
}

impl Traces {
    fn now(&self) -> SystemTime {
        self.clock.now().into()
    }
}

/// Sets an attribute of the current step, if any.
pub fn describe(key: &'static str, value: &'static str) {
    Context::map_current(|context| context.span().set_attribute(KeyValue::new(key, value)));
}

/// Adds `text` to the current step, if any; if `failed`, as its failure.
pub fn note(text: &str, failed: bool) {
    Context::map_current(|context| {
        let Some(traces) = context.get::<Arc<Traces>>() else { return };
        let span = context.span();
        span.add_event_with_timestamp(text.to_owned(), traces.now(), Vec::new());
        if failed {
            span.set_status(Status::error(text.to_owned()));
        }
    });
}

/// Makes a call to a remote as a span of the current step, if any. `outcome` returns the HTTP status, if there is one,
/// and the failure.
pub(crate) async fn call<T>(
    remote: &'static str,
    request: (&Method, &Url),
    call: impl Future<Output = T>,
    outcome: impl FnOnce(&T) -> (Option<u16>, Option<&'static str>),
) -> T {
    let parent = Context::current();
    let Some(traces) = parent.get::<Arc<Traces>>().cloned() else { return call.await };
    let (method, url) = request;
    let builder = SpanBuilder::from_name(format!("{method} {}", url.path()))
        .with_kind(SpanKind::Client)
        .with_start_time(traces.now())
        .with_attributes([
            KeyValue::new("peer.service", remote),
            KeyValue::new("http.request.method", method.as_str().to_owned()),
            KeyValue::new("server.address", url.host_str().unwrap_or_default().to_owned()),
            KeyValue::new("url.path", url.path().to_owned()),
        ]);
    let mut span = traces.tracer.build_with_context(builder, &parent);
    let answer = call.await;
    let (status, failure) = outcome(&answer);
    if let Some(status) = status {
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
    }
    if let Some(failure) = failure {
        span.set_status(Status::error(failure));
    }
    span.end_with_timestamp(traces.now());
    answer
}

thread_local! {
    /// Identifiers for the span that this thread is about to begin, if they are predetermined.
    static NEXT_IDS: Cell<Option<(TraceId, SpanId)>> = const { Cell::new(None) };
}

/// Generator of random identifiers, except for the first span of a voucher.
#[derive(Debug)]
struct Identifiers;

impl IdGenerator for Identifiers {
    fn new_trace_id(&self) -> TraceId {
        NEXT_IDS.get().map_or_else(|| TraceId::from(fastrand::u128(1..)), |(trace, _)| trace)
    }

    fn new_span_id(&self) -> SpanId {
        NEXT_IDS.get().map_or_else(|| SpanId::from(fastrand::u64(1..)), |(_, span)| span)
    }
}
