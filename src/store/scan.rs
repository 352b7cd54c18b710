//! Walking through a list: the groups of one filter are merged, and several filters are intersected, each
//! skipping ahead over rows that another does not have.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::ops::{Bound, ControlFlow};

use super::error::StoreError;
use super::listing::{IndexFilter, ListPlan};
use super::query::Span;
use super::record::Collection;
use super::view::{RowSource, primary};

/// Maximum number of index rows read for one page. A page that needs more is short, and its cursor continues
/// from there.
const MAX_ROWS_READ: usize = 100_000;
/// Maximum number of index rows read for one page of several filters; seeking to their rows costs more.
pub(super) const MAX_ROWS_READ_MERGED: usize = 10_000;
/// Bounds of the number of rows of one group that are read at once: the minimum at the start, the maximum later.
pub(super) const MIN_SLICE: usize = 8;
pub(super) const MAX_SLICE: usize = 1_024;

/// A row of an index without its group: the sort part and, from `key_at` on, the record's key.
struct IndexRow {
    place: Vec<u8>,
    key_at: usize,
}

impl IndexRow {
    /// Makes a row from a stored one; `at` is its value.
    fn new(row: &[u8], at: &[u8], indexed: bool, group: &[u8]) -> Self {
        let place = row.get(group.len()..).unwrap_or_default().to_vec();
        let key = if indexed { primary(row, at) } else { &place };
        Self { key_at: place.len().saturating_sub(key.len()), place }
    }

    fn key(&self) -> &[u8] {
        self.place.get(self.key_at..).unwrap_or_default()
    }
}

/// One group of one filter, read in slices.
struct GroupCursor<'a> {
    table: &'a str,
    indexed: bool,
    group: &'a [u8],
    rows: VecDeque<IndexRow>,
    /// Number of rows to read at once.
    slice: usize,
    /// Place at which the last slice ended.
    read_to: Option<Vec<u8>>,
    ended: bool,
}

/// Bounds and order that the groups share, and the remaining budget of rows.
struct Bounds {
    from: Bound<Vec<u8>>,
    to: Bound<Vec<u8>>,
    descending: bool,
    left_to_look_at: usize,
}

impl Bounds {
    /// Returns the range of a group within the bounds.
    fn span(&self, group: &[u8]) -> Span {
        Span::within(group, self.from.as_ref().map(Vec::as_slice), self.to.as_ref().map(Vec::as_slice))
    }

    fn order(&self, left: &[u8], right: &[u8]) -> Ordering {
        if self.descending { right.cmp(left) } else { left.cmp(right) }
    }
}

impl GroupCursor<'_> {
    /// Moves on to the first row at or after `place`, in the order of the walk.
    fn seek(
        &mut self,
        source: &(impl RowSource + ?Sized),
        way: &mut Bounds,
        place: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        if let Some(place) = place {
            if self.rows.back().is_some_and(|row| way.order(&row.place, place).is_lt()) {
                // The rows read ahead are useless, and the next ones are probably far apart, too.
                self.rows.clear();
                self.slice = MIN_SLICE;
            }
            while self.rows.front().is_some_and(|row| way.order(&row.place, place).is_lt()) {
                self.rows.pop_front();
            }
        }
        if self.rows.is_empty() && !self.ended {
            self.read_on(source, way, place)?;
        }
        Ok(())
    }

    /// Reads the next slice, starting at `place` if that is further than the group has come.
    fn read_on(
        &mut self,
        source: &(impl RowSource + ?Sized),
        way: &mut Bounds,
        place: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        let group = self.group;
        let whole = |place: &[u8]| [group, place].concat();
        let mut span = way.span(group);
        let edge = if way.descending { &mut span.end } else { &mut span.start };
        match (place, &self.read_to) {
            (Some(place), Some(read_to)) if way.order(place, read_to).is_gt() => *edge = Bound::Included(whole(place)),
            (_, Some(read_to)) => *edge = Bound::Excluded(whole(read_to)),
            (Some(place), None) => *edge = Bound::Included(whole(place)),
            (None, None) => {}
        }
        let (indexed, slice) = (self.indexed, self.slice.min(way.left_to_look_at).max(1));
        // A group that is read again probably needs many rows.
        self.slice = self.slice.saturating_mul(4).min(MAX_SLICE);
        let rows = &mut self.rows;
        let mut more = false;
        source.scan(self.table, &span, way.descending, &mut |row, at| {
            more = rows.len() >= slice;
            if more {
                return ControlFlow::Break(());
            }
            rows.push_back(IndexRow::new(row, at, indexed, group));
            ControlFlow::Continue(())
        })?;
        self.ended = !more;
        self.read_to = self.rows.back().map(|row| row.place.clone());
        way.left_to_look_at = way.left_to_look_at.saturating_sub(self.rows.len());
        Ok(())
    }
}

