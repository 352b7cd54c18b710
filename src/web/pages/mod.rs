//! The dashboard: pages rendered on the server from the templates in `ui/templates`, with the texts of `ui/locales` and
//! the assets of `ui/assets`. Their data comes from `lists`, as in the API.

#![expect(
    clippy::needless_pass_by_value,
    clippy::trivially_copy_pass_by_ref,
    clippy::unused_self,
    reason = "templates hand values over by reference, and call methods of what they are made of"
)]

mod address;
mod assets;
mod choices;
mod cycle;
mod cycles;
mod group_choice;
mod language;
mod logs;
mod notifications;
mod overview;
mod page;
mod payments;
mod search;
mod settings;
mod setup;
mod sign_in;
mod todo;
mod transactions;
mod transfers;
mod vendor;
mod vendors;
mod vouchers;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{RequestExt, Router};
use tower_http::compression::CompressionLayer;

use address::Address;
use page::PageFrame;
pub(super) use setup::router as setup_router;

use super::lists::{
    self, NotificationFilter, OperationFilter, PaymentFilter, TransactionFilter, VendorFilter, VoucherFilter,
};
use super::problem::Problem;
use super::{Web, auth, not_allowed, prefix};
use crate::text::message::msg;

/// Content security policy: nothing from other hosts, nothing inline, no framing.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A path and its handlers.
pub(super) type Route = (&'static str, MethodRouter<Web>);

/// Returns the pages that are open to everyone.
pub(super) fn open() -> Vec<Route> {
    vec![("/dashboard/login", get(sign_in::form).post(sign_in::sign_in))]
}

/// Returns the pages that need a session.
pub(super) fn inside() -> Vec<Route> {
    vec![
        ("/dashboard", get(overview::overview)),
        ("/dashboard/funds", get(overview::funds)),
        ("/dashboard/todo", get(todo::todo)),
        ("/dashboard/cycles", get(cycles::list)),
        ("/dashboard/cycles/{date}", get(cycle::cycle)),
        (search::SEARCH, get(search::search)),
        ("/dashboard/vendors", get(vendors::list)),
        ("/dashboard/vendors.csv", get(lists::found_csv::<VendorFilter>)),
        ("/dashboard/vendors/{mirakl_id}/documents", get(vendors::documents)),
        ("/dashboard/transfers", get(transfers::list)),
        ("/dashboard/transfers.csv", get(lists::found_csv::<OperationFilter>)),
        ("/dashboard/transfers/{id}", get(transfers::operation)),
        ("/dashboard/transfers/{id}/retry", get(group_choice::confirm_one).post(group_choice::retry_one)),
        ("/dashboard/transfers/{id}/choose", post(choices::choose)),
        ("/dashboard/transfers/retry", get(group_choice::confirm_retry).post(group_choice::retry_all)),
        ("/dashboard/transfers/all/{choice}", get(group_choice::confirm).post(group_choice::choose_all)),
        ("/dashboard/transfers/chosen/{id}", get(group_choice::result)),
        ("/dashboard/vouchers", get(vouchers::list)),
        ("/dashboard/vouchers.csv", get(lists::found_csv::<VoucherFilter>)),
        ("/dashboard/vouchers/{id}", get(vouchers::voucher)),
        ("/dashboard/vouchers/{id}/choose", post(vouchers::choose)),
        ("/dashboard/transactions", get(transactions::list)),
        ("/dashboard/transactions.csv", get(lists::found_csv::<TransactionFilter>)),
        ("/dashboard/payments", get(payments::list)),
        ("/dashboard/payments.csv", get(lists::found_csv::<PaymentFilter>)),
        ("/dashboard/payments/{transaction_reference}", get(payments::payment)),
        ("/dashboard/notifications", get(notifications::list)),
        ("/dashboard/notifications.csv", get(lists::found_csv::<NotificationFilter>)),
        ("/dashboard/notifications/{id}", get(notifications::notification)),
        ("/dashboard/vendors/{mirakl_id}", get(vendor::vendor)),
        ("/dashboard/notifications/{id}/replay", post(notifications::replay)),
        ("/dashboard/logs", get(logs::list)),
        ("/dashboard/logs.csv", get(logs::csv)),
        ("/dashboard/settings", get(settings::overview)),
        ("/dashboard/settings/run", post(settings::run)),
        ("/dashboard/settings/change", post(settings::change_settings)),
        ("/dashboard/batches/events", get(settings::events)),
        ("/dashboard/settings/remotes", get(settings::remotes)),
        ("/dashboard/update", get(settings::updating).post(settings::install_update)),
        ("/dashboard/update/check", post(settings::look_for_update)),
        ("/dashboard/update/events", get(settings::update_events)),
        ("/dashboard/password", get(sign_in::weak_password)),
        ("/dashboard/logout", post(sign_in::sign_out)),
    ]
}

/// Path of styles and scripts.
pub(super) const ASSETS: &str = "/dashboard/assets/{version}/{*path}";

/// Builds the router of all pages, which need a session except for the sign-in.
pub(super) fn router(web: &Web) -> Router<Web> {
    let add = |router: Router<Web>, (path, methods): Route| router.route(path, methods);
    // Inside the check of the session, the reader is known.
    let words = middleware::from_fn_with_state(web.clone(), in_words);
    let door = middleware::from_fn_with_state(web.clone(), auth::let_in_page);
    open()
        .into_iter()
        .fold(Router::new(), add)
        .merge(
            inside()
                .into_iter()
                .fold(Router::new(), add)
                .route("/dashboard/", get(unknown))
                .route("/dashboard/{*path}", get(unknown))
                .method_not_allowed_fallback(not_allowed)
                .layer(words.clone())
                .layer(door),
        )
        .layer(words)
        .layer(middleware::from_fn(language::choose))
        .layer(middleware::from_fn(guarded))
        .layer(middleware::from_fn_with_state(web.clone(), prefix::prefix_links))
        .route(ASSETS, get(assets::asset))
        .layer(CompressionLayer::new())
}

/// Redirects older addresses of pages to the new ones.
pub(super) async fn moved(address: Uri) -> Redirect {
    let path = address.path().strip_prefix("/index.php").unwrap_or_default().trim_end_matches('/');
    if path.starts_with("/dashboard") { Redirect::to(path) } else { Redirect::to("/dashboard") }
}

/// Answers an address of no page: one that ends with a slash leads to the page without it.
async fn unknown(address: Uri) -> Result<Redirect, Problem> {
    let missing = || Problem::new(StatusCode::NOT_FOUND, msg!("problem-no-address"));
    let path = address.path().strip_suffix('/').ok_or_else(missing)?;
    let query = address.query().map_or_else(String::new, |query| format!("?{query}"));
    Ok(Redirect::to(&format!("{path}{query}")))
}

/// Shows a problem as a page to browsers; programs get it as JSON.
pub(super) async fn in_words_for_browsers(web: State<Web>, request: Request, next: Next) -> Response {
    let accepted = request.headers().get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok());
    if accepted.is_some_and(|accepted| accepted.contains("text/html")) {
        return guard(in_words(web, request, next).await);
    }
    next.run(request).await
}

/// Sets the headers that apply to every page.
async fn guarded(request: Request, next: Next) -> Response {
    guard(next.run(request).await)
}

fn guard(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::REFERRER_POLICY, "same-origin");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Shows a problem as a page instead of JSON.
async fn in_words(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let page = request.extract_parts_with_state::<PageFrame, _>(&web).await;
    let response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Problem>().cloned() else { return response };
    match page {
        Ok(page) => page::trouble(page, &problem),
        Err(_) => response.into_response(),
    }
}
