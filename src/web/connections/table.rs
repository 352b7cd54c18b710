//! Open connections: bounds on their number, and the choice of the one that gives way to another.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::domain::session::network_of;

/// State without a whole request: idle, or a request is still arriving.
const WAITING: u8 = 0;
/// State while a request is being answered.
const ANSWERING: u8 = 1;
/// State after giving way to another connection.
const CUT: u8 = 2;
/// State in which the whole response is there and is being written.
const WRITING: u8 = 3;

/// An open connection.
pub(super) struct OpenConnection {
    state: AtomicU8,
    /// Set once the head of a request has arrived.
    used: AtomicBool,
    /// Token cancelled when the connection gives way.
    pub(super) cut: CancellationToken,
}

impl OpenConnection {
    pub(super) fn new() -> Self {
        Self { state: AtomicU8::new(WAITING), used: AtomicBool::new(false), cut: CancellationToken::new() }
    }

    /// Records that the head of a request has arrived.
    pub(super) fn head_arrived(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_been_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// Records that a whole request has arrived; from now on the connection does not give way. Returns false if it
    /// already has.
    pub(super) fn begins(&self) -> bool {
        let begins = |state| (state != CUT).then_some(ANSWERING);
        self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, begins).is_ok()
    }

    /// Records that the whole response is there, or was given up.
    pub(super) fn is_being_written(&self) {
        let _ = self.state.compare_exchange(ANSWERING, WRITING, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Records that everything has been written.
    pub(super) fn is_written(&self) {
        let _ = self.state.compare_exchange(WRITING, WAITING, Ordering::AcqRel, Ordering::Acquire);
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.state.load(Ordering::Acquire) == WAITING
    }

    /// Cuts the connection if it is in this state; returns true if it was cut.
    fn gives_way(&self, state: u8) -> bool {
        let given = self.state.compare_exchange(state, CUT, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if given {
            self.cut.cancel();
        }
        given
    }
}

/// All open connections. Clones refer to the same table.
#[derive(Clone, Default)]
pub(super) struct Table(Arc<Mutex<OpenConnections>>);

#[derive(Default)]
struct OpenConnections {
    /// Connections by number, which is the order in which they were accepted.
    all: HashMap<u64, (IpAddr, Arc<OpenConnection>)>,
    of_address: HashMap<IpAddr, BTreeSet<u64>>,
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, OpenConnections> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of open connections.
    pub(super) fn len(&self) -> usize {
        self.lock().all.len()
    }

    /// Adds a connection from `address`, with at most `of_address` for its network and `most` in all. If there are too
    /// many, the oldest connection of this network, or else of the one with the most, gives way, provided that no
    /// request is being answered on it. Returns `None` if none can.
    pub(super) fn admit(
        &self,
        number: u64,
        address: IpAddr,
        of_address: usize,
        most: usize,
    ) -> Option<Arc<OpenConnection>> {
        let network = network_of(address);
        let mut open = self.lock();
        if open.of_address.get(&network).is_some_and(|own| own.len() >= of_address)
            && !open.cut_of(network, WAITING)
            && !open.cut_of(network, WRITING)
        {
            return None;
        }
        if open.all.len() >= most && !open.cut_one() {
            return None;
        }
        let connection = Arc::new(OpenConnection::new());
        open.all.insert(number, (network, Arc::clone(&connection)));
        open.of_address.entry(network).or_default().insert(number);
        Some(connection)
    }

    /// Cuts one connection when the system has no room for another.
    pub(super) fn make_room(&self) {
        self.lock().cut_one();
    }

    /// Removes a connection that has ended.
    pub(super) fn remove(&self, number: u64) {
        self.lock().remove(number);
    }
}

impl OpenConnections {
    fn remove(&mut self, number: u64) {
        let Some((network, _)) = self.all.remove(&number) else { return };
        if let Some(own) = self.of_address.get_mut(&network) {
            own.remove(&number);
            if own.is_empty() {
                self.of_address.remove(&network);
            }
        }
    }

    /// Cuts the oldest connection of a network in this state; returns false if there is none.
    fn cut_of(&mut self, network: IpAddr, state: u8) -> bool {
        let own = self.of_address.get(&network).into_iter().flatten();
        let cut = own.copied().find(|number| self.all.get(number).is_some_and(|(_, one)| one.gives_way(state)));
        if let Some(number) = cut {
            self.remove(number);
        }
        cut.is_some()
    }

    /// Cuts a connection of the network that has the most, so that heavy users lose first.
    fn cut_one(&mut self) -> bool {
        let mut addresses: Vec<(usize, IpAddr)> =
            self.of_address.iter().map(|(network, own)| (own.len(), *network)).collect();
        addresses.sort_unstable_by_key(|(count, _)| Reverse(*count));
        let mut cut = |state| addresses.iter().any(|(_, network)| self.cut_of(*network, state));
        // A client that reads a response slowly is cut before another one is turned away.
        cut(WAITING) || cut(WRITING)
    }
}

#[cfg(test)]
mod tests;
