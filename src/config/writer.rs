//! Writes changed settings back to the file: everything else in it stays unchanged, and the file is at every
//! instant either the old one or the new one.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustix::fs::{AtFlags, Mode, OFlags, fstat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;
use serde_yaml::Value;
use thiserror::Error;
use yaml_edit::YamlFile;

use super::Config;
use super::document::{self, SettingEntry, key_shown};
use super::error::{ConfigErrors, SettingSource};
use super::layers::{Layers, is_unused, read_file};
use super::live::ConfigWriter;

/// The reason why a setting was not written. The file is unchanged.
#[derive(Debug, Error)]
pub enum WriteBackError {
    /// A setting that does not exist, or that has no effect.
    #[error("there is no setting {0} that can be changed")]
    UnknownKey(String),
    /// A setting that another source overrides; change it there.
    #[error("{key} is set by {source_of_value}, which overrides the file; change it there")]
    SetElsewhere {
        /// Name of the setting.
        key: String,
        /// Source that sets it.
        source_of_value: SettingSource,
    },
    /// A configuration that would not be valid: correct the value, or the existing file.
    #[error("the configuration would not be valid:\n{0}")]
    Invalid(#[from] ConfigErrors),
    /// A file whose layout cannot be edited safely; edit it by hand.
    #[error("{path} is laid out in a way that cannot be changed from here; edit {key} by hand")]
    Layout {
        /// Path of the file.
        path: PathBuf,
        /// Name of the setting.
        key: String,
    },
    /// A file that cannot be written; correct the permissions, or free space on the disk.
    #[error("{path} cannot be written ({cause}): {}", mend.of(path))]
    NotWritable {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        cause: io::Error,
        /// Remedy for an administrator.
        mend: Remedy,
    },
}

/// The settings that can be changed from the dashboard, in the order in which it shows them.
pub const CHANGEABLE: [&str; 2] = ["github.token", "email.logger.alert.level"];

/// A remedy for a file that cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Creating the file, which does not exist yet.
    Create,
    /// Freeing space: the disk, or this user's quota, is full.
    FreeSpace,
    /// Granting this user the permission to write.
    Allow,
}

impl Remedy {
    fn for_cause(cause: &io::Error) -> Self {
        if cause.kind() == io::ErrorKind::NotFound {
            Self::Create
        } else if matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            Self::FreeSpace
        } else {
            Self::Allow
        }
    }

    /// Describes the remedy for the file at `path`.
    fn of(self, path: &Path) -> String {
        let folder = folder_of(path).display();
        match self {
            Self::Create => "create it first, from the commented example config/parameters.yml".to_owned(),
            Self::FreeSpace => format!("free some space in {folder}"),
            Self::Allow => {
                format!(
                    "let this user write to the folder {folder} (chown cashout {folder}), or change the file by hand"
                )
            }
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

/// Changes or adds settings (name, value) in the file at `path`, all or none. Keeps every other byte, the mode and the
/// owner (not access lists or other extended attributes). The whole configuration is validated with the change before
/// the file is replaced. An empty `value` stands for "not set". `environment` is that of [`Config::load`].
pub fn write_settings(
    path: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
    wanted: &[(&str, &str)],
) -> Result<(), WriteBackError> {
    change_settings(path, environment, wanted, &ConfigWriter::default())
}

/// Changes settings like [`write_settings`], with the file replaced by `scribe`.
pub(super) fn change_settings(
    path: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
    wanted: &[(&str, &str)],
    scribe: &ConfigWriter,
) -> Result<(), WriteBackError> {
    let environment: Vec<_> = environment.into_iter().collect();
    let cannot_write = |cause: io::Error| {
        let mend = Remedy::for_cause(&cause);
        WriteBackError::NotWritable { path: path.to_owned(), cause, mend }
    };
    // If the path is a link, its target is replaced, and the link stays.
    let target = fs::canonicalize(path).map_err(cannot_write)?;
    let folder = File::open(folder_of(&target)).map_err(cannot_write)?;
    // Concurrent changes must not undo each other. The lock is released when the folder is closed.
    folder.lock().map_err(cannot_write)?;

    let file = read_file(&target).map_err(ConfigErrors::from)?;
    let file = file.ok_or_else(|| cannot_write(io::ErrorKind::NotFound.into()))?;
    let layers = Layers::gather(path, Some(&file), &environment).map_err(ConfigErrors::from)?;
    let mut text = file.text.clone();
    for &(key, value) in wanted {
        match layers.settings.get(key).filter(|_| !is_unused(key)).map(|setting| &setting.source) {
            None => return Err(WriteBackError::UnknownKey(key_shown(key))),
            Some(source @ (SettingSource::Environment { .. } | SettingSource::Credential { .. })) => {
                return Err(WriteBackError::SetElsewhere { key: key.to_owned(), source_of_value: source.clone() });
            }
            Some(SettingSource::Default | SettingSource::File { .. }) => {}
        }
        text = changed(&text, key, value)
            .ok_or_else(|| WriteBackError::Layout { path: path.to_owned(), key: key.to_owned() })?;
    }
    if text == file.text {
        return Ok(());
    }
    Config::parse(path, text.clone(), environment)?;
    let name = target.file_name().unwrap_or_default();
    scribe.replace(&text).unwrap_or_else(|| replace_in(&folder, name, &text, None)).map_err(cannot_write)
}

/// Replaces the whole file at `path` with `text`. A missing file is created, for its owner only; so is a
/// missing folder.
pub(super) fn replace_settings(path: &Path, text: &str) -> io::Result<()> {
    let target = match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let path = std::path::absolute(path)?;
            let folder = folder_of(&path);
            if !folder.is_dir() {
                fs::DirBuilder::new().recursive(true).mode(0o750).create(folder)?;
            }
            path
        }
        found => found?,
    };
    replace_in(&File::open(folder_of(&target))?, target.file_name().unwrap_or_default(), text, None)
}

