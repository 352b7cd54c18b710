//! `cashout operation:retry`: a person has looked.

use serde_json::json;

use super::output::{print, print_json};
use super::reach::{Reached, leave, settled};
use super::{Exit, Failed, Global, owner, runtime, through};
use crate::jobs;
use crate::socket::{Ask, Event};

pub(super) fn run(global: &Global, id: u64) -> Result<Exit, Failed> {
    owner::become_owner_of(&global.data)?;
    let operation = match settled(global)?.reach(global)? {
        Reached::Service(service) => {
            let (answer, _) = runtime()?.block_on(through::one(service, Ask::Retry { operation: id }))?;
            let Event::Operation { operation } = answer else { return Err(through::other(&answer)) };
            *operation
        }
        Reached::Store(context) => {
            let outcome = runtime()?.block_on(jobs::retry(&context, id, "a person on the command line"));
            let closed = leave(global, *context);
            let operation = outcome?;
            closed?;
            operation
        }
    };
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
