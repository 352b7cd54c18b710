//! A copy of the store while it is in use: complete, consistent, and a store by itself.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use redb::{Durability, ReadTransaction, ReadableDatabase, TableHandle};

use super::error::StoreError;
use super::opening::{draft, path_of};
use super::queue::begin;
use super::view::table;
use super::{Store, guarded, locked};

/// Number of rows copied in one transaction.
const SLICE: usize = 20_000;

/// Name of the folder of copies in the data folder.
const FOLDER: &str = "backups";

/// Number of copies to keep.
const MAX_KEPT: usize = 3;

impl Store {
    /// Returns the time of the last copy (UTC), as far as copies are left. Blocks.
    pub fn last_back_up(&self) -> Option<Timestamp> {
        let folder = self.shared.path.parent()?.join(FOLDER);
        let entries = fs::read_dir(folder).ok()?.flatten();
        let copies = entries.filter(|entry| entry.file_name() != "store.redb");
        let at = |entry: fs::DirEntry| Timestamp::try_from(entry.metadata().ok()?.modified().ok()?).ok();
        copies.filter_map(at).max()
    }

    /// Copies the current state of the store into the folder `backups` next to it, named after `name` and the
    /// time, and keeps only the last three copies of this kind. Returns the path of the copy. To restore one,
    /// replace `store.redb` with it while no process uses the store. Blocks.
    ///
    /// Writes continue meanwhile and are not part of the copy. Until the copy is complete, the file of the
    /// store cannot reuse free space.
    pub fn back_up(&self, name: &str, clock: &crate::platform::clock::Clock) -> Result<PathBuf, StoreError> {
        let database = locked(&self.shared.database).clone().ok_or(StoreError::Closed)?;
        let data = self.shared.path.parent().unwrap_or(Path::new("/"));
        let folder = data.join(FOLDER);
        let failed = |error| StoreError::from_io("copy the store", &folder, &error);
        {
            use std::os::unix::fs::DirBuilderExt;
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
        }
        let at = clock.now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let target = folder.join(format!("{name}-{at}.redb"));
        let temporary = path_of(&folder);
        // Left by an interrupted copy.
        let _ = fs::remove_file(&temporary);
        let copied = guarded("copying the store", || copy(&database.begin_read()?, &temporary));
        let done = copied.and_then(|()| {
            fs::rename(&temporary, &target).and_then(|()| fs::File::open(&folder)?.sync_all()).map_err(failed)
        });
        if let Err(error) = done {
            // The error to report is the first one; the next copy removes this file if it cannot be removed now.
            let _ = fs::remove_file(&temporary);
            return Err(error);
        }
        remove_older(&folder, name, &target);
        Ok(target)
    }
}

/// Copies all tables row by row into a new file, in slices, and flushes it at the end.
fn copy(from: &ReadTransaction, to: &Path) -> Result<(), StoreError> {
    let (database, file) = draft(to)?;
    for handle in from.list_tables()? {
        let (name, mut after) = (handle.name().to_owned(), None::<Vec<u8>>);
        let source = from.open_table(table(&name))?;
        loop {
            let mut writing = begin(&database)?;
            let unflushed = writing.set_durability(Durability::None);
            unflushed.map_err(|error| StoreError::Defect(error.to_string()))?;
            let mut count = 0;
            {
                let mut target = writing.open_table(table(&name))?;
                let lower = match &after {
                    Some(key) => std::ops::Bound::Excluded(key.as_slice()),
                    None => std::ops::Bound::Unbounded,
                };
                for row in source.range::<&[u8]>((lower, std::ops::Bound::Unbounded))?.take(SLICE) {
                    let (key, value) = row?;
                    target.insert(key.value(), value.value())?;
                    after = Some(key.value().to_vec());
                    count += 1;
                }
            }
            writing.commit()?;
            if count < SLICE {
                break;
            }
        }
    }
    let last = begin(&database)?;
    last.commit()?;
    database.close().map_err(|error| super::opening::from_engine(error, to))?;
    file.sync_all().map_err(|error| StoreError::from_io("copy the store", to, &error))
}

/// Removes old copies, oldest first; their names sort by time. `made` stays whatever its name: the clock may
/// have been set back since the other copies were made.
fn remove_older(folder: &Path, name: &str, made: &Path) {
    let start = format!("{name}-");
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut others: Vec<PathBuf> = entries
        .filter(|path| path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(&start)))
        .filter(|path| path != made)
        .collect();
    others.sort_unstable();
    let too_many = others.len().saturating_add(1).saturating_sub(MAX_KEPT);
    for path in others.into_iter().take(too_many) {
        let _ = fs::remove_file(path);
    }
}
