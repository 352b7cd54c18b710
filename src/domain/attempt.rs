//! An attempt at a payment: one reference, one request, one outcome. This module decides, before anything is sent,
//! whether HiPay has to be queried first, and what its answer means.
//!
//! HiPay executes at most one payment per reference. An attempt with an uncertain outcome is therefore repeated only
//! with the same reference and the same bytes, and a new reference is made only once HiPay itself shows that the former
//! one failed for good.

mod notice_relation;
mod reference;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strum::{IntoStaticStr, VariantArray};

use crate::domain::money::Amount;
use crate::domain::refusal::Refusal;
use crate::platform::variants::named;
use crate::text::message::{self, Message, msg};
use crate::text::word_by_name;

pub use notice_relation::{CLOCK_DIFFERENCE_LIMIT, NoticeRelation, is_known, is_late};
pub use reference::{ReferenceParts, prefix, reference, split_number};

/// State of an attempt, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    /// Committed and perhaps sent; the outcome is unknown.
    Sending,
    /// Accepted by HiPay and not executed yet.
    Requested,
    /// Executed by HiPay.
    Captured,
    /// Refused by HiPay, which does not know its reference: the reference is still unused.
    Refused,
    /// Failed or canceled for good at HiPay: the reference is used up.
    Ended,
    /// A state that this release does not know; nothing is sent.
    #[serde(other)]
    Unknown,
}

named!(pub AttemptState);

/// One attempt with everything that its request carries, so that a repetition is identical to the byte.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Number of the attempt: 1 for the first, with the plain reference; `_R2`, `_R3`, … after it.
    pub number: u32,
    /// HiPay's `merchant_unique_id`.
    pub reference: String,
    /// The amount of the request.
    pub amount: Amount,
    /// The wallet that receives a transfer or that a withdrawal debits.
    pub account: u64,
    /// `public_label` of a transfer, `label` of a withdrawal, rendered.
    pub public_label: String,
    /// `private_label` of a transfer, rendered; empty for a withdrawal.
    #[serde(default)]
    pub private_label: String,
    /// Time at which the request was committed (UTC).
    pub intended_at: Timestamp,
    /// Known state of the attempt.
    pub state: AttemptState,
    /// HiPay's transaction id, once known.
    pub transaction_id: Option<String>,
    /// HiPay's own word for the transaction's status, as last read; after a notice, its operation and status.
    pub transaction_status: Option<String>,
    /// Time from which HiPay's status dates (UTC); by HiPay's clock if it came in a notice.
    pub as_of: Option<Timestamp>,
    /// Reason for the state, in HiPay's words if it gave any.
    #[serde(flatten, with = "message::stored")]
    pub message: Message,
    /// HiPay's answer if it refused the attempt or has not executed it.
    pub refusal: Option<Refusal>,
    /// Time of the last change of the state or of the last sending (UTC).
    pub updated_at: Timestamp,
    /// Fields that a later release wrote, kept unchanged.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl Attempt {
    /// Returns true if HiPay's transaction `id` with `reference` belongs to this attempt: by the id, or by the
    /// reference if no id is known yet.
    pub fn is_of(&self, id: &str, reference: &str) -> bool {
        self.transaction_id.as_deref().map_or_else(|| self.reference == reference, |known| known == id)
    }

    /// Returns true if HiPay has the attempt but reports its status with an unknown word.
    pub fn has_unknown_word(&self) -> bool {
        let word = self.transaction_status.as_deref().map(TransactionState::from_word);
        self.state == AttemptState::Requested && word == Some(TransactionState::Unknown)
    }

    /// Sets the message that explains the state.
    pub fn set_message(&mut self, why: Message) {
        self.message = why;
    }
}

/// All attempts at one of an operation's two payments, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Payment {
    /// The attempts.
    pub attempts: Vec<Attempt>,
}

/// Next step for a payment that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextStep {
    /// A look-up of the reference of attempt `number`, before anything else.
    LookUp {
        /// Number of the attempt.
        number: u32,
        /// Reference of the attempt.
        reference: String,
    },
    /// A new attempt with this number, to be committed and sent.
    Begin(u32),
    /// Another sending of the last attempt, identical to the byte.
    Resend,
    /// Adoption of the state that HiPay reports, because HiPay has the attempt.
    Adopt,
    /// Waiting without sending, for this reason.
    Wait(Message),
}

