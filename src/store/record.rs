//! Records, the indexes over them, and the schema of both that a release declares.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::StoreError;
use super::key::{Key, Ordered};

/// Width of the time buckets of lists that fill slowly, in seconds.
pub(crate) const DAY: u64 = 24 * 60 * 60;
/// Width of the time buckets of lists that fill quickly, in seconds.
pub(crate) const QUARTER_OF_A_DAY: u64 = DAY / 4;

/// A kind of record. It is stored as JSON under its key; unknown fields survive a rewrite if the type keeps
/// them with `#[serde(flatten)]`.
pub trait Record: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Name of the collection; never changes.
    const COLLECTION: &'static str;
    /// Type of the key that identifies a record; never changes.
    type Key: Key;

    /// Returns the key of this record.
    fn key(&self) -> Self::Key;

    /// The indexes over the collection. One that is missing here is not maintained.
    const INDEXES: &'static [&'static dyn AnyIndex<Self>] = &[];
}

/// Groups of an index that maintain a row count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Counted {
    Nothing,
    Groups,
    /// Groups, and the buckets of time within a group, each of so many seconds.
    Buckets(u64),
}

/// An index over the records of `R`: every record has zero or more entries in it, each in a group `G` at a position
/// `S` of the group's order; without `S`, in the order of the keys.
pub struct Index<R: Record, G, S = <R as Record>::Key> {
    pub(super) options: IndexOptions,
    entries: EntriesOf<R, G, S>,
    /// Amount that each entry adds to the sum that a counted index maintains for its group.
    weight: Option<fn(&R) -> i64>,
}

/// The function that computes the entries of a record.
enum EntriesOf<R, G, S> {
    Sorted(fn(&R) -> Vec<(G, S)>),
    ByKey(fn(&R) -> Vec<G>),
}

impl<R: Record, G, S> Clone for Index<R, G, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R: Record, G, S> Copy for Index<R, G, S> {}

impl<R, G, S> Clone for EntriesOf<R, G, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R, G, S> Copy for EntriesOf<R, G, S> {}

/// Name and properties of an index.
#[derive(Debug, Clone, Copy)]
pub struct IndexOptions {
    pub(super) name: &'static str,
    pub(super) version: u32,
    pub(super) unique: bool,
    pub(super) counted: Counted,
    pub(super) for_pages: bool,
}

impl<R: Record, G: Ordered, S: Ordered> Index<R, G, S> {
    /// Makes an index of this name. Raise `version` whenever `entries` returns other entries than before, or
    /// entries of other types: that makes the next start rebuild the index.
    pub const fn new(name: &'static str, version: u32, entries: fn(&R) -> Vec<(G, S)>) -> Self {
        Self::with(name, version, EntriesOf::Sorted(entries))
    }

    const fn with(name: &'static str, version: u32, entries: EntriesOf<R, G, S>) -> Self {
        let options = IndexOptions { name, version, unique: false, counted: Counted::Nothing, for_pages: false };
        Self { options, entries, weight: None }
    }

    /// Makes the index unique: no two records may have entries in one group.
    #[must_use]
    pub const fn unique(mut self) -> Self {
        self.options.unique = true;
        self
    }

    /// Maintains the number of entries of each group and the sum of their weights, so that reading them is cheap.
    #[must_use]
    pub const fn counted(mut self) -> Self {
        self.options.counted = Counted::Groups;
        self
    }

    /// Maintains the counts of [`counted`](Self::counted), and the number of entries in each bucket of so many
    /// seconds: any page of a list then costs about the same as the first, and the number of entries in a
    /// period is known. For entries sorted by an instant, or by a key that begins with one; works best with
    /// some hundreds of entries per bucket.
    #[must_use]
    pub const fn bucketed(mut self, seconds: u64) -> Self {
        self.options.counted = Counted::Buckets(if seconds == 0 { 1 } else { seconds });
        self
    }

    /// Marks the index as used by pages only: if a large collection lacks it, it is built while the service
    /// runs, and queries before that fail with [`StoreError::NotBuilt`]. Has no effect on a unique index.
    #[must_use]
    pub const fn for_pages(mut self) -> Self {
        self.options.for_pages = true;
        self
    }

    /// Sets the amount that each entry of a record adds to the sum of its group.
    #[must_use]
    pub const fn weighing(mut self, weight: fn(&R) -> i64) -> Self {
        self.weight = Some(weight);
        self
    }
}

impl<R: Record, G: Ordered> Index<R, G> {
    /// Makes an index like [`new`](Self::new) whose groups are in the order of the keys.
    pub const fn by_key(name: &'static str, version: u32, entries: fn(&R) -> Vec<G>) -> Self {
        Self::with(name, version, EntriesOf::ByKey(entries))
    }
}

/// An index of any group and order, as [`Record::INDEXES`] lists it.
pub trait AnyIndex<R>: Sync {
    /// Returns the index's name and properties.
    fn options(&self) -> IndexOptions;
    /// Returns the entries of a record.
    fn entries(&self, record: &R) -> Vec<IndexEntry>;
}

impl<R: Record, G: Ordered, S: Ordered> AnyIndex<R> for Index<R, G, S> {
    fn options(&self) -> IndexOptions {
        self.options
    }

    fn entries(&self, record: &R) -> Vec<IndexEntry> {
        let weight = self.weight.map_or(0, |weight| weight(record));
        let entry = |group: &G, sort| IndexEntry { group: group.encoded(), sort, weight };
        match self.entries {
            EntriesOf::Sorted(of) => of(record).iter().map(|(group, sort)| entry(group, sort.encoded())).collect(),
            EntriesOf::ByKey(of) => of(record).iter().map(|group| entry(group, Vec::new())).collect(),
        }
    }
}

