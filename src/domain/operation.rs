//! An operation: one amount for one beneficiary out of one voucher. It is paid by a transfer (escrow to wallet) and
//! then a withdrawal (wallet to bank).
//!
//! Pure: a status changes only by [`apply`], and an event that does not fit is a typed error.

mod cause;
mod choice;
mod status;

use std::cmp::Ordering;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use crate::domain::attempt::{Attempt, Payment};
use crate::domain::money::Amount;
use crate::platform::variants::named;
use crate::text::message::{self, Message};

pub use crate::domain::payment_kind::{Beneficiary, PaymentKind};
pub use cause::{Hold, Unready};
pub use choice::OperationChoice;
pub use status::{Column, IllegalTransition, OperationEvent, Status, apply};

/// One entry of an operation's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Time of the change (UTC).
    pub at: Timestamp,
    /// The status from then on.
    pub status: Status,
    /// Reason, as English text.
    #[serde(flatten, with = "message::stored")]
    pub message: Message,
}

/// A hold that a person's decision covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBefore {
    /// Kind of the reason.
    pub why: Option<Hold>,
    /// The reason, as English text.
    pub reason: String,
}

/// Difference between an operation's amount and that of its voucher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum AmountDifference {
    /// Debts were deducted.
    Deducted,
    /// A larger payment was accepted.
    Increased,
}

named!(pub AmountDifference);

/// One amount for one beneficiary out of one voucher.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Our own number, from 1.
    pub id: u64,
    /// The voucher's number: `Payment order Id`, part of the payment reference.
    pub voucher: String,
    /// The invoice's number in Mirakl, if known.
    pub invoice_id: Option<String>,
    /// The billing cycle's id in Mirakl, if known.
    pub billing_cycle_id: Option<String>,
    /// The payment voucher's number in Mirakl, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voucher_number: Option<String>,
    /// The payee.
    pub beneficiary: Beneficiary,
    /// The voucher's shop.
    pub mirakl_id: u64,
    /// The wallet of the voucher's vendor: part of the reference, also of a commission.
    pub vendor_hipay_id: u64,
    /// The wallet that is paid: the vendor's, or the operator's account.
    pub recipient_hipay_id: u64,
    /// Amount to pay: the voucher's amount less what was netted.
    pub amount: Amount,
    /// The voucher's amount.
    pub origin_amount: Amount,
    /// The negative operations that were netted into this one.
    #[serde(default)]
    pub adjusts: Vec<u64>,
    /// The operation that this negative one was netted into.
    pub adjusted_by: Option<u64>,
    /// The cycle's day.
    pub cycle_date: Date,
    /// The cycle's instant (UTC).
    pub cycle_at: Timestamp,
    /// Time at which Mirakl created the voucher (UTC).
    pub voucher_created_at: Option<Timestamp>,
    /// Current status.
    pub status: Status,
    /// Reason for the status, as English text; empty if the status is self-explanatory.
    #[serde(default)]
    pub message: String,
    /// Reason for the hold, if a person has to look first. A held operation is never paid.
    pub held: Option<String>,
    /// Kind of the hold.
    pub held_for: Option<Hold>,
    /// The hold that a person's decision covers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_before: Option<HeldBefore>,
    /// The transactions at HiPay that a person has to check while the operation is held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
    /// Transactions at HiPay that a person has found not to be payments of this operation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dismissed: Vec<String>,
    /// Holds that a person has released it from; none of them applies again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waived: Vec<Hold>,
    /// The operation that a smaller payment was accepted for, if this one is the remainder of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remainder_of: Option<u64>,
    /// Reason why a payment was not even sent, if an account was not ready for it.
    pub unready: Option<Unready>,
    /// The wallet's balance as last read for this operation.
    pub balance: Option<Amount>,
    /// Amount that a withdrawal of the operator's could not cover because the balance was smaller.
    pub shortfall: Option<Amount>,
    /// All attempts at the transfer.
    #[serde(default)]
    pub transfer: Payment,
    /// All attempts at the withdrawal.
    #[serde(default)]
    pub withdrawal: Payment,
    /// Time of creation (UTC).
    pub created_at: Timestamp,
    /// Time of the last change of the status or the message (UTC).
    pub updated_at: Timestamp,
    /// All changes, oldest first; limited to the first and the latest.
    #[serde(default)]
    pub history: Vec<Change>,
    /// Fields that a later release wrote, kept unchanged.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// Maximum number of entries in an operation's history; the first and the latest are kept.
