//! The inbox as it is stored: a notification is kept once, and replayed on demand.

pub(super) mod callback_salts;
pub(super) mod drain;
pub(super) mod payments;
pub(super) mod vendor_notices;
pub(super) mod wallet_notices;

use ::metrics::counter;
use jiff::Timestamp;
use serde_json::Map;
use sha2::{Digest, Sha256};

use crate::domain::inbox::{NewNotification, Notification, NotificationKind, NotificationState};
use crate::platform::hex::hex;
use crate::platform::metrics;
use crate::store::{Query, Store, StoreError, View, Writer};

/// More notifications than one account may have stored in a day.
const COUNTED_AT_MOST: usize = 1_000;
/// More notifications than there are about one thing.
const RELEASED_AT_ONCE: usize = 1_000;

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
