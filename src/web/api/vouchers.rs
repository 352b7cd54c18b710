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

type VoucherAnswer = Result<Json<VoucherDetail>, Problem>;

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
    web: State<Web>,
    query: ListQuery<VoucherFilter>,
) -> Result<Json<List<VoucherDetail>>, Problem> {
    lists::page(&web, query).await.map(Json)
}

/// Releases a voucher without operations: the next run of `cashout:generate` makes them.
#[utoipa::path(post, path = "/vouchers/{id}/release", request_body = Choice,
    params(("id" = String, Path, description = "As the list shows it")), responses(
    (status = 200, body = VoucherDetail),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn release(web: State<Web>, caller: Caller, id: Name, choice: Body<Choice>) -> VoucherAnswer {
    choose(&web, &caller, &id.0, VoucherChoice::Release, choice.0.reason).await
}

/// Marks a voucher without operations as paid by other means: it is never paid from here.
#[utoipa::path(post, path = "/vouchers/{id}/settle", request_body = Choice,
    params(("id" = String, Path, description = "As the list shows it")), responses(
    (status = 200, body = VoucherDetail),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn settle(web: State<Web>, caller: Caller, id: Name, choice: Body<Choice>) -> VoucherAnswer {
    choose(&web, &caller, &id.0, VoucherChoice::Settle, choice.0.reason).await
}

async fn choose(web: &Web, caller: &Caller, id: &str, choice: VoucherChoice, reason: Option<String>) -> VoucherAnswer {
    let missing = || Problem::new(StatusCode::NOT_FOUND, msg!("voucher-none", voucher = id));
    let key = VoucherRecord::key_of(id).ok_or_else(missing)?;
    let found = web.context.store.reading(move |reader| reader.get::<VoucherRecord>(&key)).await?;
    found.ok_or_else(missing)?;
    let reason = reason.unwrap_or_default();
    let record = jobs::choose_for_voucher(&web.context, id, choice, &reason, &caller.name).await?;
    Ok(Json(web.context.store.reading(move |reader| VoucherDetail::of(reader, record)).await?))
}
