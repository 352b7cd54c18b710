//! The two payments of an operation, and its two possible payees.

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use crate::platform::variants::named;
use crate::text::message::{Argument, Message};
use crate::text::word_by_name;

/// One of the two payments in an operation's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum PaymentKind {
    /// Technical account to wallet.
    Transfer,
    /// Wallet to bank account.
    Withdrawal,
}

impl PaymentKind {
    /// Returns the word used in the ids of messages about a status.
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Withdrawal => "withdraw",
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

named!(pub PaymentKind, pub Beneficiary);

impl From<PaymentKind> for Argument {
    fn from(kind: PaymentKind) -> Self {
        Message::new(&format!("kind-of-{}", kind.name()), []).into()
    }
}

word_by_name!(PaymentKind => "kind", Beneficiary => "beneficiary");
