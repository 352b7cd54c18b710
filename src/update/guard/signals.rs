//! Signals as bytes in pipes, so that one thread can wait for them together with everything else.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

/// The signals that have arrived and were not handled yet.
pub(super) struct GuardSignals {
    stop: UnixStream,
    hangup: UnixStream,
    child: UnixStream,
}

impl GuardSignals {
    /// Registers the signals; from now on none of them ends the process.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { stop: piped(&[SIGTERM, SIGINT])?, hangup: piped(&[SIGHUP])?, child: piped(&[SIGCHLD])? })
    }

    /// Returns true once for each request to stop.
    pub(super) fn take_stop(&mut self) -> io::Result<bool> {
        read_all(&mut self.stop, 1)
    }

    /// Returns true if log files have been moved away.
    pub(super) fn take_hangup(&mut self) -> io::Result<bool> {
        read_all(&mut self.hangup, 64)
    }

    /// Returns true if a child may have ended.
    pub(super) fn take_child(&mut self) -> io::Result<bool> {
        read_all(&mut self.child, 64)
    }

    /// Returns the sources that can be read when a signal has arrived.
    pub(super) fn sources(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [&self.stop, &self.hangup, &self.child].into_iter().map(AsFd::as_fd)
    }
}

fn piped(signals: &[i32]) -> io::Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    // If the pipe is full, one more byte would add no information.
    theirs.set_nonblocking(true)?;
    for signal in signals {
        pipe::register(*signal, theirs.try_clone()?)?;
    }
    Ok(ours)
}

fn read_all(pipe: &mut UnixStream, most: usize) -> io::Result<bool> {
    let mut bytes = vec![0; most];
    match pipe.read(&mut bytes) {
        Ok(count) => Ok(count > 0),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(false),
        Err(error) => Err(error),
    }
}
