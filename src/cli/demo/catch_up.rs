//! The demo's past: time jumps from one due batch to the next, and each is done before the next jump.

use std::time::Duration;

use jiff::{SignedDuration, Span, Timestamp};

use super::calendar;
use super::run_on::{CYCLE_DAYS, Outside};
use crate::cli::Failed;
use crate::domain::cycle::Calendar;
use crate::domain::inbox::{Notification, NotificationKind, NotificationState};
use crate::jobs::{self, BatchKind, BatchRecord, BatchState};
use crate::serve::Appliance;
use crate::store::{Query, StoreError, StoreReader, View};

/// The batches that time stops for, in the days after a cycle and on quiet days. Other batches run at these stops.
const BUSY: [BatchKind; 3] = [BatchKind::CashoutGenerate, BatchKind::CashoutTransfer, BatchKind::CashoutWithdraw];
const QUIET: [BatchKind; 1] = [BatchKind::CashoutWithdraw];
/// Number of days after a cycle with many payments.
const BUSY_DAYS: i64 = 3;
/// Time before a batch at which notifications are handled, so that they are done when it starts.
const AHEAD: SignedDuration = SignedDuration::from_mins(1);
/// Interval between checks whether everything is done; there is no single event for that.
const CHECK_INTERVAL: Duration = Duration::from_millis(5);

/// Makes time jump to `end`; everything that is due until then has been done when this returns.
pub(super) async fn jump_to(appliance: &Appliance, outside: &mut Outside<'_>, end: Timestamp) -> Result<(), Failed> {
    let clock = &appliance.web().context.clock;
    loop {
        let now = clock.now();
        if now >= end {
            return Ok(());
        }
        let runs = appliance.web().scheduler.next_runs().await?;
        let stops = if is_busy_day(&calendar(&CYCLE_DAYS), now) { BUSY.as_slice() } else { QUIET.as_slice() };
        let due = runs.iter().filter(|run| stops.contains(&run.kind)).filter_map(|run| run.at).min();
        let next = due.unwrap_or(end).min(end);
        clock.set(next.checked_sub(AHEAD).unwrap_or(next).max(now));
        outside.up_to(clock.now()).await?;
        wait_until_idle(appliance, outside).await?;
        clock.set(next);
        wait_until_idle(appliance, outside).await?;
    }
}

fn is_busy_day(calendar: &Calendar, now: Timestamp) -> bool {
    let day = calendar.day_of(now);
    let since = day.saturating_sub(Span::new().days(BUSY_DAYS));
    // The day itself ends with a night of batches.
    !calendar.days_between(since, day.saturating_add(Span::new().days(1))).is_empty()
}

/// Waits until every batch that is due has run, and every notification has been handled.
pub(super) async fn wait_until_idle(appliance: &Appliance, outside: &Outside<'_>) -> Result<(), StoreError> {
    let web = appliance.web();
    loop {
        outside.sandbox.notices_delivered().await;
        let (busy, now) = (web.context.store.reading(is_busy).await?, web.context.clock.now());
        if !busy && web.scheduler.next_runs().await?.iter().all(|run| run.at.is_none_or(|at| at > now)) {
            return Ok(());
        }
        tokio::time::sleep(CHECK_INTERVAL).await;
    }
}

fn is_busy(reader: &StoreReader<'_>) -> Result<bool, StoreError> {
    for kind in [NotificationKind::Wallet, NotificationKind::Payment, NotificationKind::Settlement] {
        if reader.count(Notification::BY_KIND, (kind, NotificationState::Received))? > 0 {
            return Ok(true);
        }
    }
    let running = reader.page(&Query::group(BatchRecord::BY_STATE, BatchState::Running).limit(1))?;
    Ok(!running.items.is_empty() || !jobs::all_queued(reader)?.is_empty())
}
