//! One at a time for each vendor: a run that deals with its shop, and HiPay's notices about it, read
//! and change the same things here, at HiPay and in Mirakl.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as AsyncMutex, Notify, OwnedMutexGuard};

/// The turns of all vendors.
#[derive(Debug, Default)]
pub(crate) struct VendorTurns(Mutex<HashMap<u64, Weak<AsyncMutex<()>>>>);

/// The right to deal with one vendor, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct VendorTurn {
    guard: Option<OwnedMutexGuard<()>>,
    inbox: Arc<Notify>,
}

impl VendorTurns {
    fn of(&self, mirakl_id: u64) -> Arc<AsyncMutex<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.get(&mirakl_id).and_then(Weak::upgrade) {
            return turn;
        }
        turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::default();
        turns.insert(mirakl_id, Arc::downgrade(&turn));
        turn
    }

    /// Waits for the turn.
    pub(crate) async fn take(&self, mirakl_id: u64, inbox: &Arc<Notify>) -> VendorTurn {
        let guard = self.of(mirakl_id).lock_owned().await;
        VendorTurn { guard: Some(guard), inbox: Arc::clone(inbox) }
    }

    /// The turn, unless somebody has it: the inbox is told when it is given back.
    pub(crate) fn try_take(&self, mirakl_id: u64, inbox: &Arc<Notify>) -> Option<VendorTurn> {
        let guard = self.of(mirakl_id).try_lock_owned().ok()?;
        Some(VendorTurn { guard: Some(guard), inbox: Arc::clone(inbox) })
    }
}

impl Drop for VendorTurn {
    fn drop(&mut self) {
        drop(self.guard.take());
        self.inbox.notify_one();
    }
}
