//! Removal of data whose retention period is over: the received bodies of notifications, personal
//! data in customers' payments, sessions, and failed attempts to sign in.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::inbox::{Notification, NotificationKind};
use crate::domain::payment::CustomerPayment;
use crate::domain::session::{self, KnownAddress, Session, SignInAttempts};
use crate::jobs::{Context, JobError};
use crate::store::{Cursor, Index, Query, Record, StoreError, View, Writer};
use crate::text::message::{logged, msg};

/// Number of records per write.
const SLICE: usize = 200;
/// Name of the document with the progress of earlier runs.
const PROGRESS: &str = "retention";

/// Result of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erased {
    /// Number of notifications whose body was emptied.
    pub notifications: u64,
    /// Number of payments whose personal data was erased.
    pub payments: u64,
}

/// Progress of earlier runs. Notifications are numbered in the order of arrival, so that the next
/// run continues where the last one stopped.
#[derive(Debug, Default, Serialize, Deserialize)]
struct RetentionProgress {
    /// The last notification whose body is emptied, of any kind.
    #[serde(default)]
    notifications: u64,
    /// The last notification of HiPay Enterprise whose body is emptied.
    #[serde(default)]
    payments: u64,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

/// Notifications that a walk empties.
#[derive(Debug, Clone, Copy)]
enum Bodies {
    All,
    /// Those about customers: their bodies hold the same data as the payments.
    Customers,
}

/// Removes, in slices, what is older than the configuration's `retention` allows.
pub async fn retention(context: &Context) -> Result<Erased, JobError> {
    let now = context.clock.now();
    let kept = context.config.retention;
    remove_before(context, Session::BY_LAST_USE, session::IDLE_TIMEOUT).await?;
    remove_before(context, SignInAttempts::BY_LAST_TIME, session::FAILURE_RETENTION).await?;
    remove_before(context, KnownAddress::BY_LAST_USE, session::KNOWN_RETENTION).await?;
    let mut erased = Erased::default();
    if let Some(before) = days_before(now, kept.personal_data_days) {
        while let Some(slice) = context.store.write(move |writer| erase_payments(writer, before, now)).await? {
            erased.payments += slice;
        }
        erased.notifications += empty_bodies(context, Bodies::Customers, before).await?;
    }
    if let Some(before) = days_before(now, kept.notifications_days) {
        erased.notifications += empty_bodies(context, Bodies::All, before).await?;
    }
    if erased != Erased::default() {
        let Erased { notifications, payments } = erased;
        logged!(info, action = "retention", msg!("log-data-removed", notifications, payments));
    }
    Ok(erased)
}

/// Removes, in slices, the records that `index` lists as older than `age`, by the clock that sessions use.
async fn remove_before<R: Record<Key = String>>(
    context: &Context,
    index: Index<R, (), Timestamp>,
    age: SignedDuration,
) -> Result<(), StoreError> {
    let Ok(before) = context.clock.wall_now().checked_sub(age) else { return Ok(()) };
    let mut after: Option<Cursor> = None;
    loop {
        let slice = context.store.write(move |writer| {
            let old = writer.keys(&Query::group(index, ()).to(before).limit(SLICE).after(after))?;
            for key in &old.keys {
                readable(writer.delete::<R>(key).map(Some))?;
            }
            Ok::<_, StoreError>(old.next)
        });
        after = slice.await?;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Returns the time `days` days ago; `None` for 0, which means that data is kept for ever.
fn days_before(now: Timestamp, days: u32) -> Option<Timestamp> {
    if days == 0 {
        return None;
    }
    now.checked_sub(SignedDuration::from_hours(i64::from(days).saturating_mul(24))).ok()
}

/// Erases one slice of payments that have not changed since `before`; returns `None` if none is left.
fn erase_payments(writer: &mut Writer<'_>, before: Timestamp, now: Timestamp) -> Result<Option<u64>, StoreError> {
    let due = writer.keys(&Query::group(CustomerPayment::PERSONAL, ()).to(before).limit(SLICE))?;
    let mut erased = 0;
    for key in due.keys {
        if let Some(mut payment) = readable(writer.get::<CustomerPayment>(&key))? {
            payment.erase_personal(now);
            writer.put(&payment)?;
            erased += 1;
        }
    }
    Ok((erased > 0).then_some(erased))
}

async fn empty_bodies(context: &Context, bodies: Bodies, before: Timestamp) -> Result<u64, StoreError> {
    let (mut emptied, mut walk) = (0, Walk::default());
    loop {
        let (slice, next) = context.store.write(move |writer| empty_slice(writer, bodies, before, walk)).await?;
        emptied += slice;
        match next {
            Some(next) => walk = next,
            None => return Ok(emptied),
        }
    }
}

/// Position of one walk.
#[derive(Debug, Clone, Copy, Default)]
struct Walk {
    /// The last number examined; `None` before the first slice.
    at: Option<u64>,
    /// Set once an open notification was skipped: the next walk begins at it.
    passed_open: bool,
}

/// Empties the bodies of one slice of notifications received before `before`. Returns the position
/// to continue from; `None` at the end.
fn empty_slice(
    writer: &mut Writer<'_>,
    bodies: Bodies,
    before: Timestamp,
    mut walk: Walk,
) -> Result<(u64, Option<Walk>), StoreError> {
    let mut progress: RetentionProgress = writer.get_document(PROGRESS)?.unwrap_or_default();
    let mark = match bodies {
        Bodies::All => &mut progress.notifications,
        Bodies::Customers => &mut progress.payments,
    };
    let start = *mark;
    let from = walk.at.unwrap_or(start).saturating_add(1);
    let slice = writer.keys(&Query::<Notification, _>::all().from(from).limit(SLICE))?;
    let (mut emptied, mut more) = (0, slice.next.is_some());
    for id in slice.keys {
        if let Some(mut one) = readable(writer.get::<Notification>(&id))? {
            if one.received_at >= before {
                more = false;
                break;
            }
            let is_meant = match bodies {
                Bodies::All => true,
                Bodies::Customers => matches!(one.kind, NotificationKind::Payment | NotificationKind::Settlement),
            };
            if is_meant && one.state.is_open() {
                // An open notification keeps its body.
                walk.passed_open = true;
            } else if is_meant && !one.body.is_empty() {
                one.body.clear();
                writer.put(&one)?;
                emptied += 1;
            }
        }
        walk.at = Some(id);
        if !walk.passed_open {
            *mark = id;
        }
    }
    if *mark != start {
        writer.put_document(PROGRESS, &progress)?;
    }
    Ok((emptied, more.then_some(walk)))
}

/// Reports a record that cannot be read, and leaves it out.
fn readable<T>(found: Result<Option<T>, StoreError>) -> Result<Option<T>, StoreError> {
    if let Err(error @ StoreError::Unreadable { .. }) = &found {
        logged!(error, action = "retention", msg!("log-record-kept", error));
        return Ok(None);
    }
    found
}
