//! Transfers and withdrawals.

use axum::http::StatusCode;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::export::Export;
use super::{Filter, Moment, Period, at_most, moment};
use crate::domain::money::Amount;
use crate::domain::operation::{Beneficiary, Column, Hold, Operation, PaymentKind, Status};
use crate::store::{Listing, Query, View};
use crate::text::message::msg;
use crate::web::Web;
use crate::web::problem::Problem;

/// Which operations.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct OperationFilter {
    /// What has become of the transfer.
    transfer_status: Option<Column>,
    /// What has become of the withdrawal.
    withdraw_status: Option<Column>,
    /// Of this shop.
    mirakl_id: Option<u64>,
    /// Only those that changed last on this day or later, or at this instant or later.
    #[param(schema_with = moment)]
    from: Option<Moment>,
    /// Only those that changed last on this day or before, or before this instant.
    #[param(schema_with = moment)]
    to: Option<Moment>,
}

/// One operation.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct OperationItem {
    /// Our own number.
    pub(in crate::web) id: u64,
    /// Store ID in the Mirakl back office.
    pub(in crate::web) mirakl_id: u64,
    /// ID of the wallet that is paid.
    pub(in crate::web) hipay_id: u64,
    /// Number of the voucher in Mirakl.
    pub(in crate::web) payment_order_id: String,
    /// `vendor`, or `operator` for a commission.
    pub(in crate::web) beneficiary: Beneficiary,
    /// What is paid, with the currency's decimals.
    #[schema(example = "83.00")]
    pub(in crate::web) amount: String,
    /// The voucher's amount, before negative ones were netted.
    #[schema(example = "90.00")]
    pub(in crate::web) origin_amount: String,
    /// ISO 4217.
    #[schema(example = "EUR")]
    pub(in crate::web) currency: String,
    /// The status by its name in the product's documentation.
    #[schema(example = "TRANSFER_REQUESTED")]
    pub(in crate::web) status: String,
    /// The transfer.
    pub(in crate::web) transfer_status: Column,
    /// The withdrawal.
    pub(in crate::web) withdraw_status: Column,
    /// Balance of the wallet, as last read for this operation.
    pub(in crate::web) balance: Option<String>,
    /// Why it is not paid until a person has looked, or for good where it is settled.
    pub(in crate::web) held: Option<String>,
    /// The kind of that reason.
    pub(in crate::web) held_for: Option<Hold>,
    /// When it changed last.
    pub(in crate::web) date: Timestamp,
    /// Why it stands where it stands; empty where the status says it all.
    pub(in crate::web) message: String,
}

/// One operation with its whole story.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct OperationDetail {
    #[serde(flatten)]
    pub(in crate::web) item: OperationItem,
    /// Day of the cycle.
    #[schema(value_type = String, format = Date)]
    pub(in crate::web) cycle_date: Date,
    /// Number of the invoice in Mirakl, where known.
    pub(in crate::web) invoice_id: Option<String>,
    /// Id of the billing cycle in Mirakl, where known.
    pub(in crate::web) billing_cycle_id: Option<String>,
    /// What a withdrawal could not take because the balance was smaller.
    pub(in crate::web) shortfall: Option<String>,
    /// The negative operations that were netted into this one.
    pub(in crate::web) adjusts: Vec<u64>,
    /// The operation that this negative one was netted into.
    pub(in crate::web) adjusted_by: Option<u64>,
    /// The operation that a smaller payment was taken for, where this one is what was left of it.
    pub(in crate::web) remainder_of: Option<u64>,
    /// HiPay's transactions that a person has to look at while it is held.
    pub(in crate::web) candidates: Vec<String>,
    /// HiPay's transactions that a person has found to be no payment of it.
    pub(in crate::web) dismissed: Vec<String>,
    /// When it was made.
    pub(in crate::web) created_at: Timestamp,
    /// Every attempt at paying, transfers first.
    pub(in crate::web) attempts: Vec<AttemptItem>,
    /// Every change, oldest first.
    pub(in crate::web) history: Vec<ChangeItem>,
}

/// One attempt at a payment.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct AttemptItem {
    /// `transfer` or `withdrawal`.
    pub(in crate::web) payment: PaymentKind,
    /// The reference that HiPay executes at most once.
    pub(in crate::web) reference: String,
    /// What was sent.
    pub(in crate::web) amount: String,
    /// HiPay's transaction id, once known.
    pub(in crate::web) transaction_id: Option<String>,
    /// HiPay's word for its status, as last heard.
    pub(in crate::web) transaction_status: Option<String>,
    /// When the request was committed.
    pub(in crate::web) sent_at: Timestamp,
    /// When its state changed last.
    pub(in crate::web) updated_at: Timestamp,
    /// Why it is in that state.
    pub(in crate::web) message: String,
}

/// One change.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct ChangeItem {
    /// When.
    pub(in crate::web) at: Timestamp,
    /// The status from then on.
    pub(in crate::web) status: String,
    /// Why.
    pub(in crate::web) message: String,
}

