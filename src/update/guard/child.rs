//! The worker, as its guard sees it: a process and a channel to it.

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
use super::closing::close_apart;
use super::signalling::send_signal;
use crate::platform::os::User;
use crate::update::channel::{Channel, GuardMessage, WorkerMessage, is_sealed};
use crate::update::story::{LINES_KEPT, LONGEST_LINE};

/// Keeps what the service manager says to the guard from a process of the guard's, and has that run as
/// `user`, where that is another.
pub(super) fn apart(command: &mut Command, user: Option<User>) {
    for variable in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"] {
        command.env_remove(variable);
    }
    if let Some(user) = user {
        // Drops the groups of the guard's user as well.
        command.gid(user.group).uid(user.id).env_remove("CREDENTIALS_DIRECTORY");
    }
}

/// How a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// By itself, once the settings were there: the service is to begin with them.
    SetUp,
}

/// What a message costs us, where one that only says something costs 1.
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

impl Drop for Child {
    fn drop(&mut self) {
        self.hear_no_more();
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(formatter, "ended with code {code}"),
            Self::Signal(signal) => write!(formatter, "was ended by signal {signal}"),
            Self::SetUp => formatter.write_str("has written the settings"),
        }
    }
}

/// The most that a worker has a reason to say within [`SAID_WITHIN`]; see [`effort_of`].
const MAX_SAID: u32 = 1_000;

/// The time that [`MAX_SAID`] is for.
const SAID_WITHIN: Duration = Duration::from_secs(10);

/// A worker whose store has not answered for so long hangs.
const HANGS_AFTER: Duration = Duration::from_mins(1);

/// The longest time that a worker may take until it is ready: the store of years is opened within it.
const STARTS_WITHIN: Duration = Duration::from_mins(30);

/// A worker that was started and not yet seen to end.
pub(super) struct Child {
    process: Pid,
    /// Whom it runs as, where that is another than the guard.
    user: Option<User>,
    /// None once it has closed its end.
    channel: Option<Channel>,
    heard_at: Instant,
    /// Since when its messages are counted, and how many have come since.
    said: (Instant, u32),
    /// Since when it has been ready.
    ready_at: Option<Instant>,
    /// How it ended, once that was seen.
    ended: Option<Ended>,
    /// What it writes, where it is on trial: passed on, and the last of it kept.
    outputs: Vec<File>,
    lines: VecDeque<String>,
}

