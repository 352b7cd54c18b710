//! The layers of a configuration: built-in defaults, then the file, then the environment, then systemd's
//! credentials. Later layers override earlier ones, setting by setting.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_yaml::Value;

use super::document::{self, SettingEntry};
use super::error::{ConfigError, Notice, SettingSource};
use crate::text::message::{Message, msg};

/// The first layer: the only place where settings and their defaults are listed.
pub(super) const DEFAULTS: &str = include_str!("../../config/parameters.yml");

/// Maximum size of a configuration file, in bytes; a larger file cannot be one.
pub const MAX_FILE_SIZE: u64 = 1024 * 1024;

/// Settings whose value is never shown.
pub(super) const SECRETS: [&str; 17] = [
    "mirakl.frontKey",
    "mirakl.operatorKey",
    "mirakl.bearerToken",
    "mirakl.clientSecret",
    "hipay.wsPassword",
    "hipay.enterprise.passphrase",
    "mail.password",
    "network.proxy",
    "alert.webhook.secret",
    "alert.slack.url",
    "alert.teams.url",
    "alert.pagerduty.routingKey",
    "github.token",
    "server.metricsToken",
    "dashboard.apiToken",
    "dashboard.users",
    "db.password",
];

/// Settings of earlier installations that no longer have a meaning.
const UNUSED: [&str; 8] = [
    "mirakl.frontKey",
    "hipay.baseSoapUrl",
    "hipay.transfer.withdraw.rest",
    "cashout.transactionFilterRegex",
    "default.tmp.path",
    "debug",
    "secret",
    "token",
];

/// Returns true for a setting that is accepted but has no effect.
pub(super) fn is_unused(key: &str) -> bool {
    UNUSED.contains(&key) || (key.starts_with("db.") && key != "db.logger.level")
}

/// Prefix of the name of a setting whose value the guard handed over, among the environment variables. It
/// contains a space, so that no variable of the system has it.
pub(super) const CREDENTIAL: &str = "handed over: ";

fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// Returns the environment variable of a setting.
pub(super) fn variable_of(key: &str) -> String {
    format!("CASHOUT_{}", key.to_uppercase().replace('.', "_"))
}

/// The content of a file, and its mode.
pub(super) struct FileText {
    pub(super) text: String,
    pub(super) mode: u32,
}

/// Reads the file. A missing one is not a mistake yet, since all settings may come from elsewhere.
pub(super) fn read_file(path: &Path) -> Result<Option<FileText>, ConfigError> {
    read_opened(path, open_file(path))
}

/// Opens the file at `path`; `None` if there is none.
pub fn open_file(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

/// Returns the folder on the way to `path` that this user may not enter; `None` if only the file itself cannot be read.
fn closed_folder(path: &Path) -> Option<&Path> {
    let denied = |place: &&Path| {
        std::fs::symlink_metadata(place).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    };
    // Start from the root: everything below a closed folder is denied as well.
    path.ancestors().filter(denied).last().and_then(Path::parent)
}

/// Reads the file that was opened at `path`.
pub(super) fn read_opened(path: &Path, opened: io::Result<Option<File>>) -> Result<Option<FileText>, ConfigError> {
    let name = path.display();
    let refuse = |problem| ConfigError::of_file(&name, problem);
    let unreadable = |error: io::Error| {
        if error.kind() != io::ErrorKind::PermissionDenied {
            return refuse(msg!("file-unreadable").detailed(error));
        }
        refuse(match closed_folder(path) {
            Some(folder) => msg!("file-folder-closed", folder = folder.display().to_string()),
            None => msg!("file-not-allowed", path = name.to_string()),
        })
    };
    let Some(file) = opened.map_err(unreadable)? else { return Ok(None) };
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(refuse(msg!("file-is-folder")));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE_SIZE.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_FILE_SIZE {
        return Err(refuse(msg!("file-too-large")));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(FileText { text, mode: metadata.permissions().mode() })),
        Err(error) => {
            let good = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
            let line = good.filter(|byte| **byte == b'\n').count().saturating_add(1);
            Err(ConfigError::of_line(&name, line, msg!("file-not-utf8")))
        }
    }
}

/// The effective value of a setting, and its source.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) value: Value,
    pub(super) source: SettingSource,
}

/// All layers, merged.
pub(super) struct Layers {
    pub(super) settings: BTreeMap<String, Setting>,
    /// Line of each setting in the file, even if another layer overrides it.
    pub(super) lines: BTreeMap<String, usize>,
    pub(super) path: PathBuf,
    pub(super) file_missing: bool,
    pub(super) mistakes: Vec<ConfigError>,
    pub(super) notices: Vec<Notice>,
    unused: Vec<String>,
}

