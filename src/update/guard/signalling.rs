//! Signals to processes of the worker's user, without the right to signal everybody's.

use rustix::io::Errno;
use rustix::process::{Pid, Signal, Uid, getuid, kill_process};
use rustix::thread::set_thread_res_uid;

use crate::platform::os::User;

/// The exit code of a guard that cannot become itself again.
const NOT_OURSELVES: i32 = 4;

/// Sends a signal to a process of `user`, who is this process's own where there is none. Root that lacks the right to
/// signal others does so as that user.
pub(super) fn send_signal(process: Pid, signal: Signal, user: Option<User>) -> Result<(), Errno> {
    match (kill_process(process, signal), user) {
        (Err(Errno::PERM), Some(user)) => as_user(user, || kill_process(process, signal)),
        (sent, _) => sent,
    }
}

/// Does something as `user`, as far as the system asks who does it. The real and the saved user stay ours: nobody else
/// may signal or trace us meanwhile. Only this thread changes, and a guard has no other.
fn as_user(user: User, act: impl FnOnce() -> Result<(), Errno>) -> Result<(), Errno> {
    set_thread_res_uid(None, Uid::from_raw(user.id), None)?;
    let done = act();
    if set_thread_res_uid(None, getuid(), None).is_err() {
        // As nobody in particular there is nothing that a guard could go on with.
        std::process::exit(NOT_OURSELVES);
    }
    done
}
