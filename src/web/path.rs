//! Parameters in the path of an address; an invalid one is answered as a problem.

use crate::text::message::msg;
use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use jiff::civil::Date;

use super::problem::Problem;

/// A number in the path.
pub(in crate::web) struct Id(pub(in crate::web) u64);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // Anything but a number names no record.
        let number = Path::<u64>::from_request_parts(parts, state).await;
        let missing = |_| Problem::new(StatusCode::NOT_FOUND, msg!("problem-no-number"));
        number.map(|Path(number)| Self(number)).map_err(missing)
    }
}

/// A name in the path.
pub(in crate::web) struct Name(pub(in crate::web) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let name = Path::<String>::from_request_parts(parts, state).await;
        let missing = |_| Problem::new(StatusCode::NOT_FOUND, msg!("problem-no-name"));
        name.map(|Path(name)| Self(name)).map_err(missing)
    }
}

/// A day in the path.
pub(in crate::web) struct Day(pub(in crate::web) Date);

impl<S: Send + Sync> FromRequestParts<S> for Day {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Name(text) = Name::from_request_parts(parts, state).await?;
        let wrong = |_| Problem::new(StatusCode::BAD_REQUEST, msg!("problem-cycle-date", date = &text));
        text.parse().map(Self).map_err(wrong)
    }
}
