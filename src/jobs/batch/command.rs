//! The batches and their arguments.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use crate::jobs::GenerateArguments;
use crate::platform::variants::named;
use crate::text::message::{Message, msg};

/// A batch and its arguments. As JSON: `{"command": "vendor:process", "since": null}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command")]
pub enum Command {
    /// Update of wallets, documents and bank details of all shops, or of those updated since a time.
    #[serde(rename = "vendor:process")]
    VendorProcess {
        /// Earliest update of the shops to process (UTC); all shops if absent.
        #[serde(default)]
        since: Option<Timestamp>,
    },
    /// Creation of operations from vouchers.
    #[serde(rename = "cashout:generate")]
    CashoutGenerate(GenerateArguments),
    /// Transfers from the escrow account to the wallets.
    #[serde(rename = "cashout:transfer")]
    CashoutTransfer,
    /// Withdrawals from the wallets to the banks.
    #[serde(rename = "cashout:withdraw")]
    CashoutWithdraw,
    /// Look-up of the outcome of everything that is under way.
    #[serde(rename = "cashout:transaction:status:sync")]
    TransactionStatusSync,
}

/// The commands that are batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoStaticStr, VariantArray)]
#[schema(as = BatchCommand)]
pub enum BatchKind {
    /// Processing of wallets, documents and bank details.
    #[serde(rename = "vendor:process")]
    #[strum(serialize = "vendor:process")]
    VendorProcess,
    /// Creation of operations from vouchers.
    #[serde(rename = "cashout:generate")]
    #[strum(serialize = "cashout:generate")]
    CashoutGenerate,
    /// Transfer of money to the wallets.
    #[serde(rename = "cashout:transfer")]
    #[strum(serialize = "cashout:transfer")]
    CashoutTransfer,
    /// Withdrawal of money to the banks.
    #[serde(rename = "cashout:withdraw")]
    #[strum(serialize = "cashout:withdraw")]
    CashoutWithdraw,
    /// Synchronisation of the outcome of everything under way.
    #[serde(rename = "cashout:transaction:status:sync")]
    #[strum(serialize = "cashout:transaction:status:sync")]
    TransactionStatusSync,
}

named!(pub BatchKind);

impl BatchKind {
    /// Returns the command for shops updated since then, or for this generation; the error is the name of the argument
    /// that the command has no use for.
    pub fn with(self, since: Option<Timestamp>, generate: GenerateArguments) -> Result<Command, &'static str> {
        if since.is_some() && self != Self::VendorProcess {
            return Err("since");
        }
        let GenerateArguments { cycle_date, execution_date, before, after } = &generate;
        let given = [
            ("cycle_date", cycle_date.is_some()),
            ("execution_date", execution_date.is_some()),
            ("before", before.is_some()),
            ("after", after.is_some()),
        ];
        if self != Self::CashoutGenerate
            && let Some((name, _)) = given.into_iter().find(|(_, given)| *given)
        {
            return Err(name);
        }
        Ok(match self {
            Self::VendorProcess => Command::VendorProcess { since },
            Self::CashoutGenerate => Command::CashoutGenerate(generate),
            Self::CashoutTransfer => Command::CashoutTransfer,
            Self::CashoutWithdraw => Command::CashoutWithdraw,
            Self::TransactionStatusSync => Command::TransactionStatusSync,
        })
    }
}

impl Command {
    /// Returns the kind of the batch.
    pub fn kind(&self) -> BatchKind {
        match self {
            Self::VendorProcess { .. } => BatchKind::VendorProcess,
            Self::CashoutGenerate(_) => BatchKind::CashoutGenerate,
            Self::CashoutTransfer => BatchKind::CashoutTransfer,
            Self::CashoutWithdraw => BatchKind::CashoutWithdraw,
            Self::TransactionStatusSync => BatchKind::TransactionStatusSync,
        }
    }

    /// Returns the name on the command line.
    pub fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// Returns the arguments as a message; empty if there are none.
    pub fn arguments(&self) -> Message {
        match self {
            Self::VendorProcess { since: Some(since) } => msg!("asked-since", since = since.to_string()),
            Self::CashoutGenerate(arguments) => arguments.into(),
            Self::VendorProcess { since: None }
            | Self::CashoutTransfer
            | Self::CashoutWithdraw
            | Self::TransactionStatusSync => Message::none(),
        }
    }
}

#[cfg(test)]
mod tests;
