//! Writing. Every change is recorded together with the previous value, so that a failed job can be undone
//! without affecting the other jobs of its group.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::ops::ControlFlow;

use redb::{Table, WriteTransaction};
use serde::Serialize;

use super::building::is_incomplete;
use super::error::StoreError;
use super::key::{Ordered, readable};
use super::query::Span;
use super::record::{Collection, Declared, Entries, IndexEntry, Record, Schema, count_prefix, entries};
use super::time_buckets::count_keys;
use super::view::{
    Bytes, COUNTS, DOCUMENTS, RowSource, SEQUENCES, ScanStep, conflict, kept_sum, number, primary, scan_in, table,
    unreadable, value_in,
};

/// The store in the middle of a write. Everything read through it includes the writes of this job so far, and
/// of the other jobs of the same commit.
pub struct Writer<'a> {
    pub(super) schema: &'a Schema,
    pub(super) transaction: &'a WriteTransaction,
    tables: RefCell<HashMap<String, Table<'a, Bytes, Bytes>>>,
    /// Counts and sums, which nearly every write changes: each is stored once for all the writes of a group.
    /// `sequences` does the same for the last numbers given out.
    counts: RefCell<HashMap<Vec<u8>, Number>>,
    sequences: RefCell<HashMap<Vec<u8>, Number>>,
    /// Changes of the running job, with the previous values.
    undo: Vec<StagedChange>,
    /// Error that is set while the tree is being changed: if it is still set afterwards, a change stopped half
    /// way, and the transaction must not be committed.
    trouble: Option<StoreError>,
}

/// A maintained number: its current value, and the value in its table.
struct Number {
    now: Option<Vec<u8>>,
    stored: Option<Vec<u8>>,
}

struct StagedChange {
    name: String,
    key: Vec<u8>,
    before: Option<Vec<u8>>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(schema: &'a Schema, transaction: &'a WriteTransaction) -> Self {
        Self {
            schema,
            transaction,
            tables: RefCell::default(),
            counts: RefCell::default(),
            sequences: RefCell::default(),
            undo: Vec::new(),
            trouble: None,
        }
    }

    /// Stores `record` under its key, replaces any existing one, and maintains the indexes and the counts. If a
    /// unique index has its value for another record, no change is made.
    pub fn put<R: Record>(&mut self, record: &R) -> Result<(), StoreError> {
        let collection = self.schema.of::<R>()?;
        let key = record.key().encoded();
        let json = serde_json::to_vec(record)
            .map_err(|error| StoreError::Defect(format!("a record of {} is no JSON: {error}", R::COLLECTION)))?;
        let before = self.value(&collection.table, &key)?;
        if before.as_ref() == Some(&json) {
            return Ok(());
        }
        let old = stored_entries::<R>(collection, &key, before.as_deref())?;
        let new = entries(record);
        self.whole(|writer| {
            writer.set(&collection.table, &key, Some(&json))?;
            if before.is_none() {
                writer.add(COUNTS, &count_prefix(collection.name, ""), 1)?;
            }
            writer.keep_indexes::<R>(collection, &key, &old, &new)
        })
    }

    /// Removes the record under `key` with its entries. Returns true if it existed.
    pub fn delete<R: Record>(&mut self, key: &R::Key) -> Result<bool, StoreError> {
        let collection = self.schema.of::<R>()?;
        let key = key.encoded();
        let Some(json) = self.value(&collection.table, &key)? else { return Ok(false) };
        let old = stored_entries::<R>(collection, &key, Some(&json))?;
        let new = vec![Vec::new(); old.len()];
        self.whole(|writer| {
            writer.set(&collection.table, &key, None)?;
            writer.add(COUNTS, &count_prefix(collection.name, ""), -1)?;
            writer.keep_indexes::<R>(collection, &key, &old, &new)
        })?;
        Ok(true)
    }

    /// Returns the next number of the collection: 1, 2, 3 … A number of a failed job is given out again; a
    /// committed number never is.
    pub fn next_id<R: Record>(&mut self) -> Result<u64, StoreError> {
        self.add(SEQUENCES, &R::COLLECTION.encoded(), 1)
    }

    /// Stores a document under a name.
    pub fn put_document<T: Serialize>(&mut self, name: &str, document: &T) -> Result<(), StoreError> {
        let json = serde_json::to_vec(document)
            .map_err(|error| StoreError::Defect(format!("the document {name} is no JSON: {error}")))?;
        self.set(DOCUMENTS, &name.encoded(), Some(&json))
    }