impl Layers {
    /// Merges the layers. A file that cannot be parsed at all is an error at once; other mistakes are collected.
    pub(super) fn gather(
        path: &Path,
        file: Option<&FileText>,
        environment: &[(String, String)],
    ) -> Result<Self, Vec<ConfigError>> {
        let settings = document::parse("built-in defaults", DEFAULTS)?
            .into_iter()
            .map(|entry| (entry.key, Setting { value: entry.value, source: SettingSource::Default }))
            .collect();
        let mut layers = Self {
            settings,
            lines: BTreeMap::new(),
            path: path.to_owned(),
            file_missing: file.is_none(),
            mistakes: Vec::new(),
            notices: Vec::new(),
            unused: Vec::new(),
        };
        if let Some(file) = file {
            layers.add_file(file)?;
        }
        layers.add_environment(environment);
        layers.add_credentials(environment);
        if !layers.unused.is_empty() {
            layers.notices.push(Notice::info(msg!("log-settings-unused", settings = layers.unused.join(", "))));
        }
        Ok(layers)
    }

    fn add_file(&mut self, file: &FileText) -> Result<(), Vec<ConfigError>> {
        let name = self.path.display().to_string();
        let mut holds_secrets = false;
        for SettingEntry { key, value, line } in document::parse(&name, &file.text)? {
            let source = SettingSource::File { path: self.path.clone(), line };
            if !self.settings.contains_key(&key) && !is_unused(&key) {
                let problem = self.unknown(&key);
                self.mistakes.push(ConfigError::of_key(source, &document::key_shown(&key), problem));
                continue;
            }
            holds_secrets |= SECRETS.contains(&key.as_str()) && is_set(&key, &value);
            self.lines.insert(key.clone(), line);
            self.add(key, value, source);
        }
        if holds_secrets && file.mode & 0o004 != 0 {
            self.notices.push(Notice::warning(msg!("log-settings-readable", path = name)));
        }
        Ok(())
    }

    fn add_environment(&mut self, environment: &[(String, String)]) {
        let keys: BTreeMap<String, String> = self.settings.keys().map(|key| (variable_of(key), key.clone())).collect();
        for (variable, value) in environment {
            if !variable.starts_with("CASHOUT_") || matches!(variable.as_str(), "CASHOUT_CONFIG" | "CASHOUT_DATA") {
                continue;
            }
            let Some(key) = keys.get(variable) else {
                let variable = document::key_shown(variable);
                self.notices.push(Notice::warning(msg!("log-variable-unknown", variable)));
                continue;
            };
            let source = SettingSource::Environment { variable: variable.clone() };
            self.add(key.clone(), Value::String(value.clone()), source);
        }
    }

    /// Adds the credentials that a guard has read for its worker, and those in the folder that systemd names.
    fn add_credentials(&mut self, environment: &[(String, String)]) {
        for (variable, text) in environment {
            let Some(key) = variable.strip_prefix(CREDENTIAL) else { continue };
            if self.settings.contains_key(key) {
                let source = SettingSource::Credential { path: PathBuf::from(key) };
                self.add(key.to_owned(), Value::String(without_line_end(text).to_owned()), source);
            }
        }
        let Some((_, folder)) = environment.iter().find(|(variable, _)| variable == "CREDENTIALS_DIRECTORY") else {
            return;
        };
        let keys: Vec<String> = self.settings.keys().cloned().collect();
        for key in keys {
            let path = Path::new(folder).join(&key);
            match read_file(&path) {
                Ok(None) => {}
                Ok(Some(FileText { text, .. })) => {
                    let text = without_line_end(&text).to_owned();
                    self.add(key, Value::String(text), SettingSource::Credential { path });
                }
                Err(mistake) => self.mistakes.push(ConfigError { key: Some(key), ..mistake }),
            }
        }
    }

    fn add(&mut self, key: String, value: Value, source: SettingSource) {
        if !is_set(&key, &value) {
            return;
        }
        // The commented example lists these settings too, with their usual values.
        let as_usual = self.settings.get(&key).is_some_and(|usual| usual.value == value);
        if is_unused(&key) && !as_usual {
            self.unused.push(key.clone());
        }
        self.settings.insert(key, Setting { value, source });
    }

    fn unknown(&self, key: &str) -> Message {
        let lower = key.to_lowercase();
        let nearest = self
            .settings
            .keys()
            .map(|known| (strsim::damerau_levenshtein(&lower, &known.to_lowercase()), known))
            .min_by_key(|(distance, _)| *distance)
            // A name that differs in more than a third of its letters is not a typing error.
            .filter(|(distance, known)| distance.saturating_mul(3) <= known.len().max(3));
        match nearest {
            Some((_, known)) => msg!("setting-unknown-near", known),
            None => msg!("setting-unknown"),
        }
    }
}

/// Returns true if a layer sets a value: null or an empty text leaves it to the layer below. Only a schedule is
/// switched off by an empty value.
fn is_set(key: &str, value: &Value) -> bool {
    if key.starts_with("schedule.") {
        return true;
    }
    match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => true,
    }
}
