//! `cashout operation:retry`, `operation:hold`, `operation:release`, `operation:settle`, `operation:accept`: a
//! person's choice on one operation.

use serde_json::json;

use super::connect::carry_out;
use super::output::{print, print_json};
use super::{Exit, Failed, Global};
use crate::domain::operation::OperationChoice;
use crate::jobs;
use crate::web::{OperationDetail, OperationItem};

pub(super) fn run(global: &Global, id: u64, choice: &OperationChoice, reason: &str) -> Result<Exit, Failed> {
    let path = format!("/operations/{id}/{}", choice.name());
    let body = if let OperationChoice::Accept { transaction_id } = choice {
        json!({ "reason": reason, "transaction_id": transaction_id })
    } else {
        json!({ "reason": reason })
    };
    let operation: OperationDetail = carry_out(global, &path, &body, async |context| {
        let operation = jobs::choose_for_operation(context, id, choice.clone(), reason, "command line").await?;
        Ok(context.store.reading(move |reader| OperationDetail::of(reader, operation)).await?)
    })?;
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
