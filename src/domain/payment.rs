//! A customer's payment: what HiPay Enterprise's notifications say of it, in order.
//!
//! Notifications come repeated, late and in any order; the payment and its history are the same in
//! whatever order they came.
//!
//! Pure.

mod notice;
mod status;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use notice::{PaymentNotice, transaction_reference};
pub use status::{PaymentOutcome, PaymentStatus};

pub(crate) use notice::Reading;

use crate::domain::money::Amount;

/// What we know of a customer's payment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomerPayment {
    /// HiPay's number of the payment. Never changes.
    pub transaction_reference: String,
    /// What the last notification of the history says: how the payment stands.
    pub latest: PaymentNotice,
    /// When the payment last changed (UTC): `date_updated` of that notification, or its arrival.
    pub date: Timestamp,
    /// Every notification, in order.
    #[serde(default)]
    pub history: Vec<PaymentStep>,
    /// When what is about a person was removed (UTC).
    #[serde(default)]
    pub erased_at: Option<Timestamp>,
    /// What a later release wrote beside this; kept as it is.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// One notification in the history of a payment. Says nothing about a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PaymentStep {
    /// Its number in the inbox, where all of it is kept.
    pub notification: u64,
    /// When it came first (UTC).
    pub received_at: Timestamp,
    /// When the payment changed (UTC), by the notification.
    #[serde(default)]
    pub date_updated: Option<Timestamp>,
    /// Which attempt to pay it is about.
    #[serde(default)]
    pub attempt_id: Option<u64>,
    /// The status then.
    #[serde(default)]
    pub status: Option<PaymentStatus>,
    /// HiPay's word for it.
    #[serde(default)]
    pub message: String,
    /// Why it was declined: HiPay's number of the reason.
    #[serde(default)]
    pub reason_code: String,
    /// Why it was declined, in words.
    #[serde(default)]
    pub reason_message: String,
    /// What the customer had agreed to.
    #[serde(default)]
    pub authorized_amount: Option<Amount>,
    /// What was asked to be captured by then.
    #[serde(default)]
    pub captured_amount: Option<Amount>,
    /// What was asked to be refunded by then.
    #[serde(default)]
    pub refunded_amount: Option<Amount>,
    /// What was done (capture, refund, cancel), where HiPay tells.
    #[serde(default)]
    pub operation_type: String,
    /// The merchant's id of that.
    #[serde(default)]
    pub operation_id: String,
    /// What a later release wrote beside this; kept as it is.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// When and as what a notification came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Its number in the inbox: the order of arrival.
    pub notification: u64,
    /// When it came first (UTC).
    pub received_at: Timestamp,
}

/// What a notification did to a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// The payment stands as it says.
    Latest,
    /// It came late: it is in the history, and the payment has gone on since.
    Late,
    /// It was there already.
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

    /// When the payment changed; where HiPay does not say, when we heard of it.
    pub fn date(&self) -> Timestamp {
        self.date_updated.unwrap_or(self.received_at)
    }

    /// What the order of the history goes by: HiPay's dates have whole seconds, and several statuses share one.
    fn rank(&self) -> (Timestamp, u64, u8, [i64; 2], u64) {
        let step = self.status.map_or(0, PaymentStatus::step);
        // Of two captures in one second, the later one tells the larger sum.
        let money = [self.captured_amount, self.refunded_amount].map(|amount| amount.map_or(0, Amount::minor));
        (self.date(), self.attempt_id.unwrap_or(0), step, money, self.notification)
    }
}

/// How much of a merchant's order number is searched by, in characters.
const ORDER_ID_SEARCHED: usize = 100;

impl CustomerPayment {
    /// What a merchant's order number is found by: its beginning, whatever its capitals.
    pub fn searched(order_id: &str) -> String {
        order_id.chars().take(ORDER_ID_SEARCHED).collect::<String>().to_lowercase()
    }

    /// A payment of which the first notification has come.
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

    /// Takes another notification into the history. The last of the history says how the payment
    /// stands, whichever came last.
    pub fn take(&mut self, notice: PaymentNotice, arrival: Arrival) -> Taken {
        if self.history.iter().any(|step| step.notification == arrival.notification) {
            return Taken::Repeated;
        }
        let step = PaymentStep::of(&notice, arrival);
        let is_last = self.history.iter().all(|other| other.rank() < step.rank());
        let date = step.date();
        self.history.push(step);
        // An earlier release may have kept it in another order.
        self.history.sort_by_key(PaymentStep::rank);
        if !is_last {
            return Taken::Late;
        }
        self.date = date;
        self.latest = notice;
        self.erased_at = None;
        Taken::Latest
    }

    /// What became of it. The money counts: where something was captured, a later refusal is about the rest.
    pub fn outcome(&self) -> PaymentOutcome {
        let told = self.latest.status.map_or(PaymentOutcome::Unknown, PaymentStatus::outcome);
        let captured = self.captured_amount().is_some_and(Amount::is_positive) && self.has_captured();
        if captured && told != PaymentOutcome::Disputed { PaymentOutcome::Accepted } else { told }
    }

    fn has_captured(&self) -> bool {
        self.history.iter().any(|step| step.status.is_some_and(PaymentStatus::tells_captured))
    }

    /// What was captured, by the last notification of a status that says so; before that, what the last one says.
    pub fn captured_amount(&self) -> Option<Amount> {
        self.told(PaymentStatus::tells_captured, |step| step.captured_amount).or(self.latest.captured_amount)
    }

    /// What was refunded, likewise.
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

    /// True while it may hold something about a person.
    pub fn is_personal(&self) -> bool {
        self.erased_at.is_none()
    }

    /// Removes what is about a person, or may be: every field but those known to be about none.
    pub fn erase_personal(&mut self, now: Timestamp) {
        self.latest.fields.retain(|name| IMPERSONAL.contains(&name));
        self.erased_at = Some(now);
    }
}

/// The fields that are about no person.
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
