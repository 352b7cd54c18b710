//! What can go wrong with the store, by what the caller must do about it.

use std::io::{self, ErrorKind};
use std::path::Path;

use thiserror::Error;

use crate::platform::fs::is_full;
use crate::text::message::{Message, msg};

/// Why the store could not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    /// Another process has the store open. Wait for it, or stop it.
    #[error("the store {path} is in use by another process: stop that one first, or wait until it is done")]
    InUse {
        /// The file.
        path: String,
    },
    /// A later release wrote the store in a way this one cannot read. Install the later one.
    #[error(
        "the store has format {format}, which this release cannot read (it reads up to {understood}): \
         install release {release} or a later one"
    )]
    Newer {
        /// The format of the file.
        format: u32,
        /// The latest format this release understands.
        understood: u32,
        /// A release that can read it.
        release: String,
    },
    /// The file is not, or no longer, a store. Restore a backup.
    #[error("the store is damaged ({reason}): move the file aside, keep it, and restore the last backup in its place")]
    Damaged {
        /// What was found.
        reason: String,
    },
    /// The machine does not let the store work: rights, a full disk, a failing disk. Mend it. A
    /// write that gets this may have reached the disk or not.
    #[error("{0}")]
    Machine(String),
    /// A unique index has the value already, for another record. This write alone was refused.
    #[error("{collection} '{key}' cannot be stored: its {index} is the one of '{holder}' already")]
    Conflict {
        /// The collection.
        collection: &'static str,
        /// The unique index.
        index: &'static str,
        /// The key of the record that was refused.
        key: String,
        /// The key of the record that has the value.
        holder: String,
    },
    /// The text is not a cursor that this list has given out. Start from the first page.
    #[error("the page marker is not one of this list: start again from its first page")]
    BadCursor,
    /// The index is being built, since this release is the first to have it. Try again later; all others
    /// can be used.
    #[error("the list of {collection} by {index} is being prepared for this release: try again in a few minutes")]
    NotBuilt {
        /// The collection.
        collection: &'static str,
        /// The index.
        index: &'static str,
    },
    /// One record cannot be read; all others can. Hold what depends on it and tell a person.
    #[error("{collection} '{key}' cannot be read: {reason}")]
    Unreadable {
        /// The collection, or `documents`.
        collection: &'static str,
        /// The key of the record.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store was closed. Open it again, or give up: the program is ending.
    #[error("the store is closed")]
    Closed,
    /// The program asks the store for something that cannot be, or a part of it panicked. Nothing
    /// of it was stored. Only a corrected release helps.
    #[error("{0}: this is a defect of the program, please report it")]
    Defect(String),
}

impl StoreError {
    /// An error of the operating system while doing `what` (such as "open the store") at `path`.
    pub(super) fn from_io(what: &str, path: &Path, error: &io::Error) -> Self {
        Self::Machine(format!("cannot {what} at {}: {}", path.display(), remedy(error)))
    }

    /// Damage, with what was found.
    pub(super) fn damaged(reason: impl Into<String>) -> Self {
        Self::Damaged { reason: reason.into() }
    }
}

impl From<&StoreError> for Message {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Conflict { collection, index, key, holder } => {
                msg!("store-conflict", collection = *collection, key, index = *index, holder)
            }
            StoreError::Unreadable { collection, key, reason } => {
                msg!("store-unreadable", collection = *collection, key).detailed(reason)
            }
            StoreError::Closed => msg!("store-closed"),
            // What they quote is the system's and the engine's, in English.
            StoreError::Machine(_) => Self::worded(error.to_string(), "store-machine", []),
            StoreError::Damaged { .. } => Self::worded(error.to_string(), "store-damaged", []),
            StoreError::Defect(_) => Self::worded(error.to_string(), "store-defect", []),
            // What only the start of the program meets, and what pages have words of their own for.
            StoreError::NotBuilt { .. }
            | StoreError::InUse { .. }
            | StoreError::Newer { .. }
            | StoreError::BadCursor => Self::quoting(error.to_string()),
        }
    }
}

/// The error of the operating system, and what mends it.
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

// The engine may add variants. What is not known here is taken for damage where it can come from
// the file, and for a defect where it can only come from the way the engine is used.

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
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_full_disk_says_to_make_room() {
        for code in [/* ENOSPC */ 28, /* EDQUOT */ 122, /* EFBIG */ 27] {
            let error = StoreError::from(redb::StorageError::Io(io::Error::from_raw_os_error(code)));
            assert!(matches!(&error, StoreError::Machine(text) if text.contains("make room on the disk")), "{error}");
        }
    }

    #[test]
    fn a_file_that_ends_too_early_is_damaged_not_the_machines_fault() {
        let error = StoreError::from(redb::StorageError::Io(ErrorKind::UnexpectedEof.into()));
        assert!(error.to_string().contains("restore the last backup"), "{error}");
    }
}
