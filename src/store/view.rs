//! Reading, which works the same in a read transaction and in the middle of a write.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::ops::ControlFlow;

use redb::{ReadOnlyTable, ReadTransaction, ReadableTable, TableDefinition};
use serde::de::DeserializeOwned;

use super::ListPage;
use super::building::whole;
use super::error::StoreError;
use super::key::{Key, Ordered, readable};
use super::query::{Cursor, Query, Span};
use super::record::{Collection, Declared, Record, Schema, count_prefix};

/// Type of the keys and values of every table.
pub(super) type Bytes = &'static [u8];

/// Table of the documents, by name.
pub(super) const DOCUMENTS: &str = "documents";
/// Table of the number of entries per group and of records per collection.
pub(super) const COUNTS: &str = "counts";
/// Table of the last number given out, by collection.
pub(super) const SEQUENCES: &str = "sequences";

/// Limit of counting the rows of a list whose total is not maintained.
pub(super) const MAX_COUNTED: u64 = 5_000;

/// Returns the definition of the table of this name.
pub(super) fn table(name: &str) -> TableDefinition<'_, Bytes, Bytes> {
    TableDefinition::new(name)
}

/// Callback of a scan; it gets each row and decides whether to continue.
pub(super) type ScanStep<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// The two operations that all reading is built on.
pub trait RowSource {
    /// Returns the declared collections.
    fn schema(&self) -> &Schema;
    /// Returns the value under a key.
    fn value(&self, name: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;
    /// Passes the rows of a range in order to `step` until it stops.
    fn scan(&self, name: &str, span: &Span, descending: bool, step: ScanStep<'_>) -> Result<(), StoreError>;
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordPage<R> {
    /// The records, in order.
    pub items: Vec<R>,
    /// Errors of the rows of this page whose record cannot be read. They do not affect the other rows.
    pub unreadable: Vec<StoreError>,
    /// Start of the next page, if there is one.
    pub next: Option<Cursor>,
    /// Number of rows of the whole list.
    pub total: u64,
    /// Exactness of `total`; false if there are more rows and counting them would cost too much.
    pub total_exact: bool,
}

/// One slice of the keys of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys<K> {
    /// The keys, in the order of the list.
    pub keys: Vec<K>,
    /// Start of the next slice, if there is one.
    pub next: Option<Cursor>,
}

/// Reading, in the same way for a [`StoreReader`] and a [`Writer`](super::Writer).
pub trait View: RowSource {
    /// Returns the record under `key`.
    fn get<R: Record>(&self, key: &R::Key) -> Result<Option<R>, StoreError> {
        let collection = self.schema().of::<R>()?;
        let key = key.encoded();
        self.value(&collection.table, &key)?.map(|json| decode::<R>(&key, &json)).transpose()
    }

    /// Returns the document of this name.
    fn get_document<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let unreadable = |error: serde_json::Error| StoreError::Unreadable {
            collection: DOCUMENTS,
            key: name.to_owned(),
            reason: error.to_string(),
        };
        let json = self.value(DOCUMENTS, &name.encoded())?;
        json.map(|json| serde_json::from_slice(&json).map_err(unreadable)).transpose()
    }

    /// Returns the record that a unique index has in `group`. If there are two (stored before the index was
    /// declared), the result is a [`StoreError::Conflict`]: neither of them is picked.
    fn by_unique<R: Record>(&self, index: &str, group: impl Ordered) -> Result<Option<R>, StoreError> {
        let collection = self.schema().of::<R>()?;
        let index = collection.index(index)?;
        if !index.unique {
            return Err(StoreError::Defect(format!("the index {} of {} is not unique", index.name, collection.name)));
        }
        let mut holders = Vec::new();
        self.scan(&index.table, &Span::of_prefix(&group.encoded()), false, &mut |key, at| {
            holders.push(primary(key, at).to_vec());
            if holders.len() < 2 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        match holders.as_slice() {
            [] => Ok(None),
            [only] => fetch(self, collection, only).map(Some),
            [first, other, ..] => Err(conflict::<R>(index, other, first)),
        }
    }

    /// Returns the number of entries that a counted index has in `group`.
    fn count<R: Record>(&self, index: &str, group: impl Ordered) -> Result<u64, StoreError> {
        let collection = self.schema().of::<R>()?;
        let index = whole(self, collection, index)?;
        if !index.is_counted() {
            return Err(StoreError::Defect(format!("the index {} of {} is not counted", index.name, collection.name)));
        }
        number(self, COUNTS, &[index.counts.as_slice(), &group.encoded()].concat())
    }

    /// Returns the sum of the weights that a counted index has in `group`.
    fn sum<R: Record>(&self, index: &str, group: impl Ordered) -> Result<i64, StoreError> {
        let collection = self.schema().of::<R>()?;
        let index = whole(self, collection, index)?;
        if !index.is_counted() {
            return Err(StoreError::Defect(format!("the index {} of {} is not counted", index.name, collection.name)));
        }
        kept_sum(self, &[index.sums.as_slice(), &group.encoded()].concat())
    }

    /// Returns every group of a counted index that is not empty, with the number of its entries. For indexes
    /// with few groups.
    fn groups<R: Record, G: Key>(&self, index: &str) -> Result<Vec<(G, u64)>, StoreError> {
        let collection = self.schema().of::<R>()?;
        let index = whole(self, collection, index)?;
        let mut groups = Vec::new();
        self.scan(COUNTS, &Span::of_prefix(&index.counts), false, &mut |key, count| {
            let group = key.get(index.counts.len()..).and_then(G::decoded);
            groups.extend(group.zip(u64::decoded(count)));
            ControlFlow::Continue(())
        })?;
        Ok(groups)
    }

    /// Returns the number of records in the collection.
    fn total<R: Record>(&self) -> Result<u64, StoreError> {
        let collection = self.schema().of::<R>()?;
        number(self, COUNTS, &count_prefix(collection.name, ""))
    }

    /// Returns a page of a list. Any page costs the same as the first.
    fn page<R: Record>(&self, query: &Query) -> Result<RecordPage<R>, StoreError> {
        let collection = self.schema().of::<R>()?;
        let (rows, next) = rows(self, collection, query)?;
        let (total, total_exact) = size_of(self, collection, query)?;
        let mut page =
            RecordPage { items: Vec::with_capacity(rows.len()), unreadable: Vec::new(), next, total, total_exact };
        for key in rows {
            match fetch(self, collection, &key) {
                Ok(record) => page.items.push(record),
                Err(error @ StoreError::Unreadable { .. }) => page.unreadable.push(error),
                Err(error) => return Err(error),
            }
        }
        Ok(page)
    }

    /// Returns a page of a list with several filters. The cost is that of its rows in each of their indexes.
    fn list<R: Record>(&self, listing: &ListPage) -> Result<RecordPage<R>, StoreError> {
        super::listing::page(self, self.schema().of::<R>()?, listing, true)
    }

    /// Returns a page like [`View::list`], but without the total, for callers that walk through the whole list.
    fn list_uncounted<R: Record>(&self, listing: &ListPage) -> Result<RecordPage<R>, StoreError> {
        super::listing::page(self, self.schema().of::<R>()?, listing, false)
    }

    /// Returns a slice of the keys of a list without reading the records, for jobs that walk through a large list.
    fn keys<R: Record>(&self, query: &Query) -> Result<Keys<R::Key>, StoreError> {
        let collection = self.schema().of::<R>()?;
        let (rows, next) = rows(self, collection, query)?;
        let decoded = |key: &Vec<u8>| {
            R::Key::decoded(key).ok_or_else(|| unreadable::<R>(key, &"its key is not of the collection's type"))
        };
        Ok(Keys { keys: rows.iter().map(decoded).collect::<Result<_, _>>()?, next })
    }
}

impl<S: RowSource> View for S {}

/// Returns the keys of the records on one page, and the start of the next page.
fn rows(
    source: &(impl RowSource + ?Sized),
    collection: &Collection,
    query: &Query,
) -> Result<(Vec<Vec<u8>>, Option<Cursor>), StoreError> {
    let name = list(source, collection, query)?;
    let span = query.span_of_page(collection.name)?;
    let mut rows = Vec::new();
    let mut last = Vec::new();
    let mut more = false;
    source.scan(name, &span, query.descending, &mut |key, value| {
        more = rows.len() >= query.limit;
        if more {
            return ControlFlow::Break(());
        }
        last = key.to_vec();
        rows.push(if query.index.is_some() { primary(key, value).to_vec() } else { key.to_vec() });
        ControlFlow::Continue(())
    })?;
    Ok((rows, more.then(|| Cursor::of(&last, collection.name, query.index))))
}

/// Returns the number of rows of a list, and true if it is exact.
fn size_of(
    source: &(impl RowSource + ?Sized),
    collection: &Collection,
    query: &Query,
) -> Result<(u64, bool), StoreError> {
    let index = query.index.map(|index| whole(source, collection, index)).transpose()?;
    let counts = match index {
        None => Some(count_prefix(collection.name, "")),
        Some(index) => index.is_counted().then(|| index.counts.clone()),
    };
    if let (Some(counts), Some(group)) = (counts, query.whole_group()) {
        return Ok((number(source, COUNTS, &[counts.as_slice(), group].concat())?, true));
    }
    query.count(source, index.map_or(&collection.table, |index| &index.table), index)
}

/// Returns the table that a query goes through.
fn list<'a>(
    source: &(impl RowSource + ?Sized),
    collection: &'a Collection,
    query: &Query,
) -> Result<&'a str, StoreError> {
    match query.index {
        None => Ok(&collection.table),
        Some(index) => Ok(&whole(source, collection, index)?.table),
    }
}

/// Returns the record that a list names; a missing one is reported like an unreadable one.
pub(super) fn fetch<R: Record>(
    source: &(impl RowSource + ?Sized),
    collection: &Collection,
    key: &[u8],
) -> Result<R, StoreError> {
    match source.value(&collection.table, key)? {
        Some(json) => decode(key, &json),
        None => Err(unreadable::<R>(key, &"an index names it, but it is not there")),
    }
}

pub(super) fn decode<R: Record>(key: &[u8], json: &[u8]) -> Result<R, StoreError> {
    serde_json::from_slice(json).map_err(|error| unreadable::<R>(key, &error))
}

pub(super) fn unreadable<R: Record>(key: &[u8], reason: &impl ToString) -> StoreError {
    StoreError::Unreadable { collection: R::COLLECTION, key: readable::<R::Key>(key), reason: reason.to_string() }
}

pub(super) fn conflict<R: Record>(index: &Declared, key: &[u8], holder: &[u8]) -> StoreError {
    StoreError::Conflict {
        collection: R::COLLECTION,
        index: index.name,
        key: readable::<R::Key>(key),
        holder: readable::<R::Key>(holder),
    }
}

/// Returns the key of the record that an index entry belongs to: the bytes after the first `at`.
pub(super) fn primary<'a>(entry: &'a [u8], at: &[u8]) -> &'a [u8] {
    let at = u32::decoded(at).and_then(|at| usize::try_from(at).ok());
    at.and_then(|at| entry.split_at_checked(at)).map_or(&[], |(_, primary)| primary)
}

