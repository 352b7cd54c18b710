//! Access control of the API and the pages: the API token or a session.

use std::fmt;

use axum::extract::{FromRequestParts, OriginalUri, Request, State};
use axum::http::request::Parts;
use axum::http::uri::{PathAndQuery, Uri};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::problem::Problem;
use super::session::{self, safe_next};
use super::{Peer, Web};
use crate::config::Role;
use crate::domain::session::Session;
use crate::platform::secret::Secret;
use crate::text::message::{Message, logged, msg};

/// Header in which a script sends the CSRF token of its page.
pub(super) const CSRF_HEADER: &str = "x-csrf-token";
/// Path of the sign-in page.
const LOGIN: &str = "/dashboard/login";

/// A caller who has been let in. Handlers that act in a person's name take it as proof.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    /// Name used in records and logs.
    pub name: String,
    /// Role, which decides whether the caller may change anything.
    pub role: Role,
    /// Means by which the caller was let in.
    pub from: Origin,
}

/// Means by which a caller was let in.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// The token `dashboard.apiToken`.
    Token,
    /// A session that the browser has presented.
    Session(Box<Session>),
    /// The command line's socket, which only the owner of the service and root can use.
    CommandLine,
}

/// Mark of a request that has come through the command line's socket; only the server of that socket sets it.
#[derive(Debug, Clone, Copy)]
pub struct FromCommandLine;

impl Caller {
    /// Returns the session of the caller; `None` for callers with the API token and on the command line.
    pub fn session(&self) -> Option<&Session> {
        match &self.from {
            Origin::Token | Origin::CommandLine => None,
            Origin::Session(session) => Some(session),
        }
    }

    /// Returns a CSRF token for the forms of one page; empty for callers with the API token, who have no pages.
    pub fn csrf_token(&self) -> Result<String, Problem> {
        let Some(session) = self.session() else { return Ok(String::new()) };
        session::csrf_token(session).map_err(|error| {
            logged!(error, action = "web", Message::from(&error));
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, msg!("problem-sign-in-store")).again_after(30)
        })
    }

    /// Returns true if `token` belongs to one of the caller's own pages; always true for callers without a session.
    pub(super) fn is_from_own_page(&self, token: &str) -> bool {
        self.session().is_none_or(|session| session.is_csrf_token(token))
    }

    /// Returns false once the session with which the caller was let in has ended.
    pub(super) async fn is_still_let_in(&self, web: &Web) -> bool {
        match self.session() {
            Some(session) => session::is_signed_in(web, session.key.clone()).await,
            None => true,
        }
    }

    /// Refuses callers other than the command line.
    pub(super) fn must_be_on_command_line(&self) -> Result<(), Problem> {
        let here = self.from == Origin::CommandLine;
        here.then_some(()).ok_or_else(|| Problem::new(StatusCode::FORBIDDEN, msg!("problem-command-line")))
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

/// Lets a request through to the API if it carries `dashboard.apiToken` or a session. A request that changes something
/// also needs the operator role and, with a session, the CSRF token of a page.
pub(super) async fn let_in(State(web): State<Web>, peer: Peer, mut request: Request, next: Next) -> Response {
    let caller = match bearer(request.headers()) {
        _ if request.extensions().get::<FromCommandLine>().is_some() => {
            Some(Caller { name: "command line".to_owned(), role: Role::Operator, from: Origin::CommandLine })
        }
        Some(shown) => {
            let settings = web.settings.get();
            let token = settings.dashboard.api_token.as_ref();
            match web.guesses.judged(peer.address, "the API", is_token(token, shown)) {
                Ok(true) => Some(Caller { name: "API".to_owned(), role: Role::Operator, from: Origin::Token }),
                Ok(false) => None,
                Err(refused) => return refused.into_response(),
            }
        }
        None => match session::current_session(&web, request.headers(), peer).await {
            Ok(found) => found.map(Caller::by_session),
            Err(error) => return Problem::from(error).into_response(),
        },
    };
    let Some(caller) = caller else { return nobody() };
    if let Err(refused) = may_ask(&caller, request.method(), request.headers()) {
        return refused.into_response();
    }
    let is_owner = caller.from == Origin::CommandLine;
    request.extensions_mut().insert(caller);
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions().get::<Problem>().filter(|_| is_owner).and_then(Problem::with_cause) {
        response = problem.into_response();
    }
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

/// Lets a request through to the pages if it carries a session; redirects to the sign-in otherwise. Responses are
/// personal and must not be cached.
pub async fn let_in_page(State(web): State<Web>, peer: Peer, mut request: Request, next: Next) -> Response {
    let found = match session::current_session(&web, request.headers(), peer).await {
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
    // After the sign-in, the browser returns to the page, not to a fragment of it.
    let page_in = |name: &str| {
        let page = request.headers().get(name).and_then(|url| url.to_str().ok()?.parse::<Uri>().ok());
        page.and_then(|page| page.path_and_query().cloned())
    };
    let is_change = changes(request.method());
    let page = if is_part {
        page_in("hx-current-url")
    } else if is_change {
        // The page whose form was sent; safe_next accepts pages of the dashboard alone.
        page_in(header::REFERER.as_str())
    } else {
        let whole = request.extensions().get::<OriginalUri>().map_or(request.uri(), |uri| &uri.0);
        whole.path_and_query().cloned()
    };
    let next = page.as_ref().map_or("", PathAndQuery::as_str);
    let mut query = form_urlencoded::Serializer::new(String::new());
    if !next.is_empty() {
        query.append_pair("next", safe_next(next));
    }
    // The person believes that something was changed.
    if is_change && !request.uri().path().ends_with("/logout") {
        query.append_pair("undone", "true");
    }
    let query = query.finish();
    let login = if query.is_empty() { LOGIN.to_owned() } else { format!("{LOGIN}?{query}") };
    let mut response = if is_part {
        (StatusCode::UNAUTHORIZED, [("hx-redirect", login)]).into_response()
    } else {
        Redirect::to(&login).into_response()
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Returns true if a request of this method changes something.
fn changes(method: &Method) -> bool {
    *method != Method::GET && *method != Method::HEAD
}

/// Returns true if the browser reports that another site has made this request.
pub fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site" || site == "same-site")
}

/// Returns the 403 for a request that does not come from a page of this session.
pub(super) fn forged() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, msg!("problem-not-of-page"))
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        // Reached only where a route lacks the middleware, which is a defect: the request is refused.
        let missing = || Problem::new(StatusCode::UNAUTHORIZED, msg!("problem-not-signed-in"));
        parts.extensions.get::<Self>().cloned().ok_or_else(missing)
    }
}

/// A caller who may change things; handlers take it as proof.
#[derive(Debug, Clone, PartialEq)]
pub struct Operator(pub Caller);

impl<S: Sync> FromRequestParts<S> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        caller.must_be_operator().map(|()| Self(caller))
    }
}

/// Returns the token of the header `Authorization: Bearer`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Returns true if `shown` is the token that is set. Hashes are compared in constant time, so that neither the token
/// nor its length can be measured. An unset or empty token matches nothing.
pub(super) fn is_token(set: Option<&Secret>, shown: &str) -> bool {
    let set = set.filter(|set| !set.is_empty());
    set.is_some_and(|set| Sha256::digest(set.expose()).ct_eq(&Sha256::digest(shown)).into())
}
