//! A notification of HiPay Enterprise as it is sent: a form with brackets in its names, XML or
//! JSON, read into fields by name.
//!
//! All three become the names of the form: `<order><id>` and `{"order": {"id": …}}` are
//! `order[id]`. Which of the three a body is, its first character tells; what the header says about
//! it is not asked.
//!
//! Pure.

mod card_data;
mod form;
mod json;
mod xml;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::text::message::{Message, msg};

/// How many fields of a notification are kept; HiPay's have about sixty, and a dozen for each line of a basket.
const FIELDS_AT_MOST: usize = 500;
/// How many more are kept of those that HiPay documents.
const DOCUMENTED_AT_MOST: usize = 200;
/// What the names of documented fields begin with, beside amounts, dates, references and what else is spelt out.
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
/// How deep they may be nested; HiPay's are two deep.
const DEPTH_AT_MOST: usize = 16;
/// How long a field's name may be, in bytes.
const NAME_AT_MOST: usize = 200;
/// How much of what HiPay sent a sentence quotes, in characters.
const QUOTED_AT_MOST: usize = 60;

/// Why a notification cannot be read, in a sentence that goes on from "cannot be read:".
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Unreadable(pub(crate) Message);

/// What a notification is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnterpriseNotification {
    /// A customer's payment.
    Payment(Fields),
    /// A settlement.
    Settlement(Fields),
}

/// The fields of a notification by name, such as `order[id]`. They may be about a person, so that
/// they are stored and shown, but `Debug` prints their names only.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(BTreeMap<String, String>);

/// True where HiPay documents a field of this name.
fn is_documented(name: &str) -> bool {
    let beginning = name.split('[').next().unwrap_or_default();
    DOCUMENTED.contains(&beginning)
}

impl Fields {
    /// The value of the first of `names` that has one, without blanks around it.
    pub fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }

    /// The value under `name` without blanks around it; nothing where it is missing or blank.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// Every field, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True where there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes the fields that `keep` does not want.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|name, _| keep(name));
    }

    /// Adds a field. Of two with one name the later counts, as in PHP. What is too much is left out, such as the
    /// later lines of a long basket: it never costs the payment.
    fn insert(&mut self, name: &str, value: &str) {
        let most = if is_documented(name) { FIELDS_AT_MOST + DOCUMENTED_AT_MOST } else { FIELDS_AT_MOST };
        let decides = DOCUMENTED.contains(&name);
        if name.len() > NAME_AT_MOST || (self.0.len() >= most && !decides && !self.0.contains_key(name)) {
            return;
        }
        self.0.insert(name.to_owned(), card_data::mask_field(name, value));
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// The text of a body, with card numbers and security codes masked: all that may be kept of it.
/// What is no UTF-8 is read as Latin-1, in which every byte is a character, so that none is lost.
pub fn masked_text(body: &[u8]) -> String {
    card_data::mask(&text_of(body.to_vec()))
}

/// Reads a text that [`masked_text`] made.
pub fn read(text: &str) -> Result<EnterpriseNotification, Unreadable> {
    let body = text.trim_start_matches('\u{feff}').trim();
    let (root, fields) = match body.chars().next() {
        None => return Err(Unreadable(msg!("unreadable-empty"))),
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

/// The name of `inner` inside of `outer`: `order` and `id` are `order[id]`.
fn nested(outer: &str, inner: &str) -> String {
    if outer.is_empty() { inner.to_owned() } else { format!("{outer}[{inner}]") }
}

fn too_deep() -> Unreadable {
    Unreadable(msg!("unreadable-deep", most = DEPTH_AT_MOST))
}

/// The beginning of what HiPay sent, for a sentence.
pub(crate) fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(QUOTED_AT_MOST).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("'{}'", shown.escape_debug())
}

#[cfg(test)]
mod tests;
