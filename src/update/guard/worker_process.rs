//! The worker from the guard's point of view: a process and a channel to it.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, waitpid};

use super::Plan;
use super::descriptors::close_apart;
use super::send_signal::send_signal;
use crate::platform::os::User;
use crate::update::channel::{GuardChannel, GuardMessage, WorkerMessage, is_sealed};
use crate::update::status::{MAX_LINE_LENGTH, MAX_LINES_KEPT};

/// Keeps the service manager's variables from a child of the guard, and makes the child run as `user`, if that is
/// another user.
pub(super) fn apart(command: &mut Command, user: Option<User>) {
    for variable in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"] {
        command.env_remove(variable);
    }
    if let Some(user) = user {
        // Drops the groups of the guard's user as well.
        command.gid(user.group).uid(user.id).env_remove("CREDENTIALS_DIRECTORY");
    }
}

/// The end of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerEnd {
    /// Exit by itself, with this exit code.
    Code(i32),
    /// End by this signal.
    Signal(i32),
    /// Exit by itself after the settings were written: the service then starts with them.
    SetUp,
}

/// Returns the cost of a message; one that only reports something costs 1.
fn effort_of(said: &WorkerMessage) -> u32 {
    match said {
        WorkerMessage::Update { .. } | WorkerMessage::Return { .. } => 40,
        WorkerMessage::Configure => 10,
        WorkerMessage::Ready { .. }
        | WorkerMessage::Alive
        | WorkerMessage::BackedUp { .. }
        | WorkerMessage::Drained { .. }
        | WorkerMessage::Probed { .. }
        | WorkerMessage::Unknown => 1,
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        self.close_channel();
    }
}

impl fmt::Display for WorkerEnd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(formatter, "ended with code {code}"),
            Self::Signal(signal) => write!(formatter, "was ended by signal {signal}"),
            Self::SetUp => formatter.write_str("has written the settings"),
        }
    }
}

/// Upper bound on the cost of a worker's messages within [`MESSAGES_INTERVAL`], which a healthy worker never reaches;
/// see [`effort_of`].
const MAX_MESSAGES: u32 = 1_000;

/// Period to which [`MAX_MESSAGES`] applies.
const MESSAGES_INTERVAL: Duration = Duration::from_secs(10);

/// Time without a message after which a ready worker hangs: its store does not respond.
const HANG_TIMEOUT: Duration = Duration::from_mins(1);

/// Upper bound on the time until a worker is ready; enough to open a store with years of data.
const START_TIMEOUT: Duration = Duration::from_mins(30);

/// A worker that was started and has not been seen to end.
pub(super) struct WorkerProcess {
    process: Pid,
    /// User that the worker runs as, if it differs from the guard's.
    user: Option<User>,
    /// Channel to the worker; `None` once it is closed.
    channel: Option<GuardChannel>,
    heard_at: Instant,
    /// Start of the period in which messages are counted, and their cost so far.
    said: (Instant, u32),
    /// Time since which the worker has been ready.
    ready_at: Option<Instant>,
    /// End of the worker, once it was seen.
    ended: Option<WorkerEnd>,
    /// Outputs of a worker on trial; they are passed on, and their last lines are kept.
    outputs: Vec<File>,
    lines: VecDeque<String>,
}

impl WorkerProcess {
    /// Starts a worker. It ends with this process: it asks the kernel for that before anything else. A worker on trial
    /// writes through the guard, so that its last lines are kept.
    pub(super) fn start(plan: &Plan, trial: bool) -> io::Result<Self> {
        let (ours, theirs) = GuardChannel::pair()?;
        let mut command = Command::new(&plan.program);
        command.args(&plan.arguments).arg("--worker-of").arg(std::process::id().to_string());
        command.stdin(Stdio::from(OwnedFd::from(theirs)));
        apart(&mut command, plan.user);
        let mut outputs = Vec::new();
        if trial {
            let ((out, to_out), (error, to_error)) = (io::pipe()?, io::pipe()?);
            command.stdout(to_out).stderr(to_error);
            outputs = vec![File::from(OwnedFd::from(out)), File::from(OwnedFd::from(error))];
        }
        Self::new(Pid::from_child(&command.spawn()?), plan.user, ours, outputs)
    }

