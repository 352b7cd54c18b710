//! Queries for a page of a list, and the cursors between pages.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use super::key::{Ordered, PrefixOf, after_prefix};
use super::listing::{IndexFilter, ListPlan};
use super::record::{Index, Record};
use crate::platform::hex::{hex, unhex};

/// Filters, order and size of a page of a list of `R`, whose order is that of `O`. All its indexes sort by the same
/// value.
pub struct Query<R, O = AnyOrder> {
    pub(super) plan: ListPlan,
    of: PhantomData<fn() -> (R, O)>,
}

/// The order of a query that is complete but for its page, so that lists with different orders are of one type.
#[derive(Debug)]
pub struct AnyOrder;

impl<R, O> Clone for Query<R, O> {
    fn clone(&self) -> Self {
        Self { plan: self.plan.clone(), of: PhantomData }
    }
}

impl<R: Record> Query<R, R::Key> {
    /// Makes a query for every record of the collection, by key.
    pub fn all() -> Self {
        Self { plan: ListPlan::all(), of: PhantomData }
    }

    /// Names the index that counts the rows of a list of every record; it must have each record once.
    #[must_use]
    pub fn numbered_by<G>(mut self, index: Index<R, G>) -> Self {
        self.plan.numbered_by = Some(index.options.name);
        self
    }
}

impl<R: Record, O> Query<R, O> {
    /// Makes a query for the records that `index` has in `group`, in the index's order.
    ///
    /// If the groups of a counted index consist of several values, the first values alone, as a tuple, stand for every
    /// group that begins with them.
    pub fn group<G, S>(index: Index<R, G, S>, group: impl Ordered<Kind: PrefixOf<G::Kind>>) -> Self
    where
        G: Ordered,
        S: Ordered<Kind = O>,
    {
        Self::any_of(index, [group])
    }

    /// Makes a query like [`group`](Self::group) for any of `groups`. No record may be in two of them.
    pub fn any_of<G, S, P>(index: Index<R, G, S>, groups: impl IntoIterator<Item = P>) -> Self
    where
        G: Ordered,
        S: Ordered<Kind = O>,
        P: Ordered<Kind: PrefixOf<G::Kind>>,
    {
        Self { plan: ListPlan::all(), of: PhantomData }.and(index, groups)
    }

    /// Restricts the list to records that this index has in any of these groups as well.
    #[must_use]
    pub fn and<G, S, P>(mut self, index: Index<R, G, S>, groups: impl IntoIterator<Item = P>) -> Self
    where
        G: Ordered,
        S: Ordered<Kind = O>,
        P: Ordered<Kind: PrefixOf<G::Kind>>,
    {
        self.plan.add(filter(index, groups));
        self
    }

    /// Restricts the filter that was added last, by a counted index, to groups whose last value is this text. For texts
    /// of one length, such as the codes of currencies.
    #[must_use]
    pub fn ending_with(mut self, text: &str) -> Self {
        self.plan.end_groups_with(text);
        self
    }

    /// Restricts the list to rows whose sort part is at least this.
    #[must_use]
    pub fn from(mut self, sort: impl Ordered<Kind: PrefixOf<O>>) -> Self {
        self.plan.from = Some(sort.encoded());
        self
    }

    /// Restricts the list to rows whose sort part is less than this.
    #[must_use]
    pub fn to(mut self, sort: impl Ordered<Kind: PrefixOf<O>>) -> Self {
        self.plan.to = Some(sort.encoded());
        self
    }

    /// Forgets the type of the order.
    #[must_use]
    pub fn in_any_order(self) -> Query<R> {
        Query { plan: self.plan, of: PhantomData }
    }

    /// Reverses the order of the list.
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.plan.descending = true;
        self
    }

    /// Limits the page to this many rows; at least one.
    #[must_use]
    pub fn limit(mut self, rows: usize) -> Self {
        self.plan.limit = rows.max(1);
        self
    }

    /// Skips this many rows first. The cost is that of reading their index rows, except for a list of one
    /// [bucketed](Index::bucketed) index, where it is small.
    #[must_use]
    pub fn skip(mut self, rows: usize) -> Self {
        self.plan.skip = rows;
        self
    }

    /// Continues after the page that gave this cursor.
    #[must_use]
    pub fn after(mut self, cursor: impl Into<Option<Cursor>>) -> Self {
        self.plan.after = cursor.into();
        self
    }
}

