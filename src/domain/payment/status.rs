//! The statuses of a payment at HiPay Enterprise, and the meaning of each for a merchant.

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use crate::platform::variants::named;
use crate::text::Word;
use crate::text::message::{Message, msg};
use crate::text::word_by_name;
use std::borrow::Cow;

/// A status by its number. It determines the outcome of a payment; the field `state` does not. An unknown number is
/// kept and shown as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PaymentStatus(pub u32);

/// Meaning of a status for a merchant.
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
pub enum PaymentOutcome {
    /// Paid or to be paid by the customer; it may have been refunded since.
    Accepted,
    /// Undecided.
    Pending,
    /// Not paid by the customer.
    Declined,
    /// Charged back: the customer had the money returned by the bank.
    Disputed,
    /// Unknown to this release, or without a number.
    Unknown,
}

named!(pub PaymentOutcome);

impl PaymentStatus {
    /// Returns HiPay's name for the status; `None` for an unknown number.
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            101 => "Created",
            103 => "Cardholder Enrolled",
            104 => "Cardholder Not Enrolled",
            105 => "Unable to Authenticate",
            106 => "Cardholder Authenticated",
            107 => "Authentication Attempted",
            108 => "Could Not Authenticate",
            109 => "Authentication Failed",
            110 => "Blocked",
            111 => "Denied",
            112 => "Authorized and Pending",
            113 => "Refused",
            114 => "Expired",
            115 => "Cancelled",
            116 => "Authorized",
            117 => "Capture Requested",
            118 => "Captured",
            119 => "Partially Captured",
            120 => "Collected",
            121 => "Partially Collected",
            122 => "Settled",
            123 => "Partially Settled",
            124 => "Refund Requested",
            125 => "Refunded",
            126 => "Partially Refunded",
            129 => "Charged Back",
            131 => "Debited",
            132 => "Partially Debited",
            140 => "Authentication Requested",
            141 => "Authenticated",
            142 => "Authorization Requested",
            143 => "Authorization Cancelled",
            150 => "Acquirer Found",
            151 => "Acquirer Not Found",
            160 => "Cardholder Enrollment Unknown",
            161 => "Risk Accepted",
            163 => "Authorization Refused",
            165 => "Refund Refused",
            166 => "Issuer Credited",
            173 => "Capture Refused",
            174 => "Awaiting Terminal",
            175 => "Authorization Cancellation Requested",
            200 => "Pending Payment",
            _ => return None,
        })
    }

    /// Returns the position in a payment's life, to order statuses of the same date. A declined operation on a payment
    /// never ranks above the operation that succeeded.
    pub(super) fn step(self) -> u8 {
        match self.0 {
            108..=111 | 113 | 151 | 163 => 1,
            116 => 2,
            175 => 3,
            114 | 115 | 143 => 4,
            117 => 5,
            173 => 6,
            119 | 121 | 123 | 132 => 7,
            118 | 120 | 122 | 131 => 8,
            124 => 9,
            165 => 10,
            126 => 11,
            125 | 166 => 12,
            129 => 13,
            _ => 0,
        }
    }

    /// Returns true for a status of a payment of which something was captured.
    pub(super) fn tells_captured(self) -> bool {
        matches!(self.0, 118..=126 | 129 | 131 | 132 | 165 | 166)
    }

    /// Returns true for a status of a payment of which something was refunded.
    pub(super) fn tells_refunded(self) -> bool {
        matches!(self.0, 125 | 126 | 166)
    }

    /// Returns the meaning for a merchant.
    pub fn outcome(self) -> PaymentOutcome {
        match self.0 {
            // Refunds, even refused ones, belong to a payment that was captured.
            116..=126 | 131 | 132 | 165 | 166 => PaymentOutcome::Accepted,
            101 | 103..=107 | 112 | 140..=142 | 150 | 160 | 161 | 174 | 175 | 200 => PaymentOutcome::Pending,
            108..=111 | 113..=115 | 143 | 151 | 163 | 173 => PaymentOutcome::Declined,
            129 => PaymentOutcome::Disputed,
            _ => PaymentOutcome::Unknown,
        }
    }
}

/// Formats the number with its name: `118 Captured`.
impl fmt::Display for PaymentStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(formatter, "{} {name}", self.0),
            None => write!(formatter, "{}", self.0),
        }
    }
}

impl From<&PaymentStatus> for Message {
    fn from(status: &PaymentStatus) -> Self {
        let Some(name) = status.name() else { return Self::quoting(status.to_string()) };
        let word = Self::worded(name, &format!("payment-{}", status.0), []);
        msg!("notice-payment-status", number = status.0, word)
    }
}

word_by_name!(PaymentOutcome => "outcome");

/// The word is shown beside the number; a status without a word is shown by its number alone.
impl Word for PaymentStatus {
    fn id(&self) -> Option<Cow<'static, str>> {
        self.name().map(|_| format!("payment-{}", self.0).into())
    }

    fn plain(&self) -> String {
        self.0.to_string()
    }
}

#[cfg(test)]
mod tests;
