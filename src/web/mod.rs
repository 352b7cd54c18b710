//! What is answered over HTTP. The whole route table is [`router`].
//!
//! A handler reads the store and answers, or commits what was asked for and answers. None changes
//! anything at HiPay or Mirakl.

mod api;
mod auth;
mod connections;
mod enterprise_notifications;
mod form;
mod health;
mod limits;
mod lists;
mod metrics;
mod pages;
mod peer;
mod problem;
mod session;
mod tls;
mod wallet_notifications;

use std::future::ready;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::map_response;
use axum::routing::get;
use tokio::sync::Notify;

pub use auth::{Caller, Operator, Origin, comes_from_elsewhere, let_in_page};
pub use connections::{Connections, Limits};
pub use form::{CSRF_FIELD, Checked};
pub use health::Readiness;
pub use peer::Peer;
pub use problem::Problem;
pub use session::{
    COOKIE, NewSession, NoRandom, Passwords, SECURE_COOKIE, SignInRefused, csrf_token, safe_next, sign_in, sign_out,
    sign_out_everywhere,
};
pub use tls::{Certificate, TlsError};

use crate::config::Settings;
use crate::jobs::Context;
use crate::scheduler::Scheduler;

/// What handlers work with. Cloning shares it.
#[derive(Clone)]
pub struct Web {
    /// The store, the remotes and the clock.
    pub context: Context,
    /// The settings as they are now.
    pub settings: Settings,
    /// Whether work is taken on.
    pub readiness: Readiness,
    /// Told when a notification has been stored.
    pub inbox: Arc<Notify>,
    /// Runs the batches, and takes requests for them.
    pub scheduler: Scheduler,
    /// Compares passwords.
    pub passwords: Passwords,
}

/// Every route.
pub fn router(web: Web) -> Router {
    let counted = |kind| map_response(move |response| ready(metrics::count_refusal(kind, response)));
    let wallet = wallet_notifications::route().layer(counted("wallet"));
    let enterprise = enterprise_notifications::route().layer(counted("enterprise"));
    let routes = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::text))
        .nest("/api/v1", api::router(&web))
        .merge(pages::router(&web))
        .route("/notifications/wallet", wallet.clone())
        .route("/", wallet.clone().get(pages::moved))
        .route("/index.php", wallet.clone().get(pages::moved))
        .route("/index.php/", wallet.get(pages::moved))
        .route("/index.php/{*path}", get(pages::moved))
        .route("/notifications/enterprise", enterprise)
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is nothing at this address"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this address does not take that method")
        });
    limits::around(routes, &web).with_state(web)
}
