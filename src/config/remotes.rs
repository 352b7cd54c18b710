//! The typed settings of the two remotes, Mirakl and HiPay, and of the marketplace's own accounts there. Every
//! setting of a section is read before the first mistake ends it, so that all mistakes are reported at once.

use serde_yaml::Value;

use super::document::{known_fields, scalar};
use super::error::quote_value;
use super::reader::{ReadValue, SettingsReader};
use super::settings::{AccountConfig, DocumentType, HashAlgorithm, HiPayConfig, MiraklConfig, MiraklCredentials};
use super::values;
use crate::domain::voucher::VoucherSource;
use crate::text::message::{Message, msg};

/// Spellings of yes and no.
const TRUTHS: [(&str, bool); 8] = [
    ("true", true),
    ("false", false),
    ("yes", true),
    ("no", false),
    ("on", true),
    ("off", false),
    ("1", true),
    ("0", false),
];

pub(super) fn mirakl(reader: &mut SettingsReader) -> ReadValue<MiraklConfig> {
    let base_url = reader.required("mirakl.baseUrl", values::url_before_api);
    let credentials = mirakl_credentials(reader);
    let sources = [VoucherSource::Invoices, VoucherSource::BillingCycles].map(|source| (source.name(), source));
    let voucher_source = reader.required("mirakl.voucherSource", values::one_of(&sources));
    Ok(MiraklConfig { base_url: base_url?, credentials: credentials?, voucher_source: voucher_source? })
}

fn mirakl_credentials(reader: &mut SettingsReader) -> ReadValue<MiraklCredentials> {
    let key = reader.optional_secret("mirakl.operatorKey", 1);
    let bearer = reader.optional_secret("mirakl.bearerToken", 1);
    let id = reader.optional("mirakl.clientId", values::any_text);
    let secret = reader.optional_secret("mirakl.clientSecret", 1);
    let auth_url = reader.required("mirakl.authUrl", values::url);
    let (key, bearer, id, secret, auth_url) = (key?, bearer?, id?, secret?, auth_url?);

    let set: Vec<&str> = ["mirakl.operatorKey", "mirakl.bearerToken", "mirakl.clientId", "mirakl.clientSecret"]
        .into_iter()
        .filter(|key| reader.is_set(key))
        .collect();
    match (key, bearer, id, secret) {
        (Some(key), None, None, None) => Ok(MiraklCredentials::Key(key)),
        (None, Some(token), None, None) => Ok(MiraklCredentials::Bearer(token)),
        (None, None, Some(id), Some(secret)) => Ok(MiraklCredentials::Client { id, secret, auth_url }),
        (None, None, Some(_), None) => {
            Err(reader.require("mirakl.clientSecret", msg!("setting-beside", other = "mirakl.clientId")))
        }
        (None, None, None, Some(_)) => {
            Err(reader.require("mirakl.clientId", msg!("setting-beside", other = "mirakl.clientSecret")))
        }
        (None, None, None, None) => Err(reader.require("mirakl.operatorKey", msg!("mirakl-no-credentials"))),
        (Some(_), _, _, _) | (_, Some(_), _, _) => {
            let problem = msg!("mirakl-many-credentials", set = set.join(", "));
            Err(reader.refuse(set.first().unwrap_or(&"mirakl.operatorKey"), problem))
        }
    }
}

pub(super) fn hipay(reader: &mut SettingsReader) -> ReadValue<HiPayConfig> {
    let older = !reader.is_set("hipay.baseRestUrl") && reader.is_set("hipay.baseUrl");
    let base_url_key = if older { "hipay.baseUrl" } else { "hipay.baseRestUrl" };
    let base_url = reader.required(base_url_key, values::url_before_api);
    let login = reader.required("hipay.wsLogin", values::any_text);
    let password = reader.required_secret("hipay.wsPassword");
    let technical_marketplace_id = reader.optional("hipay.mkp.technical.id", values::any_text);
    let entity = reader.required("hipay.entity", values::any_text);
    let merchant_group = reader.required("hipay.merchantGroupId", values::any_text);
    let locale = reader.required("hipay.locale", values::locale);
    let time_zone = reader.required("hipay.timezone", values::time_zone);
    let max_concurrency = reader.required("hipay.maxConcurrency", values::within(1..=64));
    let document_types = document_types(reader);
    let enterprise_passphrase = reader.optional_secret("hipay.enterprise.passphrase", 1);
    let hashes = [("sha1", HashAlgorithm::Sha1), ("sha256", HashAlgorithm::Sha256), ("sha512", HashAlgorithm::Sha512)];
    let enterprise_hash = reader.required("hipay.enterprise.hashAlgorithm", values::one_of(&hashes));
    let rest = reader.required("hipay.transfer.withdraw.rest", values::one_of(&TRUTHS));
    if matches!(rest, Ok(false)) {
        reader.refuse("hipay.transfer.withdraw.rest", msg!("hipay-soap"));
    }
    let (time_zone, time_zone_name) = time_zone?;
    Ok(HiPayConfig {
        base_url: base_url?,
        login: login?,
        password: password?,
        technical_marketplace_id: technical_marketplace_id?,
        entity: entity?,
        merchant_group: merchant_group?,
        locale: locale?,
        time_zone,
        time_zone_name,
        max_concurrency: max_concurrency?,
        document_types: document_types?,
        enterprise_passphrase: enterprise_passphrase?.unwrap_or_default(),
        enterprise_hash: enterprise_hash?,
    })
}

fn document_types(reader: &mut SettingsReader) -> ReadValue<Vec<DocumentType>> {
    const KEY: &str = "hipay.documentTypes";
    let Value::Mapping(table) = reader.structure(KEY)? else {
        return Err(reader.refuse(KEY, msg!("types-no-map", example = "{ MIRAKL_CODE: { type: 4 } }")));
    };
    reader.all(KEY, table.iter().map(|(code, row)| document_type(code, row)))
}

fn document_type(code: &Value, row: &Value) -> Result<DocumentType, Message> {
    let mirakl_type = scalar(code).ok_or_else(|| msg!("type-no-text"))?;
    let name = quote_value(&mirakl_type);
    let Value::Mapping(row) = row else {
        return Err(msg!("type-no-map", name, example = "{ type: 4 }"));
    };
    let wrong = |problem: Message| msg!("type-wrong", name = &name, problem);
    let of_field = |field: &str, problem: Message| msg!("type-field-wrong", name = &name, field, problem);
    let field = known_fields(row, &["type", "back", "validityDate"]).map_err(wrong)?;
    let number = field("type").ok_or_else(|| wrong(msg!("type-missing")))?;
    let hipay_type = values::within(0..=u32::MAX)(&number).map_err(|problem| of_field("type", problem))?;
    let needs_validity_date = field("validityDate")
        .map_or(Ok(false), |text| values::one_of(&TRUTHS)(&text))
        .map_err(|problem| of_field("validityDate", problem))?;
    Ok(DocumentType { mirakl_type, hipay_type, back: field("back"), needs_validity_date })
}

pub(super) fn account(reader: &mut SettingsReader, email_key: &str, id_key: &str) -> ReadValue<AccountConfig> {
    let email = reader.required(email_key, values::email);
    let hipay_id = reader.required(id_key, values::within(1..=u64::MAX));
    Ok(AccountConfig { email: email?, hipay_id: hipay_id? })
}
