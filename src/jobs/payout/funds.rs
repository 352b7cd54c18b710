//! Funds of an account while several payments are in flight: each reserves its amount from the
//! balance last read, in the order of what is due if there is one.

use std::collections::{BTreeSet, HashMap};
use std::sync::{self, Arc, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use crate::domain::money::Amount;
use crate::domain::operation::PaymentKind;
use crate::jobs::Context;
use crate::platform::clock::Clock;
use crate::remote::CallError;
use crate::remote::hipay::{ActingOn, HiPay};

/// Minimum interval between two readings of a balance that ran short.
const REREAD_INTERVAL: Duration = Duration::from_secs(5);

/// The money of one paying account during one run.
pub(crate) struct AccountFunds<'a> {
    hipay: &'a HiPay,
    on: ActingOn<'a>,
    kind: PaymentKind,
    escrow: Option<(EscrowBalance, Clock)>,
    order: ReservationOrder,
    state: Mutex<FundsState>,
}

/// Order in which the operations of a run reserve their amounts.
#[derive(Default)]
struct ReservationOrder {
    /// The place of each operation.
    places: HashMap<u64, usize>,
    /// The places whose turn is not over.
    waiting: watch::Sender<BTreeSet<usize>>,
    /// Number of the first places that later operations must not overtake.
    strict: usize,
}

#[derive(Default)]
struct FundsState {
    /// The balance read, less everything reserved since.
    free: Option<Amount>,
    /// The balance as last read.
    balance: Option<Amount>,
    /// Amounts that are reserved and not yet known to have left or stayed.
    in_flight: Vec<Amount>,
    read_at: Option<Instant>,
    /// Amount of a payment that later operations must not overtake.
    kept_for: Option<Amount>,
}

/// Outcome of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reserved {
    /// A successful reservation.
    Yes {
        /// The balance last read.
        balance: Amount,
    },
    /// A shortage of free money.
    Short {
        /// The balance last read.
        balance: Amount,
        /// Part of the balance that is not promised to other payments.
        free: Amount,
    },
    /// Money that is kept for a payment that has waited for long and needs more than there is.
    Kept {
        /// The balance last read.
        balance: Amount,
        /// Amount that this payment needs.
        needed: Amount,
    },
    /// An account in another currency.
    OtherCurrency {
        /// The balance last read.
        balance: Amount,
    },
}

/// The balance of the marketplace's account as last reported by HiPay. Clones share the same state.
#[derive(Debug, Clone, Default)]
pub struct EscrowBalance(Arc<sync::Mutex<Escrow>>);

#[derive(Debug, Default)]
struct Escrow {
    last: Option<(Amount, Timestamp)>,
    asked_at: Option<Timestamp>,
}

impl EscrowBalance {
    /// Returns the balance and the time of the report (UTC); `None` before the first one.
    pub fn last_reported(&self) -> Option<(Amount, Timestamp)> {
        self.lock().last
    }

    /// Records the `balance` that HiPay reported at `at`.
    pub fn record_balance(&self, balance: Amount, at: Timestamp) {
        self.lock().last = Some((balance, at));
    }

    /// Returns true if the balance has to be requested now: it is older than `age`, and was not requested meanwhile.
    pub fn needs_reading(&self, now: Timestamp, age: SignedDuration) -> bool {
        let mut escrow = self.lock();
        let latest = escrow.last.map(|(_, at)| at).max(escrow.asked_at);
        let is_old = latest.is_none_or(|at| now.duration_since(at).abs() >= age);
        if is_old {
            escrow.asked_at = Some(now);
        }
        is_old
    }

