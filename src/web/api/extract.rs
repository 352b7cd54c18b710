//! The body of a request, checked; an invalid one is answered as a problem.

use axum::body::Bytes;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};

use crate::text::message::msg;
use crate::web::problem::Problem;

/// A body in JSON.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        // Read as an object by its names: a list would be accepted too, value by value.
        match axum::Json::<Map<String, Value>>::from_request(request, state).await {
            Ok(axum::Json(body)) => serde_json::from_value(Value::Object(body)).map(Self).map_err(|error| {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, msg!("problem-body", reason = error.to_string()))
            }),
            Err(JsonRejection::MissingJsonContentType(_)) => {
                Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, msg!("problem-json")))
            }
            Err(error) => Err(Problem::new(error.status(), msg!("problem-body", reason = error.body_text()))),
        }
    }
}

/// A body in JSON; the default if it is empty or `null`.
pub(super) struct OptionalBody<T>(pub(super) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let body = Bytes::from_request(Request::from_parts(parts.clone(), body), state).await;
        let body =
            body.map_err(|error| Problem::new(error.status(), msg!("problem-body", reason = error.body_text())))?;
        if body.is_empty() || body.trim_ascii() == b"null" {
            return Ok(Self(T::default()));
        }
        let request = Request::from_parts(parts, axum::body::Body::from(body));
        Body::from_request(request, state).await.map(|Body(body)| Self(body))
    }
}

/// Reads a whole number, which JSON may write with a fraction of zero.
pub(super) fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = Number::deserialize(deserializer)?.to_string();
    let whole = number.strip_suffix(".0").unwrap_or(&number);
    whole.parse().map_err(|_| D::Error::custom(format!("{number} is not a whole number")))
}
