//! Creating, reading and changing accounts, their balances and owners, and the marketplace's group.

use jiff::Timestamp;

use super::account::{Account, AccountState};
use super::refusals::Refused;
use super::{HipayModel, Success, forms};
use crate::domain::money::{Amount, Currency};
use crate::sandbox::call::Call;
use crate::sandbox::json::{Json, Spelling};

/// Returns true if the e-mail is used; e-mails are unique within an entity, regardless of case.
fn taken(model: &HipayModel, email: &str, entity: &str, except: Option<u64>) -> bool {
    model.accounts.values().any(|account| {
        account.email.eq_ignore_ascii_case(email) && account.entity == entity && Some(account.id) != except
    })
}

fn entity<'call>(model: &HipayModel, given: Option<&'call str>, field: &str) -> Result<&'call str, Refused> {
    let given = given.unwrap_or_default();
    if given == model.entity { Ok(given) } else { Err(Refused::invalid(field, "unknown entity")) }
}

pub(super) fn is_available(model: &HipayModel, call: &Call, spelling: &mut Spelling) -> Result<Success, Refused> {
    let email = call.field("user_email").unwrap_or_default();
    // Without an entity HiPay checks the default one, which contains no marketplace account.
    let free = match call.field("entity") {
        Some(given) => !taken(model, email, entity(model, Some(given), "entity")?, None),
        None => true,
    };
    Ok(Success(
        200,
        vec![
            ("user_email", Json::text(email)),
            ("is_available", spelling.flag(free)),
            ("entity", Json::text(call.field("entity").unwrap_or("wallet"))),
        ],
    ))
}

pub(super) fn create(
    model: &mut HipayModel,
    call: &Call,
    now: Timestamp,
    spelling: &mut Spelling,
) -> Result<Success, Refused> {
    let field = |name: &str| call.field(name).filter(|text| !text.is_empty());
    let entity = entity(model, field("entity_code"), "entity_code")?;
    if field("credential[wslogin]") != Some(&model.login) || field("credential[wspassword]") != Some(&model.password) {
        return Err(Refused::new(401, 1, "Authentication failed"));
    }
    if field("merchant_group_code").is_some_and(|group| group != model.group) {
        return Err(Refused::invalid("merchant_group_code", "unknown merchant group"));
    }
    let email = field("email").unwrap_or_default().to_ascii_lowercase();
    if taken(model, &email, entity, None) {
        return Err(Refused::invalid("email", "an account with this e-mail already exists"));
    }
    let login = field("login").unwrap_or(&email).to_owned();
    if model.accounts.values().any(|account| account.login == login) {
        return Err(Refused::invalid("login", "an account with this login already exists"));
    }
    let currency = Currency::from_code(field("currency").unwrap_or_default())
        .map_err(|wrong| Refused::invalid("currency", &wrong.to_string()))?;

    let id = model.next_id;
    model.next_id = id.saturating_add(7);
    let salt = format!("{:016x}", model.chance.draw("salt").u64(..));
    let person = || format!("{} {}", field("firstname").unwrap_or_default(), field("lastname").unwrap_or_default());
    let account = Account {
        login,
        entity: entity.to_owned(),
        name: field("company_name").map_or_else(person, str::to_owned),
        country: field("address[country]").unwrap_or_default().to_owned(),
        vat_number: field("vat_number").map(str::to_owned),
        external_id: field("external_account_id").map(str::to_owned),
        created: now,
        activated: false,
        callback_url: field("callback_url").map(str::to_owned),
        callback_salt: field("callback_salt").map_or(salt, str::to_owned),
        opening: Amount::zero(currency),
        balance: Amount::zero(currency),
        ..Account::new(id, &email)
    };
    let answered = vec![
        ("email", Json::text(&account.email)),
        ("wslogin", Json::text(&format!("ws{id}"))),
        ("wspassword", Json::text(&format!("wp{id}"))),
        ("status", spelling.whole(0)),
        ("account_id", spelling.whole(id)),
        ("user_space_id", spelling.whole(account.user_space_id)),
        ("callback_url", Json::text(account.callback_url.as_deref().unwrap_or_default())),
        ("callback_salt", Json::text(&account.callback_salt)),
    ];
    model.accounts.insert(id, account);
    Ok(Success(201, answered))
}

pub(super) fn read(model: &HipayModel, acting: u64, spelling: &mut Spelling) -> Result<Success, Refused> {
    let account = model.own(acting)?;
    let mut fields = vec![
        ("entity", Json::text(&account.entity)),
        ("user_account_id", spelling.whole(account.id)),
        ("user_space_id", spelling.whole(account.user_space_id)),
        ("currency", Json::text(account.balance.currency().code())),
        ("activated", spelling.flag(account.activated)),
        ("ubo_statement_status_code", spelling.whole(if account.owners_declared { 3 } else { -1 })),
        ("identified", spelling.flag(account.identified)),
        ("bank_info_validated", spelling.flag(account.bank_status() == 3)),
        ("callback_salt", Json::text(&account.callback_salt)),
        ("websites", Json::list([])),
        ("sub_accounts", Json::list([])),
    ];
    spelling.maybe(&mut fields, "callback_url", account.callback_url.as_deref());
    Ok(Success(200, fields))
}

