//! An operation: one amount for one beneficiary out of one voucher. It lives through a transfer
//! (escrow to wallet) and then a withdrawal (wallet to bank).
//!
//! Pure: a status changes only by [`apply`], and an event that does not fit is a typed error.

mod cause;
mod choice;
mod status;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::attempt::{Attempt, Payment};
use crate::domain::money::Amount;
use crate::text::message::{Message, StoredMessage};

pub use crate::domain::payment_kind::{Beneficiary, PaymentKind};
pub use cause::{Hold, Unready};
pub use choice::OperationChoice;
pub use status::{Column, Event, IllegalTransition, Status, apply};

/// One line of an operation's story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When (UTC).
    pub at: Timestamp,
    /// The status from then on.
    pub status: Status,
    /// Why, in a sentence.
    #[serde(default)]
    pub message: String,
    /// What says the same in other languages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<StoredMessage>,
}

/// A reason that a person's decision was laid over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBefore {
    /// What kind of reason.
    pub why: Option<Hold>,
    /// The reason, in a sentence.
    pub reason: String,
}

/// One amount for one beneficiary out of one voucher.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Our own number, from 1.
    pub id: u64,
    /// The voucher's number: `Payment order Id`, part of the payment reference.
    pub voucher: String,
    /// The invoice's number in Mirakl, where known.
    #[serde(default)]
    pub invoice_id: Option<String>,
    /// The billing cycle's id in Mirakl, where known.
    #[serde(default)]
    pub billing_cycle_id: Option<String>,
    /// The payment voucher's number in Mirakl, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voucher_number: Option<String>,
    /// Who is paid.
    pub beneficiary: Beneficiary,
    /// The voucher's shop.
    pub mirakl_id: u64,
    /// The wallet of the voucher's vendor: part of the reference, also of a commission.
    pub vendor_hipay_id: u64,
    /// The wallet that is paid: the vendor's, or the operator's account.
    pub recipient_hipay_id: u64,
    /// What is paid: the voucher's amount less what was netted.
    pub amount: Amount,
    /// The voucher's amount.
    pub origin_amount: Amount,
    /// The negative operations that were netted into this one.
    #[serde(default)]
    pub adjusts: Vec<u64>,
    /// The operation that this negative one was netted into.
    #[serde(default)]
    pub adjusted_by: Option<u64>,
    /// The cycle's day.
    pub cycle_date: Date,
    /// The cycle's instant (UTC).
    pub cycle_at: Timestamp,
    /// When Mirakl made the voucher (UTC).
    #[serde(default)]
    pub voucher_created_at: Option<Timestamp>,
    /// Where it stands.
    pub status: Status,
    /// Why it stands there, in a sentence; empty where the status says it all.
    #[serde(default)]
    pub message: String,
    /// Set when a person has to look first: why. A held operation is never paid.
    #[serde(default)]
    pub held: Option<String>,
    /// What kind of reason that is.
    #[serde(default)]
    pub held_for: Option<Hold>,
    /// What it was held for before a person decided about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_before: Option<HeldBefore>,
    /// The transactions at HiPay that a person has to look at while it is held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
    /// Transactions at HiPay that a person has found to be no payment of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dismissed: Vec<String>,
    /// Reasons that a person has released it from: none of them holds it again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waived: Vec<Hold>,
    /// The operation that a smaller payment was taken for, where this one is what was left of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remainder_of: Option<u64>,
    /// Why a payment was not even sent, where an account was not ready for it.
    #[serde(default)]
    pub unready: Option<Unready>,
    /// The wallet's balance as last read for this operation.
    #[serde(default)]
    pub balance: Option<Amount>,
    /// What a withdrawal of the operator's could not take because the balance was smaller.
    #[serde(default)]
    pub shortfall: Option<Amount>,
    /// All attempts at the transfer.
    #[serde(default)]
    pub transfer: Payment,
    /// All attempts at the withdrawal.
    #[serde(default)]
    pub withdrawal: Payment,
    /// When it was made (UTC).
    pub created_at: Timestamp,
    /// When its status or message last changed (UTC).
    pub updated_at: Timestamp,
    /// Every change, oldest first.
    #[serde(default)]
    pub history: Vec<Change>,
    /// What a later release wrote beside this; kept as it is.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// How many lines an operation's story keeps; the first and the latest matter.
