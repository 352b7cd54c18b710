//! A notification of HiPay Enterprise as received: a form with brackets in its names, XML or JSON, parsed into fields
//! by name.
//!
//! All three use the names of the form: `<order><id>` and `{"order": {"id": …}}` become `order[id]`. The first
//! character of a body determines its format; the content type header is ignored.
//!
//! Pure.

mod form;
mod json;
mod xml;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::domain::pii::card_data;
use crate::text::message::{Message, msg};

/// Maximum number of fields kept; HiPay's notifications have about sixty, and a dozen for each line of a basket.
const MAX_FIELDS: usize = 500;
/// Additional number of fields kept if HiPay documents them.
const MAX_DOCUMENTED_FIELDS: usize = 200;
/// Names of documented fields, up to the first `[`. A field with exactly such a name is kept beyond both limits.
const DOCUMENTED: [&str; 45] = [
    "account",
    "acquirer_transaction_reference",
    "amount",
    "attempt_id",
    "authorization_code",
    "authorized_amount",
    "avs_result",
    "captured_amount",
    "chargeback",
    "currency",
    "cvc_result",
    "date_authorized",
    "date_created",
    "date_updated",
    "decimals",
    "device_id",
    "eci",
    "fees",
    "fraud_screening",
    "ip_address",
    "ip_country",
    "message",
    "mid",
    "notification_type",
    "operation",
    "order",
    "orderid",
    "other",
    "payment_method",
    "payment_product",
    "real_captured_amount",
    "real_refunded_amount",
    "reason",
    "reference",
    "refunded_amount",
    "refunds",
    "rolling",
    "sales",
    "settlement",
    "state",
    "status",
    "test",
    "three_d_secure",
    "token",
    "transaction_reference",
];
/// Maximum depth of nesting; HiPay's fields are two deep.
const MAX_DEPTH: usize = 16;
/// Maximum length of a field's name, in bytes.
const MAX_NAME_LENGTH: usize = 200;
/// Maximum number of characters of HiPay's input that a message quotes.
const MAX_QUOTED_LENGTH: usize = 60;

/// Reason why a notification cannot be read; its message continues "cannot be read:".
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct UnreadableNotification(pub(crate) Message);

/// A parsed notification, by its subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnterpriseNotification {
    /// A customer's payment.
    Payment(NotificationFields),
    /// A settlement.
    Settlement(NotificationFields),
}

/// Fields of a notification by name, such as `order[id]`. They may contain personal data: they are stored and shown,
/// but `Debug` prints their names only.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NotificationFields(BTreeMap<String, String>);

impl NotificationFields {
    /// Returns the value of the first of `names` that has one, trimmed.
    pub fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }

    /// Returns the value under `name`, trimmed; `None` if it is missing or blank.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// Returns all fields, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the number of fields.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns true if there are no fields.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes the fields whose name `keep` rejects.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|name, _| keep(name));
    }

    /// Adds a field. The later of two fields with one name wins, as in PHP. Fields beyond the limits are dropped, such
    /// as the later lines of a long basket; they never prevent the payment from being processed.
    fn insert(&mut self, name: &str, value: &str) {
        let beginning = name.split('[').next().unwrap_or_default();
        let is_documented = DOCUMENTED.contains(&beginning);
        let most = if is_documented { MAX_FIELDS + MAX_DOCUMENTED_FIELDS } else { MAX_FIELDS };
        let decides = DOCUMENTED.contains(&name);
        if name.len() > MAX_NAME_LENGTH || (self.0.len() >= most && !decides && !self.0.contains_key(name)) {
            return;
        }
        self.0.insert(name.to_owned(), card_data::mask_field(name, value));
    }
}

impl fmt::Debug for NotificationFields {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// Returns the text of a body with card numbers and security codes masked; only this text may be kept. A body that is
/// not UTF-8 is read as Latin-1, in which every byte is a character, so that no byte is lost.
pub fn masked_text(body: &[u8]) -> String {
    card_data::mask(&text_of(body.to_vec()))
}

/// Parses a text that [`masked_text`] returned.
pub fn read(text: &str) -> Result<EnterpriseNotification, UnreadableNotification> {
    let body = text.trim_start_matches('\u{feff}').trim();
    let (root, fields) = match body.chars().next() {
        None => return Err(UnreadableNotification(msg!("unreadable-empty"))),
        Some('<') => xml::read(body)?,
        Some('{') => json::read(body)?,
        Some(_) => (String::new(), form::read(body)?),
    };
    let says_so = fields.get("notification_type").is_some_and(|kind| kind.eq_ignore_ascii_case("settlement"));
    Ok(if root == "settlement" || says_so {
        EnterpriseNotification::Settlement(fields)
    } else {
        EnterpriseNotification::Payment(fields)
    })
}

fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| error.as_bytes().iter().copied().map(char::from).collect())
}

/// Returns the name of `inner` inside of `outer`: `order` and `id` become `order[id]`.
fn nested(outer: &str, inner: &str) -> String {
    if outer.is_empty() { inner.to_owned() } else { format!("{outer}[{inner}]") }
}

fn too_deep() -> UnreadableNotification {
    UnreadableNotification(msg!("unreadable-deep", most = MAX_DEPTH))
}

/// Returns the beginning of HiPay's input, quoted for a message.
pub(crate) fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_QUOTED_LENGTH).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("'{}'", shown.escape_debug())
}

#[cfg(test)]
mod tests;
