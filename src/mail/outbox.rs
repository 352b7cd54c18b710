//! Mails to be sent: kept in the store until they are accepted, refused or given up.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strum::{IntoStaticStr, VariantArray};

use super::channel::AlertChannel;
use super::digest::Digest;
use crate::logs::AlertBatch;
use crate::platform::variants::named;
use crate::store::{AnyIndex, Index, Query, Record, StoreError, View, Writer};
use crate::trouble::Trouble;

/// The subject of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailKind {
    /// Log lines for an alert.
    Alert,
    /// The work of one day.
    Digest,
    /// A trouble that has begun, lasts or is over.
    Trouble,
    /// Log lines for a channel other than mail: a separate kind, so that an earlier release does not mail it.
    Lines,
    /// A kind of a release that this one does not know: kept, not sent.
    #[serde(other)]
    Unknown,
}

/// Delivery state of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum MailState {
    /// Waiting for delivery to some or all recipients.
    Queued,
    /// Accepted by the mail server for at least one recipient.
    Sent,
    /// Refused for every recipient.
    Refused,
    /// Never accepted, and too old now.
    GivenUp,
    /// A state of a release that this one does not know: kept unchanged.
    #[serde(other)]
    Unknown,
}

named!(pub MailState);

/// A mail. Its text is composed when it is sent, in the language and with the settings of that time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mail {
    /// Our own number, from 1.
    pub id: u64,
    /// Subject of the mail.
    pub kind: MailKind,
    /// Delivery state.
    pub state: MailState,
    /// Time of creation (UTC).
    pub created_at: Timestamp,
    /// Channel on which it is sent.
    #[serde(default)]
    pub channel: AlertChannel,
    /// Recipients that have not received it yet.
    #[serde(default)]
    pub to: Vec<String>,
    /// Recipients that the mail server refused for good.
    #[serde(default)]
    pub refused: Vec<String>,
    /// Number of recipients that have received it.
    #[serde(default)]
    pub delivered: u64,
    /// Part of its Message-ID, so that a mail that was sent twice is recognised as one.
    #[serde(default)]
    pub token: String,
    /// The lines of an alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<AlertBatch>,
    /// The facts of a digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The trouble, in its state when the mail was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// Number of tries.
    #[serde(default)]
    pub tries: u32,
    /// Earliest time of the next try (UTC).
    #[serde(default)]
    pub try_at: Option<Timestamp>,
    /// Time at which it reached a final state (UTC).
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
    /// Last reply of the mail server, or the reason why it could not be reached.
    #[serde(default)]
    pub message: String,
    /// Fields written by a later release, kept unchanged.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// First delay between two tries; it doubles each time.
const FIRST_WAIT: SignedDuration = SignedDuration::from_mins(1);
const MAX_WAIT: SignedDuration = SignedDuration::from_hours(1);
/// Time after which a mail is given up, as is usual for mail servers.
const GIVE_UP_TIMEOUT: SignedDuration = SignedDuration::from_hours(5 * 24);

/// Maximum age of a waiting alert that new lines join.
const MAX_JOINED_AGE: SignedDuration = SignedDuration::from_hours(24);

impl Mail {
    /// Creates a mail with log lines for `channel`, not stored yet.
    pub fn alert(summary: AlertBatch, (channel, to): (AlertChannel, Vec<String>), now: Timestamp) -> Self {
        let kind = if channel == AlertChannel::Mail { MailKind::Alert } else { MailKind::Lines };
        Self { summary: Some(summary), channel, ..Self::new(kind, to, now) }
    }

    /// Creates a mail about a trouble for `channel`, not stored yet.
    pub fn of_trouble(trouble: Trouble, (channel, to): (AlertChannel, Vec<String>), now: Timestamp) -> Self {
        Self { trouble: Some(trouble), channel, ..Self::new(MailKind::Trouble, to, now) }
    }

    /// Creates a mail with a digest, not stored yet.
    pub fn of_digest(digest: Digest, to: Vec<String>, now: Timestamp) -> Self {
        Self { digest: Some(digest), ..Self::new(MailKind::Digest, to, now) }
    }

