//! Documents: sending them, listing them, and deciding on them by file name.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::account::{Account, Kyc, KycStatus};
use super::notices::News;
use super::refusals::Refused;
use super::{HipayModel, Success, forms};
use crate::sandbox::call::{Call, Part};
use crate::sandbox::json::{Json, Spelling};

const IDENTITY: [u32; 3] = [1, 3, 7];
const REGISTRATION: [u32; 2] = [4, 8];

pub(super) fn label(kind: u32) -> &'static str {
    match kind {
        1 => "Identity card",
        2 => "Proof of address",
        3 => "Identity of the legal representative",
        4 => "Company registration",
        5 => "Distribution of power",
        6 => "Bank",
        7 => "Identity of the sole trader",
        8 => "Registration of the sole trader",
        9 => "Tax status",
        11 => "President of the association",
        12 => "Official journal",
        13 => "Association status",
        14 => "Licence",
        _ => "Unknown",
    }
}

/// Returns the reason for which a file with this name is refused, if any: the rule of HiPay's test environment.
pub(super) fn refusal(file_name: &str) -> Option<&'static str> {
    let reasons = [
        ("01_", "The document is not recognised"),
        ("02_", "The document is falsified"),
        ("03_", "The document is unreadable"),
        ("06_", "The document is inconsistent"),
        ("07_", "The document has expired"),
    ];
    reasons.iter().find(|(prefix, _)| file_name.starts_with(prefix)).map(|(_, reason)| *reason)
}

pub(super) fn send(
    model: &mut HipayModel,
    call: &Call,
    acting: u64,
    now: Timestamp,
    spelling: &mut Spelling,
) -> Result<Success, Refused> {
    let kind: u32 = call.field("type").and_then(|text| text.parse().ok()).unwrap_or_default();
    let validity = call.field("validity_date");
    if IDENTITY.contains(&kind) {
        match validity.and_then(forms::date) {
            None => return Err(Refused::fields(2, vec![("validity_date".to_owned(), "missing".to_owned())])),
            Some(date) if date < now.to_zoned(TimeZone::UTC).date() => {
                return Err(Refused::invalid("validity_date", "lies in the past"));
            }
            Some(_) => {}
        }
    }
    let file = |name: &str| call.parts().iter().find(|part| part.name == name);
    let (front, back) = (file("file"), file("back"));
    let name_of = |part: Option<&Part>| part.and_then(|part| part.file_name.clone());
    let account = model.own_mut(acting)?;
    if account.identified {
        return Err(Refused::new(200, 414, "User space already identified"));
    }
    if account.documents.iter().any(|sent| sent.kind == kind && sent.status == KycStatus::Waiting) {
        return Err(Refused::new(200, 415, "A document of this type is already waiting for validation"));
    }
    account.documents.push(Kyc {
        kind,
        file_name: name_of(front).unwrap_or_default(),
        size: front.map_or(0, |part| part.bytes.len()),
        back: name_of(back),
        validity: validity.map(str::to_owned),
        sent: now,
        status: KycStatus::Waiting,
        message: None,
    });
    let mut fields = vec![("user_space", spelling.whole(account.user_space_id)), ("type", spelling.whole(kind))];
    spelling.maybe(&mut fields, "validity_date", validity);
    Ok(Success(200, fields))
}

pub(super) fn list(model: &HipayModel, acting: u64, spelling: &mut Spelling) -> Result<Success, Refused> {
    let account = model.own(acting)?;
    let waiting = account.documents.iter().any(|sent| sent.status == KycStatus::Waiting);
    let status = match (account.identified, waiting) {
        (true, _) => "Identified",
        (false, true) => "In progress",
        (false, false) => "Unidentified",
    };
    let rows: Vec<Json> = account
        .documents
        .iter()
        .map(|sent| {
            let (code, name) = match sent.status {
                KycStatus::Waiting => (1, "waiting"),
                KycStatus::Validated => (2, "validated"),
                KycStatus::Refused => (3, "refused"),
            };
            let mut fields = vec![
                ("type", spelling.whole(sent.kind)),
                ("label", Json::text(label(sent.kind))),
                ("status_code", spelling.whole(code)),
                ("status_label", Json::text(name)),
            ];
            spelling.maybe(&mut fields, "message", sent.message.as_deref());
            Json::object(fields)
        })
        .collect();
    Ok(Success(
        200,
        vec![
            ("user_space", spelling.whole(account.user_space_id)),
            ("identification_status", Json::text(status)),
            ("documents", Json::list(rows)),
        ],
    ))
}

/// Decides on the documents that are due. An identity and a registration document make the user space identified.
pub(super) fn decide(account: &mut Account, due: &impl Fn(Timestamp) -> bool, news: &mut Vec<News>) {
    let id = account.id;
    let mut decided = false;
    for sent in account.documents.iter_mut().filter(|sent| sent.status == KycStatus::Waiting && due(sent.sent)) {
        let refused = refusal(&sent.file_name);
        sent.status = if refused.is_some() { KycStatus::Refused } else { KycStatus::Validated };
        sent.message = refused.map(str::to_owned);
        decided = true;
        news.push(News::document(id, sent.kind, refused));
    }
    if !decided || account.identified {
        return;
    }
    let accepted = |kinds: &[u32]| {
        account.documents.iter().any(|sent| sent.status == KycStatus::Validated && kinds.contains(&sent.kind))
    };
    account.identified = accepted(&IDENTITY) && accepted(&REGISTRATION);
    let refused = account.documents.iter().any(|sent| sent.status == KycStatus::Refused);
    if account.identified || refused {
        news.push(News::identification(id, account.identified));
    }
}
