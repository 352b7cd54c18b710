//! Lists by several filters at once: any of these groups of one index, and any of those of another,
//! in the one order that the indexes share.
//!
//! The groups of one filter are merged, and the filters are walked together like the legs of a
//! compass: each jumps over what another does not have. Nothing but the rows of the page is read
//! from the records.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::ops::{Bound, ControlFlow};

use super::error::StoreError;
use super::key::{Ordered, after_prefix};
use super::query::{Cursor, Span};
use super::record::{Collection, Record, count_prefix};
use super::view::{COUNTED_AT_MOST, COUNTS, Page, Source, fetch, number, primary};

/// Which rows, in what order, how many at once. All its indexes sort by the same value.
#[derive(Debug, Clone)]
pub struct Listing {
    filters: Vec<Filter>,
    from: Option<Vec<u8>>,
    to: Option<Vec<u8>>,
    descending: bool,
    limit: usize,
    skip: usize,
    after: Option<Cursor>,
}

/// Records that an index has in any of these groups; without an index, every record.
#[derive(Debug, Clone)]
struct Filter {
    index: Option<&'static str>,
    groups: Vec<Vec<u8>>,
}

/// How many rows a list has where nothing says otherwise.
const LIMIT: usize = 50;
/// How many rows of indexes are looked at for one page, at most. A page that needed more is short,
/// and its cursor goes on from there.
const LOOKED_AT_MOST: usize = 100_000;

impl Listing {
    /// Every record, by key.
    pub fn all() -> Self {
        Self {
            filters: vec![Filter { index: None, groups: vec![Vec::new()] }],
            from: None,
            to: None,
            descending: false,
            limit: LIMIT,
            skip: 0,
            after: None,
        }
    }

    /// The records that `index` has in any of `groups`. No record may be in two of them.
    pub fn any_of<G: Ordered>(index: &'static str, groups: impl IntoIterator<Item = G>) -> Self {
        Self { filters: vec![Filter::new(index, groups)], ..Self::all() }
    }

    /// Only those that this index has in any of these groups as well.
    #[must_use]
    pub fn and<G: Ordered>(mut self, index: &'static str, groups: impl IntoIterator<Item = G>) -> Self {
        // Every record is in there: it says nothing beside another filter.
        self.filters.retain(|filter| filter.index.is_some());
        self.filters.push(Filter::new(index, groups));
        self
    }

    /// Only those whose sort part is at least this.
    #[must_use]
    pub fn from(mut self, sort: impl Ordered) -> Self {
        self.from = Some(sort.encoded());
        self
    }

    /// Only those whose sort part is less than this.
    #[must_use]
    pub fn to(mut self, sort: impl Ordered) -> Self {
        self.to = Some(sort.encoded());
        self
    }

    /// The last first.
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.descending = true;
        self
    }

    /// At most this many rows; at least one.
    #[must_use]
    pub fn limit(mut self, rows: usize) -> Self {
        self.limit = rows.max(1);
        self
    }

    /// Passes over this many rows first. It costs what reading their index costs.
    #[must_use]
    pub fn skip(mut self, rows: usize) -> Self {
        self.skip = rows;
        self
    }

    /// The rows behind the page that gave this cursor.
    #[must_use]
    pub fn after(mut self, cursor: impl Into<Option<Cursor>>) -> Self {
        self.after = cursor.into();
        self
    }

    /// What a cursor of this list is marked with.
    fn name(&self) -> String {
        let names: Vec<&str> = self.filters.iter().map(|filter| filter.index.unwrap_or_default()).collect();
        names.join("+")
    }

    /// True where the list is the whole of its groups.
    fn is_whole(&self) -> bool {
        self.from.is_none() && self.to.is_none() && self.filters.len() == 1
    }
}

impl Filter {
    fn new<G: Ordered>(index: &'static str, groups: impl IntoIterator<Item = G>) -> Self {
        let mut groups: Vec<Vec<u8>> = groups.into_iter().map(|group| group.encoded()).collect();
        groups.sort_unstable();
        groups.dedup();
        Self { index: Some(index), groups }
    }
}

/// A row of an index without its group: the sort part and the key.
struct Row {
    place: Vec<u8>,
    key: Vec<u8>,
}

/// One group of one filter, read in slices.
struct Lane<'a> {
    table: &'a str,
    indexed: bool,
    group: &'a [u8],
    rows: VecDeque<Row>,
    /// Where the last slice ended.
    read_to: Option<Vec<u8>>,
    ended: bool,
}

/// What the lanes have in common.
struct Way {
    from: Bound<Vec<u8>>,
    to: Bound<Vec<u8>>,
    descending: bool,
    slice: usize,
    left_to_look_at: usize,
}

