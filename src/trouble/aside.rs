//! A note beside the store that people have been told that it cannot be written.
//!
//! Where the disk is full, nothing can be stored, and each new start would tell again. The note is a file of a fixed
//! size, made while there is room, and overwritten in its place.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use super::Trouble;
use crate::platform::hex::hex;

/// The file in the data folder.
const FILE: &str = "store-trouble";
/// Its size, in bytes: one block of a file system.
const SIZE: usize = 4_096;
const LENGTH: u64 = 4_096;

/// The note about one data folder: in it, or, where that cannot be written, in the folder for temporary files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    beside: PathBuf,
    elsewhere: PathBuf,
}

impl Aside {
    /// The note about the data folder `data`.
    pub fn of(data: &Path) -> Self {
        let digest: String = hex(Sha256::digest(data.as_os_str().as_encoded_bytes()).into_iter().take(8));
        Self { beside: data.join(FILE), elsewhere: std::env::temp_dir().join(format!("cashout-{FILE}-{digest}")) }
    }

    /// Makes the file where it is missing, and takes its room.
    pub fn prepare(&self) {
        if std::fs::metadata(&self.beside).map_or(0, |about| about.len()) < LENGTH {
            let written = write(&self.beside, Vec::new());
            if let Err(error) = written {
                tracing::debug!(action = "serve", "{} cannot be prepared: {error}", self.beside.display());
            }
        }
    }

    /// Reads what people were told; `None` where they were told nothing.
    pub fn read(&self) -> Option<Trouble> {
        [&self.beside, &self.elsewhere].into_iter().find_map(|place| {
            let mut text = Vec::new();
            open(place, OpenOptions::new().read(true)).ok()?.take(LENGTH).read_to_end(&mut text).ok()?;
            serde_json::from_slice(text.trim_ascii()).ok()
        })
    }

    /// Notes that people were told of `trouble`; where that cannot be noted, they are told again.
    pub fn note(&self, trouble: &Trouble) {
        // The text for other languages is left out where there is no room for it.
        let short = Trouble { said: None, message: trouble.message.chars().take(500).collect(), ..trouble.clone() };
        let texts = [trouble, &short].map(|trouble| serde_json::to_vec(trouble).unwrap_or_default());
        let Some(text) = texts.into_iter().find(|text| text.len() <= SIZE) else { return };
        let noted = write(&self.beside, text.clone()).or_else(|_| write(&self.elsewhere, text));
        if let Err(error) = noted {
            tracing::warn!(action = "serve", "it cannot be noted that people were told of the store: {error}");
        }
    }

    /// Notes that it has been kept in the store.
    pub fn clear(&self) {
        if self.read().is_some() {
            // Where the first cannot be written, the store could not have been either.
            let _ = write(&self.beside, Vec::new());
            let _ = std::fs::remove_file(&self.elsewhere);
        }
    }
}

/// Overwrites the file in its place, so that it takes no more room than it has.
fn write(place: &Path, mut text: Vec<u8>) -> io::Result<()> {
    text.resize(SIZE, b' ');
    let mut file = open(place, OpenOptions::new().write(true).create(true).truncate(false).mode(0o600))?;
    file.write_all(&text)?;
    file.sync_data()
}

/// Opens a file of ours: no link of somebody else's is followed, and nobody else's file is believed.
fn open(place: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file = options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(place)?;
    let about = file.metadata()?;
    if !about.is_file() || about.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::from(io::ErrorKind::PermissionDenied));
    }
    Ok(file)
}
