//! The account of a cycle: its vouchers by the stage that their money has reached, for vendors and commissions, and what
//! is not paid by reason. Every sum comes from the counts that the store maintains.
//!
//! What the vouchers state equals the sum of all stages and of the debts deducted from the cycle's operations, less what
//! larger payments were accepted for.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use crate::domain::cycle::Cycle;
use crate::domain::explanation::Actor;
use crate::domain::money::{Amount, Currency};
use crate::domain::operation::{AmountDifference, Beneficiary, Column, Operation, Status};
use crate::domain::standing::{Stage, Standing};
use crate::domain::voucher::{HeldBecause, VoucherRecord, VoucherState};
use crate::jobs::add_to_sums;
use crate::jobs::work_list::{WorkGroup, WorkKind, sort};
use crate::platform::variants::named;
use crate::schema::{day_number, day_of_number};
use crate::store::{Query, StoreError, View, readable_record};

/// Number of records in one currency, and their sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurrencySum {
    /// Sum of the records.
    pub amount: Amount,
    /// Number of the records.
    pub count: u64,
}

/// Sums of records, one for each currency, in the order of the currencies' codes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CurrencySums(Vec<CurrencySum>);

impl CurrencySums {
    /// Adds `count` records with this sum.
    pub fn add(&mut self, count: u64, amount: Amount) {
        let code = amount.currency().code();
        match self.0.binary_search_by_key(&code, |sum| sum.amount.currency().code()) {
            Ok(place) => {
                if let Some(sum) = self.0.get_mut(place) {
                    sum.count = sum.count.saturating_add(count);
                    sum.amount = sum.amount.checked_add(amount).unwrap_or(sum.amount);
                }
            }
            Err(place) => self.0.insert(place, CurrencySum { amount, count }),
        }
    }

    /// Adds other sums.
    pub fn add_all(&mut self, others: &Self) {
        for sum in &others.0 {
            self.add(sum.count, sum.amount);
        }
    }

    /// Returns the sum of each currency.
    pub fn all(&self) -> &[CurrencySum] {
        &self.0
    }

    /// Returns the sum in a currency; zero if there is none.
    pub fn of(&self, currency: Currency) -> CurrencySum {
        let nothing = CurrencySum { amount: Amount::zero(currency), count: 0 };
        self.0.iter().find(|sum| sum.amount.currency() == currency).copied().unwrap_or(nothing)
    }

    /// Returns the number of records in all currencies.
    pub fn count(&self) -> u64 {
        self.0.iter().fold(0, |count: u64, sum| count.saturating_add(sum.count))
    }
}

/// The part of a cycle's account for one beneficiary: vendors, or the operator with its commissions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CycleSide {
    operations: BTreeMap<Stage, CurrencySums>,
    vouchers_without: BTreeMap<Stage, CurrencySums>,
    /// Amounts that all vouchers of the cycle state, and their number.
    pub vouchers: CurrencySums,
    /// Debts that were deducted from operations of the cycle, and the number of these operations.
    pub deducted: CurrencySums,
    /// Amounts by which larger payments exceed the vouchers, and the number of their operations.
    pub increased: CurrencySums,
    /// Amounts that withdrawals could not take because the balance was smaller: a part of what is withdrawn.
    pub shortfall: CurrencySums,
}

impl CycleSide {
    /// Returns the operations in a stage.
    pub fn operations_in(&self, stage: Stage) -> CurrencySums {
        self.operations.get(&stage).cloned().unwrap_or_default()
    }

    /// Returns the vouchers without operations in a stage.
    pub fn vouchers_in(&self, stage: Stage) -> CurrencySums {
        self.vouchers_without.get(&stage).cloned().unwrap_or_default()
    }

    /// Returns the operations and the vouchers without operations in a stage.
    pub fn stage(&self, stage: Stage) -> CurrencySums {
        let mut sums = self.operations_in(stage);
        sums.add_all(&self.vouchers_in(stage));
        sums
    }

    /// Returns what the stages and the deducted debts add up to.
    pub fn sum(&self) -> CurrencySums {
        let mut sum = CurrencySums::default();
        for stage in self.operations.values().chain(self.vouchers_without.values()) {
            sum.add_all(stage);
        }
        for deducted in self.deducted.all() {
            sum.add(0, deducted.amount);
        }
        sum
    }

