//! Tests of accounts and of HiPay's strictness.

use reqwest::Method;
use serde_json::Value;

use super::*;

fn account_form() -> Vec<(&'static str, &'static str)> {
    vec![
        ("email", "Camille@Atelier.example"),
        ("controle_type", "CREDENTIALS"),
        ("credential[wslogin]", "sandbox-login"),
        ("credential[wspassword]", "sandbox-password"),
        ("firstname", "Camille"),
        ("lastname", "Durand"),
        ("currency", "EUR"),
        ("locale", "fr_FR"),
        ("login", "mirakl_Atelier_2001"),
        ("civility", "2"),
        ("entity_code", "sandbox_entity"),
        ("merchant_group_code", "sandbox_group"),
        ("company_name", "Atelier Nord SARL"),
        ("vat_number", "FR83404833048"),
        ("address[address]", "12 rue des Tanneurs"),
        ("address[zipcode]", "59000"),
        ("address[city]", "Lille"),
        ("address[country]", "FR"),
        ("timezone", "Europe/Paris"),
        ("external_type", "1"),
        ("external_account_id", "2001"),
    ]
}

/// Returns the form with one field changed or added; `None` leaves it out.
fn but(name: &'static str, value: Option<&'static str>) -> Vec<(&'static str, &'static str)> {
    let mut form = account_form();
    form.retain(|(field, _)| *field != name);
    form.extend(value.map(|value| (name, value)));
    form
}

fn create(sandbox: &Sandbox, form: &[(&str, &str)]) -> RequestBuilder {
    hipay(sandbox, Method::POST, "/user-account.json").multipart(multipart(form, &[]))
}

fn with_login(sandbox: &Sandbox, login: &str) -> RequestBuilder {
    hipay(sandbox, Method::GET, "/user-account.json").header("php-auth-subaccount-login", login)
}

#[tokio::test]
async fn an_account_is_created_once_and_found_by_id_login_and_lower_cased_email() {
    let sandbox = sandbox().await;
    let (status, created) = answer(create(&sandbox, &account_form())).await;
    assert_eq!(status, 201, "{created}");
    let id = number(&created["account_id"]);
    assert_eq!(sandbox.hipay(|hipay| hipay.account_of_shop(2001).unwrap().id), u64::try_from(id).unwrap());

    assert_eq!(code(create(&sandbox, &but("login", Some("other")))).await, (400, 3), "the e-mail is taken");
    assert_eq!(
        code(create(&sandbox, &but("email", Some("new@atelier.example")))).await,
        (400, 3),
        "the login is taken"
    );

    for login in ["mirakl_Atelier_2001", "camille@atelier.example"] {
        let (status, read) = answer(with_login(&sandbox, login)).await;
        assert_eq!((status, number(&read["user_account_id"])), (200, id), "{login}");
        assert_eq!(read["callback_salt"], created["callback_salt"]);
    }
    for unknown in ["Camille@Atelier.example", "nobody"] {
        assert_eq!(code(with_login(&sandbox, unknown)).await, (401, 1), "{unknown}");
    }
    let by_id = |id: &str| hipay(&sandbox, Method::GET, "/user-account.json").header("php-auth-subaccount-id", id);
    assert_eq!(code(by_id(&id.to_string())).await, (200, 0));
    assert_eq!(code(by_id("999")).await, (403, 403));
    assert_eq!(code(by_id("first")).await, (400, 3));
}

#[tokio::test]
async fn availability_follows_the_emails_whatever_their_case() {
    let sandbox = sandbox().await;
    let free = async |email: &str| {
        let form = [("user_email", email), ("entity", "sandbox_entity")];
        let request = hipay(&sandbox, Method::POST, "/user-account/is-available.json").form(&form);
        let (status, body) = answer(request).await;
        assert_eq!(status, 200, "{body}");
        ["true", "1", "yes"].contains(&body["is_available"].to_string().trim_matches('"'))
    };
    assert!(free("new@sellers.example").await);
    assert!(!free("VENDOR@sellers.example").await);
    let patch = hipay(&sandbox, Method::PATCH, "/user-account.json").header("php-auth-subaccount-id", "500");
    assert_eq!(code(patch.form(&[("email", "moved@sellers.example")])).await, (200, 0));
    assert!(free("vendor@sellers.example").await && !free("moved@sellers.example").await);
}

#[tokio::test]
async fn a_form_that_the_description_does_not_allow_is_refused_by_field() {
    let sandbox = sandbox().await;
    for (form, code, field) in [
        (but("email", None), 2, "email"),
        (but("email", Some("")), 2, "email"),
        (but("email", Some("nobody")), 3, "email"),
        (but("civility", Some("4")), 3, "civility"),
        (but("civility", Some("Mr")), 3, "civility"),
        (but("address[country]", Some("FRA")), 3, "address[country]"),
        (but("address[country]", Some("fr")), 3, "address[country]"),
        (but("locale", Some("fr")), 3, "locale"),
        (but("currency", Some("euro")), 3, "currency"),
        (but("timezone", Some("Paris")), 3, "timezone"),
        (but("external_type", Some("Mirakl")), 3, "external_type"),
        (but("address[phone_number]", Some("")), 3, "address[phone_number]"),
        (but("callback_url", Some("cashout.example")), 3, "callback_url"),
        (but("entity_code", Some("other")), 3, "entity_code"),
        (but("merchant_group_code", Some("other")), 3, "merchant_group_code"),
        (but("shop_id", Some("2001")), 3, "shop_id"),
    ] {
        let (status, body) = answer(create(&sandbox, &form)).await;
        assert_eq!((status, number(&body["code"])), (400, code), "{field}: {body}");
        assert_eq!(body["errors"][0]["field"], field, "{body}");
        assert!(!body["errors"][0]["message"].as_str().unwrap().is_empty());
    }
    assert_eq!(sandbox.hipay(|hipay| hipay.accounts.len()), 3, "nothing was created");
}

