//! The size of the file, and shrinking it.
//!
//! Deleted records leave free space in the file, which new records reuse: a store that deletes as much as it
//! adds does not grow. Shrinking is only worth it if far more was deleted than will be added again. The engine
//! needs exclusive access for that and cannot stop half way, so the store shrinks the file while opening,
//! before requests arrive, and only if little has to be moved.

use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableHandle};
use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::queue::begin;
use super::record::Schema;
use super::view::{StoreReader, View};
use super::writer::Writer;
use super::{Store, guarded, locked};

/// Name of the document that marks a file with free space to return.
const ROOMY: &str = "store/roomy";
/// Minimum of free space that is worth the work, in bytes.
const MIN_FREE_SPACE: u64 = 64 * 1024 * 1024;
/// Maximum of used space that can be moved while a person waits for the start, in bytes.
const MAX_MOVED: u64 = 256 * 1024 * 1024;

/// Size of the file and of its used part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Size of the whole file, in bytes.
    pub file: u64,
    /// Space taken by records, indexes and counts, in bytes; the rest is room for new ones.
    pub used: u64,
}

impl Size {
    /// Returns the room for new records, in bytes.
    pub fn room(self) -> u64 {
        self.file.saturating_sub(self.used)
    }

    /// Returns true if most of the file is free and shrinking it takes seconds at most.
    pub fn is_roomy(self) -> bool {
        self.room() >= MIN_FREE_SPACE && self.room() > self.used && self.used <= MAX_MOVED
    }
}

impl Store {
    /// Measures the file and its used part. Walks through all of it, one table per read transaction, so that no
    /// read stays open for long: some seconds for gigabytes. Blocks.
    pub fn size(&self) -> Result<Size, StoreError> {
        let database = locked(&self.shared.database).clone().ok_or(StoreError::Closed)?;
        guarded("measuring the store", || {
            let tables: Vec<_> = database.begin_read()?.list_tables()?.map(|table| table.name().to_owned()).collect();
            let mut used: u64 = 0;
            for name in tables {
                let look = database.begin_read()?;
                let table = look.list_tables()?.find(|table| table.name() == name);
                let Some(table) = table else { continue };
                let stats = look.open_untyped_table(table)?.stats()?;
                let bytes = [stats.stored_bytes(), stats.metadata_bytes(), stats.fragmented_bytes()];
                used = bytes.into_iter().fold(used, u64::saturating_add);
            }
            Ok(Size { file: self.file_size()?, used })
        })
    }

    /// Returns the size of the whole file, in bytes, without walking through it. Blocks.
    pub fn file_size(&self) -> Result<u64, StoreError> {
        let path = &self.shared.path;
        let file = std::fs::metadata(path).map_err(|error| StoreError::from_io("measure the store", path, &error))?;
        Ok(file.len())
    }

    /// Makes the next opening shrink the file if `size` shows that this is worth it. Blocks.
    pub fn note_size(&self, size: Size) -> Result<(), StoreError> {
        let roomy = Some(size).filter(|size| size.is_roomy());
        self.write_blocking(move |writer| {
            let known: Option<Size> = writer.get_document::<Option<Size>>(ROOMY)?.flatten();
            // Usually there is nothing to note.
            if known.is_some() || roomy.is_some() { writer.put_document(ROOMY, &roomy) } else { Ok(()) }
        })
    }
}

/// Shrinks the file if it was marked for that.
pub(super) fn shrink_if_marked(database: &mut Database, schema: &Schema) -> Result<(), StoreError> {
    let noted: Option<Size> =
        StoreReader::new(schema, database.begin_read()?).get_document::<Option<Size>>(ROOMY)?.flatten();
    if noted.is_none() {
        return Ok(());
    }
    // Clear the mark first: if the program is killed in the middle, the next start is fast. An interrupted
    // compaction leaves the file intact.
    let transaction = begin(database)?;
    Writer::new(schema, &transaction).put_document(ROOMY, &None::<Size>)?;
    transaction.commit()?;
    match database.compact() {
        Ok(_) => Ok(()),
        Err(redb::CompactionError::Storage(error)) => Err(error.into()),
        Err(other) => Err(StoreError::Defect(other.to_string())),
    }
}
