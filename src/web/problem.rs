//! Errors as people and programs read them: `application/problem+json` (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::jobs::JobError;
use crate::store::StoreError;
use crate::text::Texts;
use crate::text::message::{Message, msg};

/// An answer that says what is wrong.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    message: Message,
    retry_after_seconds: Option<u32>,
}

impl Problem {
    /// Returns an answer of this status whose message says what is wrong and how to mend it: in English in the answer
    /// itself, in the reader's language on a page.
    pub fn new(status: StatusCode, message: Message) -> Self {
        Self { status, message, retry_after_seconds: None }
    }

    /// 503: the sender is to try again after so many seconds.
    pub fn unavailable(message: Message, retry_after_seconds: u32) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message).again_after(retry_after_seconds)
    }

    /// The sender is to try again after so many seconds.
    #[must_use]
    pub(super) fn again_after(self, seconds: u32) -> Self {
        Self { retry_after_seconds: Some(seconds), ..self }
    }
}

impl Problem {
    /// The HTTP status.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong, in the language of a page where it can be told in it.
    pub(super) fn in_words(&self, texts: &Texts) -> String {
        self.message.in_words(texts)
    }
}

/// What such an answer says.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProblemBody {
    /// Always `about:blank`: the title says it all.
    r#type: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong and how to mend it.
    title: String,
}

/// The store's trouble concerns the operator, not whoever calls: it is logged in its own words, and
/// the caller is asked to come again.
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
        // For pages, which say it in their own way.
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
