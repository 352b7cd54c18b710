//! Whether anything may be changed outside: payments, writes to Mirakl, mails. Closed while a release is
//! on trial, and while it makes way for another; what is asked for meanwhile waits in the store.

use std::sync::Arc;

use tokio::sync::watch;

/// The gate, open at first. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(true)))
    }
}

impl Gate {
    /// Whether something may begin.
    pub fn is_open(&self) -> bool {
        *self.0.borrow()
    }

    /// Something may begin from now on.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    /// Nothing may begin from now on.
    pub fn close(&self) {
        self.0.send_replace(false);
    }

    /// Waits until something may begin.
    pub async fn opened(&self) {
        // The sender is ours: it does not end while somebody waits.
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }

    /// Waits until it is closed.
    pub async fn closed(&self) {
        let _ = self.0.subscribe().wait_for(|open| !*open).await;
    }
}