    fn new(kind: MailKind, to: Vec<String>, now: Timestamp) -> Self {
        Self {
            id: 0,
            kind,
            state: MailState::Queued,
            created_at: now,
            channel: AlertChannel::Mail,
            to,
            refused: Vec::new(),
            delivered: 0,
            token: format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..)),
            summary: None,
            digest: None,
            trouble: None,
            tries: 0,
            try_at: None,
            ended_at: None,
            message: String::new(),
            unknown: Map::new(),
        }
    }

    /// Returns true if it is to be sent now.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.state == MailState::Queued && self.try_at.is_none_or(|at| at <= now)
    }

    /// Returns the mail given up at `now`, because its channel is no longer configured.
    pub(super) fn given_up(mut self, now: Timestamp) -> Self {
        (self.state, self.ended_at, self.try_at) = (MailState::GivenUp, Some(now), None);
        self
    }

    /// Records a try: the recipients left in `to` are tried again later, or the mail is given up.
    pub(super) fn tried(&mut self, now: Timestamp) {
        self.tries = self.tries.saturating_add(1);
        self.try_at = None;
        self.state = match (self.to.is_empty(), self.delivered) {
            (true, 0) => MailState::Refused,
            (true, _) => MailState::Sent,
            (false, _) if now.duration_since(self.created_at) >= GIVE_UP_TIMEOUT => MailState::GivenUp,
            (false, _) => MailState::Queued,
        };
        if self.state == MailState::Queued {
            let doubled =
                FIRST_WAIT.saturating_mul(1_i32.checked_shl(self.tries.saturating_sub(1)).unwrap_or(i32::MAX));
            self.try_at = now.checked_add(if doubled.is_positive() { doubled.min(MAX_WAIT) } else { MAX_WAIT }).ok();
        } else {
            self.ended_at = Some(now);
        }
    }
}

impl Record for Mail {
    const COLLECTION: &'static str = "mails";
    type Key = u64;
    const INDEXES: &[&dyn AnyIndex<Self>] = &[&Self::OPEN, &Self::ENDED];

    fn key(&self) -> u64 {
        self.id
    }
}

impl Mail {
    /// Mails to be sent, in the order in which they were made.
    pub const OPEN: Index<Self, ()> =
        Index::by_key("open", 1, |mail: &Self| if mail.state == MailState::Queued { vec![()] } else { Vec::new() })
            .counted();

    /// Mails that can be deleted once they are old.
    pub const ENDED: Index<Self, (), Timestamp> =
        Index::new("ended", 1, |mail: &Self| mail.ended_at.map(|at| ((), at)).into_iter().collect());
}

/// Stores a new mail. An alert that has not been delivered yet absorbs the new lines, so that there
/// is only one. A message about a trouble replaces an undelivered one about the same trouble: the
/// report of its end covers its beginning.
pub fn queue(writer: &mut Writer<'_>, new: Mail) -> Result<(), StoreError> {
    if let Some(trouble) = &new.trouble {
        for id in writer.keys(&Query::group(Mail::OPEN, ()).limit(100))?.keys {
            let Some(waiting) = writer.get::<Mail>(&id)? else { continue };
            let same = waiting.trouble.as_ref().is_some_and(|known| known.key == trouble.key);
            if same && waiting.channel == new.channel && waiting.delivered == 0 {
                return writer.put(&Mail { id, ..new });
            }
        }
    }
    if let (MailKind::Alert | MailKind::Lines, Some(summary)) = (new.kind, &new.summary) {
        for id in writer.keys(&Query::group(Mail::OPEN, ()).limit(100))?.keys {
            let Some(mut waiting) = writer.get::<Mail>(&id)? else { continue };
            // One that some recipients already have must not change for the others, and an old one
            // may be given up soon.
            let fresh = new.created_at.duration_since(waiting.created_at) < MAX_JOINED_AGE;
            let same = (waiting.kind, waiting.channel) == (new.kind, new.channel);
            if same && waiting.delivered == 0 && fresh {
                waiting.summary.get_or_insert_default().absorb(summary.clone());
                // New lines must not wait as long as a mail that was tried often.
                waiting.try_at = Some(new.created_at);
                return writer.put(&waiting);
            }
        }
    }
    let mail = Mail { id: writer.next_id::<Mail>()?, ..new };
    writer.put(&mail)
}

#[cfg(test)]
mod tests;
