//! Mirakl: authentication, the parameters that each call takes, and the calls by subject.

pub(super) mod model;
mod shops;
mod vouchers;

use axum::http::header;
use jiff::Timestamp;

use super::call::{Answer, Body, Call, Endpoint};
use super::json::{Json, Spelling};
use model::MiraklModel;

/// A refusal: HTTP status and message.
struct Refused(u16, String);

impl Refused {
    fn bad(message: impl Into<String>) -> Self {
        Self(400, message.into())
    }
}

impl From<Refused> for Answer {
    fn from(Refused(status, message): Refused) -> Self {
        let body = Json::object([("status", Json::number(status)), ("message", Json::text(&message))]);
        Self::json(status, body)
    }
}

/// Answers one request.
pub(super) fn answer(model: &mut MiraklModel, call: &Call, now: Timestamp) -> Answer {
    let spelling = Spelling::new(model.chance.draw(&call.label()));
    route(model, call, now, spelling).unwrap_or_else(Answer::from)
}

fn route(model: &mut MiraklModel, call: &Call, now: Timestamp, mut spelling: Spelling) -> Result<Answer, Refused> {
    let Some(endpoint) = call.endpoint else {
        return Err(Refused(404, format!("No such call: {} {}", call.method, call.path)));
    };
    if endpoint == Endpoint::Token {
        return Ok(token(model, call, now));
    }
    let_in(model, call, now)?;
    only_known(endpoint, call)?;
    match endpoint {
        Endpoint::Version => Ok(Answer::json(200, Json::object([("version", Json::text("3.1043"))]))),
        Endpoint::Shops => shops::list(model, call, &mut spelling),
        Endpoint::UpdateShops => shops::update(model, call, now),
        Endpoint::ShopDocuments => shops::documents(model, call),
        Endpoint::DownloadDocument => shops::download(model, call),
        Endpoint::DocumentTypes => entity_is_shop(call).map(|()| shops::document_types(model)),
        Endpoint::AdditionalFields => entity_is_shop(call).map(|()| shops::additional_fields(model)),
        Endpoint::Invoices => vouchers::invoices(model, call, &mut spelling),
        Endpoint::BillingCycles => vouchers::billing_cycles(model, call, &mut spelling),
        Endpoint::Token
        | Endpoint::IsAvailable
        | Endpoint::CreateAccount
        | Endpoint::Account
        | Endpoint::PatchAccount
        | Endpoint::Balance
        | Endpoint::BankInfo
        | Endpoint::RegisterBank
        | Endpoint::Documents
        | Endpoint::SendDocument
        | Endpoint::Transfer
        | Endpoint::Withdrawal
        | Endpoint::Transaction
        | Endpoint::Transactions
        | Endpoint::MerchantGroup
        | Endpoint::Owners
        | Endpoint::Releases
        | Endpoint::ReleaseAsset
        | Endpoint::ReleaseFile => Err(Refused(404, "Not a call of Mirakl".to_owned())),
    }
}

/// The query parameters that calls take. Mirakl itself ignores others; a misspelt filter would
/// then go unnoticed, so the sandbox refuses them.
const PARAMETERS: [(Endpoint, &[&str]); 7] = [
    (Endpoint::Shops, &["updated_since", "shop_ids", "domains", "paginate", "max", "offset"]),
    (Endpoint::ShopDocuments, &["shop_ids"]),
    (Endpoint::DownloadDocument, &["document_ids"]),
    (Endpoint::DocumentTypes, &["entities"]),
    (Endpoint::AdditionalFields, &["entities"]),
    (Endpoint::Invoices, &["start_date", "end_date", "type", "max", "offset"]),
    (Endpoint::BillingCycles, &["start_date", "end_date", "limit", "page_token"]),
];