const HISTORY_LIMIT: usize = 200;

impl Operation {
    /// Returns the earliest time at which the voucher may have been paid.
    pub fn owed_since(&self) -> Timestamp {
        self.voucher_created_at.map_or(self.cycle_at, |created| created.min(self.cycle_at))
    }

    /// Returns true for a withdrawal of the operator's, which is limited to the balance of the account.
    pub fn may_pay_a_part(&self, kind: PaymentKind) -> bool {
        self.beneficiary == Beneficiary::Operator && kind == PaymentKind::Withdrawal
    }

    /// Returns the kind of difference between the amount and the voucher's; `None` if they are equal.
    pub fn difference(&self) -> Option<AmountDifference> {
        match self.amount.minor().cmp(&self.origin_amount.minor()) {
            Ordering::Less => Some(AmountDifference::Deducted),
            Ordering::Equal => None,
            Ordering::Greater => Some(AmountDifference::Increased),
        }
    }

    /// Returns the attempts at `kind`.
    pub fn payment(&self, kind: PaymentKind) -> &Payment {
        match kind {
            PaymentKind::Transfer => &self.transfer,
            PaymentKind::Withdrawal => &self.withdrawal,
        }
    }

    /// Returns the attempts at `kind`, mutably.
    pub fn payment_mut(&mut self, kind: PaymentKind) -> &mut Payment {
        match kind {
            PaymentKind::Transfer => &mut self.transfer,
            PaymentKind::Withdrawal => &mut self.withdrawal,
        }
    }

    /// Returns the payment in progress whose status HiPay reports with an unknown word, with its attempt.
    pub fn unknown_word(&self) -> Option<(PaymentKind, &Attempt)> {
        let kind = self.sent_kind()?;
        self.payment(kind).last().filter(|last| last.has_unknown_word()).map(|last| (kind, last))
    }

    /// Returns the payment in progress.
    pub fn sent_kind(&self) -> Option<PaymentKind> {
        let withdrawal = Status::WITHDRAW_SENT.contains(&self.status).then_some(PaymentKind::Withdrawal);
        Status::TRANSFER_SENT.contains(&self.status).then_some(PaymentKind::Transfer).or(withdrawal)
    }

    /// Returns true if no run pays the operation until a person decides.
    pub fn waits_for_person(&self) -> bool {
        let waits = self.status == Status::WithdrawCanceled || self.unknown_word().is_some();
        !self.is_settled() && (self.held.is_some() || waits)
    }

    /// Returns true if the operation was not paid for a reason that someone may want to look into.
    pub fn is_unpaid(&self) -> bool {
        !self.is_settled() && (self.waits_for_person() || self.status.is_failure())
    }

    /// Returns true if the operation is released only individually, not together with others: a person has decided that
    /// it waits, or the payment is in doubt.
    pub fn waits_on_purpose(&self) -> bool {
        matches!(self.held_for, Some(Hold::ByPerson | Hold::Remainder)) || self.is_in_doubt()
    }

    /// Returns true if its release states that a payment was not executed, belongs to another operation, or is the only
    /// one. So does the retry of a payment with an unknown status at HiPay.
    fn is_in_doubt(&self) -> bool {
        let executed = self.held.is_some() && self.status == Status::WithdrawSuccess;
        let doubtful = matches!(
            self.held_for,
            Some(
                Hold::OutcomeUnknown
                    | Hold::OtherPayment
                    | Hold::SeveralPayments
                    | Hold::PossiblePayment
                    | Hold::ExecutedAfterAll
                    | Hold::Revoked
            )
        );
        doubtful || executed || self.unknown_word().is_some()
    }

