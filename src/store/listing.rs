//! Lists with several filters: any of these groups of one index, combined with any of those of another, in the
//! one order that the indexes share.
//!
//! Only the records of the page are read; everything else comes from the indexes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::building::whole;
use super::error::StoreError;
use super::key::{Key, Ordered};
use super::query::{Cursor, Span};
use super::record::{Collection, Record, count_prefix};
use super::scan::{MAX_SLICE, MIN_SLICE, WalkEnd, walk};
use super::time_buckets::CountedRows;
use super::view::{COUNTS, MAX_COUNTED, RecordPage, RowSource, fetch, number};

/// Filters, order and size of a page of a list. All its indexes sort by the same value.
#[derive(Debug, Clone)]
pub struct ListPage {
    pub(super) filters: Vec<IndexFilter>,
    pub(super) from: Option<Vec<u8>>,
    pub(super) to: Option<Vec<u8>>,
    pub(super) descending: bool,
    limit: usize,
    skip: usize,
    pub(super) after: Option<Cursor>,
    numbered_by: Option<&'static str>,
}

/// Records that an index has in any of these groups; without an index, every record.
#[derive(Debug, Clone)]
pub(super) struct IndexFilter {
    pub(super) index: Option<&'static str>,
    /// Groups as requested; after [`IndexFilter::found`], complete groups that are not empty.
    pub(super) groups: Vec<Vec<u8>>,
    /// Number of rows, if the index is counted and the number was looked up.
    pub(super) rows: Option<u64>,
}

/// Default number of rows of a page.
const LIMIT: usize = 50;

impl ListPage {
    /// Makes a list of every record, by key.
    pub fn all() -> Self {
        Self {
            filters: vec![IndexFilter { index: None, groups: vec![Vec::new()], rows: None }],
            from: None,
            to: None,
            descending: false,
            limit: LIMIT,
            skip: 0,
            after: None,
            numbered_by: None,
        }
    }

    /// Makes a list of the records that `index` has in any of `groups`. No record may be in two of them.
    ///
    /// If the groups of a counted index consist of several values, the first values alone stand for every group
    /// that begins with them.
    pub fn any_of<G: Ordered>(index: &'static str, groups: impl IntoIterator<Item = G>) -> Self {
        Self { filters: vec![IndexFilter::new(index, groups)], ..Self::all() }
    }

    /// Restricts the list to records that this index has in any of these groups as well.
    #[must_use]
    pub fn and<G: Ordered>(mut self, index: &'static str, groups: impl IntoIterator<Item = G>) -> Self {
        // The filter of every record does not restrict the list, so another filter replaces it.
        self.filters.retain(|filter| filter.index.is_some());
        self.filters.push(IndexFilter::new(index, groups));
        self
    }

    /// Names the index that counts the rows of a list of every record; it must have each record once, by key.
    #[must_use]
    pub fn numbered_by(mut self, index: &'static str) -> Self {
        self.numbered_by = Some(index);
        self
    }

    /// Restricts the list to rows whose sort part is at least this.
    #[must_use]
    pub fn from(mut self, sort: impl Ordered) -> Self {
        self.from = Some(sort.encoded());
        self
    }

    /// Restricts the list to rows whose sort part is less than this.
    #[must_use]
    pub fn to(mut self, sort: impl Ordered) -> Self {
        self.to = Some(sort.encoded());
        self
    }

    /// Reverses the order of the list.
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.descending = true;
        self
    }

    /// Limits the page to this many rows; at least one.
    #[must_use]
    pub fn limit(mut self, rows: usize) -> Self {
        self.limit = rows.max(1);
        self
    }

    /// Skips this many rows first. The cost is that of reading their index rows, except for a list of one
    /// [numbered](super::Index::bucketed) index, where it is small.
    #[must_use]
    pub fn skip(mut self, rows: usize) -> Self {
        self.skip = rows;
        self
    }

    /// Continues after the page that gave this cursor.
    #[must_use]
    pub fn after(mut self, cursor: impl Into<Option<Cursor>>) -> Self {
        self.after = cursor.into();
        self
    }

    /// Returns the name that marks the cursors of this list.
    pub(super) fn name(&self) -> String {
        let names: Vec<&str> = self.filters.iter().map(|filter| filter.index.unwrap_or_default()).collect();
        names.join("+")
    }

    /// Returns the number of rows, if the store maintains it.
    fn kept_size(&self) -> Option<u64> {
        match self.filters.as_slice() {
            [only] if self.from.is_none() && self.to.is_none() => only.rows,
            _ => None,
        }
    }

    /// Returns the filter by which the rows of the only filter are counted.
    fn ruler<'a>(
        &self,
        source: &(impl RowSource + ?Sized),
        collection: &Collection,
        filter: &'a IndexFilter,
    ) -> Result<Cow<'a, IndexFilter>, StoreError> {
        match (filter.index, self.numbered_by) {
            (None, Some(index)) => IndexFilter::new(index, [()]).found(source, collection).map(Cow::Owned),
            (Some(_), _) | (None, None) => Ok(Cow::Borrowed(filter)),
        }
    }

    /// Returns the rows of the list in the form that `ruler` can count.
    fn rows<'a>(&'a self, collection: &'a Collection, ruler: &'a IndexFilter) -> Result<CountedRows<'a>, StoreError> {
        let index = ruler.index.map(|index| collection.index(index)).transpose()?;
        Ok(CountedRows {
            table: index.map_or(&collection.table, |index| &index.table),
            index,
            groups: &ruler.groups,
            from: self.from.as_deref(),
            to: self.to.as_deref(),
        })
    }

    /// Returns the list with a nearer start and fewer rows to skip, if the counts allow it.
    fn nearer(&self, source: &(impl RowSource + ?Sized), collection: &Collection) -> Result<Cow<'_, Self>, StoreError> {
        let here = Ok(Cow::Borrowed(self));
        let ([filter], None, 1..) = (self.filters.as_slice(), &self.after, self.skip) else { return here };
        let ruler = self.ruler(source, collection, filter)?;
        let skip = u64::try_from(self.skip).unwrap_or(u64::MAX);
        let leap = self.rows(collection, &ruler)?.skip_to(source, self.descending, skip)?;
        let Some((place, left)) = leap else { return here };
        let mut nearer = self.clone();
        *(if self.descending { &mut nearer.to } else { &mut nearer.from }) = Some(place);
        nearer.skip = usize::try_from(left).unwrap_or(usize::MAX);
        Ok(Cow::Owned(nearer))
    }

    /// Returns the list with its groups resolved by [`IndexFilter::found`].
    fn found(&self, source: &(impl RowSource + ?Sized), collection: &Collection) -> Result<Self, StoreError> {
        let filters = self.filters.iter().map(|filter| filter.found(source, collection)).collect::<Result<_, _>>()?;
        Ok(Self { filters, ..self.clone() })
    }
}

