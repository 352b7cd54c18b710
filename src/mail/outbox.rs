//! Mails that are to be sent: kept in the store until they were taken, refused or given up.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::channel::Channel;
use super::digest::Digest;
use crate::logs::AlertBatch;
use crate::store::{Entry, Index, Query, Record, StoreError, View, Writer};
use crate::trouble::Trouble;

/// What a mail is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailKind {
    /// Log lines that a person is to be told about.
    Alert,
    /// What was done on a day.
    Digest,
    /// A trouble that has begun, lasts or is over.
    Trouble,
    /// Log lines for a channel other than mail: a kind of its own, so that an earlier release mails it to nobody.
    Lines,
    /// A kind of a release that we do not know: kept, not sent.
    #[serde(other)]
    Unknown,
}

/// How far a mail has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailState {
    /// To be sent, to some or all.
    Queued,
    /// Taken by the mail server, for one recipient at least.
    Sent,
    /// Refused for every recipient.
    Refused,
    /// Never taken, and too old by now.
    GivenUp,
    /// A state of a release that we do not know: kept as it is.
    #[serde(other)]
    Unknown,
}

impl MailState {
    /// The name in filters, in JSON and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Refused => "refused",
            Self::GivenUp => "given_up",
            Self::Unknown => "unknown",
        }
    }
}

/// A mail. Its words are chosen when it is sent, in the language and with the settings of then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mail {
    /// Our own number, from 1.
    pub id: u64,
    /// What it is about.
    pub kind: MailKind,
    /// How far it has come.
    pub state: MailState,
    /// When it was made (UTC).
    pub created_at: Timestamp,
    /// The way on which it is sent.
    #[serde(default)]
    pub channel: Channel,
    /// Recipients that have not got it yet.
    #[serde(default)]
    pub to: Vec<String>,
    /// Recipients that the mail server refused for good.
    #[serde(default)]
    pub refused: Vec<String>,
    /// How many recipients have got it.
    #[serde(default)]
    pub delivered: u64,
    /// Stands in its Message-ID, so that a mail that was sent twice is seen to be one.
    #[serde(default)]
    pub token: String,
    /// The lines, of an alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<AlertBatch>,
    /// The facts, of a digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The trouble, as it stood when this was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// How often it was tried.
    #[serde(default)]
    pub tries: u32,
    /// Not before then is it tried again (UTC).
    #[serde(default)]
    pub try_at: Option<Timestamp>,
    /// When it came to an end (UTC).
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
    /// What the mail server said last, or what stood in the way to it.
    #[serde(default)]
    pub message: String,
    /// What a later release wrote beside this; kept as it is.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// The first wait between two tries; it doubles.
const FIRST_WAIT: SignedDuration = SignedDuration::from_mins(1);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(1);
/// How long it is tried, as mail servers do.
const GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_hours(5 * 24);

/// For how long new lines join an alert that waits.
const JOINED_WITHIN: SignedDuration = SignedDuration::from_hours(24);

impl Mail {
    /// Log lines to be told on `channel`, not stored yet.
    pub fn alert(summary: AlertBatch, (channel, to): (Channel, Vec<String>), now: Timestamp) -> Self {
        let kind = if channel == Channel::Mail { MailKind::Alert } else { MailKind::Lines };
        Self { summary: Some(summary), channel, ..Self::new(kind, to, now) }
    }

    /// A trouble to be told on `channel`, not stored yet.
    pub fn of_trouble(trouble: Trouble, (channel, to): (Channel, Vec<String>), now: Timestamp) -> Self {
        Self { trouble: Some(trouble), channel, ..Self::new(MailKind::Trouble, to, now) }
    }

    /// A digest, not stored yet.
    pub fn of_digest(digest: Digest, to: Vec<String>, now: Timestamp) -> Self {
        Self { digest: Some(digest), ..Self::new(MailKind::Digest, to, now) }
    }

