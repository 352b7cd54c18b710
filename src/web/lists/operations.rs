//! Transfers and withdrawals.

use axum::http::StatusCode;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::export::Export;
use super::finding::{self, FoundKeys};
use super::standing::{check_currency, check_reason, is_currency, reason_schema, with_reason};
use super::{ListFilter, Moment, Period, at_most, moment, passing, shop_name};
use crate::domain::explanation::Actor;
use crate::domain::money::Amount;
use crate::domain::operation::{AmountDifference, Beneficiary, Column, Hold, Operation, PaymentKind, Status};
use crate::domain::standing::{Stage, Standing};
use crate::jobs;
use crate::schema::day_number;
use crate::store::{Index, Ordered, PrefixOf, Query, StoreError, StoreReader, View};
use crate::text::message::msg;
use crate::web::Web;
use crate::web::problem::Problem;

/// Filters of the operations.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct OperationFilter {
    /// Status of the transfer.
    transfer_status: Option<Column>,
    /// Status of the withdrawal.
    withdraw_status: Option<Column>,
    /// Store ID of the shop in Mirakl.
    mirakl_id: Option<u64>,
    /// Day of the cycle.
    cycle: Option<Date>,
    /// Beneficiary: `vendor`, or `operator` for commissions.
    beneficiary: Option<Beneficiary>,
    /// Stage that the money has reached.
    stage: Option<Stage>,
    /// Currency (ISO 4217).
    #[param(pattern = "^[A-Z]{3}$")]
    currency: Option<String>,
    /// Difference from the voucher's amount: `deducted` for debts, or `increased` by a larger payment that was accepted.
    difference: Option<AmountDifference>,
    /// Party that has to act; limits the list to operations that are not paid.
    actor: Option<Actor>,
    /// Reason, as in `GET /todo`; limits the list to operations that are not paid.
    #[param(schema_with = reason_schema)]
    reason: Option<String>,
    /// Earliest time of the last change: a day or an instant, inclusive.
    #[param(schema_with = moment)]
    from: Option<Moment>,
    /// Latest time of the last change: a day, inclusive, or an instant, exclusive.
    #[param(schema_with = moment)]
    to: Option<Moment>,
}

/// One operation.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct OperationItem {
    /// Our own number.
    pub id: u64,
    /// Store ID in the Mirakl back office.
    pub mirakl_id: u64,
    /// ID of the wallet that is paid.
    pub hipay_id: u64,
    /// Name of the shop; absent if its vendor is not known.
    pub shop_name: Option<String>,
    /// Number of the voucher in Mirakl.
    pub payment_order_id: String,
    /// Id of the voucher, as `GET /vouchers` shows it; absent if it is not stored.
    pub voucher: Option<String>,
    /// Number of the invoice in Mirakl, where known.
    pub invoice_id: Option<String>,
    /// `vendor`, or `operator` for a commission.
    pub beneficiary: Beneficiary,
    /// Amount to pay, with the currency's decimals.
    #[schema(example = "83.00")]
    pub amount: String,
    /// Amount of the voucher, before negative ones were netted.
    #[schema(example = "90.00")]
    pub origin_amount: String,
    /// Currency (ISO 4217).
    #[schema(example = "EUR")]
    pub currency: String,
    /// Status by its name in the product's documentation.
    #[schema(example = "TRANSFER_REQUESTED")]
    pub status: String,
    /// Status of the transfer.
    pub transfer_status: Column,
    /// Status of the withdrawal.
    pub withdraw_status: Column,
    /// Balance of the wallet, as last read for this operation.
    pub balance: Option<String>,
    /// Stage that the money has reached.
    pub stage: String,
    /// Reason for which it is not paid, as a stable word; absent once the money is at the bank.
    pub reason: Option<String>,
    /// Party that has to act: `marketplace`, `vendor`, `hipay`, `administrator` or `nobody`.
    pub actor: String,
    /// Day of the cycle.
    pub cycle: Date,
    /// Reason why it is not paid: until a person has looked, or for good if it was settled.
    pub held: Option<String>,
    /// Kind of the reason in `held`.
    pub held_for: Option<Hold>,
    /// Time of the last change (UTC).
    pub date: Timestamp,
    /// Explanation of the status; empty if the status needs none.
    pub message: String,
    /// The operation that this negative one was netted into.
    pub netted_by: Option<u64>,
    /// HiPay's transaction id of the latest attempt at the transfer, once known.
    pub transfer_transaction_id: Option<String>,
    /// HiPay's transaction id of the latest attempt at the withdrawal, once known.
    pub withdraw_transaction_id: Option<String>,
    /// Reference of the latest attempt at the transfer.
    pub transfer_reference: Option<String>,
    /// Reference of the latest attempt at the withdrawal.
    pub withdraw_reference: Option<String>,
    /// Attempts at paying, transfers first.
    pub attempts: Vec<AttemptItem>,
}

