//! Endpoints that show and change the settings.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::extract::Body;
use crate::config::{CHANGEABLE, Config};
use crate::text::message::msg;
use crate::web::Web;
use crate::web::auth::Caller;
use crate::web::changes::{self, SettingItem};
use crate::web::problem::{Problem, ProblemBody};

/// The settings that can be changed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Settings)]
pub(super) struct SettingsBody {
    /// Changeable settings.
    items: Vec<SettingItem>,
}

/// New values. `null` unsets a setting; settings that are not named stay as they are.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Changes {
    /// GitHub personal access token used to look for new releases.
    #[serde(rename = "github.token", default)]
    #[schema(value_type = Option<String>, pattern = "^[!-~]{1,255}$")]
    github_token: SettingChange,
    /// Minimum level of a log line that is mailed; 9999 for none.
    #[serde(rename = "email.logger.alert.level", default)]
    #[schema(value_type = Option<String>, pattern = "^(100|200|250|300|400|500|550|600|9999)$")]
    alert_level: SettingChange,
}

/// A requested change of one setting.
#[derive(Debug, Default)]
enum SettingChange {
    /// No change: the setting was not named.
    #[default]
    Keep,
    /// A new value, or `None` to unset the setting.
    Set(Option<String>),
}

impl<'de> Deserialize<'de> for SettingChange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::Set)
    }
}

impl Changes {
    /// Returns each change under the name of its setting; an empty value unsets it.
    fn named(self) -> Result<Vec<(&'static str, String)>, Problem> {
        let mut named = Vec::new();
        for (key, change) in CHANGEABLE.into_iter().zip([self.github_token, self.alert_level]) {
            match change {
                SettingChange::Keep => {}
                SettingChange::Set(None) => named.push((key, String::new())),
                SettingChange::Set(Some(value)) if changes::is_plain(&value) => named.push((key, value)),
                SettingChange::Set(Some(_)) => {
                    return Err(Problem::new(StatusCode::BAD_REQUEST, msg!("problem-not-plain", key)));
                }
            }
        }
        Ok(named)
    }
}

/// Lists the settings that can be changed.
#[utoipa::path(get, path = "/settings", responses((status = 200, body = SettingsBody)))]
pub(super) async fn settings(State(web): State<Web>) -> Json<SettingsBody> {
    Json(current_settings(&web.settings.get()))
}

/// Changes settings in parameters.yml; they take effect at once.
///
/// All values are checked before any is written.
#[utoipa::path(patch, path = "/settings", operation_id = "change", request_body = Changes, responses(
    (status = 200, body = SettingsBody),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn change_settings(
    State(web): State<Web>,
    caller: Caller,
    Body(wanted): Body<Changes>,
) -> Result<Json<SettingsBody>, Problem> {
    let changed = changes::apply(&web, &caller, wanted.named()?).await?;
    Ok(Json(current_settings(&changed)))
}

fn current_settings(config: &Config) -> SettingsBody {
    SettingsBody { items: changes::changeable_settings(config) }
}