/// One place of a record in an index: its group, and its position in the group's order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexEntry {
    pub(super) group: Vec<u8>,
    pub(super) sort: Vec<u8>,
    pub(super) weight: i64,
}

/// The collections a release declares.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    collections: BTreeMap<&'static str, Collection>,
    twice: Option<String>,
}

impl Schema {
    /// Makes a schema without collections.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the collection of `R`.
    #[must_use]
    pub fn with<R: Record>(mut self) -> Self {
        let mut collection = Collection {
            name: R::COLLECTION,
            table: format!("records/{}", R::COLLECTION),
            indexes: Vec::new(),
            entries: entries_of::<R>,
        };
        for index in R::INDEXES {
            let IndexOptions { name, version, unique, counted, for_pages } = index.options();
            if collection.indexes.iter().any(|other| other.name == name) {
                self.twice = Some(format!("{} declares the index {name} twice", R::COLLECTION));
            }
            collection.indexes.push(Declared {
                name,
                version,
                unique,
                counted,
                for_pages: for_pages && !unique,
                table: index_table(R::COLLECTION, name),
                counts: count_prefix(R::COLLECTION, name),
                sums: sum_prefix(R::COLLECTION, name),
                buckets: bucket_prefix(R::COLLECTION, name),
            });
        }
        if self.collections.insert(R::COLLECTION, collection).is_some() {
            self.twice = Some(format!("the collection {} is declared twice", R::COLLECTION));
        }
        self
    }

    /// Refuses a schema that declares a name twice.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.twice.clone().map_or(Ok(()), |twice| Err(StoreError::Defect(twice)))
    }

    pub(super) fn collections(&self) -> impl Iterator<Item = &Collection> {
        self.collections.values()
    }

    pub(super) fn find(&self, name: &str) -> Option<&Collection> {
        self.collections.get(name)
    }

    pub(super) fn of<R: Record>(&self) -> Result<&Collection, StoreError> {
        self.find(R::COLLECTION)
            .ok_or_else(|| StoreError::Defect(format!("no collection {} is declared", R::COLLECTION)))
    }
}

/// Returns the key prefix of an index's maintained sums; they are stored in the table of the counts.
pub(super) fn sum_prefix(collection: &str, index: &str) -> Vec<u8> {
    (collection, format!("{index} sum")).encoded()
}

/// Returns the key prefix of the maintained counts of an index's buckets.
pub(super) fn bucket_prefix(collection: &str, index: &str) -> Vec<u8> {
    // The word that stores have it under since the first release that counted.
    (collection, format!("{index} stretch")).encoded()
}

/// The entries of a record: one list per index, in the order of declaration.
pub(super) type Entries = Vec<Vec<IndexEntry>>;

/// A collection as declared, without its type.
#[derive(Debug, Clone)]
pub(super) struct Collection {
    pub(super) name: &'static str,
    /// Table of its records.
    pub(super) table: String,
    pub(super) indexes: Vec<Declared>,
    /// Function that computes the entries of a stored record.
    pub(super) entries: fn(&[u8]) -> Result<Entries, serde_json::Error>,
}

impl Collection {
    pub(super) fn index(&self, name: &str) -> Result<&Declared, StoreError> {
        self.indexes
            .iter()
            .find(|index| index.name == name)
            .ok_or_else(|| StoreError::Defect(format!("{} declares no index {name}", self.name)))
    }
}

/// An index as declared, without its type.
#[derive(Debug, Clone)]
pub(super) struct Declared {
    pub(super) name: &'static str,
    pub(super) version: u32,
    pub(super) unique: bool,
    pub(super) counted: Counted,
    pub(super) for_pages: bool,
    /// Table of its entries.
    pub(super) table: String,
    /// Key prefix of its maintained counts; the group follows.
    pub(super) counts: Vec<u8>,
    /// Key prefix of its maintained sums; the group follows.
    pub(super) sums: Vec<u8>,
    /// Key prefix of the maintained counts of its buckets; the group follows.
    pub(super) buckets: Vec<u8>,
}

impl Declared {
    /// Returns true if the index maintains the number of entries of each group and the sum of their weights.
    pub(super) fn is_counted(&self) -> bool {
        self.counted >= Counted::Groups
    }

    /// Returns the length of the counted buckets, in seconds; `None` if they are not counted.
    pub(super) fn bucket(&self) -> Option<u64> {
        match self.counted {
            Counted::Buckets(seconds) => Some(seconds),
            Counted::Nothing | Counted::Groups => None,
        }
    }
}

/// Returns the table of an index's entries.
pub(super) fn index_table(collection: &str, index: &str) -> String {
    format!("index/{collection}/{index}")
}

/// Returns the key prefix of an index's maintained counts. The empty name stands for the collection as a whole.
pub(super) fn count_prefix(collection: &str, index: &str) -> Vec<u8> {
    (collection, index).encoded()
}

/// Returns the entries of `record` without duplicates.
pub(super) fn entries<R: Record>(record: &R) -> Entries {
    let sorted = |mut entries: Vec<IndexEntry>| {
        entries.sort_unstable();
        entries.dedup();
        entries
    };
    R::INDEXES.iter().map(|index| sorted(index.entries(record))).collect()
}

fn entries_of<R: Record>(json: &[u8]) -> Result<Entries, serde_json::Error> {
    serde_json::from_slice::<R>(json).map(|record| entries(&record))
}