/// One operation with its whole history.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct OperationDetail {
    /// The operation as lists show it.
    #[serde(flatten)]
    pub item: OperationItem,
    /// Day of the cycle.
    #[schema(value_type = String, format = Date)]
    pub cycle_date: Date,
    /// Id of the billing cycle in Mirakl, where known.
    pub billing_cycle_id: Option<String>,
    /// Part of the amount that a withdrawal could not take because the balance was smaller.
    pub shortfall: Option<String>,
    /// The negative operations that were netted into this one.
    pub adjusts: Vec<u64>,
    /// The operation that this negative one was netted into.
    pub adjusted_by: Option<u64>,
    /// The operation that a smaller payment was accepted for, if this one is the remainder.
    pub remainder_of: Option<u64>,
    /// HiPay's transactions that a person has to check while the operation is held.
    pub candidates: Vec<String>,
    /// HiPay's transactions that a person has found to be no payment of it.
    pub dismissed: Vec<String>,
    /// Time of creation (UTC).
    pub created_at: Timestamp,
    /// Changes, oldest first.
    pub history: Vec<ChangeItem>,
}

/// One attempt at a payment.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AttemptItem {
    /// `transfer` or `withdrawal`.
    pub kind: PaymentKind,
    /// Former name of `kind`.
    pub payment: PaymentKind,
    /// Number of the attempt, from 1.
    pub number: u32,
    /// The reference that HiPay executes at most once.
    pub reference: String,
    /// Amount that was sent.
    pub amount: String,
    /// HiPay's transaction id, once known.
    pub transaction_id: Option<String>,
    /// State of the attempt: `sending`, `requested`, `captured`, `refused`, `ended` or `unknown`.
    pub state: String,
    /// HiPay's word for the status of the transaction, as last received.
    pub transaction_status: Option<String>,
    /// Time when the request was committed (UTC).
    pub sent_at: Timestamp,
    /// Time of the last change of state (UTC).
    pub at: Timestamp,
    /// Former name of `at`.
    pub updated_at: Timestamp,
    /// Explanation of the state.
    pub message: String,
}

/// One change of an operation.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ChangeItem {
    /// Time of the change (UTC).
    pub at: Timestamp,
    /// Status from then on.
    pub status: String,
    /// Reason for the change.
    pub message: String,
}

impl OperationFilter {
    /// Returns the statuses that pass; `None` if all do.
    fn statuses(&self) -> Option<Vec<i64>> {
        if self.transfer_status.is_none() && self.withdraw_status.is_none() {
            return None;
        }
        let passes = |status: &Status| {
            let (transfer, withdraw) = status.columns();
            self.transfer_status.is_none_or(|wanted| wanted == transfer)
                && self.withdraw_status.is_none_or(|wanted| wanted == withdraw)
        };
        Some(Status::ALL.iter().filter(|status| passes(status)).map(|status| status.code()).collect())
    }
}

impl OperationFilter {
    /// Restricts `listing`, or every operation if there is none, to the cycle, the beneficiary, the stage and the
    /// currency.
    fn with_stage(&self, listing: Option<Query<Operation, Timestamp>>) -> Option<Query<Operation, Timestamp>> {
        if self.cycle.is_some() || self.currency.is_some() {
            return Some(self.of_cycle(listing));
        }
        if self.beneficiary.is_none() && self.stage.is_none() {
            return listing;
        }
        let stages = passing(self.stage, Stage::ALL).map(Stage::name);
        let beneficiaries = passing(self.beneficiary, Beneficiary::ALL).map(Beneficiary::name);
        let both = beneficiaries.flat_map(|beneficiary| stages.clone().map(move |stage| (beneficiary, stage)));
        Some(restricted(listing, Operation::BY_STAGE, both))
    }

