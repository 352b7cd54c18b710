//! The work list: everything that is not paid, in groups by the party that acts next and the reason.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::explanation::Actor;
use crate::domain::money::{Amount, Currency};
use crate::domain::operation::Operation;
use crate::domain::standing::Standing;
use crate::domain::voucher::VoucherRecord;
use crate::jobs::add_to_sums;
use crate::schema::ReasonGroup;
use crate::store::{Index, Query, Record, StoreError, View};

/// Kind of the records in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkKind {
    /// Operations whose money has not reached the bank.
    Operations,
    /// Vouchers without operations.
    Vouchers,
}

/// Unpaid records with one reason. Each unpaid operation, and each voucher without operations, is in exactly one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkGroup {
    /// Kind of the records.
    pub kind: WorkKind,
    /// Party that acts next.
    pub actor: Actor,
    /// Id of the reason's explanation.
    pub reason: String,
    /// Number of records.
    pub count: u64,
    /// Sum in each currency: of operations, their amounts; of vouchers, the amounts owed to shops.
    pub amounts: Vec<Amount>,
    /// Sum in each currency of the commissions that vouchers owe to the operator; empty for operations.
    pub commissions: Vec<Amount>,
    /// Cut of the oldest operation's cycle, or creation of the oldest voucher (UTC).
    pub oldest: Option<Timestamp>,
    /// True if operations of the group can be retried together: none is held or in doubt.
    pub can_be_retried: bool,
    /// True for vouchers that are paid, or to be paid, outside cashout.
    pub is_outside: bool,
}

impl WorkGroup {
    pub(super) fn new(kind: WorkKind, actor: Actor, reason: String) -> Self {
        let (amounts, commissions) = (Vec::new(), Vec::new());
        Self {
            kind,
            actor,
            reason,
            count: 0,
            amounts,
            commissions,
            oldest: None,
            can_be_retried: false,
            is_outside: false,
        }
    }

    /// Adds what an operation of the group shows: its age, and that it can be retried.
    pub(super) fn note_operation(&mut self, operation: &Operation) {
        self.oldest = self.oldest.into_iter().chain([operation.cycle_at]).min();
        let in_doubt = operation.held.is_some() || operation.waits_on_purpose();
        self.can_be_retried |= operation.is_unpaid() && !in_doubt;
    }

    /// Adds what a voucher of the group shows: its age, and that it is paid outside cashout.
    pub(super) fn note_voucher(&mut self, record: &VoucherRecord) {
        self.oldest = self.oldest.into_iter().chain([record.made_at()]).min();
        self.is_outside |= Standing::of_voucher(record).is_some_and(|standing| standing.is_outside());
    }

    /// Returns true if a party has to act on money that cashout still has to pay.
    pub fn needs_action(&self) -> bool {
        self.actor != Actor::Nobody && !self.is_outside
    }
}

/// Returns all groups: those that a party has to act on first, in the order of the parties, then those that go on by
/// themselves, then what is paid outside cashout; within a party the largest number of records first.
pub fn work_list(view: &impl View) -> Result<Vec<WorkGroup>, StoreError> {
    let mut groups = gather(view, WorkKind::Operations, Operation::UNPAID)?;
    for group in &mut groups {
        let oldest = Query::group(Operation::UNPAID_BY_AGE, (group.actor.name(), group.reason.as_str()));
        if let Some(operation) = view.page_uncounted(&oldest.limit(1))?.items.first() {
            group.note_operation(operation);
        }
    }
    for mut group in gather(view, WorkKind::Vouchers, VoucherRecord::BY_REASON)? {
        for currency in group.amounts.iter().map(|amount| amount.currency()) {
            let key = (group.actor.name(), group.reason.as_str(), currency.code());
            let commission = view.sum(VoucherRecord::COMMISSION_BY_REASON, key)?;
            group.commissions.push(Amount::from_minor(commission, currency));
        }
        let oldest = Query::group(VoucherRecord::BY_REASON, (group.actor.name(), group.reason.as_str()));
        if let Some(record) = view.page_uncounted(&oldest.limit(1))?.items.first() {
            group.note_voucher(record);
        }
        groups.push(group);
    }
    sort(&mut groups);
    Ok(groups)
}

