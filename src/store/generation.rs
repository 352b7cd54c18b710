//! Detection of a replaced file, by two things: the identity that the file system gives the file, and a number that the
//! store and the seal next to it share. A restored backup, or a file brought from elsewhere, disagrees with one of the
//! two. A whole folder written over this one agrees with both, so the seal also contains the identity of its own file.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::error::StoreError;

/// Identity of a file in the file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileIdentity {
    device: u64,
    inode: u64,
    /// Time of creation, in nanoseconds since 1970, if the file system keeps it.
    born: Option<u64>,
}

impl FileIdentity {
    pub(super) fn of(path: &Path) -> Result<Self, StoreError> {
        let metadata = fs::metadata(path).map_err(|error| StoreError::from_io("look at the store", path, &error))?;
        Ok(Self::from_metadata(&metadata))
    }

    fn from_metadata(metadata: &Metadata) -> Self {
        let born = metadata.created().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            born: born.and_then(|since| u64::try_from(since.as_nanos()).ok()),
        }
    }
}

/// Content of the seal.
#[derive(Serialize, Deserialize)]
struct Seal {
    generation: u64,
    /// Identity of the seal's own file, which is a new file each time.
    file: FileIdentity,
}

/// Returns the path of the seal in a data folder.
pub(super) fn path_of(folder: &Path) -> PathBuf {
    folder.join("store.seal")
}

/// Returns true if a store was left in `folder`.
pub(super) fn is_there(folder: &Path) -> bool {
    path_of(folder).exists()
}

/// Returns the generation on the seal; `None` if the seal is missing, unreadable, or a copy. In each case the
/// store cannot be known to be the one that was left here.
pub(super) fn generation(folder: &Path) -> Option<u64> {
    let path = path_of(folder);
    let seal: Seal = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
    let here = FileIdentity::of(&path).ok()?;
    (seal.file == here).then_some(seal.generation)
}

/// Seals the store in `folder` with this generation.
pub(super) fn put(folder: &Path, generation: u64) -> Result<(), StoreError> {
    let path = path_of(folder);
    let write = || -> io::Result<()> {
        let draft = folder.join("store.seal.new");
        let mut file = File::create(&draft)?;
        let seal = Seal { generation, file: FileIdentity::from_metadata(&file.metadata()?) };
        file.write_all(&serde_json::to_vec(&seal)?)?;
        file.sync_all()?;
        fs::rename(&draft, &path)?;
        flush_folder(folder)
    };
    write().map_err(|error| StoreError::from_io("seal the store", &path, &error))
}

/// Flushes the names in `folder`, so that they are as durable as the files.
pub(super) fn flush_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some file systems do not support flushing a folder.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        other => other,
    }
}