    /// Restricts `listing` by the index of the cycles, whose groups end with the currency.
    fn of_cycle(&self, listing: Option<Query<Operation, Timestamp>>) -> Query<Operation, Timestamp> {
        let stages = passing(self.stage, Stage::ALL);
        // A reason alone means what is not paid.
        let can_be_unpaid = |stage: &Stage| Stage::OPEN.contains(stage) || *stage == Stage::Withdrawn;
        let stages = stages.filter(|stage| self.reason.is_none() || self.stage.is_some() || can_be_unpaid(stage));
        let beneficiaries = passing(self.beneficiary, Beneficiary::ALL).map(Beneficiary::name);
        let both = beneficiaries.flat_map(|beneficiary| stages.clone().map(move |stage| (beneficiary, stage.name())));
        let by_cycle = Operation::BY_CYCLE;
        let listing = match (self.cycle.map(day_number), self.reason.as_deref()) {
            (None, _) if self.beneficiary.is_none() && self.stage.is_none() => restricted(listing, by_cycle, [()]),
            (None, _) => restricted(listing, Operation::BY_STAGE, both).and(by_cycle, [()]),
            (Some(day), None) => {
                restricted(listing, by_cycle, both.map(|(beneficiary, stage)| (day, beneficiary, stage)))
            }
            (Some(day), Some(reason)) => {
                restricted(listing, by_cycle, both.map(|(beneficiary, stage)| (day, beneficiary, stage, reason)))
            }
        };
        match &self.currency {
            None => listing,
            Some(currency) => listing.ending_with(currency),
        }
    }

    /// Restricts `listing`, or every operation if there is none, to those whose amount differs from the voucher's.
    fn with_difference(&self, listing: Option<Query<Operation, Timestamp>>) -> Option<Query<Operation, Timestamp>> {
        let Some(difference) = self.difference.map(AmountDifference::name) else { return listing };
        let by_difference = Operation::DIFFERENCES;
        let Some(day) = self.cycle.map(day_number) else {
            return Some(restricted(listing, by_difference, [(difference,)]));
        };
        let beneficiaries = passing(self.beneficiary, Beneficiary::ALL).map(Beneficiary::name);
        let groups = beneficiaries.map(|beneficiary| (difference, day, beneficiary));
        // The index has the cycle, the beneficiary and the currency as well.
        let rest = [self.stage.is_some(), self.reason.is_some(), self.mirakl_id.is_some(), self.statuses().is_some()];
        let listing = listing.filter(|_| rest.contains(&true));
        let listing = restricted(listing, by_difference, groups);
        Some(match &self.currency {
            None => listing,
            Some(currency) => listing.ending_with(currency),
        })
    }

    /// Returns true if the operation passes the filters by actor and reason.
    fn has_reason(&self, operation: &Operation) -> bool {
        if self.actor.is_none() && self.reason.is_none() {
            return true;
        }
        let standing = Standing::of_operation(operation);
        standing.is_open() && standing.matches(self.actor, self.reason.as_deref())
    }
}

/// Restricts `listing`, or every operation if there is none, to the groups of an index.
fn restricted<G, P>(
    listing: Option<Query<Operation, Timestamp>>,
    index: Index<Operation, G, Timestamp>,
    groups: impl IntoIterator<Item = P>,
) -> Query<Operation, Timestamp>
where
    G: Ordered,
    P: Ordered<Kind: PrefixOf<G::Kind>>,
{
    match listing {
        None => Query::any_of(index, groups),
        Some(listing) => listing.and(index, groups),
    }
}

/// Upper bound on operations retried at once from a page.
const MAX_RETRIED: usize = 1_000;

