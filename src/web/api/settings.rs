//! The settings, to look at and to change.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::extract::Body;
use crate::config::{Config, Source, WriteBackError};
use crate::web::Web;
use crate::web::auth::Caller;
use crate::web::problem::{Problem, ProblemBody};

/// The settings that can be changed while the program runs.
const CHANGEABLE: [&str; 2] = ["github.token", "email.logger.alert.level"];

/// A setting that can be changed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SettingItem {
    /// Its name in parameters.yml.
    #[schema(example = "email.logger.alert.level")]
    key: &'static str,
    /// Its value; absent for a secret.
    value: Option<String>,
    /// Whether it has a value.
    is_set: bool,
    /// Where the value comes from, in words.
    source: String,
    /// Whether it can be changed here; where it comes from the environment, it can only be changed there.
    changeable: bool,
}

/// The settings that can be changed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Settings {
    /// Each of them.
    items: Vec<SettingItem>,
}

/// New values by the name of the setting; `null` or an empty text stands for "not set".
#[derive(Debug, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(example = json!({ "email.logger.alert.level": "500" }))]
pub(super) struct Changes(BTreeMap<String, Option<String>>);

/// The settings that can be changed here.
#[utoipa::path(get, path = "/settings", responses(
    (status = 200, body = Settings),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn settings(State(web): State<Web>) -> Json<Settings> {
    Json(shown(&web.settings.get()))
}

/// Changes settings in parameters.yml; they take effect at once. All are checked before any is written.
#[utoipa::path(patch, path = "/settings", request_body = Changes, responses(
    (status = 200, body = Settings),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn change(
    State(web): State<Web>,
    caller: Caller,
    Body(Changes(wanted)): Body<Changes>,
) -> Result<Json<Settings>, Problem> {
    if let Some(key) = wanted.keys().find(|key| !CHANGEABLE.contains(&key.as_str())) {
        let short: String = key.chars().take(60).collect();
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            format!("'{short}' cannot be changed here; {} can", CHANGEABLE.join(" and ")),
        ));
    }
    let (settings, names) = (web.settings.clone(), wanted.keys().cloned().collect::<Vec<_>>().join(", "));
    let changing = tokio::task::spawn_blocking(move || {
        let wanted: Vec<(&str, &str)> =
            wanted.iter().map(|(key, value)| (key.as_str(), value.as_deref().unwrap_or_default())).collect();
        settings.change(&wanted)
    });
    let changed = changing
        .await
        .map_err(|_| Problem::unavailable("the program is stopping", 30))?
        .map_err(|error| problem(&error))?;
    tracing::info!(severity = "NOTICE", action = "settings", "{} changed {names}", caller.name);
    Ok(Json(shown(&changed)))
}

fn problem(error: &WriteBackError) -> Problem {
    match error {
        WriteBackError::UnknownKey(_) | WriteBackError::Invalid(_) => {
            Problem::new(StatusCode::BAD_REQUEST, error.to_string())
        }
        WriteBackError::SetElsewhere { .. } | WriteBackError::Layout { .. } => {
            Problem::new(StatusCode::CONFLICT, error.to_string())
        }
        WriteBackError::NotWritable { .. } => Problem::unavailable(error.to_string(), 60),
    }
}

fn shown(config: &Config) -> Settings {
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
        let changeable = !matches!(source, Some(Source::Environment { .. } | Source::Credential { .. }));
        SettingItem { key, value, is_set, source: source.map(ToString::to_string).unwrap_or_default(), changeable }
    };
    Settings { items: CHANGEABLE.into_iter().map(item).collect() }
}
