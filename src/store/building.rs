//! Indexes that a large collection lacks: the writer builds them slice by slice between other writes while the
//! store is in use.
//!
//! A mark records the progress of an index. Records up to the mark have their entries, and every change maintains them;
//! records after it have none yet and get them with a later slice. The last slice removes the mark.

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
use super::view::{RowSource, table};
use super::writer::Writer;
use crate::text::message::{logged, msg};

/// Table of the marks, by collection and index: the number of unreadable records, and the last key.
pub(super) const BUILDING: &str = "building";

/// Number of records per slice; bounds the delay that a slice adds to other writes.
const SLICE: usize = 500;

/// Offset of the key in a mark, in bytes.
const KEY_AT: usize = 8;

/// Notes that an index has to be built, starting at the first record.
pub(super) fn begin(transaction: &WriteTransaction, index: &Declared) -> Result<(), StoreError> {
    transaction.open_table(table(BUILDING))?.insert(index.counts.as_slice(), 0_u64.encoded().as_slice())?;
    Ok(())
}

/// Returns true if the index is being built and has not reached the record under `key` yet.
pub(super) fn is_incomplete(
    source: &(impl RowSource + ?Sized),
    index: &Declared,
    key: &[u8],
) -> Result<bool, StoreError> {
    let mark = if index.for_pages { source.value(BUILDING, &index.counts)? } else { None };
    Ok(mark.is_some_and(|mark| mark.get(KEY_AT..).unwrap_or_default() < key))
}

/// Returns the index of this name if it is complete.
pub(super) fn whole<'a>(
    source: &(impl RowSource + ?Sized),
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
    /// Builds the next slice of the pending indexes. Returns false if no index is pending.
    fn build_on(&mut self) -> Result<bool, StoreError> {
        let schema = self.schema;
        let mut marks = Vec::new();
        self.scan(BUILDING, &Span::of_prefix(&[]), false, &mut |index, mark| {
            marks.push((index.to_vec(), mark.to_vec()));
            ControlFlow::Continue(())
        })?;
        let marked = |index: &Declared| marks.iter().find(|(counts, _)| *counts == index.counts).map(|(_, mark)| mark);
        let found = schema.collections().find_map(|one| Some((one, one.indexes.iter().find_map(marked)?)));
        // A later release may have left marks of its own indexes; this one ignores them.
        let Some((collection, mark)) = found else { return Ok(false) };
        // Indexes with the same progress are built together.
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
                entries.get(*at).into_iter().flatten().try_for_each(|entry| self.add_entry(index, entry, key))?;
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

/// A job of the writer that builds one slice.
pub(super) struct BuildSlice {
    /// Flag that stays set while an index is still pending.
    pub(super) left: Arc<AtomicBool>,
}

impl Job for BuildSlice {
    fn run(&mut self, writer: &mut Writer<'_>) -> bool {
        let built = writer.build_on();
        if let Err(error) = &built {
            logged!(error, action = "store", msg!("log-lists-not-built", error));
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