    /// Returns the amount by which the vouchers of a currency differ from what has become of them; zero unless the
    /// records contradict each other.
    pub fn difference(&self, currency: Currency) -> Amount {
        let explained = self.sum().of(currency).amount.checked_sub(self.increased.of(currency).amount);
        let stated = self.vouchers.of(currency).amount;
        explained.and_then(|explained| stated.checked_sub(explained)).unwrap_or(stated)
    }
}

/// State of a cycle as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum CycleState {
    /// Its window has not ended: vouchers may be added.
    Open,
    /// A party has to act on money that cashout still has to pay.
    NeedsAction,
    /// Money is still on its way, and no party has to act.
    InProgress,
    /// All that cashout had to pay is at the bank, or settled.
    Paid,
    /// There is nothing for cashout to pay.
    NothingDue,
}

named!(pub CycleState);

/// The account of a cycle's vouchers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CycleAccount {
    /// Day of the cycle.
    pub date: Date,
    /// Money owed to vendors.
    pub vendors: CycleSide,
    /// Money owed to the operator: the commissions.
    pub operator: CycleSide,
    /// All operations of both beneficiaries.
    pub operations: CurrencySums,
    /// Operations whose transfer was executed.
    pub transferred: CurrencySums,
    /// Unpaid money, by reason; see [`work_list`](crate::jobs::work_list).
    pub unpaid: Vec<WorkGroup>,
    /// True if something is not paid that a run pays once it can.
    goes_on: bool,
}

impl CycleAccount {
    fn new(date: Date) -> Self {
        let (vendors, operator) = (CycleSide::default(), CycleSide::default());
        let (operations, transferred) = (CurrencySums::default(), CurrencySums::default());
        Self { date, vendors, operator, operations, transferred, unpaid: Vec::new(), goes_on: false }
    }

    /// Returns the part of a beneficiary.
    pub fn side(&self, beneficiary: Beneficiary) -> &CycleSide {
        match beneficiary {
            Beneficiary::Vendor => &self.vendors,
            Beneficiary::Operator => &self.operator,
        }
    }

    fn side_mut(&mut self, beneficiary: Beneficiary) -> &mut CycleSide {
        match beneficiary {
            Beneficiary::Vendor => &mut self.vendors,
            Beneficiary::Operator => &mut self.operator,
        }
    }

    /// Returns the operations of both beneficiaries in a stage.
    pub fn operations_in(&self, stage: Stage) -> CurrencySums {
        let mut sums = self.vendors.operations_in(stage);
        sums.add_all(&self.operator.operations_in(stage));
        sums
    }

    /// Returns the vouchers without operations in a stage, with what they owe to vendors and to the operator.
    pub fn vouchers_in(&self, stage: Stage) -> CurrencySums {
        with_commissions(self.vendors.vouchers_in(stage), &self.operator.vouchers_in(stage))
    }

    /// Returns all vouchers, with what they owe to vendors and to the operator.
    pub fn vouchers(&self) -> CurrencySums {
        with_commissions(self.vendors.vouchers.clone(), &self.operator.vouchers)
    }

    /// Returns the currencies of the account, in the order of their codes.
    pub fn currencies(&self) -> Vec<Currency> {
        let mut all = CurrencySums::default();
        for side in [&self.vendors, &self.operator] {
            all.add_all(&side.vouchers);
            all.add_all(&side.sum());
        }
        all.0.iter().map(|sum| sum.amount.currency()).collect()
    }

    /// Returns the state at the time `now`; `cycle` is the calendar's cycle of that day, if it has one.
    pub fn state(&self, now: Timestamp, cycle: Option<&Cycle>) -> CycleState {
        if cycle.is_some_and(|cycle| now <= cycle.end) {
            return CycleState::Open;
        }
        if self.unpaid.iter().any(WorkGroup::needs_action) {
            return CycleState::NeedsAction;
        }
        if self.goes_on {
            return CycleState::InProgress;
        }
        let is_reached = |stage: Stage| self.vendors.stage(stage).count() > 0 || self.operator.stage(stage).count() > 0;
        if is_reached(Stage::Withdrawn) || is_reached(Stage::Settled) {
            CycleState::Paid
        } else {
            CycleState::NothingDue
        }
    }

