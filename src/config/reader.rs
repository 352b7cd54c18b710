//! Reads typed values out of the layers, and collects every mistake on the way.

use serde_yaml::Value;

use super::document;
use super::layers::{Layers, variable_of};
use super::mistakes::{Mistake, Notice, Source};
use crate::platform::secret::Secret;
use crate::text::message::{Message, msg};

/// The mistake has been noted; what depends on the value cannot be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noted;

/// A value, or a mistake that has been noted.
pub(super) type Read<T> = Result<T, Noted>;

/// Reads settings.
pub(super) struct Reader {
    layers: Layers,
    missing: Vec<String>,
}

impl Reader {
    pub(super) fn new(layers: Layers) -> Self {
        Self { layers, missing: Vec::new() }
    }

    /// The layers, or all mistakes.
    pub(super) fn finish(self) -> Result<Layers, Vec<Mistake>> {
        let Self { mut layers, missing } = self;
        if layers.file_missing && !missing.is_empty() {
            let problem = msg!("file-missing", missing = missing.join(", "));
            layers.mistakes.insert(0, Mistake::of_file(layers.path.display(), problem).missing());
        }
        if layers.mistakes.is_empty() { Ok(layers) } else { Err(layers.mistakes) }
    }

    /// Notes that the value of `key` is wrong.
    pub(super) fn refuse(&mut self, key: &str, problem: Message) -> Noted {
        let source = self.layers.settings.get(key).map_or(&Source::Default, |setting| &setting.source);
        let place = match source {
            Source::Default => self.place_in_file(key),
            Source::File { .. } | Source::Environment { .. } | Source::Credential { .. } => source.to_string(),
        };
        self.layers.mistakes.push(Mistake::of_key(place, key, problem));
        Noted
    }

    /// Notes that `key` is required; `problem` says what is.
    pub(super) fn require(&mut self, key: &str, problem: Message) -> Noted {
        self.missing.push(key.to_owned());
        if !self.layers.file_missing {
            let place = self.place_in_file(key);
            self.layers.mistakes.push(Mistake::of_key(place, key, problem).missing());
        }
        Noted
    }

    /// Notes something worth knowing.
    pub(super) fn warn(&mut self, text: impl Into<String>) {
        self.layers.notices.push(Notice::warning(text));
    }

    /// Whether `key` has a value in any layer.
    pub(super) fn is_set(&self, key: &str) -> bool {
        !matches!(self.value(key), Value::Null)
    }

    /// Where a setting stands, or would stand, in the file.
    fn place_in_file(&self, key: &str) -> String {
        match self.layers.lines.get(key) {
            Some(line) => format!("{}:{line}", self.layers.path.display()),
            None => self.layers.path.display().to_string(),
        }
    }

    /// The value as it stands.
    fn value(&self, key: &str) -> &Value {
        self.layers.settings.get(key).map_or(&Value::Null, |setting| &setting.value)
    }

    /// A text of one line, where there is one.
    fn text(&mut self, key: &str) -> Read<Option<String>> {
        if !self.is_set(key) {
            return Ok(None);
        }
        // A folded text of YAML ends with a line break.
        let text = document::scalar(self.value(key));
        let problem = match text.map(|text| text.strip_suffix('\n').unwrap_or(&text).to_owned()) {
            // The replacement character stands where the environment was not UTF-8.
            Some(text) if text.chars().any(|letter| letter.is_control() || letter == '\u{fffd}') => {
                msg!("setting-many-lines")
            }
            Some(text) => return Ok(Some(text)),
            None => msg!("setting-no-value"),
        };
        Err(self.refuse(key, problem))
    }

    /// A value that may be absent. `parse` says what is wrong; its value is no secret.
    pub(super) fn optional<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, Message>) -> Read<Option<T>> {
        let Some(text) = self.text(key)?.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
        parse(&text).map(Some).map_err(|problem| self.refuse(key, problem))
    }

    /// A value that must be there, if only as a default.
    pub(super) fn required<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, Message>) -> Read<T> {
        match self.optional(key, parse)? {
            Some(value) => Ok(value),
            None => Err(self.require(key, required_problem(key))),
        }
    }

    /// A secret that may be absent, of at least `shortest` characters.
    pub(super) fn optional_secret(&mut self, key: &str, shortest: usize) -> Read<Option<Secret>> {
        match self.text(key)? {
            Some(text) if text.chars().count() < shortest => Err(self.refuse(key, msg!("setting-short", shortest))),
            text => Ok(text.map(Secret::new)),
        }
    }

    /// A secret that must be there.
    pub(super) fn required_secret(&mut self, key: &str) -> Read<Secret> {
        match self.optional_secret(key, 1)? {
            Some(secret) => Ok(secret),
            None => Err(self.require(key, required_problem(key))),
        }
    }

    /// A list: of YAML, or a text with commas.
    pub(super) fn list<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, Message>) -> Read<Vec<T>> {
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
        let mut values = Vec::new();
        let mut noted = None;
        for item in items {
            match parse(&item) {
                Ok(value) => values.push(value),
                Err(problem) => noted = Some(self.refuse(key, problem)),
            }
        }
        noted.map_or(Ok(values), Err)
    }

    /// A list of maps or a map, as YAML; from the environment as YAML in the text.
    pub(super) fn structure(&mut self, key: &str) -> Read<Value> {
        let value = self.value(key);
        let Some(text) = value.as_str() else { return Ok(value.clone()) };
        document::parse_value(text).map_err(|problem| self.refuse(key, problem))
    }
}

/// The items of a list that is written as text: with commas, in brackets or not.
fn listed(text: &str) -> Vec<String> {
    let text = text.trim();
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    inner.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}

fn required_problem(key: &str) -> Message {
    msg!("setting-required", variable = variable_of(key))
}