    fn lock(&self) -> sync::MutexGuard<'_, Escrow> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> AccountFunds<'a> {
    /// Creates the funds of `on` for payments of `kind`.
    pub(crate) fn new(hipay: &'a HiPay, on: ActingOn<'a>, kind: PaymentKind) -> Self {
        Self { hipay, on, kind, escrow: None, order: ReservationOrder::default(), state: Mutex::default() }
    }

    /// Publishes the balances that are read as those of the marketplace's account.
    pub(crate) fn of_escrow(mut self, context: &Context) -> Self {
        self.escrow = Some((context.escrow.clone(), context.clock.clone()));
        self
    }

    /// Makes the operations `ids` reserve in this order. Nothing is paid before one of the first
    /// `strict` that needs more than there is. [`AccountFunds::end_turn`] must be called for each of them.
    pub(crate) fn in_order(mut self, ids: &[u64], strict: usize) -> Self {
        let places: HashMap<u64, usize> = ids.iter().copied().zip(0..).collect();
        let waiting = watch::Sender::new(places.values().copied().collect());
        self.order = ReservationOrder { places, waiting, strict };
        self
    }

    /// Waits until everything before operation `id` has reserved its amount or does not need to.
    async fn wait_for_turn(&self, id: u64) {
        if let Some(place) = self.order.places.get(&id) {
            let first = |waiting: &BTreeSet<usize>| waiting.first().is_none_or(|first| first >= place);
            // We own the sender, so that it is not closed.
            let _ = self.order.waiting.subscribe().wait_for(first).await;
        }
    }

    /// Ends the turn of operation `id`: it has reserved its amount, or does not need to.
    pub(crate) fn end_turn(&self, id: u64) {
        if let Some(place) = self.order.places.get(&id) {
            self.order.waiting.send_if_modified(|waiting| waiting.remove(place));
        }
    }

    fn is_strict(&self, id: u64) -> bool {
        self.order.places.get(&id).is_some_and(|place| *place < self.order.strict)
    }

    /// Reserves `amount` for operation `id` once it is its turn, and reads the balance if it is unknown or runs short.
    pub(crate) async fn reserve(&self, id: u64, amount: Amount) -> Result<Reserved, CallError> {
        self.wait_for_turn(id).await;
        let reserved = self.reserve_now(id, amount).await;
        self.end_turn(id);
        reserved
    }

    async fn reserve_now(&self, id: u64, amount: Amount) -> Result<Reserved, CallError> {
        let mut state = self.state.lock().await;
        let known = state.free.filter(|free| free.covers(amount));
        let free = match (known, state.free) {
            (Some(free), _) => free,
            (None, Some(free)) if state.read_at.is_some_and(|at| at.elapsed() < REREAD_INTERVAL) => free,
            (None, _) => match self.read(&mut state).await {
                Ok(free) => free,
                Err(error) => {
                    // It is unknown whether there is enough for it: nothing after it is paid before it.
                    state.kept_for = Some(amount).filter(|_| self.is_strict(id)).or(state.kept_for);
                    return Err(error);
                }
            },
        };
        let balance = state.balance.unwrap_or(free);
        if balance.currency() != amount.currency() {
            return Ok(Reserved::OtherCurrency { balance });
        }
        if let Some(needed) = state.kept_for {
            return Ok(Reserved::Kept { balance, needed });
        }
        if !free.covers(amount) {
            state.kept_for = Some(amount).filter(|_| self.is_strict(id));
            return Ok(Reserved::Short { balance, free });
        }
        state.free = free.checked_sub(amount).ok();
        state.in_flight.push(amount);
        Ok(Reserved::Yes { balance })
    }

    /// Returns the part of `amount` that can be taken: what is free, if that is less. It is all of
    /// `amount` while another payment's outcome is open: the balance may or may not include that
    /// one, and the rest of a part taken now is never taken later.
    pub(crate) async fn available_part(&self, amount: Amount) -> Result<Amount, CallError> {
        let mut state = self.state.lock().await;
        let free = match state.free {
            Some(free) => free,
            None => self.read(&mut state).await?,
        };
        let part = amount.checked_min(free).ok().filter(|part| part.is_positive());
        Ok(part.filter(|_| state.in_flight.is_empty()).unwrap_or(amount))
    }

    /// Reserves an amount that may have left already, even if the funds do not cover it.
    pub(crate) async fn reserve_anyway(&self, amount: Amount) {
        let mut state = self.state.lock().await;
        state.free = state.free.and_then(|free| free.checked_sub(amount).ok());
        state.in_flight.push(amount);
    }

    /// Records that the payment was accepted: HiPay's balance includes it from now on.
    pub(crate) async fn commit(&self, amount: Amount) {
        remove_one(&mut self.state.lock().await.in_flight, amount);
    }

    /// Records that the payment was not sent after all: its amount is free again.
    pub(crate) async fn release(&self, amount: Amount) {
        let mut state = self.state.lock().await;
        remove_one(&mut state.in_flight, amount);
        state.free = state.free.and_then(|free| free.checked_add(amount).ok());
    }

    /// Records that the payment was definitely refused: its amount is free again. Returns true if
    /// the balance, read again, does not cover it, so that this is the reason.
    pub(crate) async fn release_refused(&self, amount: Amount) -> bool {
        let mut state = self.state.lock().await;
        remove_one(&mut state.in_flight, amount);
        self.read(&mut state).await.is_ok_and(|free| !free.covers(amount))
    }

    /// Reads the balance. Amounts in flight meanwhile may or may not have left: they count as not
    /// yet subtracted, so that nothing is promised twice.
    async fn read(&self, state: &mut FundsState) -> Result<Amount, CallError> {
        let wallet = self.hipay.balance(self.on).await?;
        if let Some((escrow, clock)) = &self.escrow {
            escrow.record_balance(wallet.balance, clock.now());
        }
        let balance = match self.kind {
            PaymentKind::Transfer => wallet.balance,
            PaymentKind::Withdrawal => wallet.withdrawable,
        };
        let free = state.in_flight.iter().fold(balance, |free, amount| free.checked_sub(*amount).unwrap_or(free));
        state.free = Some(free);
        state.balance = Some(wallet.balance);
        state.read_at = Some(Instant::now());
        Ok(free)
    }
}

fn remove_one(in_flight: &mut Vec<Amount>, amount: Amount) {
    if let Some(position) = in_flight.iter().position(|other| *other == amount) {
        in_flight.swap_remove(position);
    }
}
