//! A note outside the store that people were notified of the store's failure.
//!
//! On a full disk nothing can be stored, and each new start would notify again. The note is a file of a fixed size,
//! created while there is room, and overwritten in place.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use super::Trouble;
use crate::platform::hex::hex;
use crate::text::message::{Message, logged, msg};

/// Name of the file in the data folder.
const FILE: &str = "store-trouble";
/// Size of the file, in bytes: one block of a file system.
const SIZE: usize = 4_096;
const LENGTH: u64 = 4_096;

/// The note about one data folder: in it, or, if that cannot be written, in the folder for temporary files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    beside: PathBuf,
    elsewhere: PathBuf,
}

impl Aside {
    /// Returns the note about the data folder `data`.
    pub fn of(data: &Path) -> Self {
        let digest: String = hex(Sha256::digest(data.as_os_str().as_encoded_bytes()).into_iter().take(8));
        Self { beside: data.join(FILE), elsewhere: std::env::temp_dir().join(format!("cashout-{FILE}-{digest}")) }
    }

    /// Creates the file if it is missing, and reserves its room.
    pub fn prepare(&self) {
        if std::fs::metadata(&self.beside).map_or(0, |about| about.len()) < LENGTH {
            let written = write(&self.beside, Vec::new());
            if let Err(error) = written {
                tracing::debug!(action = "serve", "{} cannot be prepared: {error}", self.beside.display());
            }
        }
    }

    /// Reads the trouble that people were notified of; `None` if there is none.
    pub fn read(&self) -> Option<Trouble> {
        [&self.beside, &self.elsewhere].into_iter().find_map(|place| {
            let mut text = Vec::new();
            open(place, OpenOptions::new().read(true)).ok()?.take(LENGTH).read_to_end(&mut text).ok()?;
            serde_json::from_slice(text.trim_ascii()).ok()
        })
    }

    /// Records that people were notified of `trouble`; if that fails, they are notified again.
    pub fn record_notified(&self, trouble: &Trouble) {
        // The stored message for other languages is left out if there is no room for it.
        let short = Trouble {
            message: Message::quoting(trouble.message.chars().take(500).collect::<String>()),
            ..trouble.clone()
        };
        let texts = [trouble, &short].map(|trouble| serde_json::to_vec(trouble).unwrap_or_default());
        let Some(text) = texts.into_iter().find(|text| text.len() <= SIZE) else { return };
        let noted = write(&self.beside, text.clone()).or_else(|_| write(&self.elsewhere, text));
        if let Err(error) = noted {
            logged!(warn, action = "serve", msg!("log-store-notice-not-kept", error = error.to_string()));
        }
    }

    /// Clears the note, once its trouble is in the store.
    pub fn clear(&self) {
        if self.read().is_some() {
            // If the first cannot be written, the store could not have been written either.
            let _ = write(&self.beside, Vec::new());
            let _ = std::fs::remove_file(&self.elsewhere);
        }
    }
}

/// Overwrites the file in place, so that it takes no additional room.
fn write(place: &Path, mut text: Vec<u8>) -> io::Result<()> {
    text.resize(SIZE, b' ');
    let mut file = open(place, OpenOptions::new().write(true).create(true).truncate(false).mode(0o600))?;
    file.write_all(&text)?;
    file.sync_data()
}

/// Opens a file of ours: symbolic links are not followed, and another user's file is not trusted.
fn open(place: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file = options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(place)?;
    let about = file.metadata()?;
    if !about.is_file() || about.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::from(io::ErrorKind::PermissionDenied));
    }
    Ok(file)
}
