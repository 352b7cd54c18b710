//! HiPay's ledger as read: one entry for each transaction of each account, and the relation of an entry to our
//! payments.
//!
//! Pure.

word_by_name!(LedgerMatch => "ledger-match");

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use crate::domain::attempt::{ReferenceParts, TransactionState};
use crate::domain::money::Amount;
use crate::domain::operation::{Beneficiary, PaymentKind};
use crate::platform::variants::named;
use crate::text::word_by_name;

/// Relation of an entry of HiPay's ledger to the operations of this store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum LedgerMatch {
    /// Transaction of an attempt of ours, with its amount.
    Matched,
    /// Transaction without a reference of our form: a settlement, a payment by hand, another system's payment.
    Foreign,
    /// Transaction with a reference of our form that no attempt of ours has.
    Orphan,
    /// Transaction of an attempt of ours, with another amount.
    Mismatch,
    /// A value that a later release wrote.
    #[serde(other)]
    Unknown,
}

named!(pub LedgerMatch);

/// One transaction as HiPay's list of an account's transactions shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// The account whose list shows it (HiPay ID).
    pub account: u64,
    /// HiPay's transaction id.
    pub transaction_id: String,
    /// HiPay's word for its type; may be a number.
    #[serde(default)]
    pub kind: String,
    /// HiPay's word for its status.
    pub status: String,
    /// The amount, without a sign; `None` if HiPay does not state it.
    pub amount: Option<Amount>,
    /// HiPay's fees; `None` if HiPay does not state them.
    pub fees: Option<Amount>,
    /// `merchant_reference`; empty if there is none.
    #[serde(default)]
    pub reference: String,
    /// The label that both sides see.
    #[serde(default)]
    pub label: String,
    /// The login of the account that is debited.
    #[serde(default)]
    pub issuer_email: String,
    /// The login of the account that is credited; empty for a withdrawal.
    #[serde(default)]
    pub recipient_email: String,
    /// HiPay's reason for not executing it, in its words.
    #[serde(default)]
    pub refusal_reason: String,
    /// Time at which HiPay created it, read as UTC: HiPay's zone is not documented.
    pub created_at: Timestamp,
    /// Time at which it was first read (UTC).
    pub first_read_at: Timestamp,
    /// Time at which it was last read (UTC).
    pub read_at: Timestamp,
    /// Relation to the operations of this store.
    #[serde(rename = "match")]
    pub matched: LedgerMatch,
    /// The operation that it belongs to, if any.
    pub operation: Option<u64>,
    /// Fields that a later release wrote, kept unchanged.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl LedgerEntry {
    /// Returns the meaning of the entry's status.
    pub fn state(&self) -> TransactionState {
        TransactionState::from_word(&self.status)
    }

    /// Returns the parts of the reference, if it has our form.
    pub fn reference_parts(&self) -> Option<ReferenceParts<'_>> {
        ReferenceParts::of(&self.reference)
    }

    /// Returns the words of the label, in lower case. A voucher that a label names is one of them, whether signs join
    /// it with its neighbours or belong to its number.
    pub fn label_words(&self) -> impl Iterator<Item = String> {
        let spaced =
            self.label.split_whitespace().map(|word| word.trim_matches(|letter: char| !letter.is_alphanumeric()));
        let plain = self.label.split(|letter: char| !letter.is_alphanumeric());
        let dashed = self.label.split(|letter: char| !letter.is_alphanumeric() && letter != '-');
        spaced.chain(dashed).chain(plain).filter(|word| !word.is_empty()).map(str::to_lowercase)
    }

    /// Returns true if money arrives on the account that lists the entry: a settlement of sales, a feeding, or a
    /// transfer whose recipient has the login `own_login`.
    pub fn is_incoming(&self, own_login: &str) -> bool {
        is_feeding(&self.kind) || (!own_login.is_empty() && self.recipient_email.eq_ignore_ascii_case(own_login))
    }
}

/// Returns true if HiPay's word for a transaction's type means that money arrives from outside: a settlement of sales,
/// or a feeding. No payment of ours is one.
pub fn is_feeding(kind: &str) -> bool {
    const FEEDING: &str = "1";
    const INJECTION: &str = "17";
    let kind = kind.trim().to_ascii_lowercase();
    [FEEDING, INJECTION].contains(&kind.as_str()) || ["feeding", "injection"].iter().any(|word| kind.starts_with(word))
}

/// The interval of an account's ledger that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerAccount {
    /// The account (HiPay ID).
    pub account: u64,
    /// Start of the interval that was read completely (UTC).
    pub from: Timestamp,
    /// End of the interval that was read completely (UTC).
    pub until: Timestamp,
    /// Time of the last repeated check of what HiPay had executed (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked_again_at: Option<Timestamp>,
    /// Fields that a later release wrote, kept unchanged.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// A payment whose trace is searched for in the ledger.
