//! The format record of the file, and its handling at opening: migrate, build the indexes that differ, and
//! determine since when the store's memory can be trusted.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use redb::{Database, ReadableDatabase, ReadableTable, TableError, WriteTransaction};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::StoreOptions;
use super::building::{self, BUILDING};
use super::error::StoreError;
use super::generation::{self, FileIdentity};
use super::key::{Key, Ordered};
use super::migrate::{Migration, format_of};
use super::query::Span;
use super::queue::begin;
use super::record::{Collection, Declared, Schema, bucket_prefix, count_prefix, index_table, sum_prefix};
use super::time_buckets::count_keys;
use super::view::{COUNTS, DOCUMENTS, SEQUENCES, table, value_in};
use super::writer::place;
use crate::platform::release;
use crate::platform::testing::{InjectedFault, has_fault};

const TABLE: &str = "format";
const KEY: &[u8] = b"format";

/// The format record. Fields that a later release adds are preserved.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Format {
    /// Format of the file: the number of migration steps it has been through, plus one.
    #[serde(rename = "format")]
    number: u32,
    /// Oldest format whose release may open the file.
    readable_from: u32,
    /// First release that may open the file, as far as is known: the one that set `readable_from`.
    readable_by: String,
    pub(super) created_at: Timestamp,
    pub(super) memory_since: Timestamp,
    /// Number of times that memory has restarted.
    #[serde(default)]
    pub(super) memories: u64,
    /// Release that opened the file last.
    written_by: String,
    /// Counter raised at each opening and closing; the seal has the same value.
    generation: u64,
    file: Option<FileIdentity>,
    indexes: Vec<Kept>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// An index as the last writer maintained it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    collection: String,
    index: String,
    version: u32,
    unique: bool,
    counted: bool,
    /// Length of the counted buckets, in seconds.
    numbered: Option<u64>,
    /// Number of records that could not be read when the index was built, and are missing in it.
    #[serde(default)]
    skipped: u64,
}

impl Kept {
    fn is(&self, collection: &Collection, index: &Declared) -> bool {
        (self.collection.as_str(), self.index.as_str()) == (collection.name, index.name)
            && (self.version, self.unique) == (index.version, index.unique)
            && (self.counted, self.numbered) == (index.is_counted(), index.bucket())
    }
}

impl Format {
    fn read(database: &Database) -> Result<Self, StoreError> {
        let transaction = database.begin_read()?;
        let found = match transaction.open_table(table(TABLE)) {
            Ok(found) => found,
            Err(TableError::TableDoesNotExist(_)) => return Err(foreign()),
            Err(other) => return Err(other.into()),
        };
        Self::of(&value_in(&found, KEY)?.ok_or_else(foreign)?)
    }

    fn of(json: &[u8]) -> Result<Self, StoreError> {
        serde_json::from_slice(json)
            .map_err(|error| StoreError::damaged(format!("its format record cannot be read: {error}")))
    }

    fn write(&self, transaction: &WriteTransaction) -> Result<(), StoreError> {
        let json = serde_json::to_vec(self).map_err(|error| StoreError::Defect(error.to_string()))?;
        transaction.open_table(table(TABLE))?.insert(KEY, json.as_slice())?;
        Ok(())
    }
}

fn foreign() -> StoreError {
    StoreError::damaged("the file is a database, but not one of this program")
}

/// Writes the first format record into an empty database.
pub(super) fn initialise(database: &Database, now: Timestamp, migrations: &[Migration]) -> Result<(), StoreError> {
    let record = Format {
        number: format_of(migrations),
        readable_from: migrations.last().map_or(1, |step| step.readable_from),
        readable_by: release::version().to_owned(),
        created_at: now,
        memory_since: now,
        memories: 0,
        written_by: release::version().to_owned(),
        generation: 0,
        file: None,
        indexes: Vec::new(),
        rest: Map::new(),
    };
    let transaction = begin(database)?;
    record.write(&transaction)?;
    Ok(transaction.commit()?)
}

