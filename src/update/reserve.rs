//! Disk space reserved for a rollback: a release on trial that fills the disk cannot keep the previous one from being
//! restored and continuing.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate};

use crate::platform::fs::existing;

/// Name of the file that takes the space, in any folder.
pub(super) const RESERVE: &str = "reserve";

/// Reserves `bytes` bytes on the file system of `folder`. Fails if the space is not available; a file system that
/// cannot reserve space is left as it is.
pub(crate) fn reserve(folder: &Path, bytes: u64) -> io::Result<()> {
    let file = File::create(folder.join(RESERVE))?;
    match fallocate(&file, FallocateFlags::empty(), 0, bytes) {
        Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => file.sync_all(),
        Err(error) => {
            free(folder)?;
            Err(error.into())
        }
    }
}

/// Frees the reserved space. Does nothing if none is reserved.
pub fn free(folder: &Path) -> io::Result<()> {
    existing(fs::remove_file(folder.join(RESERVE))).map(drop)
}
