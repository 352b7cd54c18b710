//! The settings as they are now: changed ones take effect at once.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::{fmt, io};

use super::write_back::change_settings;
use super::{Config, WriteBackError, process_environment};

/// The configuration in use and where it came from. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Settings {
    path: Arc<PathBuf>,
    current: Arc<RwLock<Arc<Config>>>,
    scribe: Scribe,
}

/// Who replaces the file: this process, or somebody who may.
#[derive(Clone, Default)]
pub struct Scribe(Option<Arc<Replace>>);

type Replace = dyn Fn(&str) -> io::Result<()> + Send + Sync;

impl Scribe {
    /// Somebody who replaces the whole file by this text. May block.
    pub fn new(replace: impl Fn(&str) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(replace)))
    }

    /// Replaces the file, where it is not for this process to do.
    pub(super) fn replace(&self, text: &str) -> Option<io::Result<()>> {
        self.0.as_ref().map(|replace| replace(text))
    }
}

impl fmt::Debug for Scribe {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_some() { "another" } else { "this process" })
    }
}

impl Settings {
    /// `config` as it was read from `path`.
    pub fn new(path: &Path, config: Arc<Config>) -> Self {
        Self { path: Arc::new(path.to_owned()), current: Arc::new(RwLock::new(config)), scribe: Scribe::default() }
    }

    /// The same, with the file replaced by `scribe`.
    #[must_use]
    pub fn written_by(mut self, scribe: Scribe) -> Self {
        self.scribe = scribe;
        self
    }

    /// The settings now. Whoever needs several that belong together asks once.
    pub fn get(&self) -> Arc<Config> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes settings (name, value) to the file, all or none, validates the whole, and uses it from
    /// now on. Blocks.
    pub fn change(&self, wanted: &[(&str, &str)]) -> Result<Arc<Config>, WriteBackError> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        change_settings(&self.path, process_environment(), wanted, &self.scribe)?;
        let changed = Arc::new(Config::load(&self.path, process_environment())?);
        *current = Arc::clone(&changed);
        Ok(changed)
    }
}
