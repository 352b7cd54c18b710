//! `cashout vendor:wallet:set`: a person sets the wallet of a vendor.

use axum::http::Method;
use serde_json::json;

use super::connect::{Reached, close, read_settings};
use super::output::{print, print_json};
use super::{Exit, Failed, Global, WalletSetArgs, owner, runtime};
use crate::jobs::{self, WalletChange};
use crate::text::message::Message;

pub(super) fn run(global: &Global, arguments: WalletSetArgs) -> Result<Exit, Failed> {
    let WalletSetArgs { mirakl_id, hipay_id, reason } = arguments;
    owner::become_owner_of(&global.data)?;
    let change: WalletChange = match read_settings(global)?.connect(global)? {
        Reached::Service(service) => {
            let (path, body) =
                (format!("/vendors/{mirakl_id}/wallet"), json!({ "hipay_id": hipay_id, "reason": reason }));
            runtime()?.block_on(service.call(Method::POST, &path, Some(&body)))?
        }
        Reached::Store(context) => {
            let set = jobs::set_wallet(&context, mirakl_id, hipay_id, &reason, "command line");
            let outcome = runtime()?.block_on(set);
            let closed = close(global, *context);
            let change = outcome?;
            closed?;
            change
        }
    };
    if global.json {
        print_json(&json!(change))?;
    } else {
        print(Message::from(&change).text())?;
    }
    Ok(Exit::Done)
}
