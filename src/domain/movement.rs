//! Money that moved on one of our accounts for a reason other than a payment of ours: mostly sales that arrive on the
//! technical account. They fund the escrow.
//!
//! Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::money::{Amount, Currency};
use crate::domain::notification::WalletNotice;

/// A movement that HiPay reported (`other_transaction`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Movement {
    /// The account that the report concerns.
    pub account_id: u64,
    /// HiPay's transaction id; the number of the notification if HiPay gave none.
    pub transaction_id: String,
    /// HiPay's word for the result: `ok`.
    #[serde(default)]
    pub status: String,
    /// Amount without a sign; `None` if it cannot be read.
    pub amount: Option<Amount>,
    /// HiPay's label.
    #[serde(default)]
    pub label: String,
    /// Type of the underlying settlement, if there is one.
    pub settlement_type: Option<String>,
    /// The settlement's number.
    pub settlement_id: Option<String>,
    /// The settlement's date, in HiPay's spelling.
    pub settlement_date: Option<String>,
    /// Time of the movement by HiPay's clock (UTC); the time of receipt if HiPay's cannot be read.
    pub at: Timestamp,
    /// The notification that reported it.
    pub notification: u64,
    /// Fields that a later release wrote, kept unchanged.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl Movement {
    /// Makes the movement that `notice` reports; the notice was received as `notification`.
    pub fn from_notice(notice: &WalletNotice, notification: u64, received_at: Timestamp) -> Self {
        let text = |name: &str| notice.text(name).map(str::to_owned);
        Self {
            account_id: notice.account_id,
            transaction_id: notice.transaction_id.clone().unwrap_or_else(|| format!("notification-{notification}")),
            status: notice.status.clone(),
            amount: notice.amount(Currency::EUR).and_then(Result::ok),
            label: text("label").unwrap_or_default(),
            settlement_type: text("settlement_type"),
            settlement_id: text("settlement_id"),
            settlement_date: text("settlement_date"),
            at: notice.at.unwrap_or(received_at),
            notification,
            unknown: Map::new(),
        }
    }
}
