//! How many entries of a group lie in each stretch of time. Whoever wants page five hundred, or to know
//! how much a year has, passes over whole stretches, and looks at single rows at the ends alone.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use super::error::StoreError;
use super::key::{Key, Ordered};
use super::query::Span;
use super::record::Declared;
use super::view::{COUNTS, Source};

/// A stretch is 4,096 seconds long: of a million entries in three years each has some forty, of five
/// million lines of a log in a year some six hundred.
const SECONDS: u64 = 4_096;

/// The stretch of a row that begins with an instant.
fn stretch_of(place: &[u8]) -> u64 {
    let mut seconds = [0; 8];
    seconds.iter_mut().zip(place).for_each(|(to, from)| *to = *from);
    u64::from_be_bytes(seconds).div_euclid(SECONDS)
}

/// What the rows of a stretch do not come before.
fn start_of(stretch: u64) -> Vec<u8> {
    stretch.saturating_mul(SECONDS).encoded()
}

/// The key of the kept number of the stretch in which an entry lies.
pub(super) fn kept_at(index: &Declared, group: &[u8], sort: &[u8], key: &[u8]) -> Vec<u8> {
    let place = if sort.is_empty() { key } else { sort };
    [index.stretches.as_slice(), group, &stretch_of(place).encoded()].concat()
}

/// The rows of a list, as they can be counted: those of one table in any of these groups, between two
/// places.
pub(super) struct Rows<'a> {
    pub(super) table: &'a str,
    /// The index that keeps how many are in a stretch, where one does.
    pub(super) numbered: Option<&'a Declared>,
    pub(super) groups: &'a [Vec<u8>],
    pub(super) from: Option<&'a [u8]>,
    pub(super) to: Option<&'a [u8]>,
}

impl Rows<'_> {
    /// How many there are, and whether that is exact: where it takes more than `most` looks, there are more.
    pub(super) fn count(&self, source: &(impl Source + ?Sized), most: u64) -> Result<(u64, bool), StoreError> {
        let mut sum: u64 = 0;
        let mut left = most.saturating_add(1);
        for group in self.groups {
            let Some((index, (first, end))) = self.numbered.zip(self.whole_stretches()) else {
                sum = sum.saturating_add(single(source, self.table, &between(group, self.from, self.to), &mut left)?);
                continue;
            };
            if self.from.is_some() {
                let span = between(group, self.from, Some(&start_of(first)));
                sum = sum.saturating_add(single(source, self.table, &span, &mut left)?);
            }
            stretches(source, index, group, (first, end), false, |_, rows| {
                left = left.saturating_sub(1);
                sum = sum.saturating_add(if left > 0 { rows } else { 0 });
                if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
            if self.to.is_some() {
                let span = between(group, Some(&start_of(end)), self.to);
                sum = sum.saturating_add(single(source, self.table, &span, &mut left)?);
            }
        }
        Ok((sum, left > 0))
    }

    /// A place before the row that comes after `skip` others, and how many of those lie behind that place;
    /// `None` where nothing is gained.
    pub(super) fn leap(
        &self,
        source: &(impl Source + ?Sized),
        descending: bool,
        mut skip: u64,
    ) -> Result<Option<(Vec<u8>, u64)>, StoreError> {
        let Some((index, (first, end))) = self.numbered.zip(self.whole_stretches()) else { return Ok(None) };
        // What lies between the near bound and the first whole stretch.
        let near = match (descending, self.from, self.to) {
            (true, _, Some(to)) => Some((Some(start_of(end)), Some(to.to_vec()))),
            (false, Some(from), _) => Some((Some(from.to_vec()), Some(start_of(first)))),
            (true, _, None) | (false, None, _) => None,
        };
        if let Some((from, to)) = near {
            let mut left = skip.saturating_add(1);
            for group in self.groups {
                single(source, self.table, &between(group, from.as_deref(), to.as_deref()), &mut left)?;
            }
            if left == 0 {
                return Ok(None);
            }
            skip = left.saturating_sub(1);
        }
        let mut kept: BTreeMap<u64, u64> = BTreeMap::new();
        for group in self.groups {
            // Of this group alone so many are enough.
            let mut own: u64 = 0;
            stretches(source, index, group, (first, end), descending, |stretch, rows| {
                let sum = kept.entry(stretch).or_default();
                *sum = sum.saturating_add(rows);
                own = own.saturating_add(rows);
                if own > skip { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
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
        Ok(Some((start_of(place), skip)))
    }

    /// The first stretch that lies whole between the bounds, and the one behind the last; `None` where there
    /// is none.
    fn whole_stretches(&self) -> Option<(u64, u64)> {
        let first = self.from.map_or(0, |from| stretch_of(from).saturating_add(1));
        let end = self.to.map_or(u64::MAX, stretch_of);
        (first < end).then_some((first, end))
    }
}

/// How many rows are in a span; `left` is how many may still be looked at.
fn single(source: &(impl Source + ?Sized), table: &str, span: &Span, left: &mut u64) -> Result<u64, StoreError> {
    let mut rows = 0;
    if *left > 0 {
        source.scan(table, span, false, &mut |_, _| {
            *left -= 1;
            rows += u64::from(*left > 0);
            if *left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
    }
    Ok(rows)
}

/// The kept numbers of a group's stretches, in order.
fn stretches(
    source: &(impl Source + ?Sized),
    index: &Declared,
    group: &[u8],
    (first, end): (u64, u64),
    descending: bool,
    mut visit: impl FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let prefix = [index.stretches.as_slice(), group].concat();
    let span = between(&prefix, Some(&first.encoded()), Some(&end.encoded()));
    source.scan(COUNTS, &span, descending, &mut |key, rows| {
        let stretch = key.get(prefix.len()..).and_then(u64::decoded);
        match stretch.zip(u64::decoded(rows)) {
            Some((stretch, rows)) => visit(stretch, rows),
            None => ControlFlow::Continue(()),
        }
    })
}

/// What of a group lies between two places.
fn between(group: &[u8], from: Option<&[u8]>, to: Option<&[u8]>) -> Span {
    let mut span = Span::of_prefix(group);
    if let Some(from) = from {
        span.start = Bound::Included([group, from].concat());
    }
    if let Some(to) = to {
        span.end = Bound::Excluded([group, to].concat());
    }
    span
}
