//! Processing of the inbox: each notification takes effect in the transaction that marks it as
//! processed, so that it counts once.

use std::time::Instant;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use opentelemetry::KeyValue;

use crate::domain::inbox::{Notification, NotificationKind, NotificationOutcome};
use crate::domain::operation::Operation;
use crate::domain::pii::masked;
use crate::jobs::batch::trace::{attributes_of, trace_of};
use crate::jobs::inbox::payments;
use crate::jobs::inbox::wallet_notices::{self, Dealt, OwnAccounts};
use crate::jobs::{Context, JobError};
use crate::platform::telemetry;
use crate::store::{Cursor, Keys, Query, StoreError, View, Writer};
use crate::text::message::{Message, logged, msg};

/// Factor of the pause to the preceding work while more notifications arrive than can be processed at once.
const PAUSE_FACTOR: u32 = 9;

/// Number of notifications in progress at once; their writes share a flush of the disk.
const MAX_ITEMS_AT_ONCE: usize = 50;

/// Processes every notification that is due and is not about a vendor as such: new ones in the
/// order of arrival, then those to be retried. One that cannot be processed holds up no other.
pub async fn drain_inbox(context: &Context) -> Result<(), JobError> {
    let own = OwnAccounts::of(&context.config);
    let (mut cursor, mut come) = (None, None);
    loop {
        let begun = Instant::now();
        let slice = due(context, false, cursor).await?;
        // Queued in the order of arrival, which is the order in which the writer runs them.
        let dealt = slice
            .keys
            .into_iter()
            .map(|id| settle(context, id, move |writer, one, now| process(writer, one, own, now)));
        for outcome in join_all(dealt).await {
            outcome?;
        }
        cursor = slice.next;
        if cursor.is_none() {
            return Ok(());
        }
        // In a flood, new notifications have to be acknowledged soon; their processing can wait.
        let before = come.replace(context.store.reading(|reader| reader.total::<Notification>()).await?);
        if before != come {
            tokio::time::sleep(begun.elapsed().saturating_mul(PAUSE_FACTOR)).await;
        }
    }
}

fn process(
    writer: &mut Writer<'_>,
    notification: &mut Notification,
    own: OwnAccounts,
    now: Timestamp,
) -> Result<Dealt, StoreError> {
    match notification.kind {
        NotificationKind::Wallet => wallet_notices::process(writer, notification, own, now),
        NotificationKind::Payment | NotificationKind::Settlement => {
            Ok(Dealt::without_log(payments::apply(writer, notification)?))
        }
        NotificationKind::Unknown => Ok(Dealt::ignored(msg!("notice-of-unknown-kind"))),
    }
}

/// Returns a slice of what is due now; `about_vendors` selects the part of the inbox.
pub(crate) async fn due(
    context: &Context,
    about_vendors: bool,
    cursor: Option<Cursor>,
) -> Result<Keys<u64>, StoreError> {
    let end = context.clock.now().checked_add(SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MAX);
    let query = Query::group(Notification::OPEN, about_vendors).to(Some(end)).limit(MAX_ITEMS_AT_ONCE).after(cursor);
    context.store.reading(move |reader| reader.keys(&query)).await
}

/// Does `work` on a notification that is due, and records the outcome in the same transaction.
/// Returns true if it reached a final state.
pub(crate) async fn settle(
    context: &Context,
    id: u64,
    work: impl FnOnce(&mut Writer<'_>, &mut Notification, Timestamp) -> Result<Dealt, StoreError> + Send + 'static,
) -> Result<bool, JobError> {
    let now = context.clock.now();
    let settled = context.store.write(move |writer: &mut Writer<'_>| {
        let Some(mut notification) = writer.get::<Notification>(&id)? else { return Ok((true, None, None)) };
        if !notification.is_due(now) {
            return Ok((!notification.state.is_open(), None, None));
        }
        let Dealt { outcome, line, operation } = work(writer, &mut notification, now)?;
        notification.settle(outcome, now);
        writer.put(&notification)?;
        let about = operation.map(|operation| (operation, notification.message.clone()));
        Ok::<_, StoreError>((!notification.state.is_open(), line, about))
    });
    match settled.await {
        Ok((ended, line, about)) => {
            if let Some((operation, message)) = about {
                trace(context, id, operation, &message).await;
            }
            if let Some(line) = line {
                line.log(id);
            }
            Ok(ended)
        }
        // A defect of one record is no reason to hold up the others.
        Err(error @ (StoreError::Unreadable { .. } | StoreError::Conflict { .. } | StoreError::Defect(_))) => {
            let message = Message::from(&error);
            logged!(error, severity = "CRITICAL", action = "notification", notification = id, message);
            postpone(context, id, message).await;
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// Records a notification as a step in the trace of its voucher.
async fn trace(context: &Context, id: u64, operation: u64, message: &str) {
    if !context.telemetry.is_on() {
        return;
    }
    let found = context.store.reading(move |reader| reader.get::<Operation>(&operation)).await;
    // A trace is less complete while the store is in trouble, which is reported elsewhere.
    let Ok(Some(operation)) = found else { return };
    let number = KeyValue::new("cashout.notification", i64::try_from(id).unwrap_or(i64::MAX));
    let attributes = attributes_of(&operation).into_iter().chain([number]).collect();
    let step = async { telemetry::note(&masked(message), false) };
    context.telemetry.step("notification", trace_of(&operation), attributes, step).await;
}

/// Postpones a notification whose effect cannot be stored.
async fn postpone(context: &Context, id: u64, reason: Message) {
    let now = context.clock.now();
    let put_off = context.store.write(move |writer: &mut Writer<'_>| {
        if let Some(mut notification) = writer.get::<Notification>(&id)? {
            notification.settle(NotificationOutcome::Postponed(reason), now);
            writer.put(&notification)?;
        }
        Ok::<_, StoreError>(())
    });
    // If even that fails, it is due at once, and the next run reports it.
    let _ = put_off.await;
}
