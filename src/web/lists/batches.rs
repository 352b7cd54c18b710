//! Batches: executed, running and queued.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{ListFilter, exactly};
use crate::domain::money::Amount;
use crate::jobs::{BatchKind, BatchRecord, BatchState, Failure};
use crate::store::Query;
use crate::web::problem::Problem;

/// Filters of the batches.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct BatchFilter {
    /// Command of the batch.
    command: Option<BatchKind>,
    /// State of the batch.
    #[serde(default, deserialize_with = "exactly")]
    state: Option<BatchState>,
}

/// One batch.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct BatchItem {
    /// Our own number.
    pub id: u64,
    /// Name of the command.
    pub command: String,
    /// Arguments of the command, in words.
    pub arguments: String,
    /// Name of the requester.
    pub asked_by: String,
    /// State of the batch.
    pub state: BatchState,
    /// Time of the request (UTC), if the batch had to wait.
    pub queued_at: Option<Timestamp>,
    /// Time when it began (UTC); absent while it waits.
    pub started_at: Option<Timestamp>,
    /// Time when it ended (UTC).
    pub ended_at: Option<Timestamp>,
    /// Reason for an early end.
    pub error: Option<String>,
    /// Number of processed items.
    pub done: u64,
    /// Number of items in all.
    pub total: u64,
    /// Number of failed items.
    pub failed: u64,
    /// Number of items by result.
    pub counts: BTreeMap<String, u64>,
}

/// One batch with its failures and sums.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct BatchDetail {
    /// The batch as lists show it.
    #[serde(flatten)]
    pub item: BatchItem,
    /// Sums of money by result.
    pub amounts: BTreeMap<String, Vec<BatchAmount>>,
    /// The first failed items, up to a limit.
    pub failures: Vec<BatchFailure>,
    /// The first warnings, up to a limit.
    pub warnings: Vec<BatchFailure>,
}

/// A sum of money in one currency.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct BatchAmount {
    /// The sum, with the currency's decimals.
    #[schema(example = "83.00")]
    pub amount: String,
    /// Currency (ISO 4217).
    #[schema(example = "EUR")]
    pub currency: String,
}

/// A failed item, or a warning about one.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct BatchFailure {
    /// Store ID of the shop in Mirakl, if it concerns one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirakl_id: Option<u64>,
    /// Number of the voucher in Mirakl, if it concerns one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voucher: Option<String>,
    /// Message that states what happened and what to do.
    pub message: String,
}

impl From<Failure> for BatchFailure {
    fn from(failure: Failure) -> Self {
        let Failure { subject, message } = failure;
        Self { mirakl_id: subject.mirakl_id, voucher: subject.voucher, message: message.to_string() }
    }
}

impl From<BatchRecord> for BatchDetail {
    fn from(mut record: BatchRecord) -> Self {
        let amount = |sum: Amount| BatchAmount { amount: sum.decimal(), currency: sum.currency().code().to_owned() };
        let sums = |(result, sums): (String, Vec<Amount>)| (result, sums.into_iter().map(amount).collect());
        let failures = std::mem::take(&mut record.failures).into_iter().map(BatchFailure::from).collect();
        let warnings = std::mem::take(&mut record.warnings).into_iter().map(BatchFailure::from).collect();
        let amounts = std::mem::take(&mut record.amounts).into_iter().map(sums).collect();
        Self { item: BatchFilter::item(record), amounts, failures, warnings }
    }
}

impl ListFilter for BatchFilter {
    type Record = BatchRecord;
    type Item = BatchItem;

    fn listing(&self, _zone: &TimeZone) -> Result<Query<Self::Record>, Problem> {
        Ok(match (self.command.map(BatchKind::name), self.state) {
            (None, None) => Query::all().in_any_order(),
            (Some(command), None) => Query::group(BatchRecord::BY_COMMAND, command).in_any_order(),
            (None, Some(state)) => Query::group(BatchRecord::BY_STATE, state).in_any_order(),
            (Some(command), Some(state)) => {
                Query::group(BatchRecord::BY_STATE, state).and(BatchRecord::BY_COMMAND, [command]).in_any_order()
            }
        })
    }

    fn passes(&self, batch: &BatchRecord, _zone: &TimeZone) -> Result<bool, Problem> {
        Ok(self.command.is_none_or(|command| command.name() == batch.command)
            && self.state.is_none_or(|state| state == batch.state()))
    }

    fn date(batch: &BatchRecord) -> Timestamp {
        batch.started_at
    }

    fn item(batch: BatchRecord) -> BatchItem {
        let state = batch.state();
        let waits = state == BatchState::Queued;
        BatchItem {
            id: batch.id,
            command: batch.command,
            arguments: batch.arguments,
            asked_by: batch.asked_by,
            state,
            queued_at: batch.queued_at,
            started_at: Some(batch.started_at).filter(|_| !waits),
            ended_at: batch.ended_at,
            error: batch.error.map(|error| error.to_string()),
            done: batch.done,
            total: batch.total,
            failed: batch.failed,
            counts: batch.counts,
        }
    }
}
