//! chromedriver: one for all tests of a process, ended with the last browser that uses it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::str::FromStr;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use axum::http::Method;
use fantoccini::wd::WebDriverCompatibleCommand;
use reqwest::Url;
use serde_json::{Value, json};

/// Number of tests that may have a browser at the same time, on the whole machine.
const TURNS: usize = 2;

/// Script that waits for the end of its input, which comes with any end of this process, and then
/// kills every process that was started below it.
const KEEPER: &str = "chromedriver --port=0 & exec >/dev/null; read -r _; kill -KILL $!; wait $!; kill -KILL 0";

static RUNNING: Mutex<Weak<Driver>> = Mutex::new(Weak::new());

/// A running chromedriver. Dropping it ends every browser that it started.
pub(crate) struct Driver {
    keeper: Child,
    port: u16,
    // Kept open: otherwise chromedriver would fail when it writes its next line.
    _output: BufReader<ChildStdout>,
}

impl Driver {
    /// Returns the chromedriver of this process, and starts it if necessary.
    pub(crate) fn running() -> Arc<Self> {
        let mut running = RUNNING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(driver) = running.upgrade() {
            return driver;
        }
        let driver = Arc::new(Self::start());
        *running = Arc::downgrade(&driver);
        driver
    }

    fn start() -> Self {
        need("chromedriver", "chromium-driver");
        need("chromium", "chromium");
        // It looks for a free port and binds it slightly later; on a busy machine another process may be faster.
        let mut said = String::new();
        for _ in 0..10 {
            match Self::try_start() {
                Ok(driver) => return driver,
                Err(why) => said = why,
            }
        }
        panic!("chromedriver ended before it was ready; it said:\n{said}");
    }

    fn try_start() -> Result<Self, String> {
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("the shell that keeps chromedriver starts");
        let mut output = BufReader::new(keeper.stdout.take().expect("the output of chromedriver"));
        let mut said = String::new();
        let port = loop {
            let before = said.len();
            output.read_line(&mut said).expect("chromedriver's output is text");
            if let Some(rest) = said.split_once("started successfully on port ").map(|(_, rest)| rest) {
                break rest.trim().trim_end_matches('.').parse().expect("the port of chromedriver");
            }
            if said.len() == before {
                drop(keeper.stdin.take());
                let _ = keeper.wait();
                return Err(said);
            }
        };
        Ok(Self { keeper, port, _output: output })
    }

    /// Returns its address.
    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Returns the process group of the driver and its browsers.
    pub(crate) fn group(&self) -> u32 {
        self.keeper.id()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

fn need(program: &str, package: &str) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    assert!(
        found,
        "the tests of the pages need '{program}', which is not in the PATH: install the package {package} \
         (tests/run does it where it may)"
    );
}

/// The right of one test to have browsers open.
pub(crate) struct Turn {
    // Locked while it is open.
    _lock: File,
}

impl Turn {
    /// Waits until one of the machine's turns is free.
    pub(crate) async fn wait() -> Arc<Self> {
        let open = |number: usize| {
            let path: PathBuf = std::env::temp_dir().join(format!("cashout-browser-{number}.lock"));
            // Another user's file can be locked, but not created again.
            let file = File::open(&path).or_else(|_| File::create(&path));
            file.unwrap_or_else(|error| panic!("{} cannot be used: {error}", path.display()))
        };
        loop {
            for number in 1..=TURNS {
                let lock = open(number);
                if lock.try_lock().is_ok() {
                    return Arc::new(Self { _lock: lock });
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// A command of chromedriver that the client does not support.
#[derive(Debug)]
pub(crate) struct Call {
    path: String,
    body: Option<Value>,
}

impl Call {
    /// Makes a command of the `DevTools` protocol.
    pub(crate) fn devtools(command: &str, parameters: &Value) -> Self {
        let body = json!({"cmd": command, "params": parameters});
        Self { path: "goog/cdp/execute".to_owned(), body: Some(body) }
    }

    /// Makes a command that returns the log entries since the last call: `browser` or `performance`.
    pub(crate) fn log(kind: &str) -> Self {
        Self { path: "se/log".to_owned(), body: Some(json!({"type": kind})) }
    }

    /// Makes a command that returns the name of an element for assistive tools.
    pub(crate) fn accessible_name(element: &str) -> Self {
        Self { path: format!("element/{element}/computedlabel"), body: None }
    }
}

impl WebDriverCompatibleCommand for Call {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as FromStr>::Err> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        match &self.body {
            Some(body) => (Method::POST, Some(body.to_string())),
            None => (Method::GET, None),
        }
    }
}
