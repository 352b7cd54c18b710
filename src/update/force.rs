//! A person's order to the guard to install a release even if it is older.
//!
//! The worker could claim such an order by itself, and it is the process that talks to the network. So if the guard
//! runs as another user, the person who insists holds a lock on a file in the guard's folder, which the worker cannot
//! reach. The lock exists only while the command runs. It stays with root: the part of the command that works as the
//! service's user is another process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::fs::OFlags;
use semver::Version;
use serde::{Deserialize, Serialize};

const NAME: &str = "insistence";

/// Validity of an order; the time that an update may take altogether.
const ORDER_VALIDITY: Duration = Duration::from_mins(30);

/// Upper bound on the content of the file, in bytes.
const MAX_LENGTH: u64 = 1024;

/// The release that someone insists on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Insistence {
    /// The release of this version, even an older one.
    Version(Version),
    /// The newest release, even if it was rolled back before.
    Newest,
    /// The previous release.
    Previous,
}

/// An order in force; it ends when this is dropped.
#[derive(Debug)]
pub struct Insisting {
    _locked: File,
}

impl Insistence {
    /// Gives the order to the guard whose folder is `state`. Fails with `WouldBlock` if someone else insists, and with
    /// `PermissionDenied` if this user may not.
    pub fn write_order(&self, state: &Path) -> io::Result<Insisting> {
        let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600).custom_flags(flags);
        let mut file = options.open(state.join(NAME))?;
        file.try_lock()?;
        file.set_len(0)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        Ok(Insisting { _locked: file })
    }

    /// Returns the order in force, given by a user who may write to the guard's folder `state`.
    pub(super) fn of(state: &Path) -> Option<Self> {
        let file = File::open(state.join(NAME)).ok()?;
        // The lock is free, so its holder is gone.
        let Err(TryLockError::WouldBlock) = file.try_lock_shared() else { return None };
        let since = file.metadata().and_then(|metadata| metadata.modified()).ok()?;
        // The holder may have been suspended by another process.
        if since.elapsed().is_ok_and(|since| since > ORDER_VALIDITY) {
            return None;
        }
        let mut text = Vec::new();
        file.take(MAX_LENGTH).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_as_long_as_it_is_held_and_one_insists_at_a_time() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(Insistence::of(state.path()), None);
        let wanted = Insistence::Version(Version::new(1, 2, 3));
        let held = wanted.write_order(state.path()).unwrap();
        assert_eq!(Insistence::of(state.path()), Some(wanted));
        assert_eq!(Insistence::Newest.write_order(state.path()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(held);
        assert_eq!(Insistence::of(state.path()), None);
        let _held = Insistence::Previous.write_order(state.path()).unwrap();
        assert_eq!(Insistence::of(state.path()), Some(Insistence::Previous));
    }

    #[test]
    fn rubbish_insists_on_nothing() {
        let state = tempfile::tempdir().unwrap();
        let _held = Insistence::Newest.write_order(state.path()).unwrap();
        for text in ["", "{", "\"everything\"", "{\"version\":\"x\"}"] {
            std::fs::write(state.path().join(NAME), text).unwrap();
            assert_eq!(Insistence::of(state.path()), None, "{text}");
        }
    }
}