    /// Stores the current numbers; the last action before the group is committed.
    pub(super) fn store_numbers(&self) -> Result<(), StoreError> {
        self.store_those_of(COUNTS)?;
        self.store_those_of(SEQUENCES)
    }

    fn store_those_of(&self, name: &str) -> Result<(), StoreError> {
        let Some(numbers) = self.numbers(name) else { return Ok(()) };
        for (key, number) in numbers.borrow_mut().iter_mut().filter(|(_, number)| number.now != number.stored) {
            self.store(name, key, number.now.as_deref())?;
            number.stored.clone_from(&number.now);
        }
        Ok(())
    }

    fn number_in<'n>(
        &self,
        numbers: &'n mut HashMap<Vec<u8>, Number>,
        name: &str,
        key: &[u8],
    ) -> Result<&'n mut Number, StoreError> {
        match numbers.entry(key.to_vec()) {
            Slot::Occupied(known) => Ok(known.into_mut()),
            Slot::Vacant(slot) => {
                let stored = self.with(name, |table| value_in(table, key))?;
                Ok(slot.insert(Number { now: stored.clone(), stored }))
            }
        }
    }

    fn numbers(&self, name: &str) -> Option<&RefCell<HashMap<Vec<u8>, Number>>> {
        match name {
            COUNTS => Some(&self.counts),
            SEQUENCES => Some(&self.sequences),
            _ => None,
        }
    }

    /// Returns true if the running job has changed anything.
    pub(super) fn has_changed(&self) -> bool {
        !self.undo.is_empty()
    }

    /// Keeps the changes of the running job, before the next one begins.
    pub(super) fn keep(&mut self) {
        self.undo.clear();
    }

    /// Undoes the changes of the running job, before the next one begins.
    pub(super) fn take_back(&mut self) -> Result<(), StoreError> {
        self.take_back_to(0)
    }

    fn take_back_to(&mut self, mark: usize) -> Result<(), StoreError> {
        while self.undo.len() > mark
            && let Some(change) = self.undo.pop()
        {
            self.write(&change.name, &change.key, change.before.as_deref())?;
        }
        Ok(())
    }

    /// Makes several changes, of which none is kept if one fails, whatever the job does with the error.
    fn whole<T>(&mut self, change: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mark = self.undo.len();
        let outcome = change(self);
        if outcome.is_err() {
            self.take_back_to(mark)?;
        }
        outcome
    }

    /// Returns an error if a change stopped half way and the transaction must not be committed.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.trouble.clone().map_or(Ok(()), Err)
    }

    /// Returns the key of the record other than `key` that a unique index has in `group`.
    fn key_of_holder(&self, index: &Declared, group: &[u8], key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let mut holder = None;
        self.scan(&index.table, &Span::of_prefix(group), false, &mut |entry, at| {
            let found = primary(entry, at);
            if found == key {
                return ControlFlow::Continue(());
            }
            holder = Some(found.to_vec());
            ControlFlow::Break(())
        })?;
        Ok(holder)
    }

    /// Adds an entry for a record.
    pub(super) fn add_entry(&mut self, index: &Declared, entry: &IndexEntry, key: &[u8]) -> Result<(), StoreError> {
        let (place, at) = place(entry, key)?;
        self.set(&index.table, &place, Some(&at))?;
        self.recount(index, entry, key, 1)
    }

    /// Changes the entries of one record from `old` to `new`.
    fn keep_indexes<R: Record>(
        &mut self,
        collection: &Collection,
        key: &[u8],
        old: &[Vec<IndexEntry>],
        new: &[Vec<IndexEntry>],
    ) -> Result<(), StoreError> {
        for ((index, old), new) in collection.indexes.iter().zip(old).zip(new) {
            if is_incomplete(self, index, key)? {
                continue;
            }
            for entry in old.iter().filter(|entry| !new.contains(entry)) {
                let (place, _) = place(entry, key)?;
                if self.value(&index.table, &place)?.is_none() {
                    return Err(stale_index::<R>(index, key));
                }
                self.set(&index.table, &place, None)?;
                self.recount(index, entry, key, -1)?;
            }
            for entry in new.iter().filter(|entry| !old.contains(entry)) {
                if index.unique
                    && let Some(holder) = self.key_of_holder(index, &entry.group, key)?
                {
                    return Err(conflict::<R>(index, key, &holder));
                }
                self.add_entry(index, entry, key)?;
            }
        }
        Ok(())
    }

    fn recount(&mut self, index: &Declared, entry: &IndexEntry, key: &[u8], step: i64) -> Result<(), StoreError> {
        for number in count_keys(index, entry, key) {
            self.add(COUNTS, &number, step)?;
        }
        if index.is_counted() && entry.weight != 0 {
            let key = [index.sums.as_slice(), &entry.group].concat();
            let sum = kept_sum(self, &key)?.saturating_add(entry.weight.saturating_mul(step));
            self.set(COUNTS, &key, Some(&sum.encoded()))?;
        }
        Ok(())
    }

    /// Adds to a maintained number and returns the sum. A zero is not stored.
    fn add(&mut self, name: &str, key: &[u8], step: i64) -> Result<u64, StoreError> {
        let sum = number(self, name, key)?.checked_add_signed(step);
        let sum = sum.ok_or_else(|| StoreError::damaged(format!("a number of {name} is less than what it counts")))?;
        let bytes = (sum > 0).then(|| sum.encoded());
        self.set(name, key, bytes.as_deref())?;
        Ok(sum)
    }

    /// Changes one row and remembers the previous value.
    pub(super) fn set(&mut self, name: &str, key: &[u8], value: Option<&[u8]>) -> Result<(), StoreError> {
        let before = self.write(name, key, value)?;
        self.undo.push(StagedChange { name: name.to_owned(), key: key.to_vec(), before });
        Ok(())
    }

    fn write(&mut self, name: &str, key: &[u8], value: Option<&[u8]>) -> Result<Option<Vec<u8>>, StoreError> {
        self.check()?;
        if let Some(numbers) = self.numbers(name) {
            let mut numbers = numbers.borrow_mut();
            let number = self.number_in(&mut numbers, name, key)?;
            return Ok(std::mem::replace(&mut number.now, value.map(<[u8]>::to_vec)));
        }
        self.trouble = Some(StoreError::Defect("a change of the store stopped half way".to_owned()));
        let written = self.store(name, key, value);
        self.trouble = written.as_ref().err().cloned();
        written
    }

    fn store(&self, name: &str, key: &[u8], value: Option<&[u8]>) -> Result<Option<Vec<u8>>, StoreError> {
        self.with(name, |table| {
            let before = match value {
                Some(value) => table.insert(key, value)?,
                None => table.remove(key)?,
            };
            Ok(before.map(|before| before.value().to_vec()))
        })
    }

    fn with<T>(
        &self,
        name: &str,
        ask: impl FnOnce(&mut Table<'a, Bytes, Bytes>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut tables = self.tables.borrow_mut();
        match tables.entry(name.to_owned()) {
            Slot::Occupied(mut open) => ask(open.get_mut()),
            Slot::Vacant(slot) => ask(slot.insert(self.transaction.open_table(table(name))?)),
        }
    }
}

