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
use crate::domain::money::Amount;
use crate::domain::operation::{Operation, Status};
use crate::domain::vendor::{Vendor, WalletStatus};
use crate::jobs::{BatchRecord, BatchState, Context};
use crate::logs::{LogFilter, LogLine};
use crate::mail::{self, Digest, Mail, OfLevel, OfStatus};
use crate::store::{ListPage, Query, Record, Store, StoreError, View};

/// Name of the document about the last digest.
const DIGEST: &str = "mail/digest";
/// Interval between two looks at the settings, which may request a digest now.
const CHECK_INTERVAL: SignedDuration = SignedDuration::from_mins(1);
/// Number of records read at once.
const SLICE: usize = 500;
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
                tracing::error!(action = "mail", "cannot make the digest: {error}");
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
                let page = reader.list::<LogLine>(&filter.listing().limit(1))?;
                if page.total > 0 {
                    levels.push(OfLevel { level: level.number(), count: page.total, exact: page.total_exact });
                }
            }
            let wallets = WalletStatus::ALL.map(|wallet| ("warning".to_owned(), wallet.name().to_owned()));
            let warned = ListPage::any_of("status", wallets).descending().limit(MAX_SHOPS);
            let warned = reader.list::<Vendor>(&warned)?;
            Ok(Digest {
                day,
                batches: BTreeMap::new(),
                operations: Vec::new(),
                vendors: warned.total,
                shops: warned.items.iter().map(|vendor| vendor.mirakl_id).collect(),
                levels,
                unmatched: 0,
                waiting: reader
                    .count::<Notification>("open", false)?
                    .saturating_add(reader.count::<Notification>("open", true)?),
            })
        })
        .await?;
    walk::<Notification>(store, Query::group("unmatched", ()).from(from).to(to), |_| {
        digest.unmatched += 1;
        true
    })
    .await?;
    // The latest first, until they are older than the day.
    walk::<BatchRecord>(store, Query::all().descending(), |batch| {
        if batch.started_at < to && batch.started_at >= from {
            let runs = digest.batches.entry(batch.command.clone()).or_default();
            runs.runs += 1;
            runs.ended_early += u64::from(batch.error.is_some() || batch.state() == BatchState::Interrupted);
            runs.failed = runs.failed.saturating_add(batch.failed);
        }
        batch.started_at >= from
    })
    .await?;
    for status in Status::ALL {
        let mut of_status = OfStatus { status: status.name().to_owned(), count: 0, sums: Vec::new() };
        walk::<Operation>(store, Query::group("status", status.code()).from(from).to(to), |operation| {
            of_status.count += 1;
            add(&mut of_status.sums, operation.amount);
            true
        })
        .await?;
        if of_status.count > 0 {
            digest.operations.push(of_status);
        }
    }
    Ok(digest)
}

/// Reads a list in slices, until `take` returns false.
async fn walk<R: Record>(store: &Store, list: Query, mut take: impl FnMut(&R) -> bool) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let query = list.clone().limit(SLICE).after(after);
        let (records, next) = store
            .reading(move |reader| {
                let slice = reader.keys::<R>(&query)?;
                let mut records = Vec::with_capacity(slice.keys.len());
                for key in &slice.keys {
                    match reader.get::<R>(key) {
                        Ok(record) => records.extend(record),
                        // The record is missing in the counts, and is reported elsewhere.
                        Err(StoreError::Unreadable { .. }) => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok((records, slice.next))
            })
            .await?;
        if !records.iter().all(&mut take) || next.is_none() {
            return Ok(());
        }
        after = next;
    }
}

fn add(sums: &mut Vec<Amount>, amount: Amount) {
    match sums.iter_mut().find(|sum| sum.currency() == amount.currency()) {
        // A sum beyond 64 bits is for display only; it stays unchanged.
        Some(sum) => *sum = sum.checked_add(amount).unwrap_or(*sum),
        None => sums.push(amount),
    }
}

/// Returns the start of a day in this zone.
fn beginning(day: Date, zone: &TimeZone) -> Timestamp {
    day.to_zoned(zone.clone()).map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}
