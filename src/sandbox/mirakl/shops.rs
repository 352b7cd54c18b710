//! S20, S07, S30, S31, DO01 and AF01.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::model::{Document, MiraklModel, Shop, ShopUpdate};
use super::{Refused, ids, instant, page};
use crate::sandbox::call::{Answer, Body, Call, Endpoint};
use crate::sandbox::json::{Json, Spelling};

const KYC_STATUSES: [&str; 5] = ["REQUIRED", "PENDING_SUBMISSION", "PENDING_APPROVAL", "REFUSED", "APPROVED"];

pub(super) fn list(model: &mut MiraklModel, call: &Call, spelling: &mut Spelling) -> Result<Answer, Refused> {
    let since = instant(call, "updated_since")?;
    let wanted = ids(call, "shop_ids")?;
    let (max, offset) = page(call)?;
    let paginate = match call.query("paginate") {
        None | Some("true") => true,
        Some("false") => false,
        Some(other) => return Err(Refused::bad(format!("Parameter 'paginate' must be true or false, not '{other}'"))),
    };
    let domains = domains(model, call)?;
    let found: Vec<&Shop> = model
        .shops
        .iter()
        .filter(|shop| since.is_none_or(|since| shop.updated >= since))
        .filter(|shop| shop.domains.iter().any(|domain| domains.contains(&domain.as_str())))
        .filter(|shop| wanted.as_ref().is_none_or(|wanted| wanted.contains(&shop.id)))
        .collect();
    let total = found.len();
    let (skip, take) = if paginate { (offset, max) } else { (0, total) };
    let rows: Vec<Json> = found.into_iter().skip(skip).take(take).map(|shop| row(shop, spelling)).collect();
    model.page_served(Endpoint::Shops);
    Ok(Answer::json(200, Json::object([("shops", Json::list(rows)), ("total_count", Json::number(total))])))
}

/// Returns the requested domains; PRODUCT alone if none is given.
fn domains<'call>(model: &MiraklModel, call: &'call Call) -> Result<Vec<&'call str>, Refused> {
    let Some(text) = call.query("domains") else { return Ok(vec!["PRODUCT"]) };
    if model.refuses_domains {
        return Err(Refused::bad("Unknown parameter 'domains'"));
    }
    let domains: Vec<&str> = text.split(',').collect();
    match domains.iter().find(|domain| !["PRODUCT", "SERVICE"].contains(domain)) {
        Some(unknown) => Err(Refused::bad(format!("Unknown domain '{unknown}'"))),
        None => Ok(domains),
    }
}

fn row(shop: &Shop, spelling: &mut Spelling) -> Json {
    if let Some(served) = &shop.served_as {
        return Json::raw(served.clone());
    }
    let mut fields = vec![
        ("shop_id", Json::number(shop.id)),
        ("shop_name", Json::text(&shop.name)),
        ("shop_state", Json::text(&shop.state)),
        ("domains", Json::list(shop.domains.iter().map(|domain| Json::text(domain)))),
        ("is_professional", Json::flag(shop.professional)),
        ("currency_iso_code", Json::text(shop.currency.code())),
        ("contact_informations", contact(shop, spelling)),
        ("pro_details", pro_details(shop, spelling)),
        ("kyc", kyc(shop, spelling)),
        (
            "payment_details",
            Json::object([
                ("payment_blocked", Json::flag(shop.payment_blocked)),
                ("paid_balance", spelling.decimal(crate::domain::money::Amount::zero(shop.currency))),
            ]),
        ),
        ("shop_additional_fields", additional(shop, spelling)),
        ("last_updated_date", Json::text(&shop.updated.to_string())),
        // The real answer has some fifty more fields; a client must ignore them.
        ("premium", Json::flag(false)),
        ("shop_grade", Json::null()),
    ];
    // Older instances name it billing_info.
    let name = if shop.id.is_multiple_of(5) { "billing_info" } else { "payment_info" };
    match payment(shop) {
        Some(info) => fields.push((name, info)),
        None => spelling.maybe(&mut fields, name, None),
    }
    Json::object(fields)
}

fn contact(shop: &Shop, spelling: &mut Spelling) -> Json {
    let mut fields = vec![
        ("civility", Json::text(&shop.civility)),
        ("firstname", Json::text(&shop.firstname)),
        ("lastname", Json::text(&shop.lastname)),
        ("street1", Json::text(&shop.street)),
        ("zip_code", Json::text(&shop.zip_code)),
        ("city", Json::text(&shop.city)),
        ("country", Json::text(&shop.country)),
    ];
    spelling.maybe(&mut fields, "email", shop.email.as_deref());
    spelling.maybe(&mut fields, "phone", shop.phone.as_deref());
    spelling.maybe(&mut fields, "fax", None);
    spelling.maybe(&mut fields, "street2", None);
    Json::object(fields)
}