impl RowSource for Writer<'_> {
    fn schema(&self) -> &Schema {
        self.schema
    }

    fn value(&self, name: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.numbers(name) {
            Some(numbers) => Ok(self.number_in(&mut numbers.borrow_mut(), name, key)?.now.clone()),
            None => self.with(name, |table| value_in(table, key)),
        }
    }

    fn scan(&self, name: &str, span: &Span, descending: bool, step: ScanStep<'_>) -> Result<(), StoreError> {
        self.store_those_of(name)?;
        self.with(name, |table| scan_in(table, span, descending, step))
    }
}

/// Returns the entries of the stored record.
fn stored_entries<R: Record>(collection: &Collection, key: &[u8], json: Option<&[u8]>) -> Result<Entries, StoreError> {
    match json {
        None => Ok(vec![Vec::new(); collection.indexes.len()]),
        Some(json) => (collection.entries)(json).map_err(|error| unreadable::<R>(key, &error)),
    }
}

/// Makes the error for an index that was written with other rules than it is read with.
fn stale_index<R: Record>(index: &Declared, key: &[u8]) -> StoreError {
    let (index, key) = (index.name, readable::<R::Key>(key));
    StoreError::Defect(format!(
        "the index {index} of {} lacks an entry of '{key}': what the index lists was changed without raising its version",
        R::COLLECTION
    ))
}

/// Returns the row of an entry (group, sort part and the record's key) and the encoded offset of the key in it.
pub(super) fn place(entry: &IndexEntry, key: &[u8]) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
    let start = entry.group.len() + entry.sort.len();
    let at = u32::try_from(start).map_err(|_| StoreError::Defect("an entry of an index is too long".to_owned()))?;
    Ok(([entry.group.as_slice(), &entry.sort, key].concat(), at.encoded()))
}
