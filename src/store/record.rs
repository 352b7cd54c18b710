//! What is stored: records, the indexes over them, and the list of both that a release declares.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::StoreError;
use super::key::{Key, Ordered};

/// Width of the time buckets of lists that fill slowly, in seconds.
pub(crate) const DAY: u64 = 24 * 60 * 60;
/// The same of lists that fill quickly.
pub(crate) const QUARTER_OF_A_DAY: u64 = DAY / 4;

/// A kind of record. It is stored as JSON under its key; unknown fields survive a rewrite where
/// the type keeps them with `#[serde(flatten)]`.
pub trait Record: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The collection's name; never changes.
    const COLLECTION: &'static str;
    /// What finds a record; its type never changes.
    type Key: Key;

    /// The key of this record.
    fn key(&self) -> Self::Key;

    /// The indexes over the collection.
    fn indexes() -> Vec<Index<Self>>;
}

/// Of what the number of entries is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Counted {
    Nothing,
    Groups,
    /// Of groups, and of the stretches in which a group's entries lie: so many seconds each.
    Stretches(u64),
}

/// An index over the records of `R`: every record has zero or more entries in it.
pub struct Index<R: ?Sized> {
    pub(super) name: &'static str,
    pub(super) version: u32,
    pub(super) unique: bool,
    pub(super) counted: Counted,
    pub(super) for_pages: bool,
    pub(super) entries: fn(&R) -> Vec<Entry>,
}

impl<R> Index<R> {
    /// An index of this name. `version` is raised whenever `entries` gives other entries than
    /// before, or entries of other types: that is what makes the next start rebuild the index.
    pub fn new(name: &'static str, version: u32, entries: fn(&R) -> Vec<Entry>) -> Self {
        Self { name, version, unique: false, counted: Counted::Nothing, for_pages: false, entries }
    }

    /// No two records may have entries of one group.
    #[must_use]
    pub fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// The number of entries of each group, and the sum of their weights, are kept, so that asking for
    /// them costs nothing.
    #[must_use]
    pub fn counted(mut self) -> Self {
        self.counted = Counted::Groups;
        self
    }

    /// [`counted`](Self::counted), and the number of entries in each stretch of so many seconds as well: any
    /// page of a list costs about what the first costs, and how much lies in a period is known. For entries
    /// sorted by an instant, or by a key that begins with one; best where some hundreds lie in a stretch.
    #[must_use]
    pub fn numbered(mut self, seconds: u64) -> Self {
        self.counted = Counted::Stretches(seconds.max(1));
        self
    }

    /// Only pages ask for it: where a large collection lacks it, it is built while the service runs, and
    /// whoever asks before that is told so ([`StoreError::NotBuilt`]). Not for a unique index.
    #[must_use]
    pub fn for_pages(mut self) -> Self {
        self.for_pages = true;
        self
    }
}

/// One place of a record in an index: the group it is listed in, and where in the group's order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub(super) group: Vec<u8>,
    pub(super) sort: Vec<u8>,
    pub(super) weight: i64,
}

impl Entry {
    /// In `group`, sorted by `sort`, then by key.
    pub fn new(group: impl Ordered, sort: impl Ordered) -> Self {
        Self { group: group.encoded(), sort: sort.encoded(), weight: 0 }
    }

    /// With this much to add to the sum that a counted index keeps of its group.
    #[must_use]
    pub fn weighing(self, weight: i64) -> Self {
        Self { weight, ..self }
    }

    /// In `group`, sorted by key.
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
    /// No collections yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// And the collection of `R`.
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
                stretches: stretch_prefix(R::COLLECTION, index.name),
            });
        }
        if self.collections.insert(R::COLLECTION, collection).is_some() {
            self.twice = Some(format!("the collection {} is declared twice", R::COLLECTION));
        }
        self
    }

    /// Refuses a schema in which one name stands for two things.
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

/// What the keys of an index's kept sums begin with; they lie beside the counts.
pub(super) fn sum_prefix(collection: &str, index: &str) -> Vec<u8> {
    (collection, format!("{index} sum")).encoded()
}

/// The same of the numbers of its stretches.
pub(super) fn stretch_prefix(collection: &str, index: &str) -> Vec<u8> {
    (collection, format!("{index} stretch")).encoded()
}

/// The entries of a record: one list an index, in the order in which they are declared.
pub(super) type Entries = Vec<Vec<Entry>>;

/// A collection as declared, without its type.
#[derive(Debug, Clone)]
pub(super) struct Collection {
    pub(super) name: &'static str,
    /// The table of its records.
    pub(super) table: String,
    pub(super) indexes: Vec<Declared>,
    /// The entries of a stored record.
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
    /// The table of its entries.
    pub(super) table: String,
    /// What the keys of its kept counts begin with; the group follows.
    pub(super) counts: Vec<u8>,
    /// The same of its kept sums.
    pub(super) sums: Vec<u8>,
    /// The same of the kept numbers of its stretches.
    pub(super) stretches: Vec<u8>,
}

impl Declared {
    /// Whether the number of entries of each group is kept, and the sum of their weights.
    pub(super) fn is_counted(&self) -> bool {
        self.counted >= Counted::Groups
    }

    /// How long the stretches are of which the number of entries is kept, in seconds; `None` where it is not.
    pub(super) fn stretch(&self) -> Option<u64> {
        match self.counted {
            Counted::Stretches(seconds) => Some(seconds),
            Counted::Nothing | Counted::Groups => None,
        }
    }
}

/// The table of an index's entries.
pub(super) fn index_table(collection: &str, index: &str) -> String {
    format!("index/{collection}/{index}")
}

/// What the keys of an index's kept counts begin with. The empty name stands for the collection
/// as a whole.
pub(super) fn count_prefix(collection: &str, index: &str) -> Vec<u8> {
    (collection, index).encoded()
}

/// The entries of `record`, each once.
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