/// The groups of one filter.
struct FilterCursor<'a>(Vec<GroupCursor<'a>>);

impl FilterCursor<'_> {
    /// Returns the nearest place of any group at or after `place`.
    fn seek(
        &mut self,
        source: &(impl RowSource + ?Sized),
        way: &mut Bounds,
        place: Option<&[u8]>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        for cursor in &mut self.0 {
            cursor.seek(source, way, place)?;
        }
        let fronts = self.0.iter().filter_map(|cursor| cursor.rows.front()).map(|row| row.place.as_slice());
        Ok(fronts.min_by(|left, right| way.order(left, right)).map(<[u8]>::to_vec))
    }

    /// Removes and returns the row at `place`.
    fn take(&mut self, place: &[u8]) -> Option<IndexRow> {
        let here = |cursor: &&mut GroupCursor<'_>| cursor.rows.front().is_some_and(|row| row.place == place);
        self.0.iter_mut().filter(here).filter_map(|cursor| cursor.rows.pop_front()).last()
    }
}

/// The reason for the end of a walk.
pub(super) enum WalkEnd {
    /// End of the list.
    Reached,
    /// Stop by the visitor.
    Enough,
    /// Exhausted budget of rows: the walk has seen everything up to this place, and nothing after it.
    BudgetSpent(Vec<u8>),
}

/// Passes place and key of the list's records, in order, to `visit` until it stops.
pub(super) fn walk(
    source: &(impl RowSource + ?Sized),
    collection: &Collection,
    plan: &ListPlan,
    slice: usize,
    mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
) -> Result<WalkEnd, StoreError> {
    if let [filter] = plan.filters.as_slice() {
        return match filter.groups.as_slice() {
            [group] => scan_one_group(source, collection, plan, (filter, group), visit),
            _ => scan_merged(source, collection, plan, group_cursors(collection, filter, slice)?, visit),
        };
    }
    // The filter with the fewest rows leads: the others only look at places that it has.
    let mut filters: Vec<&IndexFilter> = plan.filters.iter().collect();
    filters.sort_by_key(|filter| filter.rows.unwrap_or(u64::MAX));
    let legs = filters.into_iter().map(|filter| group_cursors(collection, filter, slice).map(FilterCursor));
    let mut legs = legs.collect::<Result<Vec<_>, _>>()?;
    let mut way = bounds(collection, plan)?;
    way.left_to_look_at = MAX_ROWS_READ_MERGED;
    let mut passed = None;
    loop {
        // Move all cursors to the first place that each of them has.
        let mut place: Option<Vec<u8>> = None;
        let mut agreed = 0;
        while agreed < legs.len() {
            let Some(leg) = legs.get_mut(agreed) else { break };
            let Some(found) = leg.seek(source, &mut way, place.as_deref())? else { return Ok(WalkEnd::Reached) };
            if place.as_ref() == Some(&found) {
                agreed += 1;
            } else {
                // Further on: the others have to move here as well, and there are no matches in between.
                agreed = usize::from(agreed == 0);
                passed = place.replace(found).or(passed);
            }
            if way.left_to_look_at == 0 {
                return Ok(passed.map_or(WalkEnd::Reached, WalkEnd::BudgetSpent));
            }
        }
        let Some(here) = place else { return Ok(WalkEnd::Reached) };
        let row = legs.iter_mut().filter_map(|leg| leg.take(&here)).last();
        if row.is_some_and(|row| visit(&here, row.key()).is_break()) {
            return Ok(WalkEnd::Enough);
        }
        passed = Some(here);
    }
}

