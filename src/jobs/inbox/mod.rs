//! The stored inbox: a notification is kept once, and replayed on demand.

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
use crate::text::message::Message;

/// Upper bound on the notifications of one account that are counted per day.
const MAX_COUNTED: usize = 1_000;
/// Upper bound on the notifications about one subject.
const MAX_RELEASED_AT_ONCE: usize = 1_000;

/// Stores `new` once; it is on the disk when this returns. Returns its number, and true if it repeats a stored one.
pub async fn receive(store: &Store, new: NewNotification, now: Timestamp) -> Result<(u64, bool), StoreError> {
    let (digest, kind) = (digest(&new), new.kind.name());
    let stored = store.write(move |writer| store_notification(writer, new, digest, now)).await;
    let outcome = match &stored {
        Ok((_, false)) => "stored",
        Ok((_, true)) => "repeated",
        Err(_) => "not_stored",
    };
    counter!(metrics::NOTIFICATIONS, "kind" => kind, "outcome" => outcome).increment(1);
    stored
}

/// Returns true if it was stored before: a repetition takes no space.
pub async fn is_known(store: &Store, new: &NewNotification) -> Result<bool, StoreError> {
    let digest = digest(new);
    store.reading(move |reader| Ok(reader.by_unique(Notification::BY_DIGEST, digest)?.is_some())).await
}

/// Returns the number of notifications of an account stored since `since`, and their bytes; those
/// that have just arrived and are not processed yet are left out.
pub async fn kept_since(store: &Store, account_id: u64, since: Timestamp) -> Result<(usize, usize), StoreError> {
    let query = Query::group(Notification::BY_ACCOUNT, account_id).from(since).limit(MAX_COUNTED);
    let page = store.reading(move |reader| reader.page(&query)).await?;
    Ok((page.items.len(), page.items.iter().map(|one| one.body.len()).sum()))
}

fn store_notification(
    writer: &mut Writer<'_>,
    new: NewNotification,
    digest: String,
    now: Timestamp,
) -> Result<(u64, bool), StoreError> {
    if let Some(mut known) = writer.by_unique(Notification::BY_DIGEST, digest.clone())? {
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
        message: Message::none(),
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

/// Makes the notifications of `kind` about `subject` due now, because what they waited for is
/// known; also those that had been given up. Returns true if there are any.
pub fn release(writer: &mut Writer<'_>, kind: NotificationKind, subject: &str) -> Result<bool, StoreError> {
    let query = Query::group(Notification::AWAITED, (kind, subject.to_owned())).limit(MAX_RELEASED_AT_ONCE);
    let mut any = false;
    for id in writer.keys(&query)?.keys {
        let Ok(Some(mut one)) = writer.get::<Notification>(&id) else { continue };
        // Its retention period may be over.
        if one.body.is_empty() {
            continue;
        }
        one.make_due();
        writer.put(&one)?;
        any = true;
    }
    Ok(any)
}

/// Outcome of a request to process a notification again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// A notification that is due now.
    Again,
    /// A notification that was applied, and must not be applied twice. Nothing was changed.
    HadItsEffect,
    /// A notification whose body is no longer stored. Nothing was changed.
    Emptied,
    /// A later release processed it in a way that this one does not know. Nothing was changed.
    Unknown,
    /// No notification with this number.
    Missing,
}

/// Makes notification `id` due now, as if it had just arrived, in the transaction that marks its state. One that was
/// applied is left unchanged: its consequences, such as a hold that a person has released since, must not occur again.
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
    one.make_due();
    writer.put(&one)?;
    Ok(Replay::Again)
}

/// Returns the identity of a notification: its subject and half of a SHA-256, which two different
/// notifications do not share. The subject comes first: HiPay's ids grow with time, so that
/// notifications of one time are stored close together.
fn digest(new: &NewNotification) -> String {
    let hash = Sha256::new()
        .chain_update(new.kind.name())
        .chain_update([0])
        .chain_update(new.identity.as_ref().unwrap_or(&new.body))
        .finalize();
    format!("{}:{}", new.subject, hex(hash.into_iter().take(16)))
}
