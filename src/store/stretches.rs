//! Number of entries of a group in each stretch of time. Reaching page five hundred, or counting the rows of a
//! year, skips whole stretches and reads single rows only at the ends.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::error::StoreError;
use super::key::{Key, Ordered};
use super::query::Span;
use super::record::{Declared, IndexEntry};
use super::view::{COUNTS, RowSource, number};

/// Returns the stretch, of so many seconds, that contains a row whose place begins with an instant.
fn stretch_of(place: &[u8], seconds: u64) -> u64 {
    let mut instant = [0; 8];
    instant.iter_mut().zip(place).for_each(|(to, from)| *to = *from);
    u64::from_be_bytes(instant).checked_div(seconds).unwrap_or_default()
}

/// Returns the lower bound of the places in a stretch.
fn start_of(stretch: u64, seconds: u64) -> Vec<u8> {
    stretch.saturating_mul(seconds).encoded()
}

/// Returns the keys of the maintained counts that include an entry: that of its group, and that of its stretch.
pub(super) fn counted_in(index: &Declared, entry: &IndexEntry, key: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let group = || [index.counts.as_slice(), &entry.group].concat();
    let place = if entry.sort.is_empty() { key } else { &entry.sort };
    let stretch = |seconds| [index.stretches.as_slice(), &entry.group, &stretch_of(place, seconds).encoded()].concat();
    index.is_counted().then(group).into_iter().chain(index.stretch().map(stretch))
}

/// The rows of a list in a form that can be counted: those of one table in any of these groups, between two
/// places.
pub(super) struct CountedRows<'a> {
    pub(super) table: &'a str,
    /// Index that the table belongs to; it may maintain counts of stretches.
    pub(super) index: Option<&'a Declared>,
    pub(super) groups: &'a [Vec<u8>],
    pub(super) from: Option<&'a [u8]>,
    pub(super) to: Option<&'a [u8]>,
}

impl CountedRows<'_> {
    /// Counts the rows and returns true with an exact number. A count that takes more than `most` look-ups is
    /// cut off.
    pub(super) fn count(&self, source: &(impl RowSource + ?Sized), most: u64) -> Result<(u64, bool), StoreError> {
        let whole = self.whole_stretches();
        let mut sum: u64 = 0;
        let mut left = most.saturating_add(1);
        for group in self.groups {
            let Some((index, seconds, first, end)) = whole else {
                sum = sum.saturating_add(self.looked_at(source, group, (self.from, self.to), &mut left)?);
                continue;
            };
            if self.from.is_some() {
                let before = start_of(first, seconds);
                sum = sum.saturating_add(self.looked_at(source, group, (self.from, Some(&before)), &mut left)?);
            }
            stretches(source, index, group, (first, end), false, |_, rows| {
                left = left.saturating_sub(1);
                sum = sum.saturating_add(if left > 0 { rows } else { 0 });
                if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
            if self.to.is_some() {
                let behind = start_of(end, seconds);
                sum = sum.saturating_add(self.looked_at(source, group, (Some(&behind), self.to), &mut left)?);
            }
        }
        Ok((sum, left > 0))
    }

    /// Returns a place before the row that comes after `skip` others, and how many of those are after that
    /// place; `None` if nothing is gained.
    pub(super) fn leap(
        &self,
        source: &(impl RowSource + ?Sized),
        descending: bool,
        mut skip: u64,
    ) -> Result<Option<(Vec<u8>, u64)>, StoreError> {
        let Some((index, seconds, mut first, mut end)) = self.whole_stretches() else { return Ok(None) };
        // The rows between the near bound and the first whole stretch.
        let (whole_from, whole_to) = (start_of(first, seconds), start_of(end, seconds));
        let near = match (descending, self.from, self.to) {
            (true, _, Some(to)) => Some((whole_to.as_slice(), to)),
            (false, Some(from), _) => Some((from, whole_from.as_slice())),
            (true, _, None) | (false, None, _) => None,
        };
        if let Some((from, to)) = near {
            let mut left = skip.saturating_add(1);
            for group in self.groups {
                self.looked_at(source, group, (Some(from), Some(to)), &mut left)?;
            }
            if left == 0 {
                return Ok(None);
            }
            skip = left.saturating_sub(1);
        }
        // Largest group first: once it has enough rows, the other groups only matter up to there.
        let size = |group: &Vec<u8>| number(source, COUNTS, &[index.counts.as_slice(), group].concat());
        let mut groups =
            self.groups.iter().map(|group| Ok((size(group)?, group))).collect::<Result<Vec<_>, StoreError>>()?;
        groups.sort_unstable_by(|left, right| right.cmp(left));
        let mut kept: BTreeMap<u64, u64> = BTreeMap::new();
        for (_, group) in groups {
            let mut own: u64 = 0;
            let mut enough = None;
            stretches(source, index, group, (first, end), descending, |stretch, rows| {
                let sum = kept.entry(stretch).or_default();
                *sum = sum.saturating_add(rows);
                own = own.saturating_add(rows);
                enough = (own > skip).then_some(stretch);
                if enough.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            match enough {
                Some(stretch) if descending => first = stretch,
                Some(stretch) => end = stretch.saturating_add(1),
                None => {}
            }
        }
        let passes = |(_, rows): &(u64, u64)| match skip.checked_sub(*rows) {
            Some(less) => {
                skip = less;
                false
            }
            None => true,
        };
        let stretch = if descending { kept.into_iter().rev().find(passes) } else { kept.into_iter().find(passes) };
        let place = match (stretch, descending) {
            (Some((stretch, _)), true) => stretch.saturating_add(1),
            (Some((stretch, _)), false) => stretch,
            (None, true) => first,
            (None, false) => end,
        };
        Ok(Some((start_of(place, seconds), skip)))
    }

    /// Counts the rows of a group between two places; `left` is the number of look-ups that remain.
    fn looked_at(
        &self,
        source: &(impl RowSource + ?Sized),
        group: &[u8],
        (from, to): (Option<&[u8]>, Option<&[u8]>),
        left: &mut u64,
    ) -> Result<u64, StoreError> {
        let mut rows = 0;
        if *left > 0 {
            source.scan(self.table, &Span::between(group, from, to), false, &mut |_, _| {
                *left -= 1;
                rows += u64::from(*left > 0);
                if *left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
        }
        Ok(rows)
    }

    /// Returns the index that counts stretches, their length in seconds, the first stretch entirely within the
    /// bounds, and the one after the last; `None` if there are none.
    fn whole_stretches(&self) -> Option<(&Declared, u64, u64, u64)> {
        let index = self.index?;
        let seconds = index.stretch()?;
        let first = self.from.map_or(0, |from| stretch_of(from, seconds).saturating_add(1));
        let end = self.to.map_or(u64::MAX, |to| stretch_of(to, seconds));
        (first < end).then_some((index, seconds, first, end))
    }
}

/// Visits the maintained counts of a group's stretches, in order.
fn stretches(
    source: &(impl RowSource + ?Sized),
    index: &Declared,
    group: &[u8],
    (first, end): (u64, u64),
    descending: bool,
    mut visit: impl FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let prefix = [index.stretches.as_slice(), group].concat();
    let span = Span::between(&prefix, Some(&first.encoded()), Some(&end.encoded()));
    source.scan(COUNTS, &span, descending, &mut |key, rows| {
        let stretch = key.get(prefix.len()..).and_then(u64::decoded);
        match stretch.zip(u64::decoded(rows)) {
            Some((stretch, rows)) => visit(stretch, rows),
            None => ControlFlow::Continue(()),
        }
    })
}
