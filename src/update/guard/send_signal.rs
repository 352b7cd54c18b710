//! Signals to processes of the worker's user, without the right to signal all processes.

use rustix::io::Errno;
use rustix::process::{Pid, Signal, Uid, getuid, kill_process};
use rustix::thread::set_thread_res_uid;

use crate::platform::os::User;

/// Exit code of a guard that cannot become its own user again.
const EXIT_NOT_OURSELVES: i32 = 4;

/// Sends a signal to a process of `user`, or of this process's own user if none is given. A root process without the
/// right to signal others does so as that user.
pub(super) fn send_signal(process: Pid, signal: Signal, user: Option<User>) -> Result<(), Errno> {
    match (kill_process(process, signal), user) {
        (Err(Errno::PERM), Some(user)) => as_user(user, || kill_process(process, signal)),
        (sent, _) => sent,
    }
}

/// Runs `act` with the effective user `user`. The real and the saved user stay ours, so that no other user may signal
/// or trace this process meanwhile. Only this thread changes, and the guard does all its work in it.
fn as_user(user: User, act: impl FnOnce() -> Result<(), Errno>) -> Result<(), Errno> {
    set_thread_res_uid(None, Uid::from_raw(user.id), None)?;
    let done = act();
    if set_thread_res_uid(None, getuid(), None).is_err() {
        // A guard that stays another user cannot continue.
        std::process::exit(EXIT_NOT_OURSELVES);
    }
    done
}