pub(super) fn patch(
    model: &mut HipayModel,
    call: &Call,
    acting: u64,
    spelling: &mut Spelling,
) -> Result<Success, Refused> {
    let entity = model.own(acting)?.entity.clone();
    if call.parts().is_empty() {
        return Err(Refused::new(400, 2, "Nothing to change"));
    }
    let email = call.field("email").map(str::to_ascii_lowercase);
    if email.as_ref().is_some_and(|email| taken(model, email, &entity, Some(acting))) {
        return Err(Refused::invalid("email", "an account with this e-mail already exists"));
    }
    let account = model.own_mut(acting)?;
    if let Some(email) = email {
        account.email = email;
    }
    if let Some(number) = call.field("vat_number") {
        account.vat_number = Some(number.to_owned());
    }
    if let Some(country) = call.field("address[country]") {
        country.clone_into(&mut account.country);
    }
    if let Some(url) = call.field("callback_url") {
        account.callback_url = Some(url.to_owned());
    }
    if let Some(salt) = call.field("callback_salt") {
        salt.clone_into(&mut account.callback_salt);
    }
    Ok(Success(
        200,
        vec![
            ("account_id", spelling.whole(acting)),
            ("email", Json::text(&account.email)),
            ("callback_url", Json::text(account.callback_url.as_deref().unwrap_or_default())),
            ("callback_salt", Json::text(&account.callback_salt)),
            ("entity_code", Json::text(&account.entity)),
            ("country", Json::text(&account.country)),
        ],
    ))
}

pub(super) fn balance(
    model: &HipayModel,
    acting: u64,
    now: Timestamp,
    spelling: &mut Spelling,
) -> Result<Success, Refused> {
    let account = model.own(acting)?;
    let mut rows = Vec::new();
    if let Some(secondary) = account.secondary_balance {
        rows.push(balance_row(account.id.saturating_add(1), 2, secondary, spelling));
    }
    rows.push(balance_row(account.id, 1, account.balance, spelling));
    Ok(Success(200, vec![("date", Json::text(&now.strftime("%Y-%m-%d").to_string())), ("balances", Json::list(rows))]))
}

fn balance_row(id: u64, kind: u8, balance: Amount, spelling: &mut Spelling) -> Json {
    Json::object([
        ("user_account_id", spelling.whole(id)),
        ("user_account_type", spelling.whole(kind)),
        ("balance", spelling.money(balance)),
        ("currency", Json::text(balance.currency().code())),
        ("money_available_for_withdrawal", spelling.money(balance)),
    ])
}

/// Answers the call for beneficial owners; the sandbox only knows whether they are declared.
pub(super) fn owners(model: &HipayModel, acting: u64, spelling: &mut Spelling) -> Result<Success, Refused> {
    let account = model.own(acting)?;
    if !account.owners_declared {
        return Err(Refused::new(404, 7, "No statement"));
    }
    Ok(Success(
        200,
        vec![
            ("user_space_id", spelling.whole(account.user_space_id)),
            ("ubo_statement_id", spelling.whole(account.id)),
            ("ubo_statement_status_code", spelling.whole(3)),
            ("ubo_statement_status", Json::text("Validated")),
            ("ubo", Json::list([])),
        ],
    ))
}

/// Reads a page number or page size.
pub(super) fn count(call: &Call, name: &str, default: usize, most: usize) -> Result<usize, Refused> {
    let Some(text) = call.query(name) else { return Ok(default) };
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| Refused::invalid(name, &format!("must be between 1 and {most}")))
}

pub(super) fn group(model: &HipayModel, call: &Call, spelling: &mut Spelling) -> Result<Success, Refused> {
    if call.named != model.group {
        return Err(Refused::new(404, 7, "No such merchant group"));
    }
    let since = match call.query("past_date") {
        Some(text) => Some(forms::date(text).ok_or_else(|| Refused::invalid("past_date", "must be a date"))?),
        None => None,
    };
    let page = count(call, "page", 1, usize::MAX)?;
    let size = count(call, "nb_result_per_page", 20, 1000)?;
    let members: Vec<&Account> = model
        .accounts
        .values()
        .filter(|account| account.state != AccountState::Deleted)
        .filter(|account| since.is_none_or(|since| account.created.to_zoned(jiff::tz::TimeZone::UTC).date() >= since))
        .collect();
    let total = members.len();
    let skip = page.saturating_sub(1).saturating_mul(size);
    let rows: Vec<Json> =
        members.into_iter().skip(skip).take(size).map(|account| member(model, account, spelling)).collect();
    // HiPay's description states 201 for this GET.
    Ok(Success(
        201,
        vec![
            ("merchant_group_name", Json::text(&model.group)),
            ("account_type", Json::list([Json::text("merchant")])),
            ("total_merchant", spelling.whole(total)),
            ("past_date", call.query("past_date").map_or_else(Json::null, Json::text)),
            ("nb_result_per_page", spelling.whole(size)),
            ("page", spelling.whole(page)),
            ("merchants_list", Json::list(rows)),
        ],
    ))
}

fn member(model: &HipayModel, account: &Account, spelling: &mut Spelling) -> Json {
    let mut fields = vec![
        ("user_account_id", spelling.whole(account.id)),
        ("user_space_id", spelling.whole(account.user_space_id)),
        ("email", Json::text(&account.email)),
        ("company_name", Json::text(&account.name)),
        ("currency", Json::text(account.balance.currency().code())),
        ("identified", spelling.flag(account.identified)),
        ("bank_info_validated", spelling.flag(account.bank_status() == 3)),
        ("creation_date", Json::text(&account.created.strftime("%Y-%m-%d").to_string())),
    ];
    if model.group_shows_logins {
        fields.push(("login", Json::text(&account.login)));
    }
    if let Some(id) = account.external_id.as_ref().filter(|_| model.group_shows_external_ids) {
        fields.push(("external_account_id", Json::text(id)));
    }
    Json::object(fields)
}