fn pro_details(shop: &Shop, spelling: &mut Spelling) -> Json {
    let mut fields = Vec::new();
    spelling.maybe(&mut fields, "corporate_name", shop.corporate_name.as_deref());
    spelling.maybe(&mut fields, "VAT_number", shop.vat_number.as_deref());
    spelling.maybe(&mut fields, "identification_number", shop.registration.as_deref());
    Json::object(fields)
}

fn kyc(shop: &Shop, spelling: &mut Spelling) -> Json {
    let mut fields = vec![("status", Json::text(&shop.kyc_status))];
    spelling.maybe(&mut fields, "reason", shop.kyc_reason.as_deref());
    Json::object(fields)
}

fn payment(shop: &Shop) -> Option<Json> {
    let info = shop.payment.as_ref()?;
    let zip = if shop.id.is_multiple_of(3) { "zip_code" } else { "bank_zip" };
    Some(Json::object([
        ("@type", Json::text("IBAN")),
        ("owner", Json::text(&info.owner)),
        ("bank_name", Json::text(&info.bank_name)),
        ("bank_street", Json::text(&info.bank_street)),
        ("bank_city", Json::text(&info.bank_city)),
        (zip, Json::text(&info.bank_zip)),
        ("bic", Json::text(&info.bic)),
        ("iban", Json::text(&info.iban)),
    ]))
}

fn additional(shop: &Shop, spelling: &mut Spelling) -> Json {
    let set = shop.hipay_process.map(|process| {
        let value = if spelling.either() { Json::flag(process) } else { Json::text(&process.to_string()) };
        Json::object([("code", Json::text("hipay-process")), ("type", Json::text("BOOLEAN")), ("value", value)])
    });
    Json::list(set)
}

/// Answers S07, with 200 even if items are refused.
pub(super) fn update(model: &mut MiraklModel, call: &Call, now: Timestamp) -> Result<Answer, Refused> {
    let items = items(call)?;
    let requests: Result<Vec<ShopUpdate>, Refused> = items.iter().map(|item| read_item(item, now)).collect();
    let returns: Vec<Json> = requests?
        .into_iter()
        .map(|mut request| {
            request.refused = apply(model, &request, now).err();
            let answered = returned(&request);
            model.updates.push(request);
            answered
        })
        .collect();
    Ok(Answer::json(200, Json::object([("shop_returns", Json::list(returns))])))
}

fn items(call: &Call) -> Result<Vec<Value>, Refused> {
    let bytes = match &call.body {
        Body::Other(content_type, bytes) if content_type.starts_with("application/json") => bytes,
        Body::Other(..) | Body::Urlencoded(_) | Body::Multipart(_) | Body::Unreadable(_) => {
            return Err(Refused(415, "The body must be application/json".to_owned()));
        }
    };
    let body: Value = serde_json::from_slice(bytes).map_err(|wrong| Refused::bad(format!("No JSON: {wrong}")))?;
    match body.get("shops").and_then(Value::as_array) {
        Some(items) if !items.is_empty() && items.len() <= 100 => Ok(items.clone()),
        Some(_) => Err(Refused::bad("'shops' takes between 1 and 100 shops")),
        None => Err(Refused::bad("'shops' is missing")),
    }
}

fn read_item(item: &Value, now: Timestamp) -> Result<ShopUpdate, Refused> {
    let no_object = || Refused::bad("every shop must be an object");
    let fields = item.as_object().ok_or_else(no_object)?;
    refuse_unknown(fields, &["shop_id", "kyc", "payment_blocked", "suspend"])?;
    let kyc = match fields.get("kyc") {
        None => None,
        Some(kyc) => {
            let kyc = kyc.as_object().ok_or_else(|| Refused::bad("'kyc' must be an object"))?;
            refuse_unknown(kyc, &["status", "reason"])?;
            Some(kyc)
        }
    };
    Ok(ShopUpdate {
        at: now,
        shop_id: fields.get("shop_id").and_then(Value::as_u64).ok_or_else(|| Refused::bad("'shop_id' is missing"))?,
        kyc_status: text(kyc, "status")?,
        kyc_reason: text(kyc, "reason")?,
        payment_blocked: flag(fields, "payment_blocked")?,
        suspend: flag(fields, "suspend")?,
        refused: None,
    })
}

fn refuse_unknown(fields: &Map<String, Value>, known: &[&str]) -> Result<(), Refused> {
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Refused::bad(format!("Unknown field '{name}'"))),
        None => Ok(()),
    }
}

