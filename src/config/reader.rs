//! Reads typed values from the layers and collects every mistake on the way.

use serde_yaml::Value;

use super::document;
use super::error::{ConfigError, Notice, SettingSource};
use super::layers::{Layers, variable_of};
use crate::platform::secret::Secret;
use crate::text::message::{Message, msg};

/// A marker for a mistake that has been recorded; whatever depends on the value cannot be built.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noted;

/// A value, or the marker of a recorded mistake.
pub(super) type ReadValue<T> = Result<T, Noted>;

/// A reader of settings.
pub(super) struct SettingsReader {
    layers: Layers,
    missing: Vec<String>,
}

impl SettingsReader {
    pub(super) fn new(layers: Layers) -> Self {
        Self { layers, missing: Vec::new() }
    }

    /// Returns the layers, or all mistakes.
    pub(super) fn finish(self) -> Result<Layers, Vec<ConfigError>> {
        let Self { mut layers, missing } = self;
        if layers.file_missing && !missing.is_empty() {
            let problem = msg!("file-missing", missing = missing.join(", "));
            layers.mistakes.insert(0, ConfigError::of_file(layers.path.display(), problem).missing());
        }
        if layers.mistakes.is_empty() { Ok(layers) } else { Err(layers.mistakes) }
    }

    /// Records that the value of `key` is wrong.
    pub(super) fn refuse(&mut self, key: &str, problem: Message) -> Noted {
        let source = self.layers.settings.get(key).map_or(&SettingSource::Default, |setting| &setting.source);
        let place = match source {
            SettingSource::Default => self.place_in_file(key),
            SettingSource::File { .. } | SettingSource::Environment { .. } | SettingSource::Credential { .. } => {
                source.to_string()
            }
        };
        self.layers.mistakes.push(ConfigError::of_key(place, key, problem));
        Noted
    }

    /// Records that `key` is required; `problem` describes the requirement.
    pub(super) fn require(&mut self, key: &str, problem: Message) -> Noted {
        self.missing.push(key.to_owned());
        if !self.layers.file_missing {
            let place = self.place_in_file(key);
            self.layers.mistakes.push(ConfigError::of_key(place, key, problem).missing());
        }
        Noted
    }

    /// Records a warning.
    pub(super) fn warn(&mut self, text: Message) {
        self.layers.notices.push(Notice::warning(text));
    }

    /// Returns true if `key` has a value in any layer.
    pub(super) fn is_set(&self, key: &str) -> bool {
        !matches!(self.value(key), Value::Null)
    }

    /// Returns the place of a setting in the file, or the file itself if the setting is not there.
    fn place_in_file(&self, key: &str) -> String {
        match self.layers.lines.get(key) {
            Some(line) => format!("{}:{line}", self.layers.path.display()),
            None => self.layers.path.display().to_string(),
        }
    }

    /// Returns the value before any parsing.
    fn value(&self, key: &str) -> &Value {
        self.layers.settings.get(key).map_or(&Value::Null, |setting| &setting.value)
    }

    /// Reads a text of one line; `None` if it is not set.
    fn text(&mut self, key: &str) -> ReadValue<Option<String>> {
        if !self.is_set(key) {
            return Ok(None);
        }
        // A folded text in YAML ends with a line break.
        let text = document::scalar(self.value(key));
        let problem = match text.map(|text| text.strip_suffix('\n').unwrap_or(&text).to_owned()) {
            // The replacement character marks bytes of the environment that were not UTF-8.
            Some(text) if text.chars().any(|letter| letter.is_control() || letter == '\u{fffd}') => {
                msg!("setting-many-lines")
            }
            Some(text) => return Ok(Some(text)),
            None => msg!("setting-no-value"),
        };
        Err(self.refuse(key, problem))
    }

    /// Reads a value that may be absent. The error of `parse` describes the problem; the value must not be a secret.
    pub(super) fn optional<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, Message>,
    ) -> ReadValue<Option<T>> {
        let Some(text) = self.text(key)?.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
        parse(&text).map(Some).map_err(|problem| self.refuse(key, problem))
    }

    /// Reads a value that must be present, at least as a default.
    pub(super) fn required<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, Message>) -> ReadValue<T> {
        let value = self.optional(key, parse)?;
        self.present(key, value)
    }

    /// Reads a secret that may be absent, of at least `shortest` characters.
    pub(super) fn optional_secret(&mut self, key: &str, shortest: usize) -> ReadValue<Option<Secret>> {
        match self.text(key)? {
            Some(text) if text.chars().count() < shortest => Err(self.refuse(key, msg!("setting-short", shortest))),
            text => Ok(text.map(Secret::new)),
        }
    }

    /// Reads a secret that must be present.
    pub(super) fn required_secret(&mut self, key: &str) -> ReadValue<Secret> {
        let secret = self.optional_secret(key, 1)?;
        self.present(key, secret)
    }

    /// Returns the value, or records that `key` is required.
    fn present<T>(&mut self, key: &str, value: Option<T>) -> ReadValue<T> {
        value.ok_or_else(|| self.require(key, msg!("setting-required", variable = variable_of(key))))
    }

    /// Returns both values or none; if only one of them is set, the other one is refused.
    pub(super) fn both<T, U>(
        &mut self,
        (key, value): (&str, Option<T>),
        (other_key, other): (&str, Option<U>),
    ) -> ReadValue<Option<(T, U)>> {
        match (value, other) {
            (Some(value), Some(other)) => Ok(Some((value, other))),
            (None, None) => Ok(None),
            (Some(_), None) => Err(self.refuse(other_key, msg!("setting-beside", other = key))),
            (None, Some(_)) => Err(self.refuse(key, msg!("setting-beside", other = other_key))),
        }
    }

    /// Reads a list: a YAML list, or a text with commas.
    pub(super) fn list<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, Message>) -> ReadValue<Vec<T>> {
        let value = self.value(key);
        let items: Option<Vec<String>> = if value.is_null() {
            Some(Vec::new())
        } else if let Value::Sequence(items) = value {
            items.iter().map(document::scalar).collect()
        } else {
            document::scalar(value).map(|text| listed(&text))
        };
        let Some(items) = items else {
            return Err(self.refuse(key, msg!("setting-no-list")));
        };
        self.all(key, items.iter().map(|item| parse(item)))
    }

    /// Returns the values, or records every problem among them as one of `key`.
    pub(super) fn all<T>(&mut self, key: &str, results: impl Iterator<Item = Result<T, Message>>) -> ReadValue<Vec<T>> {
        let mut values = Vec::new();
        let mut noted = None;
        for result in results {
            match result {
                Ok(value) => values.push(value),
                Err(problem) => noted = Some(self.refuse(key, problem)),
            }
        }
        noted.map_or(Ok(values), Err)
    }

    /// Reads a list of maps or a map: as YAML, or from the environment as a text with YAML.
    pub(super) fn structure(&mut self, key: &str) -> ReadValue<Value> {
        let value = self.value(key);
        let Some(text) = value.as_str() else { return Ok(value.clone()) };
        document::parse_value(text).map_err(|problem| self.refuse(key, problem))
    }
}

/// Splits a list in text form: separated by commas, with or without brackets.
fn listed(text: &str) -> Vec<String> {
    let text = text.trim();
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    inner.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}
