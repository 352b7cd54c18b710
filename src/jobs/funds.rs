//! What an account can still pay while several payments are in flight: each reserves its amount
//! from the balance last read.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::hipay::{ActingOn, HiPay};
use crate::money::Amount;
use crate::operation::PaymentKind;
use crate::remote::CallError;

/// How often, at most, a balance that ran short is read again.
const REREAD_AFTER: Duration = Duration::from_secs(5);

/// The money of one paying account during one run.
pub(super) struct Funds<'a> {
    hipay: &'a HiPay,
    on: ActingOn<'a>,
    kind: PaymentKind,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What was read, less everything reserved since.
    free: Option<Amount>,
    /// The balance as last read.
    balance: Option<Amount>,
    /// Reserved and not yet known to have left or stayed.
    in_flight: Vec<Amount>,
    read_at: Option<Instant>,
}

/// What came of asking for an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reserved {
    /// It is reserved.
    Yes {
        /// The balance last read.
        balance: Amount,
    },
    /// It is not there.
    Short {
        /// The balance last read.
        balance: Amount,
        /// What of it is not promised to other payments.
        free: Amount,
    },
}

impl<'a> Funds<'a> {
    /// The funds of `on` for payments of `kind`.
    pub(super) fn new(hipay: &'a HiPay, on: ActingOn<'a>, kind: PaymentKind) -> Self {
        Self { hipay, on, kind, state: Mutex::default() }
    }

    /// Reserves `amount`, reading the balance where it is not known or runs short.
    pub(super) async fn reserve(&self, amount: Amount) -> Result<Reserved, CallError> {
        let mut state = self.state.lock().await;
        let known = state.free.filter(|free| free.covers(amount));
        let free = match (known, state.free) {
            (Some(free), _) => free,
            (None, Some(free)) if state.read_at.is_some_and(|at| at.elapsed() < REREAD_AFTER) => free,
            (None, _) => self.read(&mut state).await?,
        };
        let balance = state.balance.unwrap_or(free);
        if !free.covers(amount) {
            return Ok(Reserved::Short { balance, free });
        }
        state.free = free.checked_sub(amount).ok();
        state.in_flight.push(amount);
        Ok(Reserved::Yes { balance })
    }

    /// How much of `amount` can be taken: what is free where that is less. All of it or nothing
    /// while another payment's outcome is open: the balance shows that one or does not, and the
    /// rest of a part that is taken now is never taken later.
    pub(super) async fn part_of(&self, amount: Amount) -> Result<Amount, CallError> {
        let mut state = self.state.lock().await;
        let free = match state.free {
            Some(free) => free,
            None => self.read(&mut state).await?,
        };
        let part = amount.checked_min(free).ok().filter(|part| part.is_positive());
        Ok(part.filter(|_| state.in_flight.is_empty()).unwrap_or(amount))
    }

    /// Reserves an amount that may have left already: it is not for us to refuse.
    pub(super) async fn reserve_anyway(&self, amount: Amount) {
        let mut state = self.state.lock().await;
        state.free = state.free.and_then(|free| free.checked_sub(amount).ok());
        state.in_flight.push(amount);
    }

    /// The payment was accepted: HiPay's balance shows it from now on.
    pub(super) async fn left(&self, amount: Amount) {
        forget(&mut self.state.lock().await.in_flight, amount);
    }

    /// The payment was not sent after all: its amount is free again.
    pub(super) async fn back(&self, amount: Amount) {
        let mut state = self.state.lock().await;
        forget(&mut state.in_flight, amount);
        state.free = state.free.and_then(|free| free.checked_add(amount).ok());
    }

    /// The payment was refused for certain: its amount is free again. True where the balance, read
    /// anew, does not cover it, so that this is the reason.
    pub(super) async fn refused(&self, amount: Amount) -> bool {
        let mut state = self.state.lock().await;
        forget(&mut state.in_flight, amount);
        match self.read(&mut state).await {
            Ok(free) => !free.covers(amount),
            Err(_) => false,
        }
    }

    /// Reads the balance. What was in flight meanwhile may or may not have left: it is counted as
    /// not yet taken off, so that nothing is promised twice.
    async fn read(&self, state: &mut State) -> Result<Amount, CallError> {
        let wallet = self.hipay.balance(self.on).await?;
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

fn forget(in_flight: &mut Vec<Amount>, amount: Amount) {
    if let Some(position) = in_flight.iter().position(|other| *other == amount) {
        in_flight.swap_remove(position);
    }
}
