//! Errors as people and programs read them: `application/problem+json` (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::jobs::JobError;
use crate::store::StoreError;
use crate::text::Texts;
use crate::text::message::Message;

/// An answer that says what is wrong.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    sentence: Message,
    retry_after_seconds: Option<u32>,
}

impl Problem {
    /// An answer of this status whose title says, to a person, what is wrong and how to mend it.
    pub fn new(status: StatusCode, title: impl Into<String>) -> Self {
        Self::saying(status, Message::quoting(title))
    }

    /// The same in a sentence that pages say in their reader's language; in English everywhere else.
    pub fn saying(status: StatusCode, sentence: Message) -> Self {
        Self { status, sentence, retry_after_seconds: None }
    }

    /// The same, as the text of this name in `ui/locales/*/problem.ftl`.
    pub(super) fn told<const N: usize>(
        status: StatusCode,
        id: &'static str,
        values: [(&'static str, String); N],
    ) -> Self {
        Self::saying(status, Message::new(id, values.map(|(name, value)| (name, value.into()))))
    }

    /// 503: the sender is to try again after so many seconds.
    pub fn unavailable(title: impl Into<String>, retry_after_seconds: u32) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, title).again_after(retry_after_seconds)
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
        self.sentence.in_words(texts)
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
            return Self::told(StatusCode::CONFLICT, "problem-marker", []);
        }
        if matches!(error, StoreError::NotBuilt { .. }) {
            return Self::told(StatusCode::SERVICE_UNAVAILABLE, "problem-not-built", []).again_after(60);
        }
        tracing::error!(action = "web", "{error}");
        Self::told(StatusCode::SERVICE_UNAVAILABLE, "problem-store", []).again_after(30)
    }
}

impl From<JobError> for Problem {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Store(error) => error.into(),
            JobError::Credentials(why) | JobError::Refused(why) | JobError::Remote(why) => {
                Self::saying(StatusCode::CONFLICT, why)
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let problem = self.clone();
        let body =
            ProblemBody { r#type: "about:blank", status: self.status.as_u16(), title: self.sentence.to_string() };
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
