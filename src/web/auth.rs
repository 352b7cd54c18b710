//! Who may use the API: whoever knows its token.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Web;
use super::problem::Problem;
use crate::secret::Secret;

/// Somebody who was let in. A handler that does something in a person's name takes it as a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// The name for records and logs.
    pub(super) name: String,
}

/// Lets nobody through who does not show `dashboard.apiToken`.
pub(super) async fn let_in(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let settings = web.settings.get();
    let shown = bearer(request.headers());
    if !shown.is_some_and(|shown| is_token(settings.dashboard.api_token.as_ref(), shown)) {
        let mut refused = Problem::new(
            StatusCode::UNAUTHORIZED,
            "sign in with the header 'Authorization: Bearer' and the token of dashboard.apiToken",
        )
        .into_response();
        refused.headers_mut().insert(header::WWW_AUTHENTICATE, axum::http::HeaderValue::from_static("Bearer"));
        return refused;
    }
    request.extensions_mut().insert(Caller { name: "API".to_owned() });
    next.run(request).await
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        // Whoever gets here without having been let in is behind no door: a defect, and no entry.
        let missing = || Problem::new(StatusCode::UNAUTHORIZED, "nobody has signed in");
        parts.extensions.get::<Self>().cloned().ok_or_else(missing)
    }
}

/// The token of `Authorization: Bearer`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Compares hashes in constant time, so that neither the token nor its length can be measured.
/// Where none is set, none is right.
pub(super) fn is_token(set: Option<&Secret>, shown: &str) -> bool {
    let set = set.filter(|set| !set.is_empty());
    set.is_some_and(|set| Sha256::digest(set.expose()).ct_eq(&Sha256::digest(shown)).into())
}
