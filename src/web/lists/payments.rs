//! Customers' payments.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::export::Export;
use super::{ListFilter, Moment, Period, at_most, moment, passing};
use crate::domain::money::Amount;
use crate::domain::payment::{CustomerPayment, PaymentOutcome, PaymentStatus, PaymentStep};
use crate::store::{Index, Query};
use crate::web::problem::Problem;

/// Filters of the payments.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct PaymentFilter {
    /// Meaning of the status for a merchant.
    outcome: Option<PaymentOutcome>,
    /// HiPay's number of the status, such as 118.
    #[param(minimum = 0, maximum = 9_999)]
    status: Option<u32>,
    /// Id of the merchant's order.
    order_id: Option<String>,
    /// Earliest time of the last change: a day or an instant, inclusive.
    #[param(schema_with = moment)]
    from: Option<Moment>,
    /// Latest time of the last change: a day, inclusive, or an instant, exclusive.
    #[param(schema_with = moment)]
    to: Option<Moment>,
    /// Tests only (`true`), or real payments only (`false`).
    test: Option<bool>,
}

/// One payment, without personal data.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct PaymentItem {
    /// HiPay's number of the payment.
    pub(in crate::web) transaction_reference: String,
    /// Id of the merchant's order.
    pub(in crate::web) order_id: String,
    /// HiPay's number of the status.
    pub(in crate::web) status: Option<u32>,
    /// HiPay's word for the status.
    pub(in crate::web) message: String,
    /// Meaning of the status for a merchant.
    pub(in crate::web) outcome: PaymentOutcome,
    /// Amount that the customer has authorized, with the currency's decimals.
    #[schema(example = "83.00")]
    pub(in crate::web) authorized_amount: Option<String>,
    /// Captured amount.
    pub(in crate::web) captured_amount: Option<String>,
    /// Refunded amount.
    pub(in crate::web) refunded_amount: Option<String>,
    /// Currency (ISO 4217).
    pub(in crate::web) currency: Option<String>,
    /// Means of payment: `cb`, `visa`, `paypal`, …
    pub(in crate::web) payment_product: String,
    /// Test payment.
    pub(in crate::web) test: bool,
    /// Time of the last change (UTC).
    pub(in crate::web) date: Timestamp,
}

/// One payment with its history.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct PaymentDetail {
    #[serde(flatten)]
    pub(in crate::web) item: PaymentItem,
    /// HiPay's number of the reason for a decline.
    pub(in crate::web) reason_code: String,
    /// HiPay's words for the reason for a decline.
    pub(in crate::web) reason_message: String,
    /// Notifications of the payment, in order.
    pub(in crate::web) history: Vec<PaymentStepItem>,
}

/// One notification of a payment's history.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct PaymentStepItem {
    /// Number of the notification.
    notification: u64,
    /// Time of the change (UTC); of its receipt, if HiPay does not state it.
    date: Timestamp,
    /// Attempt to pay that it concerns.
    attempt_id: Option<u64>,
    /// HiPay's number of the status at that time.
    status: Option<u32>,
    /// HiPay's word for that status.
    message: String,
    /// Amount captured by then.
    captured_amount: Option<String>,
    /// Amount refunded by then.
    refunded_amount: Option<String>,
}

impl PaymentFilter {
    /// Returns the payments that pass by outcome, status and test; `None` if all do.
    fn outcomes(&self) -> Option<Query<CustomerPayment, Timestamp>> {
        let groups = passing(self.outcome, PaymentOutcome::ALL)
            .flat_map(|one| passing(self.test, [false, true]).map(move |test| (one, test)));
        match self.status {
            // The outcome depends on the amounts as well as on the status.
            Some(status) => {
                let groups = groups.map(|(one, test)| (one, test, Some(status)));
                Some(Query::any_of(CustomerPayment::BY_OUTCOME, groups))
            }
            None if self.outcome.is_none() && self.test.is_none() => None,
            None => Some(Query::any_of(CustomerPayment::BY_OUTCOME, groups)),
        }
    }
}

impl ListFilter for PaymentFilter {
    type Record = CustomerPayment;
    type Item = PaymentItem;

    const SEARCH: Option<Index<Self::Record, (), String>> = Some(CustomerPayment::SEARCH);

    fn listing(&self, zone: &TimeZone) -> Result<Query<Self::Record>, Problem> {
        at_most("status", self.status.map(u64::from), 9_999)?;
        let order = self.order_id.as_deref().map(CustomerPayment::searched);
        let listing = match (order, self.outcomes()) {
            (None, None) => Query::group(CustomerPayment::BY_DATE, ()),
            (Some(order), None) => Query::group(CustomerPayment::BY_ORDER, order),
            (None, Some(outcomes)) => outcomes,
            (Some(order), Some(outcomes)) => outcomes.and(CustomerPayment::BY_ORDER, [order]),
        };
        Ok(Period::new(self.from.as_ref(), self.to.as_ref(), zone)?.limit(listing).in_any_order())
    }

    fn passes(&self, payment: &CustomerPayment, zone: &TimeZone) -> Result<bool, Problem> {
        let period = Period::new(self.from.as_ref(), self.to.as_ref(), zone)?;
        let latest = &payment.latest;
        let of_order = |order: &String| CustomerPayment::searched(order) == CustomerPayment::searched(&latest.order_id);
        Ok(self.outcome.is_none_or(|outcome| outcome == payment.outcome())
            && self.status.is_none_or(|status| latest.status == Some(PaymentStatus(status)))
            && self.order_id.as_ref().is_none_or(of_order)
            && self.test.is_none_or(|test| test == latest.test)
            && period.contains(payment.date))
    }

    fn date(payment: &CustomerPayment) -> Timestamp {
        payment.date
    }

    fn item(payment: CustomerPayment) -> PaymentItem {
        let latest = &payment.latest;
        let (captured_amount, refunded_amount) = (payment.captured_amount(), payment.refunded_amount());
        PaymentItem {
            order_id: latest.order_id.clone(),
            status: latest.status.map(|status| status.0),
            message: latest.message.clone(),
            outcome: payment.outcome(),
            authorized_amount: latest.authorized_amount.map(Amount::decimal),
            captured_amount: captured_amount.map(Amount::decimal),
            refunded_amount: refunded_amount.map(Amount::decimal),
            currency: latest.currency.map(|currency| currency.code().to_owned()),
            payment_product: latest.payment_product.clone(),
            test: latest.test,
            date: payment.date,
            transaction_reference: payment.transaction_reference,
        }
    }
}

impl Export for PaymentFilter {
    const NAME: &'static str = "payments";
    const COLUMNS: &'static str = "\
        transaction_reference order_id status message outcome authorized_amount captured_amount \
        refunded_amount currency payment_product test date";
}

impl From<CustomerPayment> for PaymentDetail {
    fn from(payment: CustomerPayment) -> Self {
        let step = |step: &PaymentStep| PaymentStepItem {
            notification: step.notification,
            date: step.date(),
            attempt_id: step.attempt_id,
            status: step.status.map(|status| status.0),
            message: step.message.clone(),
            captured_amount: step.captured_amount.map(Amount::decimal),
            refunded_amount: step.refunded_amount.map(Amount::decimal),
        };
        Self {
            reason_code: payment.latest.reason_code.clone(),
            reason_message: payment.latest.reason_message.clone(),
            history: payment.history.iter().map(step).collect(),
            item: PaymentFilter::item(payment),
        }
    }
}