/// Meaning of HiPay's word for a transaction's status (source: `transaction_status` of `GET /transaction/{id}`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionState {
    /// In progress.
    Pending,
    /// On hold at HiPay; may still be executed.
    Standby,
    /// Executed.
    Captured,
    /// Failed for good: `UNAUTHED`, `ABORTED`, `REJECTED_END`.
    Failed,
    /// Canceled for good: `CANCELLED_END`.
    Canceled,
    /// An unknown word, such as `REFUNDED`: the transaction may still be executed, or be final.
    Unknown,
}

impl TransactionState {
    /// Parses HiPay's word. A new word is left to a person, because paying again what may still be executed is the one
    /// mistake that cannot be corrected.
    pub fn from_word(word: &str) -> Self {
        match word.trim().to_ascii_uppercase().as_str() {
            "CAPTURED" => Self::Captured,
            "UNAUTHED" | "ABORTED" | "REJECTED_END" => Self::Failed,
            "CANCELLED_END" | "CANCELED_END" => Self::Canceled,
            "STANDBY" => Self::Standby,
            "" | "AUTHORIZED" | "AUTHORISED" | "AUTHED" | "CREATED" | "PENDING" | "PROCESSING" => Self::Pending,
            _ => Self::Unknown,
        }
    }

    /// Returns true if HiPay will never execute the transaction.
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Failed | Self::Canceled)
    }

    /// Returns the state of the transaction's attempt.
    pub fn attempt_state(self) -> AttemptState {
        match self {
            Self::Pending | Self::Standby | Self::Unknown => AttemptState::Requested,
            Self::Captured => AttemptState::Captured,
            Self::Failed | Self::Canceled => AttemptState::Ended,
        }
    }
}

impl Payment {
    /// Returns the latest attempt.
    pub fn last(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    /// Returns the reference that later attempts are numbered from: that of the last attempt that has one, else
    /// `computed`. A reference never changes once it is made, whatever ids are configured later.
    pub fn base<'a>(&'a self, computed: &'a str) -> &'a str {
        let mut references = self.attempts.iter().rev().map(|attempt| attempt.reference.as_str());
        references.find(|reference| !reference.is_empty()).map_or(computed, |last| split_number(last).0)
    }

    /// Returns the attempt that a transaction belongs to: by its reference, or by HiPay's id if it carries none.
    pub fn attempt_of(&mut self, reference: &str, transaction_id: &str) -> Option<&mut Attempt> {
        self.attempts.iter_mut().find(|attempt| {
            let by_id = reference.is_empty() && attempt.transaction_id.as_deref() == Some(transaction_id);
            by_id || (!reference.is_empty() && attempt.reference == reference)
        })
    }

    /// Returns the first step. `remembered` is false if the voucher is older than the store's memory, so that it may
    /// have been paid before the memory began.
    pub fn plan(&self, base: &str, remembered: bool) -> NextStep {
        // An earlier attempt was executed after all: a person decides.
        if self.attempts.iter().any(|attempt| attempt.state == AttemptState::Captured) {
            return NextStep::Wait(msg!("pay-known"));
        }
        match self.last() {
            None if remembered => NextStep::Begin(1),
            None => NextStep::LookUp { number: 1, reference: reference(base, 1) },
            Some(last) => match last.state {
                AttemptState::Sending | AttemptState::Refused | AttemptState::Ended => {
                    NextStep::LookUp { number: last.number, reference: last.reference.clone() }
                }
                AttemptState::Requested | AttemptState::Captured => NextStep::Wait(msg!("pay-known")),
                AttemptState::Unknown => NextStep::Wait(msg!("pay-of-newer-release")),
            },
        }
    }

    /// Returns the next step after HiPay's answer to [`NextStep::LookUp`] for attempt `number`; `found` is the state of
    /// the transaction with that reference, `None` if HiPay does not know the reference.
    pub fn after_look_up(
        &self,
        number: u32,
        base: &str,
        found: Option<TransactionState>,
        remembered: bool,
    ) -> NextStep {
        let known = self.attempts.iter().find(|attempt| attempt.number == number);
        // A person may have assigned an earlier attempt to the payment; later attempts exist all the same.
        let highest = self.attempts.iter().map(|attempt| attempt.number).max().unwrap_or(number).max(number);
        match (found, known.map(|attempt| attempt.state)) {
            // The state was read again directly before the next attempt: the reference is used up for good.
            (Some(state), Some(AttemptState::Ended)) if state.is_ended() => match highest.checked_add(1) {
                Some(next) if remembered => NextStep::Begin(next),
                Some(next) => NextStep::LookUp { number: next, reference: reference(base, next) },
                None => NextStep::Wait(msg!("pay-accepted-not-shown")),
            },
            (Some(_), _) => NextStep::Adopt,
            (None, None) => NextStep::Begin(number),
            (None, Some(AttemptState::Sending | AttemptState::Refused)) => NextStep::Resend,
            // Someone else's payment that a person has ended: it uses up none of our references.
            (None, Some(AttemptState::Ended)) if known.is_some_and(|known| known.reference.is_empty()) => {
                highest.checked_add(1).map_or_else(|| NextStep::Wait(msg!("pay-end-not-shown")), NextStep::Begin)
            }
            (None, Some(AttemptState::Ended)) => NextStep::Wait(msg!("pay-end-not-shown")),
            (None, Some(_)) => NextStep::Wait(msg!("pay-accepted-not-shown")),
        }
    }
}

#[cfg(test)]
#[expect(clippy::wildcard_enum_match_arm, reason = "a test names only what it looks at")]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::money::Currency;

