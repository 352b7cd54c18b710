//! The durable inbox: every notification of HiPay's that passed its check, from before it is
//! answered to what came of it.
//!
//! A notification is stored once, however often it is sent, and is dealt with after it has been
//! answered: in the order of arrival, until it has come to an end.

use ::metrics::counter;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::hex::hex;
use crate::metrics;
use crate::sentence::{Said, Sentence};
use crate::store::{Entry, Index, QUARTER_OF_A_DAY, Query, Record, Store, StoreError, View, Writer};

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
    Applied(Sentence),
    /// It changes nothing.
    Ignored(Sentence),
    /// What it is about is not known (yet): given up after a week.
    Waiting(Sentence),
    /// It cannot be dealt with now, because of a remote or of a record: tried again until it can.
    Postponed(Sentence),
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
    pub said: Option<Said>,
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
/// More notifications than one account may have stored in a day.
const COUNTED_AT_MOST: usize = 1_000;
/// More notifications than there are about one thing.
const RELEASED_AT_ONCE: usize = 1_000;
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
    fn reopen(&mut self) {
        self.state = NotificationState::Received;
        self.try_at = None;
        self.ended_at = None;
    }

    /// True where dealing with it again can come to something: see [`replay`].
    pub fn can_be_replayed(&self) -> bool {
        let ended = matches!(self.state, NotificationState::Ignored | NotificationState::Unmatched);
        (ended || self.state.is_open()) && !self.body.is_empty()
    }

    /// Entries for pages. What has just come has none yet: it is there for a moment only, and whoever
    /// waits for an answer is not to wait for lists.
    fn listed(&self, entries: impl FnOnce() -> Vec<Entry>) -> Vec<Entry> {
        if self.state == NotificationState::Received { Vec::new() } else { entries() }
    }
}

impl Record for Notification {
    const COLLECTION: &'static str = "notifications";
    type Key = u64;

    fn key(&self) -> u64 {
        self.id
    }

    fn indexes() -> Vec<Index<Self>> {
        vec![
            // A notification counts once, however often it is sent.
            Index::new("digest", 1, |one: &Self| vec![Entry::of(one.digest.clone())]).unique(),
            // What is to be dealt with, apart for what concerns vendors: what has just come in the order
            // of arrival, then what is to be tried again.
            Index::new("open", 2, |one: &Self| {
                if one.state.is_open() { vec![Entry::new(one.is_about_vendor(), one.try_at)] } else { Vec::new() }
            })
            .counted(),
            // What waits for something to become known, or did so in vain.
            Index::new("awaited", 1, |one: &Self| match one.state {
                NotificationState::Waiting | NotificationState::Unmatched if !one.subject.is_empty() => {
                    vec![Entry::of((one.kind.name().to_owned(), one.subject.clone()))]
                }
                NotificationState::Received
                | NotificationState::Waiting
                | NotificationState::Applied
                | NotificationState::Ignored
                | NotificationState::Unmatched
                | NotificationState::Unknown => Vec::new(),
            }),
            // For pages, the latest last: by kind and state.
            Index::new("list", 1, |one: &Self| {
                let group = (one.kind.name().to_owned(), one.state.name().to_owned());
                one.listed(|| vec![Entry::new(group, one.received_at)])
            })
            .numbered(QUARTER_OF_A_DAY),
            // By the beginning of the transaction.
            Index::new("subject", 1, |one: &Self| {
                let subject = Some(&one.subject).filter(|subject| !subject.is_empty());
                one.listed(|| subject.map(|subject| Entry::new((), subject)).into_iter().collect())
            }),
            // By account, the latest last.
            Index::new("account", 1, |one: &Self| {
                one.listed(|| one.account_id.map(|id| Entry::new(id, one.received_at)).into_iter().collect())
            }),
            // What never found what it is about, by when that was given up.
            Index::new("unmatched", 1, |one: &Self| {
                let ended = one.ended_at.filter(|_| one.state == NotificationState::Unmatched);
                ended.map(|at| Entry::new((), at)).into_iter().collect()
            }),
        ]
    }
}

/// Stores `new` once: on the disk when this returns. Gives its number and whether it is a
/// repetition of one that is there.
pub async fn receive(store: &Store, new: NewNotification, now: Timestamp) -> Result<(u64, bool), StoreError> {
    let (digest, kind) = (digest(&new), new.kind.name());
    let stored = store.write(move |writer| keep(writer, new, digest, now)).await;
    let outcome = match &stored {
        Ok((_, false)) => "stored",
        Ok((_, true)) => "repeated",
        Err(_) => "not_stored",
    };
    counter!(metrics::NOTIFICATIONS, "kind" => kind, "outcome" => outcome).increment(1);
    stored
}

