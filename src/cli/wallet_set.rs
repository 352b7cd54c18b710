//! `cashout vendor:wallet:set`: a person sets the wallet of a vendor.

use serde_json::json;

use super::connect::{Reached, close, read_settings};
use super::output::{print, print_json};
use super::{Exit, Failed, Global, WalletSetArgs, owner, runtime, service_client};
use crate::jobs;
use crate::serve::socket::{SocketEvent, SocketRequest};
use crate::text::message::Message;

pub(super) fn run(global: &Global, arguments: WalletSetArgs) -> Result<Exit, Failed> {
    let WalletSetArgs { mirakl_id, hipay_id, reason } = arguments;
    owner::become_owner_of(&global.data)?;
    let change = match read_settings(global)?.connect(global)? {
        Reached::Service(service) => {
            let ask = SocketRequest::SetWallet { mirakl_id, hipay_id, reason };
            let (answer, _) = runtime()?.block_on(service_client::request_one(service, ask))?;
            let SocketEvent::Wallet { change } = answer else { return Err(service_client::other(&answer)) };
            *change
        }
        Reached::Store(context) => {
            let asked_by = "a person on the command line";
            let outcome = runtime()?.block_on(jobs::set_wallet(&context, mirakl_id, hipay_id, &reason, asked_by));
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
