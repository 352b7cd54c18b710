//! Mirakl's behaviour in the living demo: cycles are settled, customers' money arrives at HiPay, sometimes too
//! late, new shops join, and those in trouble are fixed after a while.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Span, Timestamp};

use super::later;
use crate::domain::cycle::Calendar;
use crate::domain::money::{Amount, MoneyError};
use crate::sandbox::Sandbox;
use crate::sandbox::shops::{Market, is_in_trouble, mend, open, sell};

/// Delay between the cut of a cycle and its vouchers: in time for the next night's batches.
const SETTLED_AFTER: SignedDuration = SignedDuration::from_hours(3);
/// Delay of the customers' money: before that night's transfers.
const FUNDED_AFTER: SignedDuration = SignedDuration::from_hours(22);
/// Delay of the rest of it in a cycle that is short of money: after two nights of transfers.
const REST_AFTER: SignedDuration = SignedDuration::from_hours(63);
/// Delay after which a new shop joins.
const JOINED_AFTER: SignedDuration = SignedDuration::from_hours(82);
/// Delay after which the first of the shops in trouble is fixed: a day after the dashboard is shown. Another
/// one follows every few days.
const MENDED_AFTER: SignedDuration = SignedDuration::from_hours(25 * 24);
const NEXT_MENDED_AFTER: i32 = 3;
/// Number of shops that take turns in being fixed.
const MENDED_IN_TURN: usize = 40;
/// Percentage that arrives in time, in a cycle that is short of money.
const SHORT_PERCENT: i64 = 70;

enum Happening {
    /// Settlement of a cycle.
    Settlement(Date),
    /// Arrival of customers' money.
    Money(Amount),
    /// Opening of a new shop.
    Shop,
    /// Fix of the trouble of the shop of this number.
    Mended(usize),
}

/// The marketplace and its future events.
pub(super) struct Marketplace {
    market: Market,
    calendar: Calendar,
    agenda: BTreeMap<Timestamp, Happening>,
    cycles: usize,
    shops: usize,
}

impl Marketplace {
    /// Opens the market's shops at `begins`. `first` is the first cycle to settle.
    pub(super) fn open(sandbox: &Sandbox, market: Market, calendar: Calendar, begins: Timestamp, first: Date) -> Self {
        let shops = market.count;
        open(sandbox, &market, 0..shops, begins);
        let mut marketplace = Self { market, calendar, agenda: BTreeMap::new(), cycles: 0, shops };
        marketplace.expect(first, SETTLED_AFTER, Happening::Settlement(first));
        for shop in 0..shops {
            marketplace.expect_mending(shop, begins);
        }
        marketplace
    }

    /// Applies everything that is due at `now`.
    pub(super) fn up_to(&mut self, sandbox: &Sandbox, now: Timestamp) -> Result<(), MoneyError> {
        while let Some(next) = self.agenda.first_entry().filter(|next| *next.key() <= now) {
            match next.remove() {
                Happening::Settlement(cycle) => self.settle(sandbox, cycle)?,
                Happening::Money(amount) => {
                    let technical = sandbox.credentials().technical_id;
                    sandbox.hipay(|hipay| hipay.fund(technical, amount))?;
                }
                Happening::Shop => {
                    open(sandbox, &self.market, self.shops..self.shops.saturating_add(1), now);
                    self.expect_mending(self.shops, now);
                    self.shops = self.shops.saturating_add(1);
                }
                Happening::Mended(shop) => mend(sandbox, &self.market, shop, now),
            }
        }
        Ok(())
    }

    fn settle(&mut self, sandbox: &Sandbox, cycle: Date) -> Result<(), MoneyError> {
        let owed = sell(sandbox, &self.market, self.cycles, cycle)?;
        // Every other cycle is short, including the first that is seen.
        let is_short = self.cycles.is_multiple_of(2);
        let percent = if is_short { SHORT_PERCENT } else { 100 };
        let in_time = Amount::from_minor(owed.minor().saturating_mul(percent).div_euclid(100), owed.currency());
        self.expect(cycle, FUNDED_AFTER, Happening::Money(in_time));
        if is_short {
            self.expect(cycle, REST_AFTER, Happening::Money(owed.checked_sub(in_time)?));
        }
        self.expect(cycle, JOINED_AFTER, Happening::Shop);
        self.cycles = self.cycles.saturating_add(1);
        let after = cycle.saturating_add(Span::new().days(1));
        let until = cycle.saturating_add(Span::new().days(40));
        if let Some(next) = self.calendar.days_between(after, until).first() {
            self.expect(*next, SETTLED_AFTER, Happening::Settlement(*next));
        }
        Ok(())
    }

    /// Schedules the fix of a shop that joined at `joined`, in its turn, if it is in trouble.
    fn expect_mending(&mut self, shop: usize, joined: Timestamp) {
        if is_in_trouble(shop) {
            let turn = i32::try_from(shop.checked_rem(MENDED_IN_TURN).unwrap_or(0) / 4).unwrap_or(0);
            let wait = SignedDuration::from_hours(24).saturating_mul(NEXT_MENDED_AFTER.saturating_mul(turn));
            let after = MENDED_AFTER.checked_add(wait).unwrap_or(MENDED_AFTER);
            self.expect_at(later(joined, after), Happening::Mended(shop));
        }
    }

    /// Schedules `happening` at this time after the cut of `cycle`.
    fn expect(&mut self, cycle: Date, after: SignedDuration, happening: Happening) {
        let Ok(cycle) = self.calendar.cycle(cycle) else { return };
        self.expect_at(later(cycle.at, after), happening);
    }

    fn expect_at(&mut self, mut at: Timestamp, happening: Happening) {
        // Simultaneous events are ordered one after the other.
        while self.agenda.contains_key(&at) {
            at = at.checked_add(SignedDuration::from_nanos(1)).unwrap_or(at);
        }
        self.agenda.insert(at, happening);
    }
}
