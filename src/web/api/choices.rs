//! Endpoints for a person's choices on an operation.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::extract::{Body, OptionalBody};
use crate::domain::operation::{Operation, OperationChoice};
use crate::jobs;
use crate::text::message::msg;
use crate::web::Web;
use crate::web::auth::Caller;
use crate::web::lists::OperationDetail;
use crate::web::path::Id;
use crate::web::problem::{Problem, ProblemBody};

type ChosenAnswer = Result<Json<OperationDetail>, Problem>;

/// Reason for a choice on an operation.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChoiceReason {
    /// Reason in words, kept with the operation; required to hold and to settle.
    #[serde(default)]
    reason: Option<String>,
}

/// A payment to accept for the operation, and the reason.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Acceptance {
    /// Reason in words, kept with the operation.
    reason: String,
    /// Id of the transaction at HiPay.
    transaction_id: String,
}

/// Lets the next run retry an operation that waits for a person.
#[utoipa::path(post, path = "/operations/{id}/retry", request_body = Option<ChoiceReason>,
    params(("id" = u64, Path, description = "Our own number")), responses(
    (status = 200, body = OperationDetail),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn retry(web: State<Web>, caller: Caller, id: Id, why: OptionalBody<ChoiceReason>) -> ChosenAnswer {
    choose(&web, &caller, id.0, OperationChoice::Retry, why.0.reason).await
}

/// Holds an operation: it is not paid until it is released.
#[utoipa::path(post, path = "/operations/{id}/hold", request_body = ChoiceReason,
    params(("id" = u64, Path, description = "Our own number")), responses(
    (status = 200, body = OperationDetail),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn hold(web: State<Web>, caller: Caller, id: Id, why: Body<ChoiceReason>) -> ChosenAnswer {
    choose(&web, &caller, id.0, OperationChoice::Hold, why.0.reason).await
}

/// Releases a held operation, with the amount that Mirakl shows now if that has changed.
#[utoipa::path(post, path = "/operations/{id}/release", request_body = Option<ChoiceReason>,
    params(("id" = u64, Path, description = "Our own number")), responses(
    (status = 200, body = OperationDetail),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn release(web: State<Web>, caller: Caller, id: Id, why: OptionalBody<ChoiceReason>) -> ChosenAnswer {
    choose(&web, &caller, id.0, OperationChoice::Release, why.0.reason).await
}

/// Marks an operation as paid by other means: it is never paid from here.
#[utoipa::path(post, path = "/operations/{id}/settle", request_body = ChoiceReason,
    params(("id" = u64, Path, description = "Our own number")), responses(
    (status = 200, body = OperationDetail),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn settle(web: State<Web>, caller: Caller, id: Id, why: Body<ChoiceReason>) -> ChosenAnswer {
    choose(&web, &caller, id.0, OperationChoice::Settle, why.0.reason).await
}

/// Accepts a payment that HiPay shows as that of the operation, with its amount.
///
/// The remainder becomes a held operation of the same voucher.
#[utoipa::path(post, path = "/operations/{id}/accept", request_body = Acceptance,
    params(("id" = u64, Path, description = "Our own number")), responses(
    (status = 200, body = OperationDetail),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn accept(web: State<Web>, caller: Caller, id: Id, accepted: Body<Acceptance>) -> ChosenAnswer {
    let Body(Acceptance { reason, transaction_id }) = accepted;
    choose(&web, &caller, id.0, OperationChoice::Accept { transaction_id }, Some(reason)).await
}

async fn choose(web: &Web, caller: &Caller, id: u64, choice: OperationChoice, reason: Option<String>) -> ChosenAnswer {
    web.record::<Operation>(id, msg!("retry-none", operation = id)).await?;
    let reason = reason.unwrap_or_default();
    let operation = jobs::choose_for_operation(&web.context, id, choice, &reason, &caller.name).await?;
    Ok(Json(web.context.store.reading(move |reader| OperationDetail::of(reader, operation)).await?))
}
