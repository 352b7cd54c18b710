//! Explanations of the current state of things, in plain words: what happened, what to do about it, and who has to act.
//! Each text is a message of `ui/locales`, so that it can be read in any language.
//!
//! Pure.

use serde::Deserialize;
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

mod operations;
mod refusals;
#[cfg(test)]
mod tests;
mod vendors;

use crate::domain::refusal::Refusal;
use crate::platform::variants::named;
use crate::text::message::{Argument, Message};
use crate::text::{Texts, message_keys};

pub use operations::{explain, explain_voucher};
pub(crate) use refusals::{REFUSAL_CODES, REFUSAL_DETAILS};
pub use vendors::{explain_document, explain_vendor};

/// Party that has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, ToSchema, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Actor {
    /// No party: progress is automatic.
    Nobody,
    /// The operator of the marketplace.
    Marketplace,
    /// The seller.
    Vendor,
    /// HiPay's support, contacted by the marketplace.
    HiPay,
    /// The administrator of this installation.
    Administrator,
}

named!(pub Actor);

/// Returns the ids of all explanations that say why money is not paid: the reasons of operations and vouchers. Each has
/// a title, for groups of several.
pub fn reasons() -> impl Iterator<Item = &'static str> {
    let families = ["why-", "held-", "voucher-", "refusal-"];
    let described = message_keys().filter_map(|key| key.strip_suffix("-title"));
    described.filter(move |id| families.iter().any(|family| id.starts_with(family)))
}

/// Returns the key of a reason's title.
pub fn title_of(reason: &str) -> String {
    format!("{reason}-title")
}

/// Continuation after the action is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Next {
    /// No run: none is necessary.
    Nothing,
    /// The next run of `vendor:process`.
    VendorRun,
    /// The next run of `cashout:generate`.
    GenerateRun,
    /// The next run of `cashout:transfer`.
    TransferRun,
    /// The next run of `cashout:withdraw`.
    WithdrawRun,
    /// A retry that a person has to start.
    Retry,
}

/// One event, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    id: String,
    values: Vec<(&'static str, Argument)>,
    by: Actor,
    next: Next,
    said: Option<Refusal>,
}

impl Explanation {
    fn new(id: impl Into<String>, by: Actor) -> Self {
        Self { id: id.into(), values: Vec::new(), by, next: Next::Nothing, said: None }
    }

    fn with(mut self, name: &'static str, value: impl Into<Argument>) -> Self {
        self.values.push((name, value.into()));
        self
    }

    fn then(mut self, next: Next) -> Self {
        self.next = next;
        self
    }

    fn quoting(mut self, said: Option<&Refusal>) -> Self {
        self.said = said.cloned();
        self
    }

    /// Returns the id of the message that describes the event. Ids are stable: pages and tests may rely on them.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the party that has to act.
    pub fn by(&self) -> Actor {
        self.by
    }

    /// Returns the continuation after the action is done.
    pub fn next(&self) -> Next {
        self.next
    }

    /// Returns the description of the event.
    pub fn what(&self, texts: &Texts) -> String {
        self.message(&self.id).rendered(texts)
    }

    /// Returns the instructions: what to do about it, where, and how it continues.
    pub fn mend(&self, texts: &Texts) -> String {
        let mend = self.message(&format!("{}-mend", self.id)).rendered(texts);
        let next = match self.next {
            Next::Nothing => return mend,
            Next::VendorRun => "next-vendor",
            Next::GenerateRun => "next-generation",
            Next::TransferRun => "next-transfer",
            Next::WithdrawRun => "next-withdrawal",
            Next::Retry => "next-person",
        };
        format!("{mend} {}", texts.text(next, &[]))
    }

    /// Returns the party that has to act, in words.
    pub fn actor(&self, texts: &Texts) -> String {
        texts.text(&format!("actor-{}", self.by.name()), &[])
    }

    /// Returns the remote's own words and numbers for quoting; `None` if it gave neither.
    pub fn said(&self, texts: &Texts) -> Option<String> {
        let said = self.said.as_ref()?;
        let number = |id: &str, number: i64| texts.text(id, &[("number", number.to_string().into())]);
        let code = said.code.map(|code| number("number-code", code));
        let detail = said.detail.map(|detail| number("number-detail", detail));
        let numbers: Vec<String> = match said.http_status {
            Some(status) if code.is_none() && detail.is_none() => vec![number("number-http", i64::from(status))],
            Some(_) | None => code.into_iter().chain(detail).collect(),
        };
        let id = match (said.words.is_empty(), numbers.is_empty()) {
            (true, true) => return None,
            (false, true) => "said-words",
            (true, false) => "said-numbers",
            (false, false) => "said-both",
        };
        let numbers = numbers.join(", ");
        Some(texts.text(id, &[("words", said.words.as_str().into()), ("numbers", numbers.into())]))
    }

    fn message(&self, key: &str) -> Message {
        Message::new(key, self.values.iter().cloned())
    }
}