    /// A model of HiPay with the one relevant rule: one execution per reference, ever.
    #[derive(Default)]
    struct Remote {
        transactions: BTreeMap<String, TransactionState>,
        executions: u32,
        reversals: u32,
    }

    impl Remote {
        fn post(&mut self, reference: &str) {
            if !self.transactions.contains_key(reference) {
                self.transactions.insert(reference.to_owned(), TransactionState::Pending);
                self.executions += 1;
            }
        }

        /// Ends the open transaction, if any, as `state`.
        fn settle(&mut self, state: TransactionState) {
            for transaction in self.transactions.values_mut() {
                if *transaction == TransactionState::Pending {
                    *transaction = state;
                    if state.is_ended() {
                        self.reversals += 1;
                    }
                }
            }
        }
    }

    #[derive(Debug, Clone, Copy, VariantArray)]
    enum Chance {
        Answered,
        AnswerLost,
        NeverSent,
        Refused,
        CrashBeforeSending,
        LookUpLags,
        LookUpFails,
        Captured,
        Failed,
        Synced,
        MemoryLost,
    }

    fn chances() -> impl Strategy<Value = Chance> {
        prop::sample::select(Chance::VARIANTS)
    }

    pub(super) fn attempt(number: u32) -> Attempt {
        let at = Timestamp::UNIX_EPOCH;
        Attempt {
            number,
            reference: reference("T", number),
            amount: Amount::from_minor(100, Currency::EUR),
            account: 1,
            public_label: String::new(),
            private_label: String::new(),
            intended_at: at,
            state: AttemptState::Sending,
            transaction_id: None,
            transaction_status: None,
            as_of: None,
            message: Message::none(),
            refusal: None,
            updated_at: at,
            unknown: Map::new(),
        }
    }

    /// Performs one run over one payment, with the given chance, as a batch does.
    fn run(payment: &mut Payment, remote: &mut Remote, chance: Chance, remembered: bool) {
        let mut plan = payment.plan("T", remembered);
        for _ in 0..20 {
            match plan {
                NextStep::LookUp { number, reference: ref asked } => {
                    if matches!(chance, Chance::LookUpFails) {
                        return;
                    }
                    let lagging = matches!(chance, Chance::LookUpLags);
                    let found = remote.transactions.get(asked).copied().filter(|_| !lagging);
                    plan = payment.after_look_up(number, "T", found, remembered);
                    if let (NextStep::Adopt, Some(state)) = (&plan, found) {
                        if payment.attempts.iter().all(|known| known.number != number) {
                            payment.attempts.push(attempt(number));
                        }
                        let known = payment.attempts.iter_mut().find(|known| known.number == number).unwrap();
                        known.state = state.attempt_state();
                        return;
                    }
                }
                NextStep::Begin(number) => {
                    payment.attempts.push(attempt(number));
                    plan = NextStep::Resend;
                }
                NextStep::Resend => {
                    let last = payment.attempts.last_mut().unwrap();
                    last.state = AttemptState::Sending;
                    match chance {
                        Chance::CrashBeforeSending | Chance::NeverSent => {}
                        Chance::AnswerLost => remote.post(&last.reference),
                        Chance::Refused => last.state = AttemptState::Refused,
                        _ if remote.transactions.contains_key(&last.reference) => {
                            // A repeated reference, refused in words that this release does not understand.
                            last.state = AttemptState::Refused;
                        }
                        _ => {
                            remote.post(&last.reference);
                            last.state = AttemptState::Requested;
                        }
                    }
                    return;
                }
                NextStep::Adopt | NextStep::Wait(_) => return,
            }
        }
    }