    /// Takes over a ready worker that the previous guard has started.
    pub(super) fn adopt(
        process: i32,
        user: Option<User>,
        channel: GuardChannel,
        outputs: VecDeque<OwnedFd>,
    ) -> io::Result<Self> {
        let process = Pid::from_raw(process).ok_or(ErrorKind::InvalidData)?;
        let mut worker = Self::new(process, user, channel, outputs.into_iter().map(File::from).collect())?;
        worker.ready_at = Some(worker.heard_at);
        Ok(worker)
    }

    /// Creates the guard's view of a worker, whose outputs are read without waiting.
    fn new(process: Pid, user: Option<User>, channel: GuardChannel, outputs: Vec<File>) -> io::Result<Self> {
        let now = Instant::now();
        let worker = Self {
            process,
            user,
            channel: Some(channel),
            heard_at: now,
            said: (now, 0),
            ready_at: None,
            ended: None,
            outputs,
            lines: VecDeque::new(),
        };
        worker.outputs.iter().try_for_each(|output| rustix::io::ioctl_fionbio(output, true))?;
        Ok(worker)
    }

    /// Returns what the next guard needs: the process, its channel and its outputs.
    pub(super) fn handed_over(&self) -> Option<(i32, Vec<BorrowedFd<'_>>)> {
        let channel = self.channel.as_ref()?;
        let files = std::iter::once(channel.as_fd()).chain(self.outputs.iter().map(AsFd::as_fd)).collect();
        Some((self.process.as_raw_nonzero().get(), files))
    }

    /// Passes on the worker's output.
    pub(super) fn forward_output(&mut self) {
        let (mut all, mut buffer) = (Vec::new(), [0; 8 * 1024]);
        self.outputs.retain_mut(|output| {
            // A part at a time: the rest is still there at the next call.
            match output.read(&mut buffer) {
                Ok(0) => false,
                Ok(count) => {
                    all.extend_from_slice(buffer.get(..count).unwrap_or_default());
                    true
                }
                Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
            }
        });
        if all.is_empty() {
            return;
        }
        for line in String::from_utf8_lossy(&all).lines().filter(|line| !line.trim().is_empty()) {
            self.lines.push_back(line.chars().take(MAX_LINE_LENGTH).collect());
        }
        while self.lines.len() > MAX_LINES_KEPT {
            self.lines.pop_front();
        }
        // Even if the output has no reader any more, the lines are kept for the history.
        let _ = io::stdout().write_all(&all).and_then(|()| io::stdout().flush());
    }

    /// Returns the last lines that the worker has written.
    pub(super) fn last_lines(mut self) -> Vec<String> {
        std::mem::take(&mut self.lines).into()
    }