/// Returns the groups of a filter, at their start.
fn group_cursors<'a>(
    collection: &'a Collection,
    filter: &'a IndexFilter,
    slice: usize,
) -> Result<Vec<GroupCursor<'a>>, StoreError> {
    let (table, indexed) = filter.table(collection)?;
    // With many groups, each has only a part of the rows.
    let slice = slice.div_euclid(filter.groups.len().max(1)).max(MIN_SLICE);
    let cursor =
        |group| GroupCursor { table, indexed, group, rows: VecDeque::new(), slice, read_to: None, ended: false };
    Ok(filter.groups.iter().map(|group| cursor(group.as_slice())).collect())
}

/// Walks through several groups of one filter; each row is in only one of them.
fn scan_merged(
    source: &(impl RowSource + ?Sized),
    collection: &Collection,
    plan: &ListPlan,
    mut cursors: Vec<GroupCursor<'_>>,
    mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
) -> Result<WalkEnd, StoreError> {
    let mut way = bounds(collection, plan)?;
    let mut passed = None;
    loop {
        for cursor in &mut cursors {
            cursor.seek(source, &mut way, None)?;
        }
        if way.left_to_look_at == 0 {
            return Ok(passed.map_or(WalkEnd::Reached, WalkEnd::BudgetSpent));
        }
        cursors.retain(|cursor| !cursor.rows.is_empty());
        cursors.sort_by(|left, right| match (left.rows.front(), right.rows.front()) {
            (Some(left), Some(right)) => way.order(&left.place, &right.place),
            (left, right) => left.is_some().cmp(&right.is_some()),
        });
        let Some((nearest, others)) = cursors.split_first_mut() else { return Ok(WalkEnd::Reached) };
        let until = others.first().and_then(|cursor| cursor.rows.front()).map(|row| row.place.as_slice());
        while let Some(row) =
            nearest.rows.pop_front_if(|row| until.is_none_or(|until| way.order(&row.place, until).is_le()))
        {
            if visit(&row.place, row.key()).is_break() {
                return Ok(WalkEnd::Enough);
            }
            passed = Some(row.place);
        }
    }
}

/// Walks through one group of one filter; without merging, no row is copied.
fn scan_one_group(
    source: &(impl RowSource + ?Sized),
    collection: &Collection,
    plan: &ListPlan,
    (filter, group): (&IndexFilter, &[u8]),
    mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
) -> Result<WalkEnd, StoreError> {
    let (table, indexed) = filter.table(collection)?;
    let mut way = bounds(collection, plan)?;
    let mut end = WalkEnd::Reached;
    source.scan(table, &way.span(group), way.descending, &mut |row, at| {
        let place = row.get(group.len()..).unwrap_or_default();
        let stop = visit(place, if indexed { primary(row, at) } else { row });
        way.left_to_look_at = way.left_to_look_at.saturating_sub(1);
        end = match (stop, way.left_to_look_at) {
            (ControlFlow::Break(()), _) => WalkEnd::Enough,
            (ControlFlow::Continue(()), 0) => WalkEnd::BudgetSpent(place.to_vec()),
            (ControlFlow::Continue(()), _) => return ControlFlow::Continue(()),
        };
        ControlFlow::Break(())
    })?;
    Ok(end)
}

fn bounds(collection: &Collection, plan: &ListPlan) -> Result<Bounds, StoreError> {
    let mut way = Bounds {
        from: plan.from.clone().map_or(Bound::Unbounded, Bound::Included),
        to: plan.to.clone().map_or(Bound::Unbounded, Bound::Excluded),
        descending: plan.descending,
        left_to_look_at: MAX_ROWS_READ,
    };
    if let Some(cursor) = &plan.after {
        let place = cursor.key(collection.name, &plan.name).ok_or(StoreError::BadCursor)?;
        let edge = if plan.descending { &mut way.to } else { &mut way.from };
        let nearer = match edge {
            Bound::Unbounded => true,
            Bound::Included(bound) | Bound::Excluded(bound) if plan.descending => place < *bound,
            Bound::Included(bound) | Bound::Excluded(bound) => place >= *bound,
        };
        if nearer {
            *edge = Bound::Excluded(place);
        }
    }
    Ok(way)
}
