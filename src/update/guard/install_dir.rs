//! The files of an installation, and the only operations on them.
//!
//! Each operation is complete or has no effect: a new file is written under a temporary name, flushed, and renamed, and
//! the folder is flushed after it. Each is harmless to repeat.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::fault_injection::DiskOperation::{Flush, Make, Remove, Rename, Write as Writes};
use super::fault_injection::Trap;
use crate::platform::fs::{existing, is_full};
use crate::platform::hex::hex;
use crate::update::reserve::{self, RESERVE};

/// Space reserved for the journal and a line of the history, in bytes.
const ROLLBACK_RESERVE: u64 = 1024 * 1024;

/// The paths of an installation.
#[derive(Debug)]
pub(super) struct Place {
    /// The active binary.
    pub(super) program: PathBuf,
    /// The guard's own folder: journal, history, lock.
    pub(super) state: PathBuf,
    pub(super) trap: Trap,
}

impl Place {
    pub(super) fn new(program: PathBuf, state: PathBuf) -> Self {
        let trap = Trap::of(&state);
        Self { program, state, trap }
    }

    /// Returns the path of the previous binary.
    pub(super) fn previous(&self) -> PathBuf {
        let mut name = self.program.file_name().unwrap_or_default().to_owned();
        name.push(".prev");
        self.program.with_file_name(name)
    }

    /// Returns the folder of a candidate. It is in the binary's own folder, so that a rename is one step.
    pub(super) fn stage(&self) -> PathBuf {
        self.program.with_file_name(".stage")
    }

    /// Returns the path of the candidate.
    pub(super) fn candidate(&self) -> PathBuf {
        self.stage().join("cashout")
    }

    /// Checks that the active binary can be replaced; the error is the reason why it cannot.
    pub(super) fn try_to_write(&self) -> io::Result<()> {
        self.clear_stage()?;
        DirBuilder::new().mode(0o755).create(self.stage())?;
        let written = File::create(self.stage().join("try")).and_then(|mut file| file.write_all(b"cashout"));
        // A file that is mounted by itself can be neither renamed within its folder nor linked to. A link that is
        // forbidden for another reason proves nothing.
        let linked = match fs::hard_link(&self.program, self.stage().join("link")) {
            Err(error) if error.kind() == ErrorKind::CrossesDevices => Err(error),
            _ => Ok(()),
        };
        self.clear_stage()?;
        written.and(linked)
    }

    /// Creates an empty stage, and returns its path.
    pub(super) fn make_stage(&self) -> io::Result<PathBuf> {
        self.clear_stage()?;
        self.trap.step(Make(&self.stage()), || DirBuilder::new().mode(0o755).create(self.stage()))?;
        // The mode must not depend on the umask: the candidate is tried by the worker's user.
        fs::set_permissions(self.stage(), Permissions::from_mode(0o755))?;
        Ok(self.stage())
    }

    /// Removes the stage, so that no file of an attempt is left.
    pub(super) fn clear_stage(&self) -> io::Result<()> {
        existing(self.trap.step(Remove(&self.stage()), || fs::remove_dir_all(self.stage()))).map(drop)
    }