    /// Sends a message with files, without waiting. A worker that is gone is no error here: its end is seen elsewhere.
    pub(super) fn send(&self, told: &GuardMessage, files: &[BorrowedFd<'_>]) -> io::Result<()> {
        match self.channel.as_ref().map(|channel| channel.send_at_once(told, files)) {
            Some(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }

    /// Sends a message whose effect the worker also sees in another way if it misses the message. A worker that does
    /// not read is not waited for; it is killed if the message is a stop.
    pub(super) fn notify(&self, told: &GuardMessage) {
        if self.send(told, &[]).is_err() && matches!(told, GuardMessage::Stop { .. }) {
            let _ = send_signal(self.process, Signal::KILL, self.user);
        }
    }

    /// Returns the worker's next message, if there is one, without waiting. Messages of a worker that exceeds the limit
    /// are no longer read, so that they do not hold up other work.
    pub(super) fn receive(&mut self) -> io::Result<Option<(WorkerMessage, Option<OwnedFd>)>> {
        loop {
            let Some(channel) = self.channel.as_ref().filter(|_| !self.exceeds_message_limit()) else {
                return Ok(None);
            };
            let mut source = [PollFd::new(channel, PollFlags::IN)];
            match poll(&mut source, Some(&Timespec::default())) {
                // A signal interrupted the poll; there may be a message as well.
                Err(Errno::INTR) => continue,
                Ok(0) => return Ok(None),
                other => other?,
            };
            match channel.receive_or_files::<WorkerMessage>() {
                Ok(Some((said, files))) => {
                    self.count(said.as_ref().map_or(1, effort_of));
                    let file = self.sealed_of(files);
                    // Malformed messages are ignored: they come from the process that talks to the network.
                    let Ok(said) = said else { continue };
                    self.heard_at = Instant::now();
                    if matches!(said, WorkerMessage::Ready { .. }) {
                        self.ready_at = Some(self.heard_at);
                    }
                    return Ok(Some((said, file)));
                }
                // The channel is given up; the worker is started again once it has been silent for long.
                Ok(None) | Err(_) => self.close_channel(),
            }
        }
    }

    /// Returns the end of the worker; `None` while it runs.
    pub(super) fn ended(&mut self) -> io::Result<Option<WorkerEnd>> {
        if self.ended.is_none()
            && let Some((_, status)) = waitpid(Some(self.process), WaitOptions::NOHANG)?
        {
            let by_signal = status.terminating_signal().map(WorkerEnd::Signal);
            self.ended = status.exit_status().map(WorkerEnd::Code).or(by_signal);
        }
        Ok(self.ended)
    }

    fn exceeds_message_limit(&self) -> bool {
        self.said.1 >= MAX_MESSAGES
    }

    /// Adds the cost of a message.
    fn count(&mut self, effort: u32) {
        let (since, count) = self.said;
        let is_long_ago = since.elapsed() >= MESSAGES_INTERVAL;
        self.said = if is_long_ago { (Instant::now(), effort) } else { (since, count.saturating_add(effort)) };
    }

    /// Returns the file that came with a message, if it is sealed. Other files are closed.
    fn sealed_of(&mut self, files: VecDeque<OwnedFd>) -> Option<OwnedFd> {
        let (mut sealed, others): (VecDeque<_>, VecDeque<_>) = files.into_iter().partition(|file| is_sealed(file));
        if !others.is_empty() && !close_apart(others) {
            self.count(MAX_MESSAGES);
        }
        sealed.pop_front()
    }

    /// Gives up the channel with everything that may still be in it.
    fn close_channel(&mut self) {
        if let Some(channel) = self.channel.take() {
            close_apart(channel);
        }
    }

    /// Returns the reason to kill the worker, if there is one.
    pub(super) fn reason_to_kill(&self) -> Option<&'static str> {
        if self.exceeds_message_limit() {
            return Some("the worker sends too many messages; it is killed and started again");
        }
        let patience = if self.ready_at.is_some() { HANG_TIMEOUT } else { START_TIMEOUT };
        (self.heard_at.elapsed() > patience).then_some("the worker no longer responds; it is killed and started again")
    }

    /// Returns the time for which the worker has been ready; `None` if it never was.
    pub(super) fn ready_for(&self) -> Option<Duration> {
        self.ready_at.map(|ready| ready.elapsed())
    }

    /// Makes the worker reopen its log files.
    pub(super) fn reopen_logs(&self) {
        let _ = send_signal(self.process, Signal::HUP, self.user);
    }

    /// Kills the worker.
    pub(super) fn kill(&mut self) {
        let _ = send_signal(self.process, Signal::KILL, self.user);
        // The worker is killed once: from now on it is silent for another reason, and its earlier messages do not
        // count.
        if self.exceeds_message_limit() {
            self.close_channel();
        }
        self.said = (Instant::now(), 0);
        self.ready_at = self.ready_at.map(|_| Instant::now());
        self.heard_at = Instant::now();
    }

    /// Returns the sources that can be read when the worker has sent or written something.
    pub(super) fn sources(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.channel.iter().map(AsFd::as_fd).chain(self.outputs.iter().map(AsFd::as_fd))
    }
}
