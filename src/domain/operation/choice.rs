//! A person's decisions about an operation, and the cases in which a decision would change nothing.

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use super::{Hold, Operation, Status};
use crate::text::message::{Message, msg};

/// A person's choice on an operation (rules, number 12 of "Money never moves twice").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[serde(tag = "choice", rename_all = "snake_case")]
pub enum OperationChoice {
    /// Another try by the next run.
    Retry,
    /// A hold: nothing is paid until a person releases it.
    Hold,
    /// The end of the hold.
    Release,
    /// The statement that it was paid otherwise; it is never paid from here.
    Settle,
    /// The statement that a payment that HiPay shows is this operation's, with its amount.
    Accept {
        /// HiPay's id of the payment's transaction.
        transaction_id: String,
    },
    /// A choice that this release does not know.
    #[serde(other)]
    Unknown,
}

impl OperationChoice {
    /// Returns the choice's word.
    pub fn name(&self) -> &'static str {
        self.into()
    }

    /// Returns true if the choice requires a reason.
    pub fn needs_reason(&self) -> bool {
        matches!(self, Self::Hold | Self::Settle | Self::Accept { .. })
    }
}

impl Operation {
    /// Returns true if a person has found that the operation was paid otherwise.
    pub fn is_settled(&self) -> bool {
        self.held.is_some() && self.held_for == Some(Hold::Settled)
    }

    /// Returns the reason why `choice` would change nothing; `None` if it takes effect.
    pub fn refuses(&self, choice: &OperationChoice) -> Option<Message> {
        let (operation, status) = (self.id, &self.status);
        let is_over = matches!(status, Status::WithdrawSuccess | Status::AdjustedOperations);
        let is_sent = Status::TRANSFER_SENT.contains(status) || Status::WITHDRAW_SENT.contains(status);
        let certain = |why: Hold| matches!(why, Hold::ByPerson | Hold::LedgerUnread) || why.is_about_voucher();
        let held_in_doubt = self.held.is_some() && !self.held_for.is_some_and(certain);
        let in_doubt = held_in_doubt || self.unknown_word().is_some();
        let has_nothing = *status == Status::InvalidAmount;
        match choice {
            OperationChoice::Unknown => Some(msg!("choice-unknown", operation)),
            OperationChoice::Retry if self.waits_for_person() => None,
            OperationChoice::Retry if self.is_settled() => Some(msg!("choice-settled", operation)),
            OperationChoice::Retry => Some(msg!("retry-not-needed", operation, status)),
            OperationChoice::Release => self.held.is_none().then(|| msg!("choice-not-held", operation, status)),
            _ if self.is_settled() => Some(msg!("choice-settled", operation)),
            OperationChoice::Hold => match &self.held {
                Some(reason) if self.held_for.is_some_and(Hold::is_decided) => {
                    Some(msg!("choice-held-already", operation, reason))
                }
                _ => (is_over || has_nothing).then(|| msg!("choice-over", operation, status)),
            },
            OperationChoice::Settle if is_over && self.held.is_none() => Some(msg!("choice-over", operation, status)),
            OperationChoice::Settle if has_nothing && self.amount.minor() >= 0 => {
                Some(msg!("choice-over", operation, status))
            }
            OperationChoice::Accept { .. } if is_over || has_nothing => Some(msg!("choice-over", operation, status)),
            // Only the outcome of the payment shows whether it is paid, unless that outcome is in doubt.
            OperationChoice::Settle | OperationChoice::Accept { .. } if is_sent && !in_doubt => {
                Some(msg!("choice-under-way", operation, status))
            }
            OperationChoice::Settle | OperationChoice::Accept { .. } => None,
        }
    }
}
