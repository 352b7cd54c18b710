//! `cashout voucher:release`, `cashout voucher:settle`: a person's choice on a voucher without operations.

use axum::http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::connect::{Reached, close, read_settings};
use super::output::{print, print_json};
use super::{Exit, Failed, Global, owner, runtime};
use crate::domain::voucher::VoucherChoice;
use crate::jobs;
use crate::web::{VoucherDetail, VoucherItem};

pub(super) fn run(global: &Global, id: &str, choice: VoucherChoice, reason: &str) -> Result<Exit, Failed> {
    owner::become_owner_of(&global.data)?;
    let voucher = match read_settings(global)?.connect(global)? {
        Reached::Service(service) => {
            let path = format!("/vouchers/{}/{}", utf8_percent_encode(id, NON_ALPHANUMERIC), choice.name());
            let body = json!({ "reason": reason });
            let voucher: VoucherDetail = runtime()?.block_on(service.call(Method::POST, &path, Some(&body)))?;
            voucher.item
        }
        Reached::Store(context) => {
            let chosen = jobs::choose_for_voucher(&context, id, choice, reason, "command line");
            let outcome = runtime()?.block_on(chosen);
            let closed = close(global, *context);
            let record = outcome?;
            closed?;
            record.into()
        }
    };
    let VoucherItem { id, mirakl_id, amount, currency, state, released, .. } = voucher;
    if global.json {
        print_json(&json!({
            "id": id,
            "mirakl_id": mirakl_id,
            "amount": amount,
            "currency": currency,
            "state": state.name(),
            "released": released,
        }))?;
    } else if choice == VoucherChoice::Settle {
        print(&format!("voucher {id} ({amount} {currency}) is settled: no operation is created from it"))?;
    } else {
        print(&format!(
            "voucher {id} ({amount} {currency}) is released: the next run of cashout:generate creates its operations"
        ))?;
    }
    Ok(Exit::Done)
}
