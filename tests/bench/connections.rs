//! A flood of connections by a stranger, and its effect on other clients: the time of their calls,
//! and the memory that the flood holds.
//!
//! The flood comes from another process and from another address of this machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use crate::start::Program;
use crate::table::{milliseconds, percentile};
use crate::{Scale, machine, table};

/// First argument of the flooding process.
pub(crate) const CHILD: &str = "flood";

/// Address that the flood comes from.
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Number of other clients' calls in each block.
const CALLS: usize = 1_000;
/// Number of blocks of which a figure is the median.
const BLOCKS: usize = 3;
/// Half bodies per second, and the duration in seconds.
const HALF_BODIES: u64 = 200;
const HALF_BODIES_FOR: Duration = Duration::from_secs(20);
/// Upper bound on the wait for the release of the memory.
const RETURN_TIMEOUT: Duration = Duration::from_mins(1);

/// The floods by name.
const FLOODS: [(&str, &str); 3] =
    [("heads", "heads without a body"), ("halves", "half bodies, 200 a second"), ("idle", "idle connections")];

/// Prints the other clients' times during each flood, and the memory.
pub(crate) fn measure(scale: Scale) {
    let count = scale.of(10_000);
    let mut rows = Vec::new();
    for (flood, name) in FLOODS {
        // A separate program each, so that each begins with the same memory.
        let program = Program::of_a_new_store();
        let running = program.start().1;
        let worker = running.worker();
        let calm = others(program.address());
        let at_first = machine::resident_mib_of(worker);
        let mut stranger = Flood::start(flood, program.address(), count);
        let beside = others(program.address());
        let most = machine::peak_mib_of(worker);
        let again = others(program.address());
        stranger.end();
        let ended = Instant::now();
        let after = loop {
            let now = machine::resident_mib_of(worker);
            if now * 10 <= at_first * 12 || ended.elapsed() > RETURN_TIMEOUT {
                break now;
            }
            block(program.address());
        };
        let given_back = ended.elapsed();
        running.end(Signal::TERM);
        let ratio = |times: Duration| format!("{:.2}", times.as_secs_f64() / calm.as_secs_f64());
        rows.push(vec![
            name.to_owned(),
            milliseconds(calm),
            milliseconds(beside),
            ratio(beside),
            ratio(again),
            at_first.to_string(),
            most.to_string(),
            after.to_string(),
            format!("{:.0} s", given_back.as_secs_f64()),
        ]);
    }
    table::print(
        &format!("connections: others' p99 of {CALLS} calls beside {count} of a stranger's"),
        &["", "calm", "beside it", "of calm", "once more", "MiB at first", "at most", "afterwards", "within"],
        &rows,
    );
}

/// Returns the 99th percentile of other clients' calls, as the median of some blocks.
fn others(address: SocketAddr) -> Duration {
    let mut blocks: Vec<Duration> = (0..BLOCKS).map(|_| block(address)).collect();
    percentile(&mut blocks, 50)
}

/// Returns the 99th percentile of one block; each call is a new connection.
fn block(address: SocketAddr) -> Duration {
    let mut times: Vec<Duration> = (0..CALLS)
        .map(|_| {
            let begun = Instant::now();
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            begun.elapsed()
        })
        .collect();
    percentile(&mut times, 99)
}

/// The flooding process.
struct Flood(Child);

impl Flood {
    /// Starts the process; returns once all its connections are open.
    fn start(kind: &str, address: SocketAddr, count: u64) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([CHILD, kind, &format!("{address} {count}")]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "open\n");
        Self(child)
    }

    fn end(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

/// Floods an address until the standard input ends.
pub(crate) fn child(kind: &str, target: &str) {
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).unwrap();
    let (address, count) = target.split_once(' ').unwrap();
    let (address, count): (SocketAddr, u64) = (address.parse().unwrap(), count.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut open = Vec::new();
        if kind == "halves" {
            println!("open");
            let end = Instant::now() + HALF_BODIES_FOR;
            let mut next = tokio::time::interval(Duration::from_secs(1) / u32::try_from(HALF_BODIES).unwrap());
            while Instant::now() < end {
                next.tick().await;
                open.extend(one(address, b"{\"half\":").await);
            }
        } else {
            for _ in 0..count {
                open.extend(if kind == "heads" { one(address, b"").await } else { connect(address).await });
            }
            println!("open");
        }
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.unwrap().unwrap();
    });
}

/// Sends a request that announces more than it sends; returns `None` if the connection is refused.
async fn one(address: SocketAddr, body: &[u8]) -> Option<TcpStream> {
    let mut stream = connect(address).await?;
    let head = "POST /notifications/wallet HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
                Content-Length: 4096\r\n\r\n";
    stream.write_all(&[head.as_bytes(), body].concat()).await.ok()?;
    Some(stream)
}

async fn connect(address: SocketAddr) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((STRANGER, 0).into()).unwrap();
    socket.connect(address).await.ok()
}
