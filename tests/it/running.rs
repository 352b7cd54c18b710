//! Running the binary as people and cron jobs do, and checking its output.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::world::World;

/// Output and exit code of the binary.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Told {
    fn new(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the binary prints UTF-8");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Checks the exit code.
    #[track_caller]
    pub(crate) fn ends(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Checks that the output contains these words.
    #[track_caller]
    pub(crate) fn says(&self, words: &str) -> &Self {
        assert!(self.out.contains(words) || self.err.contains(words), "'{words}' is missing: {self:#?}");
        self
    }

    /// Checks that the output does not contain these words.
    #[track_caller]
    pub(crate) fn hides(&self, words: &str) -> &Self {
        assert!(!self.out.contains(words) && !self.err.contains(words), "'{words}' is told: {self:#?}");
        self
    }

    /// Returns the standard output, which must be one JSON object on one line.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.out.lines().count(), 1, "{self:#?}");
        let value: Value = serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"));
        assert!(value.is_object(), "{self:#?}");
        value
    }
}

/// Runs `process` to its end.
pub(crate) async fn told(mut process: Command) -> Told {
    let output = tokio::task::spawn_blocking(move || process.stdin(Stdio::null()).output().unwrap());
    Told::new(output.await.unwrap())
}

impl World {
    /// Runs the binary on this world to its end. The store must be closed before.
    pub(crate) async fn told(&self, arguments: &[&str]) -> Told {
        told(self.cashout(arguments)).await
    }
}

/// A running binary.
pub(crate) struct Running {
    child: Option<Child>,
    readers: Vec<std::thread::JoinHandle<()>>,
    lines: UnboundedReceiver<(Stream, String)>,
    out: String,
    err: String,
}

/// Stream of an output line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

impl Running {
    pub(crate) fn start(mut process: Command) -> Self {
        process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = process.spawn().unwrap();
        let (sender, lines) = unbounded_channel();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let streams: [(Stream, Box<dyn Read + Send>); 2] = [(Stream::Out, Box::new(out)), (Stream::Err, Box::new(err))];
        let readers = streams.map(|(stream, pipe)| {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    let _ = sender.send((stream, line));
                }
            })
        });
        Self { child: Some(child), readers: readers.into(), lines, out: String::new(), err: String::new() }
    }

    fn note(&mut self, stream: Stream, line: &str) {
        let seen = if stream == Stream::Out { &mut self.out } else { &mut self.err };
        seen.push_str(line);
        seen.push('\n');
    }

    /// Waits until it prints a line with these words, as a result or in its log, and returns the line.
    pub(crate) async fn says(&mut self, words: &str) -> String {
        while let Some((stream, line)) = self.lines.recv().await {
            self.note(stream, &line);
            if line.contains(words) {
                return line;
            }
        }
        panic!("'{words}' was not said: {}{}", self.out, self.err);
    }

    /// Returns its process id.
    pub(crate) fn id(&self) -> String {
        self.child.as_ref().unwrap().id().to_string()
    }

    /// Returns the process id of a service's worker.
    pub(crate) fn worker(&self) -> String {
        let id = self.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        children.split_whitespace().next().expect("the guard has a worker").to_owned()
    }

    /// Sends a signal to its worker.
    pub(crate) fn signal_worker(&self, name: &str) {
        assert!(Command::new("kill").args(["-s", name, &self.worker()]).status().unwrap().success());
    }

    /// Sends it a signal: `TERM`, `INT`, `KILL`.
    pub(crate) fn signal(&self, name: &str) {
        assert!(Command::new("kill").args(["-s", name, &self.id()]).status().unwrap().success());
    }

    /// Waits until the process is gone, for any reason.
    pub(crate) async fn is_gone(&mut self) {
        let child = self.child.as_mut().unwrap();
        crate::notices::until("the process is gone", || child.try_wait().unwrap().is_some()).await;
    }

    /// Waits for its end.
    pub(crate) async fn end(mut self) -> Told {
        let child = self.child.take().unwrap();
        let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
        while let Some((stream, line)) = self.lines.recv().await {
            self.note(stream, &line);
        }
        let (out, err) = (std::mem::take(&mut self.out), std::mem::take(&mut self.err));
        Told { out, err, ..Told::new(output) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A failed test leaves no process running.
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        // A service's worker ends with its guard: it has ended when its output is closed.
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}
