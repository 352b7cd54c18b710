//! Connections, limited in number and in the time that each may take.

mod bodies;
mod table;
mod watched_stream;

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use self::bodies::{Answering, Arrived, arrived};
use self::table::{OpenConnection, Table};
use self::watched_stream::WatchedStream;
use super::peer::Encrypted;
use super::problem::Problem;
use super::tls::Certificate;
use crate::platform::gate::Gate;
use crate::platform::os;
use crate::text::message::{logged, msg};

/// Time within which a connection that was just accepted may still send a request while the process stops.
const REQUEST_TIMEOUT: Duration = Duration::from_millis(500);

/// Upper bound on connections where the system sets no tighter limit.
const MAX_CONNECTIONS: usize = 2_000;

/// File descriptors reserved for the store, the logs, the remotes and the commands.
const RESERVED_DESCRIPTORS: u64 = 256;

/// Upper bound on connections that are answered 503 at once for lack of room; others are closed without an answer.
const MAX_REFUSED_AT_ONCE: usize = 64;

/// Time that a client has to read the 503 for lack of room.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

/// Response to a connection for which there is no room.
const NO_ROOM: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 5\r\n\
connection: close\r\ncontent-length: 57\r\n\r\n{\"status\":503,\"title\":\"too many connections; try again\"}\n";

/// Interval between checks whether memory can be returned to the system.
const MEMORY_INTERVAL: Duration = Duration::from_secs(5);

/// Drop in the number of connections that makes it worthwhile to return memory.
const MIN_CLOSED_TO_TRIM: usize = 100;

/// Time within which a request that is still arriving must be complete while the process stops.
const SEND_TIMEOUT: Duration = Duration::from_secs(2);

/// Bounds on connections.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Maximum number of connections. One more displaces a connection on which no request is being answered.
    pub connections: usize,
    /// Maximum number of connections from one address; for IPv6, from one /64 network.
    pub of_address: usize,
    /// Time limit for the head of a request and for the TLS handshake before it; also the time that a connection may be
    /// idle.
    pub head: Duration,
    /// Time limit for the body of a request.
    pub body: Duration,
    /// Time that a client may leave a response unread.
    pub unread: Duration,
    /// Maximum size of the head of a request, in bytes.
    pub head_bytes: usize,
    /// Maximum number of headers of a request.
    pub headers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: MAX_CONNECTIONS,
            of_address: MAX_CONNECTIONS / 4,
            head: Duration::from_secs(15),
            body: Duration::from_secs(10),
            unread: Duration::from_secs(30),
            head_bytes: 32 * 1024,
            headers: 64,
        }
    }
}

impl Limits {
    /// Returns the bounds of this process: raises the limit on descriptors as far as the system allows, and reserves
    /// some of them for everything else.
    pub fn of_this_process() -> Self {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
        let allowed = if raised.is_ok() { maximum } else { current };
        let left = allowed.map(|allowed| allowed.saturating_sub(RESERVED_DESCRIPTORS).max(allowed / 4));
        let left = left.map_or(MAX_CONNECTIONS, |left| usize::try_from(left).unwrap_or(MAX_CONNECTIONS));
        let connections = left.clamp(8, MAX_CONNECTIONS);
        Self { connections, of_address: connections.div_ceil(4), ..Self::default() }
    }
}

/// A server that accepts connections for a router.
pub struct Connections {
    router: Router,
    certificate: Option<Certificate>,
    limits: Limits,
    gate: Gate,
    open: Table,
    served: TaskTracker,
    /// Permits for answering that there is no room.
    turned_away: Arc<Semaphore>,
    /// Predicate for addresses that speak for many clients, such as a proxy.
    speaks_for_many: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
}

impl Connections {
    /// Creates a server that answers by `router`, over TLS if there is a certificate.
    pub fn new(router: Router, certificate: Option<Certificate>, limits: Limits) -> Self {
        Self {
            router,
            certificate,
            limits,
            gate: Gate::default(),
            open: Table::default(),
            served: TaskTracker::new(),
            turned_away: Arc::new(Semaphore::new(MAX_REFUSED_AT_ONCE)),
            speaks_for_many: Arc::new(|_| false),
        }
    }

    /// Lifts the bound per address for addresses that satisfy `speaks_for_many`, such as a proxy.
    #[must_use]
    pub fn lift_bound_for(mut self, speaks_for_many: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        self.speaks_for_many = Arc::new(speaks_for_many);
        self
    }

    /// Closes every connection with its next response while `gate` reports that another process takes over soon.
    #[must_use]
    pub fn close_while(mut self, gate: Gate) -> Self {
        self.gate = gate;
        self
    }

