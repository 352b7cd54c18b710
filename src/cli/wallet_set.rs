//! `cashout vendor:wallet:set`: a person sets the wallet of a vendor.

use serde_json::json;

use super::connect::carry_out;
use super::output::{print, print_json};
use super::{Exit, Failed, Global, WalletSetArgs};
use crate::jobs::{self, WalletChange};
use crate::text::message::Message;

pub(super) fn run(global: &Global, arguments: WalletSetArgs) -> Result<Exit, Failed> {
    let WalletSetArgs { mirakl_id, hipay_id, reason } = arguments;
    let (path, body) = (format!("/vendors/{mirakl_id}/wallet"), json!({ "hipay_id": hipay_id, "reason": reason }));
    let change: WalletChange = carry_out(global, &path, &body, async |context| {
        jobs::set_wallet(context, mirakl_id, hipay_id, &reason, "command line").await
    })?;
    if global.json {
        print_json(&json!(change))?;
    } else {
        print(Message::from(&change).text())?;
    }
    Ok(Exit::Done)
}
