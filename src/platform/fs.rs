//! Free space on a disk, and the errors of file operations.

use std::io::{self, ErrorKind};
use std::path::Path;

use rustix::fs::statvfs;

/// Returns true if an error means that there is no room left: on the disk, or in this process's share of it.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

/// Returns `None` instead of the error that there is no such file.
pub(crate) fn existing<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the number of bytes that this user may still write to the file system of `folder`.
pub(crate) fn room_in(folder: &Path) -> io::Result<u64> {
    let file_system = statvfs(folder)?;
    Ok(file_system.f_bavail.saturating_mul(file_system.f_frsize))
}
