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

    /// Returns the indexes over the collection.
    fn indexes() -> Vec<Index<Self>>;
}

/// Groups of an index that maintain a row count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Counted {
    Nothing,
    Groups,
    /// Groups, and the buckets of time within a group, each of so many seconds.
    Buckets(u64),
}

/// An index over the records of `R`: every record has zero or more entries in it.
pub struct Index<R: ?Sized> {
    pub(super) name: &'static str,
    pub(super) version: u32,
    pub(super) unique: bool,
    pub(super) counted: Counted,
    pub(super) for_pages: bool,
    pub(super) entries: fn(&R) -> Vec<IndexEntry>,
}

impl<R> Index<R> {
    /// Makes an index of this name. Raise `version` whenever `entries` returns other entries than before, or
    /// entries of other types: that makes the next start rebuild the index.
    pub fn new(name: &'static str, version: u32, entries: fn(&R) -> Vec<IndexEntry>) -> Self {
        Self { name, version, unique: false, counted: Counted::Nothing, for_pages: false, entries }
    }

    /// Makes the index unique: no two records may have entries in one group.
    #[must_use]
    pub fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// Maintains the number of entries of each group and the sum of their weights, so that reading them is cheap.
    #[must_use]
    pub fn counted(mut self) -> Self {
        self.counted = Counted::Groups;
        self
    }

    /// Maintains the counts of [`counted`](Self::counted), and the number of entries in each bucket of so many
    /// seconds: any page of a list then costs about the same as the first, and the number of entries in a
    /// period is known. For entries sorted by an instant, or by a key that begins with one; works best with
    /// some hundreds of entries per bucket.
    #[must_use]
    pub fn bucketed(mut self, seconds: u64) -> Self {
        self.counted = Counted::Buckets(seconds.max(1));
        self
    }

    /// Marks the index as used by pages only: if a large collection lacks it, it is built while the service
    /// runs, and queries before that fail with [`StoreError::NotBuilt`]. Has no effect on a unique index.
    #[must_use]
    pub fn for_pages(mut self) -> Self {
        self.for_pages = true;
        self
    }
}

/// One place of a record in an index: its group, and its position in the group's order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexEntry {
    pub(super) group: Vec<u8>,
    pub(super) sort: Vec<u8>,
    pub(super) weight: i64,
}

impl IndexEntry {
    /// Makes an entry in `group`, sorted by `sort`, then by key.
    pub fn new(group: impl Ordered, sort: impl Ordered) -> Self {
        Self { group: group.encoded(), sort: sort.encoded(), weight: 0 }
    }

    /// Sets the amount that the entry adds to the sum that a counted index maintains for its group.
    #[must_use]
    pub fn weighing(self, weight: i64) -> Self {
        Self { weight, ..self }
    }

    /// Makes an entry in `group`, sorted by key.
    pub fn of(group: impl Ordered) -> Self {
        Self::new(group, ())
    }
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
        for index in R::indexes() {
            if collection.indexes.iter().any(|other| other.name == index.name) {
                self.twice = Some(format!("{} declares the index {} twice", R::COLLECTION, index.name));
            }
            collection.indexes.push(Declared {
                name: index.name,
                version: index.version,
                unique: index.unique,
                counted: index.counted,
                for_pages: index.for_pages && !index.unique,
                table: index_table(R::COLLECTION, index.name),
                counts: count_prefix(R::COLLECTION, index.name),
                sums: sum_prefix(R::COLLECTION, index.name),
                buckets: bucket_prefix(R::COLLECTION, index.name),
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
    R::indexes()
        .iter()
        .map(|index| {
            let mut entries = (index.entries)(record);
            entries.sort_unstable();
            entries.dedup();
            entries
        })
        .collect()
}

fn entries_of<R: Record>(json: &[u8]) -> Result<Entries, serde_json::Error> {
    serde_json::from_slice::<R>(json).map(|record| entries(&record))
}
