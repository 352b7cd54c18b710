//! The marketplace's customers in the living demo: they pay, and HiPay Enterprise sends notifications of it.
//! From time to time a forger pretends to be HiPay.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use futures_util::stream;
use jiff::{SignedDuration, Timestamp};

use super::later;
use crate::sandbox::enterprise::{Customers, Enterprise, EnterpriseNotice};

/// Maximum time between customers, in minutes; on average one comes about every two hours.
const CUSTOMERS_APART: i64 = 240;
/// Interval between HiPay's settlements of the payments.
const SETTLEMENT_INTERVAL: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Interval between forged notifications.
const FORGED_NOTICE_INTERVAL: SignedDuration = SignedDuration::from_hours(3 * 24);
/// Maximum number of concurrent notifications.
const MAX_CONCURRENT: usize = 8;

/// The customers, and the pending notifications of their payments.
pub(super) struct Till {
    rng: fastrand::Rng,
    customers: Customers,
    hipay: Enterprise,
    forger: Enterprise,
    /// Notifications by the time of sending; the number distinguishes those of the same time.
    to_tell: BTreeMap<(Timestamp, u64), EnterpriseNotice>,
    told: u64,
    next_at: Timestamp,
    settles_at: Timestamp,
    forges_at: Timestamp,
}

impl Till {
    /// Opens the till at `begins`; all notifications go to `address`.
    pub(super) fn open(seed: u64, address: &str, passphrase: &str, begins: Timestamp) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(seed),
            customers: Customers::new(seed, begins),
            hipay: Enterprise::new(address, passphrase),
            forger: Enterprise::new(address, "guessed"),
            to_tell: BTreeMap::new(),
            told: 0,
            next_at: begins,
            settles_at: later(begins, SETTLEMENT_INTERVAL),
            forges_at: later(begins, FORGED_NOTICE_INTERVAL),
        }
    }

    /// Makes the payments of all customers up to `now`, and sends the notifications that are due.
    pub(super) async fn up_to(&mut self, now: Timestamp) {
        while self.next_at <= now {
            self.customers.next_comes_at(self.next_at);
            for notice in self.customers.pay() {
                // A later stage may follow days after the start of the payment.
                let at = notice.field("date_updated").parse().unwrap_or(self.next_at);
                self.tell_at(at, notice);
            }
            self.next_at = later(self.next_at, SignedDuration::from_mins(self.rng.i64(1..CUSTOMERS_APART)));
        }
        if now >= self.settles_at {
            self.settles_at = later(self.settles_at, SETTLEMENT_INTERVAL);
            let settlement = self.customers.settle();
            self.tell_at(now, settlement);
        }
        let later_ones = self.to_tell.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut self.to_tell, later_ones);
        let hipay = &self.hipay;
        stream::iter(due.values())
            .for_each_concurrent(MAX_CONCURRENT, |notice| async move {
                // A refused notification is lost, which does not matter here.
                let _ = hipay.send(notice).await;
            })
            .await;
        if now >= self.forges_at
            && let Some(notice) = due.values().next()
        {
            self.forges_at = later(now, FORGED_NOTICE_INTERVAL);
            let _ = self.forger.send(notice).await;
        }
    }

    fn tell_at(&mut self, at: Timestamp, notice: EnterpriseNotice) {
        self.told = self.told.saturating_add(1);
        self.to_tell.insert((at, self.told), notice);
    }
}
