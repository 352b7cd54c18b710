//! Free space on a disk, and the errors that report its lack.

use std::io::{self, ErrorKind};
use std::path::Path;

use rustix::fs::statvfs;

/// Returns true if an error means that there is no room left: on the disk, or in this process's share of it.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

/// Returns the number of bytes that this user may still write to the file system of `folder`.
pub(crate) fn room_in(folder: &Path) -> io::Result<u64> {
    let file_system = statvfs(folder)?;
    Ok(file_system.f_bavail.saturating_mul(file_system.f_frsize))
}
