//! The settings' file, where it is the guard's to write: a guard that is root opens nothing by a path that its worker
//! could have bent.

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

use crate::config::{CHANGEABLE, Config, LARGEST_FILE, changes_nothing_else, process_environment, replace_in};
use crate::platform::os::User;
use crate::update::channel::Contents;

/// The most links on the way to a file, as for the system itself.
const MAX_LINKS: u32 = 40;

/// The settings' file of a worker that runs as another user.
#[derive(Debug)]
pub struct SettingsFile {
    /// As it was named.
    path: PathBuf,
    /// Opened once; nothing where there is no such folder.
    folder: Option<File>,
    name: OsString,
    user: User,
    /// The worker cannot change the folder, nor what leads to it.
    is_ours: bool,
}

/// A refusal of new settings, or an error of the machine.
#[derive(Debug)]
pub(super) enum NotReplaced {
    /// They are no settings, and this is why.
    Refused(String),
    /// The machine.
    Machine(io::Error),
}

impl From<io::Error> for NotReplaced {
    fn from(error: io::Error) -> Self {
        Self::Machine(error)
    }
}

impl SettingsFile {
    /// Opens the folder of the file at `path`, which is made where `makes` says so. Links are followed as long as the
    /// worker, who runs as `user`, cannot have laid them; from there on they are an error.
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
                // In a folder of everybody's, such as /tmp, it may be the worker's all the same.
                if !is_ours || link.st_uid == user.id {
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, refused_link(path, &name, user)));
                }
                links = links.saturating_add(1);
                if links > MAX_LINKS {
                    return Err(Errno::LOOP.into());
                }
                let target = readlinkat(&here, &name, Vec::new())?.into_bytes();
                let target = PathBuf::from(OsString::from_vec(target));
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
            if found.is_none() {
                if !(is_ours && makes) {
                    return Ok(Self { path: path.to_owned(), folder: None, name, user, is_ours });
                }
                if make_folder(&here, &name, user).is_err() {
                    // What is written at the end of the first run says so.
                    return Ok(Self { path: path.to_owned(), folder: None, name, user, is_ours });
                }
            }
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            here = openat(&here, &name, flags, Mode::empty())?;
        }
    }

    /// Returns true for a file that the guard replaces; else the worker does so by itself, with the rights that it has.
    pub(super) fn is_ours(&self) -> bool {
        self.is_ours && self.folder.is_some()
    }

    /// The file as it stands; nothing where there is none. Waits for no other process.
    pub fn file(&self) -> io::Result<Option<File>> {
        let Some(folder) = &self.folder else { return Ok(None) };
        // A pipe in the place of the file must not keep us waiting for somebody who writes.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        match openat(folder, &self.name, flags, Mode::empty()) {
            Err(Errno::NOENT) => Ok(None),
            opened => Ok(Some(File::from(opened?))),
        }
    }

    /// Replaces the file by what can be read from `text`, if that is a whole configuration.
    /// Outside a first run only what the dashboard shows may differ.
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
                let sentence = format!("from the dashboard these settings are changed alone: {changeable}");
                return Err(NotReplaced::Refused(sentence));
            }
        }
        Ok(replace_in(folder, &self.name, &text, Some(self.user.group))?)
    }
}

/// All of a file, as text; it may not be longer than settings are.
fn read_text(file: &File) -> io::Result<String> {
    let mut bytes = Vec::new();
    Contents::of(file).take(LARGEST_FILE.saturating_add(1)).read_to_end(&mut bytes)?;
    let too_long = u64::try_from(bytes.len()).is_ok_and(|length| length > LARGEST_FILE);
    if too_long {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "settings are no longer than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "settings are text in UTF-8"))
}

/// Makes a folder that the worker can read.
fn make_folder(here: &OwnedFd, name: &OsStr, user: User) -> io::Result<()> {
    mkdirat(here, name, Mode::from_raw_mode(0o750))?;
    let made = openat(here, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    // Whatever the umask says.
    fchmod(&made, Mode::from_raw_mode(0o750))?;
    fchown(&made, None, Some(user.group))
}

fn root() -> io::Result<OwnedFd> {
    Ok(open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// The names on the way, without those that lead nowhere.
fn steps(path: &Path) -> VecDeque<OsString> {
    let names = path.components().filter_map(|step| match step {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    names.collect()
}

/// Returns true for a folder in which `user` can change something.
fn may_be_changed(folder: &Stat, user: User) -> bool {
    let by_group = folder.st_mode & 0o020 != 0 && folder.st_gid == user.group;
    let by_anybody = folder.st_mode & 0o002 != 0;
    // In a sticky folder everybody changes what is his own.
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
