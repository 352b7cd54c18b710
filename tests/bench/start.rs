//! The program as users start it, on a large store: from its start to its first page.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cashout::sandbox::{Sandbox, SandboxOptions};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::table;
use crate::table::{milliseconds, percentile};

/// Number of starts after each kind of end.
const MAX_STARTS: usize = 10;
/// Time limit of an answer.
const GIVE_UP_TIMEOUT: Duration = Duration::from_mins(1);

/// Starts and ends the program repeatedly on the store in `data`.
pub(crate) fn measure(data: &Path) {
    let program = Program::of(data.to_owned());
    // The first start builds what the others find.
    program.start().1.end(Signal::TERM);
    let rows = [("orderly end", Signal::TERM), ("kill -9", Signal::KILL)].map(|(after, signal)| {
        program.start().1.end(signal);
        let mut times: Vec<Duration> = (0..MAX_STARTS)
            .map(|_| {
                let (time, running) = program.start();
                running.end(signal);
                time
            })
            .collect();
        let times = [0, 50, 100].map(|percent| milliseconds(percentile(&mut times, percent)));
        std::iter::once(after.to_owned()).chain(times).collect()
    });
    program.start().1.end(Signal::TERM);
    table::print(
        "million: from the start of the program to its first page, after",
        &["", "fastest", "p50", "slowest"],
        &rows,
    );
}

/// The program with its settings, its store and its remotes.
pub(crate) struct Program {
    folder: TempDir,
    data: PathBuf,
    address: SocketAddr,
    _remotes: (Runtime, Sandbox),
}

/// A running program.
pub(crate) struct Running(Child);

impl Program {
    /// Makes the program for the store in `data`.
    fn of(data: PathBuf) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let sandbox = runtime.block_on(Sandbox::start(SandboxOptions::default())).unwrap();
        let folder = tempfile::tempdir().unwrap();
        // A bind to port 0 returns a free port.
        let address = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        let mut settings = sandbox.credentials().parameters_yml();
        writeln!(settings, "    server.listen: {address}").unwrap();
        std::fs::write(folder.path().join("parameters.yml"), settings).unwrap();
        Self { folder, data, address, _remotes: (runtime, sandbox) }
    }

    /// Makes the program for a store that it creates.
    pub(crate) fn of_a_new_store() -> Self {
        let mut program = Self::of(PathBuf::new());
        program.data = program.folder.path().join("data");
        program
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts the program, and requests a page until it is answered.
    pub(crate) fn start(&self) -> (Duration, Running) {
        let begun = Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_cashout"));
        command
            .arg("serve")
            .arg("--config")
            .arg(self.folder.path().join("parameters.yml"))
            .arg("--data")
            .arg(&self.data);
        let running = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        loop {
            assert!(begun.elapsed() < GIVE_UP_TIMEOUT, "the program does not answer");
            match TcpStream::connect(self.address) {
                Ok(stream) => {
                    if let Some(answer) = ask(stream) {
                        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
                        return (begun.elapsed(), running);
                    }
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}"),
            }
            std::thread::yield_now();
        }
    }
}

/// Requests the sign-in page; returns `None` if the connection belonged to the previous program.
fn ask(mut stream: TcpStream) -> Option<String> {
    stream.set_read_timeout(Some(GIVE_UP_TIMEOUT)).unwrap();
    stream.write_all(b"GET /dashboard/login HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer).filter(|answer| !answer.is_empty())
}

impl Running {
    /// Returns the process id of the worker, which answers.
    pub(crate) fn worker(&self) -> u32 {
        let guard = self.0.id();
        let children = std::fs::read_to_string(format!("/proc/{guard}/task/{guard}/children")).unwrap();
        children.split_whitespace().next().unwrap().parse().unwrap()
    }

    pub(crate) fn end(mut self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
        self.0.wait().unwrap();
    }
}
