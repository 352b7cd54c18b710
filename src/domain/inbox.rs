//! The durable inbox: every notification of HiPay's that passed its check, from before it is
//! answered to what came of it.
//!
//! A notification is stored once, however often it is sent, and is dealt with after it has been
//! answered: in the order of arrival, until it has come to an end.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::text::message::{Message, StoredMessage};
use crate::text::word_by_name;

/// Which of HiPay's platforms sent it, and about what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotificationKind {
    /// Marketplace: accounts, documents, transfers, withdrawals.
    Wallet,
    /// Enterprise: a customer's payment.
    Payment,
    /// Enterprise: a settlement.
    Settlement,
    /// A kind of a release that we do not know: kept, not dealt with.
    #[serde(other)]
    Unknown,
}

impl NotificationKind {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Wallet, Self::Payment, Self::Settlement, Self::Unknown];

    /// The name in filters and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wallet => "wallet",
            Self::Payment => "payment",
            Self::Settlement => "settlement",
            Self::Unknown => "unknown",
        }
    }
}

/// How far a notification has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotificationState {
    /// Stored and answered; not dealt with yet.
    Received,
    /// What it is about is not known (yet), or a remote has to be told and cannot be reached: tried
    /// again.
    Waiting,
    /// It had its effect.
    Applied,
    /// It changes nothing: late, or of no meaning to us.
    Ignored,
    /// What it is about never became known.
    Unmatched,
    /// A state of a release that we do not know: kept as it is.
    #[serde(other)]
    Unknown,
}

impl NotificationState {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::Received, Self::Waiting, Self::Applied, Self::Ignored, Self::Unmatched, Self::Unknown];

    /// The name in filters and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Waiting => "waiting",
            Self::Applied => "applied",
            Self::Ignored => "ignored",
            Self::Unmatched => "unmatched",
            Self::Unknown => "unknown",
        }
    }

    /// True while there is something to do about it.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Received | Self::Waiting)
    }
}

/// What a handler has verified and wants to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotification {
    /// Which platform, and about what.
    pub kind: NotificationKind,
    /// What it says, in the sender's word: `capture`, `118`.
    pub action: String,
    /// What it is about, in HiPay's words: a transaction id, a transaction reference; empty where
    /// it is about an account only.
    pub subject: String,
    /// The HiPay account that it is about.
    pub account_id: Option<u64>,
    /// What was sent, as it was verified, with what must not be kept masked.
    pub body: String,
    /// What makes it the same one when it comes again; the body, where it is nothing else.
    pub identity: Option<String>,
}

/// What came of dealing with a notification, each with a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It had its effect.
    Applied(Message),
    /// It changes nothing.
    Ignored(Message),
    /// What it is about is not known (yet): given up after a week.
    Waiting(Message),
    /// It cannot be dealt with now, because of a remote or of a record: tried again until it can.
    Postponed(Message),
}

/// A notification in the inbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// Our own number, from 1, in the order of arrival.
    pub id: u64,
    /// Which platform, and about what.
    pub kind: NotificationKind,
    /// How far it has come.
    pub state: NotificationState,
    /// Tells repetitions: what it is about and, hashed, what was sent.
    pub digest: String,
    /// What it says, in the sender's word.
    #[serde(default)]
    pub action: String,
    /// What it is about, in HiPay's words; empty where it is about an account only.
    #[serde(default)]
    pub subject: String,
    /// The HiPay account that it is about.
    #[serde(default)]
    pub account_id: Option<u64>,
    /// The shop that it turned out to be about.
    #[serde(default)]
    pub mirakl_id: Option<u64>,
    /// What was sent, masked where it must be; empty once its time to be kept is over.
    #[serde(default)]
    pub body: String,
    /// What came of it, in a sentence.
    #[serde(default)]
    pub message: String,
    /// What says the same in other languages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<StoredMessage>,
    /// When it came first (UTC).
    pub received_at: Timestamp,
    /// How often it came again.
    #[serde(default)]
    pub repeats: u64,
    /// When it came last (UTC), where it was repeated.
    #[serde(default)]
    pub repeated_at: Option<Timestamp>,
    /// How often it was tried without coming to an end.
    #[serde(default)]
    pub tries: u32,
    /// Not before then is it tried again (UTC).
    #[serde(default)]
    pub try_at: Option<Timestamp>,
    /// When it came to an end (UTC).
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
    /// What a later release wrote beside this; kept as it is.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// How long a notification waits before it is tried again: longer each time, up to this.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(15);
/// For how long what a notification is about may remain unknown.
const GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);

impl Notification {
    /// True where it is to be dealt with now.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.state.is_open() && self.try_at.is_none_or(|at| at <= now)
    }

    /// True where it concerns the vendor as such: dealt with one after the other for each vendor, with
    /// calls to Mirakl.
    pub fn is_about_vendor(&self) -> bool {
        const ACTIONS: [&str; 3] = ["identification", "bank_info_validation", "document_validation"];
        self.kind == NotificationKind::Wallet && ACTIONS.contains(&self.action.as_str())
    }

    /// Writes down what came of dealing with it.
    pub fn settle(&mut self, outcome: Outcome, now: Timestamp) {
        let (state, message) = match outcome {
            Outcome::Applied(message) => (NotificationState::Applied, message),
            Outcome::Ignored(message) => (NotificationState::Ignored, message),
            Outcome::Waiting(message) if now.duration_since(self.received_at) >= GIVEN_UP_AFTER => {
                (NotificationState::Unmatched, message)
            }
            Outcome::Waiting(message) | Outcome::Postponed(message) => (NotificationState::Waiting, message),
        };
        self.state = state;
        (self.message, self.said) = message.into_parts();
        self.try_at = None;
        if state.is_open() {
            let wait = SignedDuration::from_secs(1_i64 << self.tries.min(20)).min(LONGEST_WAIT);
            self.tries = self.tries.saturating_add(1);
            self.try_at = now.checked_add(wait).ok();
        } else {
            self.ended_at = Some(now);
        }
    }

    /// Makes it due now, as if it had just come.
    pub(crate) fn reopen(&mut self) {
        self.state = NotificationState::Received;
        self.try_at = None;
        self.ended_at = None;
    }

    /// True where dealing with it again can come to something: see [`replay`].
    pub fn can_be_replayed(&self) -> bool {
        let ended = matches!(self.state, NotificationState::Ignored | NotificationState::Unmatched);
        (ended || self.state.is_open()) && !self.body.is_empty()
    }
}

word_by_name!(NotificationState => "notification", NotificationKind => "notification-kind");