    /// Accepts connections until `stop` is cancelled; then waits for the requests in progress.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let (mut number, mut most) = (0_u64, 0);
        let mut look = tokio::time::interval(MEMORY_INTERVAL);
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                _ = look.tick() => {
                    let now = self.open.len();
                    if most >= now.saturating_add(MIN_CLOSED_TO_TRIM) {
                        most = now;
                        tokio::task::spawn_blocking(os::return_free_memory);
                    }
                    continue;
                }
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    number = number.wrapping_add(1);
                    self.welcome(number, stream, address, &stop);
                    most = most.max(self.open.len());
                }
                Err(error) => {
                    // Mostly too many open files: an idle connection gives way, and the next attempt follows soon.
                    logged!(warn, action = "web", msg!("log-connection-not-accepted", error = error.to_string()));
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
        // Responses are small and wanted at once.
        let _ = stream.set_nodelay(true);
        let most = self.limits.connections;
        let of_address = if (self.speaks_for_many)(address.ip()) { most } else { self.limits.of_address };
        let Some(connection) = self.open.admit(number, address.ip(), of_address, most) else {
            self.refuse(stream);
            return;
        };
        let (router, limits, open, certificate) =
            (self.router.clone(), self.limits, self.open.clone(), self.certificate.clone());
        let end = EndSignals { gate: self.gate.clone(), stop: stop.clone() };
        self.served.spawn(async move {
            match certificate {
                None => serve_requests(stream, false, address, router, limits, &connection, end).await,
                Some(certificate) => {
                    let handshake = certificate.acceptor().accept(stream);
                    let stream = tokio::select! {
                        stream = tokio::time::timeout(limits.head, handshake) => stream.ok().and_then(Result::ok),
                        () = connection.cut.cancelled() => None,
                        () = end.stop.cancelled() => None,
                    };
                    if let Some(stream) = stream {
                        serve_requests(stream, true, address, router, limits, &connection, end).await;
                    }
                }
            }
            open.remove(number);
        });
    }

    /// Answers that there is no room, if that is cheap: not over TLS, and to [`MAX_REFUSED_AT_ONCE`] clients at once.
    fn refuse(&self, mut stream: TcpStream) {
        metrics::counter!(crate::platform::metrics::TURNED_AWAY).increment(1);
        let Some(turn) = Arc::clone(&self.turned_away).try_acquire_owned().ok().filter(|_| self.certificate.is_none())
        else {
            return;
        };
        self.served.spawn(async move {
            let _turn = turn;
            let telling = async {
                stream.write_all(NO_ROOM).await?;
                stream.shutdown().await?;
                // Bytes left unread would make the system reset the connection and discard the response.
                let mut rest = [0; 1024];
                while stream.read(&mut rest).await? > 0 {}
                Ok::<_, std::io::Error>(())
            };
            let _ = tokio::time::timeout(REFUSAL_TIMEOUT, telling).await;
        });
    }
}

/// Signals that end a connection.
struct EndSignals {
    /// Gate that reports when another process takes over soon.
    gate: Gate,
    stop: CancellationToken,
}

/// Answers the requests of one connection until it ends, is cut, or `stop` is cancelled.
async fn serve_requests<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    encrypted: bool,
    address: SocketAddr,
    router: Router,
    limits: Limits,
    connection: &Arc<OpenConnection>,
    end: EndSignals,
) {
    let begun = Instant::now();
    let EndSignals { gate, stop } = end;
    let (counted, stopping) = (Arc::clone(connection), stop.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let (router, connection) = (router.clone(), Arc::clone(&counted));
        let (gate, stopping) = (gate.clone(), stopping.clone());
        async move {
            connection.head_arrived();
            let (head, body) = request.into_parts();
            let mut answer = match arrived(body, &connection, limits.body).await {
                Arrived::Whole(body) => {
                    let mut request = Request::from_parts(head, body);
                    request.extensions_mut().insert(ConnectInfo(address));
                    request.extensions_mut().insert(Encrypted(encrypted));
                    router.oneshot(request).await.unwrap_or_else(|never| match never {})
                }
                Arrived::Late => late(),
                Arrived::Gone => return Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted)),
            };
            // Also where the body was not waited for: a connection that is being answered is not cut.
            connection.begins();
            if gate.is_leaving() || stopping.is_cancelled() {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            // Counts as being answered until the body of the response is written or given up.
            Ok::<_, std::io::Error>(answer.map(|body| Body::new(Answering::new(body, connection))))
        }
    });
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.unread));
    let stream = WatchedStream::new(Box::pin(stream), Arc::clone(connection));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(limits.head_bytes)
        .max_headers(limits.headers)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = pin!(serving);
    tokio::select! {
        // A client that breaks off, or speaks no HTTP, needs no action.
        _ = serving.as_mut() => return,
        // No request is in progress: the connection ends here.
        () = connection.cut.cancelled() => return,
        () = stop.cancelled() => {
            // A client that has just connected is about to send a request, and would take the end for a refusal.
            let left = REQUEST_TIMEOUT.saturating_sub(begun.elapsed());
            if !connection.has_been_used()
                && tokio::time::timeout(left, serving.as_mut()).await.is_ok()
            {
                return;
            }
        }
    }
    serving.as_mut().graceful_shutdown();
    tokio::select! {
        _ = serving => {}
        () = time_out_request(connection, SEND_TIMEOUT) => {}
    }
}

/// Completes after `within` if no whole request has arrived by then; otherwise never completes.
async fn time_out_request(connection: &OpenConnection, within: Duration) {
    tokio::time::sleep(within).await;
    if !connection.is_waiting() {
        std::future::pending::<()>().await;
    }
}

fn late() -> Response {
    let mut answer = Problem::new(StatusCode::REQUEST_TIMEOUT, msg!("problem-slow")).into_response();
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}
