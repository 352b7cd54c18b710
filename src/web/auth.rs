//! Who may use the API and the pages: whoever knows the API's token, and whoever has signed in.

use std::fmt;

use axum::extract::{FromRequestParts, OriginalUri, Request, State};
use axum::http::request::Parts;
use axum::http::uri::{PathAndQuery, Uri};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::problem::Problem;
use super::session::{self, safe_next};
use super::{Peer, Web};
use crate::config::Role;
use crate::domain::session::Session;
use crate::platform::secret::Secret;
use crate::text::message::msg;

/// The header in which a page's script shows the page's token.
pub(super) const CSRF_HEADER: &str = "x-csrf-token";
/// The page to sign in.
const LOGIN: &str = "/dashboard/login";

/// Somebody who was let in. A handler that does something in a person's name takes it as a proof.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    /// The name for records and logs.
    pub name: String,
    /// What may be done in this name.
    pub role: Role,
    /// How the caller was let in.
    pub from: Origin,
}

/// How a caller was let in.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// By `dashboard.apiToken`.
    Token,
    /// By a session that a browser has shown.
    Session(Box<Session>),
}

impl Caller {
    /// The session that the caller has signed in to.
    pub fn session(&self) -> Option<&Session> {
        match &self.from {
            Origin::Token => None,
            Origin::Session(session) => Some(session),
        }
    }

    /// A token for the forms of one page. Callers by the API's token have no pages, and need none.
    pub fn csrf_token(&self) -> Result<String, Problem> {
        let Some(session) = self.session() else { return Ok(String::new()) };
        session::csrf_token(session).map_err(|error| {
            tracing::error!(action = "web", "{error}");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, msg!("problem-sign-in-store")).again_after(30)
        })
    }

    /// Whether `token` is one of the caller's own pages.
    pub(super) fn is_from_own_page(&self, token: &str) -> bool {
        self.session().is_none_or(|session| session.is_csrf_token(token))
    }

    fn by_session((session, role): (Session, Role)) -> Self {
        Self { name: session.person.clone(), role, from: Origin::Session(Box::new(session)) }
    }

    fn must_be_operator(&self) -> Result<(), Problem> {
        match self.role {
            Role::Operator => Ok(()),
            Role::Viewer => Err(Problem::new(StatusCode::FORBIDDEN, msg!("problem-viewer", person = &self.name))),
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

/// Lets nobody through to the API who shows neither `dashboard.apiToken` nor a session. What changes
/// something with a session needs a token of its pages too, and an operator.
pub(super) async fn let_in(State(web): State<Web>, peer: Peer, mut request: Request, next: Next) -> Response {
    let caller = match bearer(request.headers()) {
        Some(shown) => {
            let settings = web.settings.get();
            let token = settings.dashboard.api_token.as_ref();
            match web.guesses.judged(peer.address, "the API", is_token(token, shown)) {
                Ok(true) => Some(Caller { name: "API".to_owned(), role: Role::Operator, from: Origin::Token }),
                Ok(false) => None,
                Err(refused) => return refused.into_response(),
            }
        }
        None => match session::shown(&web, request.headers(), peer).await {
            Ok(found) => found.map(Caller::by_session),
            Err(error) => return Problem::from(error).into_response(),
        },
    };
    let Some(caller) = caller else { return nobody() };
    if let Err(refused) = may_ask(&caller, request.method(), request.headers()) {
        return refused.into_response();
    }
    request.extensions_mut().insert(caller);
    let mut response = next.run(request).await;
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn may_ask(caller: &Caller, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    if !changes(method) {
        return Ok(());
    }
    let token = headers.get(CSRF_HEADER).and_then(|token| token.to_str().ok()).unwrap_or_default();
    if !caller.is_from_own_page(token) {
        return Err(Problem::new(StatusCode::FORBIDDEN, msg!("problem-no-page-token")));
    }
    caller.must_be_operator()
}

fn nobody() -> Response {
    let mut refused = Problem::new(StatusCode::UNAUTHORIZED, msg!("problem-sign-in")).into_response();
    refused.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    refused
}

/// Lets nobody through to the pages who has not signed in, and leads everybody else to the sign-in. The
/// answers are for this person alone: nobody keeps a copy of them.
pub async fn let_in_page(State(web): State<Web>, peer: Peer, mut request: Request, next: Next) -> Response {
    let found = match session::shown(&web, request.headers(), peer).await {
        Ok(found) => found,
        Err(error) => return Problem::from(error).into_response(),
    };
    let Some(found) = found else { return to_the_sign_in(&request) };
    if changes(request.method()) && comes_from_elsewhere(request.headers()) {
        return forged().into_response();
    }
    request.extensions_mut().insert(Caller::by_session(found));
    let mut response = next.run(request).await;
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn to_the_sign_in(request: &Request) -> Response {
    let is_part = request.headers().get("hx-request").is_some_and(|value| value == "true");
    // A part of a page is no place to come back to, but the page is.
    let page = if is_part {
        let page = request.headers().get("hx-current-url").and_then(|url| url.to_str().ok()?.parse::<Uri>().ok());
        page.and_then(|page| page.path_and_query().cloned())
    } else if changes(request.method()) {
        None
    } else {
        let whole = request.extensions().get::<OriginalUri>().map_or(request.uri(), |uri| &uri.0);
        whole.path_and_query().cloned()
    };
    let next = page.as_ref().map_or("", PathAndQuery::as_str);
    let login = if next.is_empty() {
        LOGIN.to_owned()
    } else {
        format!("{LOGIN}?next={}", utf8_percent_encode(safe_next(next), NON_ALPHANUMERIC))
    };
    let mut response = if is_part {
        (StatusCode::UNAUTHORIZED, [("hx-redirect", login)]).into_response()
    } else {
        Redirect::to(&login).into_response()
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Whether a request of this method changes something.
fn changes(method: &Method) -> bool {
    *method != Method::GET && *method != Method::HEAD
}

/// True where the browser says that another site has made this request.
pub fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site" || site == "same-site")
}

/// What somebody's browser asks for, but not the person in front of it.
pub(super) fn forged() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, msg!("problem-not-of-page"))
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        // Whoever gets here without having been let in is behind no door: a defect, and no entry.
        let missing = || Problem::new(StatusCode::UNAUTHORIZED, msg!("problem-not-signed-in"));
        parts.extensions.get::<Self>().cloned().ok_or_else(missing)
    }
}

/// A caller who may change things: the proof that a handler takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Operator(pub Caller);

impl<S: Sync> FromRequestParts<S> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        caller.must_be_operator().map(|()| Self(caller))
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
