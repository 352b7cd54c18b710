//! How much room there is on a disk, and whether there was none.

use std::io::{self, ErrorKind};
use std::path::Path;

use rustix::fs::statvfs;

/// Whether an error says that there is no room left: on the disk, or in what this process may take of it.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

/// How many bytes are left to this user on the file system of `folder`.
pub(crate) fn room_in(folder: &Path) -> io::Result<u64> {
    let file_system = statvfs(folder)?;
    Ok(file_system.f_bavail.saturating_mul(file_system.f_frsize))
}
