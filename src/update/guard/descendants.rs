//! Processes that a worker has started and that outlive it. They hold the listening socket and the store, and would
//! answer instead of the next worker. So a guard inherits them, and ends them before it starts another worker.

use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, getpid, set_child_subreaper, waitpid};

use super::Guard;
use super::send_signal::send_signal;

/// Upper bound on the checks for remaining processes, and the interval between two.
const MAX_CHECKS: u32 = 200;
const CHECK_INTERVAL: Duration = Duration::from_millis(10);

/// Makes this process inherit the processes that a worker leaves.
pub(super) fn inherit_orphans() {
    // If the system does not support it, its first process inherits them, as before.
    let _ = set_child_subreaper(Some(getpid()));
}

/// Returns the children of this process.
pub(super) fn children() -> Vec<Pid> {
    let process = getpid().as_raw_nonzero();
    let text = std::fs::read_to_string(format!("/proc/self/task/{process}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|number| Pid::from_raw(number.parse().ok()?)).collect()
}

impl Guard {
    /// Ends all processes that a worker has left. Must be called while no worker runs.
    pub(super) fn end_descendants(&self) {
        for _ in 0..MAX_CHECKS {
            let mut left = children();
            left.retain(|process| !self.children_before.contains(process));
            if left.is_empty() {
                return;
            }
            for process in left {
                let _ = send_signal(process, Signal::KILL, self.plan.user);
                let _ = waitpid(Some(process), WaitOptions::NOHANG);
            }
            std::thread::park_timeout(CHECK_INTERVAL);
        }
        (self.plan.say)("a process that a worker started does not end; stop the service and start it again");
    }
}