    /// Adds the operations of the cycle.
    fn add_operations(&mut self, view: &impl View, unpaid: &mut UnpaidByReason) -> Result<(), StoreError> {
        for (group, count) in view.groups_of(Operation::BY_CYCLE, (day_number(self.date),))? {
            let minor = view.sum(Operation::BY_CYCLE, group.clone())?;
            let (day, beneficiary, stage, reason, status, currency) = group;
            let (beneficiary, stage) = (beneficiary_of(&beneficiary), Stage::of_name(&stage));
            let (Some(beneficiary), Some(stage), Ok(currency)) = (beneficiary, stage, Currency::from_code(&currency))
            else {
                continue;
            };
            let amount = Amount::from_minor(minor, currency);
            self.side_mut(beneficiary).operations.entry(stage).or_default().add(count, amount);
            self.operations.add(count, amount);
            if Status::from_code(status).columns().0 == Column::Ok {
                self.transferred.add(count, amount);
            }
            let is_short = stage == Stage::Withdrawn && !reason.is_empty();
            if !is_short && !Stage::OPEN.contains(&stage) {
                continue;
            }
            let rows = (day, beneficiary.name(), stage.name(), reason.as_str(), status, currency.code());
            let rows = Query::group(Operation::BY_CYCLE, rows);
            let first = view.page_uncounted(&rows.clone().limit(1))?.items.pop();
            let actor = first.as_ref().map_or(Actor::Administrator, |first| Standing::of_operation(first).actor);
            let open = if is_short { shortfall(view, rows, currency)? } else { amount };
            if is_short {
                self.side_mut(beneficiary).shortfall.add(count, open);
            }
            let group = unpaid.group(WorkKind::Operations, reason, actor);
            group.count = group.count.saturating_add(count);
            add_to_sums(&mut group.amounts, open);
            if let Some(first) = &first {
                group.note_operation(first);
            }
            self.goes_on = true;
        }
        Ok(())
    }

