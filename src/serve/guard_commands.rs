//! The worker's answers to its guard: it reports its health, copies the store, drains for another release, and resumes
//! after that release was tried.

use std::fmt::Display;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use axum::http::header::HOST;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tower::ServiceExt;

use crate::platform::fs::room_in;
use crate::platform::release;
use crate::platform::testing::{InjectedFault, has_fault};
use crate::store::{StoreError, View};
use crate::text::message::{logged, msg};
use crate::update::channel::{GuardMessage, WorkerMessage};
use crate::update::reserve;
use crate::update::worker::Voice;
use crate::web::{Web, router};

/// Time limit of our own answer over HTTP.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Time limit for running work to reach a safe point; after it the update has to be requested again later.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(110);

/// Upper bound on our own answer over HTTP, in bytes.
const MAX_ANSWER_LENGTH: usize = 64 * 1024;

/// Space with which the previous release can come back if a bad one has filled the disk, in bytes.
const ROLLBACK_RESERVE: u64 = 16 * 1024 * 1024;

/// Minimum of free space, in bytes; with less, nothing works for long.
const MIN_FREE_SPACE: u64 = 1024 * 1024;

/// Key of the document that a probe writes and reads.
const PROBE: &str = "update/probe";

/// The part of the worker that answers its guard.
pub struct Duty {
    /// Parts that the worker works with.
    pub web: Web,
    /// Connection to the guard.
    pub voice: Voice,
    /// Address at which the worker answers requests.
    pub address: SocketAddr,
    /// The folder of the store.
    pub data: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
struct Probe {
    at: Timestamp,
}

#[derive(Debug, Deserialize)]
struct Health {
    version: String,
}

impl Duty {
    /// Answers the guard until it asks the worker to stop. Waits forever if the guard sends nothing more.
    pub async fn run_until_stopped(&self, told: &mut mpsc::UnboundedReceiver<GuardMessage>) {
        while let Some(told) = told.recv().await {
            match told {
                GuardMessage::Stop { .. } => return,
                GuardMessage::Known { known } => self.web.guard.set_status(known),
                GuardMessage::Probe { nth } => {
                    if has_fault(InjectedFault::Silent) {
                        continue;
                    }
                    let (version, problem) = match self.probe().await {
                        Ok(_) if has_fault(InjectedFault::OtherVersion) => ("9.9.9".to_owned(), None),
                        Ok(version) => (version, None),
                        Err(problem) => (release::version().to_owned(), Some(problem)),
                    };
                    self.voice.send(&WorkerMessage::Probed { nth, version, problem });
                }
                GuardMessage::BackUp => self.voice.send(&WorkerMessage::BackedUp { problem: self.back_up().await }),
                GuardMessage::Drain => self.voice.send(&WorkerMessage::Drained { problem: self.drain().await }),
                GuardMessage::Undrain | GuardMessage::Commit => {
                    if !self.web.context.gate.is_open() {
                        let message = msg!("log-batches-continue", version = release::version());
                        logged!(info, action = "update", message);
                    }
                    self.free_room();
                    self.web.scheduler.resume();
                }
                GuardMessage::Start { .. } | GuardMessage::Configured { .. } | GuardMessage::Unknown => {}
            }
        }
        std::future::pending::<()>().await;
    }

    /// Checks the free space, writes to the store and reads from it, and sends a request to ourselves over HTTP.
    /// Returns the version that answers.
    async fn probe(&self) -> Result<String, String> {
        let in_folder =
            |error: io::Error| format!("{} does not tell how much room there is: {error}", self.data.display());
        if room_in(&self.data).map_err(in_folder)? < MIN_FREE_SPACE {
            return Err(format!("the disk is full: there is no room left in {}", self.data.display()));
        }
        let (store, at) = (&self.web.context.store, self.web.context.clock.now());
        let in_store = |error: StoreError| format!("the store does not work: {error}");
        store.write(move |writer| writer.put_document(PROBE, &Probe { at })).await.map_err(in_store)?;
        let read = store.reading(|reader| reader.get_document::<Probe>(PROBE)).await.map_err(in_store)?;
        if read.is_none_or(|probe| probe.at != at) {
            return Err("the store does not give back what was written".to_owned());
        }
        let asked = async {
            let connection = TcpStream::connect(here(self.address)).await.map_err(over_http)?;
            let answer = if self.web.settings.get().server.tls.is_some() {
                // The listener speaks TLS, with a certificate for another name than the one by which we reach
                // ourselves. So the connection alone is tested, and the request goes to the router directly.
                drop(connection);
                let request = Request::get("/healthz").body(Body::empty()).map_err(over_http)?;
                router(self.web.clone()).oneshot(request).await.map_err(over_http)?
            } else {
                let (mut sender, driven) = http1::handshake(TokioIo::new(connection)).await.map_err(over_http)?;
                tokio::spawn(driven);
                let request = Request::get("/healthz").header(HOST, self.address.to_string()).body(Body::empty());
                let request = request.map_err(over_http)?;
                sender.send_request(request).await.map_err(over_http)?.map(Body::new)
            };
            axum::body::to_bytes(answer.into_body(), MAX_ANSWER_LENGTH).await.map_err(over_http)
        };
        let body = tokio::time::timeout(ANSWER_TIMEOUT, asked).await;
        let body = body.map_err(|_| over_http("it took longer than 5 seconds"))??;
        let health: Health = serde_json::from_slice(&body).map_err(over_http)?;
        Ok(health.version)
    }

    async fn back_up(&self) -> Option<String> {
        let (store, clock) = (self.web.context.store.clone(), self.web.context.clock.clone());
        let copied = tokio::task::spawn_blocking(move || store.back_up("before-update", &clock)).await;
        match copied {
            Ok(Ok(path)) => {
                logged!(info, action = "update", msg!("log-store-copied", path = path.display().to_string()));
            }
            Ok(Err(error)) => return Some(error.to_string()),
            Err(error) => return Some(error.to_string()),
        }
        let held = reserve::reserve(&self.data, ROLLBACK_RESERVE);
        let no_room = |error| format!("{} has no room for it and for a way back ({error})", self.data.display());
        held.err().map(no_room)
    }

    /// Frees the space that was reserved for a rollback.
    fn free_room(&self) {
        if let Err(error) = reserve::free(&self.data) {
            let folder = self.data.display().to_string();
            logged!(warn, action = "update", msg!("log-reserve-kept", folder, error = error.to_string()));
        }
    }

    async fn drain(&self) -> Option<String> {
        logged!(info, action = "update", msg!("log-batches-paused"));
        if tokio::time::timeout(DRAIN_TIMEOUT, self.web.scheduler.drain()).await.is_ok() {
            return None;
        }
        let still = self.web.scheduler.commands_running().join(", ");
        self.web.scheduler.resume();
        Some(still)
    }
}

fn over_http(error: impl Display) -> String {
    format!("it does not answer over HTTP: {error}")
}

/// Returns the address by which this machine reaches itself.
fn here(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}
