//! From the configured schedules and what is remembered of them to the queue.

use jiff::{SignedDuration, Timestamp};

use super::due::{Decision, Remembered, Schedule, jitter};
use super::timetable::Timetable;
use crate::config::Settings;
use crate::jobs::{self, BatchRecord, Command, Context, GenerateArguments};
use crate::store::{StoreError, View, Writer};

/// A batch that comes later than this was missed: those that were missed together follow each
/// other, so that what one makes is there for the next.
const LATE: SignedDuration = SignedDuration::from_mins(5);
/// What a scheduled `vendor:process` looks back at.
const VENDORS_OF: SignedDuration = SignedDuration::from_hours(24);
/// How much Mirakl's clock and ours may differ.
const CLOCKS_APART: SignedDuration = SignedDuration::from_hours(1);

/// The batches of a day, in the order in which those that were missed are caught up: what HiPay has
/// executed is known before it is withdrawn.
const DAY: [&str; 5] =
    ["vendor:process", "cashout:generate", "cashout:transfer", "cashout:transaction:status:sync", "cashout:withdraw"];

/// When a batch runs next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextRun {
    /// The command's name.
    pub command: &'static str,
    /// Its cron expression, in `hipay.timezone`; empty where it is switched off.
    pub expression: String,
    /// When (UTC).
    pub at: Option<Timestamp>,
}

/// The document that remembers a batch's schedule.
fn document(command: &str) -> String {
    format!("schedule {command}")
}

/// The schedules of all batches as they are configured now, in the order of a day.
fn schedules(context: &Context, settings: &Settings) -> Vec<(&'static str, Schedule)> {
    let config = settings.get();
    let zone = &config.hipay.time_zone;
    let time_zone = zone.iana_name().unwrap_or("UTC");
    let created_at = context.store.created_at();
    let schedule = |command| {
        let cron = match command {
            "vendor:process" => &config.schedule.vendor_process,
            "cashout:generate" => &config.schedule.cashout_generate,
            "cashout:transfer" => &config.schedule.cashout_transfer,
            "cashout:withdraw" => &config.schedule.cashout_withdraw,
            _ => &config.schedule.transaction_status_sync,
        };
        Schedule {
            expression: cron.as_ref().map(|cron| cron.as_str().to_owned()).unwrap_or_default(),
            time_zone: time_zone.to_owned(),
            timetable: cron.clone().map(|cron| Timetable::new(cron, zone.clone())),
            jitter: jitter(created_at, command),
        }
    };
    DAY.into_iter().map(|command| (command, schedule(command))).collect()
}

pub(super) async fn next_runs(context: &Context, settings: &Settings) -> Result<Vec<NextRun>, StoreError> {
    let (schedules, now) = (schedules(context, settings), context.clock.now());
    let look = move |reader: &crate::store::Reader<'_>| {
        let next = schedules.into_iter().map(|(command, schedule)| {
            let remembered = reader.get_document::<Remembered>(&document(command))?;
            let decision = schedule.decide(remembered.as_ref(), now);
            let at = if decision.due.is_some() { Some(now) } else { decision.next };
            Ok(NextRun { command, expression: schedule.expression, at })
        });
        next.collect()
    };
    context.store.reading(look).await
}

/// Queues what is due. Gives the queue as it is then, and the next due moment.
pub(super) async fn queue_what_is_due(
    context: &Context,
    settings: &Settings,
    now: Timestamp,
) -> Result<(Vec<BatchRecord>, Option<Timestamp>), StoreError> {
    let schedules = schedules(context, settings);
    let look = move |reader: &crate::store::Reader<'_>| {
        let looked = schedules.into_iter().map(|(command, schedule)| {
            let remembered = reader.get_document::<Remembered>(&document(command))?;
            let decision = schedule.decide(remembered.as_ref(), now);
            Ok(Looked { command, changed: remembered.as_ref() != Some(&decision.remembered), decision })
        });
        Ok((looked.collect::<Result<Vec<_>, StoreError>>()?, jobs::waiting(reader)?))
    };
    let (looked, queue) = context.store.reading(look).await?;
    let next = looked.iter().filter_map(|one| one.decision.next).min();
    let changed: Vec<Looked> = looked.into_iter().filter(|one| one.changed).collect();
    if changed.is_empty() {
        return Ok((queue, next));
    }
    Ok((context.store.write(move |writer| remember(writer, changed, now)).await?, next))
}

/// What a look at one batch's schedule found.
struct Looked {
    command: &'static str,
    decision: Decision,
    /// There is something to remember.
    changed: bool,
}

/// Remembers what was looked at and queues what is due, in one transaction: a due moment counts
/// once. Gives the queue as it is then.
fn remember(writer: &mut Writer<'_>, looked: Vec<Looked>, now: Timestamp) -> Result<Vec<BatchRecord>, StoreError> {
    let mut missed_before = None;
    for Looked { command, decision, .. } in looked {
        writer.put_document(&document(command), &decision.remembered)?;
        let Some(due) = decision.due else { continue };
        let missed = now.duration_since(due) > LATE;
        let after = missed_before.filter(|_| missed);
        match jobs::schedule(writer, scheduled(writer, command, now)?, due, after, now)? {
            Some(record) if missed => missed_before = Some(record.id),
            Some(_) => {}
            None => tracing::info!(action = command, "is due, but still runs or waits: it is not run a second time"),
        }
    }
    jobs::waiting(writer)
}

/// What the schedule asks of a batch.
fn scheduled(view: &impl View, command: &str, now: Timestamp) -> Result<Command, StoreError> {
    Ok(match command {
        "vendor:process" => {
            // Since the run before, however long ago that was; all shops where there was none.
            let before = jobs::last_whole_vendor_process(view, now)?.map(|record| record.started_at);
            let since = before.map(|before| {
                let day_ago = now.checked_sub(VENDORS_OF).unwrap_or(Timestamp::MIN);
                before.checked_sub(CLOCKS_APART).unwrap_or(Timestamp::MIN).min(day_ago)
            });
            Command::VendorProcess { since }
        }
        "cashout:generate" => Command::CashoutGenerate(GenerateArguments::default()),
        "cashout:transfer" => Command::CashoutTransfer,
        "cashout:withdraw" => Command::CashoutWithdraw,
        _ => Command::TransactionStatusSync,
    })
}