    /// Adds the differences between the operations and their vouchers.
    fn add_differences(&mut self, view: &impl View) -> Result<(), StoreError> {
        for difference in AmountDifference::ALL {
            let first = (difference.name(), day_number(self.date));
            for (group, count) in view.groups_of(Operation::DIFFERENCES, first)? {
                let minor = view.sum(Operation::DIFFERENCES, group.clone())?;
                let (.., beneficiary, currency) = group;
                let (Some(beneficiary), Ok(currency)) = (beneficiary_of(&beneficiary), Currency::from_code(&currency))
                else {
                    continue;
                };
                let side = self.side_mut(beneficiary);
                match difference {
                    AmountDifference::Deducted => side.deducted.add(count, Amount::from_minor(minor, currency)),
                    AmountDifference::Increased => {
                        side.increased.add(count, Amount::from_minor(minor.saturating_neg(), currency));
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds the vouchers of the cycle: all of them, and those without operations by stage.
    fn add_vouchers(&mut self, view: &impl View, unpaid: &mut UnpaidByReason) -> Result<(), StoreError> {
        let day = day_number(self.date);
        for (group, count) in view.groups_of(VoucherRecord::BY_CYCLE, (day,))? {
            let minor = view.sum(VoucherRecord::BY_CYCLE, group.clone())?;
            let (_, of_state, stage, reason, currency) = &group;
            let Ok(currency) = Currency::from_code(currency) else { continue };
            let amount = Amount::from_minor(minor, currency);
            self.vendors.vouchers.add(count, amount);
            let Some(stage) = Stage::of_name(stage) else { continue };
            self.vendors.vouchers_without.entry(stage).or_default().add(count, amount);
            let first = (day, of_state.as_str(), stage.name(), reason.as_str());
            let first = view.page_uncounted(&Query::group(VoucherRecord::BY_CYCLE, first).limit(1))?.items.pop();
            let standing = first.as_ref().and_then(Standing::of_voucher);
            let actor = standing.map_or(Actor::Administrator, |standing| standing.actor);
            let group = unpaid.group(WorkKind::Vouchers, reason.clone(), actor);
            group.count = group.count.saturating_add(count);
            add_to_sums(&mut group.amounts, amount);
            if let Some(first) = &first {
                group.note_voucher(first);
            }
            let too_early =
                |first: &VoucherRecord| first.held == Some(HeldBecause::BeforeFirstCycle) && !first.released;
            self.goes_on |= !group.is_outside && !first.as_ref().is_some_and(too_early);
        }
        for (group, count) in view.groups_of(VoucherRecord::COMMISSION_BY_CYCLE, (day,))? {
            let minor = view.sum(VoucherRecord::COMMISSION_BY_CYCLE, group.clone())?;
            let (.., stage, reason, currency) = group;
            let Ok(currency) = Currency::from_code(&currency) else { continue };
            let amount = Amount::from_minor(minor, currency);
            self.operator.vouchers.add(count, amount);
            let Some(stage) = Stage::of_name(&stage) else { continue };
            self.operator.vouchers_without.entry(stage).or_default().add(count, amount);
            if let Some(group) = unpaid.0.get_mut(&(WorkKind::Vouchers, reason)) {
                add_to_sums(&mut group.commissions, amount);
            }
        }
        Ok(())
    }
}

/// Adds the commissions of vouchers to the amounts that they owe to vendors; each voucher counts once.
fn with_commissions(mut vouchers: CurrencySums, commissions: &CurrencySums) -> CurrencySums {
    for commission in commissions.all() {
        vouchers.add(0, commission.amount);
    }
    vouchers
}

/// Groups of what is not paid, by kind and reason: a reason has one party that acts next.
#[derive(Default)]
struct UnpaidByReason(BTreeMap<(WorkKind, String), WorkGroup>);

impl UnpaidByReason {
    fn group(&mut self, kind: WorkKind, reason: String, actor: Actor) -> &mut WorkGroup {
        self.0.entry((kind, reason.clone())).or_insert_with(|| WorkGroup::new(kind, actor, reason))
    }
}

/// Returns what the withdrawals of these operations could not take; one that cannot be read counts nothing.
fn shortfall(view: &impl View, rows: Query<Operation, Timestamp>, currency: Currency) -> Result<Amount, StoreError> {
    let mut missing = Amount::zero(currency);
    for operation in view.records(rows) {
        let shortfall = readable_record(operation)?.and_then(|operation| operation.shortfall);
        missing = shortfall.and_then(|shortfall| missing.checked_add(shortfall).ok()).unwrap_or(missing);
    }
    Ok(missing)
}

fn beneficiary_of(name: &str) -> Option<Beneficiary> {
    Beneficiary::ALL.into_iter().find(|beneficiary| beneficiary.name() == name)
}

/// Returns the account of a cycle; `None` if there are no vouchers of that day and no operations.
pub fn cycle_account(view: &impl View, date: Date) -> Result<Option<CycleAccount>, StoreError> {
    let mut account = CycleAccount::new(date);
    let mut unpaid = UnpaidByReason::default();
    account.add_operations(view, &mut unpaid)?;
    account.add_differences(view)?;
    account.add_vouchers(view, &mut unpaid)?;
    account.unpaid = unpaid.0.into_values().collect();
    sort(&mut account.unpaid);
    let is_empty = account.operations.count() == 0 && account.vendors.vouchers.count() == 0;
    Ok((!is_empty).then_some(account))
}

/// Returns the accounts of the latest cycles, latest first.
pub fn latest_cycles(view: &impl View, limit: usize) -> Result<Vec<CycleAccount>, StoreError> {
    let mut accounts = Vec::new();
    for date in cycle_days(view).take(limit) {
        accounts.extend(cycle_account(view, date?)?);
    }
    Ok(accounts)
}

/// Returns the days of the cycles, latest first. A day on which there are only vouchers outside every cycle is none.
pub fn cycle_days(view: &impl View) -> impl Iterator<Item = Result<Date, StoreError>> {
    let mut before = i64::MAX;
    std::iter::from_fn(move || {
        loop {
            let (day, is_of_cycle) = match last_day_before(view, before) {
                Ok(found) => found?,
                Err(error) => return Some(Err(error)),
            };
            before = day;
            if let Some(date) = day_of_number(day).filter(|_| is_of_cycle) {
                return Some(Ok(date));
            }
        }
    })
}

/// Returns the last day before this one that has vouchers or operations, and true if it is that of a cycle.
fn last_day_before(view: &impl View, before: i64) -> Result<Option<(i64, bool)>, StoreError> {
    let of_operations = view.last_group_before(Operation::BY_CYCLE, (before,))?.map(|(day, ..)| day);
    let of_vouchers = view.last_group_before(VoucherRecord::BY_CYCLE, (before,))?.map(|(day, ..)| day);
    let Some(day) = of_operations.max(of_vouchers) else { return Ok(None) };
    if of_operations == Some(day) {
        return Ok(Some((day, true)));
    }
    let groups = view.groups_of(VoucherRecord::BY_CYCLE, (day,))?;
    let outside = VoucherState::OutsideCycles.name();
    Ok(Some((day, groups.iter().any(|((_, state, ..), _)| state != outside))))
}

#[cfg(test)]
mod tests;
