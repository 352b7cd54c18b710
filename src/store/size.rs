//! How large the file is and why, and making it smaller.
//!
//! What is deleted leaves room in the file, which new records take up: a store that keeps as much as
//! it gets does not grow. Only where far more was deleted than will come again is it worth giving the
//! room back. The engine needs the file to itself for that and cannot stop half way, so it is done
//! when the store is opened, where nobody waits yet, and only where little has to be moved.

use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableHandle};
use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::queue::begin;
use super::record::Schema;
use super::view::{Reader, View};
use super::writer::Writer;
use super::{Store, guarded, locked};

/// The document that says that the file has room to give back.
const ROOMY: &str = "store/roomy";
/// Less room than this is not worth the work, in bytes.
const LEAST_ROOM: u64 = 64 * 1024 * 1024;
/// More records than this take too long to move while somebody waits for the start, in bytes.
const MOST_MOVED: u64 = 256 * 1024 * 1024;

/// How large the file is and what for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// The whole file, in bytes.
    pub file: u64,
    /// Taken by records, indexes and counts, in bytes; the rest is room for new ones.
    pub used: u64,
}

impl Size {
    /// Room for new records, in bytes.
    pub fn room(self) -> u64 {
        self.file.saturating_sub(self.used)
    }

    /// True where most of the file is room and making it smaller takes seconds at most.
    pub fn is_roomy(self) -> bool {
        self.room() >= LEAST_ROOM && self.room() > self.used && self.used <= MOST_MOVED
    }
}

impl Store {
    /// How large the file is and what for. Walks through all of it, one table at a time, so that no
    /// look at the store is a long one: some seconds for gigabytes. Blocks.
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

    /// How large the whole file is, in bytes: known at once. Blocks.
    pub fn file_size(&self) -> Result<u64, StoreError> {
        let path = &self.shared.path;
        let file = std::fs::metadata(path).map_err(|error| StoreError::from_io("measure the store", path, &error))?;
        Ok(file.len())
    }

    /// Has the next opening make the file smaller where that is worth it by `size`. Blocks.
    pub fn note_size(&self, size: Size) -> Result<(), StoreError> {
        let roomy = Some(size).filter(|size| size.is_roomy());
        self.write_blocking(move |writer| {
            let known: Option<Size> = writer.get_document::<Option<Size>>(ROOMY)?.flatten();
            // Most of the time there is nothing to note.
            if known.is_some() || roomy.is_some() { writer.put_document(ROOMY, &roomy) } else { Ok(()) }
        })
    }
}

/// Makes the file smaller where it was noted to be worth it.
pub(super) fn give_room_back(database: &mut Database, schema: &Schema) -> Result<(), StoreError> {
    let noted: Option<Size> =
        Reader::new(schema, database.begin_read()?).get_document::<Option<Size>>(ROOMY)?.flatten();
    if noted.is_none() {
        return Ok(());
    }
    // Noted off first: should the program be killed in the middle, the next start is a quick one. A
    // file that was cut off is whole all the same.
    let transaction = begin(database)?;
    Writer::new(schema, &transaction).put_document(ROOMY, &None::<Size>)?;
    transaction.commit()?;
    match database.compact() {
        Ok(_) => Ok(()),
        Err(redb::CompactionError::Storage(error)) => Err(error.into()),
        Err(other) => Err(StoreError::Defect(other.to_string())),
    }
}