/// Returns the operations that pass the filters and a search and were not paid: KO, or waiting for a person. Refuses
/// more than [`MAX_RETRIED`].
pub(in crate::web) async fn failed(
    web: &Web,
    filter: OperationFilter,
    search: Option<&str>,
) -> Result<Vec<Operation>, Problem> {
    let too_many = || Problem::new(StatusCode::BAD_REQUEST, msg!("problem-too-many", most = MAX_RETRIED));
    let zone = web.settings.get().hipay.time_zone.clone();
    let found = if let Some(text) = search {
        let (found, all) = super::search(web, &filter, &zone, text, super::MAX_FOUND, true).await?;
        if !all {
            return Err(too_many());
        }
        found
    } else {
        let limit = MAX_RETRIED.saturating_add(1);
        // Invalid filters are reported, as on the page.
        let filtered = filter.listing(&zone)?.descending().limit(limit);
        let codes = Status::ALL.into_iter().filter(|status| status.is_failure()).map(Status::code);
        let listing = Query::any_of(Operation::BY_STATUS, codes).descending().limit(limit);
        let period = Period::new(filter.from.as_ref(), filter.to.as_ref(), &zone)?;
        let listing = period.limit(listing);
        let held = Query::group(Operation::HELD, ()).descending().limit(limit);
        let narrows = [filter.cycle.is_some(), filter.stage.is_some(), filter.actor.is_some(), filter.reason.is_some()];
        let narrows = [narrows.contains(&true), filter.currency.is_some(), filter.difference.is_some()];
        let narrows = narrows.contains(&true);
        let found = web.context.store.reading(move |reader| {
            if narrows {
                return Ok(reader.page_uncounted(&filtered)?.items);
            }
            let mut found = reader.page_uncounted(&listing)?.items;
            found.extend(reader.page(&held)?.items);
            Ok(found)
        });
        let found = found.await?;
        // A part of the list alone would be retried otherwise.
        if narrows && found.len() > MAX_RETRIED {
            return Err(too_many());
        }
        found
    };
    let mut failed = Vec::with_capacity(found.len());
    for operation in found {
        if operation.is_unpaid() && !operation.waits_on_purpose() && filter.passes(&operation, &zone)? {
            failed.push(operation);
        }
    }
    failed.sort_by_key(|operation| operation.id);
    failed.dedup_by_key(|operation| operation.id);
    if failed.len() > MAX_RETRIED {
        return Err(too_many());
    }
    Ok(failed)
}

impl ListFilter for OperationFilter {
    type Record = Operation;
    type Item = OperationItem;

    const SEARCH: Option<Index<Self::Record, (), String>> = Some(Operation::SEARCH);

    fn find(view: &StoreReader<'_>, text: &str, most: usize) -> Result<FoundKeys<u64>, StoreError> {
        finding::operations(view, text, most)
    }

    fn listing(&self, zone: &TimeZone) -> Result<Query<Self::Record>, Problem> {
        at_most("mirakl_id", self.mirakl_id, i64::MAX.unsigned_abs())?;
        let listing = match (self.mirakl_id, self.statuses()) {
            (Some(id), Some(codes)) => {
                Some(Query::any_of(Operation::BY_VENDOR, codes.into_iter().map(|code| (id, code))))
            }
            (Some(id), None) => Some(Query::group(Operation::BY_VENDOR, (id,))),
            (None, Some(codes)) => Some(Query::any_of(Operation::BY_STATUS, codes)),
            (None, None) => None,
        };
        check_reason(self.reason.as_deref())?;
        check_currency(self.currency.as_deref())?;
        let listing = self.with_difference(self.with_stage(listing));
        // Within a cycle, the index of the cycle has the reason.
        let reason = self.reason.as_deref().filter(|_| self.cycle.is_none());
        let listing = with_reason(listing, Operation::UNPAID, self.actor, reason);
        let listing = listing.unwrap_or_else(|| Query::group(Operation::BY_DATE, ()));
        Ok(Period::new(self.from.as_ref(), self.to.as_ref(), zone)?.limit(listing).in_any_order())
    }

    fn passes(&self, operation: &Operation, zone: &TimeZone) -> Result<bool, Problem> {
        let period = Period::new(self.from.as_ref(), self.to.as_ref(), zone)?;
        Ok(self.statuses().is_none_or(|codes| codes.contains(&operation.status.code()))
            && self.mirakl_id.is_none_or(|id| id == operation.mirakl_id)
            && self.cycle.is_none_or(|cycle| cycle == operation.cycle_date)
            && self.beneficiary.is_none_or(|beneficiary| beneficiary == operation.beneficiary)
            && self.stage.is_none_or(|stage| stage == Standing::of_operation(operation).stage)
            && self.difference.is_none_or(|difference| operation.difference() == Some(difference))
            && is_currency(self.currency.as_deref(), operation.amount)
            && self.has_reason(operation)
            && period.contains(operation.updated_at))
    }

