//! HiPay's behaviour in the living demo: it executes payments after a while, refuses some, and its back office
//! makes payments by hand. From time to time the connection fails.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::incidents::INCIDENT_SHOPS;
use super::later;
use crate::domain::money::{Amount, Currency};
use crate::sandbox::shops::is_in_trouble;
use crate::sandbox::{
    AccountState, Ending, Endpoint, Fault, FaultKind, HipayModel, Kind, Life, Reviews, Sandbox, Sending, Until,
};

/// Delay between documents or bank details and their review.
const REVIEWED_AFTER: SignedDuration = SignedDuration::from_hours(9);
/// Delay of the execution of a transfer: before the night's withdrawals.
const TRANSFERRED_AFTER: SignedDuration = SignedDuration::from_mins(40);
/// Earliest and latest delay of the execution of a withdrawal, in hours.
const WITHDRAWN_AFTER: (i64, i64) = (16, 38);
/// Interval between payments by hand of the back office.
const MANUAL_MOVE_INTERVAL: SignedDuration = SignedDuration::from_hours(6 * 24 + 5);
/// Interval between failures of the connection.
const LINE_FAULT_INTERVAL: SignedDuration = SignedDuration::from_hours(31);
/// Delay between the start of the demo and the disabling of a wallet.
const DISABLED_AFTER: SignedDuration = SignedDuration::from_hours(14 * 24);

/// HiPay and its planned actions.
pub(super) struct Bank {
    rng: fastrand::Rng,
    /// Time and kind of the end of each pending payment, by its reference.
    plans: HashMap<String, (Timestamp, Ending)>,
    transfers: u64,
    withdrawals: u64,
    by_hand: u64,
    by_hand_at: Timestamp,
    faults: usize,
    fault_at: Timestamp,
    disables_at: Option<Timestamp>,
}

impl Bank {
    /// Sets up HiPay from `begins` on; it sends all wallet notifications to `callback`.
    pub(super) fn open(sandbox: &Sandbox, seed: u64, callback: &str, begins: Timestamp) -> Self {
        sandbox.hipay(|hipay| {
            hipay.reviews = Reviews::After(REVIEWED_AFTER);
            hipay.life = Life::pending("AUTHORIZED", Until::ByHand, Ending::Captured);
            hipay.notify.sending = Sending::On;
            // These are the marketplace's own accounts; new wallets are created with their address.
            for account in hipay.accounts.values_mut() {
                account.callback_url = Some(callback.to_owned());
            }
        });
        Self {
            rng: fastrand::Rng::with_seed(seed),
            plans: HashMap::new(),
            transfers: 0,
            withdrawals: 0,
            by_hand: 0,
            by_hand_at: later(begins, SignedDuration::from_hours(77)),
            faults: 0,
            fault_at: later(begins, LINE_FAULT_INTERVAL),
            disables_at: Some(later(begins, DISABLED_AFTER)),
        }
    }

    /// Applies everything that is due at `now`.
    pub(super) fn up_to(&mut self, sandbox: &Sandbox, now: Timestamp) {
        sandbox.hipay(|hipay| {
            self.execute(hipay, now);
            if now >= self.by_hand_at {
                self.by_hand_at = later(now, MANUAL_MOVE_INTERVAL);
                self.move_by_hand(hipay);
            }
            if self.disables_at.is_some_and(|at| now >= at) {
                self.disables_at = None;
                if let Some(account) = account_to_disable(hipay).and_then(|id| hipay.account_mut(id)) {
                    account.state = AccountState::Disabled;
                }
            }
        });
        if now >= self.fault_at {
            self.fault_at = later(now, LINE_FAULT_INTERVAL);
            sandbox.strike(self.next_fault());
        }
    }

    fn execute(&mut self, hipay: &mut HipayModel, now: Timestamp) {
        // A payment under review stays pending.
        let pending = hipay.transactions.iter().filter(|one| one.life.is_some() && one.status != "UNDER_REVIEW");
        let pending = pending.filter_map(|one| Some((one.reference.clone()?, one.kind, one.created)));
        for (reference, kind, created) in pending.collect::<Vec<_>>() {
            let (at, ending) = *self.plans.entry(reference.clone()).or_insert_with(|| match kind {
                Kind::Transfer | Kind::Funding => {
                    self.transfers = self.transfers.saturating_add(1);
                    let ending = if self.transfers % 47 == 20 { Ending::RejectedEnd } else { Ending::Captured };
                    (later(created, TRANSFERRED_AFTER), ending)
                }
                Kind::Withdrawal => {
                    self.withdrawals = self.withdrawals.saturating_add(1);
                    let ending = match self.withdrawals % 53 {
                        9 => Ending::CancelledEnd,
                        21 => Ending::Aborted,
                        _ => Ending::Captured,
                    };
                    let (earliest, latest) = WITHDRAWN_AFTER;
                    (later(created, SignedDuration::from_mins(self.rng.i64(earliest * 60..latest * 60))), ending)
                }
            });
            if at <= now {
                self.plans.remove(&reference);
                hipay.settle_transaction(&reference, ending);
            }
        }
    }

    /// Makes a goodwill payment to a seller; cashout gets a notification that belongs to no operation.
    fn move_by_hand(&mut self, hipay: &mut HipayModel) {
        let sellers = hipay.accounts.values().filter(|account| account.external_id.is_some() && account.identified);
        let sellers: Vec<u64> = sellers.map(|account| account.id).collect();
        let Some(seller) = self.rng.choice(sellers) else { return };
        self.by_hand = self.by_hand.saturating_add(1);
        let amount = Amount::from_minor(self.rng.i64(5..40) * 100, Currency::EUR);
        hipay.transfer_by_hand(seller, amount, &format!("BACK-OFFICE-{}", self.by_hand));
    }

    /// Returns the next fault of the connection; a retry or a look-up resolves each of them.
    fn next_fault(&mut self) -> Fault {
        let nth = self.faults;
        self.faults = nth.saturating_add(1);
        match nth % 4 {
            0 => Fault::lost_answer(Endpoint::Transfer),
            1 => Fault::new(FaultKind::Unavailable(None)).at(Endpoint::Shops),
            2 => Fault::lost_answer(Endpoint::Withdrawal),
            _ => Fault::new(FaultKind::HtmlPage(502)).at(Endpoint::Balance),
        }
    }
}

/// Chooses the account that HiPay disables: that of a shop that is otherwise paid and has no part in an incident.
fn account_to_disable(hipay: &HipayModel) -> Option<u64> {
    let sellers = hipay.accounts.values().filter(|account| account.identified);
    // Accounts are numbered by creation, and that order varies between runs.
    let mut shops: Vec<(u64, u64)> =
        sellers.filter_map(|account| Some((account.external_id.as_ref()?.parse().ok()?, account.id))).collect();
    shops.sort_unstable();
    let first = *shops.first()?;
    let well = shops
        .iter()
        .filter(|(shop, _)| usize::try_from(shop.saturating_sub(first.0)).is_ok_and(|index| !is_in_trouble(index)));
    well.map(|(_, id)| *id).nth(INCIDENT_SHOPS)
}
