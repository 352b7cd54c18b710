//! Whether anything may be changed outside: payments, writes to Mirakl, mails. Closed while a release is
//! on trial, and while it makes way for another; what is asked for meanwhile waits in the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// The gate, open at first. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    open: watch::Sender<bool>,
    /// This process is about to make way for another one.
    leaving: AtomicBool,
}

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Inner { open: watch::Sender::new(true), leaving: AtomicBool::new(false) }))
    }
}

impl Gate {
    /// Whether something may begin.
    pub fn is_open(&self) -> bool {
        *self.0.open.borrow()
    }

    /// Something may begin from now on.
    pub fn open(&self) {
        self.0.leaving.store(false, Ordering::Relaxed);
        self.0.open.send_replace(true);
    }

    /// Nothing may begin from now on.
    pub fn close(&self) {
        self.0.open.send_replace(false);
    }

    /// Nothing may begin, and whoever is connected is asked to connect anew: another process answers
    /// soon.
    pub fn leave(&self) {
        self.close();
        self.0.leaving.store(true, Ordering::Relaxed);
    }

    /// Whether another process answers soon.
    pub fn is_leaving(&self) -> bool {
        self.0.leaving.load(Ordering::Relaxed)
    }

    /// Waits until something may begin.
    pub async fn opened(&self) {
        // The sender is ours: it does not end while somebody waits.
        let _ = self.0.open.subscribe().wait_for(|open| *open).await;
    }
}