fn text(fields: Option<&Map<String, Value>>, name: &str) -> Result<Option<String>, Refused> {
    match fields.and_then(|fields| fields.get(name)) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(Refused::bad(format!("'{name}' must be text, not {other}"))),
    }
}

fn flag(fields: &Map<String, Value>, name: &str) -> Result<Option<bool>, Refused> {
    match fields.get(name) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(other) => Err(Refused::bad(format!("'{name}' must be true or false, not {other}"))),
    }
}

fn apply(model: &mut MiraklModel, request: &ShopUpdate, now: Timestamp) -> Result<(), String> {
    if let Some(message) = model.refuse_updates.get(&request.shop_id) {
        return Err(message.clone());
    }
    if let Some(status) = request.kyc_status.as_deref().filter(|status| !KYC_STATUSES.contains(status)) {
        return Err(format!("Unknown KYC status '{status}'"));
    }
    if request.kyc_reason.as_ref().is_some_and(|reason| reason.chars().count() > 1000) {
        return Err("The KYC reason takes 1000 characters at most".to_owned());
    }
    let no_shop = || format!("Shop {} does not exist", request.shop_id);
    let shop = model.shop_mut(request.shop_id).ok_or_else(no_shop)?;
    if let Some(status) = &request.kyc_status {
        shop.kyc_status.clone_from(status);
        // A reason is kept only with a refusal.
        shop.kyc_reason = request.kyc_reason.clone().filter(|_| status == "REFUSED");
    }
    shop.payment_blocked = request.payment_blocked.unwrap_or(shop.payment_blocked);
    shop.suspended = request.suspend.unwrap_or(shop.suspended);
    shop.updated = now;
    Ok(())
}

fn returned(request: &ShopUpdate) -> Json {
    let shop = Json::object([("shop_id", Json::number(request.shop_id))]);
    match &request.refused {
        None => Json::object([("shop_updated", shop)]),
        Some(message) => {
            let error = Json::object([("field", Json::text("shop_id")), ("message", Json::text(message))]);
            let error = Json::object([("errors", Json::list([error])), ("input", shop)]);
            Json::object([("shop_error", error)])
        }
    }
}

pub(super) fn documents(model: &MiraklModel, call: &Call) -> Result<Answer, Refused> {
    let wanted = ids(call, "shop_ids")?.ok_or_else(|| Refused::bad("Parameter 'shop_ids' is missing"))?;
    let rows = model.documents.iter().filter(|document| wanted.contains(&document.shop_id)).map(|document| {
        Json::object([
            ("id", Json::number(document.id)),
            ("shop_id", Json::number(document.shop_id)),
            ("type", Json::text(&document.kind)),
            ("type_code", Json::text(&document.kind)),
            ("file_name", Json::text(&document.file_name)),
            ("date_uploaded", Json::text(&document.uploaded.to_string())),
        ])
    });
    Ok(Answer::json(200, Json::object([("shop_documents", Json::list(rows))])))
}

pub(super) fn download(model: &MiraklModel, call: &Call) -> Result<Answer, Refused> {
    let wanted = ids(call, "document_ids")?.ok_or_else(|| Refused::bad("Parameter 'document_ids' is missing"))?;
    let &[id] = wanted.as_slice() else {
        return Err(Refused::bad(
            "Several documents would come as a ZIP, which the sandbox does not make: ask for one",
        ));
    };
    let document = model.documents.iter().find(|document| document.id == id);
    let document = document.ok_or_else(|| Refused(404, format!("Document {id} does not exist")))?;
    Ok(Answer {
        status: 200,
        content_type: content_type(document).to_owned(),
        headers: vec![("content-disposition", format!("attachment; filename=\"{}\"", document.file_name))],
        body: document.bytes.clone(),
    })
}

fn content_type(document: &Document) -> &'static str {
    let extension = document.file_name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension.to_ascii_lowercase().as_str() {
        "pdf" => "application/pdf",
        "png" => "image/png",
        "gif" => "image/gif",
        "jpg" | "jpeg" => "image/jpeg",
        _ => "application/octet-stream",
    }
}

pub(super) fn document_types(model: &MiraklModel) -> Answer {
    let rows = model.document_types.iter().map(|code| {
        Json::object([("code", Json::text(code)), ("label", Json::text(code)), ("entity", Json::text("SHOP"))])
    });
    Answer::json(200, Json::object([("documents", Json::list(rows))]))
}

pub(super) fn additional_fields(model: &MiraklModel) -> Answer {
    let rows = model.additional_fields.iter().map(|field| {
        Json::object([
            ("code", Json::text(&field.code)),
            ("label", Json::text(&field.code)),
            ("entity", Json::text("SHOP")),
            ("type", Json::text(&field.kind)),
        ])
    });
    Answer::json(200, Json::object([("additional_fields", Json::list(rows))]))
}
