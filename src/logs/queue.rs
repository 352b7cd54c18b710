//! Bounded queue of lines for a slow target; the least important ones are rejected first.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::LogLine;
use crate::config::LogLevel;
use crate::platform::metrics::LOG_LINES_LOST;

/// Maximum number of waiting lines.
const MAX_LINES: usize = 20_000;
/// Maximum memory of the waiting lines, in bytes.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// Maximum pause while a caller waits for the backlog to drain.
const MAX_URGENT_WAIT: Duration = Duration::from_millis(50);

/// Returns the fill level, in hundredths, up to which lines of this level are accepted. The rest is
/// reserved for more important ones; the last half for warnings and worse.
fn fill_limit(level: LogLevel) -> usize {
    match level {
        LogLevel::Debug => 25,
        LogLevel::Info | LogLevel::Notice => 50,
        LogLevel::Warning | LogLevel::Error | LogLevel::Critical | LogLevel::Alert | LogLevel::Emergency => 100,
    }
}

/// Number of rejected lines per level.
pub(super) type Lost = BTreeMap<LogLevel, u64>;

/// Lines that wait for one consuming thread.
#[derive(Default)]
pub(super) struct Backlog {
    state: Mutex<BacklogState>,
    changed: Condvar,
}

#[derive(Default)]
struct BacklogState {
    lines: VecDeque<Arc<LogLine>>,
    bytes: usize,
    lost: Lost,
    /// Number of lines that were taken and are not handled yet.
    in_hand: usize,
    /// Set while a caller waits for the backlog to drain: lines are not gathered any more.
    hurry: bool,
    closed: bool,
}

impl BacklogState {
    fn fullness(&self) -> usize {
        let lines = self.lines.len().saturating_mul(100).div_euclid(MAX_LINES);
        lines.max(self.bytes.saturating_mul(100).div_euclid(MAX_BYTES))
    }
}

impl Backlog {
    fn lock(&self) -> MutexGuard<'_, BacklogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, BacklogState>, limit: Duration) -> MutexGuard<'a, BacklogState> {
        self.changed.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Adds a line if there is room for it; counts it as lost if not. Does not wait.
    pub(super) fn push(&self, line: Arc<LogLine>) {
        let level = line.severity();
        let mut state = self.lock();
        if state.fullness() >= fill_limit(level) {
            let lost = state.lost.entry(level).or_default();
            *lost = lost.saturating_add(1);
            metrics::counter!(LOG_LINES_LOST, "level" => level.name()).increment(1);
            return;
        }
        state.bytes = state.bytes.saturating_add(line.size());
        state.lines.push_back(line);
        drop(state);
        self.changed.notify_all();
    }

    /// Waits for lines, gathers more for `gather`, and returns at most `most` of them. Returns
    /// `None` once the backlog is closed and empty.
    pub(super) fn take(&self, most: usize, gather: Duration) -> Option<Vec<Arc<LogLine>>> {
        let mut state = self.lock();
        let mut since: Option<Instant> = None;
        loop {
            if state.lines.is_empty() {
                if state.closed {
                    return None;
                }
                since = None;
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let waited = since.get_or_insert_with(Instant::now).elapsed();
            if state.closed || state.hurry || state.lines.len() >= most || waited >= gather {
                break;
            }
            state = self.wait(state, gather.saturating_sub(waited));
        }
        let count = state.lines.len().min(most);
        let group: Vec<_> = state.lines.drain(..count).collect();
        state.bytes = state.bytes.saturating_sub(group.iter().map(|line| line.size()).sum());
        state.in_hand = group.len();
        Some(group)
    }

    /// Marks the lines taken last as handled.
    pub(super) fn done(&self) {
        self.lock().in_hand = 0;
        self.changed.notify_all();
    }

    /// Returns lines that could not be handled to the front of the queue. They are not checked for
    /// room, since they were accepted before.
    pub(super) fn give_back(&self, group: Vec<Arc<LogLine>>) {
        let mut state = self.lock();
        state.in_hand = 0;
        state.bytes = state.bytes.saturating_add(group.iter().map(|line| line.size()).sum());
        for line in group.into_iter().rev() {
            state.lines.push_front(line);
        }
    }

    /// Returns the lost lines since the last call once there is plenty of room again; empty before that.
    pub(super) fn lost(&self) -> Lost {
        let mut state = self.lock();
        if state.fullness() * 2 > fill_limit(LogLevel::Debug) { Lost::new() } else { std::mem::take(&mut state.lost) }
    }

    /// Waits until nothing is left, for at most `limit`. Returns true if nothing is.
    pub(super) fn drained(&self, limit: Duration) -> bool {
        let begun = Instant::now();
        let mut state = self.lock();
        state.hurry = true;
        self.changed.notify_all();
        while !(state.lines.is_empty() && state.in_hand == 0) {
            let left = limit.saturating_sub(begun.elapsed());
            if left.is_zero() {
                break;
            }
            state = self.wait(state, left);
        }
        state.hurry = false;
        state.lines.is_empty() && state.in_hand == 0
    }

    /// Waits for `span`; less while a caller waits for the backlog to drain, and not at all once it is closed.
    pub(super) fn pause(&self, span: Duration) {
        let begun = Instant::now();
        let mut state = self.lock();
        loop {
            let span = if state.hurry { span.min(MAX_URGENT_WAIT) } else { span };
            let left = span.saturating_sub(begun.elapsed());
            if state.closed || left.is_zero() {
                return;
            }
            state = self.wait(state, left);
        }
    }

    /// Closes the backlog: its consumer ends after the remaining lines.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Returns true if it was closed and not opened again.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Opens the backlog again.
    pub(super) fn open(&self) {
        self.lock().closed = false;
    }
}

#[cfg(test)]
mod tests;
