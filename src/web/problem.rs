//! Errors for people and programs: `application/problem+json` (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::jobs::JobError;
use crate::store::StoreError;
use crate::text::Texts;
use crate::text::message::{Message, logged, msg};

/// The kind of a failure, by what the caller must do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// Credentials that Mirakl or HiPay refuses: correct the configuration.
    Credentials,
    /// Failure of the store or the machine: repair it.
    Machine,
    /// Request that is not allowed: request something else.
    Refused,
    /// Mirakl or HiPay that cannot be used now: try again later.
    Remote,
    /// Other work in progress: try again once it is done.
    Busy,
    /// A kind of a later release.
    #[serde(other)]
    Unknown,
}

impl From<&JobError> for ProblemKind {
    fn from(error: &JobError) -> Self {
        match error {
            JobError::Credentials(_) => Self::Credentials,
            JobError::Store(_) => Self::Machine,
            JobError::Refused(_) => Self::Refused,
            JobError::Remote(_) => Self::Remote,
        }
    }
}

/// An error response with a message.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    message: Message,
    kind: Option<ProblemKind>,
    /// Cause that only the owner of the machine is shown.
    cause: Option<String>,
    retry_after_seconds: Option<u32>,
}

impl Problem {
    /// Returns an error of this status. The message states what is wrong and how to fix it: in English in the response
    /// itself, in the reader's language on a page.
    pub fn new(status: StatusCode, message: Message) -> Self {
        Self { status, message, kind: None, cause: None, retry_after_seconds: None }
    }

    /// Returns a 503 that asks the sender to try again after this many seconds.
    pub fn unavailable(message: Message, retry_after_seconds: u32) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message).again_after(retry_after_seconds)
    }

    /// Returns the problem with its cause as the message, for the owner of the machine; `None` if it has no other cause.
    pub(super) fn with_cause(&self) -> Option<Self> {
        let message = Message::quoting(self.cause.clone()?);
        Some(Self { message, cause: None, ..self.clone() })
    }

    /// Adds the kind of the failure.
    #[must_use]
    pub fn of_kind(self, kind: ProblemKind) -> Self {
        Self { kind: Some(kind), ..self }
    }

    /// Asks the sender to try again after this many seconds.
    #[must_use]
    pub(super) fn again_after(self, seconds: u32) -> Self {
        Self { retry_after_seconds: Some(seconds), ..self }
    }

    /// Returns the HTTP status.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the message in the language of a page.
    pub(super) fn in_words(&self, texts: &Texts) -> String {
        self.message.in_words(texts)
    }
}

/// The body of an error response (RFC 9457).
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ProblemBody {
    /// Always `about:blank`: the title is complete.
    #[serde(default)]
    r#type: String,
    /// HTTP status.
    pub status: u16,
    /// Message that states what is wrong and how to fix it.
    pub title: String,
    /// Kind of the failure, where the status does not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ProblemKind>,
}

/// Conversion of store errors. They concern the operator, not the caller: the error itself is logged, and the caller is
/// asked to try again.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::BadCursor) {
            return Self::new(StatusCode::CONFLICT, msg!("problem-marker"));
        }
        if matches!(error, StoreError::NotBuilt { .. }) {
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, msg!("problem-not-built")).again_after(60);
        }
        logged!(error, action = "web", Message::from(&error));
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, msg!("problem-store")).again_after(30);
        Self { kind: Some(ProblemKind::Machine), cause: Some(error.to_string()), ..problem }
    }
}

impl From<JobError> for Problem {
    fn from(error: JobError) -> Self {
        let kind = ProblemKind::from(&error);
        match error {
            JobError::Store(error) => error.into(),
            JobError::Credentials(why) | JobError::Refused(why) | JobError::Remote(why) => {
                Self::new(StatusCode::CONFLICT, why).of_kind(kind)
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let problem = self.clone();
        let body = ProblemBody {
            r#type: "about:blank".to_owned(),
            status: self.status.as_u16(),
            title: self.message.to_string(),
            kind: self.kind,
        };
        let mut response = (self.status, Json(body)).into_response();
        // For pages, which render the problem themselves.
        response.extensions_mut().insert(problem);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
