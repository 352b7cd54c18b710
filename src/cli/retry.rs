//! `cashout operation:retry`: a person has looked.

use serde_json::json;

use super::output::{print, print_json};
use super::{Exit, Failed, Global, close, configuration, open, owner, runtime};
use crate::jobs;

pub(super) fn run(global: &Global, id: u64) -> Result<Exit, Failed> {
    owner::become_owner_of(&global.data)?;
    let context = open(global, configuration(global)?)?;
    let outcome = runtime()?.block_on(jobs::retry(&context, id, "a person on the command line"));
    let closed = close(global, context);
    let operation = outcome?;
    closed?;
    let (voucher, amount, status) = (&operation.voucher, operation.amount, operation.status);
    if global.json {
        print_json(&json!({
            "id": id,
            "mirakl_id": operation.mirakl_id,
            "payment_order_id": voucher,
            "amount": amount.decimal(),
            "currency": amount.currency().code(),
            "status": status.name(),
        }))?;
    } else {
        print(&format!("operation {id} (voucher {voucher}, {amount}, {status}) is taken up again by the next run"))?;
    }
    Ok(Exit::Done)
}
