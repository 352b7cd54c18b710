//! A configuration in preparation: the settings that a first run still has to ask for, and the resulting file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::document;
use super::error::{ConfigErrors, SettingSource};
use super::layers::{FileText, Layers, SECRETS, Setting, open_file, read_file, read_opened};
use super::live::ConfigWriter;
use super::writer::{changed, replace_settings};
use super::{Config, EXAMPLE};

/// The current file, or the commented example if there is none, with the settings filled in so far.
#[derive(Debug, Clone)]
pub struct ConfigDraft {
    path: PathBuf,
    /// Text of the file on the disk, if there is one.
    before: Option<String>,
    text: String,
    environment: Vec<(String, String)>,
}

/// The known state of a setting before a person is asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSetting {
    /// Value of the setting; `None` for a secret and for an unset one.
    pub value: Option<String>,
    /// True for a setting with a value, even if that is not shown.
    pub is_set: bool,
    /// Source of the value if it overrides the file: the value can only be changed there.
    pub elsewhere: Option<SettingSource>,
}

impl KnownSetting {
    fn of(key: &str, setting: Setting) -> Self {
        let value = document::scalar(&setting.value).filter(|value| !value.trim().is_empty());
        let elsewhere = match setting.source {
            SettingSource::Default | SettingSource::File { .. } => None,
            source @ (SettingSource::Environment { .. } | SettingSource::Credential { .. }) => Some(source),
        };
        let is_set = value.is_some();
        Self { value: value.filter(|_| !SECRETS.contains(&key)), is_set, elsewhere }
    }
}

impl ConfigDraft {
    /// Starts a draft from the file at `path`, if there is one. `environment` is that of [`Config::load`]. Blocks.
    pub fn begin(path: &Path, environment: Vec<(String, String)>) -> Result<Self, ConfigErrors> {
        Self::begin_opened(path, open_file(path), environment)
    }

    /// Starts a draft like [`ConfigDraft::begin`], from a file that the caller has opened at `path`; `None` for no
    /// file. Blocks.
    pub fn begin_opened(
        path: &Path,
        opened: io::Result<Option<File>>,
        environment: Vec<(String, String)>,
    ) -> Result<Self, ConfigErrors> {
        let before = read_opened(path, opened)?.map(|file| file.text);
        let text = before.clone().unwrap_or_else(|| EXAMPLE.to_owned());
        Ok(Self { path: path.to_owned(), before, text, environment })
    }

    /// Fills in settings (name, value); an empty value stands for "not set". If the layout of the file does not
    /// allow the change, the error is the name of the setting.
    pub fn fill_in<'a>(&mut self, wanted: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<(), &'a str> {
        for (key, value) in wanted {
            self.text = changed(&self.text, key, value).ok_or(key)?;
        }
        Ok(())
    }

    /// Returns the known state of each setting; an empty map if the file cannot be parsed.
    pub fn known(&self) -> BTreeMap<String, KnownSetting> {
        let file = FileText { text: self.text.clone(), mode: 0o600 };
        let layers = Layers::gather(&self.path, Some(&file), &self.environment);
        let settings = layers.map(|layers| layers.settings).unwrap_or_default();
        settings.into_iter().map(|(key, setting)| (key.clone(), KnownSetting::of(&key, setting))).collect()
    }

    /// Validates the draft and returns the configuration.
    pub fn config(&self) -> Result<Config, ConfigErrors> {
        Config::parse(&self.path, self.text.clone(), self.environment.clone())
    }

    /// Writes the file, through `scribe` if this process must not write it itself. Fails if the file has
    /// changed on the disk since the draft began. Blocks.
    pub fn save(&self, scribe: &ConfigWriter) -> io::Result<()> {
        let now = read_file(&self.path).ok().flatten().map(|file| file.text);
        if now != self.before {
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, "someone has changed it in the meantime"));
        }
        scribe.replace(&self.text).unwrap_or_else(|| replace_settings(&self.path, &self.text))
    }
}

#[cfg(test)]
mod tests;
