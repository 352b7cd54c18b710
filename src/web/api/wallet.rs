//! Endpoint that sets the wallet of a vendor.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::extract::{Body, whole_number};
use crate::domain::vendor::Vendor;
use crate::jobs::{self, WalletChange};
use crate::text::message::msg;
use crate::web::Web;
use crate::web::auth::Operator;
use crate::web::path::Id;
use crate::web::problem::{Problem, ProblemBody};

/// The wallet that a vendor has from now on, and the reason.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewWallet {
    /// ID of the wallet at HiPay.
    #[serde(deserialize_with = "whole_number")]
    hipay_id: u64,
    /// Reason in words, kept with the vendor.
    reason: String,
}

/// Sets the wallet of a vendor: open operations are paid to it from now on.
///
/// Only the command line may do so: no token and no session can direct money to an account of free choice.
#[utoipa::path(post, path = "/vendors/{mirakl_id}/wallet", request_body = NewWallet,
    params(("mirakl_id" = u64, Path, description = "Store ID in Mirakl")), responses(
    (status = 200, body = WalletChange),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn set_wallet(
    State(web): State<Web>,
    Operator(caller): Operator,
    Id(mirakl_id): Id,
    Body(NewWallet { hipay_id, reason }): Body<NewWallet>,
) -> Result<Json<WalletChange>, Problem> {
    caller.must_be_on_command_line()?;
    web.record::<Vendor>(mirakl_id, msg!("wallet-set-no-vendor", shop = mirakl_id)).await?;
    Ok(Json(jobs::set_wallet(&web.context, mirakl_id, hipay_id, &reason, &caller.name).await?))
}
