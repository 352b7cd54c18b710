//! HiPay's ledger as it was last read: one row for each transaction of each account.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::export::Export;
use super::{ListFilter, Moment, Period, exactly, moment};
use crate::domain::ledger::{LedgerEntry, LedgerMatch};
use crate::domain::money::Amount;
use crate::store::{Index, Query};
use crate::web::problem::Problem;

/// Filters of the transactions.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct TransactionFilter {
    /// Relation to the operations of this store.
    #[serde(default, rename = "match", deserialize_with = "exactly")]
    matched: Option<LedgerMatch>,
    /// Earliest time of the transaction: a day or an instant, inclusive.
    #[param(schema_with = moment)]
    from: Option<Moment>,
    /// Latest time of the transaction: a day, inclusive, or an instant, exclusive.
    #[param(schema_with = moment)]
    to: Option<Moment>,
}

/// One transaction of an account.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct TransactionItem {
    /// HiPay's transaction id.
    pub(in crate::web) id: String,
    /// Time of creation at HiPay (UTC).
    pub(in crate::web) date: Timestamp,
    /// HiPay's word for its type; may be a number.
    pub(in crate::web) kind: String,
    /// The account whose list shows it (HiPay ID).
    pub(in crate::web) account: u64,
    /// Amount with the currency's decimals; absent if HiPay does not state it.
    #[schema(example = "83.00")]
    pub(in crate::web) amount: Option<String>,
    /// Currency (ISO 4217).
    pub(in crate::web) currency: Option<String>,
    /// HiPay's fees.
    pub(in crate::web) fees: Option<String>,
    /// HiPay's word for its status.
    pub(in crate::web) status: String,
    /// The merchant's reference; empty if there is none.
    pub(in crate::web) reference: String,
    /// Label of the transaction.
    pub(in crate::web) label: String,
    /// Relation to the operations of this store.
    #[serde(rename = "match")]
    pub(in crate::web) matched: LedgerMatch,
    /// The operation that it belongs to.
    pub(in crate::web) operation: Option<u64>,
}

impl ListFilter for TransactionFilter {
    type Record = LedgerEntry;
    type Item = TransactionItem;

    const SEARCH: Option<Index<Self::Record, (), String>> = Some(LedgerEntry::SEARCH);

    fn listing(&self, zone: &TimeZone) -> Result<Query<Self::Record>, Problem> {
        let listing = match self.matched {
            Some(matched) => Query::group(LedgerEntry::BY_MATCH, matched),
            None => Query::group(LedgerEntry::BY_DATE, ()),
        };
        Ok(Period::new(self.from.as_ref(), self.to.as_ref(), zone)?.limit(listing).in_any_order())
    }

    fn passes(&self, entry: &LedgerEntry, zone: &TimeZone) -> Result<bool, Problem> {
        let period = Period::new(self.from.as_ref(), self.to.as_ref(), zone)?;
        Ok(self.matched.is_none_or(|matched| matched == entry.matched) && period.contains(entry.created_at))
    }

    fn date(entry: &LedgerEntry) -> Timestamp {
        entry.created_at
    }

    fn item(entry: LedgerEntry) -> TransactionItem {
        TransactionItem {
            date: entry.created_at,
            account: entry.account,
            amount: entry.amount.map(Amount::decimal),
            currency: entry.amount.map(|amount| amount.currency().code().to_owned()),
            fees: entry.fees.map(Amount::decimal),
            matched: entry.matched,
            operation: entry.operation,
            id: entry.transaction_id,
            kind: entry.kind,
            status: entry.status,
            reference: entry.reference,
            label: entry.label,
        }
    }
}

impl Export for TransactionFilter {
    const NAME: &'static str = "transactions";
    const COLUMNS: &'static str = "\
        id date kind account amount currency fees status reference label match operation";
}
