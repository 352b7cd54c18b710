//! A gate for changes outside this process: payments, writes to Mirakl, mails. It is closed while a release is on
//! trial, and while it makes way for another one; requests wait in the store meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// The gate, open at first. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Gate(Arc<GateInner>);

#[derive(Debug)]
struct GateInner {
    open: watch::Sender<bool>,
    /// True once this process is about to make way for another one.
    leaving: AtomicBool,
}

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(GateInner { open: watch::Sender::new(true), leaving: AtomicBool::new(false) }))
    }
}

impl Gate {
    /// Returns true if changes may begin.
    pub fn is_open(&self) -> bool {
        *self.0.open.borrow()
    }

    /// Lets changes begin from now on.
    pub fn open(&self) {
        self.0.leaving.store(false, Ordering::Relaxed);
        self.0.open.send_replace(true);
    }

    /// Lets no change begin from now on.
    pub fn close(&self) {
        self.0.open.send_replace(false);
    }

    /// Closes the gate and marks this process as leaving: connected clients are asked to reconnect, because another
    /// process answers soon.
    pub fn leave(&self) {
        self.close();
        self.0.leaving.store(true, Ordering::Relaxed);
    }

    /// Returns true if another process answers soon.
    pub fn is_leaving(&self) -> bool {
        self.0.leaving.load(Ordering::Relaxed)
    }

    /// Waits until changes may begin.
    pub async fn opened(&self) {
        // The sender is ours: it exists while this waits.
        let _ = self.0.open.subscribe().wait_for(|open| *open).await;
    }
}
