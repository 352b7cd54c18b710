//! Endpoint for the search.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::text::Texts;
use crate::web::Web;
use crate::web::fields::{RequestFieldError, read_fields};
use crate::web::problem::{Problem, ProblemBody};
use crate::web::search::{self, SearchItem};

/// Parameters of a search.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchParams {
    /// Name of a shop or a part of it, an e-mail, a login, or any number: of a shop, a wallet, an operation, a voucher,
    /// an invoice, a billing cycle, a transaction, a payment or an order, or a reference. Nothing is found for an empty
    /// text.
    #[param(max_length = 200)]
    q: String,
}

/// Results of a search.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SearchAnswer {
    /// Hits, the best first, 20 at most.
    items: Vec<SearchItem>,
}

/// Searches shops, operations, vouchers, transactions and payments.
///
/// Exact matches come first, then texts that begin with it, then names, logins and e-mails of shops that contain it.
/// Case, accents and signs do not count in these. Every kind has room; exact matches are never left out for others.
#[utoipa::path(get, path = "/search", params(SearchParams), responses(
    (status = 200, body = SearchAnswer),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn search(State(web): State<Web>, RawQuery(query): RawQuery) -> Result<Json<SearchAnswer>, Problem> {
    let query = query.unwrap_or_default();
    let wrong = |error: RequestFieldError| Problem::new(StatusCode::BAD_REQUEST, error.message(&[]));
    let SearchParams { q } = read_fields(form_urlencoded::parse(query.as_bytes())).map_err(wrong)?;
    let hits = search::search(&web, &q).await?;
    let items = hits.iter().map(|hit| SearchItem::new(hit, Texts::of(None))).collect();
    Ok(Json(SearchAnswer { items }))
}