/// Makes the opened database at `path` ready for this release.
pub(super) fn prepare(
    database: &Database,
    path: &Path,
    options: &StoreOptions,
    schema: &Schema,
    migrations: &[Migration],
) -> Result<Format, StoreError> {
    let now = options.clock.now();
    let mut format = Format::read(database)?;
    let understood = if has_fault(InjectedFault::StoreTooNew) { 0 } else { format_of(migrations) };
    if format.readable_from > understood {
        return Err(StoreError::Newer { format: format.number, understood, release: format.readable_by });
    }
    migrate(database, &mut format, migrations)?;

    let folder = path.parent().unwrap_or(Path::new("."));
    let here = FileIdentity::of(path)?;
    let left_here = format.file.as_ref() == Some(&here) && generation::generation(folder) == Some(format.generation);
    // A file that was never opened has no memory to lose.
    if !left_here && format.generation > 0 {
        format.memory_since = format.memory_since.max(now);
        format.memories = format.memories.saturating_add(1);
    }
    format.file = Some(here);

    let transaction = begin(database)?;
    for name in [DOCUMENTS, COUNTS, SEQUENCES, BUILDING] {
        transaction.open_table(table(name))?;
    }
    for collection in schema.collections() {
        transaction.open_table(table(&collection.table))?;
        bring_indexes(&transaction, collection, &mut format, options.built_at_once)?;
    }
    release::version().clone_into(&mut format.written_by);
    format.generation += 1;
    format.write(&transaction)?;
    transaction.commit()?;
    // If the program ends at this point, the seal disagrees and memory restarts: too late rather than too early.
    generation::put(folder, format.generation)?;
    Ok(format)
}

/// Raises the generation, so that a copy of the file taken while it was open can be distinguished from it.
pub(super) fn leave(database: &Database, path: &Path) -> Result<(), StoreError> {
    let mut format = Format::read(database)?;
    format.generation += 1;
    let transaction = begin(database)?;
    format.write(&transaction)?;
    transaction.commit()?;
    generation::put(path.parent().unwrap_or(Path::new(".")), format.generation)
}

