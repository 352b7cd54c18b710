//! The current settings. Those of [`CHANGEABLE`](super::CHANGEABLE) change at once, in the dashboard; all others are
//! those of the start, so that pages, batches and services agree.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::{fmt, io};

use super::writer::change_settings;
use super::{Config, WriteBackError, process_environment};

/// The configuration in use and the path of its file. Clones share it.
#[derive(Debug, Clone)]
pub struct Settings {
    path: Arc<PathBuf>,
    current: Arc<RwLock<Arc<Config>>>,
    scribe: ConfigWriter,
}

/// The writer of the file: this process, or another one with the necessary permission.
#[derive(Clone, Default)]
pub struct ConfigWriter(Option<Arc<Replace>>);

type Replace = dyn Fn(&str) -> io::Result<()> + Send + Sync;

impl ConfigWriter {
    /// Makes a writer that replaces the whole file with the given text. `replace` may block.
    pub fn new(replace: impl Fn(&str) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(replace)))
    }

    /// Replaces the file through the other writer; `None` if this process writes it itself.
    pub(super) fn replace(&self, text: &str) -> Option<io::Result<()>> {
        self.0.as_ref().map(|replace| replace(text))
    }
}

impl fmt::Debug for ConfigWriter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_some() { "another" } else { "this process" })
    }
}

impl Settings {
    /// Makes the settings from `config`, which was read from `path`.
    pub fn new(path: &Path, config: Arc<Config>) -> Self {
        Self {
            path: Arc::new(path.to_owned()),
            current: Arc::new(RwLock::new(config)),
            scribe: ConfigWriter::default(),
        }
    }

    /// Sets the writer of the file.
    #[must_use]
    pub fn written_by(mut self, scribe: ConfigWriter) -> Self {
        self.scribe = scribe;
        self
    }

    /// Returns the current settings. To read several consistently, call this once.
    pub fn get(&self) -> Arc<Config> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes changeable settings (name, value) to the file, all or none, validates the result, and uses them from then
    /// on, with those that were changed in the file by hand. All other settings wait for the next start. Blocks.
    pub fn change(&self, wanted: &[(&str, &str)]) -> Result<Arc<Config>, WriteBackError> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        change_settings(&self.path, process_environment(), wanted, &self.scribe)?;
        let changed = Arc::new(current.with_changeable(Config::load(&self.path, process_environment())?));
        *current = Arc::clone(&changed);
        Ok(changed)
    }
}
