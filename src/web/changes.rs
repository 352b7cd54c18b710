//! Settings that can be changed while the program runs, shared by the API and the settings page.

use std::io;
use std::path::Path;
use std::sync::Arc;

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::Web;
use super::auth::Caller;
use super::problem::Problem;
use crate::config::{CHANGEABLE, Config, Remedy, SettingSource, WriteBackError};
use crate::text::message::{Message, asker, logged, msg};

/// A setting that can be changed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SettingItem {
    /// Name in parameters.yml.
    #[schema(example = "email.logger.alert.level")]
    pub(super) key: &'static str,
    /// Current value; absent for a secret.
    pub(super) value: Option<String>,
    /// Set, that is, it has a value. For a secret, this is all that is shown.
    pub(super) is_set: bool,
    /// Source of the value, in words.
    #[schema(value_type = String)]
    pub(super) source: Message,
    /// Changeable here. A value from the environment or from a credential can only be changed there.
    pub(super) changeable: bool,
}

/// Returns the changeable settings with their current values.
pub(super) fn changeable_settings(config: &Config) -> Vec<SettingItem> {
    let item = |key: &'static str| {
        let value = match key {
            "email.logger.alert.level" => {
                Some(config.logs.alert_level.map_or_else(|| "9999".to_owned(), |level| level.number().to_string()))
            }
            _ => None,
        };
        let is_set = match key {
            "github.token" => config.update.token.is_some(),
            _ => true,
        };
        let source = config.source_of(key);
        let changeable = !matches!(source, Some(SettingSource::Environment { .. } | SettingSource::Credential { .. }));
        SettingItem { key, value, is_set, source: source.map(Message::from).unwrap_or_default(), changeable }
    };
    CHANGEABLE.into_iter().map(item).collect()
}

/// Returns true if `value` is acceptable for a setting: 1 to 255 visible ASCII characters.
pub(super) fn is_plain(value: &str) -> bool {
    (1..=255).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Changes settings in the file, all or none; they take effect at once. An empty value unsets a setting.
pub(super) async fn apply(
    web: &Web,
    caller: &Caller,
    wanted: Vec<(&'static str, String)>,
) -> Result<Arc<Config>, Problem> {
    let names: Vec<&str> = wanted.iter().map(|(key, _)| *key).collect();
    let (settings, names) = (web.settings.clone(), names.join(", "));
    let changing = tokio::task::spawn_blocking(move || {
        let wanted: Vec<(&str, &str)> = wanted.iter().map(|(key, value)| (*key, value.as_str())).collect();
        settings.change(&wanted)
    });
    let changed = changing
        .await
        .map_err(|_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, msg!("problem-stopping")).again_after(30))?
        .map_err(|error| problem(&error))?;
    let message = msg!("log-settings-changed", person = asker(&caller.name), settings = &names);
    logged!(info, severity = "NOTICE", action = "settings", message);
    if names.contains("github.token") {
        web.updates.look_soon();
    }
    Ok(changed)
}

fn problem(error: &WriteBackError) -> Problem {
    let shown = |path: &Path| path.display().to_string();
    match error {
        WriteBackError::UnknownKey(key) => Problem::new(StatusCode::BAD_REQUEST, msg!("problem-no-setting", key)),
        WriteBackError::Invalid(mistakes) => {
            let mistakes = ("mistakes", Message::from(mistakes).into());
            Problem::new(StatusCode::BAD_REQUEST, Message::worded(error.to_string(), "problem-invalid", [mistakes]))
        }
        WriteBackError::SetElsewhere { key, source_of_value } => {
            let sentence = msg!("problem-set-elsewhere", key, source = source_of_value);
            Problem::new(StatusCode::CONFLICT, sentence)
        }
        WriteBackError::Layout { path, key } => {
            Problem::new(StatusCode::CONFLICT, msg!("problem-layout", path = shown(path), key))
        }
        WriteBackError::NotWritable { path, cause, mend } => {
            let id = match mend {
                Remedy::Create => "problem-no-file",
                Remedy::FreeSpace => "problem-no-space",
                Remedy::Allow => "problem-no-right",
            };
            let folder = shown(path.parent().unwrap_or(path));
            let values =
                [("path", shown(path).into()), ("cause", error_message(cause).into()), ("folder", folder.into())];
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, Message::new(id, values)).again_after(60)
        }
    }
}

/// Returns a message for a system error, translated if its kind is known.
fn error_message(cause: &io::Error) -> Message {
    let known = [
        (io::ErrorKind::NotFound, "system-not-found"),
        (io::ErrorKind::PermissionDenied, "system-not-allowed"),
        (io::ErrorKind::StorageFull, "system-full"),
        (io::ErrorKind::QuotaExceeded, "system-full"),
        (io::ErrorKind::ReadOnlyFilesystem, "system-read-only"),
    ];
    let known = known.into_iter().find(|(kind, _)| *kind == cause.kind());
    let words = cause.to_string();
    known.map_or_else(|| Message::quoting(&words), |(_, id)| Message::worded(&words, id, []))
}