/// Sorts groups as [`work_list`] returns them.
pub(super) fn sort(groups: &mut [WorkGroup]) {
    groups.sort_by_key(|group| {
        (group.is_outside, rank(group.actor), std::cmp::Reverse(group.count), group.reason.clone())
    });
}

/// Upper bound on the operations, and on the vouchers, that the groups of one shop are made of.
const MAX_OF_SHOP: usize = 1_000;

/// Returns the groups of one shop, and true if they are made of all its records; see [`work_list`].
pub fn work_list_of_shop(view: &impl View, mirakl_id: u64) -> Result<(Vec<WorkGroup>, bool), StoreError> {
    let actors = || Actor::ALL.map(|actor| (actor.name(),));
    let operations = Query::group(Operation::BY_VENDOR, (mirakl_id,)).and(Operation::UNPAID, actors());
    let operations = view.page_uncounted(&operations.limit(MAX_OF_SHOP))?;
    let vouchers = Query::group(VoucherRecord::BY_SHOP, (mirakl_id,)).and(VoucherRecord::BY_REASON, actors());
    let vouchers = view.page_uncounted(&vouchers.limit(MAX_OF_SHOP))?;
    let is_all = operations.next.is_none() && vouchers.next.is_none();
    let mut groups: BTreeMap<(WorkKind, String), WorkGroup> = BTreeMap::new();
    for operation in &operations.items {
        let standing = Standing::of_operation(operation);
        let group = group_of(&mut groups, WorkKind::Operations, &standing);
        add_to_sums(&mut group.amounts, operation.amount);
        group.oldest = group.oldest.into_iter().chain([operation.cycle_at]).min();
    }
    for record in &vouchers.items {
        let Some(standing) = Standing::of_voucher(record) else { continue };
        let group = group_of(&mut groups, WorkKind::Vouchers, &standing);
        group.is_outside = standing.is_outside();
        add_to_sums(&mut group.amounts, record.voucher.vendor_amount);
        add_to_sums(&mut group.commissions, record.voucher.operator_amount);
        group.oldest = group.oldest.into_iter().chain([record.made_at()]).min();
    }
    let mut groups: Vec<WorkGroup> = groups.into_values().collect();
    sort(&mut groups);
    Ok((groups, is_all))
}

/// Counts a record in the group of its standing.
fn group_of<'a>(
    groups: &'a mut BTreeMap<(WorkKind, String), WorkGroup>,
    kind: WorkKind,
    standing: &Standing,
) -> &'a mut WorkGroup {
    let reason = standing.reason.clone().unwrap_or_default();
    let group = groups.entry((kind, reason.clone())).or_insert_with(|| WorkGroup::new(kind, standing.actor, reason));
    group.count = group.count.saturating_add(1);
    group
}

/// Returns the groups of one kind with their counts and sums.
fn gather<R: Record>(
    view: &impl View,
    kind: WorkKind,
    index: Index<R, ReasonGroup, Timestamp>,
) -> Result<Vec<WorkGroup>, StoreError> {
    let mut groups: BTreeMap<(String, String), WorkGroup> = BTreeMap::new();
    for ((actor, reason, currency), count) in view.groups(index)? {
        let known = Actor::ALL.into_iter().find(|known| known.name() == actor);
        let group = groups
            .entry((actor.clone(), reason.clone()))
            .or_insert_with(|| WorkGroup::new(kind, known.unwrap_or(Actor::Administrator), reason.clone()));
        group.count = group.count.saturating_add(count);
        let minor = view.sum(index, (actor.as_str(), reason.as_str(), currency.as_str()))?;
        if let Ok(currency) = Currency::from_code(&currency) {
            add_to_sums(&mut group.amounts, Amount::from_minor(minor, currency));
        }
    }
    Ok(groups.into_values().collect())
}

/// Returns the place of a party in the list.
fn rank(actor: Actor) -> u8 {
    match actor {
        Actor::Marketplace => 0,
        Actor::Vendor => 1,
        Actor::HiPay => 2,
        Actor::Administrator => 3,
        Actor::Nobody => 4,
    }
}

#[cfg(test)]
mod tests;