impl OperationFilter {
    /// The statuses that pass; `None` where all do.
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

/// How many operations can be dealt with at once on a page.
const MOST_RETRIED: usize = 1_000;

/// The operations that pass the filters and a search, and were not paid for some reason: KO, or waiting
/// for a person. Refused where they are more than [`MOST_RETRIED`].
pub(in crate::web) async fn failed(
    web: &Web,
    filter: OperationFilter,
    search: Option<&str>,
) -> Result<Vec<Operation>, Problem> {
    let zone = web.settings.get().hipay.time_zone.clone();
    let limit = MOST_RETRIED.saturating_add(1);
    let found = if let Some(text) = search {
        let rows = u16::try_from(limit).unwrap_or(u16::MAX);
        super::search(web, filter.clone(), &zone, text, (0, super::FOUND_AT_MOST), (1, rows), true).await?.items
    } else {
        let codes = Status::ALL.into_iter().filter(|status| status.is_failure()).map(Status::code);
        let listing = Listing::any_of("status", codes).descending().limit(limit);
        let period = Period::new(filter.from.as_ref(), filter.to.as_ref(), &zone)?;
        let listing = period.limit(listing);
        let held = Query::group("held", ()).descending().limit(limit);
        let found = web.context.store.reading(move |reader| {
            let mut found = reader.list_uncounted::<Operation>(&listing)?.items;
            found.extend(reader.page::<Operation>(&held)?.items);
            Ok(found)
        });
        found.await?
    };
    let mut failed = Vec::with_capacity(found.len());
    for operation in found {
        if operation.is_unpaid() && !operation.waits_on_purpose() && filter.passes(&operation, &zone)? {
            failed.push(operation);
        }
    }
    failed.sort_by_key(|operation| operation.id);
    failed.dedup_by_key(|operation| operation.id);
    if failed.len() > MOST_RETRIED {
        return Err(Problem::new(StatusCode::BAD_REQUEST, msg!("problem-too-many", most = MOST_RETRIED)));
    }
    Ok(failed)
}

impl Filter for OperationFilter {
    type Record = Operation;
    type Item = OperationItem;

    fn listing(&self, zone: &TimeZone) -> Result<Listing, Problem> {
        at_most("mirakl_id", self.mirakl_id, i64::MAX.unsigned_abs())?;
        let listing = match (self.mirakl_id, self.statuses()) {
            (Some(id), Some(codes)) => Listing::any_of("vendor", codes.into_iter().map(|code| (id, code))),
            (Some(id), None) => Listing::any_of("vendor", [id]),
            (None, Some(codes)) => Listing::any_of("status", codes),
            (None, None) => Listing::any_of("date", [()]),
        };
        Ok(Period::new(self.from.as_ref(), self.to.as_ref(), zone)?.limit(listing))
    }

    fn passes(&self, operation: &Operation, zone: &TimeZone) -> Result<bool, Problem> {
        let period = Period::new(self.from.as_ref(), self.to.as_ref(), zone)?;
        Ok(self.statuses().is_none_or(|codes| codes.contains(&operation.status.code()))
            && self.mirakl_id.is_none_or(|id| id == operation.mirakl_id)
            && period.holds(operation.updated_at))
    }

    fn date(operation: &Operation) -> Timestamp {
        operation.updated_at
    }

    fn item(operation: Operation) -> OperationItem {
        let (transfer, withdraw) = operation.status.columns();
        OperationItem {
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
}

impl Export for OperationFilter {
    const NAME: &'static str = "operations";
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "mirakl_id",
        "hipay_id",
        "payment_order_id",
        "beneficiary",
        "amount",
        "origin_amount",
        "currency",
        "status",
        "transfer_status",
        "withdraw_status",
        "balance",
        "date",
        "message",
        "held",
    ];

    fn cells(operation: Operation) -> Vec<String> {
        let (transfer, withdraw) = operation.status.columns();
        let beneficiary = match operation.beneficiary {
            Beneficiary::Vendor => "vendor",
            Beneficiary::Operator => "operator",
        };
        vec![
            operation.id.to_string(),
            operation.mirakl_id.to_string(),
            operation.recipient_hipay_id.to_string(),
            operation.voucher,
            beneficiary.to_owned(),
            operation.amount.decimal(),
            operation.origin_amount.decimal(),
            operation.amount.currency().code().to_owned(),
            operation.status.to_string(),
            transfer.name().to_owned(),
            withdraw.name().to_owned(),
            operation.balance.map(Amount::decimal).unwrap_or_default(),
            operation.updated_at.to_string(),
            operation.message,
            operation.held.unwrap_or_default(),
        ]
    }
}

impl From<Operation> for OperationDetail {
    fn from(operation: Operation) -> Self {
        let attempts = [PaymentKind::Transfer, PaymentKind::Withdrawal].into_iter().flat_map(|payment| {
            operation.payment(payment).attempts.iter().map(move |attempt| AttemptItem {
                payment,
                reference: attempt.reference.clone(),
                amount: attempt.amount.decimal(),
                transaction_id: attempt.transaction_id.clone(),
                transaction_status: attempt.transaction_status.clone(),
                sent_at: attempt.intended_at,
                updated_at: attempt.updated_at,
                message: attempt.message.clone(),
            })
        });
        let change = |change: &crate::domain::operation::Change| ChangeItem {
            at: change.at,
            status: change.status.to_string(),
            message: change.message.clone(),
        };
        Self {
            attempts: attempts.collect(),
            history: operation.history.iter().map(change).collect(),
            cycle_date: operation.cycle_date,
            invoice_id: operation.invoice_id.clone(),
            billing_cycle_id: operation.billing_cycle_id.clone(),
            shortfall: operation.shortfall.map(Amount::decimal),
            adjusts: operation.adjusts.clone(),
            adjusted_by: operation.adjusted_by,
            remainder_of: operation.remainder_of,
            candidates: operation.candidates.clone(),
            dismissed: operation.dismissed.clone(),
            created_at: operation.created_at,
            item: OperationFilter::item(operation),
        }
    }
}
