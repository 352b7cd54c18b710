//! The inbox worked off: what each notification means becomes an effect, in the same transaction
//! that marks it as dealt with, so that each counts once.

use futures_util::future::join_all;
use jiff::Timestamp;

use super::{Context, JobError};
use crate::inbox::{Notification, NotificationKind, Outcome};
use crate::store::{Query, StoreError, View, Writer};

/// How many notifications are in hand at once; their writes share a flush of the disk.
const IN_HAND: usize = 200;

/// Deals with every notification that is due, in the order of arrival. One that cannot be dealt with
/// holds up no other.
pub async fn drain_inbox(context: &Context) -> Result<(), JobError> {
    let mut cursor = None;
    loop {
        let query = Query::group("open", ()).limit(IN_HAND).after(cursor);
        let slice = context.store.reading(move |reader| reader.keys::<Notification>(&query)).await?;
        let now = context.clock.now();
        // Queued in the order of arrival, and that is the order in which the writer runs them.
        let dealt = slice.keys.into_iter().map(|id| context.store.write(move |writer| deal(writer, id, now)));
        for outcome in join_all(dealt).await {
            match outcome {
                Ok(()) => {}
                Err(error @ StoreError::Unreadable { .. }) => {
                    tracing::error!(severity = "CRITICAL", action = "inbox", "{error}");
                }
                Err(error) => return Err(error.into()),
            }
        }
        cursor = slice.next;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

fn deal(writer: &mut Writer<'_>, id: u64, now: Timestamp) -> Result<(), StoreError> {
    let Some(mut notification) = writer.get::<Notification>(&id)? else { return Ok(()) };
    if !notification.is_due(now) {
        return Ok(());
    }
    let outcome = match notification.kind {
        NotificationKind::Wallet | NotificationKind::Payment | NotificationKind::Settlement => {
            Outcome::Waiting("nobody deals with it yet".to_owned())
        }
        NotificationKind::Unknown => Outcome::Ignored("of a kind that this release does not know".to_owned()),
    };
    notification.settle(outcome, now);
    writer.put(&notification)
}
