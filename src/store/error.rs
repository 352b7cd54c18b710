//! Errors of the store, grouped by what the caller must do about them.

use std::io::{self, ErrorKind};
use std::path::Path;

use thiserror::Error;

use crate::platform::fs::is_full;
use crate::text::message::{Message, msg};

/// The reason for a failed operation of the store.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    /// A store that another process has open. Wait for that process, or stop it.
    #[error("the store {path} is in use by another process: stop that one first, or wait until it is done")]
    InUse {
        /// Path of the file.
        path: String,
    },
    /// A store that a later release wrote in a format this one cannot read. Install the later release.
    #[error(
        "the store has format {format}, which this release cannot read (it reads up to {understood}): \
         install release {release} or a later one"
    )]
    Newer {
        /// Format of the file.
        format: u32,
        /// Latest format this release understands.
        understood: u32,
        /// A release that can read it.
        release: String,
    },
    /// A file that is not a store, or no longer one. Restore a backup.
    #[error("the store is damaged ({reason}): move the file aside, keep it, and restore the last backup in its place")]
    Damaged {
        /// The damage found.
        reason: String,
    },
    /// A fault of the machine: permissions, a full disk, a failing disk. Repair it. A write that gets this
    /// error may or may not have reached the disk.
    #[error("{0}")]
    Machine(String),
    /// A value that another record already has in a unique index. Only this write was refused.
    #[error("{collection} '{key}' cannot be stored: its {index} is the one of '{holder}' already")]
    Conflict {
        /// Name of the collection.
        collection: &'static str,
        /// Name of the unique index.
        index: &'static str,
        /// Key of the record that was refused.
        key: String,
        /// Key of the record that has the value.
        holder: String,
    },
    /// A text that is not a cursor of this list. Start from the first page.
    #[error("the page marker is not one of this list: start again from its first page")]
    BadCursor,
    /// An index that is still being built, because this release is the first to have it. Try again later; all
    /// other indexes can be used.
    #[error("the list of {collection} by {index} is being prepared for this release: try again in a few minutes")]
    NotBuilt {
        /// Name of the collection.
        collection: &'static str,
        /// Name of the index.
        index: &'static str,
    },
    /// A record that cannot be read; all others can. Hold whatever depends on it and notify a person.
    #[error("{collection} '{key}' cannot be read: {reason}")]
    Unreadable {
        /// Name of the collection, or `documents`.
        collection: &'static str,
        /// Key of the record.
        key: String,
        /// Reason why it cannot be read.
        reason: String,
    },
    /// A store that was closed. Reopen it, or give up: the program is shutting down.
    #[error("the store is closed")]
    Closed,
    /// An impossible request by the program, or a panic in a part of it. Its changes were not stored. Only a
    /// corrected release helps.
    #[error("{0}: this is a defect of the program, please report it")]
    Defect(String),
}

impl StoreError {
    /// Makes an error from an operating system error while doing `what` (such as "open the store") at `path`.
    pub(super) fn from_io(what: &str, path: &Path, error: &io::Error) -> Self {
        Self::Machine(format!("cannot {what} at {}: {}", path.display(), remedy(error)))
    }

    /// Makes a [`StoreError::Damaged`] from a reason.
    pub(super) fn damaged(reason: impl Into<String>) -> Self {
        Self::Damaged { reason: reason.into() }
    }
}

impl From<&StoreError> for Message {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Conflict { collection, index, key, holder } => {
                msg!("store-conflict", collection = *collection, key, index = *index, holder)
                    .with_text(error.to_string())
            }
            StoreError::Unreadable { collection, key, reason } => {
                msg!("store-unreadable", collection = *collection, key).detailed(reason)
            }
            StoreError::Closed => msg!("store-closed"),
            // The quoted texts come from the operating system and the engine, in English.
            StoreError::Machine(words) => Self::worded(error.to_string(), "store-machine", []).containing(words),
            StoreError::Damaged { reason } => Self::worded(error.to_string(), "store-damaged", []).containing(reason),
            StoreError::Defect(words) => Self::worded(error.to_string(), "store-defect", []).containing(words),
            // `InUse` and `Newer` occur only when the program starts; pages have their own words for the others.
            StoreError::NotBuilt { .. }
            | StoreError::InUse { .. }
            | StoreError::Newer { .. }
            | StoreError::BadCursor => Self::quoting(error.to_string()),
        }
    }
}

/// Describes an operating system error together with its remedy.
fn remedy(error: &io::Error) -> String {
    let advice = if is_full(error) {
        "make room on the disk (or raise the quota or the limit on the size of files), then start again"
    } else if error.kind() == ErrorKind::PermissionDenied {
        "give the folder and the files in it to the user that the program runs as"
    } else if error.kind() == ErrorKind::ReadOnlyFilesystem {
        "the file system is read-only: remount it for writing, or choose another folder"
    } else if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) {
        "create the folder, or correct the path"
    } else {
        "check the disk and the system's log, then start again"
    };
    format!("{error}; {advice}")
}

// The engine may add variants. An unknown one counts as damage if the file can cause it, and as a defect if
// only the use of the engine can.

impl From<redb::StorageError> for StoreError {
    fn from(error: redb::StorageError) -> Self {
        use redb::StorageError as Storage;
        let text = error.to_string();
        match error {
            Storage::Io(error) if !matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData) => {
                Self::Machine(format!("cannot read or write the store: {}", remedy(&error)))
            }
            Storage::PreviousIo => Self::Machine(
                "the store stopped after an earlier error of the disk: mend that (the log has it), then start again"
                    .to_owned(),
            ),
            Storage::DatabaseClosed => Self::Closed,
            Storage::ValueTooLarge(_) | Storage::Unsupported | Storage::LockPoisoned(_) => Self::Defect(text),
            Storage::Io(_) | Storage::Corrupted(_) | _ => Self::damaged(text),
        }
    }
}

impl From<redb::TableError> for StoreError {
    fn from(error: redb::TableError) -> Self {
        let text = error.to_string();
        if let redb::TableError::Storage(error) = error { error.into() } else { Self::damaged(text) }
    }
}

impl From<redb::TransactionError> for StoreError {
    fn from(error: redb::TransactionError) -> Self {
        if let redb::TransactionError::Storage(error) = error { error.into() } else { Self::Defect(error.to_string()) }
    }
}

impl From<redb::CommitError> for StoreError {
    fn from(error: redb::CommitError) -> Self {
        if let redb::CommitError::Storage(error) = error { error.into() } else { Self::Defect(error.to_string()) }
    }
}

#[cfg(test)]
mod tests;
