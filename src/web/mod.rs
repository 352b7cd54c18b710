//! HTTP server: the dashboard, the JSON API, HiPay's notifications, health checks and metrics. [`router`] has all
//! routes.
//!
//! A handler reads the store, or commits a request to it, and answers. No handler changes anything at HiPay or Mirakl.

mod api;
mod auth;
mod changes;
mod connections;
mod cookies;
mod enterprise_notifications;
mod fields;
mod form;
mod health;
mod limits;
mod lists;
mod metrics;
mod pages;
mod path;
mod peer;
mod prefix;
mod problem;
mod refusals;
mod search;
mod session;
mod tls;
mod token_guesses;
mod unknown_address;
mod wallet_notifications;

use std::future::ready;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::middleware::{from_fn_with_state, map_response};
use axum::routing::{any, get};
use axum::{Extension, Router};
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use api::description;
pub use api::{BatchError, CheckFinding, CheckResult, EndedBatch, EnqueuedBatch, StopEffect, StopResult};
pub use auth::{Caller, FromCommandLine, Operator, Origin, comes_from_elsewhere, let_in_page};
pub use connections::{Connections, Limits};
pub use form::{CSRF_FIELD, Checked};
pub use health::Readiness;
pub use lists::{
    BatchAmount, BatchDetail, BatchFailure, BatchItem, OperationDetail, OperationItem, VoucherDetail, VoucherItem,
};
pub use metrics::{begin_metrics, metrics_router};
pub use peer::Peer;
pub use problem::{Problem, ProblemBody, ProblemKind};
pub use session::{
    COOKIE, NewSession, Passwords, SECURE_COOKIE, SignInRefused, csrf_token, safe_next, sign_in, sign_out,
    sign_out_everywhere,
};
pub use tls::{Certificate, TlsError};
pub use token_guesses::Guesses;

use crate::admin::setup::FirstRun;
use crate::config::Settings;
use crate::jobs::Context;
pub use crate::platform::random::NoRandom;
use crate::scheduler::Scheduler;
use crate::store::{Record, StoreError, StoreReader, View};
use crate::text::message::{Message, msg};
use crate::update::worker::GuardLink;
use crate::update::{Installer, Updates};

/// Shared state of the handlers. Clones refer to the same state.
#[derive(Clone)]
pub struct Web {
    /// The store, the remotes and the clock.
    pub context: Context,
    /// Current settings.
    pub settings: Settings,
    /// Readiness to take on work.
    pub readiness: Readiness,
    /// Signal that a notification has been stored.
    pub inbox: Arc<Notify>,
    /// Scheduler that queues and runs the batches.
    pub scheduler: Scheduler,
    /// Client that looks for newer releases and fetches them.
    pub updates: Updates,
    /// Comparison of passwords.
    pub passwords: Passwords,
    /// Wrong tokens by address.
    pub guesses: Guesses,
    /// Time when this process began to answer (UTC).
    pub started_at: Timestamp,
    /// Token cancelled when the process stops; it ends responses that have no end of their own.
    pub stopping: CancellationToken,
    /// Link to the guard, with the guard's latest state of updates.
    pub guard: GuardLink,
    /// Installer that fetches releases and hands them to the guard.
    pub installer: Installer,
}

impl Web {
    /// Returns the record under `key`, or a 404 with the message `missing`.
    async fn record<R: Record>(&self, key: R::Key, missing: Message) -> Result<R, Problem> {
        self.find(missing, move |reader| reader.get::<R>(&key)).await
    }

    /// Returns what `read` finds in the store, or a 404 with the message `missing`.
    async fn find<T: Send + 'static>(
        &self,
        missing: Message,
        read: impl FnOnce(&StoreReader<'_>) -> Result<Option<T>, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let found = self.context.store.reading(read).await?;
        found.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, missing))
    }
}

/// Path prefix of the API.
pub const API: &str = "/api/v1";

/// Returns the routes open to every caller, apart from the sign-in page and the assets.
fn open() -> Vec<pages::Route> {
    let counted = |kind| map_response(move |response| ready(refusals::count(kind, response)));
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

/// Returns every path, grouped by its callers: everyone, people signed in to the dashboard, and users of the API.
/// [`router`] is built from the same tables.
pub fn paths() -> [Vec<String>; 3] {
    let names = |routes: Vec<pages::Route>| routes.into_iter().map(|(path, _)| path.to_owned());
    let everybody = names(open()).chain(names(pages::open())).chain([pages::ASSETS.to_owned()]).collect();
    let api = names(api::routes()).map(|path| format!("{API}{path}")).collect();
    [everybody, names(pages::inside()).collect(), api]
}

/// Builds the router with all routes.
pub fn router(web: Web) -> Router {
    let routes = open()
        .into_iter()
        .fold(Router::new(), |router, (path, methods)| router.route(path, methods))
        .nest(API, api::router(&web))
        .merge(pages::router(&web))
        .fallback(any(unknown_address::unknown).layer(from_fn_with_state(web.clone(), pages::in_words_for_browsers)))
        .layer(Extension(Arc::<unknown_address::Strays>::default()))
        .method_not_allowed_fallback(not_allowed);
    let settings = web.settings.clone();
    prefix::serve_below(limits::around(routes, &web).with_state(web), settings)
}

/// Builds the router of a process without settings, which serves the setup page.
pub fn setup_router(setup: &FirstRun) -> Router {
    pages::setup_router(setup)
}

async fn not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, msg!("problem-method"))
}
