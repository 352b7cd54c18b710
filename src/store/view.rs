//! Reading, which works the same in a read transaction and in the middle of a write.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::ops::ControlFlow;

use redb::{ReadOnlyTable, ReadTransaction, ReadableTable, TableDefinition};
use serde::de::DeserializeOwned;

use super::building::whole;
use super::error::StoreError;
use super::key::{Key, Ordered, PrefixOf, readable};
use super::listing;
use super::query::{Cursor, Query, Span};
use super::record::{Collection, Declared, Index, Record, Schema, count_prefix};

/// Type of the keys and values of every table.
pub(super) type Bytes = &'static [u8];

/// Table of the documents, by name.
pub(super) const DOCUMENTS: &str = "documents";
/// Table of the number of entries per group and of records per collection.
pub(super) const COUNTS: &str = "counts";
/// Table of the last number given out, by collection.
pub(super) const SEQUENCES: &str = "sequences";

/// Number of records that are read at once.
pub(super) const SLICE: usize = 1_000;

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

/// The records of one page, and the query for the next one.
pub type RecordSlice<R, O> = (Vec<Result<R, StoreError>>, Option<Query<R, O>>);

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
    fn by_unique<R, G, S>(
        &self,
        index: Index<R, G, S>,
        group: impl Ordered<Kind = G::Kind>,
    ) -> Result<Option<R>, StoreError>
    where
        R: Record,
        G: Ordered,
    {
        let collection = self.schema().of::<R>()?;
        let index = collection.index(index.options.name)?;
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
    fn count<R, G, S>(&self, index: Index<R, G, S>, group: impl Ordered<Kind = G::Kind>) -> Result<u64, StoreError>
    where
        R: Record,
        G: Ordered,
    {
        let index = counted(self, self.schema().of::<R>()?, index.options.name)?;
        number(self, COUNTS, &[index.counts.as_slice(), &group.encoded()].concat())
    }

    /// Returns the sum of the weights that a counted index has in `group`.
    fn sum<R, G, S>(&self, index: Index<R, G, S>, group: impl Ordered<Kind = G::Kind>) -> Result<i64, StoreError>
    where
        R: Record,
        G: Ordered,
    {
        let index = counted(self, self.schema().of::<R>()?, index.options.name)?;
        kept_sum(self, &[index.sums.as_slice(), &group.encoded()].concat())
    }

    /// Returns every group of a counted index that is not empty, with the number of its entries. For indexes
    /// with few groups.
    fn groups<R, G, S>(&self, index: Index<R, G, S>) -> Result<Vec<(G::Kind, u64)>, StoreError>
    where
        R: Record,
        G: Ordered<Kind: Key>,
    {
        groups_from(self, index, &[])
    }

    /// Returns the groups of a counted index that begin with these values and are not empty, with the number of their
    /// entries.
    fn groups_of<R, G, S>(
        &self,
        index: Index<R, G, S>,
        first: impl Ordered<Kind: PrefixOf<G::Kind>>,
    ) -> Result<Vec<(G::Kind, u64)>, StoreError>
    where
        R: Record,
        G: Ordered<Kind: Key>,
    {
        groups_from(self, index, &first.encoded())
    }

    /// Returns the last group of a counted index that is not empty and sorts before every group that begins with these
    /// values.
    fn last_group_before<R, G, S>(
        &self,
        index: Index<R, G, S>,
        first: impl Ordered<Kind: PrefixOf<G::Kind>>,
    ) -> Result<Option<G::Kind>, StoreError>
    where
        R: Record,
        G: Ordered<Kind: Key>,
    {
        let index = counted(self, self.schema().of::<R>()?, index.options.name)?;
        let mut last = None;
        let span = Span::between(&index.counts, None, Some(&first.encoded()));
        self.scan(COUNTS, &span, true, &mut |key, _| {
            last = key.get(index.counts.len()..).and_then(G::Kind::decoded);
            ControlFlow::Break(())
        })?;
        Ok(last)
    }

    /// Returns the number of records in the collection.
    fn total<R: Record>(&self) -> Result<u64, StoreError> {
        let collection = self.schema().of::<R>()?;
        number(self, COUNTS, &count_prefix(collection.name, ""))
    }

    /// Returns a page of a list. The cost is that of its rows in each of their indexes.
    fn page<R: Record, O>(&self, query: &Query<R, O>) -> Result<RecordPage<R>, StoreError> {
        listing::page(self, self.schema().of::<R>()?, &query.plan, true)
    }

    /// Returns a page like [`View::page`], but without the total, for callers that walk through the whole list.
    fn page_uncounted<R: Record, O>(&self, query: &Query<R, O>) -> Result<RecordPage<R>, StoreError> {
        listing::page(self, self.schema().of::<R>()?, &query.plan, false)
    }

    /// Iterates over a whole list; a row whose record cannot be read is [`StoreError::Unreadable`]. For lists that are
    /// short enough to be read at once; see [`Store::for_each`](super::Store::for_each).
    fn records<R: Record, O>(&self, query: Query<R, O>) -> impl Iterator<Item = Result<R, StoreError>> {
        let (mut keys, mut query) = (Vec::<Vec<u8>>::new().into_iter(), Some(query.limit(SLICE)));
        std::iter::from_fn(move || {
            loop {
                let collection = match self.schema().of::<R>() {
                    Ok(collection) => collection,
                    Err(error) => return query.take().map(|_| Err(error)),
                };
                if let Some(key) = keys.next() {
                    return Some(fetch(self, collection, &key));
                }
                let now = query.take()?;
                match listing::keys(self, collection, &now.plan) {
                    Ok((found, next)) => (keys, query) = (found.into_iter(), next.map(|next| now.skip(0).after(next))),
                    Err(error) => return Some(Err(error)),
                }
            }
        })
    }

    /// Reads the records of one page of a list, and returns the query for the next page.
    fn slice<R: Record, O>(&self, query: Query<R, O>) -> Result<RecordSlice<R, O>, StoreError> {
        let collection = self.schema().of::<R>()?;
        let (keys, next) = listing::keys(self, collection, &query.plan)?;
        let mut records = Vec::with_capacity(keys.len());
        for key in keys {
            match fetch(self, collection, &key) {
                Ok(record) => records.push(Ok(record)),
                Err(error @ StoreError::Unreadable { .. }) => records.push(Err(error)),
                Err(error) => return Err(error),
            }
        }
        Ok((records, next.map(|next| query.skip(0).after(next))))
    }

    /// Returns the keys of a whole list without reading the records.
    fn all_keys<R: Record, O>(&self, query: Query<R, O>) -> Result<Vec<R::Key>, StoreError> {
        let (mut keys, mut query) = (Vec::new(), Some(query.limit(SLICE)));
        while let Some(now) = query.take() {
            let slice = self.keys(&now)?;
            keys.extend(slice.keys);
            query = slice.next.map(|next| now.skip(0).after(next));
        }
        Ok(keys)
    }

    /// Returns a slice of the keys of a list without reading the records, for jobs that walk through a large list.
    fn keys<R: Record, O>(&self, query: &Query<R, O>) -> Result<Keys<R::Key>, StoreError> {
        let (rows, next) = listing::keys(self, self.schema().of::<R>()?, &query.plan)?;
        let decoded = |key: &Vec<u8>| {
            R::Key::decoded(key).ok_or_else(|| unreadable::<R>(key, &"its key is not of the collection's type"))
        };
        Ok(Keys { keys: rows.iter().map(decoded).collect::<Result<_, _>>()?, next })
    }
}

