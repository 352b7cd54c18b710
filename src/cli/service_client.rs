//! Requests to the running service: HTTP over its socket.

use std::collections::VecDeque;
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::batch::StopSignals;
use super::{Exit, Failed, Global, output, progress};
use crate::jobs::{BatchProgress, BatchState, Command};
use crate::platform::release;
use crate::scheduler::BatchStage;
use crate::serve::socket;
use crate::web::{API, BatchDetail, EndedBatch, EnqueuedBatch, ProblemBody, ProblemKind, StopEffect, StopResult};

/// Time limit for the service to accept a connection and a request.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum silence of a stream of events, which has signs of life every ten seconds.
const SILENCE_LIMIT: Duration = Duration::from_mins(1);
/// Upper bound on an event, in bytes; a batch lists its failures, so it can be long.
const MAX_EVENT_LENGTH: usize = 64 * 1024 * 1024;

/// The running service of a data folder.
pub(super) struct ServiceClient {
    data: PathBuf,
}

impl From<ProblemKind> for Exit {
    fn from(kind: ProblemKind) -> Self {
        match kind {
            ProblemKind::Credentials => Self::Credentials,
            ProblemKind::Refused => Self::Usage,
            ProblemKind::Remote => Self::Failures,
            ProblemKind::Busy => Self::Busy,
            ProblemKind::Machine | ProblemKind::Unknown => Self::Machine,
        }
    }
}

impl ServiceClient {
    /// Returns the service that answers on the socket of the data folder; `None` if there is none.
    pub(super) fn find(global: &Global) -> Option<Self> {
        socket::connect(&global.data).map(|_| Self { data: global.data.clone() })
    }