/// Runs the steps that the file has not been through; each is committed together with its number.
fn migrate(database: &Database, format: &mut Format, migrations: &[Migration]) -> Result<(), StoreError> {
    let done = usize::try_from(format.number.saturating_sub(1)).unwrap_or(usize::MAX);
    for step in migrations.iter().skip(done) {
        let transaction = begin(database)?;
        let rewritten = (step.run)(&transaction)?;
        // Dropping the entry makes the opening rebuild the indexes of the collections that the step rewrote.
        format.indexes.retain(|kept| !rewritten.contains(&kept.collection.as_str()));
        format.number += 1;
        if format.readable_from != step.readable_from {
            format.readable_from = step.readable_from;
            release::version().clone_into(&mut format.readable_by);
        }
        format.write(&transaction)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Brings the indexes of one collection to what is declared: unchanged ones stay untouched, all others are
/// dropped or rebuilt. Collections that are not declared (those of a later release) stay as they are: this
/// release does not write to them.
fn bring_indexes(
    transaction: &WriteTransaction,
    collection: &Collection,
    format: &mut Format,
    built_at_once: u64,
) -> Result<(), StoreError> {
    // Only another release may succeed with an index in which records are missing.
    let same_release = format.written_by == release::version();
    let usable = |kept: &Kept| {
        (kept.skipped == 0 || same_release) && collection.indexes.iter().any(|index| kept.is(collection, index))
    };
    let (stay, go): (Vec<_>, Vec<_>) =
        format.indexes.drain(..).partition(|kept| kept.collection != collection.name || usable(kept));
    format.indexes = stay;
    for gone in go {
        drop_index(transaction, &gone.collection, &gone.index)?;
    }
    let wanted = |index: &Declared| !format.indexes.iter().any(|kept| kept.is(collection, index));
    let missing: Vec<bool> = collection.indexes.iter().map(wanted).collect();
    if missing.contains(&true) {
        let all = count_prefix(collection.name, "");
        let records = value_in(&transaction.open_table(table(COUNTS))?, &all)?.and_then(|count| u64::decoded(&count));
        let waits = |index: &Declared| index.for_pages && records.is_some_and(|records| records > built_at_once);
        let indexes = || collection.indexes.iter().zip(&missing);
        let at_once: Vec<bool> = indexes().map(|(index, missing)| *missing && !waits(index)).collect();
        let skipped = if at_once.contains(&true) { build(transaction, collection, &at_once)? } else { 0 };
        for (index, _) in indexes().filter(|(index, missing)| **missing && waits(index)) {
            drop_index(transaction, collection.name, index.name)?;
            building::begin(transaction, index)?;
        }
        for (index, _) in collection.indexes.iter().zip(&missing).filter(|(_, missing)| **missing) {
            format.indexes.push(Kept {
                collection: collection.name.to_owned(),
                index: index.name.to_owned(),
                version: index.version,
                unique: index.unique,
                counted: index.is_counted(),
                numbered: index.bucket(),
                skipped,
            });
        }
    }
    Ok(())
}

/// Records how many records an index that was built in slices had to skip.
pub(super) fn note_skipped(
    transaction: &WriteTransaction,
    collection: &Collection,
    index: &Declared,
    skipped: u64,
) -> Result<(), StoreError> {
    let json = value_in(&transaction.open_table(table(TABLE))?, KEY)?.ok_or_else(foreign)?;
    let mut format = Format::of(&json)?;
    for kept in format.indexes.iter_mut().filter(|kept| kept.is(collection, index)) {
        kept.skipped = skipped;
    }
    format.write(transaction)
}

fn drop_index(transaction: &WriteTransaction, collection: &str, index: &str) -> Result<(), StoreError> {
    transaction.open_table(table(BUILDING))?.remove(count_prefix(collection, index).as_slice())?;
    transaction.delete_table(table(&index_table(collection, index)))?;
    let mut kept = transaction.open_table(table(COUNTS))?;
    let prefixes = [count_prefix, sum_prefix, bucket_prefix];
    for prefix in prefixes.map(|prefix| prefix(collection, index)) {
        kept.retain_in::<&[u8], _>(Span::of_prefix(&prefix).bounds(), |_, _| false)?;
    }
    Ok(())
}

/// Builds the `missing` indexes of a collection in one pass over its records. Returns the number of unreadable records.
fn build(transaction: &WriteTransaction, collection: &Collection, missing: &[bool]) -> Result<u64, StoreError> {
    let mut building = Vec::new();
    for (at, (index, _)) in collection.indexes.iter().zip(missing).enumerate().filter(|(_, (_, missing))| **missing) {
        drop_index(transaction, collection.name, index.name)?;
        building.push((at, index, transaction.open_table(table(&index.table))?));
    }
    let mut counts: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    let mut sums: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
    let mut skipped = 0;
    let records = transaction.open_table(table(&collection.table))?;
    for row in records.iter()? {
        let (key, json) = row?;
        let Ok(entries) = (collection.entries)(json.value()) else {
            skipped += 1;
            continue;
        };
        for (at, index, rows) in &mut building {
            for entry in entries.get(*at).into_iter().flatten() {
                let (place, start) = place(entry, key.value())?;
                rows.insert(place.as_slice(), start.as_slice())?;
                for number in count_keys(index, entry, key.value()) {
                    *counts.entry(number).or_default() += 1;
                }
                if index.is_counted() && entry.weight != 0 {
                    let sum = sums.entry([index.sums.as_slice(), &entry.group].concat()).or_default();
                    *sum = sum.saturating_add(entry.weight);
                }
            }
        }
    }
    let mut kept = transaction.open_table(table(COUNTS))?;
    for (group, count) in counts {
        kept.insert(group.as_slice(), count.encoded().as_slice())?;
    }
    for (group, sum) in sums {
        kept.insert(group.as_slice(), sum.encoded().as_slice())?;
    }
    Ok(skipped)
}
