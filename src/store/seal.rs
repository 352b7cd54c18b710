//! Whether the file on the disk is the one this store was left in: the identity that the file
//! system gives it, and a number that the store and the seal beside it have in common. A backup
//! put in its place, or a file brought from elsewhere, disagrees with one of the two.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::error::StoreError;

/// What the file system knows a file by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileIdentity {
    device: u64,
    inode: u64,
    /// Nanoseconds since 1970, where the file system keeps it.
    born: Option<u64>,
}

impl FileIdentity {
    pub(super) fn of(path: &Path) -> Result<Self, StoreError> {
        let metadata = fs::metadata(path).map_err(|error| StoreError::from_io("look at the store", path, &error))?;
        let born = metadata.created().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            born: born.and_then(|since| u64::try_from(since.as_nanos()).ok()),
        })
    }
}

/// What the seal says.
#[derive(Serialize, Deserialize)]
struct Seal {
    generation: u64,
}

fn path_of(folder: &Path) -> PathBuf {
    folder.join("store.seal")
}

/// The generation on the seal; `None` where there is no seal, or none that can be read. Either
/// way the store cannot be known to be the one that was left here.
pub(super) fn generation(folder: &Path) -> Option<u64> {
    let text = fs::read(path_of(folder)).ok()?;
    serde_json::from_slice::<Seal>(&text).ok().map(|seal| seal.generation)
}

/// Seals the store in `folder` with this generation.
pub(super) fn put(folder: &Path, generation: u64) -> Result<(), StoreError> {
    let path = path_of(folder);
    let write = || -> io::Result<()> {
        let draft = folder.join("store.seal.new");
        let mut file = File::create(&draft)?;
        file.write_all(&serde_json::to_vec(&Seal { generation })?)?;
        file.sync_all()?;
        fs::rename(&draft, &path)?;
        flush_folder(folder)
    };
    write().map_err(|error| StoreError::from_io("seal the store", &path, &error))
}

/// Makes the names in `folder` as durable as the files.
pub(super) fn flush_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some file systems have no such thing.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        other => other,
    }
}