impl IndexFilter {
    fn new<G: Ordered>(index: &'static str, groups: impl IntoIterator<Item = G>) -> Self {
        let mut groups: Vec<Vec<u8>> = groups.into_iter().map(|group| group.encoded()).collect();
        groups.sort_unstable();
        groups.dedup();
        Self { index: Some(index), groups, rows: None }
    }

    /// Returns the filter with the groups that exist according to the maintained counts.
    fn found(&self, source: &(impl RowSource + ?Sized), collection: &Collection) -> Result<Self, StoreError> {
        let Some(name) = self.index else {
            let rows = number(source, COUNTS, &count_prefix(collection.name, ""))?;
            return Ok(Self { rows: Some(rows), ..self.clone() });
        };
        let index = whole(source, collection, name)?;
        if !index.is_counted() {
            return Ok(self.clone());
        }
        let mut found = BTreeMap::new();
        for asked in &self.groups {
            let counts = Span::of_prefix(&[index.counts.as_slice(), asked].concat());
            source.scan(COUNTS, &counts, false, &mut |key, count| {
                let group = key.get(index.counts.len()..).unwrap_or_default();
                found.insert(group.to_vec(), u64::decoded(count).unwrap_or_default());
                ControlFlow::Continue(())
            })?;
        }
        let rows = found.values().fold(0, |rows: u64, count| rows.saturating_add(*count));
        Ok(Self { index: self.index, groups: found.into_keys().collect(), rows: Some(rows) })
    }

    /// Returns the table that the filter goes through, and true if it is an index.
    pub(super) fn table<'a>(&self, collection: &'a Collection) -> Result<(&'a str, bool), StoreError> {
        match self.index {
            None => Ok((&collection.table, false)),
            Some(index) => Ok((&collection.index(index)?.table, true)),
        }
    }
}

/// Reads a page of a list.
pub(super) fn page<R: Record>(
    source: &(impl RowSource + ?Sized),
    collection: &Collection,
    listing: &ListPage,
    counted: bool,
) -> Result<RecordPage<R>, StoreError> {
    let listing = &listing.found(source, collection)?;
    let nearer = listing.nearer(source, collection)?;
    let mut keys: Vec<Vec<u8>> = Vec::new();
    let (mut skip, limit) = (nearer.skip, nearer.limit);
    let slice = limit.saturating_add(1).clamp(MIN_SLICE, MAX_SLICE);
    let mut last = None;
    let end = walk(source, collection, &nearer, slice, |place, key| {
        if skip > 0 {
            skip -= 1;
            return ControlFlow::Continue(());
        }
        if keys.len() >= limit {
            return ControlFlow::Break(());
        }
        keys.push(key.to_vec());
        last = Some(place.to_vec());
        ControlFlow::Continue(())
    })?;
    let next = match end {
        WalkEnd::Reached => None,
        WalkEnd::Enough => last,
        WalkEnd::BudgetSpent(place) => Some(place),
    };
    let (total, total_exact) = if counted { size_of(source, collection, listing)? } else { (0, false) };
    let next = next.map(|place: Vec<u8>| Cursor::of(&place, collection.name, Some(&listing.name())));
    let mut page =
        RecordPage { items: Vec::with_capacity(keys.len()), unreadable: Vec::new(), next, total, total_exact };
    for key in keys {
        match fetch(source, collection, &key) {
            Ok(record) => page.items.push(record),
            Err(error @ StoreError::Unreadable { .. }) => page.unreadable.push(error),
            Err(error) => return Err(error),
        }
    }
    Ok(page)
}

/// Returns the number of rows of the list, and true if it is exact.
fn size_of(
    source: &(impl RowSource + ?Sized),
    collection: &Collection,
    listing: &ListPage,
) -> Result<(u64, bool), StoreError> {
    if let Some(rows) = listing.kept_size() {
        return Ok((rows, true));
    }
    let all = ListPage { after: None, skip: 0, ..listing.clone() };
    if let [filter] = all.filters.as_slice() {
        // No record is in two of the groups, so each group is counted by itself.
        let ruler = all.ruler(source, collection, filter)?;
        return all.rows(collection, &ruler)?.count(source, MAX_COUNTED);
    }
    let mut counted = 0;
    let end = walk(source, collection, &all, 256, |_, _| {
        if counted == MAX_COUNTED {
            return ControlFlow::Break(());
        }
        counted += 1;
        ControlFlow::Continue(())
    })?;
    Ok((counted, matches!(end, WalkEnd::Reached)))
}