    /// Returns true if `choice` changes the operation when it is made for several at once. What a person has to look at
    /// by itself is left out.
    pub fn can_be_chosen_with_others(&self, choice: &OperationChoice) -> bool {
        match choice {
            OperationChoice::Retry => self.is_unpaid() && !self.waits_on_purpose(),
            // A hold that a person has set on several operations ends in the same way.
            OperationChoice::Release => {
                let is_decision = self.held_for == Some(Hold::Remainder) || self.is_settled();
                self.refuses(choice).is_none() && !self.is_in_doubt() && !is_decision
            }
            OperationChoice::Hold => self.refuses(choice).is_none(),
            OperationChoice::Settle => self.refuses(choice).is_none() && !self.is_in_doubt(),
            OperationChoice::Accept { .. } | OperationChoice::Unknown => false,
        }
    }

    /// Returns HiPay's ids of all transactions of the operation, if known.
    pub fn transaction_ids(&self) -> impl Iterator<Item = &str> {
        let attempts = self.transfer.attempts.iter().chain(&self.withdrawal.attempts);
        attempts.filter_map(|attempt| attempt.transaction_id.as_deref())
    }

    /// Returns the references of all attempts.
    pub fn references(&self) -> impl Iterator<Item = &str> {
        let attempts = self.transfer.attempts.iter().chain(&self.withdrawal.attempts);
        attempts.map(|attempt| attempt.reference.as_str())
    }

    /// Applies `event`: the status follows from [`apply`], `message` is the reason. A run that finds the same as the
    /// previous one adds no entry to the history.
    pub fn apply_event(
        &mut self,
        event: OperationEvent,
        message: &Message,
        at: Timestamp,
    ) -> Result<(), IllegalTransition> {
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

    /// Records that the next payment cannot be sent because an account is not ready: the kind of the reason, and its
    /// message.
    pub fn not_ready(&mut self, why: Unready, message: &Message, at: Timestamp) -> Result<(), IllegalTransition> {
        self.apply_event(OperationEvent::AccountNotReady, message, at)?;
        self.unready = Some(why);
        Ok(())
    }

    /// Adds an entry to the history without a change of status.
    pub fn note(&mut self, message: &Message, at: Timestamp) {
        if self.history.len() >= HISTORY_LIMIT {
            self.history.remove(1);
        }
        self.history.push(Change { at, status: self.status, message: message.clone() });
    }

    /// Holds the operation until a person has looked at it, with the kind and the message of the reason. A finding of a
    /// run or a notice does not replace a person's decision; it is shown once the decision is ended. A person's
    /// decision in turn keeps the hold that it covers. [`Hold::ExecutedAfterAll`] on a settled operation is the
    /// exception: the person who settled it did not know that HiPay would execute it.
    pub fn hold(&mut self, why: Hold, reason: &Message, at: Timestamp) {
        let refuted = why == Hold::ExecutedAfterAll && self.is_settled();
        let decided = self.held.is_some() && self.held_for.is_some_and(Hold::is_decided) && !refuted;
        if decided && !why.is_decided() {
            let before = HeldBefore { why: Some(why), reason: reason.text().to_owned() };
            if self.held_before.as_ref() != Some(&before) {
                // The person who ends the decision must see the finding.
                self.held_before = Some(before);
                self.updated_at = at;
                self.note(reason, at);
            }
            return;
        }
        if refuted {
            // The payment was executed, whatever was in doubt before.
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

    /// Ends the hold, or the decision that covers one. If a person ends it, the candidates are dismissed as payments of
    /// this operation, except those of its own attempts, and a reason that is waived for good does not hold it again.
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

    /// Returns every number that Mirakl uses for the voucher.
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

    /// Returns the reference of the first attempt in the product's own form, so that an installation that migrates
    /// stays idempotent with what it sent before.
    pub fn base_reference(&self, kind: PaymentKind, technical_marketplace_id: &str) -> String {
        let (voucher, vendor) = (&self.voucher, self.vendor_hipay_id);
        let prefix = crate::domain::attempt::prefix(kind, self.beneficiary);
        // A parser of the reference takes the part between the voucher and the wallet as the marketplace.
        let part = self.remainder_of.map(|_| format!("P{}_", self.id)).unwrap_or_default();
        format!("{prefix}{voucher}_{part}{technical_marketplace_id}_{vendor}")
    }
}