impl Way {
    fn order(&self, left: &[u8], right: &[u8]) -> Ordering {
        if self.descending { right.cmp(left) } else { left.cmp(right) }
    }
}

impl Lane<'_> {
    /// The first row at or behind `place`, in the order of the walk.
    fn seek(
        &mut self,
        source: &(impl Source + ?Sized),
        way: &mut Way,
        place: Option<&[u8]>,
    ) -> Result<Option<&[u8]>, StoreError> {
        if let Some(place) = place {
            while self.rows.front().is_some_and(|row| way.order(&row.place, place).is_lt()) {
                self.rows.pop_front();
            }
        }
        if self.rows.is_empty() && !self.ended {
            self.read_on(source, way, place)?;
        }
        Ok(self.rows.front().map(|row| row.place.as_slice()))
    }

    /// Reads the next slice, from `place` on where that is further than it has come.
    fn read_on(
        &mut self,
        source: &(impl Source + ?Sized),
        way: &mut Way,
        place: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        let group = self.group;
        let whole = |place: &[u8]| [group, place].concat();
        let mut start = match &way.from {
            Bound::Included(place) => Bound::Included(whole(place)),
            Bound::Excluded(place) => Bound::Excluded(whole(place)),
            Bound::Unbounded => Bound::Included(group.to_vec()),
        };
        let mut end = match &way.to {
            Bound::Included(place) => Bound::Included(whole(place)),
            Bound::Excluded(place) => Bound::Excluded(whole(place)),
            Bound::Unbounded => after_prefix(group).map_or(Bound::Unbounded, Bound::Excluded),
        };
        let edge = if way.descending { &mut end } else { &mut start };
        match (place, &self.read_to) {
            (Some(place), Some(read_to)) if way.order(place, read_to).is_gt() => *edge = Bound::Included(whole(place)),
            (_, Some(read_to)) => *edge = Bound::Excluded(whole(read_to)),
            (Some(place), None) => *edge = Bound::Included(whole(place)),
            (None, None) => {}
        }
        let (indexed, slice) = (self.indexed, way.slice.min(way.left_to_look_at).max(1));
        let rows = &mut self.rows;
        let mut more = false;
        source.scan(self.table, &Span { start, end }, way.descending, &mut |row, at| {
            more = rows.len() >= slice;
            if more {
                return ControlFlow::Break(());
            }
            let key = if indexed { primary(row, at) } else { row };
            rows.push_back(Row { place: row.get(group.len()..).unwrap_or_default().to_vec(), key: key.to_vec() });
            ControlFlow::Continue(())
        })?;
        self.ended = !more;
        self.read_to = self.rows.back().map(|row| row.place.clone());
        way.left_to_look_at = way.left_to_look_at.saturating_sub(self.rows.len());
        Ok(())
    }
}

/// The lanes of one filter.
struct Leg<'a>(Vec<Lane<'a>>);

impl Leg<'_> {
    /// The nearest row of any lane at or behind `place`.
    fn seek(
        &mut self,
        source: &(impl Source + ?Sized),
        way: &mut Way,
        place: Option<&[u8]>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let mut nearest: Option<Vec<u8>> = None;
        for lane in &mut self.0 {
            let Some(found) = lane.seek(source, way, place)?.map(<[u8]>::to_vec) else { continue };
            if nearest.as_deref().is_none_or(|nearest| way.order(&found, nearest).is_lt()) {
                nearest = Some(found);
            }
        }
        Ok(nearest)
    }

    /// Takes the row at `place` off and gives its record's key.
    fn take(&mut self, place: &[u8]) -> Option<Vec<u8>> {
        let here = |lane: &&mut Lane<'_>| lane.rows.front().is_some_and(|row| row.place == place);
        self.0.iter_mut().filter(here).filter_map(|lane| lane.rows.pop_front()).map(|row| row.key).last()
    }
}

/// How a walk came to its end.
enum End {
    /// There is nothing more.
    Reached,
    /// The visitor has seen enough.
    Enough,
    /// Too many rows were looked at: everything before this place, and nothing behind it.
    Tired(Vec<u8>),
}

