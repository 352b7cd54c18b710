//! The two payments of an operation, and its two possible payees.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use crate::platform::variants::{all, named};
use crate::text::message::{Argument, Message};
use crate::text::{Word, word_by_name};

/// One of the two payments in an operation's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema, VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum PaymentKind {
    /// Technical account to wallet.
    Transfer,
    /// Wallet to bank account.
    Withdrawal,
}

impl PaymentKind {
    /// Both kinds.
    pub const ALL: [Self; Self::VARIANTS.len()] = all(Self::VARIANTS);

    /// Returns the word used in messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Withdrawal => "withdrawal",
        }
    }
}

/// Payee of an operation.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
    IntoStaticStr,
    VariantArray,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Beneficiary {
    /// The seller.
    Vendor,
    /// The marketplace's operator: its commission.
    Operator,
}

named!(pub Beneficiary);

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