    fn date(operation: &Operation) -> Timestamp {
        operation.updated_at
    }

    fn item(operation: Operation) -> OperationItem {
        let (transfer, withdraw) = operation.status.columns();
        let Standing { stage, actor, reason } = Standing::of_operation(&operation);
        let last = |payment| operation.payment(payment).last();
        let transaction_id = |payment| last(payment).and_then(|attempt| attempt.transaction_id.clone());
        let reference = |payment| last(payment).map(|attempt| attempt.reference.clone());
        OperationItem {
            shop_name: None,
            voucher: None,
            transfer_transaction_id: transaction_id(PaymentKind::Transfer),
            withdraw_transaction_id: transaction_id(PaymentKind::Withdrawal),
            transfer_reference: reference(PaymentKind::Transfer),
            withdraw_reference: reference(PaymentKind::Withdrawal),
            attempts: attempts_of(&operation),
            netted_by: operation.adjusted_by,
            invoice_id: operation.invoice_id,
            stage: stage.name().to_owned(),
            reason,
            actor: actor.name().to_owned(),
            cycle: operation.cycle_date,
            id: operation.id,
            mirakl_id: operation.mirakl_id,
            hipay_id: operation.recipient_hipay_id,
            payment_order_id: operation.voucher,
            beneficiary: operation.beneficiary,
            amount: operation.amount.decimal(),
            origin_amount: operation.origin_amount.decimal(),
            currency: operation.amount.currency().code().to_owned(),
            status: operation.status.to_string(),
            transfer_status: transfer,
            withdraw_status: withdraw,
            balance: operation.balance.map(Amount::decimal),
            held_for: operation.held_for.filter(|_| operation.held.is_some()),
            held: operation.held,
            date: operation.updated_at,
            message: operation.message,
        }
    }

    fn full_item(view: &impl View, operation: Operation) -> Result<OperationItem, StoreError> {
        let shop_name = shop_name(view, operation.mirakl_id)?;
        let voucher = jobs::voucher_of(view, &operation)?.map(|record| record.id());
        Ok(OperationItem { shop_name, voucher, ..Self::item(operation) })
    }
}

/// Returns the attempts at paying an operation, transfers first.
fn attempts_of(operation: &Operation) -> Vec<AttemptItem> {
    let attempts = [PaymentKind::Transfer, PaymentKind::Withdrawal].into_iter().flat_map(|kind| {
        operation.payment(kind).attempts.iter().map(move |attempt| AttemptItem {
            kind,
            payment: kind,
            number: attempt.number,
            reference: attempt.reference.clone(),
            amount: attempt.amount.decimal(),
            transaction_id: attempt.transaction_id.clone(),
            state: attempt.state.name().to_owned(),
            transaction_status: attempt.transaction_status.clone(),
            sent_at: attempt.intended_at,
            at: attempt.updated_at,
            updated_at: attempt.updated_at,
            message: attempt.message.to_string(),
        })
    });
    attempts.collect()
}

impl Export for OperationFilter {
    const NAME: &'static str = "operations";
    const COLUMNS: &'static str = "\
        id mirakl_id hipay_id payment_order_id beneficiary amount origin_amount currency status \
        transfer_status withdraw_status balance date message held";
}

impl OperationDetail {
    /// Adds what the store knows about an operation to its record.
    pub fn of(view: &impl View, operation: Operation) -> Result<Self, StoreError> {
        let change = |change: &crate::domain::operation::Change| ChangeItem {
            at: change.at,
            status: change.status.to_string(),
            message: change.message.to_string(),
        };
        Ok(Self {
            history: operation.history.iter().map(change).collect(),
            cycle_date: operation.cycle_date,
            billing_cycle_id: operation.billing_cycle_id.clone(),
            shortfall: operation.shortfall.map(Amount::decimal),
            adjusts: operation.adjusts.clone(),
            adjusted_by: operation.adjusted_by,
            remainder_of: operation.remainder_of,
            candidates: operation.candidates.clone(),
            dismissed: operation.dismissed.clone(),
            created_at: operation.created_at,
            item: OperationFilter::full_item(view, operation)?,
        })
    }
}