/// Shows place and key of the list's records, in order, until `visit` stops.
fn walk(
    source: &(impl Source + ?Sized),
    collection: &Collection,
    listing: &Listing,
    slice: usize,
    mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
) -> Result<End, StoreError> {
    let mut legs = Vec::with_capacity(listing.filters.len());
    for filter in &listing.filters {
        let (table, indexed) = match filter.index {
            None => (collection.table.as_str(), false),
            Some(index) => (collection.index(index)?.table.as_str(), true),
        };
        let lanes = filter.groups.iter().map(|group| Lane {
            table,
            indexed,
            group,
            rows: VecDeque::new(),
            read_to: None,
            ended: false,
        });
        legs.push(Leg(lanes.collect()));
    }
    let mut way = way(collection, listing, slice)?;
    let mut passed = None;
    loop {
        // All legs come to the first place that each of them has.
        let mut place: Option<Vec<u8>> = None;
        let mut agreed = 0;
        while agreed < legs.len() {
            let Some(leg) = legs.get_mut(agreed) else { break };
            let Some(found) = leg.seek(source, &mut way, place.as_deref())? else { return Ok(End::Reached) };
            if place.as_ref() == Some(&found) {
                agreed += 1;
            } else {
                // Further on: the others have to come here as well, and nothing lies in between.
                agreed = usize::from(agreed == 0);
                passed = place.replace(found).or(passed);
            }
            if way.left_to_look_at == 0 {
                return Ok(passed.map_or(End::Reached, End::Tired));
            }
        }
        let Some(here) = place else { return Ok(End::Reached) };
        let key = legs.iter_mut().filter_map(|leg| leg.take(&here)).last();
        if key.is_some_and(|key| visit(&here, &key).is_break()) {
            return Ok(End::Enough);
        }
        passed = Some(here);
    }
}

fn way(collection: &Collection, listing: &Listing, slice: usize) -> Result<Way, StoreError> {
    let mut way = Way {
        from: listing.from.clone().map_or(Bound::Unbounded, Bound::Included),
        to: listing.to.clone().map_or(Bound::Unbounded, Bound::Excluded),
        descending: listing.descending,
        slice,
        left_to_look_at: LOOKED_AT_MOST,
    };
    if let Some(cursor) = &listing.after {
        let place = cursor.key(collection.name, Some(&listing.name())).ok_or(StoreError::BadCursor)?;
        let edge = if listing.descending { &mut way.to } else { &mut way.from };
        let nearer = match edge {
            Bound::Unbounded => true,
            Bound::Included(bound) | Bound::Excluded(bound) if listing.descending => place < *bound,
            Bound::Included(bound) | Bound::Excluded(bound) => place >= *bound,
        };
        if nearer {
            *edge = Bound::Excluded(place);
        }
    }
    Ok(way)
}

/// A page of a list.
pub(super) fn page<R: Record>(
    source: &(impl Source + ?Sized),
    collection: &Collection,
    listing: &Listing,
    counted: bool,
) -> Result<Page<R>, StoreError> {
    let mut keys: Vec<Vec<u8>> = Vec::new();
    let (mut skip, limit) = (listing.skip, listing.limit);
    let slice = limit.saturating_add(1).clamp(8, 1_024);
    let mut last = None;
    let end = walk(source, collection, listing, slice, |place, key| {
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
        End::Reached => None,
        End::Enough => last,
        End::Tired(place) => Some(place),
    };
    let (total, total_exact) = if counted { size_of(source, collection, listing)? } else { (0, false) };
    let next = next.map(|place: Vec<u8>| Cursor::of(&place, collection.name, Some(&listing.name())));
    let mut page = Page { items: Vec::with_capacity(keys.len()), unreadable: Vec::new(), next, total, total_exact };
    for key in keys {
        match fetch(source, collection, &key) {
            Ok(record) => page.items.push(record),
            Err(error @ StoreError::Unreadable { .. }) => page.unreadable.push(error),
            Err(error) => return Err(error),
        }
    }
    Ok(page)
}

/// How many rows the list has, and whether that is exact.
fn size_of(
    source: &(impl Source + ?Sized),
    collection: &Collection,
    listing: &Listing,
) -> Result<(u64, bool), StoreError> {
    if let ([filter], true) = (listing.filters.as_slice(), listing.is_whole()) {
        let counts = match filter.index {
            None => Some(count_prefix(collection.name, "")),
            Some(index) => {
                Some(collection.index(index)?).filter(|index| index.counted).map(|index| index.counts.clone())
            }
        };
        if let Some(counts) = counts {
            let mut total = 0_u64;
            for group in &filter.groups {
                total = total.saturating_add(number(source, COUNTS, &[counts.as_slice(), group].concat())?);
            }
            return Ok((total, true));
        }
    }
    let all = Listing { after: None, skip: 0, ..listing.clone() };
    let mut counted = 0;
    let end = walk(source, collection, &all, 256, |_, _| {
        if counted == COUNTED_AT_MOST {
            return ControlFlow::Break(());
        }
        counted += 1;
        ControlFlow::Continue(())
    })?;
    Ok((counted, matches!(end, End::Reached)))
}
