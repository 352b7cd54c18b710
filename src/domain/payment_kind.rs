//! The two payments of an operation, and the two who are paid.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::text::message::{Argument, Message};
use crate::text::{Word, word_by_name};

/// The two payments in an operation's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentKind {
    /// Technical account to wallet.
    Transfer,
    /// Wallet to bank account.
    Withdrawal,
}

impl PaymentKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Transfer, Self::Withdrawal];

    /// The word for messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Withdrawal => "withdrawal",
        }
    }
}

/// Who is paid by an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Beneficiary {
    /// The seller.
    Vendor,
    /// The marketplace's operator: its commission.
    Operator,
}

impl Beneficiary {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Vendor, Self::Operator];

    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vendor => "vendor",
            Self::Operator => "operator",
        }
    }
}

impl Word for PaymentKind {
    fn id(&self) -> Option<Cow<'static, str>> {
        Some(format!("kind-{}", self.word()).into())
    }
}

impl From<PaymentKind> for Argument {
    fn from(kind: PaymentKind) -> Self {
        Message::new(&format!("kind-of-{}", kind.word()), []).into()
    }
}

word_by_name!(Beneficiary => "beneficiary");