/// True where it was stored before: a repetition, which takes no room.
pub async fn is_known(store: &Store, new: &NewNotification) -> Result<bool, StoreError> {
    let digest = digest(new);
    store.reading(move |reader| Ok(reader.by_unique::<Notification>("digest", digest)?.is_some())).await
}

/// How many notifications of an account were stored since `since`, and their bytes; those that have just come are
/// left out.
pub async fn kept_since(store: &Store, account_id: u64, since: Timestamp) -> Result<(usize, usize), StoreError> {
    let query = Query::group("account", account_id).from(since).limit(COUNTED_AT_MOST);
    let page = store.reading(move |reader| reader.page::<Notification>(&query)).await?;
    Ok((page.items.len(), page.items.iter().map(|one| one.body.len()).sum()))
}

fn keep(
    writer: &mut Writer<'_>,
    new: NewNotification,
    digest: String,
    now: Timestamp,
) -> Result<(u64, bool), StoreError> {
    if let Some(mut known) = writer.by_unique::<Notification>("digest", digest.clone())? {
        known.repeats = known.repeats.saturating_add(1);
        known.repeated_at = Some(now);
        writer.put(&known)?;
        return Ok((known.id, true));
    }
    let id = writer.next_id::<Notification>()?;
    let NewNotification { kind, action, subject, account_id, body, identity: _ } = new;
    writer.put(&Notification {
        id,
        kind,
        state: NotificationState::Received,
        digest,
        action,
        subject,
        account_id,
        mirakl_id: None,
        body,
        message: String::new(),
        said: None,
        received_at: now,
        repeats: 0,
        repeated_at: None,
        tries: 0,
        try_at: None,
        ended_at: None,
        unknown: Map::new(),
    })?;
    Ok((id, false))
}

/// What notifications of `kind` about `subject` have waited for is known: they are dealt with now,
/// also those that had been given up. True where there are any.
pub fn release(writer: &mut Writer<'_>, kind: NotificationKind, subject: &str) -> Result<bool, StoreError> {
    let query = Query::group("awaited", (kind.name().to_owned(), subject.to_owned())).limit(RELEASED_AT_ONCE);
    let mut any = false;
    for id in writer.keys::<Notification>(&query)?.keys {
        let Ok(Some(mut one)) = writer.get::<Notification>(&id) else { continue };
        // Its time to be kept may be over.
        if one.body.is_empty() {
            continue;
        }
        one.reopen();
        writer.put(&one)?;
        any = true;
    }
    Ok(any)
}

/// What came of asking for a notification to be dealt with again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// It is due now.
    Again,
    /// It had its effect, which nothing is to have twice. Nothing was changed.
    HadItsEffect,
    /// What was sent is no longer kept. Nothing was changed.
    Emptied,
    /// A later release dealt with it in a way that we do not know. Nothing was changed.
    Unknown,
    /// There is none of this number.
    Missing,
}

/// Has notification `id` dealt with again, now, as if it had just come: in the transaction that marks
/// what came of it. One that had its effect is left as it is: what followed from it, such as a hold that
/// a person has lifted since, is not to follow again.
pub fn replay(writer: &mut Writer<'_>, id: u64) -> Result<Replay, StoreError> {
    let Some(mut one) = writer.get::<Notification>(&id)? else { return Ok(Replay::Missing) };
    match one.state {
        NotificationState::Applied => return Ok(Replay::HadItsEffect),
        NotificationState::Unknown => return Ok(Replay::Unknown),
        NotificationState::Received
        | NotificationState::Waiting
        | NotificationState::Ignored
        | NotificationState::Unmatched => {}
    }
    if one.body.is_empty() {
        return Ok(Replay::Emptied);
    }
    one.reopen();
    writer.put(&one)?;
    Ok(Replay::Again)
}

/// Half of a SHA-256: two different notifications do not share it. What it is about stands in front:
/// HiPay's ids grow with time, so what comes together lies together on the disk.
fn digest(new: &NewNotification) -> String {
    let hash = Sha256::new()
        .chain_update(new.kind.name())
        .chain_update([0])
        .chain_update(new.identity.as_ref().unwrap_or(&new.body))
        .finalize();
    format!("{}:{}", new.subject, hex(hash.into_iter().take(16)))
}