    /// Sends a request to the API and returns its answer, or the reason why the service refuses it.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, Failed> {
        parse(self.send(method, path, body).await?).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Response<Incoming>, Failed> {
        let stream = socket::connect(&self.data).ok_or_else(|| broken("it is gone"))?;
        stream.set_nonblocking(true)?;
        let stream = TokioIo::new(tokio::net::UnixStream::from_std(stream)?);
        let (mut sender, connection) = http1::handshake(stream).await.map_err(broken)?;
        tokio::spawn(connection);
        let request = Request::builder().method(method).uri(format!("{API}{path}")).header(HOST, "localhost");
        let request = match body {
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        let request = request.map_err(broken)?;
        // The work itself may take long; that the service is alive shows within moments.
        let probe = Request::get("/healthz").header(HOST, "localhost").body(Body::empty());
        let probe = probe.map_err(broken)?;
        let alive = async { sender.send_request(probe).await?.into_body().collect().await.map(drop) };
        let alive = tokio::time::timeout(CONNECT_TIMEOUT, alive).await;
        alive.map_err(|_| silent(CONNECT_TIMEOUT))?.map_err(unreadable)?;
        sender.ready().await.map_err(broken)?;
        let response = sender.send_request(request).await.map_err(unreadable)?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let problem: ProblemBody = parse(response).await?;
        let exit = match problem.kind {
            Some(kind) => kind.into(),
            None if status.is_server_error() => Exit::Machine,
            None => Exit::Usage,
        };
        Err(Failed::new(exit, problem.title))
    }

    /// Runs `command` in the service and shows its progress. The first Ctrl-C requests a stop, the second one leaves at
    /// once. Returns `None` if the batch continues without us.
    pub(super) async fn run_batch(
        &self,
        global: &Global,
        command: &Command,
    ) -> Result<Option<(BatchDetail, Option<Failed>)>, Failed> {
        // Followed before it is enqueued, so that its end is not missed.
        let mut events = Events::new(self.send(Method::GET, "/batches/events", None).await?);
        // From here on, a signal stops a batch that was enqueued; it does not leave it in the queue.
        let mut signals = StopSignals::listen();
        let (mut asked_to_stop, mut service_stops) = (false, false);
        let mut enqueued = std::pin::pin!(self.enqueue(global, command));
        let id = loop {
            tokio::select! {
                enqueued = &mut enqueued => break enqueued?,
                () = signals.next() => {
                    if asked_to_stop {
                        return Ok(None);
                    }
                    asked_to_stop = true;
                }
            }
        };
        if asked_to_stop && self.leaves_after_stop(id, &mut signals).await {
            return Ok(None);
        }
        let mut shown = ShownProgress::new(global.json);
        loop {
            let event = tokio::select! {
                event = events.next() => event?,
                () = signals.next() => {
                    if asked_to_stop || self.leaves_after_stop(id, &mut signals).await {
                        // The service brings the batch to a safe point without us.
                        return Ok(None);
                    }
                    asked_to_stop = true;
                    continue;
                }
            };
            match event {
                Some(ServiceEvent::Progress(batches)) => {
                    if let Some(batch) = batches.into_iter().find(|batch| batch.id == id) {
                        shown.update(&batch.stages);
                    }
                }
                Some(ServiceEvent::Ended(ended)) if ended.batch.item.id == id => {
                    shown.update(&ended.stages);
                    shown.progress.end();
                    let failure = ended.failure.map(|failure| Failed::new(failure.kind.into(), failure.message));
                    return Ok(Some((ended.batch, failure)));
                }
                Some(ServiceEvent::Stopping(still)) if still.contains(&id) => service_stops = true,
                Some(ServiceEvent::Stopping(_)) => return Err(stays_queued(id)),
                Some(ServiceEvent::Ended(_) | ServiceEvent::Other) => {}
                None if service_stops => return Err(stays_queued(id)),
                None => {
                    // Followed again before the look, so that its end is not missed.
                    events = Events::new(self.send(Method::GET, "/batches/events", None).await?);
                    if let Some(end) = self.missed_end(id).await? {
                        return Ok(Some(end));
                    }
                }
            }
        }
    }

    /// Requests a stop of the batch. Returns true if it continues without us: others have requested it too, or a second
    /// signal came.
    async fn leaves_after_stop(&self, id: u64, signals: &mut StopSignals) -> bool {
        let stopped = tokio::select! {
            stopped = self.stop_batch(id) => stopped,
            () = signals.next() => return true,
        };
        match stopped {
            Ok(StopEffect::Joined) => {
                output::notice("others requested this batch too: it continues");
                return true;
            }
            Ok(StopEffect::Stopping | StopEffect::Removed | StopEffect::Over) => {}
            // The end of the batch is still reported.
            Err(failed) => output::notice(&format!("the stop was not requested: {}", failed.sentence)),
        }
        false
    }

    /// Returns a batch whose end the service did not report, because the stream of events has ended before; `None`
    /// while it is not over.
    async fn missed_end(&self, id: u64) -> Result<Option<(BatchDetail, Option<Failed>)>, Failed> {
        let batch: BatchDetail = self.call(Method::GET, &format!("/batches/{id}"), None).await?;
        if !batch.item.state.is_over() {
            return Ok(None);
        }
        let error = batch.item.error.clone().filter(|_| batch.item.state == BatchState::Failed);
        Ok(Some((batch, error.map(|error| Failed::new(Exit::Failures, error)))))
    }

    async fn enqueue(&self, global: &Global, command: &Command) -> Result<u64, Failed> {
        let name = command.name();
        let mut request = json!(command);
        if let Value::Object(fields) = &mut request {
            fields.insert("may_wait".to_owned(), (!global.no_wait).into());
        }
        let queued: EnqueuedBatch = self.call(Method::POST, "/batches", Some(&request)).await?;
        let id = queued.item.id;
        if let Some(ahead) = queued.waits_for {
            output::notice(&format!("{name} is already running (batch {ahead}); batch {id} waits until it is done"));
        } else if queued.joined {
            output::notice(&format!(
                "{name} is already queued as batch {id}; it runs once for everyone who requested it"
            ));
        }
        Ok(id)
    }

    async fn stop_batch(&self, id: u64) -> Result<StopEffect, Failed> {
        let body = json!({ "unless_joined": true });
        let result: StopResult = self.call(Method::POST, &format!("/batches/{id}/stop"), Some(&body)).await?;
        if result.effect == StopEffect::Stopping {
            output::notice("stopping at the next safe point; repeat to leave at once");
        }
        Ok(result.effect)
    }
}

/// The part of a batch's progress that was shown.
struct ShownProgress {
    progress: Arc<dyn BatchProgress>,
    stages: usize,
    done: u64,
}

impl ShownProgress {
    fn new(json: bool) -> Self {
        Self { progress: progress::choose(json), stages: 0, done: 0 }
    }

