//! Forms of the pages, accepted only from a page of the person's own session.

use crate::text::message::msg;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;

use super::auth::{CSRF_HEADER, Caller, forged};
use super::fields::{RequestFieldError, read_fields};
use super::problem::Problem;

/// Field in which a form carries the CSRF token of its page.
pub const CSRF_FIELD: &str = "_csrf";

/// The fields of a form whose page has presented its token, in the field `_csrf` or in the header `X-CSRF-Token`.
/// Handlers that change something take it together with an [`Operator`](super::Operator).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Checked<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, state).await?;
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, msg!("problem-form")));
        }
        let header = parts.headers.get(CSRF_HEADER).and_then(|token| token.to_str().ok()).map(ToOwned::to_owned);
        let body = Bytes::from_request(Request::from_parts(parts, body), state).await;
        let body = body.map_err(|rejection| {
            Problem::new(rejection.status(), msg!("problem-body", reason = rejection.body_text()))
        })?;

        let mut token = header;
        let (tokens, fields): (Vec<_>, Vec<_>) =
            form_urlencoded::parse(&body).partition(|(name, _)| name == CSRF_FIELD);
        for (_, value) in tokens {
            token.get_or_insert(value.into_owned());
        }
        if caller.session().is_none() || !caller.is_from_own_page(&token.unwrap_or_default()) {
            return Err(forged());
        }
        let wrong = |error: RequestFieldError| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.message(&[]));
        read_fields(fields.into_iter()).map(Self).map_err(wrong)
    }
}
