//! The digest: what was done on a day, in numbers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::config::LogLevel;
use crate::inbox::Notification;
use crate::jobs::{BatchRecord, BatchState};
use crate::logs::{LogFilter, LogLine};
use crate::money::Amount;
use crate::operation::{Operation, Status};
use crate::store::{Listing, Query, Record, Store, StoreError, View};
use crate::vendor::{Vendor, WalletStatus};

/// How many records are read at once.
const SLICE: usize = 500;
/// How many shops are named.
const MOST_SHOPS: usize = 20;

/// What was done on a day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// The day, in the configured zone.
    pub day: Date,
    /// The batches by their command.
    #[serde(default)]
    pub batches: BTreeMap<String, Runs>,
    /// Operations that changed on that day, by their status since.
    #[serde(default)]
    pub operations: Vec<OfStatus>,
    /// How many vendors need attention.
    #[serde(default)]
    pub vendors: u64,
    /// Some of them.
    #[serde(default)]
    pub shops: Vec<u64>,
    /// Log lines of that day by level, the most severe first.
    #[serde(default)]
    pub levels: Vec<OfLevel>,
    /// Notifications that were given up as unmatched on that day.
    #[serde(default)]
    pub unmatched: u64,
    /// Notifications that are not dealt with yet.
    #[serde(default)]
    pub waiting: u64,
}

/// Runs of one batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    /// How many.
    pub runs: u64,
    /// How many of them ended early.
    #[serde(default)]
    pub ended_early: u64,
    /// How many items failed in all of them.
    #[serde(default)]
    pub failed: u64,
}

/// Operations of one status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfStatus {
    /// The status by its name.
    pub status: String,
    /// How many.
    pub count: u64,
    /// Their amounts, one sum a currency.
    #[serde(default)]
    pub sums: Vec<Amount>,
}

/// Log lines of one level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfLevel {
    /// 100 DEBUG to 600 EMERGENCY.
    pub level: u16,
    /// How many, at least.
    pub count: u64,
    /// False where there are more.
    pub exact: bool,
}

impl Digest {
    /// Gathers the facts of `day`, in slices.
    pub async fn gather(store: &Store, day: Date, zone: &TimeZone) -> Result<Self, StoreError> {
        let (from, to) = (beginning(day, zone), beginning(day.saturating_add(jiff::Span::new().days(1)), zone));
        let mut digest = store
            .reading(move |reader| {
                let mut levels = Vec::new();
                for level in LogLevel::ALL.into_iter().rev().filter(|level| *level >= LogLevel::Warning) {
                    let filter =
                        LogFilter { level: Some(level), from: Some(from), to: Some(to), ..LogFilter::default() };
                    let page = reader.list::<LogLine>(&filter.listing().limit(1))?;
                    if page.total > 0 {
                        levels.push(OfLevel { level: level.number(), count: page.total, exact: page.total_exact });
                    }
                }
                let wallets = WalletStatus::ALL.map(|wallet| ("warning".to_owned(), wallet.name().to_owned()));
                let warned = Listing::any_of("status", wallets).descending().limit(MOST_SHOPS);
                let warned = reader.list::<Vendor>(&warned)?;
                Ok(Self {
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
}

/// Reads a list in slices, until `take` has had enough.
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
                        // It is missing in the numbers, and said elsewhere.
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
        // A sum over 64 bits is only for show; it stays where it is.
        Some(sum) => *sum = sum.checked_add(amount).unwrap_or(*sum),
        None => sums.push(amount),
    }
}

/// When a day begins in this zone.
fn beginning(day: Date, zone: &TimeZone) -> Timestamp {
    day.to_zoned(zone.clone()).map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}
