//! `cashout operation:retry`, `operation:hold`, `operation:release`, `operation:settle`, `operation:accept`: a
//! person's choice on one operation.

use serde_json::json;

use super::connect::{Reached, close, read_settings};
use super::output::{print, print_json};
use super::{Exit, Failed, Global, owner, runtime, service_client};
use crate::domain::operation::{Operation, OperationChoice};
use crate::jobs;
use crate::serve::socket::{SocketEvent, SocketRequest};

pub(super) fn run(global: &Global, id: u64, choice: &OperationChoice, reason: String) -> Result<Exit, Failed> {
    owner::become_owner_of(&global.data)?;
    let operation = match read_settings(global)?.connect(global)? {
        Reached::Service(service) => {
            // A service of the previous release supports no other choice.
            let ask = if *choice == OperationChoice::Retry && reason.is_empty() {
                SocketRequest::Retry { operation: id }
            } else {
                SocketRequest::Operation { operation: id, chosen: choice.clone(), reason }
            };
            let (answer, _) = runtime()?.block_on(service_client::request_one(service, ask))?;
            let SocketEvent::Operation { operation } = answer else { return Err(service_client::other(&answer)) };
            *operation
        }
        Reached::Store(context) => {
            let asked_by = "a person on the command line";
            let chosen = jobs::choose_for_operation(&context, id, choice.clone(), &reason, asked_by);
            let outcome = runtime()?.block_on(chosen);
            let closed = close(global, *context);
            let operation = outcome?;
            closed?;
            operation
        }
    };
    if global.json {
        print_json(&json!({
            "id": id,
            "mirakl_id": operation.mirakl_id,
            "payment_order_id": operation.voucher,
            "amount": operation.amount.decimal(),
            "currency": operation.amount.currency().code(),
            "status": operation.status.name(),
            "held": operation.held,
        }))?;
    } else {
        print(&effect_text(&operation, choice))?;
    }
    Ok(Exit::Done)
}

/// Describes the effect of the choice.
fn effect_text(operation: &Operation, choice: &OperationChoice) -> String {
    let Operation { id, voucher, amount, status, .. } = operation;
    let which = format!("operation {id} (voucher {voucher}, {amount}, {status})");
    match choice {
        OperationChoice::Release | OperationChoice::Retry if operation.held.is_some() => {
            format!("{which} is still held: {}", operation.held.as_deref().unwrap_or_default())
        }
        OperationChoice::Hold => format!("{which} is held: nothing more of it is sent until somebody releases it"),
        OperationChoice::Settle => format!("{which} is settled: it is never paid from here"),
        OperationChoice::Release => format!("{which} is released: the runs deal with it again"),
        OperationChoice::Accept { transaction_id } => {
            let rest = operation.history.iter().rev().map(|change| change.message.text());
            let rest = rest.take(4).find(|message| message.contains("becomes operation"));
            let rest = rest.map(|rest| format!("; {rest}")).unwrap_or_default();
            format!("transaction {transaction_id} is taken as the payment of {which}{rest}")
        }
        OperationChoice::Retry | OperationChoice::Unknown => format!("{which} is taken up again by the next run"),
    }
}
