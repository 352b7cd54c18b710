//! Measures for every request: an id, a time limit, a size limit, and containment of panics.

use std::any::Any;
use std::time::{Duration, Instant};

use ::metrics::{counter, histogram};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;

use super::auth::FromCommandLine;
use super::problem::Problem;
use super::{Peer, Web};
use crate::platform::metrics;
use crate::text::message::{logged, msg};

/// Maximum size of a body where its route sets no other, in bytes.
pub(super) const BODY_LIMIT: usize = 64 * 1024;
/// Time limit from the head of a request to the head of its response.
const TIME_LIMIT: Duration = Duration::from_secs(30);

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Wraps the routes in everything that applies to all of them.
pub(super) fn around(routes: Router<Web>, web: &Web) -> Router<Web> {
    outermost(bounded(routes).layer(middleware::from_fn_with_state(web.clone(), Peer::find)))
}

/// Adds the time limit, the size limit and the containment of panics.
pub(super) fn bounded<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes
        .layer(CatchPanicLayer::custom(panicked))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn(within_time))
}

/// Adds an id for each request, outside everything else.
pub(super) fn outermost<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes.layer(middleware::from_fn(named))
}

/// Gives the request an id that appears in every log line about it and in its response.
async fn named(request: Request, next: Next) -> Response {
    let id = format!("{:016x}", fastrand::u64(..));
    let span = tracing::info_span!("request", id, method = %request.method(), path = request.uri().path());
    let begun = Instant::now();
    let mut response = next.run(request).instrument(span).await;
    counter!(metrics::REQUESTS, "status" => response.status().as_str().to_owned()).increment(1);
    histogram!(metrics::REQUEST_SECONDS).record(begun.elapsed());
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID.clone(), id);
    }
    response.headers_mut().entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    response
}

async fn within_time(request: Request, next: Next) -> Response {
    if request.extensions().get::<FromCommandLine>().is_some() {
        // A person who waits there can end the command; a check of slow remotes may take longer.
        return next.run(request).await;
    }
    match tokio::time::timeout(TIME_LIMIT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(StatusCode::REQUEST_TIMEOUT, msg!("problem-slow")).into_response(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
    logged!(error, action = "web", msg!("log-request-stopped", reason = text));
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, msg!("problem-defect")).into_response()
}
