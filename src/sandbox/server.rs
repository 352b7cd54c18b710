//! The path of one request: read, log, strike, hold, execute, hold, spoil, answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::call::{Answer, Call, Remote};
use super::fault::{FaultPlan, Moment, Struck};
use super::github::model::GitHubModel;
use super::hipay::HipayModel;
use super::mirakl::model::MiraklModel;
use super::pause::{PausePoints, Verdict};
use super::spoil;
use super::traffic::{Outcome, Traffic};
use super::wire::{CuttableListener, Switch};
use super::{github, hipay, mirakl};
use crate::platform::clock::Clock;

/// Upper bound on a request body: two files of 15 MB, the rest of the form, and room for requests
/// that must be refused as too large.
const BODY_LIMIT: usize = 40 * 1024 * 1024;

/// State shared by requests, tests and background tasks.
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) latency: Duration,
    pub(super) mirakl: Mutex<MiraklModel>,
    pub(super) hipay: Mutex<HipayModel>,
    pub(super) github: Mutex<GitHubModel>,
    pub(super) faults: Mutex<FaultPlan>,
    pub(super) pauses: Mutex<PausePoints>,
    pub(super) traffic: Mutex<Traffic>,
    /// Signal that something happened at HiPay, so that notifications may be waiting.
    pub(super) news: Notify,
    /// Signal that a notification's delivery ended.
    pub(super) delivered: Notify,
    pub(super) stop: CancellationToken,
}

/// Locks a mutex and ignores poisoning: a panic in a test's closure must not hide the test's own failure.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Clone)]
struct Door {
    remote: Remote,
    shared: Arc<Shared>,
}

/// Serves one remote until the sandbox stops.
pub(super) async fn serve(remote: Remote, listener: TcpListener, shared: Arc<Shared>) {
    let stop = shared.stop.clone();
    let door = Door { remote, shared };
    let router = Router::new().fallback(handle).with_state(door);
    let listener = CuttableListener::new(listener, stop.clone());
    let serving = axum::serve(listener, router.into_make_service_with_connect_info::<Switch>());
    tokio::select! {
        () = stop.cancelled() => {}
        _ = serving => {}
    }
}

async fn handle(State(door): State<Door>, ConnectInfo(switch): ConnectInfo<Switch>, request: Request) -> Response {
    let answered_at = Instant::now() + door.shared.latency;
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return plain(413, "The request is too large, or it broke off.");
    };
    let call = Call::read(door.remote, parts, body).await;
    let shared = &door.shared;
    let ticket = Ticket::new(&door, &call);
    let struck = lock(&shared.faults).strike(&call);

    // The work continues when the sender disconnects, as at a real remote.
    let work = tokio::spawn(work(Arc::clone(shared), call, struck, answered_at));
    let Ok(Done::Answer(answer)) = work.await else {
        ticket.close(Outcome::Discarded);
        switch.cut();
        return plain(500, "Cut.");
    };
    let mut response = if let Some((kind, moment)) = struck {
        ticket.close(Outcome::Spoiled(kind, moment));
        spoil::spoil(kind, answer, &switch, &shared.stop).await
    } else {
        ticket.close(Outcome::Answered(answer.status));
        respond(answer)
    };
    // The remotes' time differs from the machine's when the clock is set.
    let now = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&shared.clock.now());
    if let Some(date) = now.ok().and_then(|text| HeaderValue::from_str(&text).ok()) {
        response.headers_mut().insert(axum::http::header::DATE, date);
    }
    response
}

/// Result of a request inside the remote.
enum Done {
    Answer(Answer),
    Cut,
}

async fn work(shared: Arc<Shared>, call: Call, struck: Option<Struck>, answered_at: Instant) -> Done {
    let stop = shared.stop.clone();
    tokio::select! {
        () = stop.cancelled() => Done::Cut,
        done = execute(&shared, &call, struck, answered_at) => done,
    }
}

async fn execute(shared: &Shared, call: &Call, struck: Option<Struck>, answered_at: Instant) -> Done {
    if !shared.latency.is_zero() {
        tokio::time::sleep_until(answered_at).await;
    }
    if hold(shared, call, Moment::Before).await == Verdict::Discard {
        return Done::Cut;
    }
    let answer = match struck {
        Some((_, Moment::Before)) => spoil::not_executed(),
        Some((_, Moment::After)) | None => dispatch(shared, call),
    };
    match hold(shared, call, Moment::After).await {
        Verdict::GoOn => Done::Answer(answer),
        Verdict::Discard => Done::Cut,
    }
}

async fn hold(shared: &Shared, call: &Call, moment: Moment) -> Verdict {
    let gate = lock(&shared.pauses).gate(call.endpoint, moment);
    match gate {
        // A dropped handle lets the request continue.
        Some(gate) => gate.await.unwrap_or(Verdict::GoOn),
        None => Verdict::GoOn,
    }
}

/// Passes a request to its model. This is the only place that does so, and it never waits, so that a
/// request is executed completely or not at all.
fn dispatch(shared: &Shared, call: &Call) -> Answer {
    let now = shared.clock.now();
    match call.remote {
        Remote::Mirakl => mirakl::answer(&mut lock(&shared.mirakl), call, now),
        Remote::Hipay => {
            let answer = hipay::answer(&mut lock(&shared.hipay), call, now);
            shared.news.notify_one();
            answer
        }
        Remote::GitHub => github::answer(&mut lock(&shared.github), call, now),
        Remote::GitHubFiles => github::file(&mut lock(&shared.github), call),
    }
}

/// A request's entry in the log; it counts as in progress until dropped.
struct Ticket {
    door: Door,
    number: u64,
}

impl Ticket {
    fn new(door: &Door, call: &Call) -> Self {
        let number = lock(&door.shared.traffic).begin(call, door.shared.clock.now());
        Self { door: door.clone(), number }
    }

    fn close(&self, outcome: Outcome) {
        lock(&self.door.shared.traffic).outcome(self.number, outcome);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        lock(&self.door.shared.traffic).end(self.door.remote);
    }
}

/// Turns an answer into an unmodified response.
pub(super) fn respond(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(value) = HeaderValue::from_str(&answer.content_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

fn plain(status: u16, text: &str) -> Response {
    respond(Answer {
        status,
        content_type: "text/plain; charset=utf-8".to_owned(),
        headers: Vec::new(),
        body: text.as_bytes().to_vec(),
    })
}
