//! `cashout operation:retry`, `operation:hold`, `operation:release`, `operation:settle`, `operation:accept`: a
//! person's choice on one operation.

use axum::http::Method;
use serde_json::json;

use super::connect::{Reached, close, read_settings};
use super::output::{print, print_json};
use super::{Exit, Failed, Global, owner, runtime};
use crate::domain::operation::OperationChoice;
use crate::jobs;
use crate::web::{OperationDetail, OperationItem};

pub(super) fn run(global: &Global, id: u64, choice: &OperationChoice, reason: &str) -> Result<Exit, Failed> {
    owner::become_owner_of(&global.data)?;
    let operation: OperationDetail = match read_settings(global)?.connect(global)? {
        Reached::Service(service) => {
            let path = format!("/operations/{id}/{}", choice.name());
            let body = match choice {
                OperationChoice::Accept { transaction_id } => {
                    json!({ "reason": reason, "transaction_id": transaction_id })
                }
                OperationChoice::Retry
                | OperationChoice::Hold
                | OperationChoice::Release
                | OperationChoice::Settle
                | OperationChoice::Unknown => json!({ "reason": reason }),
            };
            runtime()?.block_on(service.call(Method::POST, &path, Some(&body)))?
        }
        Reached::Store(context) => {
            let chosen = jobs::choose_for_operation(&context, id, choice.clone(), reason, "command line");
            let outcome = runtime()?.block_on(chosen);
            let closed = close(global, *context);
            let operation = outcome?;
            closed?;
            operation.into()
        }
    };
    if global.json {
        let OperationItem { mirakl_id, payment_order_id, amount, currency, status, held, .. } = operation.item;
        print_json(&json!({
            "id": id,
            "mirakl_id": mirakl_id,
            "payment_order_id": payment_order_id,
            "amount": amount,
            "currency": currency,
            "status": status,
            "held": held,
        }))?;
    } else {
        print(&effect_text(&operation, choice))?;
    }
    Ok(Exit::Done)
}

/// Describes the effect of the choice.
fn effect_text(operation: &OperationDetail, choice: &OperationChoice) -> String {
    let OperationItem { id, payment_order_id, amount, currency, status, held, .. } = &operation.item;
    let which = format!("operation {id} (voucher {payment_order_id}, {amount} {currency}, {status})");
    match choice {
        OperationChoice::Release | OperationChoice::Retry if held.is_some() => {
            format!("{which} is still held: {}", held.as_deref().unwrap_or_default())
        }
        OperationChoice::Hold => format!("{which} is held: nothing more of it is sent until someone releases it"),
        OperationChoice::Settle => format!("{which} is settled: cashout never pays it"),
        OperationChoice::Release => format!("{which} is released: the next runs process it"),
        OperationChoice::Accept { transaction_id } => {
            let rest = operation.history.iter().rev().map(|change| change.message.as_str());
            let rest = rest.take(4).find(|message| message.contains("becomes operation"));
            let rest = rest.map(|rest| format!("; {rest}")).unwrap_or_default();
            format!("transaction {transaction_id} is accepted as the payment of {which}{rest}")
        }
        OperationChoice::Retry | OperationChoice::Unknown => format!("{which} is retried by the next run"),
    }
}
