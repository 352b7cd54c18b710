//! Endpoints for vouchers: all that Mirakl has shown, and a person's choices on those without operations.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::extract::Body;
use super::lists::{self, List, ListQuery, Paging, VoucherDetail, VoucherFilter};
use crate::domain::voucher::{VoucherChoice, VoucherRecord};
use crate::jobs;
use crate::store::View;
use crate::text::message::msg;
use crate::web::Web;
use crate::web::auth::Caller;
use crate::web::path::Name;
use crate::web::problem::{Problem, ProblemBody};

/// Reason for a choice on a voucher.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Choice {
    /// Reason in words; required to settle.
    #[serde(default)]
    reason: Option<String>,
}

/// Lists the vouchers, latest first.
#[utoipa::path(get, path = "/vouchers", params(Paging, VoucherFilter), responses(
    (status = 200, body = List<VoucherDetail>),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn vouchers(
    State(web): State<Web>,
    ListQuery(paging, filter, ..): ListQuery<VoucherFilter>,
) -> Result<Json<List<VoucherDetail>>, Problem> {
    let found = lists::records(&web, paging, filter).await?;
    let described = web.context.store.reading(move |reader| found.try_map(|record| VoucherDetail::of(reader, record)));
    Ok(Json(described.await?))
}

/// Releases a voucher without operations: the next run of `cashout:generate` makes them.
#[utoipa::path(post, path = "/vouchers/{id}/release", request_body = Choice,
    params(("id" = String, Path, description = "As the list shows it")), responses(
    (status = 200, body = VoucherDetail),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn release(
    State(web): State<Web>,
    caller: Caller,
    Name(id): Name,
    Body(choice): Body<Choice>,
) -> Result<Json<VoucherDetail>, Problem> {
    known_voucher(&web, &id).await?;
    let reason = choice.reason.unwrap_or_default();
    let record = jobs::choose_for_voucher(&web.context, &id, VoucherChoice::Release, &reason, &caller.name).await?;
    Ok(Json(web.context.store.reading(move |reader| VoucherDetail::of(reader, record)).await?))
}

/// Marks a voucher without operations as paid by other means: it is never paid from here.
#[utoipa::path(post, path = "/vouchers/{id}/settle", request_body = Choice,
    params(("id" = String, Path, description = "As the list shows it")), responses(
    (status = 200, body = VoucherDetail),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn settle(
    State(web): State<Web>,
    caller: Caller,
    Name(id): Name,
    Body(choice): Body<Choice>,
) -> Result<Json<VoucherDetail>, Problem> {
    known_voucher(&web, &id).await?;
    let reason = choice.reason.unwrap_or_default();
    let record = jobs::choose_for_voucher(&web.context, &id, VoucherChoice::Settle, &reason, &caller.name).await?;
    Ok(Json(web.context.store.reading(move |reader| VoucherDetail::of(reader, record)).await?))
}

/// Returns a 404 if there is no such voucher.
async fn known_voucher(web: &Web, id: &str) -> Result<(), Problem> {
    let missing = || Problem::new(StatusCode::NOT_FOUND, msg!("voucher-none", voucher = id));
    let key = VoucherRecord::key_of(id).ok_or_else(missing)?;
    let found = web.context.store.reading(move |reader| reader.get::<VoucherRecord>(&key)).await?;
    found.map(drop).ok_or_else(missing)
}
