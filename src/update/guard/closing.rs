//! Closing what a worker has handed over: the system may wait for that as long as the worker likes (a socket that lingers,
//! a file system of its own), and a guard waits for nobody.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The most things that are being closed at once.
const MAX_CLOSING: usize = 16;

static CLOSING: AtomicUsize = AtomicUsize::new(0);

/// Closes something beside everything else. False where too much is being closed already: it stays open then, and whoever
/// hands over such things is to be ended.
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
        // There is no thread to be had: it is not for this one to wait.
        CLOSING.fetch_sub(1, Ordering::Relaxed);
        std::mem::forget(ours);
    }
    closing.is_ok()
}
