//! The place of the socket and its binding: in the data folder, accessible to its owner alone.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::platform::fs::existing;

/// The socket's name in the data folder.
pub const SOCKET: &str = "cashout.sock";

/// Upper bound on the length of a socket's path, in bytes, without the final NUL; set by the kernel.
const MAX_PATH_LENGTH: usize = 107;

/// A folder under a path that is short enough for the kernel.
struct Short {
    folder: PathBuf,
    /// Descriptor that keeps the short path valid.
    _open: Option<File>,
}

impl Short {
    /// Returns `folder` itself if `name` in it is short enough, and otherwise a path through our own descriptor.
    fn of(folder: &Path, name: &str) -> io::Result<Self> {
        if folder.as_os_str().as_bytes().len().saturating_add(name.len()).saturating_add(1) <= MAX_PATH_LENGTH {
            return Ok(Self { folder: folder.to_owned(), _open: None });
        }
        let open = File::open(folder)?;
        Ok(Self { folder: PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd())), _open: Some(open) })
    }
}

/// Connects to the process that answers on the socket of the data folder; `None` if there is none. Blocks for a moment.
pub fn connect(data: &Path) -> Option<UnixStream> {
    let short = Short::of(data, SOCKET).ok()?;
    UnixStream::connect(short.folder.join(SOCKET)).ok()
}

/// Binds the socket of the data folder. A stale socket, on which no process answers, is replaced; anything else at its
/// path is left alone and is an error.
pub(super) fn bind(data: &Path) -> io::Result<UnixListener> {
    let place = data.join(SOCKET);
    match existing(fs::symlink_metadata(&place))? {
        Some(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(ErrorKind::AlreadyExists, "something that is no socket is in its place"));
        }
        Some(_) if connect(data).is_some() => {
            return Err(io::Error::new(ErrorKind::AddrInUse, "another program answers on it"));
        }
        Some(_) | None => {}
    }
    // The socket is bound under another name first, so that it is not found before it is accessible to its owner alone.
    let draft = format!("{SOCKET}.new-{}", std::process::id());
    let short = Short::of(data, &draft)?;
    let draft = short.folder.join(&draft);
    // A process with the same ID that was killed in between may have left it.
    let _ = fs::remove_file(&draft);
    let bound = UnixListener::bind(&draft).and_then(|listener| {
        fs::set_permissions(&draft, Permissions::from_mode(0o600))?;
        fs::rename(&draft, short.folder.join(SOCKET))?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    if bound.is_err() {
        let _ = fs::remove_file(&draft);
    }
    bound
}

/// Removes the socket, on which no process answers any more.
pub(super) fn remove(data: &Path) {
    // A socket that stays is stale, and is replaced at the next start.
    let _ = fs::remove_file(data.join(SOCKET));
}