impl<R> Query<R, String> {
    /// Restricts the list to rows whose sort part is a text that begins with this.
    #[must_use]
    pub fn beginning_with(mut self, text: &str) -> Self {
        let mut from = text.encoded();
        // Without its terminator, the text's encoding is a prefix of that of every longer text.
        from.pop();
        self.plan.to = after_prefix(&from);
        self.plan.from = Some(from);
        self
    }
}

/// Returns the filter by these groups of an index.
fn filter<R, G, S, P>(index: Index<R, G, S>, groups: impl IntoIterator<Item = P>) -> IndexFilter
where
    R: Record,
    G: Ordered,
    P: Ordered<Kind: PrefixOf<G::Kind>>,
{
    let mut groups: Vec<Vec<u8>> = groups.into_iter().map(|group| group.encoded()).collect();
    groups.sort_unstable();
    groups.dedup();
    IndexFilter { index: Some(index.options.name), groups, whole: P::Kind::WHOLE, end: Vec::new(), rows: None }
}

/// A range of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub(super) start: Bound<Vec<u8>>,
    pub(super) end: Bound<Vec<u8>>,
}

impl Span {
    /// Returns the range of everything that begins with `prefix`.
    pub(super) fn of_prefix(prefix: &[u8]) -> Self {
        Self::within(prefix, Bound::Unbounded, Bound::Unbounded)
    }

    /// Returns the range of keys that begin with `prefix` and continue with at least `from` and less than `to`.
    pub(super) fn between(prefix: &[u8], from: Option<&[u8]>, to: Option<&[u8]>) -> Self {
        Self::within(
            prefix,
            from.map_or(Bound::Unbounded, Bound::Included),
            to.map_or(Bound::Unbounded, Bound::Excluded),
        )
    }

    /// Returns the range of keys that begin with `prefix` and continue within these bounds.
    pub(super) fn within(prefix: &[u8], from: Bound<&[u8]>, to: Bound<&[u8]>) -> Self {
        let whole = |place: &[u8]| [prefix, place].concat();
        let start = match from.map(whole) {
            Bound::Unbounded => Bound::Included(prefix.to_vec()),
            bound @ (Bound::Included(_) | Bound::Excluded(_)) => bound,
        };
        let end = match to.map(whole) {
            Bound::Unbounded => after_prefix(prefix).map_or(Bound::Unbounded, Bound::Excluded),
            bound @ (Bound::Included(_) | Bound::Excluded(_)) => bound,
        };
        Self { start, end }
    }

    /// Returns true if no key can be in the range; the engine does not accept such a range.
    pub(super) fn is_empty(&self) -> bool {
        match (&self.start, &self.end) {
            (Bound::Included(start) | Bound::Excluded(start), Bound::Included(end) | Bound::Excluded(end)) => {
                start >= end
            }
            (_, Bound::Unbounded) | (Bound::Unbounded, _) => false,
        }
    }

    pub(super) fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        (self.start.as_ref().map(Vec::as_slice), self.end.as_ref().map(Vec::as_slice))
    }
}

/// The start of the next page, as text that is safe in a URL. Only a query of the list that gave it accepts it;
/// any other text is [`StoreError::BadCursor`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(String);

impl Cursor {
    /// Makes a cursor from returned text, such as from a URL. The text is checked on use.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Makes the cursor of the row with this key in this list.
    pub(super) fn of(key: &[u8], collection: &str, list: &[u8]) -> Self {
        let mark = mark(key, collection, list).to_be_bytes();
        Self(hex(mark.iter().chain(key).copied()))
    }

    /// Returns the key if this is a cursor of this list.
    pub(super) fn key(&self, collection: &str, list: &[u8]) -> Option<Vec<u8>> {
        let bytes = unhex(self.0.as_bytes())?;
        let (given, key) = bytes.split_first_chunk()?;
        (u32::from_be_bytes(*given) == mark(key, collection, list)).then(|| key.to_vec())
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Computes a checksum that distinguishes this list's cursors from those of another and from mistyped text
/// (FNV-1a). It is not a secret.
fn mark(key: &[u8], collection: &str, list: &[u8]) -> u32 {
    let collection = collection.encoded();
    collection
        .iter()
        .chain(list)
        .chain(key)
        .fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests;
