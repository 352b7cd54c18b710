//! Connections: limits on their number and idle time, encryption if configured, and inherited sockets.

use std::io::BufRead;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use cashout::config::TlsConfig;
use cashout::sandbox::SandboxOptions;
use cashout::web::{Certificate, Connections, Limits};
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixDatagram};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::running::Running;
use crate::world::{World, http};

/// A server with these routes and limits.
struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl Server {
    async fn start(router: Router, certificate: Option<Certificate>, limits: Limits) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(Connections::new(router, certificate, limits).serve(listener, stop.clone()));
        Self { address, stop, serving }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.serving.await.unwrap();
    }

    async fn ask(&self) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

fn hello() -> Router {
    Router::new().route("/", get(async || "hello"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_idle_connections_keeps_nobody_out() {
    let limits = Limits { connections: 50, head: Duration::from_mins(1), ..Limits::default() };
    let server = Server::start(hello(), None, limits).await;
    let mut idle = Vec::new();
    for _ in 0..500 {
        idle.push(TcpStream::connect(server.address).await.unwrap());
    }
    assert!(server.ask().await.ends_with("hello"));
    // The connections that were dropped see their end; only the permitted number is still open.
    let mut ended = 0;
    for stream in &mut idle {
        let mut byte = [0];
        let read = tokio::time::timeout(Duration::from_millis(20), stream.read(&mut byte)).await;
        ended += usize::from(matches!(read, Ok(Ok(0) | Err(_))));
    }
    assert!((450..=500).contains(&ended), "{ended} of 500 gave way");
    server.stop().await;
}

/// Returns routes that answer with the length of the request body.
fn measure() -> Router {
    hello().route("/", post(async |body: Bytes| body.len().to_string()))
}

const WITHOUT_BODY: &[u8] = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 20\r\n\r\nhalf of it";

/// Opens a connection from an address of this machine.
async fn connected(from: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((from, 0))).unwrap();
    socket.connect(to).await.unwrap()
}

async fn is_open(stream: &mut TcpStream) -> bool {
    let read = tokio::time::timeout(Duration::from_millis(20), stream.read(&mut [0; 64])).await;
    !matches!(read, Ok(Ok(0) | Err(_)))
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_whose_bodies_never_come_keep_nobody_out() {
    let limits = Limits { connections: 50, body: Duration::from_mins(1), ..Limits::default() };
    let server = Server::start(measure(), None, limits).await;
    let mut half = Vec::new();
    for _ in 0..300 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(WITHOUT_BODY).await.unwrap();
        half.push(stream);
        assert!(server.ask().await.ends_with("hello"));
    }
    let mut open = 0;
    for stream in &mut half {
        open += usize::from(is_open(stream).await);
    }
    assert!(open <= 50, "{open} are still open");
    // The last one was kept, and is answered once its body has arrived.
    let last = half.last_mut().unwrap();
    last.write_all(b"and the re").await.unwrap();
    let mut answer = vec![0; 512];
    let read = last.read(&mut answer).await.unwrap();
    assert!(String::from_utf8_lossy(&answer[..read]).ends_with("\r\n20"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_late_is_not_waited_for() {
    let limits = Limits { body: Duration::from_millis(100), ..Limits::default() };
    let server = Server::start(measure(), None, limits).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(WITHOUT_BODY).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("connection: close"), "{answer}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_has_its_share_and_gives_way_within_it() {
    let limits = Limits { connections: 40, of_address: 10, head: Duration::from_mins(1), ..Limits::default() };
    let server = Server::start(hello(), None, limits).await;
    let mut quiet = connected([127, 0, 0, 2], server.address).await;
    quiet.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
    assert!(quiet.read(&mut [0; 512]).await.unwrap() > 0);
    let mut greedy = Vec::new();
    for _ in 0..200 {
        greedy.push(connected([127, 0, 0, 3], server.address).await);
    }
    assert!(server.ask().await.ends_with("hello"));
    // The first connection, which uses little, is still open.
    assert!(is_open(&mut quiet).await);
    let mut open = 0;
    for stream in &mut greedy {
        open += usize::from(is_open(stream).await);
    }
    assert!((1..=10).contains(&open), "{open} of one address are open");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_answered_is_never_cut_and_one_too_many_is_told() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(tokio::sync::Semaphore::new(0)));
    let route = {
        let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        post(async move |body: Bytes| {
            begun.notify_one();
            let _turn = go_on.acquire().await;
            body.len().to_string()
        })
    };
    let limits = Limits { connections: 3, of_address: 3, ..Limits::default() };
    let server = Server::start(Router::new().route("/", route), None, limits).await;
    let mut asking = Vec::new();
    for _ in 0..3 {
        let (client, address) = (http(), server.address);
        asking.push(tokio::spawn(async move {
            client.post(format!("http://{address}/")).body("all of it").send().await?.text().await
        }));
        begun.notified().await;
    }
    for _ in 0..100 {
        let told = server.ask().await;
        assert!(told.starts_with("HTTP/1.1 503 ") && told.contains("retry-after: 5"), "{told}");
        let body = told.split("\r\n\r\n").nth(1).unwrap();
        assert!(told.contains(&format!("content-length: {}\r\n", body.len())), "{told}");
    }
    go_on.add_permits(3);
    for one in asking {
        assert_eq!(one.await.unwrap().unwrap(), "9");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_get_through_however_many_connections_are_held() {
    let world = World::unscheduled(SandboxOptions::default(), &["server.listen: 127.0.0.1:0"]).await;
    world.release_store().await;
    let cashout = world.cashout(&["serve"]);
    let mut limited = Command::new("prlimit");
    limited.env_clear().arg("--nofile=512:512").arg(cashout.get_program()).args(cashout.get_args());
    let mut running = Running::start(limited);
    let line = running.says("answers on").await;
    let address: SocketAddr = line.trim().rsplit(' ').next().unwrap().parse().unwrap();
    let mut held = Vec::new();
    for host in (2..=200).cycle().take(600) {
        held.push(connected([127, 0, 0, host], address).await);
    }
    world.told(&["app:update", "--history"]).await.ends(0);
    assert_eq!(http().get(format!("http://{address}/healthz")).send().await.unwrap().status(), 200);
    drop(held);
    running.signal("TERM");
    running.end().await.ends(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_written_to_its_end_also_to_a_slow_reader() {
    const LENGTH: usize = 16 * 1024 * 1024;
    let big = Router::new().route("/", get(async || vec![b'x'; LENGTH]));
    let limits = Limits { connections: 10, of_address: 10, ..Limits::default() };
    let server = Server::start(big, None, limits).await;
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut first = vec![0; 1024];
    slow.read_exact(&mut first).await.unwrap();
    let mut flood = Vec::new();
    for _ in 0..50 {
        flood.push(TcpStream::connect(server.address).await.unwrap());
    }
    // A stop does not cut it either.
    let stopping = tokio::spawn(server.stop());
    let mut rest = Vec::new();
    let mut part = vec![0; 256 * 1024];
    loop {
        let read = slow.read(&mut part).await.unwrap();
        if read == 0 {
            break;
        }
        rest.extend_from_slice(&part[..read]);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let head = String::from_utf8_lossy(&first).find("\r\n\r\n").unwrap() + 4;
    assert_eq!(first.len() - head + rest.len(), LENGTH);
    stopping.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_may_take_longer_than_the_body_of_its_request() {
    let slow = post(async || {
        tokio::time::sleep(Duration::from_millis(400)).await;
        "nobody has read it"
    });
    let limits = Limits { body: Duration::from_millis(100), ..Limits::default() };
    let server = Server::start(Router::new().route("/", slow), None, limits).await;
    let asked = http().post(format!("http://{}/", server.address)).body("a body").send().await.unwrap();
    assert_eq!((asked.status().as_u16(), asked.text().await.unwrap().as_str()), (200, "nobody has read it"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_say_what_he_wants_is_not_waited_for() {
    let limits = Limits { head: Duration::from_millis(100), ..Limits::default() };
    let server = Server::start(hello(), None, limits).await;
    let mut rest = Vec::new();
    for said in ["", "GET / HTTP/1.1\r\nHost:"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        // The server closes the connection; otherwise this would wait for ever.
        let _ = stream.read_to_end(&mut rest).await;
    }
    server.stop().await;
}

/// A value that notifies when it is dropped.
struct Told(Arc<Notify>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_his_answer_is_not_waited_for() {
    let gone = Arc::new(Notify::new());
    let route = {
        let gone = Arc::clone(&gone);
        get(move || {
            let told = Told(Arc::clone(&gone));
            let endless = futures_util::stream::repeat_with(move || {
                let _ = &told;
                Ok::<_, std::io::Error>(vec![b'x'; 65_536])
            });
            std::future::ready(Body::from_stream(endless))
        })
    };
    let limits = Limits { unread: Duration::from_millis(100), ..Limits::default() };
    let server = Server::start(Router::new().route("/", route), None, limits).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
    gone.notified().await;
    drop(stream);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_large_a_head_is_refused_with_its_own_code() {
    let server = Server::start(hello(), None, Limits::default()).await;
    let many = "x: y\r\n".repeat(65);
    for head in [format!("x: {}\r\n", "y".repeat(200_000)), many] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        // The connection may be closed while we still write.
        let _ = stream.write_all(format!("GET / HTTP/1.1\r\nHost: here\r\n{head}\r\n").as_bytes()).await;
        let mut answer = vec![0; 64];
        let read = stream.read(&mut answer).await.unwrap_or(0);
        let answer = String::from_utf8_lossy(answer.get(..read).unwrap()).into_owned();
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    assert!(server.ask().await.ends_with("hello"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_the_requests_in_hand_and_for_nothing_else() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let route = {
        let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        get(async move || {
            begun.notify_one();
            go_on.notified().await;
            "done"
        })
    };
    let server = Server::start(Router::new().route("/", route), None, Limits::default()).await;
    let idle = TcpStream::connect(server.address).await.unwrap();
    let (address, client) = (server.address, http());
    let asking = tokio::spawn(async move { client.get(format!("http://{address}/")).send().await?.text().await });
    begun.notified().await;
    let stopping = tokio::spawn(server.stop());
    tokio::task::yield_now().await;
    assert!(!stopping.is_finished());
    go_on.notify_one();
    stopping.await.unwrap();
    assert_eq!(asking.await.unwrap().unwrap(), "done");
    drop(idle);
}

/// Writes a certificate for `localhost` with its key to the files, and returns it so that it can be trusted.
fn issue(files: &TlsConfig) -> CertificateDer<'static> {
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&files.certificate, issued.cert.pem()).unwrap();
    std::fs::write(&files.key, issued.signing_key.serialize_pem()).unwrap();
    issued.cert.der().clone()
}

/// Returns the answer to a client that trusts only this certificate.
async fn over_tls(trusted: &CertificateDer<'static>, address: SocketAddr) -> reqwest::Result<String> {
    drop(http());
    let certificate = reqwest::Certificate::from_der(trusted).unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([certificate]).build().unwrap();
    client.get(format!("https://localhost:{}/", address.port())).send().await?.text().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_used_without_a_restart_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let files = TlsConfig { certificate: folder.path().join("chain.pem"), key: folder.path().join("key.pem") };
    let first = issue(&files);
    let certificate = Certificate::read(&files).unwrap();
    let server = Server::start(hello(), Some(certificate.clone()), Limits::default()).await;
    assert_eq!(over_tls(&first, server.address).await.unwrap(), "hello");
    assert!(!certificate.refresh().unwrap());

    std::fs::write(&files.key, "rubbish").unwrap();
    let told = certificate.refresh().unwrap_err().to_string();
    assert!(told.starts_with("server.tls.key: ") && told.contains("private key in PEM"), "{told}");
    assert_eq!(over_tls(&first, server.address).await.unwrap(), "hello");

    let second = issue(&files);
    assert!(certificate.refresh().unwrap());
    assert_eq!(over_tls(&second, server.address).await.unwrap(), "hello");
    assert!(over_tls(&first, server.address).await.is_err());

    // A client without TLS does no harm.
    let mut plain = TcpStream::connect(server.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let _ = plain.read_to_end(&mut Vec::new()).await;
    assert_eq!(over_tls(&second, server.address).await.unwrap(), "hello");
    server.stop().await;
}

/// Starts the binary on an inherited socket, as a service manager would.
fn started_as_a_service(world: &World, listener: std::net::TcpListener, told: &std::path::Path) -> Child {
    let cashout = world.cashout(&["serve"]);
    let mut shell = Command::new("/bin/sh");
    shell.env_clear().arg("-c").arg("exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"").arg("sh");
    shell.arg(cashout.get_program()).args(cashout.get_args());
    shell.env("NOTIFY_SOCKET", told).env("WATCHDOG_USEC", "600000");
    shell.stdin(Stdio::from(OwnedFd::from(listener))).stderr(Stdio::piped());
    shell.spawn().unwrap()
}

async fn next_word(socket: &UnixDatagram) -> String {
    let mut word = [0; 256];
    let length = socket.recv(&mut word).await.unwrap();
    String::from_utf8_lossy(word.get(..length).unwrap()).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_takes_a_socket_that_is_handed_in_and_tells_the_service_manager_how_it_is() {
    let world = World::with(SandboxOptions::default(), &["server.listen: 127.0.0.1:1"]).await;
    world.release_store().await;
    let folder = tempfile::tempdir().unwrap();
    let told = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let mut process = started_as_a_service(&world, listener, &folder.path().join("notify"));

    // The guard is alive and requests more time until the worker is ready.
    let mut words = vec![next_word(&told).await];
    while words.last().is_some_and(|word| word != "READY=1") {
        words.push(next_word(&told).await);
    }
    assert!(words.iter().any(|word| word.starts_with("EXTEND_TIMEOUT_USEC=")), "{words:?}");
    assert_eq!(http().get(format!("http://{address}/readyz")).send().await.unwrap().status(), 200);
    for _ in 0..3 {
        assert_eq!(next_word(&told).await, "WATCHDOG=1");
    }
    let pid = process.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let stopping = async { while next_word(&told).await != "STOPPING=1" {} };
    stopping.await;
    let status = tokio::task::spawn_blocking(move || process.wait().unwrap()).await.unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_is_said_with_the_mend() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let setting = format!("server.listen: {}", taken.local_addr().unwrap());
    let world = World::with(SandboxOptions::default(), &[setting.as_str()]).await;
    world.release_store().await;
    let output = world.output(&["serve"]).await;
    let said: Vec<String> = output.stderr.lines().map(Result::unwrap).collect();
    assert_eq!(output.status.code(), Some(4), "{said:?}");
    assert!(said.iter().any(|line| line.contains("server.listen") && line.contains("choose another port")), "{said:?}");
}
