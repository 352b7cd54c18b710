//! Mistakes in a configuration, and notices about a valid one.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use crate::text::message::{Message, msg};

/// The source of a setting's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingSource {
    /// The built-in default.
    Default,
    /// The configuration file.
    File {
        /// Path of the file, as given.
        path: PathBuf,
        /// Line of the setting, counted from 1.
        line: usize,
    },
    /// An environment variable.
    Environment {
        /// Name of the variable.
        variable: String,
    },
    /// A file in systemd's credentials directory.
    Credential {
        /// Path of that file.
        path: PathBuf,
    },
}

impl fmt::Display for SettingSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Message::from(self).fmt(formatter)
    }
}

impl From<&SettingSource> for Message {
    fn from(source: &SettingSource) -> Self {
        match source {
            SettingSource::Default => msg!("source-default"),
            SettingSource::File { path, line } => Self::quoting(format!("{}:{line}", path.display())),
            SettingSource::Environment { variable } => msg!("source-environment", variable),
            SettingSource::Credential { path } => msg!("source-credential", path = path.display().to_string()),
        }
    }
}

/// One mistake: its place, the setting, and the problem with the allowed values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Place of the mistake: `parameters.yml:12`, an environment variable, a credential.
    pub place: String,
    /// Name of the setting; `None` for a mistake of the file as a whole.
    pub key: Option<String>,
    /// Description of the problem and of the allowed values; it contains the value unless that is a secret.
    pub problem: Message,
    /// True if something required is only missing, and nothing is wrong.
    pub is_missing: bool,
}

impl ConfigError {
    /// Makes a mistake of one setting.
    pub(super) fn of_key(place: impl fmt::Display, key: &str, problem: Message) -> Self {
        Self { place: place.to_string(), key: Some(key.to_owned()), problem, is_missing: false }
    }

    /// Makes a mistake of a file as a whole.
    pub(super) fn of_file(place: impl fmt::Display, problem: Message) -> Self {
        Self { place: place.to_string(), key: None, problem, is_missing: false }
    }

    /// Makes a mistake of a line of a file, counted from 1.
    pub(super) fn of_line(name: impl fmt::Display, line: usize, problem: Message) -> Self {
        Self::of_file(format!("{name}:{line}"), problem)
    }

    /// Marks the mistake as a missing requirement.
    #[must_use]
    pub(super) fn missing(self) -> Self {
        Self { is_missing: true, ..self }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(formatter, "{}: {key}: {}", self.place, self.problem),
            None => write!(formatter, "{}: {}", self.place, self.problem),
        }
    }
}

/// All mistakes of a configuration, displayed one per line. Retrying does not help: an administrator has to correct
/// the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", .mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ConfigErrors {
    /// The mistakes, at least one.
    pub mistakes: Vec<ConfigError>,
}

impl ConfigErrors {
    /// Returns true if required settings are missing and nothing else is wrong, as before a first run.
    pub fn is_unfinished(&self) -> bool {
        self.mistakes.iter().all(|mistake| mistake.is_missing)
    }
}

impl From<&ConfigError> for Message {
    fn from(ConfigError { place, key, problem, .. }: &ConfigError) -> Self {
        match key {
            Some(key) => msg!("mistake-of-setting", place, key, problem),
            None => msg!("mistake-of-file", place, problem),
        }
    }
}

impl From<&ConfigErrors> for Message {
    fn from(errors: &ConfigErrors) -> Self {
        let both = |one: Self, other: Self| msg!("both", one, other);
        errors.mistakes.iter().map(Self::from).reduce(both).unwrap_or_default()
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(mistake: ConfigError) -> Self {
        Self { mistakes: vec![mistake] }
    }
}

impl From<Vec<ConfigError>> for ConfigErrors {
    fn from(mistakes: Vec<ConfigError>) -> Self {
        Self { mistakes }
    }
}

/// The importance of a [`Notice`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeLevel {
    /// Useful information.
    Info,
    /// A probable mistake.
    Warning,
}

/// A notice about a valid configuration, for the log at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Importance of the notice.
    pub level: NoticeLevel,
    /// Text for the operator.
    pub text: Message,
}

impl Notice {
    /// Makes a notice with useful information.
    pub(super) fn info(text: Message) -> Self {
        Self { level: NoticeLevel::Info, text }
    }

    /// Makes a notice about a probable mistake.
    pub(super) fn warning(text: Message) -> Self {
        Self { level: NoticeLevel::Warning, text }
    }
}

/// Formats a value for a message: quoted unless it is a plain word, and shortened if it is too long.
pub(super) fn quote_value(value: &str) -> String {
    const MAX_LENGTH: usize = 60;
    let plain = |letter: char| letter.is_alphanumeric() || "._-/:+@".contains(letter);
    if !value.is_empty() && value.chars().count() <= MAX_LENGTH && value.chars().all(plain) {
        return value.to_owned();
    }
    let rest = if value.chars().count() > MAX_LENGTH { "…" } else { "" };
    format!("'{}{rest}'", value.chars().take(MAX_LENGTH).collect::<String>().escape_debug())
}