#[tokio::test]
async fn the_wrong_content_type_password_or_path_is_refused() {
    let sandbox = sandbox().await;
    let json = serde_json::json!({"amount": "1.00"});
    let post = |path: &str| hipay(&sandbox, Method::POST, path);
    assert_eq!(code(post("/transfer.json").json(&json)).await, (400, 3));
    assert_eq!(code(post("/identification.json").form(&[("type", "1")])).await, (400, 3), "files need multipart");
    let patch = hipay(&sandbox, Method::PATCH, "/user-account.json");
    assert_eq!(code(patch.multipart(multipart(&[("email", "a@b.example")], &[]))).await, (400, 3));
    assert_eq!(code(hipay(&sandbox, Method::GET, "/user-account/bank-info.json")).await, (404, 404));
    assert_eq!(code(hipay(&sandbox, Method::GET, "/user-account.xml")).await, (404, 404));
    assert_eq!(code(hipay(&sandbox, Method::GET, "/user-account.json?verbose=1")).await, (400, 3));
    let url = format!("{}/api/user-account.json", sandbox.hipay_url());
    assert_eq!(code(http().get(&url)).await, (401, 1));
    assert_eq!(code(http().get(&url).basic_auth("sandbox-login", Some("wrong"))).await, (401, 1));
}

#[tokio::test]
async fn payments_are_checked_before_they_are_executed() {
    let sandbox = sandbox().await;
    let changed = |name: &'static str, value: &'static str| {
        let mut form = transfer_form("10.00", "T");
        form.retain(|(field, _)| *field != name);
        form.push((name, value));
        hipay(&sandbox, Method::POST, "/transfer.json").form(&form)
    };
    for (name, value, expected) in [
        ("amount", "0.00", (400, 3)),
        ("amount", "-10.00", (400, 3)),
        ("amount", "10,00", (400, 3)),
        ("amount", "1e1", (400, 3)),
        ("amount", "10.005", (400, 3)),
        ("amount", "100000.00", (400, 3)),
        ("amount", "", (400, 2)),
        ("recipient_account_id", "999", (400, 3)),
        ("recipient_account_id", "400001", (400, 3)),
        ("recipient_account_id", "five", (400, 3)),
        ("recipient_account_login", "vendor@sellers.example", (400, 3)),
        ("label", "Sales", (400, 3)),
    ] {
        assert_eq!(code(changed(name, value)).await, expected, "{name}={value}");
    }
    assert!(sandbox.hipay(|hipay| hipay.ledger.paid().count()) == 0);
}

#[tokio::test]
async fn withdrawals_say_why_not() {
    let sandbox = sandbox().await;
    let detail = async |edit: &dyn Fn(&mut Account)| {
        sandbox.hipay(|hipay| {
            let mut account = Account::new(500, "vendor@sellers.example").ready(IBAN).holding(euro(5_000));
            edit(&mut account);
            hipay.add(account);
        });
        let (status, body): (u16, Value) = answer(withdrawal(&sandbox, "50.00", "W")).await;
        assert_eq!(status, 400, "{body}");
        number(&body["error_code_detail"])
    };
    assert_eq!(detail(&|account| account.identified = false).await, 4004);
    assert_eq!(detail(&|account| account.bank = None).await, 4005);
    assert_eq!(detail(&|account| account.balance = euro(4_999)).await, 4014);
    assert_eq!(detail(&|account| account.owners_declared = false).await, 4015);
    assert_eq!(detail(&|account| account.state = crate::sandbox::AccountState::Disabled).await, 4008);
}

#[tokio::test]
async fn the_group_and_the_transactions_come_in_pages() {
    let sandbox = sandbox().await;
    let group = |query: &str| hipay(&sandbox, Method::GET, &format!("/merchant-group/{query}"));
    let (status, page) = answer(group("sandbox_group.json?page=2&nb_result_per_page=1")).await;
    assert_eq!((status, number(&page["total_merchant"])), (201, 3));
    assert_eq!(page["merchants_list"].as_array().unwrap().len(), 1);
    assert_eq!(code(group("other.json")).await, (404, 7));

    for reference in ["A", "B", "C"] {
        assert_eq!(code(transfer(&sandbox, "1.00", reference)).await, (201, 0));
    }
    let list = |query: &str| hipay(&sandbox, Method::GET, &format!("/transaction.json?{query}"));
    // The settlement that funded the account is listed as well.
    let (_, found) = answer(list("start-date=2026-11-21&end-date=2026-11-21&nb-result-per-page=2")).await;
    assert_eq!((number(&found["nb_result"]), found["transactions_list"].as_array().unwrap().len()), (4, 2));
    assert_eq!(code(list("start-date=2026-08-01&end-date=2026-11-21")).await, (400, 3), "more than 92 days");
    assert_eq!(code(list("nb-result-per-page=1001")).await, (400, 3));
}
