//! Number of entries of a group in each bucket of time. Reaching page five hundred, or counting the rows of a
//! year, skips whole buckets and reads single rows only at the ends.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::error::StoreError;
use super::key::{Key, Ordered};
use super::query::Span;
use super::record::{Declared, IndexEntry};
use super::view::{COUNTS, RowSource, number};

/// Returns the bucket, of so many seconds, that contains a row whose place begins with an instant.
fn bucket_of(place: &[u8], seconds: u64) -> u64 {
    let mut instant = [0; 8];
    instant.iter_mut().zip(place).for_each(|(to, from)| *to = *from);
    u64::from_be_bytes(instant).checked_div(seconds).unwrap_or_default()
}

/// Returns the lower bound of the places in a bucket.
fn start_of_bucket(bucket: u64, seconds: u64) -> Vec<u8> {
    bucket.saturating_mul(seconds).encoded()
}

/// Returns the keys of the maintained counts that include an entry: that of its group, and that of its bucket.
pub(super) fn count_keys(index: &Declared, entry: &IndexEntry, key: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let group = || [index.counts.as_slice(), &entry.group].concat();
    let place = if entry.sort.is_empty() { key } else { &entry.sort };
    let bucket = |seconds| [index.buckets.as_slice(), &entry.group, &bucket_of(place, seconds).encoded()].concat();
    index.is_counted().then(group).into_iter().chain(index.bucket().map(bucket))
}

/// The rows of a list in a form that can be counted: those of one table in any of these groups, between two places.
pub(super) struct CountedRows<'a> {
    pub(super) table: &'a str,
    /// Index that the table belongs to; it may maintain counts of buckets.
    pub(super) index: Option<&'a Declared>,
    pub(super) groups: &'a [Vec<u8>],
    pub(super) from: Option<&'a [u8]>,
    pub(super) to: Option<&'a [u8]>,
}

impl CountedRows<'_> {
    /// Counts the rows and returns true with an exact number. A count that takes more than `most` look-ups is cut off.
    pub(super) fn count(&self, source: &(impl RowSource + ?Sized), most: u64) -> Result<(u64, bool), StoreError> {
        let whole = self.whole_buckets();
        let mut sum: u64 = 0;
        let mut left = most.saturating_add(1);
        for group in self.groups {
            let Some((index, seconds, first, end)) = whole else {
                sum = sum.saturating_add(self.count_between(source, group, (self.from, self.to), &mut left)?);
                continue;
            };
            if self.from.is_some() {
                let before = start_of_bucket(first, seconds);
                sum = sum.saturating_add(self.count_between(source, group, (self.from, Some(&before)), &mut left)?);
            }
            visit_bucket_counts(source, index, group, (first, end), false, |_, rows| {
                left = left.saturating_sub(1);
                sum = sum.saturating_add(if left > 0 { rows } else { 0 });
                if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
            if self.to.is_some() {
                let behind = start_of_bucket(end, seconds);
                sum = sum.saturating_add(self.count_between(source, group, (Some(&behind), self.to), &mut left)?);
            }
        }
        Ok((sum, left > 0))
    }

    /// Returns a place before the row that comes after `skip` others, and how many of those are after that
    /// place; `None` if nothing is gained.
    pub(super) fn skip_to(
        &self,
        source: &(impl RowSource + ?Sized),
        descending: bool,
        mut skip: u64,
    ) -> Result<Option<(Vec<u8>, u64)>, StoreError> {
        let Some((index, seconds, mut first, mut end)) = self.whole_buckets() else { return Ok(None) };
        // The rows between the near bound and the first whole bucket.
        let (whole_from, whole_to) = (start_of_bucket(first, seconds), start_of_bucket(end, seconds));
        let near = match (descending, self.from, self.to) {
            (true, _, Some(to)) => Some((whole_to.as_slice(), to)),
            (false, Some(from), _) => Some((from, whole_from.as_slice())),
            (true, _, None) | (false, None, _) => None,
        };
        if let Some((from, to)) = near {
            let mut left = skip.saturating_add(1);
            for group in self.groups {
                self.count_between(source, group, (Some(from), Some(to)), &mut left)?;
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
            visit_bucket_counts(source, index, group, (first, end), descending, |bucket, rows| {
                let sum = kept.entry(bucket).or_default();
                *sum = sum.saturating_add(rows);
                own = own.saturating_add(rows);
                enough = (own > skip).then_some(bucket);
                if enough.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            match enough {
                Some(bucket) if descending => first = bucket,
                Some(bucket) => end = bucket.saturating_add(1),
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
        let bucket = if descending { kept.into_iter().rev().find(passes) } else { kept.into_iter().find(passes) };
        let place = match (bucket, descending) {
            (Some((bucket, _)), true) => bucket.saturating_add(1),
            (Some((bucket, _)), false) => bucket,
            (None, true) => first,
            (None, false) => end,
        };
        Ok(Some((start_of_bucket(place, seconds), skip)))
    }

    /// Counts the rows of a group between two places; `left` is the number of look-ups that remain.
    fn count_between(
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

    /// Returns the index that counts buckets, their length in seconds, the first bucket entirely within the
    /// bounds, and the one after the last; `None` if there are none.
    fn whole_buckets(&self) -> Option<(&Declared, u64, u64, u64)> {
        let index = self.index?;
        let seconds = index.bucket()?;
        let first = self.from.map_or(0, |from| bucket_of(from, seconds).saturating_add(1));
        let end = self.to.map_or(u64::MAX, |to| bucket_of(to, seconds));
        (first < end).then_some((index, seconds, first, end))
    }
}

/// Visits the maintained counts of a group's buckets, in order.
fn visit_bucket_counts(
    source: &(impl RowSource + ?Sized),
    index: &Declared,
    group: &[u8],
    (first, end): (u64, u64),
    descending: bool,
    mut visit: impl FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let prefix = [index.buckets.as_slice(), group].concat();
    let span = Span::between(&prefix, Some(&first.encoded()), Some(&end.encoded()));
    source.scan(COUNTS, &span, descending, &mut |key, rows| {
        let bucket = key.get(prefix.len()..).and_then(u64::decoded);
        match bucket.zip(u64::decoded(rows)) {
            Some((bucket, rows)) => visit(bucket, rows),
            None => ControlFlow::Continue(()),
        }
    })
}