impl Child {
    /// Starts a worker. It ends with this process: it asks the kernel for that before anything else.
    /// What a worker on trial writes goes through the guard, so that its last words are kept.
    pub(super) fn start(plan: &Plan, trial: bool) -> io::Result<Self> {
        let (ours, theirs) = Channel::pair()?;
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
        let started = command.spawn()?;
        let process = i32::try_from(started.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
        let now = Instant::now();
        let (channel, lines) = (Some(ours), VecDeque::new());
        let mut worker = Self {
            process,
            user: plan.user,
            channel,
            heard_at: now,
            said: (now, 0),
            ready_at: None,
            ended: None,
            outputs,
            lines,
        };
        worker.read_outputs_without_waiting()?;
        Ok(worker)
    }

    /// A worker that the guard before this one has started, which was ready.
    pub(super) fn adopt(
        process: i32,
        user: Option<User>,
        channel: Channel,
        outputs: VecDeque<OwnedFd>,
    ) -> io::Result<Self> {
        let process = Pid::from_raw(process).ok_or(ErrorKind::InvalidData)?;
        let now = Instant::now();
        let outputs = outputs.into_iter().map(File::from).collect();
        let (channel, lines) = (Some(channel), VecDeque::new());
        let ready_at = Some(now);
        let mut worker =
            Self { process, user, channel, heard_at: now, said: (now, 0), ready_at, ended: None, outputs, lines };
        worker.read_outputs_without_waiting()?;
        Ok(worker)
    }

    /// What a guard that takes over needs: the process, its channel and its outputs.
    pub(super) fn handed_over(&self) -> Option<(i32, Vec<BorrowedFd<'_>>)> {
        let channel = self.channel.as_ref()?;
        let files = std::iter::once(channel.as_fd()).chain(self.outputs.iter().map(AsFd::as_fd)).collect();
        Some((self.process.as_raw_nonzero().get(), files))
    }

    fn read_outputs_without_waiting(&mut self) -> io::Result<()> {
        self.outputs.iter().try_for_each(|output| Ok(rustix::io::ioctl_fionbio(output, true)?))
    }

    /// Passes on what it has written.
    pub(super) fn pass_on(&mut self) {
        let (mut all, mut buffer) = (Vec::new(), [0; 8 * 1024]);
        self.outputs.retain_mut(|output| {
            // Some at a time: the rest is there at the next look.
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
            self.lines.push_back(line.chars().take(LONGEST_LINE).collect());
        }
        while self.lines.len() > LINES_KEPT {
            self.lines.pop_front();
        }
        // Where nobody reads it any more, it is kept for the history all the same.
        let _ = io::stdout().write_all(&all).and_then(|()| io::stdout().flush());
    }

    /// The last lines that it has written.
    pub(super) fn last_lines(mut self) -> Vec<String> {
        std::mem::take(&mut self.lines).into()
    }

    /// Tells it something, with files, without waiting. Whether it can still hear is seen by its end.
    pub(super) fn send(&self, told: &GuardMessage, files: &[BorrowedFd<'_>]) -> io::Result<()> {
        match self.channel.as_ref().map(|channel| channel.send_at_once(told, files)) {
            Some(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }

    /// Tells it something that it will also see in another way if it does not hear it. One that does not read is not
    /// waited for: it is ended where it is to stop.
    pub(super) fn tell(&self, told: &GuardMessage) {
        if self.send(told, &[]).is_err() && matches!(told, GuardMessage::Stop { .. }) {
            let _ = send_signal(self.process, Signal::KILL, self.user);
        }
    }

    /// What it has said, if anything; does not wait. One that says more than it has a reason to is heard no more: what
    /// else there is to do must not wait for its end.
    pub(super) fn hear(&mut self) -> io::Result<Option<(WorkerMessage, Option<OwnedFd>)>> {
        loop {
            let Some(channel) = self.channel.as_ref().filter(|_| !self.says_too_much()) else { return Ok(None) };
            let mut source = [PollFd::new(channel, PollFlags::IN)];
            match poll(&mut source, Some(&Timespec::default())) {
                // A signal: there may be something to hear as well.
                Err(Errno::INTR) => continue,
                Ok(0) => return Ok(None),
                other => other?,
            };
            match channel.receive_anything::<WorkerMessage>() {
                Ok(Some((said, files))) => {
                    self.count(said.as_ref().map_or(1, effort_of));
                    let file = self.sealed_of(files);
                    // Rubbish from the process that talks to the network is passed over.
                    let Ok(said) = said else { continue };
                    self.heard_at = Instant::now();
                    if matches!(said, WorkerMessage::Ready { .. }) {
                        self.ready_at = Some(self.heard_at);
                    }
                    return Ok(Some((said, file)));
                }
                // It is heard no more, and is started again once it has been silent for long.
                Ok(None) | Err(_) => self.hear_no_more(),
            }
        }
    }

    /// Whether it has ended, and how.
    pub(super) fn ended(&mut self) -> io::Result<Option<Ended>> {
        if self.ended.is_none()
            && let Some((_, status)) = waitpid(Some(self.process), WaitOptions::NOHANG)?
        {
            let by_signal = status.terminating_signal().map(Ended::Signal);
            self.ended = status.exit_status().map(Ended::Code).or(by_signal);
        }
        Ok(self.ended)
    }

    fn says_too_much(&self) -> bool {
        self.said.1 >= MAX_SAID
    }

    /// Counts what a message costs us.
    fn count(&mut self, effort: u32) {
        let (since, count) = self.said;
        let is_long_ago = since.elapsed() >= SAID_WITHIN;
        self.said = if is_long_ago { (Instant::now(), effort) } else { (since, count.saturating_add(effort)) };
    }

    /// The file that came with a message, where it is sealed. What else came is closed.
    fn sealed_of(&mut self, files: VecDeque<OwnedFd>) -> Option<OwnedFd> {
        let (mut sealed, others): (VecDeque<_>, VecDeque<_>) = files.into_iter().partition(|file| is_sealed(file));
        if !others.is_empty() && !close_apart(others) {
            self.count(MAX_SAID);
        }
        sealed.pop_front()
    }

    /// Gives the channel up, with all that may still be in it.
    fn hear_no_more(&mut self) {
        if let Some(channel) = self.channel.take() {
            close_apart(channel);
        }
    }

    /// Why it is to be ended, where it is.
    pub(super) fn unwell(&self) -> Option<&'static str> {
        if self.says_too_much() {
            return Some("the worker says more than it has a reason to; it is killed and started again");
        }
        let patience = if self.ready_at.is_some() { HANGS_AFTER } else { STARTS_WITHIN };
        (self.heard_at.elapsed() > patience)
            .then_some("the worker does not answer any more; it is killed and started again")
    }

    /// How long it has been ready; nothing where it never was.
    pub(super) fn served(&self) -> Option<Duration> {
        self.ready_at.map(|ready| ready.elapsed())
    }

    /// Has it open its log files anew.
    pub(super) fn hang_up(&self) {
        let _ = send_signal(self.process, Signal::HUP, self.user);
    }

    /// Ends it without asking.
    pub(super) fn kill(&mut self) {
        let _ = send_signal(self.process, Signal::KILL, self.user);
        // Killed once: it is silent from now on for another reason, and what it has said does not count.
        if self.says_too_much() {
            self.hear_no_more();
        }
        self.said = (Instant::now(), 0);
        self.ready_at = self.ready_at.map(|_| Instant::now());
        self.heard_at = Instant::now();
    }

    /// What can be read when it has something to say.
    pub(super) fn sources(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.channel.iter().map(AsFd::as_fd).chain(self.outputs.iter().map(AsFd::as_fd))
    }
}
