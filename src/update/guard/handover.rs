//! The replacement of a guard by another in the same process: same process ID, same sockets, same worker.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::Guard;
use super::worker_process::WorkerProcess;
use crate::platform::os::User;
use crate::update::channel::GuardChannel;

/// The message to the guard that takes over; the files are attached, those of the worker last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct HandoverMessage {
    /// Process ID of the worker, if there is one. Its channel and its outputs are attached.
    #[serde(default)]
    worker: Option<i32>,
}

/// The state that the previous guard has left: the lock, the listening socket, and the worker.
#[derive(Debug)]
pub struct Handover {
    said: HandoverMessage,
    files: VecDeque<OwnedFd>,
}

impl Handover {
    /// Takes over from the guard that ran in this process before. Must be called only with `--taking-over`.
    pub fn take() -> io::Result<Self> {
        let channel = GuardChannel::of(io::stdin().as_fd().try_clone_to_owned()?);
        let received = channel.receive::<HandoverMessage>()?;
        let (said, files) = received.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        Ok(Self { said, files })
    }

    /// Returns the next file: the lock, then the listening socket.
    pub fn file(&mut self) -> io::Result<OwnedFd> {
        self.files.pop_front().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Returns the worker, if there is one.
    pub(super) fn worker(mut self, user: Option<User>) -> io::Result<Option<WorkerProcess>> {
        let Some(process) = self.said.worker else { return Ok(None) };
        let channel = GuardChannel::of(self.file()?);
        WorkerProcess::adopt(process, user, channel, self.files).map(Some)
    }
}

impl Guard {
    /// Replaces this process by the binary that is in place now. Returns only if that fails.
    pub(super) fn exec(&mut self) -> io::Error {
        let handed = GuardChannel::pair().and_then(|(ours, theirs)| {
            let mut files: Vec<BorrowedFd<'_>> = vec![self.plan.lock.as_fd(), self.plan.listener.as_fd()];
            let mut said = HandoverMessage::default();
            if let Some((process, of_worker)) = self.worker.as_ref().and_then(WorkerProcess::handed_over) {
                said.worker = Some(process);
                files.extend(of_worker);
            }
            ours.send(&said, &files)?;
            Ok((ours, theirs))
        });
        match handed {
            Ok((_ours, theirs)) => Command::new(&self.plan.program)
                .args(&self.plan.arguments)
                .arg("--taking-over")
                .stdin(Stdio::from(OwnedFd::from(theirs)))
                .exec(),
            Err(error) => error,
        }
    }
}
