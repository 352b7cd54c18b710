//! `cashout voucher:release`, `cashout voucher:settle`: a person's choice on a voucher without operations.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::connect::carry_out;
use super::output::{print, print_json};
use super::{Exit, Failed, Global};
use crate::domain::voucher::VoucherChoice;
use crate::jobs;
use crate::web::VoucherItem;

pub(super) fn run(global: &Global, id: &str, choice: VoucherChoice, reason: &str) -> Result<Exit, Failed> {
    let path = format!("/vouchers/{}/{}", utf8_percent_encode(id, NON_ALPHANUMERIC), choice.name());
    let voucher: VoucherItem = carry_out(global, &path, &json!({ "reason": reason }), async |context| {
        jobs::choose_for_voucher(context, id, choice, reason, "command line").await
    })?;
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
