//! A customer's payment, as HiPay Enterprise's notifications describe it, in order.
//!
//! Notifications are repeated, late and in any order; the payment and its history do not depend on the order of
//! arrival.
//!
//! Pure.

mod notice;
mod status;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use notice::{PaymentNotice, transaction_reference};
pub use status::{PaymentOutcome, PaymentStatus};

pub(crate) use notice::FieldReading;

use crate::domain::money::Amount;

/// A customer's payment with its history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomerPayment {
    /// HiPay's number of the payment. Never changes.
    pub transaction_reference: String,
    /// The last notification of the history: the payment's current state.
    pub latest: PaymentNotice,
    /// Time of the payment's last change (UTC): `date_updated` of that notification, or its arrival.
    pub date: Timestamp,
    /// All notifications, in order.
    #[serde(default)]
    pub history: Vec<PaymentStep>,
    /// Time at which the personal data was removed (UTC).
    pub erased_at: Option<Timestamp>,
    /// Fields that a later release wrote, kept unchanged.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// One notification in the history of a payment. Contains no personal data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PaymentStep {
    /// Number of the notification in the inbox, where all of it is kept.
    pub notification: u64,
    /// Time of the first arrival (UTC).
    pub received_at: Timestamp,
    /// Time of the payment's change (UTC), according to the notification.
    pub date_updated: Option<Timestamp>,
    /// Number of the attempt to pay.
    pub attempt_id: Option<u64>,
    /// Status at that time.
    pub status: Option<PaymentStatus>,
    /// HiPay's word for the status.
    #[serde(default)]
    pub message: String,
    /// HiPay's number of the reason for a decline.
    #[serde(default)]
    pub reason_code: String,
    /// Reason for a decline, in words.
    #[serde(default)]
    pub reason_message: String,
    /// Amount that the customer had agreed to.
    pub authorized_amount: Option<Amount>,
    /// Amount for which a capture was requested by then.
    pub captured_amount: Option<Amount>,
    /// Amount for which a refund was requested by then.
    pub refunded_amount: Option<Amount>,
    /// Type of the operation (capture, refund, cancel), if HiPay states it.
    #[serde(default)]
    pub operation_type: String,
    /// The merchant's id of that operation.
    #[serde(default)]
    pub operation_id: String,
    /// Fields that a later release wrote, kept unchanged.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// Number and time of a notification's arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Number in the inbox: the order of arrival.
    pub notification: u64,
    /// Time of the first arrival (UTC).
    pub received_at: Timestamp,
}

/// Effect of a notification on a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentEffect {
    /// Now the payment's current state.
    Latest,
    /// Late: added to the history, but the payment has changed since.
    Late,
    /// In the history already.
    Repeated,
}

impl PaymentStep {
    fn of(notice: &PaymentNotice, arrival: Arrival) -> Self {
        let text = |name| notice.field(&[name]).unwrap_or_default().to_owned();
        Self {
            notification: arrival.notification,
            received_at: arrival.received_at,
            date_updated: notice.date_updated,
            attempt_id: notice.attempt_id,
            status: notice.status,
            message: notice.message.clone(),
            reason_code: notice.reason_code.clone(),
            reason_message: notice.reason_message.clone(),
            authorized_amount: notice.authorized_amount,
            captured_amount: notice.captured_amount,
            refunded_amount: notice.refunded_amount,
            operation_type: text("operation[type]"),
            operation_id: text("operation[id]"),
            unknown: Map::new(),
        }
    }

    /// Returns the time of the payment's change; the time of arrival if HiPay does not state it.
    pub fn date(&self) -> Timestamp {
        self.date_updated.unwrap_or(self.received_at)
    }

    /// Returns the sort key of the history: HiPay's dates have whole seconds, and several statuses may share one.
    fn rank(&self) -> (Timestamp, u64, u8, [i64; 2], u64) {
        let step = self.status.map_or(0, PaymentStatus::step);
        // Of two captures in one second, the later one has the larger sum.
        let money = [self.captured_amount, self.refunded_amount].map(|amount| amount.map_or(0, Amount::minor));
        (self.date(), self.attempt_id.unwrap_or(0), step, money, self.notification)
    }
}

/// Maximum number of characters of a merchant's order number used for search.
const MAX_ORDER_ID_SEARCHED: usize = 100;

