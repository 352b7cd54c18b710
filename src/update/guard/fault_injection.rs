//! Faults in the middle of the guard's file operations, for tests. A debug build that finds its version and a
//! number in the file `dies-at` of the guard's folder dies before or after the operation of that number. A release
//! build contains none of it.

use std::cell::Cell;
#[cfg(test)]
use std::cell::RefCell;
use std::io;
use std::path::Path;
#[cfg(test)]
use std::rc::Rc;

#[cfg(test)]
use super::power_loss::DiskRecorder;
use crate::platform::release;

/// A file operation, as a disk sees it.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(test), expect(dead_code, reason = "only tests look at what it is done to"))]
pub(super) enum DiskOperation<'a> {
    /// Write of a file's content, which is flushed.
    Write(&'a Path),
    /// Rename of a file.
    Rename(&'a Path, &'a Path),
    /// Creation of a folder.
    Make(&'a Path),
    /// Removal of a file, or of a folder with all its content.
    Remove(&'a Path),
    /// Flush of the names in a folder.
    Flush(&'a Path),
}

/// The count of the operations, and the point at which they fail.
#[derive(Debug, Default)]
pub(super) struct Trap {
    /// Number of points left until the trap acts; an even initial number is before an operation, an odd one after.
    left: Cell<Option<u32>>,
    /// Failure from that point on, instead of an end of the process.
    pub(super) only_fails: Cell<bool>,
    #[cfg(test)]
    film: RefCell<Option<Rc<RefCell<DiskRecorder>>>>,
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

    /// Makes the operations fail at this point, and from then on.
    #[cfg(test)]
    pub(super) fn fails_at(&self, point: u32) {
        self.left.set(Some(point));
        self.only_fails.set(true);
    }

    /// Records the operations in `film`.
    #[cfg(test)]
    pub(super) fn film(&self, film: &Rc<RefCell<DiskRecorder>>) {
        *self.film.borrow_mut() = Some(Rc::clone(film));
    }

    /// Runs one file operation, which `work` does.
    #[cfg_attr(not(test), expect(unused_variables, reason = "only tests look at the operation"))]
    pub(super) fn step<T>(&self, operation: DiskOperation<'_>, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.point()?;
        let done = work()?;
        #[cfg(test)]
        if let Some(film) = &*self.film.borrow() {
            film.borrow_mut().takes(operation);
        }
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
        // As with `kill -9`, nothing is flushed and nothing is tidied up.
        let me = rustix::process::getpid();
        rustix::process::kill_process(me, rustix::process::Signal::KILL)?;
        Ok(())
    }
}