#[derive(Debug, Clone)]
pub struct SoughtPayment<'a> {
    /// Kind of the payment: transfer or withdrawal.
    pub kind: PaymentKind,
    /// The payee.
    pub beneficiary: Beneficiary,
    /// All numbers that identify the voucher.
    pub vouchers: &'a [String],
    /// The only wallet that makes a reference certain, because shops may share the voucher's number; `None` if the
    /// number is this voucher's alone.
    pub only_wallet: Option<u64>,
    /// The amount that would be paid.
    pub amount: Amount,
    /// The logins of the account that would be paid, for a transfer.
    pub recipient_logins: &'a [String],
    /// The logins of the operator, whose commission may carry the same label.
    pub operator_logins: &'a [String],
    /// The login of the account whose ledger is read.
    pub own_login: &'a str,
    /// The earliest time at which it may have been paid (UTC).
    pub since: Timestamp,
}

/// The ledger's verdict on a payment of which this store has no memory.
#[derive(Debug, Clone, PartialEq)]
pub enum LedgerVerdict<'a> {
    /// No trace of a payment.
    NotPaid,
    /// Paid, or being paid, by this entry.
    Paid(&'a LedgerEntry),
    /// Several live entries that claim to be this payment; a person has to look.
    Several(Vec<&'a LedgerEntry>),
    /// Entries that may be this payment, without certainty about which payment they belong to; a person has to look.
    Possible(Vec<&'a LedgerEntry>),
}

impl SoughtPayment<'_> {
    /// Judges the entries of the ledger that may concern this payment. An entry that belongs to another operation, or
    /// that HiPay shows as failed for good, does not count.
    ///
    /// `unsure` are entries whose reference has our form and may name this voucher by its number in Mirakl's other
    /// source.
    pub fn judge<'a>(
        &self,
        entries: impl IntoIterator<Item = &'a LedgerEntry>,
        unsure: impl IntoIterator<Item = &'a LedgerEntry>,
    ) -> LedgerVerdict<'a> {
        let (mut paid, mut possible) = (Vec::new(), Vec::new());
        let counts = |entry: &&LedgerEntry| entry.operation.is_none() && !entry.state().is_ended();
        for entry in entries.into_iter().filter(counts) {
            match self.claim(entry) {
                Claim::None => {}
                Claim::Certain => paid.push(entry),
                Claim::Possible => possible.push(entry),
            }
        }
        possible.extend(unsure.into_iter().filter(counts).filter(|entry| {
            let of_this_kind = entry.reference_parts().is_some_and(|parts| self.is_of_kind(&parts));
            of_this_kind && entry.created_at >= self.since
        }));
        match (paid.as_slice(), possible.is_empty()) {
            ([], true) => LedgerVerdict::NotPaid,
            ([], false) => LedgerVerdict::Possible(possible),
            ([entry], _) => LedgerVerdict::Paid(entry),
            (_, _) => LedgerVerdict::Several(paid),
        }
    }

    fn is_of_kind(&self, parts: &ReferenceParts<'_>) -> bool {
        (parts.kind, parts.beneficiary) == (self.kind, self.beneficiary)
    }

    fn claim(&self, entry: &LedgerEntry) -> Claim {
        if !entry.reference.trim().is_empty() {
            let Some(parts) = entry.reference_parts() else { return Claim::None };
            let ours = self.is_of_kind(&parts) && self.vouchers.iter().any(|voucher| parts.is_of(voucher));
            return match self.only_wallet {
                _ if !ours => Claim::None,
                Some(wallet) if wallet != parts.wallet => Claim::Possible,
                Some(_) | None => Claim::Certain,
            };
        }
        if entry.created_at < self.since || entry.is_incoming(self.own_login) {
            return Claim::None;
        }
        let named = entry.label_words().any(|word| self.vouchers.iter().any(|voucher| voucher.to_lowercase() == word));
        let amount_fits = entry.amount.is_none_or(|amount| amount == self.amount);
        let is = |logins: &[String]| logins.iter().any(|login| login.eq_ignore_ascii_case(&entry.recipient_email));
        let recipient_known = self.kind == PaymentKind::Withdrawal || !entry.recipient_email.is_empty();
        let recipient_fits = !recipient_known || self.kind == PaymentKind::Withdrawal || is(self.recipient_logins);
        match (named, amount_fits, recipient_fits) {
            (true, true, true) if recipient_known && entry.amount.is_some() => Claim::Certain,
            // The other operation of the same voucher may carry the same label.
            (true, _, false) if self.beneficiary == Beneficiary::Vendor && is(self.operator_logins) => Claim::None,
            (true, false, false) if self.beneficiary == Beneficiary::Operator => Claim::None,
            (false, false, _) | (false, _, false) => Claim::None,
            _ => Claim::Possible,
        }
    }
}

/// Claim of one entry to be the payment that is searched for.
enum Claim {
    None,
    Certain,
    Possible,
}
