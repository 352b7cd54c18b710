//! The marketplace's customers while the demo lives: they pay, and HiPay Enterprise tells of it. Now
//! and then somebody else pretends to be HiPay.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use futures_util::stream;
use jiff::{SignedDuration, Timestamp};

use crate::sandbox::enterprise::{Customers, Enterprise, EnterpriseNotice};

/// How far apart customers come at the most, in minutes: one in two hours, about.
const CUSTOMERS_APART: i64 = 240;
/// How often HiPay sums up what they have paid.
const SETTLED_EVERY: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How often somebody pretends to be HiPay.
const FORGED_EVERY: SignedDuration = SignedDuration::from_hours(3 * 24);
/// How many notifications are on their way at once.
const AT_ONCE: usize = 8;

/// The customers, and what is still to be told of their payments.
pub(super) struct Till {
    rng: fastrand::Rng,
    customers: Customers,
    hipay: Enterprise,
    forger: Enterprise,
    /// Notifications by when they are sent; the number tells two of one second apart.
    to_tell: BTreeMap<(Timestamp, u64), EnterpriseNotice>,
    told: u64,
    next_at: Timestamp,
    settles_at: Timestamp,
    forges_at: Timestamp,
}

impl Till {
    /// Opens at `begins`; everything is told to `address`.
    pub(super) fn open(seed: u64, address: &str, passphrase: &str, begins: Timestamp) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(seed),
            customers: Customers::new(seed, begins),
            hipay: Enterprise::new(address, passphrase),
            forger: Enterprise::new(address, "guessed"),
            to_tell: BTreeMap::new(),
            told: 0,
            next_at: begins,
            settles_at: later(begins, SETTLED_EVERY),
            forges_at: later(begins, FORGED_EVERY),
        }
    }

    /// Lets come who comes up to `now`, and tells what is to be told.
    pub(super) async fn up_to(&mut self, now: Timestamp) {
        while self.next_at <= now {
            self.customers.next_comes_at(self.next_at);
            for notice in self.customers.pay() {
                // A later stage may come days after the payment began.
                let at = notice.field("date_updated").parse().unwrap_or(self.next_at);
                self.tell_at(at, notice);
            }
            self.next_at = later(self.next_at, SignedDuration::from_mins(self.rng.i64(1..CUSTOMERS_APART)));
        }
        if now >= self.settles_at {
            self.settles_at = later(self.settles_at, SETTLED_EVERY);
            let settlement = self.customers.settle();
            self.tell_at(now, settlement);
        }
        let later_ones = self.to_tell.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut self.to_tell, later_ones);
        let hipay = &self.hipay;
        stream::iter(due.values())
            .for_each_concurrent(AT_ONCE, |notice| async move {
                // What is not taken is lost, as little as it matters here.
                let _ = hipay.send(notice).await;
            })
            .await;
        if now >= self.forges_at
            && let Some(notice) = due.values().next()
        {
            self.forges_at = later(now, FORGED_EVERY);
            let _ = self.forger.send(notice).await;
        }
    }

    fn tell_at(&mut self, at: Timestamp, notice: EnterpriseNotice) {
        self.told = self.told.saturating_add(1);
        self.to_tell.insert((at, self.told), notice);
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