const HISTORY_LIMIT: usize = 200;

impl Operation {
    /// The earliest moment at which somebody may have paid the voucher.
    pub fn owed_since(&self) -> Timestamp {
        self.voucher_created_at.map_or(self.cycle_at, |created| created.min(self.cycle_at))
    }

    /// Returns true for a withdrawal of the operator's, which takes what the account holds.
    pub fn may_pay_a_part(&self, kind: PaymentKind) -> bool {
        self.beneficiary == Beneficiary::Operator && kind == PaymentKind::Withdrawal
    }

    /// The attempts at `kind`.
    pub fn payment(&self, kind: PaymentKind) -> &Payment {
        match kind {
            PaymentKind::Transfer => &self.transfer,
            PaymentKind::Withdrawal => &self.withdrawal,
        }
    }

    /// The attempts at `kind`, to change them.
    pub fn payment_mut(&mut self, kind: PaymentKind) -> &mut Payment {
        match kind {
            PaymentKind::Transfer => &mut self.transfer,
            PaymentKind::Withdrawal => &mut self.withdrawal,
        }
    }

    /// The payment that is under way and that HiPay calls by a word which is not known, with that attempt.
    pub fn unknown_word(&self) -> Option<(PaymentKind, &Attempt)> {
        let kind = self.sent_kind()?;
        self.payment(kind).last().filter(|last| last.has_unknown_word()).map(|last| (kind, last))
    }

    /// The payment that is under way.
    pub fn sent_kind(&self) -> Option<PaymentKind> {
        let withdrawal = Status::WITHDRAW_SENT.contains(&self.status).then_some(PaymentKind::Withdrawal);
        Status::TRANSFER_SENT.contains(&self.status).then_some(PaymentKind::Transfer).or(withdrawal)
    }

    /// True where no run pays it before a person has said so.
    pub fn waits_for_person(&self) -> bool {
        let waits = self.status == Status::WithdrawCanceled || self.unknown_word().is_some();
        !self.is_settled() && (self.held.is_some() || waits)
    }

    /// True where it was not paid for a reason that somebody may want to look into.
    pub fn is_unpaid(&self) -> bool {
        !self.is_settled() && (self.waits_for_person() || self.status.is_failure())
    }

    /// Returns true where it is released by itself alone, not with others: somebody has decided that it waits, or
    /// a release says that a payment was not executed, is another one's, or is the only one.
    pub fn waits_on_purpose(&self) -> bool {
        matches!(
            self.held_for,
            Some(
                Hold::ByPerson
                    | Hold::Remainder
                    | Hold::OutcomeUnknown
                    | Hold::OtherPayment
                    | Hold::SeveralPayments
                    | Hold::PossiblePayment
                    | Hold::ExecutedAfterAll
            )
        )
    }

    /// HiPay's ids of all its transactions, as far as they are known.
    pub fn transaction_ids(&self) -> impl Iterator<Item = &str> {
        let attempts = self.transfer.attempts.iter().chain(&self.withdrawal.attempts);
        attempts.filter_map(|attempt| attempt.transaction_id.as_deref())
    }

    /// Lets `event` happen: the status by [`apply`], `message` as the reason. A run that finds
    /// what the one before it found leaves no second line in the story.
    pub fn happen(&mut self, event: Event, message: &Message, at: Timestamp) -> Result<(), IllegalTransition> {
        let status = apply(self.status, event)?;
        if status == self.status && message.text() == self.message && !self.history.is_empty() {
            return Ok(());
        }
        self.status = status;
        self.unready = None;
        message.text().clone_into(&mut self.message);
        self.updated_at = at;
        self.note(message, at);
        Ok(())
    }

