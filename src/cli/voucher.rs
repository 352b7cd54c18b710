//! `cashout voucher:release`, `cashout voucher:settle`: a person's choice on a voucher without operations.

use serde_json::json;

use super::connect::{Reached, close, read_settings};
use super::output::{print, print_json};
use super::{Exit, Failed, Global, owner, runtime, service_client};
use crate::domain::voucher::VoucherChoice;
use crate::jobs;
use crate::serve::socket::{SocketEvent, SocketRequest};

pub(super) fn run(global: &Global, id: String, choice: VoucherChoice, reason: String) -> Result<Exit, Failed> {
    owner::become_owner_of(&global.data)?;
    let record = match read_settings(global)?.connect(global)? {
        Reached::Service(service) => {
            let ask = SocketRequest::Voucher { id, choice, reason };
            let (answer, _) = runtime()?.block_on(service_client::request_one(service, ask))?;
            let SocketEvent::Voucher { record } = answer else { return Err(service_client::other(&answer)) };
            *record
        }
        Reached::Store(context) => {
            let asked_by = "a person on the command line";
            let chosen = jobs::choose_for_voucher(&context, &id, choice, &reason, asked_by);
            let outcome = runtime()?.block_on(chosen);
            let closed = close(global, *context);
            let record = outcome?;
            closed?;
            record
        }
    };
    let (id, amount) = (record.id(), record.voucher.vendor_amount);
    if global.json {
        let state = record.state().name();
        print_json(&json!({
            "id": id,
            "mirakl_id": record.voucher.shop_id,
            "amount": amount.decimal(),
            "currency": amount.currency().code(),
            "state": state,
            "released": record.released,
        }))?;
    } else if choice == VoucherChoice::Settle {
        print(&format!("voucher {id} ({amount}) is settled: no operation is made of it"))?;
    } else {
        print(&format!("voucher {id} ({amount}) is released: the next run of cashout:generate makes its operations"))?;
    }
    Ok(Exit::Done)
}
