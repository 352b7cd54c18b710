//! Customers' payments, and everything that HiPay Enterprise has reported about one.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::page::{ListFrame, ListRows, PageFrame, Tone, show};
use crate::domain::enterprise::NotificationFields;
use crate::domain::payment::{CustomerPayment, PaymentOutcome, PaymentStatus, PaymentStep};
use crate::domain::settlement::Settlement;
use crate::store::{Query, StoreError, StoreReader, View};
use crate::text::message::msg;
use crate::web::Web;
use crate::web::lists::PaymentFilter;
use crate::web::path::Name;
use crate::web::problem::Problem;

#[derive(Template)]
#[template(path = "payments.html", config = "ui/askama.toml")]
struct Payments {
    page: PageFrame,
    rows: ListRows<CustomerPayment>,
}

/// Shows the payments that pass the filters.
pub(super) async fn list(ListFrame(page, rows, ..): ListFrame<PaymentFilter>) -> Result<Response, Problem> {
    show(rows.status(), &Payments { page, rows })
}

/// Returns the address of a payment's page.
pub(super) fn address_of(transaction_reference: &str) -> String {
    format!("/dashboard/payments/{}", utf8_percent_encode(transaction_reference, NON_ALPHANUMERIC))
}

impl Tone for PaymentOutcome {
    fn tone(&self) -> &'static str {
        match self {
            PaymentOutcome::Accepted => "good",
            PaymentOutcome::Pending => "busy",
            PaymentOutcome::Declined | PaymentOutcome::Disputed => "bad",
            PaymentOutcome::Unknown => "quiet",
        }
    }
}

/// Returns HiPay's number with the word for it, or with HiPay's own wording if there is no word.
fn status_of(page: &PageFrame, status: Option<PaymentStatus>, message: &str) -> String {
    match status {
        None => message.to_owned(),
        Some(known) if known.name().is_some() => format!("{} {}", known.0, page.of(&known)),
        Some(other) => format!("{} {message}", other.0).trim_end().to_owned(),
    }
}

impl Payments {
    fn outcomes(&self) -> [&'static str; 5] {
        PaymentOutcome::ALL.map(PaymentOutcome::name)
    }

    fn link(&self, payment: &CustomerPayment) -> String {
        address_of(&payment.transaction_reference)
    }

    fn status(&self, payment: &CustomerPayment) -> String {
        status_of(&self.page, payment.latest.status, &payment.latest.message)
    }
}

/// A field as HiPay wrote it.
struct DetailField {
    /// Name for people; HiPay's name if there is no other.
    label: String,
    /// HiPay's name of the field.
    name: String,
    value: String,
}

/// Fields that belong together.
struct Group {
    /// Name of the group: `transaction`, `order`, …
    name: &'static str,
    title: String,
    fields: Vec<DetailField>,
}

#[derive(Template)]
#[template(path = "payment.html", config = "ui/askama.toml")]
struct PaymentPage {
    page: PageFrame,
    payment: CustomerPayment,
    groups: Vec<Group>,
    /// Days without a change after which personal data is removed; 0 for never.
    kept_for: u64,
    settlements: Vec<Settlement>,
}

/// Upper bounds on settlements read to find those of a payment, and on those shown.
const SETTLEMENTS: (usize, usize) = (200, 3);

/// Returns the first settlements of the payment's merchant account after its last change. A settlement sums up a period
/// and names no payment.
fn settlements(reader: &StoreReader<'_>, payment: &CustomerPayment) -> Result<Vec<Settlement>, StoreError> {
    // HiPay writes the same number with and without leading zeros.
    let number = |account: &str| account.trim_start_matches('0').to_owned();
    let account = number(&payment.latest.mid);
    let (looked_at, shown) = SETTLEMENTS;
    if account.is_empty() {
        return Ok(Vec::new());
    }
    let later = reader.page(&Query::group(Settlement::BY_DATE, ()).from(payment.date).limit(looked_at))?.items;
    Ok(later.into_iter().filter(|one| number(&one.account) == account).take(shown).collect())
}