    /// The next payment cannot be sent because an account is not ready for it: why, and that as a sentence.
    pub fn not_ready(&mut self, why: Unready, message: &Message, at: Timestamp) -> Result<(), IllegalTransition> {
        self.happen(Event::AccountNotReady, message, at)?;
        self.unready = Some(why);
        Ok(())
    }

    /// Adds a line to the story without a change of status.
    pub fn note(&mut self, message: &Message, at: Timestamp) {
        if self.history.len() >= HISTORY_LIMIT {
            self.history.remove(1);
        }
        let (message, said) = message.clone().into_parts();
        self.history.push(Change { at, status: self.status, message, said });
    }

    /// Keeps it from being paid until a person has looked: why, and that as a sentence. What a person has decided
    /// is not replaced by what a run or a notice finds, which comes up once the decision is ended; and a person's
    /// decision keeps the reason that it is laid over. Whoever settled it did not know that HiPay would execute it.
    pub fn hold(&mut self, why: Hold, reason: &Message, at: Timestamp) {
        let refuted = why == Hold::ExecutedAfterAll && self.is_settled();
        let decided = self.held.is_some() && self.held_for.is_some_and(Hold::is_decided) && !refuted;
        if decided && !why.is_decided() {
            let before = HeldBefore { why: Some(why), reason: reason.text().to_owned() };
            if self.held_before.as_ref() != Some(&before) {
                // Whoever ends the decision is to see it.
                self.held_before = Some(before);
                self.updated_at = at;
                self.note(reason, at);
            }
            return;
        }
        if refuted {
            // Whatever was in doubt before: it was executed.
            self.held_before = None;
        }
        if why.is_decided() && !decided {
            self.held_before = self.held.take().map(|reason| HeldBefore { why: self.held_for, reason });
        }
        self.held_for = Some(why);
        if self.held.as_deref() != Some(reason.text()) {
            self.held = Some(reason.text().to_owned());
            self.updated_at = at;
            self.note(reason, at);
        }
    }

    /// Ends the hold, or the decision that was laid over one. Where a person ends it, what was looked at is no payment
    /// of it unless an attempt of its own is, and the same reason does not hold it again.
    pub fn release(&mut self, by_person: bool, note: &Message, at: Timestamp) {
        if let Some(before) = self.held_before.take() {
            (self.held, self.held_for) = (Some(before.reason), before.why);
            self.updated_at = at;
            self.note(note, at);
            return;
        }
        self.held = None;
        let why = self.held_for.take();
        let looked_at = std::mem::take(&mut self.candidates);
        if by_person {
            let own: Vec<String> = self.transaction_ids().map(ToOwned::to_owned).collect();
            self.dismissed.extend(looked_at.into_iter().filter(|id| !own.contains(id)));
            self.waived.extend(why.filter(|why| why.is_waived_for_good() && !self.waived.contains(why)));
        }
        self.updated_at = at;
        self.note(note, at);
    }

    /// Every number that Mirakl knows its voucher by.
    pub fn voucher_numbers(&self) -> Vec<String> {
        let others = [&self.invoice_id, &self.voucher_number, &self.billing_cycle_id].into_iter().flatten();
        let mut numbers = vec![self.voucher.clone()];
        for number in others {
            if !numbers.contains(number) {
                numbers.push(number.clone());
            }
        }
        numbers
    }

    /// The reference of the first attempt, in the product's own form, so that an installation
    /// that moves over stays idempotent with what it sent before.
    pub fn base_reference(&self, kind: PaymentKind, technical_marketplace_id: &str) -> String {
        let (voucher, vendor) = (&self.voucher, self.vendor_hipay_id);
        let prefix = crate::domain::attempt::prefix(kind, self.beneficiary);
        // Whoever takes it apart reads what stands between the voucher and the wallet as the marketplace.
        let part = self.remainder_of.map(|_| format!("P{}_", self.id)).unwrap_or_default();
        format!("{prefix}{voucher}_{part}{technical_marketplace_id}_{vendor}")
    }
}