/// Returns a maintained number. A zero is not stored.
pub(super) fn number(source: &(impl RowSource + ?Sized), name: &str, key: &[u8]) -> Result<u64, StoreError> {
    match source.value(name, key)? {
        None => Ok(0),
        Some(bytes) => u64::decoded(&bytes).ok_or_else(|| StoreError::damaged(format!("a number of {name} is none"))),
    }
}

/// Returns a maintained sum.
pub(super) fn kept_sum(source: &(impl RowSource + ?Sized), key: &[u8]) -> Result<i64, StoreError> {
    match source.value(COUNTS, key)? {
        None => Ok(0),
        Some(bytes) => i64::decoded(&bytes).ok_or_else(|| StoreError::damaged("a kept sum is none")),
    }
}

/// A short read of the store in the state at its start.
pub struct StoreReader<'a> {
    schema: &'a Schema,
    transaction: ReadTransaction,
    tables: RefCell<HashMap<String, ReadOnlyTable<Bytes, Bytes>>>,
}

impl<'a> StoreReader<'a> {
    pub(super) fn new(schema: &'a Schema, transaction: ReadTransaction) -> Self {
        Self { schema, transaction, tables: RefCell::default() }
    }

    fn with<T>(
        &self,
        name: &str,
        ask: impl FnOnce(&ReadOnlyTable<Bytes, Bytes>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut tables = self.tables.borrow_mut();
        match tables.entry(name.to_owned()) {
            Slot::Occupied(open) => ask(open.get()),
            Slot::Vacant(slot) => ask(slot.insert(self.transaction.open_table(table(name))?)),
        }
    }
}

impl RowSource for StoreReader<'_> {
    fn schema(&self) -> &Schema {
        self.schema
    }

    fn value(&self, name: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.with(name, |table| value_in(table, key))
    }

    fn scan(&self, name: &str, span: &Span, descending: bool, step: ScanStep<'_>) -> Result<(), StoreError> {
        self.with(name, |table| scan_in(table, span, descending, step))
    }
}

pub(super) fn value_in(table: &impl ReadableTable<Bytes, Bytes>, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(table.get(key)?.map(|value| value.value().to_vec()))
}

pub(super) fn scan_in(
    table: &impl ReadableTable<Bytes, Bytes>,
    span: &Span,
    descending: bool,
    step: ScanStep<'_>,
) -> Result<(), StoreError> {
    if span.is_empty() {
        return Ok(());
    }
    let mut range = table.range::<&[u8]>(span.bounds())?;
    loop {
        let row = if descending { range.next_back() } else { range.next() };
        let Some(row) = row else { return Ok(()) };
        let (key, value) = row?;
        if step(key.value(), value.value()).is_break() {
            return Ok(());
        }
    }
}
