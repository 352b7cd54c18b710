//! Closing of files that a worker has handed over. A close can block for as long as the worker likes (a lingering
//! socket, a file system of the worker), and a guard must not wait.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Upper bound on concurrent closings.
const MAX_CLOSING: usize = 16;

static CLOSING: AtomicUsize = AtomicUsize::new(0);

/// Closes `thing` in a separate thread. Returns false if too many closings are under way or if no thread can be
/// started: `thing` then stays open, and the worker that handed it over has to be killed.
pub(super) fn close_apart(thing: impl Send + 'static) -> bool {
    if CLOSING.fetch_add(1, Ordering::Relaxed) >= MAX_CLOSING {
        CLOSING.fetch_sub(1, Ordering::Relaxed);
        std::mem::forget(thing);
        return false;
    }
    let ours = Arc::new(Mutex::new(Some(thing)));
    let theirs = Arc::clone(&ours);
    let closing = std::thread::Builder::new().spawn(move || {
        drop(theirs.lock().unwrap_or_else(PoisonError::into_inner).take());
        CLOSING.fetch_sub(1, Ordering::Relaxed);
    });
    if closing.is_err() {
        // No thread can be started, and this one must not wait.
        CLOSING.fetch_sub(1, Ordering::Relaxed);
        std::mem::forget(ours);
    }
    closing.is_ok()
}