/// Returns true for two texts that differ only in settings that can be changed from the dashboard.
pub fn changes_nothing_else(before: &str, after: &str) -> bool {
    let (Ok(before), Ok(after)) = (document::parse("", before), document::parse("", after)) else { return false };
    let is_changeable = |key: &str| CHANGEABLE.contains(&key);
    others(&before, is_changeable) == others(&after, is_changeable)
}

/// Returns the settings that `is_meant` does not select by their name, with their values.
fn others(entries: &[SettingEntry], is_meant: impl Fn(&str) -> bool) -> Vec<(&str, &Value)> {
    let others = entries.iter().filter(|entry| !is_meant(&entry.key));
    others.map(|entry| (entry.key.as_str(), &entry.value)).collect()
}

/// Returns the text with `key` set to `value`; `None` if the result, parsed again, would not differ in exactly that.
pub(super) fn changed(text: &str, key: &str, value: &str) -> Option<String> {
    let before = document::parse("", text).ok()?;
    let has = |entries: &[SettingEntry]| {
        entries.iter().any(|entry| entry.key == key && document::scalar(&entry.value).as_deref() == Some(value))
    };
    if has(&before) {
        return Some(text.to_owned());
    }
    let file = YamlFile::from_str(text).ok()?;
    let settings = file.document()?.as_mapping()?.get_mapping("parameters")?;
    match value.parse::<i64>() {
        // A number is written without quotes, as people write it, if it reads back as the same text.
        Ok(number) if number.to_string() == value => settings.set(key, number),
        _ => settings.set(key, value),
    }
    let text = file.to_string();
    let after = document::parse("", &text).ok()?;
    let is_changed = |name: &str| name == key;
    (has(&after) && others(&before, is_changed) == others(&after, is_changed)).then_some(text)
}

/// Replaces the file `name` of `folder` with `text` in one step, durably, with the owner and mode of the
/// existing one; a new file is readable for `group`. No link is followed: not even if `name` is one. The next
/// change removes what a crash may leave next to the file.
pub fn replace_in(folder: &File, name: &OsStr, text: &str, group: Option<u32>) -> io::Result<()> {
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(".new");
    if let Err(error) = unlinkat(folder, &temporary, AtFlags::empty())
        && error != Errno::NOENT
    {
        return Err(error.into());
    }
    let written = write_like(folder, name, &temporary, text, group)
        .and_then(|()| Ok(renameat(folder, &temporary, folder, name)?));
    if let Err(error) = written {
        // The first error is the one to report; a file that cannot be removed is removed by the next change.
        let _ = unlinkat(folder, &temporary, AtFlags::empty());
        return Err(error);
    }
    folder.sync_all()
}

/// Writes `text` to the new file `temporary`, durably, with the owner and mode of `model`; if that does not
/// exist, readable for `group`. Until then no other user may open the file: it contains secrets.
fn write_like(folder: &File, model: &OsStr, temporary: &OsStr, text: &str, group: Option<u32>) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(folder, temporary, flags, Mode::from_raw_mode(0o600))?);
    file.write_all(text.as_bytes())?;
    match statat(folder, model, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(model) => {
            let created = file.metadata()?;
            if (created.uid(), created.gid()) != (model.st_uid, model.st_gid)
                && let Err(error) = fchown(&file, Some(model.st_uid), Some(model.st_gid))
            {
                // The owner of a folder may replace another user's file in it, but not give the file away.
                if error.kind() != io::ErrorKind::PermissionDenied || fstat(folder)?.st_uid != created.uid() {
                    return Err(error);
                }
                let _ = fchown(&file, None, Some(model.st_gid));
            }
            // Settings are never executable.
            file.set_permissions(Permissions::from_mode(model.st_mode & 0o666))?;
        }
        Err(Errno::NOENT) => {
            if group.is_some() {
                fchown(&file, None, group)?;
                file.set_permissions(Permissions::from_mode(0o640))?;
            }
        }
        Err(error) => return Err(error.into()),
    }
    file.sync_all()
}

#[cfg(test)]
mod tests;
