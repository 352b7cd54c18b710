//! Errors for people and programs: `application/problem+json` (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::jobs::JobError;
use crate::store::StoreError;
use crate::text::Texts;
use crate::text::message::{Message, msg};

/// An error response with a message.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    message: Message,
    retry_after_seconds: Option<u32>,
}

impl Problem {
    /// Returns an error of this status. The message states what is wrong and how to fix it: in English in the response
    /// itself, in the reader's language on a page.
    pub fn new(status: StatusCode, message: Message) -> Self {
        Self { status, message, retry_after_seconds: None }
    }

    /// Returns a 503 that asks the sender to try again after this many seconds.
    pub fn unavailable(message: Message, retry_after_seconds: u32) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message).again_after(retry_after_seconds)
    }

    /// Asks the sender to try again after this many seconds.
    #[must_use]
    pub(super) fn again_after(self, seconds: u32) -> Self {
        Self { retry_after_seconds: Some(seconds), ..self }
    }
}

impl Problem {
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
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProblemBody {
    /// Always `about:blank`: the title is complete.
    r#type: &'static str,
    /// HTTP status.
    status: u16,
    /// Message that states what is wrong and how to fix it.
    title: String,
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
        tracing::error!(action = "web", "{error}");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, msg!("problem-store")).again_after(30)
    }
}

impl From<JobError> for Problem {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Store(error) => error.into(),
            JobError::Credentials(why) | JobError::Refused(why) | JobError::Remote(why) => {
                Self::new(StatusCode::CONFLICT, why)
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let problem = self.clone();
        let body = ProblemBody { r#type: "about:blank", status: self.status.as_u16(), title: self.message.to_string() };
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