fn let_in(model: &MiraklModel, call: &Call, now: Timestamp) -> Result<(), Refused> {
    let access = &model.access;
    let given = call.header(header::AUTHORIZATION.as_str()).unwrap_or_default();
    let known = match given.strip_prefix("Bearer ") {
        Some(token) => {
            access.bearer_token.as_deref() == Some(token)
                || access.issued.iter().any(|(issued, expires)| issued == token && now < *expires)
        }
        None => access.operator_key.as_deref() == Some(given),
    };
    if known {
        Ok(())
    } else {
        Err(Refused(401, "Unauthorized: the key or token is unknown or has expired".to_owned()))
    }
}

/// Answers the token endpoint: client credentials in the form or as HTTP Basic.
fn token(model: &mut MiraklModel, call: &Call, now: Timestamp) -> Answer {
    let refused = |status, error: &str| Answer::json(status, Json::object([("error", Json::text(error))]));
    if !matches!(call.body, Body::Urlencoded(_)) {
        return refused(400, "invalid_request");
    }
    if call.field("grant_type") != Some("client_credentials") {
        return refused(400, "unsupported_grant_type");
    }
    let in_form = call.field("client_id").zip(call.field("client_secret"));
    let given = in_form.map(|(id, secret)| (id.to_owned(), secret.to_owned())).or_else(|| call.basic());
    if given.is_none() || given != model.access.client {
        return refused(401, "invalid_client");
    }
    let token = format!("sandbox-token-{:016x}", model.chance.draw("token").u64(..));
    let expires = now.checked_add(model.access.token_lifetime).unwrap_or(Timestamp::MAX);
    model.access.issued.push((token.clone(), expires));
    Answer::json(
        200,
        Json::object([
            ("access_token", Json::text(&token)),
            ("token_type", Json::text("Bearer")),
            ("expires_in", Json::number(model.access.token_lifetime.as_secs())),
        ]),
    )
}

fn only_known(endpoint: Endpoint, call: &Call) -> Result<(), Refused> {
    let names = PARAMETERS.iter().find(|(of, _)| *of == endpoint).map_or(&[][..], |(_, names)| names);
    match call.query.iter().find(|(name, _)| !names.contains(&name.as_str())) {
        Some((name, _)) => Err(Refused::bad(format!("Unknown parameter '{name}'"))),
        None => Ok(()),
    }
}

fn entity_is_shop(call: &Call) -> Result<(), Refused> {
    if call.query("entities") == Some("SHOP") { Ok(()) } else { Err(Refused::bad("Parameter 'entities' must be SHOP")) }
}

/// Reads a whole number between `least` and `most`.
fn count(call: &Call, name: &str, default: usize, least: usize, most: usize) -> Result<usize, Refused> {
    let Some(text) = call.query(name) else { return Ok(default) };
    text.parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| Refused::bad(format!("Parameter '{name}' must be between {least} and {most}, not '{text}'")))
}

/// Reads an instant with its offset. A `+` that was not percent-encoded has become a space and is refused.
fn instant(call: &Call, name: &str) -> Result<Option<Timestamp>, Refused> {
    let Some(text) = call.query(name) else { return Ok(None) };
    let read = text.parse().map_err(|_| {
        Refused::bad(format!("Parameter '{name}' must be an ISO 8601 instant with offset, not '{text}'"))
    })?;
    Ok(Some(read))
}

/// Reads a list of ids, at most 100.
fn ids(call: &Call, name: &str) -> Result<Option<Vec<u64>>, Refused> {
    let Some(text) = call.query(name) else { return Ok(None) };
    let ids: Result<Vec<u64>, _> = text.split(',').map(str::parse).collect();
    let ids = ids.map_err(|_| Refused::bad(format!("Parameter '{name}' must be ids with commas, not '{text}'")))?;
    if ids.len() > 100 {
        return Err(Refused::bad(format!("Parameter '{name}' takes 100 ids at most, not {}", ids.len())));
    }
    Ok(Some(ids))
}

/// Reads `max` and `offset`.
fn page(call: &Call) -> Result<(usize, usize), Refused> {
    Ok((count(call, "max", 10, 1, 100)?, count(call, "offset", 0, 0, usize::MAX)?))
}