    proptest! {
        /// Holds whatever fails, repeats, lags, crashes or is forgotten: at most one executed payment is not reversed,
        /// and exactly one once nothing fails any more.
        #[test]
        fn never_twice_and_never_lost(sequence in prop::collection::vec(chances(), 0..40)) {
            let mut payment = Payment::default();
            let mut remote = Remote::default();
            let mut remembered = true;
            for chance in sequence {
                match chance {
                    Chance::Captured => remote.settle(TransactionState::Captured),
                    Chance::Failed => remote.settle(TransactionState::Failed),
                    Chance::Synced => {
                        if let Some(last) = payment.attempts.last_mut()
                            && last.state == AttemptState::Requested
                            && let Some(state) = remote.transactions.get(&last.reference)
                        {
                            last.state = state.attempt_state();
                        }
                    }
                    Chance::MemoryLost => {
                        payment = Payment::default();
                        remembered = false;
                    }
                    other => run(&mut payment, &mut remote, other, remembered),
                }
                prop_assert!(remote.executions - remote.reversals <= 1);
            }
            for _ in 0..30 {
                run(&mut payment, &mut remote, Chance::Answered, remembered);
                remote.settle(TransactionState::Captured);
                if let Some(last) = payment.attempts.last_mut()
                    && let Some(state) = remote.transactions.get(&last.reference)
                {
                    last.state = state.attempt_state();
                }
            }
            prop_assert_eq!(remote.executions - remote.reversals, 1);
            prop_assert_eq!(payment.attempts.last().unwrap().state, AttemptState::Captured);
        }
    }

    #[test]
    fn a_suffix_only_after_the_end_was_read_again() {
        let asked = |number| NextStep::LookUp { number, reference: reference("T", number) };
        let mut payment = Payment { attempts: vec![attempt(1)] };
        payment.attempts[0].state = AttemptState::Ended;
        assert_eq!(payment.plan("T", true), asked(1));
        let ended = Some(TransactionState::Failed);
        assert_eq!(payment.after_look_up(1, "T", ended, true), NextStep::Begin(2));
        assert_eq!(payment.after_look_up(1, "T", ended, false), asked(2));
        assert_eq!(payment.after_look_up(1, "T", Some(TransactionState::Captured), true), NextStep::Adopt);
        assert!(matches!(payment.after_look_up(1, "T", None, true), NextStep::Wait(_)));
        payment.attempts[0].state = AttemptState::Refused;
        assert_eq!(payment.after_look_up(1, "T", None, true), NextStep::Resend);
    }

    #[test]
    fn a_word_that_is_new_is_neither_pending_nor_final() {
        for (word, state) in [
            ("CAPTURED", TransactionState::Captured),
            ("unauthed", TransactionState::Failed),
            ("ABORTED", TransactionState::Failed),
            ("REJECTED_END", TransactionState::Failed),
            ("CANCELLED_END", TransactionState::Canceled),
            ("STANDBY", TransactionState::Standby),
            ("AUTHORIZED", TransactionState::Pending),
            ("SOMETHING_NEW", TransactionState::Unknown),
            ("REFUNDED", TransactionState::Unknown),
            ("", TransactionState::Pending),
        ] {
            assert_eq!(TransactionState::from_word(word), state, "{word}");
        }
    }

    #[test]
    fn later_attempts_go_by_the_reference_that_was_first_made() {
        assert_eq!(Payment::default().base("computed"), "computed");
        let mut payment = Payment { attempts: vec![attempt(1), attempt(2)] };
        assert_eq!(payment.base("computed"), "T");
        payment.attempts[1].reference = "OLD_R3".to_owned();
        assert_eq!(payment.base("computed"), "OLD");
        // A payment that someone else made without a reference.
        payment.attempts.push(attempt(3));
        payment.attempts[2].reference = String::new();
        assert_eq!(payment.base("computed"), "OLD");
        let mut payment = Payment { attempts: vec![attempt(1)] };
        payment.attempts[0].reference = String::new();
        payment.attempts[0].transaction_id = Some("5d".to_owned());
        assert_eq!(payment.base("computed"), "computed");
        assert!(payment.attempt_of("", "5d").is_some());
        assert!(payment.attempt_of("", "6e").is_none() && payment.attempt_of("computed", "5d").is_none());
    }
}

word_by_name!(AttemptState => "attempt");
