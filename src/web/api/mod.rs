//! JSON API under `/api/v1`: the data of the pages, for scripts and other systems. Its description is generated from
//! this code and kept as a file, so that the program does not have to carry the generator and every change of the API
//! is visible in a review.

mod batches;
mod check;
mod choices;
mod cycles;
mod extract;
mod listings;
mod search;
mod settings;
mod todo;
mod troubles;
mod update;
mod vouchers;
mod wallet;

pub use batches::{BatchError, EndedBatch, EnqueuedBatch, StopEffect, StopResult};
pub use check::{CheckFinding, CheckResult};

use crate::text::message::msg;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get, post};
use axum::{Router, middleware};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, Ref, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use super::auth;
use super::problem::{Problem, ProblemBody};
use super::{COOKIE, Web, lists, not_allowed};
use crate::domain::explanation::Actor;
use crate::domain::standing::Stage;

/// Published description of the API, which a test compares with [`description`].
const DESCRIPTION: &str = include_str!("openapi.json");

/// Returns every path of the API, below `/api/v1`, with its handlers.
pub(super) fn routes() -> Vec<(&'static str, MethodRouter<Web>)> {
    vec![
        ("/vendors", get(listings::vendors)),
        ("/vendors/{mirakl_id}", get(listings::vendor)),
        ("/vendors/{mirakl_id}/wallet", post(wallet::set_wallet)),
        ("/operations", get(listings::operations)),
        ("/operations.csv", get(listings::operations_csv)),
        ("/operations/{id}", get(listings::operation)),
        ("/operations/{id}/retry", post(choices::retry)),
        ("/operations/{id}/hold", post(choices::hold)),
        ("/operations/{id}/release", post(choices::release)),
        ("/operations/{id}/settle", post(choices::settle)),
        ("/operations/{id}/accept", post(choices::accept)),
        ("/vouchers", get(vouchers::vouchers)),
        ("/vouchers/{id}/release", post(vouchers::release)),
        ("/vouchers/{id}/settle", post(vouchers::settle)),
        ("/transactions", get(listings::transactions)),
        ("/payments", get(listings::payments)),
        ("/payments/{transaction_reference}", get(listings::payment)),
        ("/notifications", get(listings::notifications)),
        ("/logs", get(listings::logs)),
        ("/logs.csv", get(listings::logs_csv)),
        ("/search", get(search::search)),
        ("/batches", get(batches::batches).post(batches::enqueue)),
        ("/batches/events", get(batches::events)),
        ("/batches/{id}", get(batches::batch)),
        ("/batches/{id}/stop", post(batches::stop)),
        ("/check", post(check::check)),
        ("/cycles", get(cycles::cycles)),
        ("/cycles/{date}", get(cycles::cycle)),
        ("/todo", get(todo::todo)),
        ("/troubles", get(troubles::troubles)),
        ("/update", get(update::update).post(update::install)),
        ("/update/check", post(update::check)),
        ("/update/request", post(update::request)),
        ("/settings", get(settings::settings).patch(settings::change_settings)),
        ("/openapi.json", get(describe)),
    ]
}

/// Serves the API's description, with the path under which this server is reached.
async fn describe(State(web): State<Web>) -> impl IntoResponse {
    let server = |path: &str| format!("\"url\": \"{path}/api/v1\"");
    let path = web.settings.get().server.public_path.clone();
    ([(CONTENT_TYPE, "application/json")], DESCRIPTION.replacen(&server(""), &server(&path), 1))
}

/// Builds the router of the API, protected by its token or a session.
pub(super) fn router(web: &Web) -> Router<Web> {
    routes()
        .into_iter()
        .fold(Router::new(), |router, (path, methods)| router.route(path, methods))
        .method_not_allowed_fallback(not_allowed)
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, msg!("problem-no-api")))
        .layer(middleware::from_fn_with_state(web.clone(), auth::let_in))
}

/// Generates the description of the API from the code: `OpenAPI`, in JSON.
pub fn description() -> String {
    let mut made = Description::openapi().to_pretty_json().unwrap_or_default();
    made.push('\n');
    made
}

#[derive(OpenApi)]
#[openapi(
    info(title = "cashout", version = "1", description = "What cashout knows of vendors, operations, payments and itself."),
    servers((url = "/api/v1")),
    paths(listings::vendors, listings::vendor, listings::operations, listings::operations_csv, listings::operation,
        choices::retry, choices::hold, choices::release, choices::settle, choices::accept, vouchers::vouchers,
        vouchers::release, vouchers::settle, listings::transactions, listings::payments, listings::payment,
        listings::notifications, listings::logs, listings::logs_csv, search::search, batches::batches,
        batches::enqueue, batches::events, batches::batch, batches::stop, check::check, wallet::set_wallet,
        cycles::cycles, cycles::cycle, todo::todo, troubles::troubles,
        update::update, update::install, update::check, update::request, settings::settings,
        settings::change_settings),
    components(schemas(ProblemBody, Actor, Stage)),
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
        // Every call can be refused.
        let problem = Content::new(Some(Ref::from_schema_name("ProblemBody")));
        let problem = ResponseBuilder::new().content("application/problem+json", problem).build();
        for item in description.paths.paths.values_mut() {
            for operation in [&mut item.get, &mut item.post, &mut item.patch].into_iter().flatten() {
                operation.responses.responses.insert("4XX".to_owned(), problem.clone().into());
            }
        }
    }
}
