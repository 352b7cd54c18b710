//! Endpoint that checks the installation.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::extract::OptionalBody;
use crate::admin::check;
use crate::jobs::JobError;
use crate::platform::release;
use crate::text::message::msg;
use crate::web::Web;
use crate::web::auth::Operator;
use crate::web::problem::{Problem, ProblemBody};

/// Extent of a check.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckRequest {
    /// True to make no calls to Mirakl, HiPay and the mail server.
    #[serde(default)]
    offline: bool,
}

/// The result of a check.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct CheckResult {
    /// Version that has checked.
    pub version: String,
    /// Findings, in order.
    pub findings: Vec<CheckFinding>,
}

/// The result of one check.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct CheckFinding {
    /// Subject of the check: `Mirakl`, `technical account`.
    pub what: String,
    /// False for a defect.
    pub ok: bool,
    /// True if `detail` is a disadvantage that does not make anything wrong.
    pub warning: bool,
    /// Observation, or the defect and how to fix it.
    pub detail: String,
}

impl From<check::Finding> for CheckFinding {
    fn from(finding: check::Finding) -> Self {
        Self {
            what: finding.what.to_string(),
            ok: finding.wrong.is_none(),
            warning: finding.is_warning,
            detail: finding.wrong.unwrap_or(finding.detail).to_string(),
        }
    }
}

/// Checks the installation: the store's owner, the address for notifications, Mirakl, HiPay and the mail server.
#[utoipa::path(post, path = "/check", request_body = Option<CheckRequest>, responses(
    (status = 200, body = CheckResult),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn check(
    State(web): State<Web>,
    _operator: Operator,
    OptionalBody(extent): OptionalBody<CheckRequest>,
) -> Result<Json<CheckResult>, Problem> {
    let findings = tokio::select! {
        findings = check::run_checks(&web.context, extent.offline) => findings?,
        // The remotes may be slow to answer.
        () = web.stopping.cancelled() => return Err(JobError::Remote(msg!("service-stops")).into()),
    };
    let findings = findings.0.into_iter().map(CheckFinding::from).collect();
    Ok(Json(CheckResult { version: release::version().to_owned(), findings }))
}
