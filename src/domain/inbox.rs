//! The durable inbox: every verified notification of HiPay's, from before it is answered to the result of its
//! processing.
//!
//! A notification is stored once, however often it is sent, and is processed after it has been answered: in the order
//! of arrival, until it reaches a final state.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use crate::platform::variants::named;
use crate::text::message::{self, Message};
use crate::text::word_by_name;

/// HiPay platform and subject of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum NotificationKind {
    /// Marketplace: accounts, documents, transfers, withdrawals.
    Wallet,
    /// Enterprise: a customer's payment.
    Payment,
    /// Enterprise: a settlement.
    Settlement,
    /// A kind that this release does not know; kept, not processed.
    #[serde(other)]
    Unknown,
}

named!(pub NotificationKind, pub NotificationState);

/// Processing state of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum NotificationState {
    /// Stored and answered; not processed yet.
    Received,
    /// Waiting for another try: its subject is not known (yet), or a remote that has to be notified cannot be reached.
    Waiting,
    /// Processed, with an effect.
    Applied,
    /// Without an effect: late, or irrelevant here.
    Ignored,
    /// Given up because its subject never became known.
    Unmatched,
    /// A state that this release does not know; kept unchanged.
    #[serde(other)]
    Unknown,
}

impl NotificationState {
    /// Returns true while the notification still has to be processed.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Received | Self::Waiting)
    }
}

/// A verified notification that a handler passes on for storing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotification {
    /// Platform and subject.
    pub kind: NotificationKind,
    /// Action in the sender's word: `capture`, `118`.
    pub action: String,
    /// Subject in HiPay's words: a transaction id, a transaction reference; empty if it concerns an account only.
    pub subject: String,
    /// HiPay account of the notification.
    pub account_id: Option<u64>,
    /// Content as verified, with everything masked that must not be kept.
    pub body: String,
    /// Identity for recognising a repetition; the body if `None`.
    pub identity: Option<String>,
}

/// Result of processing a notification, with a message for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotificationOutcome {
    /// Processed, with an effect.
    Applied(Message),
    /// Without an effect.
    Ignored(Message),
    /// Not processed because the subject is not known (yet); given up after a week.
    Waiting(Message),
    /// Not processed now because of a remote or of a record; retried until it succeeds.
    Postponed(Message),
}

/// A notification in the inbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// Our own number, from 1, in the order of arrival.
    pub id: u64,
    /// Platform and subject.
    pub kind: NotificationKind,
    /// Processing state.
    pub state: NotificationState,
    /// Key for recognising repetitions: the subject and a hash of the content.
    pub digest: String,
    /// Action in the sender's word.
    #[serde(default)]
    pub action: String,
    /// Subject in HiPay's words; empty if it concerns an account only.
    #[serde(default)]
    pub subject: String,
    /// HiPay account of the notification.
    pub account_id: Option<u64>,
    /// Shop that the notification turned out to concern.
    pub mirakl_id: Option<u64>,
    /// Content as sent, masked where required; empty after its retention period.
    #[serde(default)]
    pub body: String,
    /// Result of the processing, as English text.
    #[serde(flatten, with = "message::stored")]
    pub message: Message,
    /// Time of the first arrival (UTC).
    pub received_at: Timestamp,
    /// Number of repeated arrivals.
    #[serde(default)]
    pub repeats: u64,
    /// Time of the last arrival (UTC), if it was repeated.
    pub repeated_at: Option<Timestamp>,
    /// Number of tries that did not reach a final state.
    #[serde(default)]
    pub tries: u32,
    /// Earliest time of the next try (UTC).
    pub try_at: Option<Timestamp>,
    /// Time at which a final state was reached (UTC).
    pub ended_at: Option<Timestamp>,
    /// Fields that a later release wrote, kept unchanged.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// Upper bound on the wait before another try; each wait is longer than the one before.
const MAX_WAIT: SignedDuration = SignedDuration::from_mins(15);
/// Time after which a notification with an unknown subject is given up.
const GIVE_UP_TIMEOUT: SignedDuration = SignedDuration::from_hours(7 * 24);

impl Notification {
    /// Returns true if the notification is due for processing.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.state.is_open() && self.try_at.is_none_or(|at| at <= now)
    }

    /// Returns true if the notification concerns the vendor as such. Such notifications are processed one after the
    /// other for each vendor, with calls to Mirakl.
    pub fn is_about_vendor(&self) -> bool {
        const ACTIONS: [&str; 3] = ["identification", "bank_info_validation", "document_validation"];
        self.kind == NotificationKind::Wallet && ACTIONS.contains(&self.action.as_str())
    }

    /// Records the result of the processing.
    pub fn settle(&mut self, outcome: NotificationOutcome, now: Timestamp) {
        let (state, message) = match outcome {
            NotificationOutcome::Applied(message) => (NotificationState::Applied, message),
            NotificationOutcome::Ignored(message) => (NotificationState::Ignored, message),
            NotificationOutcome::Waiting(message) if now.duration_since(self.received_at) >= GIVE_UP_TIMEOUT => {
                (NotificationState::Unmatched, message)
            }
            NotificationOutcome::Waiting(message) | NotificationOutcome::Postponed(message) => {
                (NotificationState::Waiting, message)
            }
        };
        self.state = state;
        self.message = message;
        self.try_at = None;
        if state.is_open() {
            let wait = SignedDuration::from_secs(1_i64 << self.tries.min(20)).min(MAX_WAIT);
            self.tries = self.tries.saturating_add(1);
            self.try_at = now.checked_add(wait).ok();
        } else {
            self.ended_at = Some(now);
        }
    }

    /// Makes the notification due now, as if it had just arrived.
    pub(crate) fn make_due(&mut self) {
        self.state = NotificationState::Received;
        self.try_at = None;
        self.ended_at = None;
    }

    /// Returns true if processing the notification again may have an effect.
    pub fn can_be_replayed(&self) -> bool {
        let ended = matches!(self.state, NotificationState::Ignored | NotificationState::Unmatched);
        (ended || self.state.is_open()) && !self.body.is_empty()
    }
}

word_by_name!(NotificationState => "notification", NotificationKind => "notification-kind");
