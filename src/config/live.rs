//! The settings as they are now: changed ones take effect at once.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use super::{Config, WriteBackError, process_environment, write_settings};

/// The configuration in use and where it came from. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Settings {
    path: Arc<PathBuf>,
    current: Arc<RwLock<Arc<Config>>>,
}

impl Settings {
    /// `config` as it was read from `path`.
    pub fn new(path: &Path, config: Arc<Config>) -> Self {
        Self { path: Arc::new(path.to_owned()), current: Arc::new(RwLock::new(config)) }
    }

    /// The settings now. Whoever needs several that belong together asks once.
    pub fn get(&self) -> Arc<Config> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes settings (name, value) to the file, all or none, validates the whole, and uses it from
    /// now on. Blocks.
    pub fn change(&self, wanted: &[(&str, &str)]) -> Result<Arc<Config>, WriteBackError> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        write_settings(&self.path, process_environment(), wanted)?;
        let changed = Arc::new(Config::load(&self.path, process_environment())?);
        *current = Arc::clone(&changed);
        Ok(changed)
    }
}
