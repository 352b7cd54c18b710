//! What is answered over HTTP. The whole route table is [`router`].
//!
//! A handler reads the store and answers, or commits what was asked for and answers. None changes
//! anything at HiPay or Mirakl.

mod api;
mod auth;
mod changes;
mod connections;
mod cookies;
mod enterprise_notifications;
mod form;
mod guesses;
mod health;
mod limits;
mod lists;
mod metrics;
mod misread;
mod pages;
mod path;
mod peer;
mod prefix;
mod problem;
mod refused;
mod session;
mod stray;
mod tls;
mod wallet_notifications;

use std::future::ready;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::middleware::map_response;
use axum::routing::get;
use axum::{Extension, Router};
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use api::description;
pub use auth::{Caller, Operator, Origin, comes_from_elsewhere, let_in_page};
pub use connections::{Connections, Limits};
pub use form::{CSRF_FIELD, Checked};
pub use guesses::Guesses;
pub use health::Readiness;
pub use metrics::{begin_metrics, metrics_router};
pub use peer::Peer;
pub use problem::Problem;
pub use session::{
    COOKIE, NewSession, Passwords, SECURE_COOKIE, SignInRefused, csrf_token, safe_next, sign_in, sign_out,
    sign_out_everywhere,
};
pub use tls::{Certificate, TlsError};

use crate::admin::setup::Setup;
use crate::config::Settings;
use crate::jobs::Context;
pub use crate::platform::random::NoRandom;
use crate::scheduler::Scheduler;
use crate::text::message::msg;
use crate::update::worker::GuardLink;
use crate::update::{Installer, Updates};

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
    /// Looks for newer releases, and fetches them.
    pub updates: Updates,
    /// Compares passwords.
    pub passwords: Passwords,
    /// Who has shown wrong tokens.
    pub guesses: Guesses,
    /// When this process began to answer (UTC).
    pub started_at: Timestamp,
    /// Cancelled when the process stops: what is answered without end ends then.
    pub stopping: CancellationToken,
    /// What the guard knows of updates, and the way to it.
    pub guard: GuardLink,
    /// Fetches releases and hands them to the guard.
    pub installer: Installer,
}

/// Where the API is.
const API: &str = "/api/v1";

/// What is answered to everybody, beside the sign-in and what it looks like.
fn open() -> Vec<pages::Route> {
    let counted = |kind| map_response(move |response| ready(refused::count(kind, response)));
    let wallet = wallet_notifications::route().layer(counted("wallet"));
    let enterprise = enterprise_notifications::route().layer(counted("enterprise"));
    vec![
        ("/healthz", get(health::alive)),
        ("/readyz", get(health::ready)),
        ("/metrics", get(metrics::text)),
        ("/notifications/wallet", wallet.clone()),
        ("/notifications/wallet/", wallet.clone()),
        ("/", wallet.clone().get(pages::moved)),
        ("/index.php", wallet.clone().get(pages::moved)),
        ("/index.php/", wallet.clone().get(pages::moved)),
        ("/index.php/{*path}", wallet.get(pages::moved)),
        ("/notifications/enterprise", enterprise.clone()),
        ("/notifications/enterprise/", enterprise),
    ]
}

/// Every path that is answered, by who may come there: everybody, whoever has signed in to the pages,
/// and whoever may use the API. [`router`] is made of the same tables.
pub fn paths() -> [Vec<String>; 3] {
    let names = |routes: Vec<pages::Route>| routes.into_iter().map(|(path, _)| path.to_owned());
    let everybody = names(open()).chain(names(pages::open())).chain([pages::ASSETS.to_owned()]).collect();
    let api = names(api::routes()).map(|path| format!("{API}{path}")).collect();
    [everybody, names(pages::inside()).collect(), api]
}

/// Every route.
pub fn router(web: Web) -> Router {
    let routes = open()
        .into_iter()
        .fold(Router::new(), |router, (path, methods)| router.route(path, methods))
        .nest(API, api::router(&web))
        .merge(pages::router(&web))
        .fallback(stray::unknown)
        .layer(Extension(Arc::<stray::Strays>::default()))
        .method_not_allowed_fallback(not_allowed);
    let settings = web.settings.clone();
    prefix::served(limits::around(routes, &web).with_state(web), settings)
}

/// What is answered before there are settings.
pub fn setup_router(setup: &Setup) -> Router {
    pages::setup_router(setup)
}

async fn not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, msg!("problem-method"))
}