    /// Renames a file, and flushes its new folder.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.trap.step(Rename(from, to), || fs::rename(from, to))?;
        self.flush(to.parent().unwrap_or(Path::new("/")))
    }

    /// Flushes the names in a folder.
    fn flush(&self, folder: &Path) -> io::Result<()> {
        self.trap.step(Flush(folder), || File::open(folder)?.sync_all())
    }

    /// Flushes the candidate to the disk, and makes it executable for all users.
    pub(super) fn prepare_candidate(&self) -> io::Result<()> {
        let file = File::open(self.candidate())?;
        file.set_permissions(Permissions::from_mode(0o755))?;
        self.trap.step(Writes(&self.candidate()), || file.sync_all())?;
        self.flush(&self.stage())
    }

    /// Keeps a copy of the active binary as the previous one. It is a copy, not a link: a rename between two names of
    /// one file does nothing.
    pub(super) fn keep_previous(&self) -> io::Result<()> {
        if !self.stage().is_dir() {
            DirBuilder::new().mode(0o755).create(self.stage())?;
        }
        // The copy is made in the stage, so that it appears complete.
        let temporary = self.stage().join("copy");
        self.trap.step(Writes(&temporary), || {
            let (mut from, mut copy) = (File::open(&self.program)?, File::create(&temporary)?);
            io::copy(&mut from, &mut copy)?;
            copy.set_permissions(from.metadata()?.permissions())?;
            copy.sync_all()
        })?;
        self.rename(&temporary, &self.previous())
    }

    /// Replaces the active binary by the candidate. There is a complete binary at every instant.
    pub(super) fn put_candidate(&self) -> io::Result<()> {
        self.rename(&self.candidate(), &self.program)
    }

    /// Replaces the active binary by the previous one. The file itself is moved, not copied: that takes no space, and
    /// there may be none left.
    pub(super) fn put_previous_back(&self) -> io::Result<()> {
        self.rename(&self.previous(), &self.program)
    }

    /// Reserves the space that a rollback takes in the guard's folder.
    pub(super) fn reserve(&self) -> io::Result<()> {
        let reserve = self.state.join(RESERVE);
        self.trap.step(Writes(&reserve), || reserve::reserve(&self.state, ROLLBACK_RESERVE))
    }

    /// Frees the reserved space.
    pub(super) fn free_reserved(&self) -> io::Result<()> {
        let reserve = self.state.join(RESERVE);
        self.trap.step(Remove(&reserve), || reserve::free(&self.state))
    }

    /// Writes something into the guard's folder, and uses the reserved space if the disk is full.
    fn with_room(&self, write: impl Fn() -> io::Result<()>) -> io::Result<()> {
        match write() {
            Err(error) if is_full(&error) => reserve::free(&self.state).and_then(|()| write()),
            other => other,
        }
    }

    /// Writes a file of the guard's folder, completely or not at all.
    pub(super) fn write_state(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let (temporary, path) = (self.state.join(format!(".{name}.new")), self.state.join(name));
        self.trap.step(Writes(&temporary), || {
            self.with_room(|| {
                let mut file =
                    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
                file.write_all(bytes)?;
                file.sync_all()
            })
        })?;
        self.rename(&temporary, &path)
    }

    /// Adds a line to a file of the guard's folder. A line that was cut off by a crash stays a line of its own, which
    /// cannot be read.
    pub(super) fn add_line(&self, name: &str, line: &str) -> io::Result<()> {
        let path = self.state.join(name);
        self.trap.step(Writes(&path), || {
            self.with_room(|| {
                let whole = fs::read(&path).map_or(true, |bytes| bytes.last().is_none_or(|last| *last == b'\n'));
                let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
                let start = if whole { "" } else { "\n" };
                file.write_all(format!("{start}{line}\n").as_bytes())?;
                file.sync_all()
            })
        })?;
        self.flush(&self.state)
    }

    /// Returns the content of a file of the guard's folder; `None` if there is none.
    pub(super) fn read_state(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        existing(fs::read(self.state.join(name)))
    }
}

/// Returns the SHA-256 of a file, in hexadecimal digits; `None` if there is none.
pub(super) fn digest_at(path: &Path) -> io::Result<Option<String>> {
    existing(File::open(path))?.map(digest_of).transpose()
}

/// Returns the SHA-256 of everything that a reader yields, in hexadecimal digits.
pub(super) fn digest_of(mut from: impl Read) -> io::Result<String> {
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 64 * 1024]);
    loop {
        let count = from.read(&mut buffer)?;
        let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else { break };
        hash.update(read);
    }
    Ok(hex(hash.finalize()))
}
