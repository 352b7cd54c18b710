//! HiPay's view: the wallets and their bank details.

use serde_json::json;

use super::output::{print, print_json, table};
use super::{Exit, Failed, Global, accepted, runtime};
use crate::admin::wiring;
use crate::config::{Config, process_environment};
use crate::jobs::JobError;
use crate::remote::ClientPolicy;
use crate::remote::hipay::{BankStatus, GroupMember, HiPay};

fn hipay(global: &Global) -> Result<HiPay, Failed> {
    let config = accepted(global, Config::load(&global.config, process_environment()))?;
    let clients = wiring::clients(&config, &ClientPolicy::default());
    Ok(clients.map_err(|error| Failed::new(Exit::Usage, error.to_string()))?.1)
}

pub(super) fn list(global: &Global) -> Result<Exit, Failed> {
    let hipay = hipay(global)?;
    let members = runtime()?.block_on(hipay.merchant_group()).map_err(JobError::from)?;
    if global.json {
        let wallet =
            |one: &GroupMember| json!({ "hipay_id": one.hipay_id, "login": one.name(), "identified": one.identified });
        let wallets: Vec<_> = members.iter().map(wallet).collect();
        print_json(&json!({ "wallets": wallets }))?;
        return Ok(Exit::Done);
    }
    let row = |one: &GroupMember| {
        let id = one.hipay_id.map_or_else(|| "?".to_owned(), |id| id.to_string());
        let identified = match one.identified {
            Some(true) => "identified",
            Some(false) => "not identified",
            None => "",
        };
        vec![id, one.name().to_owned(), identified.to_owned()]
    };
    let rows: Vec<Vec<String>> = members.iter().map(row).collect();
    print(&table(&["HiPay ID", "Login", "Identification"], &rows, &[0]))?;
    print(&format!("{} wallets", rows.len()))?;
    Ok(Exit::Done)
}

pub(super) fn bank_infos(global: &Global, hipay_id: u64) -> Result<Exit, Failed> {
    let hipay = hipay(global)?;
    let bank = runtime()?.block_on(hipay.bank_info(hipay_id)).map_err(JobError::from)?;
    let status = match bank.status {
        BankStatus::None => "none",
        BankStatus::InProgress => "validation in progress",
        BankStatus::Validated => "validated",
    };
    if global.json {
        print_json(&json!({
            "hipay_id": hipay_id,
            "status_code": bank.status.code(),
            "status": status,
            "iban": bank.iban,
            "swift": bank.swift,
            "bank_name": bank.bank_name,
            "bank_country": bank.country,
        }))?;
        return Ok(Exit::Done);
    }
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let rows = [
        row("Status", format!("{} ({status})", bank.status.code())),
        row("IBAN", bank.iban),
        row("BIC", bank.swift),
        row("Bank", bank.bank_name),
        row("Country", bank.country),
    ];
    print(&table(&["HiPay ID", &hipay_id.to_string()], &rows, &[]))?;
    Ok(Exit::Done)
}
