//! The socket of the command line: while the service holds the store, commands work through it.
//!
//! The socket is in the data folder and accessible to its owner alone. Commands speak HTTP on it, to the same routes as
//! every client; they need no token, since the kernel tells who they are.

mod path;

use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::IntoResponse;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::RecvFlags;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Interest};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

pub use path::{SOCKET, connect};

use crate::platform::release;
use crate::text::message::{logged, msg};
use crate::web::{FromCommandLine, Problem, ProblemKind};

/// Time limit for the head of a request to arrive.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Upper bound on concurrent connections; a command has two at most.
const MAX_CONNECTIONS: usize = 64;
/// Upper bound on the body of a request, in bytes.
const MAX_REQUEST_LENGTH: usize = 64 * 1024;

/// A bound socket.
pub struct CommandSocket {
    listener: UnixListener,
    data: PathBuf,
}

impl CommandSocket {
    /// Binds the socket of the folder `data`. If that is not possible, logs the reason and returns `None`: the service
    /// works without the socket.
    pub async fn bind(data: PathBuf) -> Option<Self> {
        let folder = data.clone();
        let bound = tokio::task::spawn_blocking(move || path::bind(&folder)).await;
        match bound.map_err(io::Error::other).flatten().and_then(UnixListener::from_std) {
            Ok(listener) => Some(Self { listener, data }),
            Err(error) => {
                let (path, error) = (data.join(SOCKET).display().to_string(), error.to_string());
                logged!(error, action = "serve", msg!("log-socket-unusable", path, error));
                None
            }
        }
    }

    /// Answers by `router` until `stop` is cancelled, and removes the socket. A command that follows a batch then is
    /// still informed when the batch reaches its safe point.
    pub async fn serve(self, router: Router, stop: CancellationToken) {
        let Self { listener, data } = self;
        let (room, connections) = (Arc::new(Semaphore::new(MAX_CONNECTIONS)), TaskTracker::new());
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) if is_owner(&stream) => {
                    let permit = Arc::clone(&room).try_acquire_owned().ok();
                    let (router, stop, acts) = (router.clone(), stop.clone(), connections.clone());
                    connections.spawn(async move {
                        let router = permit.as_ref().map(|_| router);
                        // A command that breaks off is no error of the service: what was begun goes on.
                        let _ = answer(stream, router, acts, stop).await;
                        drop(permit);
                    });
                }
                Ok(_) => logged!(warn, action = "serve", msg!("log-socket-other-user")),
                Err(error) => {
                    logged!(warn, action = "serve", msg!("log-socket-failed", error = error.to_string()));
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(listener);
        let _ = tokio::task::spawn_blocking(move || path::remove(&data)).await;
        connections.close();
        connections.wait().await;
    }
}

/// Returns true for a process of our own user or of root, by the kernel's word.
fn is_owner(stream: &UnixStream) -> bool {
    let ours = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == ours || peer.uid() == 0)
}

/// Answers the requests of one connection; without a router, there is no room for it.
async fn answer(
    stream: UnixStream,
    router: Option<Router>,
    acts: TaskTracker,
    stop: CancellationToken,
) -> io::Result<()> {
    let first = async {
        let mut byte = [0_u8; 1];
        stream.async_io(Interest::READABLE, || Ok(rustix::net::recv(&stream, &mut byte, RecvFlags::PEEK)?.0)).await?;
        io::Result::Ok(byte)
    };
    let first = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        first = tokio::time::timeout(REQUEST_TIMEOUT, first) => first??,
    };
    if first == *b"{" {
        return refuse_earlier_release(stream).await;
    }
    let service = service_fn(move |request: Request<Incoming>| {
        let (router, acts) = (router.clone(), acts.clone());
        async move {
            let Some(router) = router else {
                let full = Problem::unavailable(msg!("problem-commands", most = MAX_CONNECTIONS.to_string()), 5);
                return Ok(full.of_kind(ProblemKind::Busy).into_response());
            };
            let (head, body) = request.into_parts();
            let whole = Limited::new(body, MAX_REQUEST_LENGTH).collect();
            let Ok(Ok(body)) = tokio::time::timeout(REQUEST_TIMEOUT, whole).await else {
                return Ok(Problem::new(StatusCode::REQUEST_TIMEOUT, msg!("problem-slow")).into_response());
            };
            let mut request = Request::from_parts(head, Body::from(body.to_bytes()));
            request.extensions_mut().insert(FromCommandLine);
            // A task of its own: the act goes on where the command is gone.
            let answered = acts.spawn(router.oneshot(request)).await.map_err(io::Error::other)?;
            Ok::<_, io::Error>(answered.unwrap_or_else(|never| match never {}))
        }
    });
    let mut stream = TimeoutStream::new(stream);
    // A command that does not read its answer must not delay the end of the service.
    stream.set_write_timeout(Some(REQUEST_TIMEOUT));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIMEOUT)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended.map_err(io::Error::other),
        () = stop.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    connection.await.map_err(io::Error::other)
}

/// Answers a command of an earlier release, which sends a line of JSON, in the form that it understands.
async fn refuse_earlier_release(stream: UnixStream) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let request = (&mut stream).take(u64::try_from(MAX_REQUEST_LENGTH).unwrap_or(u64::MAX));
    // Read first, so that the command does not fail to write it.
    let _ = tokio::time::timeout(REQUEST_TIMEOUT, BufReader::new(request).read_until(b'\n', &mut Vec::new())).await;
    let message = format!(
        "this command is of another release than the running cashout service ({}); run the command of that release, or \
         restart the service, so that both are the same",
        release::version()
    );
    let line = format!("{}\n", json!({ "event": "failed", "kind": "busy", "message": message }));
    stream.write_all(line.as_bytes()).await?;
    stream.shutdown().await
}
