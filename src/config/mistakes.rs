//! What is wrong with a configuration, and what is worth knowing about a good one.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use crate::text::message::{Message, msg};

/// Where the value of a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The default that is built in.
    Default,
    /// The configuration file.
    File {
        /// The file, as it was named.
        path: PathBuf,
        /// The line on which the setting stands, from 1.
        line: usize,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
    /// A file in systemd's credentials directory.
    Credential {
        /// That file.
        path: PathBuf,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(formatter, "{}:{line}", path.display()),
            Self::Default | Self::Environment { .. } | Self::Credential { .. } => Message::from(self).fmt(formatter),
        }
    }
}

impl From<&Source> for Message {
    fn from(source: &Source) -> Self {
        match source {
            Source::Default => msg!("source-default"),
            Source::File { .. } => Self::quoting(source.to_string()),
            Source::Environment { variable } => msg!("source-environment", variable),
            Source::Credential { path } => msg!("source-credential", path = path.display().to_string()),
        }
    }
}

/// One mistake: where it is, which setting it concerns, and what is wrong and allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// `parameters.yml:12`, an environment variable, a credential.
    pub place: String,
    /// The setting, unless the mistake is one of the file as a whole.
    pub key: Option<String>,
    /// What is wrong, with the value unless it is a secret, and what is allowed.
    pub problem: Message,
    /// Nothing is wrong, something required is only not there yet.
    pub is_missing: bool,
}

impl Mistake {
    /// A mistake of one setting.
    pub(super) fn of_key(place: impl fmt::Display, key: &str, problem: Message) -> Self {
        Self { place: place.to_string(), key: Some(key.to_owned()), problem, is_missing: false }
    }

    /// A mistake of a file as a whole, or of a line of it.
    pub(super) fn of_file(place: impl fmt::Display, problem: Message) -> Self {
        Self { place: place.to_string(), key: None, problem, is_missing: false }
    }

    /// The same about something required that is not there.
    #[must_use]
    pub(super) fn missing(self) -> Self {
        Self { is_missing: true, ..self }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(formatter, "{}: {key}: {}", self.place, self.problem),
            None => write!(formatter, "{}: {}", self.place, self.problem),
        }
    }
}

/// All mistakes of a configuration, displayed one a line. Somebody has to mend the configuration:
/// trying again does not help.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", .mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ConfigErrors {
    /// The mistakes, at least one.
    pub mistakes: Vec<Mistake>,
}

impl ConfigErrors {
    /// Whether nothing is wrong but that required settings are not there yet, as before a first run.
    pub fn is_unfinished(&self) -> bool {
        self.mistakes.iter().all(|mistake| mistake.is_missing)
    }
}

impl From<&Mistake> for Message {
    fn from(Mistake { place, key, problem, .. }: &Mistake) -> Self {
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

impl From<Vec<Mistake>> for ConfigErrors {
    fn from(mistakes: Vec<Mistake>) -> Self {
        Self { mistakes }
    }
}

/// How much a [`Notice`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeLevel {
    /// Good to know.
    Info,
    /// Probably not what was meant.
    Warning,
}

/// Something about a configuration that works, to be logged at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How much it matters.
    pub level: NoticeLevel,
    /// A sentence for the operator.
    pub text: String,
}

impl Notice {
    /// Good to know.
    pub(super) fn info(text: impl Into<String>) -> Self {
        Self { level: NoticeLevel::Info, text: text.into() }
    }

    /// Probably not what was meant.
    pub(super) fn warning(text: impl Into<String>) -> Self {
        Self { level: NoticeLevel::Warning, text: text.into() }
    }
}

/// A value as it may stand in a sentence: quoted where it is not a plain word, and not too long.
pub(super) fn shown(value: &str) -> String {
    const LONGEST: usize = 60;
    let plain = |letter: char| letter.is_alphanumeric() || "._-/:+@".contains(letter);
    if !value.is_empty() && value.chars().count() <= LONGEST && value.chars().all(plain) {
        return value.to_owned();
    }
    let rest = if value.chars().count() > LONGEST { "…" } else { "" };
    format!("'{}{rest}'", value.chars().take(LONGEST).collect::<String>().escape_debug())
}
