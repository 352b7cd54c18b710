//! The daily digest: the facts of a day, gathered from the store and put into the outbox.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::config::{LogLevel, Settings};
use crate::domain::inbox::Notification;
use crate::domain::operation::{Operation, Status};
use crate::domain::vendor::{Vendor, WalletStatus};
use crate::jobs::{BatchRecord, BatchState, Context, add_to_sums};
use crate::logs::LogFilter;
use crate::mail::{self, Digest, Mail, OfLevel, OfStatus};
use crate::store::{Query, Store, StoreError, View, readable_record};
use crate::text::message::{logged, msg};

/// Name of the document about the last digest.
const DIGEST: &str = "mail/digest";
/// Interval between two looks at the settings, which may request a digest now.
const CHECK_INTERVAL: SignedDuration = SignedDuration::from_mins(1);
/// Maximum number of shops named.
const MAX_SHOPS: usize = 20;

/// The day on which the last digest was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct LastDigest {
    made_on: Date,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

/// Makes the digests that the settings request until `stop` is cancelled.
pub async fn make_digests(context: Context, settings: Settings, stop: CancellationToken) {
    let work = async {
        loop {
            context.gate.opened().await;
            if let Err(error) = make_digest(&context, &settings).await {
                logged!(error, action = "mail", msg!("log-digest-failed", error = &error));
            }
            context.clock.sleep(CHECK_INTERVAL).await;
        }
    };
    stop.run_until_cancelled(work).await;
}

/// Makes yesterday's digest if it is requested and has not been made today.
async fn make_digest(context: &Context, settings: &Settings) -> Result<(), StoreError> {
    let config = settings.get();
    let Some((time, mail)) = config.mail.as_ref().and_then(|mail| Some((mail.digest?, mail))) else { return Ok(()) };
    let (zone, now) = (&config.hipay.time_zone, context.clock.now());
    let today = now.to_zoned(zone.clone()).date();
    let Ok(due) = today.to_datetime(time).to_zoned(zone.clone()) else { return Ok(()) };
    let passed = due.timestamp() <= now;
    let last = context.store.reading(|reader| reader.get_document::<LastDigest>(DIGEST)).await?;
    let yesterday = today.saturating_sub(jiff::Span::new().days(1));
    let digest = match &last {
        Some(last) if last.made_on >= today || !passed => return Ok(()),
        Some(_) => Some(gather_digest(&context.store, yesterday, zone).await?),
        // The first digest is made at its next due time, not at once.
        None => None,
    };
    let unknown = last.map(|last| last.unknown).unwrap_or_default();
    let last = LastDigest { made_on: if passed { today } else { yesterday }, unknown };
    let mail = digest.map(|digest| Mail::of_digest(digest, mail.to.clone(), now));
    let write = context.store.write(move |writer| {
        if let Some(mail) = mail {
            mail::queue(writer, mail)?;
        }
        writer.put_document(DIGEST, &last)
    });
    write.await
}

/// Gathers the facts of `day`, in slices.
pub async fn gather_digest(store: &Store, day: Date, zone: &TimeZone) -> Result<Digest, StoreError> {
    let (from, to) = (beginning(day, zone), beginning(day.saturating_add(jiff::Span::new().days(1)), zone));
    let mut digest = store
        .reading(move |reader| {
            let mut levels = Vec::new();
            for level in LogLevel::ALL.into_iter().rev().filter(|level| *level >= LogLevel::Warning) {
                let filter = LogFilter { level: Some(level), from: Some(from), to: Some(to), ..LogFilter::default() };
                let page = reader.page(&filter.listing().limit(1))?;
                if page.total > 0 {
                    levels.push(OfLevel { level: level.number(), count: page.total, exact: page.total_exact });
                }
            }
            let wallets = WalletStatus::ALL.map(|wallet| ("warning", wallet.name()));
            let warned = Query::any_of(Vendor::BY_STATUS, wallets).descending().limit(MAX_SHOPS);
            let warned = reader.page(&warned)?;
            Ok(Digest {
                day,
                batches: BTreeMap::new(),
                operations: Vec::new(),
                vendors: warned.total,
                shops: warned.items.iter().map(|vendor| vendor.mirakl_id).collect(),
                levels,
                unmatched: 0,
                waiting: reader
                    .count(Notification::OPEN, false)?
                    .saturating_add(reader.count(Notification::OPEN, true)?),
            })
        })
        .await?;
    let count = |one: Result<Notification, StoreError>| {
        digest.unmatched += u64::from(readable_record(one)?.is_some());
        Ok::<_, StoreError>(())
    };
    store.for_each(Query::group(Notification::UNMATCHED, ()).from(from).to(to), count).await?;
    for (command, _) in store.reading(|reader| reader.groups(BatchRecord::BY_COMMAND)).await? {
        let count = |batch: Result<BatchRecord, StoreError>| {
            if let Some(batch) = readable_record(batch)? {
                let runs = digest.batches.entry(batch.command.clone()).or_default();
                runs.runs += 1;
                runs.ended_early += u64::from(batch.error.is_some() || batch.state() == BatchState::Interrupted);
                runs.failed = runs.failed.saturating_add(batch.failed);
            }
            Ok::<_, StoreError>(())
        };
        store.for_each(Query::group(BatchRecord::BY_COMMAND, command).from(from).to(to), count).await?;
    }
    for status in Status::ALL {
        let mut of_status = OfStatus { status: status.name().to_owned(), count: 0, sums: Vec::new() };
        let count = |operation: Result<Operation, StoreError>| {
            if let Some(operation) = readable_record(operation)? {
                of_status.count += 1;
                add_to_sums(&mut of_status.sums, operation.amount);
            }
            Ok::<_, StoreError>(())
        };
        store.for_each(Query::group(Operation::BY_STATUS, status.code()).from(from).to(to), count).await?;
        if of_status.count > 0 {
            digest.operations.push(of_status);
        }
    }
    Ok(digest)
}

/// Returns the start of a day in this zone.
fn beginning(day: Date, zone: &TimeZone) -> Timestamp {
    day.to_zoned(zone.clone()).map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}