impl<S: RowSource> View for S {}

/// Returns the record of a list, or `None` for one that cannot be read: a list of records to act on reports it.
pub fn readable_record<R>(record: Result<R, StoreError>) -> Result<Option<R>, StoreError> {
    match record {
        Err(StoreError::Unreadable { .. }) => Ok(None),
        record => record.map(Some),
    }
}

/// Returns the groups of a counted index whose bytes begin with these, with the number of their entries.
fn groups_from<R, G, S>(
    source: &(impl RowSource + ?Sized),
    index: Index<R, G, S>,
    first: &[u8],
) -> Result<Vec<(G::Kind, u64)>, StoreError>
where
    R: Record,
    G: Ordered<Kind: Key>,
{
    let index = counted(source, source.schema().of::<R>()?, index.options.name)?;
    let mut groups = Vec::new();
    let span = Span::of_prefix(&[index.counts.as_slice(), first].concat());
    source.scan(COUNTS, &span, false, &mut |key, count| {
        let group = key.get(index.counts.len()..).and_then(G::Kind::decoded);
        groups.extend(group.zip(u64::decoded(count)));
        ControlFlow::Continue(())
    })?;
    Ok(groups)
}

/// Returns the index of this name if it is complete and counted.
fn counted<'a>(
    source: &(impl RowSource + ?Sized),
    collection: &'a Collection,
    name: &str,
) -> Result<&'a Declared, StoreError> {
    let index = whole(source, collection, name)?;
    let defect = || StoreError::Defect(format!("the index {name} of {} is not counted", collection.name));
    index.is_counted().then_some(index).ok_or_else(defect)
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
