//! Batches: executed, running and queued.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{ListFilter, exactly};
use crate::jobs::{BatchRecord, BatchState, Command, GenerateArguments};
use crate::store::ListPage;
use crate::web::problem::Problem;

/// Filters of the batches.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct BatchFilter {
    /// Command of the batch.
    command: Option<BatchCommand>,
    /// State of the batch.
    #[serde(default, deserialize_with = "exactly")]
    state: Option<BatchState>,
}

/// The commands that are batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(in crate::web) enum BatchCommand {
    /// Processing of wallets, documents and bank details.
    #[serde(rename = "vendor:process")]
    VendorProcess,
    /// Creation of operations from vouchers.
    #[serde(rename = "cashout:generate")]
    CashoutGenerate,
    /// Transfer of money to the wallets.
    #[serde(rename = "cashout:transfer")]
    CashoutTransfer,
    /// Withdrawal of money to the banks.
    #[serde(rename = "cashout:withdraw")]
    CashoutWithdraw,
    /// Synchronisation of the outcome of everything under way.
    #[serde(rename = "cashout:transaction:status:sync")]
    TransactionStatusSync,
}

impl BatchCommand {
    /// All commands, in the order of a day.
    pub(in crate::web) const ALL: [Self; 5] = [
        Self::VendorProcess,
        Self::CashoutGenerate,
        Self::CashoutTransfer,
        Self::CashoutWithdraw,
        Self::TransactionStatusSync,
    ];

    /// Returns the command for shops updated since then, or for this cycle; the error is the name of the argument that
    /// the command has no use for.
    pub(in crate::web) fn with(
        self,
        since: Option<Timestamp>,
        cycle_date: Option<Date>,
    ) -> Result<Command, &'static str> {
        match (self, since, cycle_date) {
            (Self::VendorProcess, since, None) => Ok(Command::VendorProcess { since }),
            (Self::CashoutGenerate, None, cycle_date) => {
                Ok(Command::CashoutGenerate(GenerateArguments { cycle_date, ..GenerateArguments::default() }))
            }
            (Self::VendorProcess, _, Some(_)) => Err("cycle_date"),
            (_, Some(_), _) => Err("since"),
            (_, _, Some(_)) => Err("cycle_date"),
            (Self::CashoutTransfer, None, None) => Ok(Command::CashoutTransfer),
            (Self::CashoutWithdraw, None, None) => Ok(Command::CashoutWithdraw),
            (Self::TransactionStatusSync, None, None) => Ok(Command::TransactionStatusSync),
        }
    }

    /// Returns the name on the command line.
    pub(in crate::web) fn name(self) -> &'static str {
        match self {
            Self::VendorProcess => "vendor:process",
            Self::CashoutGenerate => "cashout:generate",
            Self::CashoutTransfer => "cashout:transfer",
            Self::CashoutWithdraw => "cashout:withdraw",
            Self::TransactionStatusSync => "cashout:transaction:status:sync",
        }
    }
}

/// One batch.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct BatchItem {
    /// Our own number.
    pub(in crate::web) id: u64,
    /// Name of the command.
    pub(in crate::web) command: String,
    /// Arguments of the command, in words.
    pub(in crate::web) arguments: String,
    /// Name of the requester.
    pub(in crate::web) asked_by: String,
    /// State of the batch.
    pub(in crate::web) state: BatchState,
    /// Time of the request (UTC), if the batch had to wait.
    pub(in crate::web) queued_at: Option<Timestamp>,
    /// Time when it began (UTC); absent while it waits.
    pub(in crate::web) started_at: Option<Timestamp>,
    /// Time when it ended (UTC).
    pub(in crate::web) ended_at: Option<Timestamp>,
    /// Reason for an early end.
    pub(in crate::web) error: Option<String>,
    /// Number of processed items.
    pub(in crate::web) done: u64,
    /// Number of items in all.
    pub(in crate::web) total: u64,
    /// Number of failed items.
    pub(in crate::web) failed: u64,
    /// Number of items by result.
    pub(in crate::web) counts: BTreeMap<String, u64>,
}

impl ListFilter for BatchFilter {
    type Record = BatchRecord;
    type Item = BatchItem;

    fn listing(&self, _zone: &TimeZone) -> Result<ListPage, Problem> {
        let command = self.command.map(|command| command.name().to_owned());
        let state = self.state.map(|state| state.name().to_owned());
        Ok(match (command, state) {
            (None, None) => ListPage::all(),
            (Some(command), None) => ListPage::any_of("command", [command]),
            (None, Some(state)) => ListPage::any_of("state", [state]),
            (Some(command), Some(state)) => ListPage::any_of("state", [state]).and("command", [command]),
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
