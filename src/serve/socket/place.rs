//! Where the socket is, and how it is bound there: in the data folder, for its owner alone.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// The socket's name in the data folder.
pub const SOCKET: &str = "cashout.sock";

/// What the kernel takes for a socket's path, in bytes, without the NUL at its end.
const LONGEST_PATH: usize = 107;

/// The folder under a path that is short enough for the kernel.
struct Short {
    folder: PathBuf,
    /// Keeps the short path alive.
    _open: Option<File>,
}

impl Short {
    /// `folder` itself where `name` in it is short enough; else the way through our own descriptor.
    fn of(folder: &Path, name: &str) -> io::Result<Self> {
        if folder.as_os_str().as_bytes().len().saturating_add(name.len()).saturating_add(1) <= LONGEST_PATH {
            return Ok(Self { folder: folder.to_owned(), _open: None });
        }
        let open = File::open(folder)?;
        Ok(Self { folder: PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd())), _open: Some(open) })
    }
}

/// The connection to whoever answers on the socket of the data folder; `None` where nobody does.
/// Blocks for a moment.
pub fn connect(data: &Path) -> Option<UnixStream> {
    let short = Short::of(data, SOCKET).ok()?;
    UnixStream::connect(short.folder.join(SOCKET)).ok()
}

/// Binds the socket of the data folder. A stale one, on which nobody answers, is replaced; anything
/// else in its place is left alone, and the error says so.
pub(super) fn bind(data: &Path) -> io::Result<UnixListener> {
    let place = data.join(SOCKET);
    match fs::symlink_metadata(&place) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(ErrorKind::AlreadyExists, "something that is no socket is in its place"));
        }
        Ok(_) if connect(data).is_some() => {
            return Err(io::Error::new(ErrorKind::AddrInUse, "another program answers on it"));
        }
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // Under a name of its own first: nobody finds it before it belongs to its owner alone.
    let draft = format!("{SOCKET}.new-{}", std::process::id());
    let short = Short::of(data, &draft)?;
    let draft = short.folder.join(&draft);
    // Left behind by a process of this number that was killed in between.
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

/// Removes the socket: nobody answers on it any more.
pub(super) fn remove(data: &Path) {
    // What is left is stale, and replaced at the next start.
    let _ = fs::remove_file(data.join(SOCKET));
}
