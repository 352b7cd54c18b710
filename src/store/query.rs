//! Queries for a page of a list, and the cursors between pages.

use std::fmt;
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::key::{Ordered, after_prefix};
use super::record::Declared;
use super::time_buckets::CountedRows;
use super::view::{MAX_COUNTED, RowSource};
use crate::platform::hex::{hex, unhex};

/// Filter, order and size of a page of a list.
#[derive(Debug, Clone)]
pub struct Query {
    pub(super) index: Option<&'static str>,
    group: Vec<u8>,
    from: Option<Vec<u8>>,
    to: Option<Vec<u8>>,
    pub(super) descending: bool,
    pub(super) limit: usize,
    after: Option<Cursor>,
}

/// Default number of rows of a page.
const LIMIT: usize = 50;

impl Query {
    /// Makes a query for every record of the collection, by key.
    pub fn all() -> Self {
        Self { index: None, group: Vec::new(), from: None, to: None, descending: false, limit: LIMIT, after: None }
    }

    /// Makes a query for the records that `index` has in `group`, in the index's order.
    pub fn group(index: &'static str, group: impl Ordered) -> Self {
        Self { index: Some(index), group: group.encoded(), ..Self::all() }
    }

    /// Restricts the query to rows whose sort part (or key, without an index) is at least this.
    #[must_use]
    pub fn from(mut self, sort: impl Ordered) -> Self {
        self.from = Some(sort.encoded());
        self
    }

    /// Restricts the query to rows whose sort part (or key, without an index) is less than this.
    #[must_use]
    pub fn to(mut self, sort: impl Ordered) -> Self {
        self.to = Some(sort.encoded());
        self
    }

    /// Restricts the query to rows whose sort part (or key, without an index) is a text that begins with this.
    #[must_use]
    pub fn beginning_with(mut self, text: &str) -> Self {
        let mut from = text.encoded();
        // Without its terminator, the text's encoding is a prefix of that of every longer text.
        from.pop();
        self.to = after_prefix(&from);
        self.from = Some(from);
        self
    }

    /// Reverses the order.
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

    /// Continues after the page that gave this cursor.
    #[must_use]
    pub fn after(mut self, cursor: impl Into<Option<Cursor>>) -> Self {
        self.after = cursor.into();
        self
    }

    /// Returns the group if the query is for all of it.
    pub(super) fn whole_group(&self) -> Option<&[u8]> {
        (self.from.is_none() && self.to.is_none()).then_some(self.group.as_slice())
    }

    /// Returns the range of all keys that match, on whatever page.
    pub(super) fn span(&self) -> Span {
        Span::between(&self.group, self.from.as_deref(), self.to.as_deref())
    }

    /// Counts the matching rows of `table`, which is the table of `index` if the query uses one. Returns the
    /// number, and true if it is exact.
    pub(super) fn count(
        &self,
        source: &(impl RowSource + ?Sized),
        table: &str,
        index: Option<&Declared>,
    ) -> Result<(u64, bool), StoreError> {
        let (from, to) = (self.from.as_deref(), self.to.as_deref());
        let rows = CountedRows { table, index, groups: std::slice::from_ref(&self.group), from, to };
        rows.count(source, MAX_COUNTED)
    }

    /// Returns the range of the keys that are left after the cursor.
    pub(super) fn span_of_page(&self, collection: &str) -> Result<Span, StoreError> {
        let mut span = self.span();
        if let Some(cursor) = &self.after {
            let key = cursor.key(collection, self.index).ok_or(StoreError::BadCursor)?;
            if !key.starts_with(&self.group) {
                return Err(StoreError::BadCursor);
            }
            let (edge, beyond) = if self.descending {
                let beyond = matches!(&span.end, Bound::Excluded(end) if key >= *end);
                (&mut span.end, beyond)
            } else {
                let beyond = matches!(&span.start, Bound::Included(start) if key < *start);
                (&mut span.start, beyond)
            };
            if !beyond {
                *edge = Bound::Excluded(key);
            }
        }
        Ok(span)
    }
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
    pub(super) fn of(key: &[u8], collection: &str, index: Option<&str>) -> Self {
        let mark = mark(key, collection, index).to_be_bytes();
        Self(hex(mark.iter().chain(key).copied()))
    }

    /// Returns the key if this is a cursor of this list.
    pub(super) fn key(&self, collection: &str, index: Option<&str>) -> Option<Vec<u8>> {
        let bytes = unhex(self.0.as_bytes())?;
        let (given, key) = bytes.split_first_chunk()?;
        (u32::from_be_bytes(*given) == mark(key, collection, index)).then(|| key.to_vec())
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Computes a checksum that distinguishes this list's cursors from those of another and from mistyped text
/// (FNV-1a). It is not a secret.
fn mark(key: &[u8], collection: &str, index: Option<&str>) -> u32 {
    let list = (collection, index).encoded();
    list.iter().chain(key).fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests;
