//! The batches and their arguments.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::jobs::GenerateArguments;
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

impl Command {
    /// The names of all batches on the command line.
    pub const NAMES: [&'static str; 5] = [
        "vendor:process",
        "cashout:generate",
        "cashout:transfer",
        "cashout:withdraw",
        "cashout:transaction:status:sync",
    ];

    /// Returns the name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::VendorProcess { .. } => "vendor:process",
            Self::CashoutGenerate(_) => "cashout:generate",
            Self::CashoutTransfer => "cashout:transfer",
            Self::CashoutWithdraw => "cashout:withdraw",
            Self::TransactionStatusSync => "cashout:transaction:status:sync",
        }
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
