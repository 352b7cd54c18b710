//! The step from the configured schedules and their persisted state to the queue.

use jiff::{SignedDuration, Timestamp};

use super::due::{Decision, Remembered, Schedule, jitter};
use super::timetable::Timetable;
use crate::config::Settings;
use crate::jobs::{self, BatchKind, BatchRecord, Command, Context, GenerateArguments};
use crate::store::{StoreError, View, Writer};
use crate::text::message::{logged, msg};

/// Delay beyond which a batch counts as missed. Batches that were missed together run one after
/// another, so that each finds the results of the one before.
const LATE: SignedDuration = SignedDuration::from_mins(5);
/// Minimum period that a scheduled `vendor:process` covers.
const VENDORS_OF: SignedDuration = SignedDuration::from_hours(24);
/// Allowed difference between Mirakl's clock and ours.
const CLOCKS_APART: SignedDuration = SignedDuration::from_hours(1);

/// The batches of a day, in the order in which missed ones are caught up: the results of HiPay's
/// transfers are known before a withdrawal.
const DAY: [BatchKind; 5] = [
    BatchKind::VendorProcess,
    BatchKind::CashoutGenerate,
    BatchKind::CashoutTransfer,
    BatchKind::TransactionStatusSync,
    BatchKind::CashoutWithdraw,
];

/// The next run of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextRun {
    /// The kind of the batch.
    pub kind: BatchKind,
    /// Its cron expression, in `hipay.timezone`; empty if it is switched off.
    pub expression: String,
    /// Time of the run (UTC).
    pub at: Option<Timestamp>,
}

/// Returns the name of the document that holds a batch's schedule state.
fn document(kind: BatchKind) -> String {
    format!("schedule {}", kind.name())
}

/// Returns the currently configured schedules of all batches, in the order of a day.
fn schedules(context: &Context, settings: &Settings) -> Vec<(BatchKind, Schedule)> {
    let config = settings.get();
    let zone = &config.hipay.time_zone;
    let time_zone = zone.iana_name().unwrap_or("UTC");
    let created_at = context.store.created_at();
    let schedule = |kind| {
        let cron = match kind {
            BatchKind::VendorProcess => &config.schedule.vendor_process,
            BatchKind::CashoutGenerate => &config.schedule.cashout_generate,
            BatchKind::CashoutTransfer => &config.schedule.cashout_transfer,
            BatchKind::CashoutWithdraw => &config.schedule.cashout_withdraw,
            BatchKind::TransactionStatusSync => &config.schedule.transaction_status_sync,
        };
        Schedule {
            expression: cron.as_ref().map(|cron| cron.as_str().to_owned()).unwrap_or_default(),
            time_zone: time_zone.to_owned(),
            timetable: cron.clone().map(|cron| Timetable::new(cron, zone.clone())),
            jitter: jitter(created_at, kind.name()),
        }
    };
    DAY.into_iter().map(|kind| (kind, schedule(kind))).collect()
}

pub(super) async fn next_runs(context: &Context, settings: &Settings) -> Result<Vec<NextRun>, StoreError> {
    let (schedules, now) = (schedules(context, settings), context.clock.now());
    let checked = context.store.reading(move |reader| check(reader, &schedules, now)).await?;
    let next_run = |ScheduleCheck { kind, decision: Decision { remembered, due, next }, .. }| {
        let at = if due.is_some() { Some(now) } else { next };
        NextRun { kind, expression: remembered.expression, at }
    };
    Ok(checked.into_iter().map(next_run).collect())
}

/// Enqueues what is due. Returns the resulting queue and the next due moment.
pub(super) async fn queue_what_is_due(
    context: &Context,
    settings: &Settings,
    now: Timestamp,
) -> Result<(Vec<BatchRecord>, Option<Timestamp>), StoreError> {
    let schedules = schedules(context, settings);
    let look = context.store.reading(move |reader| Ok((check(reader, &schedules, now)?, jobs::all_queued(reader)?)));
    let (looked, queue) = look.await?;
    let next = looked.iter().filter_map(|one| one.decision.next).min();
    let changed: Vec<ScheduleCheck> = looked.into_iter().filter(|one| one.changed).collect();
    if changed.is_empty() {
        return Ok((queue, next));
    }
    Ok((context.store.write(move |writer| remember(writer, changed, now)).await?, next))
}

/// Result of checking one batch's schedule.
struct ScheduleCheck {
    kind: BatchKind,
    decision: Decision,
    /// True if the state differs from the persisted one.
    changed: bool,
}

/// Compares the schedules with their persisted states.
fn check(
    view: &impl View,
    schedules: &[(BatchKind, Schedule)],
    now: Timestamp,
) -> Result<Vec<ScheduleCheck>, StoreError> {
    let check = |(kind, schedule): &(BatchKind, Schedule)| {
        let remembered = view.get_document::<Remembered>(&document(*kind))?;
        let decision = schedule.decide(remembered.as_ref(), now);
        Ok(ScheduleCheck { kind: *kind, changed: remembered.as_ref() != Some(&decision.remembered), decision })
    };
    schedules.iter().map(check).collect()
}

/// Persists the checked states and enqueues what is due, in one transaction, so that a due moment
/// counts once. Returns the resulting queue.
fn remember(
    writer: &mut Writer<'_>,
    looked: Vec<ScheduleCheck>,
    now: Timestamp,
) -> Result<Vec<BatchRecord>, StoreError> {
    let mut missed_before = None;
    for ScheduleCheck { kind, decision, .. } in looked {
        writer.put_document(&document(kind), &decision.remembered)?;
        let Some(due) = decision.due else { continue };
        let missed = now.duration_since(due) > LATE;
        let after = missed_before.filter(|_| missed);
        match jobs::schedule(writer, scheduled(writer, kind, now)?, due, after, now)? {
            Some(record) if missed => missed_before = Some(record.id),
            Some(_) => {}
            None => logged!(info, action = kind.name(), msg!("log-batch-due-already")),
        }
    }
    jobs::all_queued(writer)
}

/// Returns the command that the schedule runs for a kind of batch.
fn scheduled(view: &impl View, kind: BatchKind, now: Timestamp) -> Result<Command, StoreError> {
    let mut since = None;
    if kind == BatchKind::VendorProcess {
        // Since the previous run, however old; all shops if there was none.
        let before = jobs::last_whole_vendor_process(view, now)?.map(|record| record.started_at);
        since = before.map(|before| {
            let day_ago = now.checked_sub(VENDORS_OF).unwrap_or(Timestamp::MIN);
            before.checked_sub(CLOCKS_APART).unwrap_or(Timestamp::MIN).min(day_ago)
        });
    }
    let unused = |argument| StoreError::Defect(format!("{} has no argument {argument}", kind.name()));
    kind.with(since, GenerateArguments::default()).map_err(unused)
}
