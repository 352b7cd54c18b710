//! The settings file, if the guard is the one that writes it. A guard that is root opens nothing by a path that its
//! worker could have redirected.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::fchown;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fchmod, fstat, mkdirat, open, openat, readlinkat, statat};
use rustix::io::Errno;

use crate::config::{CHANGEABLE, Config, MAX_FILE_SIZE, changes_nothing_else, process_environment, replace_in};
use crate::platform::os::User;
use crate::update::channel::Contents;

/// Upper bound on the links on the way to a file; the system has the same.
const MAX_LINKS: u32 = 40;

/// The settings file of a worker that runs as another user.
#[derive(Debug)]
pub struct SettingsFile {
    /// Path of the file, as it was given.
    path: PathBuf,
    /// Folder of the file, opened once; `None` if there is no such folder.
    folder: Option<File>,
    name: OsString,
    user: User,
    /// Set if the worker can change neither the folder nor the way to it.
    is_ours: bool,
}

/// A refusal of new settings, or an error of the machine.
#[derive(Debug)]
pub(super) enum NotReplaced {
    /// Refusal of the settings, with its reason.
    Refused(String),
    /// Error of the machine.
    Machine(io::Error),
}

impl From<io::Error> for NotReplaced {
    fn from(error: io::Error) -> Self {
        Self::Machine(error)
    }
}

impl SettingsFile {
    /// Opens the folder of the file at `path`, and creates it if `makes` is set. Links are followed as long as the
    /// worker, which runs as `user`, cannot have created them; from there on they are an error.
    pub fn open(path: &Path, user: User, makes: bool) -> io::Result<Self> {
        let absolute = std::path::absolute(path)?;
        let mut way: VecDeque<OsString> = steps(&absolute);
        let mut here = root()?;
        let (mut is_ours, mut links) = (true, 0_u32);
        loop {
            is_ours &= !may_be_changed(&fstat(&here)?, user);
            let name = way.pop_front().unwrap_or_default();
            let found = match statat(&here, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => None,
                found => Some(found?),
            };
            if let Some(link) = found.filter(|found| FileType::from_raw_mode(found.st_mode) == FileType::Symlink) {
                // In a folder that all users can write to, such as /tmp, the link may still be the worker's.
                if !is_ours || link.st_uid == user.id {
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, refused_link(path, &name, user)));
                }
                links = links.saturating_add(1);
                if links > MAX_LINKS {
                    return Err(Errno::LOOP.into());
                }
                let target = PathBuf::from(OsString::from_vec(readlinkat(&here, &name, Vec::new())?.into_bytes()));
                if target.is_absolute() {
                    here = root()?;
                }
                let mut rest = std::mem::replace(&mut way, steps(&target));
                way.append(&mut rest);
                continue;
            }
            if way.is_empty() {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let folder = File::from(openat(&here, ".", flags, Mode::empty())?);
                return Ok(Self { path: path.to_owned(), folder: Some(folder), name, user, is_ours });
            }
            // An error in making the folder appears when the settings are written at the end of the first run.
            if found.is_none() && !(is_ours && makes && make_folder(&here, &name, user).is_ok()) {
                return Ok(Self { path: path.to_owned(), folder: None, name, user, is_ours });
            }
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            here = openat(&here, &name, flags, Mode::empty())?;
        }
    }

    /// Returns true if the guard replaces the file; otherwise the worker does so by itself, with its own rights.
    pub(super) fn is_ours(&self) -> bool {
        self.is_ours && self.folder.is_some()
    }

    /// Returns the present file; `None` if there is none. Waits for no other process.
    pub fn file(&self) -> io::Result<Option<File>> {
        let Some(folder) = &self.folder else { return Ok(None) };
        // If the file is a pipe, this must not wait for a process that writes to it.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        match openat(folder, &self.name, flags, Mode::empty()) {
            Err(Errno::NOENT) => Ok(None),
            opened => Ok(Some(File::from(opened?))),
        }
    }

    /// Replaces the file by the content of `text`, if that is a complete configuration. Outside a first run, only the
    /// settings that the dashboard shows may differ.
    pub(super) fn replace(&self, text: &File, first_run: bool) -> Result<(), NotReplaced> {
        let Some(folder) = self.folder.as_ref().filter(|_| self.is_ours) else {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied).into());
        };
        let text = read_text(text).map_err(|error| NotReplaced::Refused(error.to_string()))?;
        let parsed = Config::parse(&self.path, text.clone(), process_environment());
        parsed.map_err(|errors| NotReplaced::Refused(errors.to_string()))?;
        if !first_run {
            let before = self.file()?.map(|file| read_text(&file)).transpose()?.unwrap_or_default();
            if !changes_nothing_else(&before, &text) {
                let changeable = CHANGEABLE.join(", ");
                let sentence = format!("only these settings can be changed from the dashboard: {changeable}");
                return Err(NotReplaced::Refused(sentence));
            }
        }
        Ok(replace_in(folder, &self.name, &text, Some(self.user.group))?)
    }
}

/// Reads a whole file as text; fails if it is longer than settings may be.
fn read_text(file: &File) -> io::Result<String> {
    let mut bytes = Vec::new();
    Contents::of(file).take(MAX_FILE_SIZE.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_FILE_SIZE) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the settings are longer than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the settings are not UTF-8 text"))
}

/// Creates a folder that the worker can read.
fn make_folder(here: &OwnedFd, name: &OsStr, user: User) -> io::Result<()> {
    mkdirat(here, name, Mode::from_raw_mode(0o750))?;
    let made = openat(here, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    // The mode must not depend on the umask.
    fchmod(&made, Mode::from_raw_mode(0o750))?;
    fchown(&made, None, Some(user.group))
}

fn root() -> io::Result<OwnedFd> {
    Ok(open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Returns the names in a path, without the root and `.`.
fn steps(path: &Path) -> VecDeque<OsString> {
    let names = path.components().filter_map(|step| match step {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    names.collect()
}

/// Returns true if `user` can change something in the folder.
fn may_be_changed(folder: &Stat, user: User) -> bool {
    let by_group = folder.st_mode & 0o020 != 0 && folder.st_gid == user.group;
    let by_anybody = folder.st_mode & 0o002 != 0;
    // In a sticky folder, users can change only their own entries.
    let is_sticky = folder.st_mode & 0o1000 != 0;
    folder.st_uid == user.id || ((by_group || by_anybody) && !is_sticky)
}

fn refused_link(path: &Path, name: &OsStr, user: User) -> String {
    format!(
        "{} leads through the link {}, in a folder that user {} can change: root does not follow it; give that folder \
         to root, or name the file itself with --config",
        path.display(),
        name.display(),
        user.id
    )
}
