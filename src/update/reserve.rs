//! Room that is held for the way back: a release on trial that fills the disk does not keep the one
//! before it from coming back and going on.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate};

/// What the file is called that takes the room, in whatever folder it lies.
pub(super) const RESERVE: &str = "reserve";

/// Takes so many bytes of the file system that `folder` is on. An error where they are not there; a file
/// system that cannot promise any is left as it is.
pub(crate) fn hold(folder: &Path, bytes: u64) -> io::Result<()> {
    let file = File::create(folder.join(RESERVE))?;
    match fallocate(&file, FallocateFlags::empty(), 0, bytes) {
        Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => file.sync_all(),
        Err(error) => {
            free(folder)?;
            Err(error.into())
        }
    }
}

/// Gives them back. Nothing where none were taken.
pub fn free(folder: &Path) -> io::Result<()> {
    match fs::remove_file(folder.join(RESERVE)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
