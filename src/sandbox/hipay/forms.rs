//! The input that each call accepts, according to HiPay's own description: fields, types, content
//! types and query parameters. Anything else is refused by name.

use std::net::Ipv4Addr;

use isocountry::CountryCode;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::refusals::Refused;
use crate::domain::money::Currency;
use crate::sandbox::call::{Body, Call, Endpoint, Part};

/// HiPay's limit for a file.
const FILE_BYTES: usize = 15 * 1024 * 1024;

/// Type of a field's value.
#[derive(Clone, Copy)]
enum Type {
    Text(usize),
    Whole,
    OneOf(&'static [&'static str]),
    Country,
    Locale,
    Currency,
    Timezone,
    Money,
    Date,
    Email,
    Phone,
    Url,
    Ip,
    File,
}

/// A field: its name, whether it is required, and its type.
struct Field(&'static str, bool, Type);

const REQUIRED: bool = true;
const OPTIONAL: bool = false;
const TEXT: Type = Type::Text(255);
const FLAG: Type = Type::OneOf(&["0", "1"]);

const IS_AVAILABLE: &[Field] = &[Field("user_email", REQUIRED, Type::Email), Field("entity", OPTIONAL, TEXT)];

const CREATE: &[Field] = &[
    Field("email", REQUIRED, Type::Email),
    Field("controle_type", REQUIRED, Type::OneOf(&["CREDENTIALS"])),
    Field("credential[wslogin]", REQUIRED, TEXT),
    Field("credential[wspassword]", REQUIRED, TEXT),
    Field("firstname", REQUIRED, TEXT),
    Field("lastname", REQUIRED, TEXT),
    Field("currency", REQUIRED, Type::Currency),
    Field("locale", REQUIRED, Type::Locale),
    Field("login", OPTIONAL, TEXT),
    Field("civility", OPTIONAL, Type::OneOf(&["1", "2", "3"])),
    Field("ip_address", OPTIONAL, Type::Ip),
    Field("merchant_group_id", OPTIONAL, Type::Whole),
    Field("merchant_group_code", OPTIONAL, TEXT),
    Field("entity_code", REQUIRED, TEXT),
    Field("account_type", OPTIONAL, FLAG),
    Field("pro_type", OPTIONAL, Type::OneOf(&["1", "2", "3"])),
    Field("alias", OPTIONAL, TEXT),
    Field("structure", OPTIONAL, TEXT),
    Field("company_name", OPTIONAL, TEXT),
    Field("vat_number", OPTIONAL, TEXT),
    Field("address[address]", REQUIRED, TEXT),
    Field("address[zipcode]", REQUIRED, TEXT),
    Field("address[city]", REQUIRED, TEXT),
    Field("address[country]", REQUIRED, Type::Country),
    Field("address[phone_number]", OPTIONAL, Type::Phone),
    Field("address[mobile_phone_number]", OPTIONAL, Type::Phone),
    Field("address[fax_number]", OPTIONAL, Type::Phone),
    Field("timezone", OPTIONAL, Type::Timezone),
    Field("birthdate", OPTIONAL, Type::Date),
    Field("city_of_birth", OPTIONAL, TEXT),
    Field("country_of_birth", OPTIONAL, Type::Country),
    Field("anti_phishing_key", OPTIONAL, TEXT),
    Field("hipay_information", OPTIONAL, FLAG),
    Field("commercial_information", OPTIONAL, FLAG),
    Field("callback_url", OPTIONAL, Type::Url),
    Field("callback_salt", OPTIONAL, TEXT),
    Field("cpf[cpf]", OPTIONAL, Type::Whole),
    Field("cpf[id]", OPTIONAL, TEXT),
    Field("cpf[id_type]", OPTIONAL, Type::OneOf(&["RG", "RNE"])),
    Field("cpf[state]", OPTIONAL, TEXT),
    Field("activation_type", OPTIONAL, FLAG),
    Field("external_account_id", OPTIONAL, TEXT),
    Field("external_type", OPTIONAL, Type::OneOf(&["0", "1", "2", "3", "4"])),
    Field("cgu_validation", OPTIONAL, FLAG),
];

const PATCH: &[Field] = &[
    Field("email", OPTIONAL, Type::Email),
    Field("alias", OPTIONAL, TEXT),
    Field("vat_number", OPTIONAL, TEXT),
    Field("address[address]", OPTIONAL, TEXT),
    Field("address[zipcode]", OPTIONAL, TEXT),
    Field("address[city]", OPTIONAL, TEXT),
    Field("address[country]", OPTIONAL, Type::Country),
    Field("address[phone_number]", OPTIONAL, Type::Phone),
    Field("address[mobile_phone_number]", OPTIONAL, Type::Phone),
    Field("address[fax_number]", OPTIONAL, Type::Phone),
    Field("hipay_information", OPTIONAL, FLAG),
    Field("commercial_information", OPTIONAL, FLAG),
    Field("callback_url", OPTIONAL, Type::Url),
    Field("callback_salt", OPTIONAL, TEXT),
    Field("city_of_birth", OPTIONAL, TEXT),
    Field("country_of_birth", OPTIONAL, Type::Country),
    Field("cgu_validation", OPTIONAL, FLAG),
];

const BANK: &[Field] = &[
    Field("file", REQUIRED, Type::File),
    Field("bank_country", REQUIRED, Type::Country),
    Field("bank_name", OPTIONAL, Type::Text(50)),
    Field("bank_address", OPTIONAL, TEXT),
    Field("bank_zip_code", OPTIONAL, TEXT),
    Field("bank_city", OPTIONAL, Type::Text(50)),
    Field("iban", OPTIONAL, TEXT),
    Field("swift", OPTIONAL, TEXT),
    Field("aba_num", OPTIONAL, TEXT),
    Field("bsb_num", OPTIONAL, TEXT),
    Field("bank_num", OPTIONAL, TEXT),
    Field("acct_num", OPTIONAL, TEXT),
    Field("transit_num", OPTIONAL, TEXT),
];

const DOCUMENT: &[Field] = &[
    Field("type", REQUIRED, Type::OneOf(&["1", "2", "3", "4", "5", "6", "7", "8", "9", "11", "12", "13", "14"])),
    Field("file", REQUIRED, Type::File),
    Field("back", OPTIONAL, Type::File),
    Field("validity_date", OPTIONAL, Type::Date),
];

const TRANSFER: &[Field] = &[
    Field("recipient_account_id", OPTIONAL, Type::Whole),
    Field("recipient_account_login", OPTIONAL, TEXT),
    Field("amount", REQUIRED, Type::Money),
    Field("public_label", REQUIRED, TEXT),
    Field("private_label", OPTIONAL, TEXT),
    Field("merchant_unique_id", OPTIONAL, TEXT),
    // The description also has deferred and periodic ones; the sandbox executes direct ones only.
    Field("periodicity_type", OPTIONAL, Type::OneOf(&["direct"])),
];

const WITHDRAWAL: &[Field] = &[
    Field("amount", REQUIRED, Type::Money),
    Field("label", REQUIRED, TEXT),
    Field("merchant_unique_id", OPTIONAL, TEXT),
];

/// Forms by call; a call that is not listed takes none.
const FORMS: [(Endpoint, &[Field]); 7] = [
    (Endpoint::IsAvailable, IS_AVAILABLE),
    (Endpoint::CreateAccount, CREATE),
    (Endpoint::PatchAccount, PATCH),
    (Endpoint::RegisterBank, BANK),
    (Endpoint::SendDocument, DOCUMENT),
    (Endpoint::Transfer, TRANSFER),
    (Endpoint::Withdrawal, WITHDRAWAL),
];

/// Query parameters by call; a call that is not listed takes none.
const QUERIES: [(Endpoint, &[&str]); 3] = [
    (Endpoint::Balance, &["date"]),
    (Endpoint::Transactions, &["start-date", "end-date", "nb-result-per-page", "page"]),
    (Endpoint::MerchantGroup, &["past_date", "account_type[]", "nb_result_per_page", "page"]),
];

/// Checks query, content type and form of a request.
pub(super) fn check(endpoint: Endpoint, call: &Call) -> Result<(), Refused> {
    let query = QUERIES.iter().find(|(of, _)| *of == endpoint).map_or(&[][..], |(_, names)| names);
    if let Some((name, _)) = call.query.iter().find(|(name, _)| !query.contains(&name.as_str())) {
        return Err(Refused::invalid(name, "unknown query parameter"));
    }
    let Some((_, fields)) = FORMS.iter().find(|(of, _)| *of == endpoint) else { return Ok(()) };
    check_encoding(endpoint, call, fields)?;
    check_fields(call, fields)
}

/// Checks the content type: multipart as the description states; urlencoded is also accepted if the
/// form has no file. A PATCH must be urlencoded.
fn check_encoding(endpoint: Endpoint, call: &Call, fields: &[Field]) -> Result<(), Refused> {
    let needs_multipart = fields.iter().any(|field| matches!(field.2, Type::File));
    let needs_urlencoded = endpoint == Endpoint::PatchAccount;
    let wrong = match &call.body {
        Body::Multipart(_) if !needs_urlencoded => return Ok(()),
        Body::Urlencoded(_) if !needs_multipart => return Ok(()),
        Body::Multipart(_) => "must be application/x-www-form-urlencoded".to_owned(),
        Body::Urlencoded(_) => "must be multipart/form-data".to_owned(),
        Body::Other(given, _) => format!("must be a form, not '{given}'"),
        Body::Unreadable(why) => format!("cannot be read: {why}"),
    };
    Err(Refused::invalid("Content-Type", &wrong))
}

fn check_fields(call: &Call, fields: &[Field]) -> Result<(), Refused> {
    let mut missing = Vec::new();
    let mut invalid = Vec::new();
    for (index, part) in call.parts().iter().enumerate() {
        let name = part.name.clone();
        if call.parts().iter().skip(index.saturating_add(1)).any(|other| other.name == name) {
            invalid.push((name, "sent twice".to_owned()));
            continue;
        }
        match fields.iter().find(|field| field.0 == name) {
            None => invalid.push((name, "unknown field".to_owned())),
            // An empty required field is reported as missing below.
            Some(Field(_, REQUIRED, _)) if part.bytes.is_empty() => {}
            Some(Field(_, _, wanted)) => {
                if let Err(wrong) = check_value(part, *wanted) {
                    invalid.push((name, wrong));
                }
            }
        }
    }
    for Field(name, required, _) in fields {
        if *required && !call.parts().iter().any(|part| part.name == *name && !part.bytes.is_empty()) {
            missing.push(((*name).to_owned(), "missing".to_owned()));
        }
    }
    if !invalid.is_empty() {
        invalid.extend(missing);
        return Err(Refused::fields(3, invalid));
    }
    if missing.is_empty() { Ok(()) } else { Err(Refused::fields(2, missing)) }
}

fn check_value(part: &Part, wanted: Type) -> Result<(), String> {
    if let Type::File = wanted {
        return check_file(part);
    }
    if part.file_name.is_some() {
        return Err("is no file".to_owned());
    }
    let text = std::str::from_utf8(&part.bytes).map_err(|_| "is not UTF-8".to_owned())?;
    let (fine, wrong) = match wanted {
        Type::Text(longest) => {
            (text.chars().count() <= longest && !text.contains(['\n', '\r']), format!("at most {longest} characters"))
        }
        Type::Whole => (text.parse::<u32>().is_ok(), "must be an integer".to_owned()),
        Type::OneOf(values) => (values.contains(&text), format!("must be one of {}", values.join(", "))),
        Type::Country => (is_country(text), "must be a country code of two capitals".to_owned()),
        Type::Locale => (is_locale(text), "must be a locale such as fr_FR".to_owned()),
        Type::Currency => (
            Currency::from_code(text).is_ok_and(|currency| currency.code() == text),
            "must be a currency code such as EUR".to_owned(),
        ),
        Type::Timezone => (TimeZone::get(text).is_ok(), "must be a time zone such as Europe/Paris".to_owned()),
        Type::Money => (is_money(text), "must be a positive decimal number".to_owned()),
        Type::Date => (date(text).is_some(), "must be a date such as 2026-11-21".to_owned()),
        Type::Email => (is_email(text), "must be an e-mail address".to_owned()),
        Type::Phone => (is_phone(text), "must be a phone number".to_owned()),
        Type::Url => (text.starts_with("http://") || text.starts_with("https://"), "must be a URL".to_owned()),
        Type::Ip => (text.parse::<Ipv4Addr>().is_ok(), "must be an IPv4 address".to_owned()),
        Type::File => return Ok(()),
    };
    if fine { Ok(()) } else { Err(wrong) }
}

fn check_file(part: &Part) -> Result<(), String> {
    let name = part.file_name.as_deref().ok_or("must be a file")?;
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    if !["jpg", "jpeg", "png", "gif", "pdf"].contains(&extension.as_str()) {
        return Err(format!("'{name}' must be a jpg, gif, png or pdf"));
    }
    if part.bytes.is_empty() {
        return Err(format!("'{name}' is empty"));
    }
    if part.bytes.len() > FILE_BYTES {
        return Err(format!("'{name}' is larger than 15 MB"));
    }
    Ok(())
}

fn is_country(text: &str) -> bool {
    CountryCode::for_alpha2(text).is_ok_and(|country| country.alpha2() == text)
}

pub(super) fn is_locale(text: &str) -> bool {
    text.split_once('_').is_some_and(|(language, country)| {
        language.len() == 2 && language.bytes().all(|byte| byte.is_ascii_lowercase()) && is_country(country)
    })
}

/// Returns true for a plain decimal number above zero: no sign, no exponent.
fn is_money(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && digits(fraction) && text.bytes().any(|byte| (b'1'..=b'9').contains(&byte))
}

/// Parses a date in exactly the form that HiPay takes.
pub(super) fn date(text: &str) -> Option<Date> {
    let read: Date = text.parse().ok()?;
    (read.to_string() == text).then_some(read)
}

fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && !domain.contains('@')
            && domain.split('.').count() > 1
            && domain.split('.').all(|label| !label.is_empty())
            && !text.contains(char::is_whitespace)
    })
}

fn is_phone(text: &str) -> bool {
    text.bytes().filter(u8::is_ascii_digit).count() >= 4
        && text.chars().all(|character| character.is_ascii_digit() || "+().- /".contains(character))
}