/// Shows one payment: its status, its history and all its fields.
pub(super) async fn payment(
    State(web): State<Web>,
    page: PageFrame,
    Name(transaction_reference): Name,
) -> Result<Response, Problem> {
    let found = web.find(msg!("problem-no-payment"), move |reader| {
        let Some(payment) = reader.get::<CustomerPayment>(&transaction_reference)? else { return Ok(None) };
        let settlements = settlements(reader, &payment)?;
        Ok(Some((payment, settlements)))
    });
    let (payment, settlements) = found.await?;
    let groups = groups(&page, &payment.latest.fields);
    let kept_for = u64::from(web.settings.get().retention.personal_data_days);
    show(StatusCode::OK, &PaymentPage { page, payment, groups, kept_for, settlements })
}

impl PaymentPage {
    fn status(&self) -> String {
        status_of(&self.page, self.payment.latest.status, &self.payment.latest.message)
    }

    /// Returns the history, latest first.
    fn steps(&self) -> impl Iterator<Item = &PaymentStep> {
        self.payment.history.iter().rev()
    }

    fn step_status(&self, step: &PaymentStep) -> String {
        status_of(&self.page, step.status, &step.message)
    }

    fn step_tone(&self, step: &PaymentStep) -> &'static str {
        step.status.map_or("quiet", |status| status.outcome().tone())
    }
}

/// Known fields by group, separated by spaces, in the order in which they are shown. Each has the text `field-` and its
/// name.
const GROUPS: [(&str, &str); 7] = [
    (
        "transaction",
        "\
         transaction_reference acquirer_transaction_reference mid test state status message reason[code] \
         reason[message] attempt_id authorization_code currency decimals authorized_amount captured_amount \
         real_captured_amount refunded_amount real_refunded_amount date_created date_authorized date_updated",
    ),
    (
        "operation",
        "operation[type] operation[id] operation[reference] operation[amount] operation[currency] operation[date]",
    ),
    (
        "order",
        "\
         order[id] orderid order[date_created] order[attempts] order[amount] order[shipping] order[tax] \
         order[currency] order[decimals]",
    ),
    (
        "method",
        "\
         payment_product payment_method[brand] payment_method[pan] payment_method[card_expiry_month] \
         payment_method[card_expiry_year] payment_method[token] token payment_method[issuer] payment_method[country] \
         payment_method[user] cvc_result avs_result",
    ),
    ("fraud", "fraud_screening[result] fraud_screening[scoring] fraud_screening[review]"),
    (
        "authentication",
        "\
         eci three_d_secure[eci] three_d_secure[enrollment_status] three_d_secure[enrollment_message] \
         three_d_secure[authentication_status] three_d_secure[authentication_message] \
         three_d_secure[authentication_token] three_d_secure[xid]",
    ),
    (
        "customer",
        "payment_method[card_holder] order[customer_id] order[email] order[language] ip_address ip_country device_id",
    ),
];

fn is_known(name: &str) -> bool {
    GROUPS.iter().any(|(_, names)| names.split(' ').any(|known| known == name))
}

/// Returns the name of a field's text: `payment_method[brand]` has `field-payment-method-brand`.
fn text_of(name: &str) -> String {
    format!("field-{}", name.replace(['[', '_'], "-").replace(']', ""))
}

/// Returns every field with a value, in its group; the merchant's own data and unknown fields come last.
fn groups(page: &PageFrame, fields: &NotificationFields) -> Vec<Group> {
    let field = |name: &str| {
        let value = fields.get(name)?.to_owned();
        let label = if is_known(name) { page.t(&text_of(name)) } else { name.to_owned() };
        Some(DetailField { label, name: name.to_owned(), value })
    };
    let group =
        |name: &'static str, fields: Vec<DetailField>| Group { name, title: page.t(&format!("fields-{name}")), fields };
    let mut groups: Vec<Group> =
        GROUPS.iter().map(|(name, names)| group(name, names.split(' ').filter_map(field).collect())).collect();
    let others = fields.iter().map(|(name, _)| name).filter(|name| !is_known(name));
    let (custom, other): (Vec<&str>, Vec<&str>) =
        others.partition(|name| name.starts_with("custom_data") || name.starts_with("cdata"));
    groups.push(group("custom", custom.into_iter().filter_map(field).collect()));
    groups.push(group("other", other.into_iter().filter_map(field).collect()));
    // The group about the customer explains by itself why it is empty.
    groups.retain(|group| group.name == "customer" || !group.fields.is_empty());
    groups
}

#[cfg(test)]
mod tests;
