//! Durations of commits, as a measure of the disk.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::locked;

/// Duration from which a commit is slow; healthy disks take some milliseconds.
const SLOW_LIMIT: Duration = Duration::from_secs(1);

/// The commits of one store. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Commits(Arc<Mutex<PaceState>>);

#[derive(Debug, Default)]
struct PaceState {
    begun_at: Option<Instant>,
    last: Duration,
    slow_in_a_row: u32,
}

/// Durations of the latest commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Time that the commit under way has taken so far; zero if there is none.
    pub under_way: Duration,
    /// Duration of the last commit.
    pub last: Duration,
    /// Number of commits in a row that took a second or more.
    pub slow_in_a_row: u32,
}

impl Commits {
    /// Records the start of a commit.
    pub(super) fn begin(&self) -> Instant {
        *locked(&self.0).begun_at.insert(Instant::now())
    }

    /// Records the end of the commit that began at `begun_at`.
    pub(super) fn end(&self, begun_at: Instant) {
        let mut state = locked(&self.0);
        state.begun_at = None;
        state.last = begun_at.elapsed();
        state.slow_in_a_row = if state.last >= SLOW_LIMIT { state.slow_in_a_row.saturating_add(1) } else { 0 };
    }

    pub(super) fn pace(&self) -> Pace {
        let state = locked(&self.0);
        let under_way = state.begun_at.map(|begun_at| begun_at.elapsed()).unwrap_or_default();
        Pace { under_way, last: state.last, slow_in_a_row: state.slow_in_a_row }
    }
}
