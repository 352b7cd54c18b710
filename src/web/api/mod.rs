//! `/api/v1`: what the pages show, as JSON, for scripts and other systems. Its description is made
//! from this code.

mod batches;
mod extract;
mod listings;
mod settings;
mod update;

use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::auth;
use super::problem::Problem;
use super::{COOKIE, Web, lists};

/// Every route of the API, behind its door.
pub(super) fn router(web: &Web) -> Router<Web> {
    Router::new()
        .route("/vendors", get(listings::vendors))
        .route("/vendors/{mirakl_id}", get(listings::vendor))
        .route("/operations", get(listings::operations))
        .route("/operations.csv", get(listings::operations_csv))
        .route("/operations/{id}", get(listings::operation))
        .route("/operations/{id}/retry", post(batches::retry))
        .route("/payments", get(listings::payments))
        .route("/payments/{transaction_reference}", get(listings::payment))
        .route("/notifications", get(listings::notifications))
        .route("/logs", get(listings::logs))
        .route("/logs.csv", get(listings::logs_csv))
        .route("/batches", get(batches::batches).post(batches::ask))
        .route("/update", get(update::update))
        .route("/settings", get(settings::settings).patch(settings::change))
        .route("/openapi.json", get(async || Json(Description::openapi())))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "the API has nothing at this address"))
        .layer(middleware::from_fn_with_state(web.clone(), auth::let_in))
}

/// The description of the API.
#[derive(OpenApi)]
#[openapi(
    info(title = "cashout", description = "What cashout knows of vendors, operations, payments and itself."),
    servers((url = "/api/v1")),
    paths(listings::vendors, listings::vendor, listings::operations, listings::operations_csv, listings::operation, batches::retry,
        listings::payments,
        listings::payment,
        listings::notifications,
        listings::logs,
        listings::logs_csv,
        batches::batches,
        batches::ask,
        update::update,
        settings::settings, settings::change),
    modifiers(&Doors),
    security(("token" = []), ("session" = []))
)]
struct Description;

struct Doors;

impl Modify for Doors {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("dashboard.apiToken"));
        let components = description.components.get_or_insert_with(Default::default);
        components.add_security_scheme("token", SecurityScheme::Http(token.build()));
        let session = "A session of the dashboard; over TLS the name begins with __Host-. What changes something needs \
            the header X-CSRF-Token with the token of a page too, and an operator.";
        let session = ApiKeyValue::with_description(COOKIE, session);
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)));
    }
}
