//! The worker, as its guard sees it: a process and a channel to it.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use super::Plan;
use crate::update::channel::{Channel, Said, Told};

/// Somebody that a process can run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// The user's number.
    pub id: u32,
    /// The number of its group; it has no other.
    pub group: u32,
}

/// How a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl fmt::Display for Ended {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(formatter, "ended with code {code}"),
            Self::Signal(signal) => write!(formatter, "was ended by signal {signal}"),
        }
    }
}

/// A worker that was started and not yet seen to end.
pub(super) struct Child {
    process: Pid,
    /// None once it has closed its end.
    channel: Option<Channel>,
    heard_at: Instant,
    /// Since when it has been ready.
    ready_at: Option<Instant>,
}

impl Child {
    /// Starts a worker. It ends with this process: it asks the kernel for that before anything else.
    pub(super) fn start(plan: &Plan) -> io::Result<Self> {
        let (ours, theirs) = Channel::pair()?;
        let mut command = Command::new(&plan.program);
        command.args(&plan.arguments).arg("--worker-of").arg(std::process::id().to_string());
        command.stdin(Stdio::from(OwnedFd::from(theirs)));
        // What the service manager says to the guard is not for the worker.
        for variable in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"]
        {
            command.env_remove(variable);
        }
        if let Some(user) = plan.user {
            // Drops the groups of the guard's user as well.
            command.gid(user.group).uid(user.id);
        }
        let started = command.spawn()?;
        let process = i32::try_from(started.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { process, channel: Some(ours), heard_at: Instant::now(), ready_at: None })
    }

    /// Tells it something, with files. Whether it can still hear is seen by its end.
    pub(super) fn send(&self, told: &Told, files: &[BorrowedFd<'_>]) -> io::Result<()> {
        match self.channel.as_ref().map(|channel| channel.send(told, files)) {
            Some(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }

    /// Tells it something that it will also see in another way if it does not hear it.
    pub(super) fn tell(&self, told: &Told) {
        let _ = self.send(told, &[]);
    }

    /// What it has said, if anything; does not wait.
    pub(super) fn hear(&mut self) -> io::Result<Option<Said>> {
        loop {
            let Some(channel) = &self.channel else { return Ok(None) };
            let mut source = [PollFd::new(channel, PollFlags::IN)];
            if poll(&mut source, Some(&Timespec::default()))? == 0 {
                return Ok(None);
            }
            match channel.receive::<Said>() {
                Ok(Some((said, _))) => {
                    self.heard_at = Instant::now();
                    if matches!(said, Said::Ready { .. }) {
                        self.ready_at = Some(self.heard_at);
                    }
                    return Ok(Some(said));
                }
                Ok(None) => self.channel = None,
                // Rubbish from the process that talks to the network is passed over.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether it has ended, and how. Not to be asked again after that.
    pub(super) fn ended(&self) -> io::Result<Option<Ended>> {
        let Some((_, status)) = waitpid(Some(self.process), WaitOptions::NOHANG)? else { return Ok(None) };
        let by_signal = status.terminating_signal().map(Ended::Signal);
        Ok(status.exit_status().map(Ended::Code).or(by_signal))
    }

    /// How long it has said nothing, once it was ready.
    pub(super) fn silent_for(&self) -> Duration {
        self.ready_at.map_or(Duration::ZERO, |_| self.heard_at.elapsed())
    }

    /// How long it has been ready; nothing where it never was.
    pub(super) fn served(&self) -> Option<Duration> {
        self.ready_at.map(|ready| ready.elapsed())
    }

    /// Has it open its log files anew.
    pub(super) fn hang_up(&self) {
        let _ = kill_process(self.process, Signal::HUP);
    }

    /// Ends it without asking.
    pub(super) fn kill(&mut self) {
        let _ = kill_process(self.process, Signal::KILL);
        // Killed once: it is silent from now on for another reason.
        self.ready_at = self.ready_at.map(|_| Instant::now());
        self.heard_at = Instant::now();
    }

    /// What can be read when it has something to say.
    pub(super) fn source(&self) -> Option<BorrowedFd<'_>> {
        self.channel.as_ref().map(AsFd::as_fd)
    }
}