impl CustomerPayment {
    /// Returns the search key of a merchant's order number: its beginning, in lower case.
    pub fn searched(order_id: &str) -> String {
        order_id.chars().take(MAX_ORDER_ID_SEARCHED).collect::<String>().to_lowercase()
    }

    /// Makes a payment from its first notification.
    pub fn new(notice: PaymentNotice, arrival: Arrival) -> Self {
        let step = PaymentStep::of(&notice, arrival);
        Self {
            transaction_reference: notice.transaction_reference.clone(),
            date: step.date(),
            latest: notice,
            history: vec![step],
            erased_at: None,
            unknown: Map::new(),
        }
    }

    /// Adds a notification to the history. The last entry of the history determines the payment's state, whichever
    /// arrived last.
    pub fn add_notification(&mut self, notice: PaymentNotice, arrival: Arrival) -> PaymentEffect {
        if self.history.iter().any(|step| step.notification == arrival.notification) {
            return PaymentEffect::Repeated;
        }
        let step = PaymentStep::of(&notice, arrival);
        let is_last = self.history.iter().all(|other| other.rank() < step.rank());
        let date = step.date();
        self.history.push(step);
        // An earlier release may have stored it in another order.
        self.history.sort_by_key(PaymentStep::rank);
        if !is_last {
            return PaymentEffect::Late;
        }
        self.date = date;
        self.latest = notice;
        self.erased_at = None;
        PaymentEffect::Latest
    }

    /// Returns the outcome of the payment. Captured money takes precedence: after a capture, a later refusal concerns
    /// the rest.
    pub fn outcome(&self) -> PaymentOutcome {
        let told = self.latest.status.map_or(PaymentOutcome::Unknown, PaymentStatus::outcome);
        let captured = self.captured_amount().is_some_and(Amount::is_positive) && self.has_captured();
        if captured && told != PaymentOutcome::Disputed { PaymentOutcome::Accepted } else { told }
    }

    fn has_captured(&self) -> bool {
        self.history.iter().any(|step| step.status.is_some_and(PaymentStatus::tells_captured))
    }

    /// Returns the captured amount, by the last notification whose status states it; before that, by the last
    /// notification.
    pub fn captured_amount(&self) -> Option<Amount> {
        self.told(PaymentStatus::tells_captured, |step| step.captured_amount).or(self.latest.captured_amount)
    }

    /// Returns the refunded amount, by the last notification whose status states it; else by the last notification.
    pub fn refunded_amount(&self) -> Option<Amount> {
        self.told(PaymentStatus::tells_refunded, |step| step.refunded_amount).or(self.latest.refunded_amount)
    }

    fn told(
        &self,
        tells: impl Fn(PaymentStatus) -> bool,
        amount: impl Fn(&PaymentStep) -> Option<Amount>,
    ) -> Option<Amount> {
        let mut steps: Vec<&PaymentStep> = self.history.iter().collect();
        steps.sort_by_key(|step| step.rank());
        steps.into_iter().rev().filter(|step| step.status.is_some_and(&tells)).find_map(amount)
    }

    /// Returns true while the payment may contain personal data.
    pub fn is_personal(&self) -> bool {
        self.erased_at.is_none()
    }

    /// Removes personal data, certain or possible: every field except those known to contain none.
    pub fn erase_personal(&mut self, now: Timestamp) {
        self.latest.fields.retain(|name| IMPERSONAL.contains(&name));
        self.erased_at = Some(now);
    }
}

/// Fields that contain no personal data.
const IMPERSONAL: [&str; 41] = [
    "state",
    "reason[code]",
    "reason[message]",
    "test",
    "mid",
    "attempt_id",
    "authorization_code",
    "transaction_reference",
    "acquirer_transaction_reference",
    "date_created",
    "date_updated",
    "date_authorized",
    "status",
    "message",
    "authorized_amount",
    "captured_amount",
    "real_captured_amount",
    "refunded_amount",
    "real_refunded_amount",
    "decimals",
    "currency",
    "eci",
    "payment_product",
    "payment_method[brand]",
    "payment_method[issuer]",
    "payment_method[country]",
    "orderid",
    "order[id]",
    "order[date_created]",
    "order[attempts]",
    "order[amount]",
    "order[shipping]",
    "order[tax]",
    "order[decimals]",
    "order[currency]",
    "operation[type]",
    "operation[id]",
    "operation[reference]",
    "operation[amount]",
    "operation[currency]",
    "operation[date]",
];

#[cfg(test)]
mod tests;
