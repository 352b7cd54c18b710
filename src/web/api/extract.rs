//! What a request brings along, checked; what is wrong with it is answered as a problem.

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::web::problem::Problem;

/// A number in the path.
pub(super) struct Id(pub(super) u64);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // What is no number is the name of nothing.
        let number = Path::<u64>::from_request_parts(parts, state).await;
        let missing = |_| Problem::new(StatusCode::NOT_FOUND, "what stands there is no number that we have given out");
        number.map(|Path(number)| Self(number)).map_err(missing)
    }
}

/// A name in the path.
pub(super) struct Name(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let name = Path::<String>::from_request_parts(parts, state).await;
        let missing = |_| Problem::new(StatusCode::NOT_FOUND, "what stands there is no name that we know");
        name.map(|Path(name)| Self(name)).map_err(missing)
    }
}

/// A body in JSON.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        // An object by its names: a list would be taken for one, value by value.
        match axum::Json::<Map<String, Value>>::from_request(request, state).await {
            Ok(axum::Json(body)) => serde_json::from_value(Value::Object(body))
                .map(Self)
                .map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())),
            Err(JsonRejection::MissingJsonContentType(_)) => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the body must be JSON, with the header 'Content-Type: application/json'",
            )),
            Err(error) => Err(Problem::new(error.status(), error.body_text())),
        }
    }
}
