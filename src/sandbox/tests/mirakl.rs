//! Mirakl: authentication, its limits, its pages, and refusals that hide in a success.

use serde_json::json;

use super::*;
use crate::sandbox::{Document, Endpoint, Newcomer, PendingAddition, Shop, Voucher};

fn get(sandbox: &Sandbox, path: &str) -> RequestBuilder {
    mirakl(sandbox, Method::GET, path)
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

fn ids(body: &Value, list: &str, field: &str) -> Vec<u64> {
    body[list].as_array().unwrap().iter().map(|row| row[field].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn three_ways_in_and_tokens_expire() {
    let sandbox = sandbox().await;
    let url = format!("{}/api/version", sandbox.mirakl_url());
    let with = |value: &str| http().get(&url).header("Authorization", value);
    assert_eq!(status(http().get(&url)).await, 401);
    assert_eq!(status(with("wrong")).await, 401);
    assert_eq!(status(with("sandbox-operator-key")).await, 200);
    assert_eq!(status(with("Bearer sandbox-bearer-token")).await, 200);

    let ask = |secret: &str| {
        let form = [("grant_type", "client_credentials"), ("client_id", "sandbox-client"), ("client_secret", secret)];
        http().post(&sandbox.credentials().auth_url).form(&form)
    };
    assert_eq!(status(ask("wrong")).await, 401);
    let (_, token) = answer(ask("sandbox-client-secret")).await;
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    assert_eq!(token["expires_in"], 3600);
    assert_eq!(status(with(&bearer)).await, 200);
    sandbox.clock().advance(jiff::SignedDuration::from_hours(1));
    assert_eq!(status(with(&bearer)).await, 401);
    sandbox.mirakl(|mirakl| mirakl.access.operator_key = None);
    assert_eq!(status(with("sandbox-operator-key")).await, 401);
}

#[tokio::test]
async fn limits_and_misspellings_are_refused() {
    let sandbox = sandbox().await;
    let many: Vec<String> = (0..101).map(|id| id.to_string()).collect();
    for path in [
        "/api/shops?max=101",
        "/api/shops?max=0",
        "/api/shops?max=ten",
        "/api/shops?updated_since=2026-11-01",
        "/api/shops?updated_since=2026-11-01T00:00:00+01:00",
        "/api/shops?updated_after=2026-11-01T00:00:00Z",
        &format!("/api/shops?shop_ids={}", many.join(",")),
        &format!("/api/shops/documents?shop_ids={}", many.join(",")),
        "/api/shops/documents",
        "/api/shops/documents/download?document_ids=1,2",
        "/api/documents",
        "/api/additional_fields?entities=ORDER",
        "/api/invoices?max=101",
        "/api/invoices?type=MANUAL",
        "/api/invoices?start_date=2026-11-02T00:00:00Z&end_date=2026-11-01T00:00:00Z",
        "/api/seller-billing-cycles?limit=1001",
        "/api/seller-billing-cycles?page_token=unknown",
    ] {
        assert_eq!(status(get(&sandbox, path)).await, 400, "{path}");
    }
    assert_eq!(status(get(&sandbox, "/api/shops?updated_since=2026-11-01T00:00:00%2B01:00")).await, 200);
    assert_eq!(status(get(&sandbox, "/api/offers")).await, 404);
}

#[tokio::test]
async fn shops_come_in_pages_and_by_their_last_change() {
    let sandbox = sandbox().await;
    sandbox.mirakl(|mirakl| {
        mirakl.shops = (1..=250)
            .map(|id| {
                let day = if id > 240 { 20 } else { 1 };
                let updated = jiff::civil::date(2026, 11, day).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
                Shop::new(id, &format!("Shop {id}")).updated_at(updated)
            })
            .collect();
    });
    let (_, page) = answer(get(&sandbox, "/api/shops?max=100&offset=200")).await;
    assert_eq!((page["total_count"].as_u64(), ids(&page, "shops", "shop_id").len()), (Some(250), 50));
    let (_, page) = answer(get(&sandbox, "/api/shops?updated_since=2026-11-19T00:00:00Z&max=100")).await;
    assert_eq!(ids(&page, "shops", "shop_id"), (241..=250).collect::<Vec<_>>());
    let (_, page) = answer(get(&sandbox, "/api/shops?paginate=false")).await;
    assert_eq!(ids(&page, "shops", "shop_id").len(), 250);
}

#[tokio::test]
async fn a_row_that_turns_up_in_front_shifts_offset_pages_but_not_seek_pages() {
    let sandbox = sandbox().await;
    let at = sandbox.clock().now();
    sandbox.mirakl(|mirakl| {
        mirakl.vouchers = (1..=4).map(|number| Voucher::new(number, 2001, "83.00", at)).collect();
        for endpoint in [Endpoint::Invoices, Endpoint::BillingCycles] {
            mirakl.pending_additions.push(PendingAddition {
                after_pages: 1,
                endpoint,
                at_front: true,
                newcomer: Newcomer::Voucher(Box::new(Voucher::new(9, 2001, "1.00", at))),
            });
        }
    });
    let (_, first) = answer(get(&sandbox, "/api/invoices?max=2&offset=0")).await;
    let (_, second) = answer(get(&sandbox, "/api/invoices?max=2&offset=2")).await;
    assert_eq!(ids(&first, "invoices", "invoice_id"), [1, 2]);
    assert_eq!(ids(&second, "invoices", "invoice_id"), [2, 3], "the second page repeats a row");

    let (_, first) = answer(get(&sandbox, "/api/seller-billing-cycles?limit=3")).await;
    let token = first["next_page_token"].as_str().unwrap();
    let (_, rest) = answer(get(&sandbox, &format!("/api/seller-billing-cycles?page_token={token}"))).await;
    let numbers: Vec<&str> = [&first, &rest]
        .iter()
        .flat_map(|page| page["data"].as_array().unwrap())
        .map(|row| row["payment_voucher_number"].as_str().unwrap())
        .collect();
    assert_eq!(numbers, ["000000000009", "000000000001", "000000000002", "000000000003", "000000000004"]);
    assert!(rest.get("next_page_token").is_none());
}

#[tokio::test]
async fn amounts_vary_in_spelling_and_broken_rows_are_served_as_they_stand() {
    let sandbox = sandbox().await;
    let at = sandbox.clock().now();
    sandbox.mirakl(|mirakl| {
        mirakl.vouchers = (1..=60).map(|number| Voucher::new(number, 2001, "83.00", at)).collect();
        let voucher = mirakl.voucher_mut(1).unwrap();
        voucher.amount_transferred = None;
        mirakl.voucher_mut(2).unwrap().invoice_served_as = Some(r#"{"invoice_id":2,"shop_id":null}"#.to_owned());
        mirakl.voucher_mut(3).unwrap().amount_transferred = Some("83.005".to_owned());
    });
    let text = get(&sandbox, "/api/invoices?max=100").send().await.unwrap().text().await.unwrap();
    for spelling in ["83.00,", "83.0,", "83.005"] {
        assert!(text.replace('}', ",").contains(&format!("\"amount_transferred\":{spelling}")), "{spelling}");
    }
    assert!(text.contains("8.3E+1"));
    let body: Value = serde_json::from_str(&text).unwrap();
    assert!(body["invoices"][0]["summary"].get("amount_transferred").is_none());
    assert!(body["invoices"][1].get("summary").is_none());
}

#[tokio::test]
async fn an_update_is_partial_and_hides_refusals_inside_a_success() {
    let sandbox = sandbox().await;
    sandbox.mirakl(|mirakl| {
        mirakl.shops = vec![Shop::new(2001, "Atelier Nord"), Shop::new(2002, "Maison Bleue")];
        mirakl.refuse_updates.insert(2002, "the shop is closed".to_owned());
    });
    let put = |body: Value| mirakl(&sandbox, Method::PUT, "/api/shops").json(&body);
    let update = json!({"shops": [
        {"shop_id": 2001, "kyc": {"status": "APPROVED", "reason": "dropped"}, "payment_blocked": true},
        {"shop_id": 2002, "suspend": true},
        {"shop_id": 9, "suspend": true},
        {"shop_id": 2001, "kyc": {"status": "REFUSED", "reason": "x".repeat(1001)}},
    ]});
    let (status, body) = answer(put(update)).await;
    assert_eq!(status, 200);
    let kinds: Vec<&String> = body["shop_returns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item.as_object().unwrap().keys().next().unwrap())
        .collect();
    assert_eq!(kinds, ["shop_updated", "shop_error", "shop_error", "shop_error"]);
    assert_eq!(body["shop_returns"][1]["shop_error"]["errors"][0]["message"], "the shop is closed");
    sandbox.mirakl(|mirakl| {
        let shop = mirakl.shop(2001).unwrap();
        assert_eq!((shop.kyc_status.as_str(), shop.kyc_reason.as_ref()), ("APPROVED", None));
        assert_eq!((shop.payment_blocked, shop.suspended), (true, false));
        assert_eq!(mirakl.updates.len(), 4);
    });
    for wrong in [
        json!({}),
        json!({"shops": []}),
        json!({"shops": [{"shop_id": "2001"}]}),
        json!({"shops": [{"shop_id": 2001, "blocked": true}]}),
    ] {
        assert_eq!(answer(put(wrong.clone())).await.0, 400, "{wrong}");
    }
}

#[tokio::test]
async fn documents_are_listed_and_downloaded_as_they_are() {
    let sandbox = sandbox().await;
    let file = Document::new(71, 2001, "ALL_PROOF_OF_BANK_ACCOUNT", "bank.pdf");
    let bytes = file.bytes.clone();
    sandbox.mirakl(|mirakl| mirakl.documents.push(file));
    let (_, listed) = answer(get(&sandbox, "/api/shops/documents?shop_ids=2001,2002")).await;
    assert_eq!(ids(&listed, "shop_documents", "id"), [71]);
    let response = get(&sandbox, "/api/shops/documents/download?document_ids=71").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/pdf");
    assert_eq!(response.headers()["content-disposition"], "attachment; filename=\"bank.pdf\"");
    assert_eq!(response.bytes().await.unwrap(), bytes);
    assert_eq!(status(get(&sandbox, "/api/shops/documents/download?document_ids=72")).await, 404);
    let (_, types) = answer(get(&sandbox, "/api/documents?entities=SHOP")).await;
    assert_eq!(types["documents"].as_array().unwrap().len(), 9);
    let (_, fields) = answer(get(&sandbox, "/api/additional_fields?entities=SHOP")).await;
    assert_eq!(fields["additional_fields"][0]["code"], "hipay-process");
}
