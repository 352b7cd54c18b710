//! Locks per vendor: a run that processes its shop and HiPay's notices about it read and change the
//! same data here, at HiPay and in Mirakl.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as AsyncMutex, Notify, OwnedMutexGuard};

/// The locks of all vendors.
#[derive(Debug, Default)]
pub(crate) struct VendorTurns(Mutex<HashMap<u64, Weak<AsyncMutex<()>>>>);

/// The lock of one vendor, released on drop.
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

    /// Waits for the lock.
    pub(crate) async fn take(&self, mirakl_id: u64, inbox: &Arc<Notify>) -> VendorTurn {
        let guard = self.of(mirakl_id).lock_owned().await;
        VendorTurn { guard: Some(guard), inbox: Arc::clone(inbox) }
    }

    /// Takes the lock unless it is held: the inbox is notified when the lock is released.
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
