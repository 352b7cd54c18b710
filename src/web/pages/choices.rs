//! A person's choices on an operation, on its page.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::PageFrame;
use crate::domain::operation::{Operation, OperationChoice};
use crate::jobs;
use crate::text::message::msg;
use crate::web::Web;
use crate::web::auth::Operator;
use crate::web::form::Checked;
use crate::web::path::Id;
use crate::web::problem::Problem;

/// One choice as it is offered.
pub(super) struct OfferedChoice {
    /// Word that the form sends.
    pub(super) name: &'static str,
    pub(super) title: String,
    /// Explanation of the effect.
    pub(super) text: String,
    pub(super) needs_reason: bool,
    /// Transactions at HiPay to choose from, if one has to be named.
    pub(super) transactions: Option<Vec<String>>,
}

/// Returns the choices that would change something. The retry has a page of its own.
pub(super) fn offered_choices(page: &PageFrame, operation: &Operation) -> Vec<OfferedChoice> {
    let accept = OperationChoice::Accept { transaction_id: String::new() };
    let choices = [OperationChoice::Release, OperationChoice::Hold, accept, OperationChoice::Settle];
    let applies = |choice: &OperationChoice| operation.refuses(choice).is_none();
    let offer = |choice: OperationChoice| {
        let name = choice.name();
        let transactions = matches!(choice, OperationChoice::Accept { .. }).then(|| operation.candidates.clone());
        let (title, text) = (page.t(&format!("choice-{name}-title")), page.t(&format!("choice-{name}-text")));
        OfferedChoice { name, title, text, needs_reason: choice.needs_reason(), transactions }
    };
    choices.into_iter().filter(applies).map(offer).collect()
}

/// A choice as the form sends it.
#[derive(Debug, Deserialize)]
pub(super) struct OperationChoiceForm {
    choice: String,
    /// Time of the operation's last change, as the page showed it.
    seen: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    transaction_id: String,
}

/// Applies the choice if the operation is still as it was shown.
pub(super) async fn choose(
    State(web): State<Web>,
    Operator(caller): Operator,
    Id(id): Id,
    Checked(chosen): Checked<OperationChoiceForm>,
) -> Result<Response, Problem> {
    let operation = web.record::<Operation>(id, msg!("problem-no-operation")).await?;
    if operation.updated_at.to_string() != chosen.seen {
        return Err(Problem::new(StatusCode::CONFLICT, msg!("retry-changed")));
    }
    let OperationChoiceForm { choice, reason, transaction_id, .. } = chosen;
    let choice = match choice.as_str() {
        "release" => OperationChoice::Release,
        "hold" => OperationChoice::Hold,
        "settle" => OperationChoice::Settle,
        "accept" => OperationChoice::Accept { transaction_id },
        _ => OperationChoice::Unknown,
    };
    jobs::choose_for_operation(&web.context, id, choice, &reason, &caller.name).await?;
    Ok(Redirect::to(&format!("/dashboard/transfers/{id}")).into_response())
}