    /// Shows everything new in `stages`.
    fn update(&mut self, stages: &[BatchStage]) {
        for stage in stages.iter().skip(self.stages) {
            self.progress.stage(&stage.name, stage.total);
            self.stages = self.stages.saturating_add(1);
            self.done = 0;
        }
        if let Some(last) = stages.last() {
            (self.done..last.done).for_each(|_| self.progress.step());
            self.done = last.done.max(self.done);
        }
    }
}

/// A running batch, as an event describes it.
#[derive(serde::Deserialize)]
struct RunningBatch {
    id: u64,
    stages: Vec<BatchStage>,
}

/// The running batches while the service stops.
#[derive(serde::Deserialize)]
struct StillRunning {
    running: Vec<u64>,
}

/// An event of the service about batches.
enum ServiceEvent {
    /// Progress of the running batches.
    Progress(Vec<RunningBatch>),
    /// End of a batch.
    Ended(Box<EndedBatch>),
    /// Stop of the service, with the batches that still run.
    Stopping(Vec<u64>),
    /// Another event, which may be ignored.
    Other,
}

/// A stream of server-sent events.
struct Events {
    body: Incoming,
    text: Vec<u8>,
    ready: VecDeque<ServiceEvent>,
}

impl Events {
    fn new(response: Response<Incoming>) -> Self {
        Self { body: response.into_body(), text: Vec::new(), ready: VecDeque::new() }
    }

    /// Returns the next event; `None` at the end of the stream.
    async fn next(&mut self) -> Result<Option<ServiceEvent>, Failed> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let frame = tokio::time::timeout(SILENCE_LIMIT, self.body.frame()).await;
            let frame = frame.map_err(|_| silent(SILENCE_LIMIT))?;
            let Some(frame) = frame else { return Ok(None) };
            let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
            self.text.extend_from_slice(&data);
            while let Some(end) = self.text.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = self.text.drain(..end.saturating_add(2)).collect();
                self.ready.push_back(read_event(&String::from_utf8_lossy(&event))?);
            }
            if self.text.len() > MAX_EVENT_LENGTH {
                return Err(other_release());
            }
        }
    }
}

/// Reads the whole body of a response, which is JSON.
async fn parse<T: DeserializeOwned>(response: Response<Incoming>) -> Result<T, Failed> {
    let body = response.into_body().collect().await.map_err(broken)?.to_bytes();
    serde_json::from_slice(&body).map_err(|_| other_release())
}

fn read_event(text: &str) -> Result<ServiceEvent, Failed> {
    let field = |name: &str| {
        let lines = text.lines().filter_map(|line| line.strip_prefix(name));
        lines.map(|value| value.strip_prefix(' ').unwrap_or(value)).collect::<String>()
    };
    let (name, data) = (field("event:"), field("data:"));
    let misread = |_| other_release();
    Ok(match name.as_str() {
        "progress" => ServiceEvent::Progress(serde_json::from_str(&data).map_err(misread)?),
        "ended" => ServiceEvent::Ended(serde_json::from_str(&data).map_err(misread)?),
        "stopping" => ServiceEvent::Stopping(serde_json::from_str::<StillRunning>(&data).map_err(misread)?.running),
        _ => ServiceEvent::Other,
    })
}

fn stays_queued(id: u64) -> Failed {
    let sentence = format!("the service stops before batch {id} began; it stays queued, and runs after the next start");
    Failed::new(Exit::Busy, sentence)
}

fn broken(error: impl Display) -> Failed {
    let sentence = format!(
        "the conversation with the running cashout service broke off ({error}); nothing is lost: what it was doing \
         stands in its list of batches, and what was queued runs after its next start"
    );
    Failed::new(Exit::Machine, sentence)
}

/// Makes the failure for an answer that is no HTTP, as that of an earlier release, or for a connection that broke off.
fn unreadable(error: hyper::Error) -> Failed {
    if error.is_parse() { other_release() } else { broken(error) }
}

fn silent(limit: Duration) -> Failed {
    let seconds = limit.as_secs();
    let sentence =
        format!("the running cashout service does not answer within {seconds} s; look at its log, or restart it");
    Failed::new(Exit::Busy, sentence)
}

fn other_release() -> Failed {
    let sentence = format!(
        "the running cashout service is of another release than this command ({}) and says something that it does \
         not understand; restart the service, so that both are the same",
        release::version()
    );
    Failed::new(Exit::Busy, sentence)
}
