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

/// A [`Query`](super::Query) without its types.
#[derive(Debug, Clone)]
pub(super) struct ListPlan {
    /// Filters as requested; they mark the cursors of the list.
    pub(super) name: Vec<u8>,
    pub(super) filters: Vec<IndexFilter>,
    pub(super) from: Option<Vec<u8>>,
    pub(super) to: Option<Vec<u8>>,
    pub(super) descending: bool,
    pub(super) limit: usize,
    pub(super) skip: usize,
    pub(super) after: Option<Cursor>,
    pub(super) numbered_by: Option<&'static str>,
}

/// Records that an index has in any of these groups; without an index, every record.
#[derive(Debug, Clone)]
pub(super) struct IndexFilter {
    pub(super) index: Option<&'static str>,
    /// Groups as requested; after [`IndexFilter::found`], complete groups.
    pub(super) groups: Vec<Vec<u8>>,
    /// True if the groups as requested are complete.
    pub(super) whole: bool,
    /// Bytes that the groups end with.
    pub(super) end: Vec<u8>,
    /// Number of rows, if the index is counted and the number was looked up.
    pub(super) rows: Option<u64>,
}

/// Default number of rows of a page.
const LIMIT: usize = 50;

impl ListPlan {
    /// Makes the plan for every record.
    pub(super) fn all() -> Self {
        Self {
            name: Vec::new(),
            filters: vec![IndexFilter {
                index: None,
                groups: vec![Vec::new()],
                whole: true,
                end: Vec::new(),
                rows: None,
            }],
            from: None,
            to: None,
            descending: false,
            limit: LIMIT,
            skip: 0,
            after: None,
            numbered_by: None,
        }
    }

    /// Adds a filter.
    pub(super) fn add(&mut self, filter: IndexFilter) {
        // The filter of every record does not restrict the list.
        self.filters.retain(|filter| filter.index.is_some());
        filter.index.encode(&mut self.name);
        self.name.extend(filter.groups.iter().flatten());
        self.filters.push(filter);
    }

    /// Restricts the last filter to groups that end with this text.
    pub(super) fn end_groups_with(&mut self, text: &str) {
        if let Some(filter) = self.filters.last_mut() {
            filter.end = text.encoded();
            self.name.extend(&filter.end);
        }
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
            (None, Some(index)) => {
                let (groups, end) = (vec![Vec::new()], Vec::new());
                let every = IndexFilter { index: Some(index), groups, whole: false, end, rows: None };
                every.found(source, collection).map(Cow::Owned)
            }
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
    /// Returns the filter with the groups that exist according to the maintained counts.
    fn found(&self, source: &(impl RowSource + ?Sized), collection: &Collection) -> Result<Self, StoreError> {
        let Some(name) = self.index else {
            let rows = number(source, COUNTS, &count_prefix(collection.name, ""))?;
            return Ok(Self { rows: Some(rows), ..self.clone() });
        };
        let index = whole(source, collection, name)?;
        if !index.is_counted() {
            let defect =
                || StoreError::Defect(format!("the index {name} of {} has no groups to complete", collection.name));
            return (self.whole && self.end.is_empty()).then(|| self.clone()).ok_or_else(defect);
        }
        if let ([group], true) = (self.groups.as_slice(), self.whole && self.end.is_empty()) {
            // Its rows are read whatever the count says: the jobs find their work in this way.
            let rows = number(source, COUNTS, &[index.counts.as_slice(), group].concat())?;
            return Ok(Self { rows: Some(rows), ..self.clone() });
        }
        let mut found = BTreeMap::new();
        for asked in &self.groups {
            let counts = Span::of_prefix(&[index.counts.as_slice(), asked].concat());
            source.scan(COUNTS, &counts, false, &mut |key, count| {
                let group = key.get(index.counts.len()..).unwrap_or_default();
                if group.ends_with(&self.end) {
                    found.insert(group.to_vec(), u64::decoded(count).unwrap_or_default());
                }
                ControlFlow::Continue(())
            })?;
        }
        let rows = found.values().fold(0, |rows: u64, count| rows.saturating_add(*count));
        Ok(Self { groups: found.into_keys().collect(), rows: Some(rows), ..self.clone() })
    }

    /// Returns the table that the filter goes through, and true if it is an index.
    pub(super) fn table<'a>(&self, collection: &'a Collection) -> Result<(&'a str, bool), StoreError> {
        match self.index {
            None => Ok((&collection.table, false)),
            Some(index) => Ok((&collection.index(index)?.table, true)),
        }
    }
}

/// The keys of the records of one page, and the start of the next page.
pub(super) type PageKeys = (Vec<Vec<u8>>, Option<Cursor>);

/// Reads a page of a list.
pub(super) fn page<R: Record>(
    source: &(impl RowSource + ?Sized),
    collection: &Collection,
    plan: &ListPlan,
    counted: bool,
) -> Result<RecordPage<R>, StoreError> {
    let plan = &plan.found(source, collection)?;
    let (keys, next) = keys_of_page(source, collection, plan)?;
    let (total, total_exact) = if counted { size_of(source, collection, plan)? } else { (0, false) };
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

/// Reads the keys of a page of a list.
pub(super) fn keys(
    source: &(impl RowSource + ?Sized),
    collection: &Collection,
    plan: &ListPlan,
) -> Result<PageKeys, StoreError> {
    keys_of_page(source, collection, &plan.found(source, collection)?)
}

fn keys_of_page(
    source: &(impl RowSource + ?Sized),
    collection: &Collection,
    plan: &ListPlan,
) -> Result<PageKeys, StoreError> {
    let nearer = plan.nearer(source, collection)?;
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
    Ok((keys, next.map(|place: Vec<u8>| Cursor::of(&place, collection.name, &plan.name))))
}

/// Returns the number of rows of the list, and true if it is exact.
fn size_of(
    source: &(impl RowSource + ?Sized),
    collection: &Collection,
    plan: &ListPlan,
) -> Result<(u64, bool), StoreError> {
    if let Some(rows) = plan.kept_size() {
        return Ok((rows, true));
    }
    let all = ListPlan { after: None, skip: 0, ..plan.clone() };
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
