//! Indexes that a large collection lacks, built while the store is in use: slice by slice, by the
//! writer, between the writes of others.
//!
//! A mark says how far an index has come. Records before it have their entries, and whatever changes
//! them keeps those; records behind it have none, and get them when their turn comes. The last slice
//! takes the mark away.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::WriteTransaction;

use super::error::StoreError;
use super::format::note_skipped;
use super::key::Ordered;
use super::query::Span;
use super::queue::Job;
use super::record::{Collection, Declared};
use super::view::{Source, table};
use super::writer::Writer;

/// The marks, by collection and index: how many records could not be read, and the last key.
pub(super) const BUILDING: &str = "building";

/// How many records are taken at once. Whoever writes meanwhile waits for no more.
const SLICE: usize = 500;

/// How many bytes of a mark come before the key.
const KEY_AT: usize = 8;

/// Notes that an index is to be built, from the first record on.
pub(super) fn begin(transaction: &WriteTransaction, index: &Declared) -> Result<(), StoreError> {
    transaction.open_table(table(BUILDING))?.insert(index.counts.as_slice(), 0_u64.encoded().as_slice())?;
    Ok(())
}

/// True where an index is built but has not come to the record under `key` yet.
pub(super) fn has_still_to_come(
    source: &(impl Source + ?Sized),
    index: &Declared,
    key: &[u8],
) -> Result<bool, StoreError> {
    let mark = if index.for_pages { source.value(BUILDING, &index.counts)? } else { None };
    Ok(mark.is_some_and(|mark| mark.get(KEY_AT..).unwrap_or_default() < key))
}

/// The index of this name, where it has every record.
pub(super) fn whole<'a>(
    source: &(impl Source + ?Sized),
    collection: &'a Collection,
    name: &str,
) -> Result<&'a Declared, StoreError> {
    let index = collection.index(name)?;
    if index.for_pages && source.value(BUILDING, &index.counts)?.is_some() {
        return Err(StoreError::NotBuilt { collection: collection.name, index: index.name });
    }
    Ok(index)
}

impl Writer<'_> {
    /// Builds the next slice of what is to be built. False where there is nothing left.
    fn build_on(&mut self) -> Result<bool, StoreError> {
        let schema = self.schema;
        let mut marks = Vec::new();
        self.scan(BUILDING, &Span::of_prefix(&[]), false, &mut |index, mark| {
            marks.push((index.to_vec(), mark.to_vec()));
            ControlFlow::Continue(())
        })?;
        let marked = |index: &Declared| marks.iter().find(|(counts, _)| *counts == index.counts).map(|(_, mark)| mark);
        let found = schema.collections().find_map(|one| Some((one, one.indexes.iter().find_map(marked)?)));
        // What a later release builds is none of ours.
        let Some((collection, mark)) = found else { return Ok(false) };
        // Those that have come as far go on together.
        let together = |(_, index): &(usize, &Declared)| marked(index) == Some(mark);
        let building: Vec<(usize, &Declared)> = collection.indexes.iter().enumerate().filter(together).collect();

        let (skipped, last) = mark.split_at_checked(KEY_AT).unwrap_or_default();
        let mut skipped = u64::from_be_bytes(skipped.try_into().unwrap_or_default());
        let start = if last.is_empty() { Bound::Unbounded } else { Bound::Excluded(last.to_vec()) };
        let mut records = Vec::with_capacity(SLICE);
        self.scan(&collection.table, &Span { start, end: Bound::Unbounded }, false, &mut |key, json| {
            records.push((key.to_vec(), json.to_vec()));
            if records.len() < SLICE { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        for (key, json) in &records {
            let Ok(entries) = (collection.entries)(json) else {
                skipped += 1;
                continue;
            };
            for (at, index) in &building {
                entries.get(*at).into_iter().flatten().try_for_each(|entry| self.enter(index, entry, key))?;
            }
        }
        let last = records.last().filter(|_| records.len() == SLICE);
        let mark = last.map(|(key, _)| [skipped.encoded().as_slice(), key].concat());
        for (_, index) in building {
            self.set(BUILDING, &index.counts, mark.as_deref())?;
            if mark.is_none() && skipped > 0 {
                note_skipped(self.transaction, collection, index, skipped)?;
            }
        }
        Ok(true)
    }
}

/// One slice, among the jobs of the writer.
pub(super) struct Slice {
    /// Whether something is left to build.
    pub(super) left: Arc<AtomicBool>,
}

impl Job for Slice {
    fn run(&mut self, writer: &mut Writer<'_>) -> bool {
        let built = writer.build_on();
        if let Err(error) = &built {
            tracing::error!(action = "store", "lists are not built any further until the next start: {error}");
        }
        self.left.store(matches!(built, Ok(true)), Ordering::Relaxed);
        built.is_ok()
    }

    fn answer(self: Box<Self>, group: Result<(), StoreError>) {
        if group.is_err() {
            self.left.store(false, Ordering::Relaxed);
        }
    }
}