    fn new(kind: MailKind, to: Vec<String>, now: Timestamp) -> Self {
        Self {
            id: 0,
            kind,
            state: MailState::Queued,
            created_at: now,
            channel: Channel::Mail,
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

    /// True where it is to be sent now.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.state == MailState::Queued && self.try_at.is_none_or(|at| at <= now)
    }

    /// The same, given up at `now`: it waits for a channel that is gone.
    pub(super) fn given_up(mut self, now: Timestamp) -> Self {
        (self.state, self.ended_at, self.try_at) = (MailState::GivenUp, Some(now), None);
        self
    }

    /// Writes down that it was tried: what is left of `to` is tried again later, or given up.
    pub(super) fn tried(&mut self, now: Timestamp) {
        self.tries = self.tries.saturating_add(1);
        self.try_at = None;
        self.state = match (self.to.is_empty(), self.delivered) {
            (true, 0) => MailState::Refused,
            (true, _) => MailState::Sent,
            (false, _) if now.duration_since(self.created_at) >= GIVEN_UP_AFTER => MailState::GivenUp,
            (false, _) => MailState::Queued,
        };
        if self.state == MailState::Queued {
            let doubled =
                FIRST_WAIT.saturating_mul(1_i32.checked_shl(self.tries.saturating_sub(1)).unwrap_or(i32::MAX));
            self.try_at =
                now.checked_add(if doubled.is_positive() { doubled.min(LONGEST_WAIT) } else { LONGEST_WAIT }).ok();
        } else {
            self.ended_at = Some(now);
        }
    }
}

impl Record for Mail {
    const COLLECTION: &'static str = "mails";
    type Key = u64;

    fn key(&self) -> u64 {
        self.id
    }

    fn indexes() -> Vec<Index<Self>> {
        vec![
            // What is to be sent, in the order in which it was made.
            Index::new(
                "open",
                1,
                |mail: &Self| {
                    if mail.state == MailState::Queued { vec![Entry::of(())] } else { Vec::new() }
                },
            )
            .counted(),
            // What can go once it is old.
            Index::new("ended", 1, |mail: &Self| mail.ended_at.map(|at| Entry::new((), at)).into_iter().collect()),
        ]
    }
}

/// Stores a new mail. Lines that wait to be mailed already are not mailed twice: an alert that was
/// not taken yet gets the new lines as well. Nor is a trouble told that is over before anybody was: its end tells of
/// it too.
pub fn queue(writer: &mut Writer<'_>, new: Mail) -> Result<(), StoreError> {
    if let Some(trouble) = &new.trouble {
        for id in writer.keys::<Mail>(&Query::group("open", ()).limit(100))?.keys {
            let Some(waiting) = writer.get::<Mail>(&id)? else { continue };
            let same = waiting.trouble.as_ref().is_some_and(|known| known.key == trouble.key);
            if same && waiting.channel == new.channel && waiting.delivered == 0 {
                return writer.put(&Mail { id, ..new });
            }
        }
    }
    if let (MailKind::Alert | MailKind::Lines, Some(summary)) = (new.kind, &new.summary) {
        for id in writer.keys::<Mail>(&Query::group("open", ()).limit(100))?.keys {
            let Some(mut waiting) = writer.get::<Mail>(&id)? else { continue };
            // One that somebody has got already is not to be changed for the others, and an old one may be
            // given up soon.
            let fresh = new.created_at.duration_since(waiting.created_at) < JOINED_WITHIN;
            let same = (waiting.kind, waiting.channel) == (new.kind, new.channel);
            if same && waiting.delivered == 0 && fresh {
                waiting.summary.get_or_insert_default().absorb(summary.clone());
                // What is new is not to wait as long as what has been tried often.
                waiting.try_at = Some(new.created_at);
                return writer.put(&waiting);
            }
        }
    }
    let mail = Mail { id: writer.next_id::<Mail>()?, ..new };
    writer.put(&mail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_tried_less_and_less_often_and_given_up_after_days() {
        let begun: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        let mut mail = Mail::alert(AlertBatch::default(), (Channel::Mail, vec!["ops@example.com".to_owned()]), begun);
        let (mut now, mut waits) = (begun, Vec::new());
        while mail.state == MailState::Queued {
            mail.tried(now);
            if let Some(next) = mail.try_at {
                waits.push(next.duration_since(now).as_mins());
                now = next;
            }
        }
        assert_eq!(waits[..8], [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(mail.state, MailState::GivenUp);
        assert!((120..=122).contains(&now.duration_since(begun).as_hours()), "{now}");
    }
}
