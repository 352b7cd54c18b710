//! The batches and their arguments.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::jobs::GenerateArguments;
use crate::text::message::{Message, msg};

/// A batch and its arguments. As JSON: `{"command": "vendor:process", "since": null}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command")]
pub enum Command {
    /// Update of wallets, documents and bank details of all shops, or of those updated since a
    /// time.
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
mod tests {
    use jiff::SignedDuration;
    use jiff::civil::date;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_is_read_again_as_it_was_written() {
        let all = [
            Command::VendorProcess { since: None },
            Command::VendorProcess { since: Some("2026-11-21T10:00:00Z".parse().unwrap()) },
            Command::CashoutGenerate(GenerateArguments::default()),
            Command::CashoutGenerate(GenerateArguments {
                cycle_date: Some(date(2026, 11, 11)),
                execution_date: Some(date(2026, 11, 12)),
                before: Some(SignedDuration::from_hours(13)),
                after: Some(SignedDuration::from_secs(90)),
            }),
            Command::CashoutTransfer,
            Command::CashoutWithdraw,
            Command::TransactionStatusSync,
        ];
        for command in all {
            let written = serde_json::to_value(&command).unwrap();
            assert_eq!(written["command"], command.name());
            assert!(Command::NAMES.contains(&command.name()));
            assert_eq!(serde_json::from_value::<Command>(written).unwrap(), command);
        }
    }

    #[test]
    fn what_is_not_asked_for_may_be_left_out() {
        for (text, command) in [
            (json!({ "command": "vendor:process" }), Command::VendorProcess { since: None }),
            (json!({ "command": "cashout:generate" }), Command::CashoutGenerate(GenerateArguments::default())),
        ] {
            assert_eq!(serde_json::from_value::<Command>(text).unwrap(), command);
        }
        assert!(serde_json::from_value::<Command>(json!({ "command": "cashout:everything" })).is_err());
    }
}
