//! Ends the guard in the middle of its file operations, for tests: a debug build that finds its version
//! and a number in the file `dies-at` of the guard's folder dies before or after the operation of that
//! number. A release build has none of it.

use std::cell::Cell;
use std::io;
use std::path::Path;

use crate::release;

/// Counts the operations.
#[derive(Debug, Default)]
pub(super) struct Trap {
    /// Odd and even: before and after an operation.
    left: Cell<Option<u32>>,
    /// Fails from there on, in place of ending the process.
    pub(super) only_fails: Cell<bool>,
}

impl Trap {
    pub(super) fn of(state: &Path) -> Self {
        let trap = Self::default();
        if cfg!(debug_assertions)
            && let Ok(text) = std::fs::read_to_string(state.join("dies-at"))
        {
            let (version, point) = text.trim().split_once(' ').unwrap_or_default();
            trap.left.set(point.parse().ok().filter(|_| version == release::version()));
        }
        trap
    }

    /// Fails at this point, and from then on.
    #[cfg(test)]
    pub(super) fn fails_at(&self, point: u32) {
        self.left.set(Some(point));
        self.only_fails.set(true);
    }

    /// One file operation.
    pub(super) fn step<T>(&self, operation: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.point()?;
        let done = operation()?;
        self.point()?;
        Ok(done)
    }

    fn point(&self) -> io::Result<()> {
        let Some(left) = self.left.get() else { return Ok(()) };
        if left > 0 {
            self.left.set(left.checked_sub(1));
            return Ok(());
        }
        if self.only_fails.get() {
            return Err(io::Error::other("the trap"));
        }
        // As `kill -9` would: nothing is flushed, nothing is tidied.
        let me = rustix::process::getpid();
        rustix::process::kill_process(me, rustix::process::Signal::KILL)?;
        Ok(())
    }
}
