//! A note beside the store that people have been told that it cannot be written.
//!
//! Where the disk is full, nothing can be stored, and each new start would tell again. The note is a file of a fixed
//! size, made while there is room, and overwritten in its place.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::Trouble;

/// The file in the data folder.
const FILE: &str = "store-trouble";
/// Its size, in bytes: one block of a file system.
const SIZE: usize = 4_096;

/// The note in one data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside(PathBuf);

impl Aside {
    /// The note in the data folder `data`.
    pub fn of(data: &Path) -> Self {
        Self(data.join(FILE))
    }

    /// Makes the file where it is missing. Without it, people are told at each start.
    pub fn prepare(&self) {
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.0);
        let written = made.and_then(|mut file| file.write_all(&[b' '; SIZE]).and_then(|()| file.sync_all()));
        if let Err(error) = written.as_ref().map_err(std::io::Error::kind)
            && error != std::io::ErrorKind::AlreadyExists
        {
            tracing::debug!(action = "serve", "{} cannot be prepared: {error}", self.0.display());
        }
    }

    /// Reads what people were told; `None` where they were told nothing.
    pub fn read(&self) -> Option<Trouble> {
        serde_json::from_slice(std::fs::read(&self.0).ok()?.trim_ascii()).ok()
    }

    /// Notes that people were told of `trouble`; where that cannot be noted, they are told again.
    pub fn note(&self, trouble: &Trouble) {
        // The text for other languages is left out where there is no room for it.
        let short = Trouble { said: None, message: trouble.message.chars().take(500).collect(), ..trouble.clone() };
        let texts = [trouble, &short].map(|trouble| serde_json::to_vec(trouble).unwrap_or_default());
        if let Some(text) = texts.into_iter().find(|text| text.len() <= SIZE) {
            self.overwrite(text);
        }
    }

    /// Notes that it has been kept in the store.
    pub fn clear(&self) {
        self.overwrite(Vec::new());
    }

    fn overwrite(&self, mut text: Vec<u8>) {
        text.resize(SIZE, b' ');
        let written = OpenOptions::new().write(true).open(&self.0);
        let written = written.and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_data()));
        if let Err(error) = written {
            tracing::debug!(action = "serve", "{} cannot be written: {error}", self.0.display());
        }
    }
}
