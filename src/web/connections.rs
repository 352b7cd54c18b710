//! Connections, with bounds on their number and on the patience with each.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::peer::Encrypted;
use super::tls::Certificate;
use crate::gate::Gate;

/// How long a connection that was just accepted may take to ask for something while we stop.
const ASKED_WITHIN: Duration = Duration::from_millis(500);

/// Bounds on connections.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many there may be. One more makes the one that has been idle longest give way.
    pub connections: usize,
    /// How long the head of a request, or the TLS handshake before it, may take; also how long a
    /// connection may be idle.
    pub head: Duration,
    /// How long a client may leave an answer unread.
    pub unread: Duration,
    /// How large the head of a request may be, in bytes.
    pub head_bytes: usize,
    /// How many headers a request may have.
    pub headers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2_000,
            head: Duration::from_secs(15),
            unread: Duration::from_secs(30),
            head_bytes: 32 * 1024,
            headers: 64,
        }
    }
}

/// Whoever accepts connections for a router.
pub struct Connections {
    router: Router,
    certificate: Option<Certificate>,
    limits: Limits,
    gate: Gate,
    open: Open,
    served: TaskTracker,
}

/// The connections that are open, in the order in which each became idle last.
#[derive(Clone, Default)]
struct Open(Arc<Mutex<BTreeMap<u64, Arc<Connection>>>>);

struct Connection {
    /// Requests in hand.
    busy: AtomicUsize,
    /// Whether there ever was one.
    used: AtomicBool,
    cut: CancellationToken,
}

impl Connection {
    fn new() -> Self {
        Self { busy: AtomicUsize::new(0), used: AtomicBool::new(false), cut: CancellationToken::new() }
    }
}

impl Open {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Connection>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts the oldest connection that has no request in hand.
    fn make_room(&self) {
        let open = self.lock();
        let idle = open.values().find(|one| one.busy.load(Ordering::Relaxed) == 0 && !one.cut.is_cancelled());
        if let Some(idle) = idle {
            idle.cut.cancel();
        }
    }
}

impl Connections {
    /// Answers by `router`, over TLS where there is a certificate.
    pub fn new(router: Router, certificate: Option<Certificate>, limits: Limits) -> Self {
        Self { router, certificate, limits, gate: Gate::default(), open: Open::default(), served: TaskTracker::new() }
    }

    /// The same, and while `gate` says that another process answers soon, every connection ends with its
    /// next answer.
    #[must_use]
    pub fn behind(mut self, gate: Gate) -> Self {
        self.gate = gate;
        self
    }

    /// Accepts connections until `stop` is cancelled; then waits for the requests in hand.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let mut number = 0_u64;
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    number = number.wrapping_add(1);
                    self.welcome(number, stream, address, &stop);
                }
                Err(error) => {
                    // Too many open files, mostly: what is idle gives way, and the next try comes soon.
                    tracing::warn!(action = "web", "a connection could not be accepted: {error}");
                    self.open.make_room();
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(listener);
        self.served.close();
        self.served.wait().await;
    }

    fn welcome(&self, number: u64, stream: TcpStream, address: SocketAddr, stop: &CancellationToken) {
        // Answers are small and wanted at once.
        let _ = stream.set_nodelay(true);
        let connection = Arc::new(Connection::new());
        let full = {
            let mut open = self.open.lock();
            open.insert(number, Arc::clone(&connection));
            open.len() > self.limits.connections
        };
        if full {
            self.open.make_room();
        }
        let (router, limits, open, certificate) =
            (self.router.clone(), self.limits, self.open.clone(), self.certificate.clone());
        let end = End { gate: self.gate.clone(), stop: stop.clone() };
        self.served.spawn(async move {
            match certificate {
                None => converse(stream, false, address, router, limits, &connection, end).await,
                Some(certificate) => {
                    let handshake = certificate.acceptor().accept(stream);
                    let stream = tokio::select! {
                        stream = tokio::time::timeout(limits.head, handshake) => stream,
                        () = connection.cut.cancelled() => { open.lock().remove(&number); return }
                        () = end.stop.cancelled() => { open.lock().remove(&number); return }
                    };
                    if let Ok(Ok(stream)) = stream {
                        converse(stream, true, address, router, limits, &connection, end).await;
                    }
                }
            }
            open.lock().remove(&number);
        });
    }
}

/// What ends a connection.
struct End {
    /// Says when another process answers soon.
    gate: Gate,
    stop: CancellationToken,
}

/// Answers the requests of one connection until it ends, is cut, or `stop` is cancelled.
async fn converse<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    encrypted: bool,
    address: SocketAddr,
    router: Router,
    limits: Limits,
    connection: &Arc<Connection>,
    end: End,
) {
    let begun = Instant::now();
    let End { gate, stop } = end;
    let (counted, stopping) = (Arc::clone(connection), stop.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let (router, busy) = (router.clone(), Busy::new(&counted));
        let (gate, stopping) = (gate.clone(), stopping.clone());
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(address));
            request.extensions_mut().insert(Encrypted(encrypted));
            let mut answer = router.oneshot(request).await;
            if let Ok(answer) = &mut answer
                && (gate.is_leaving() || stopping.is_cancelled())
            {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            // In hand until the body of the answer is written, or given up.
            answer.map(|answer| answer.map(|body| Body::new(Counted { body, _busy: busy })))
        }
    });
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.unread));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(limits.head_bytes)
        .max_headers(limits.headers)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    let mut serving = pin!(serving);
    tokio::select! {
        // Who breaks off, or speaks no HTTP, is no trouble of ours.
        _ = serving.as_mut() => return,
        () = connection.cut.cancelled() => {}
        () = stop.cancelled() => {
            // Whoever has just connected is about to ask, and would take the end for a refusal.
            let left = ASKED_WITHIN.saturating_sub(begun.elapsed());
            if !connection.used.load(Ordering::Relaxed)
                && tokio::time::timeout(left, serving.as_mut()).await.is_ok()
            {
                return;
            }
        }
    }
    serving.as_mut().graceful_shutdown();
    let _ = serving.await;
}

/// Counts a request that is in hand.
struct Busy(Arc<Connection>);

impl Busy {
    fn new(connection: &Arc<Connection>) -> Self {
        connection.busy.fetch_add(1, Ordering::Relaxed);
        connection.used.store(true, Ordering::Relaxed);
        Self(Arc::clone(connection))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A body whose request is in hand as long as it lives.
struct Counted {
    body: Body,
    _busy: Busy,
}

impl hyper::body::Body for Counted {
    type Data = <Body as hyper::body::Body>::Data;
    type Error = <Body as hyper::body::Body>::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        std::pin::Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}
