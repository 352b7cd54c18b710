//! Bank details: registering them, reading them, and deciding on them by file name.

use iban::Iban;
use jiff::Timestamp;

use super::account::{Account, BankDetails, BankStatus};
use super::identification::refusal;
use super::notices::News;
use super::refusals::Refused;
use super::{HipayModel, Success, forms};
use crate::sandbox::call::Call;
use crate::sandbox::json::{Json, Spelling};

pub(super) fn read(model: &HipayModel, call: &Call, acting: u64, spelling: &mut Spelling) -> Result<Success, Refused> {
    if !forms::is_locale(&call.named) {
        return Err(Refused::invalid("locale", "must be a locale such as fr_FR"));
    }
    let account = model.own(acting)?;
    Ok(Success(200, fields(account, spelling)))
}

fn fields(account: &Account, spelling: &mut Spelling) -> Vec<(&'static str, Json)> {
    let (code, status) = match account.bank_status() {
        2 => (2, "Validation in progress"),
        3 => (3, "Validated"),
        _ => (1, "No bank information"),
    };
    let mut fields = vec![("status_code", spelling.whole(code)), ("status", Json::text(status))];
    if let Some(bank) = account.bank.as_ref().filter(|bank| bank.status != BankStatus::Refused) {
        fields.extend([
            ("bank_country", Json::text(&bank.country)),
            ("bank_name", Json::text(&bank.name)),
            ("bank_address", Json::text(&bank.address)),
            ("bank_zip_code", Json::text(&bank.zip_code)),
            ("bank_city", Json::text(&bank.city)),
            ("iban", Json::text(&bank.iban)),
            ("swift", Json::text(&bank.swift)),
        ]);
    }
    fields
}

pub(super) fn register(
    model: &mut HipayModel,
    call: &Call,
    acting: u64,
    now: Timestamp,
    spelling: &mut Spelling,
) -> Result<Success, Refused> {
    let text = |name: &str| call.field(name).unwrap_or_default().to_owned();
    let (iban, country) = (text("iban"), text("bank_country"));
    if iban.is_empty() {
        let missing = vec![("iban".to_owned(), "missing".to_owned())];
        return Err(Refused::fields(2, missing));
    }
    if iban.parse::<Iban>().is_err() {
        return Err(Refused::invalid("iban", "is not a valid IBAN"));
    }
    if !iban.starts_with(&country) {
        return Err(Refused::invalid("bank_country", "is not the country of the IBAN"));
    }
    let account = model.own_mut(acting)?;
    if account.bank_status() == 2 {
        return Err(Refused::new(400, 23, "The bank details are being validated already"));
    }
    let file = call.parts().iter().find(|part| part.name == "file");
    account.bank = Some(BankDetails {
        status: BankStatus::Waiting,
        country,
        name: text("bank_name"),
        address: text("bank_address"),
        zip_code: text("bank_zip_code"),
        city: text("bank_city"),
        iban,
        swift: text("swift"),
        file_name: file.and_then(|part| part.file_name.clone()).unwrap_or_default(),
        sent: now,
    });
    Ok(Success(201, fields(account, spelling)))
}

/// Decides on bank details that are due.
pub(super) fn decide(account: &mut Account, due: &impl Fn(Timestamp) -> bool, news: &mut Vec<News>) {
    let id = account.id;
    let Some(bank) = account.bank.as_mut().filter(|bank| bank.status == BankStatus::Waiting && due(bank.sent)) else {
        return;
    };
    let refused = refusal(&bank.file_name);
    bank.status = if refused.is_some() { BankStatus::Refused } else { BankStatus::Validated };
    news.push(News::bank(id, refused));
}
