//! The JSON API as scripts and other systems use it.

use cashout::domain::operation::{Hold, Operation};
use cashout::logs::LogLine;
use cashout::sandbox::SandboxOptions;
use cashout::serve::Appliance;
use cashout::store::{StoreError, View};
use cashout::text::message::Message;
use serde_json::{Value, json};

use crate::payments::{ACCEPTED, FORM, enterprise};
use crate::world::{World, http};

pub(crate) const TOKEN: &str = "a-token-for-the-tests";

pub(crate) struct Api {
    base: String,
    client: reqwest::Client,
}

impl Api {
    pub(crate) fn of(appliance: &Appliance) -> Self {
        Self { base: format!("http://{}/api/v1", appliance.address()), client: http() }
    }

    async fn ask(&self, path: &str) -> (u16, Value) {
        let answer = self.client.get(format!("{}/{path}", self.base)).bearer_auth(TOKEN).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap())
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    async fn patch(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = self.client.patch(format!("{}/{path}", self.base)).bearer_auth(TOKEN).json(body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = self.client.post(format!("{}/{path}", self.base)).bearer_auth(TOKEN).json(body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    pub(crate) async fn refused(&self, path: &str) -> (u16, String) {
        let (status, body) = self.ask(path).await;
        assert_eq!(body.get("status"), Some(&json!(status)));
        (status, body.get("title").and_then(Value::as_str).unwrap().to_owned())
    }
}

/// Makes a world with a token, three sellers and their paid operations.
pub(crate) async fn paid_world() -> World {
    let token = format!("dashboard.apiToken: {TOKEN}");
    let world = World::with(SandboxOptions::default(), &[token.as_str()]).await;
    world.fund(100_000);
    for id in 1..=3 {
        world.seller(id);
        world.voucher(100 + id, id, 8_300, 0);
    }
    world.up_to_operations().await;
    world.transfer().await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_neither_directs_money_nor_names_packages() {
    let world = paid_world().await;
    let appliance = world.serve().await;
    let api = Api::of(&appliance);
    for (path, body) in [
        ("vendors/2001/wallet", json!({ "hipay_id": 502_002, "reason": "mine" })),
        ("update/request", json!({ "wanted": "package", "path": "/tmp/mine", "version": "9.9.9", "insists": true })),
        ("update/request", json!({ "wanted": "return" })),
    ] {
        let (status, problem) = api.post(path, &body).await;
        assert_eq!(status, 403, "{path}: {problem}");
        assert!(problem["title"].as_str().unwrap().contains("only the command line"), "{problem}");
    }
    let long = json!({ "command": "cashout:generate", "before": "PT800H" });
    assert_eq!(api.post("batches", &long).await.0, 422);
    let back = json!({ "command": "cashout:generate", "after": "-PT1H" });
    assert_eq!(api.post("batches", &back).await.0, 422);
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_get_nothing() {
    let world = paid_world().await;
    let appliance = world.serve().await;
    let base = format!("http://{}/api/v1", appliance.address());
    for path in [
        "vendors",
        "operations",
        "operations/1",
        "payments",
        "notifications",
        "logs",
        "logs.csv",
        "batches",
        "settings",
        "update",
        "openapi.json",
        "no-such-thing",
    ] {
        for token in [None, Some(""), Some("a-token-for-the-test"), Some("a-token-for-the-tests ")] {
            let mut request = http().get(format!("{base}/{path}"));
            if let Some(token) = token {
                request = request.header("authorization", format!("Bearer {token}x"));
            }
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 401, "{path} with {token:?}");
            assert_eq!(answer.headers()["www-authenticate"], "Bearer");
        }
    }
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_are_listed_filtered_searched_and_told_whole() {
    let world = paid_world().await;
    let appliance = world.serve().await;
    let api = Api::of(&appliance);

    let all = api.get("operations").await;
    assert_eq!(
        (&all["total"], &all["total_exact"], &all["page"], &all["per_page"]),
        (&json!(3), &json!(true), &json!(1), &json!(50))
    );
    let first = &all["items"][0];
    assert_eq!((&first["amount"], &first["currency"]), (&json!("83.00"), &json!("EUR")));
    assert_eq!((&first["transfer_status"], &first["withdraw_status"]), (&json!("requested"), &json!("none")));

    assert_eq!(api.get("operations?transfer_status=requested").await["total"], json!(3));
    assert_eq!(api.get("operations?transfer_status=failed").await["total"], json!(0));
    let shop = &first["mirakl_id"];
    let of_shop = all["items"].as_array().unwrap().iter().filter(|one| one["mirakl_id"] == *shop).count();
    assert_eq!(api.get(&format!("operations?mirakl_id={shop}")).await["total"], json!(of_shop));
    assert_eq!(
        api.get(&format!("operations?mirakl_id={shop}&transfer_status=requested")).await["total"],
        json!(of_shop)
    );
    assert_eq!(api.get(&format!("operations?mirakl_id={shop}&transfer_status=failed")).await["total"], json!(0));
    let found = api.get("operations?q=102").await;
    assert_eq!((&found["total"], &found["items"][0]["payment_order_id"]), (&json!(1), &json!("102")));
    assert_eq!(api.get("operations?q=102&transfer_status=failed").await["total"], json!(0));

    // Whole days in the configured zone, both ends included; the clock shows 2026-11-12.
    for (period, total) in [
        ("from=2026-11-12", 3),
        ("to=2026-11-12", 3),
        ("from=2026-11-13", 0),
        ("to=2026-11-11", 0),
        ("from=2026-11-12T08:00:00Z", 3),
        ("from=2026-11-12T09:00:01%2B01:00", 0),
    ] {
        assert_eq!(api.get(&format!("operations?{period}")).await["total"], json!(total), "{period}");
    }

    // Paging by number and by cursor.
    let page = api.get("operations?per_page=2&sort=date").await;
    let cursor = page["next"].as_str().unwrap().to_owned();
    let rest = api.get(&format!("operations?per_page=2&sort=date&cursor={cursor}")).await;
    assert_eq!(rest["items"], api.get("operations?per_page=2&sort=date&page=2").await["items"]);
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));

    let csv = http().get(format!("{}/operations.csv?transfer_status=requested&sort=date", api.base)).bearer_auth(TOKEN);
    let csv = csv.send().await.unwrap();
    assert_eq!(csv.headers()["content-disposition"], "attachment; filename=\"operations.csv\"");
    let csv = csv.text().await.unwrap();
    let lines: Vec<&str> = csv.split_terminator("\r\n").collect();
    assert!(lines[0].starts_with("id,mirakl_id,hipay_id,payment_order_id,"), "{csv}");
    assert!(
        lines.len() == 4 && lines[1].contains(",vendor,83.00,83.00,EUR,TRANSFER_REQUESTED,requested,none,"),
        "{csv}"
    );
    assert_eq!(api.refused("operations.csv?page=2").await.0, 400);

    let id = first["id"].as_u64().unwrap();
    let whole = api.get(&format!("operations/{id}")).await;
    assert_eq!(whole["attempts"][0]["payment"], json!("transfer"));
    assert!(whole["attempts"][0]["reference"].as_str().unwrap().starts_with("TRANSFER_SALES_"));
    assert_eq!(whole["history"].as_array().unwrap().last().unwrap()["status"], json!("TRANSFER_REQUESTED"));
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn vendors_are_listed_by_their_statuses_and_country() {
    let world = paid_world().await;
    let appliance = world.serve().await;
    let api = Api::of(&appliance);
    let all = api.get("vendors?sort=date").await;
    assert_eq!(all["total"], json!(3));
    assert_eq!(all["items"][0]["wallet_status"], json!("identified"));
    assert_eq!(api.get("vendors?status=warning").await["total"], json!(0));
    assert_eq!(api.get("vendors?status=success&wallet_status=identified&country=FRA").await["total"], json!(3));
    assert_eq!(api.get("vendors?country=DE").await["total"], json!(0));
    let hipay_id = all["items"][1]["hipay_id"].as_u64().unwrap();
    let found = api.get(&format!("vendors?q={hipay_id}")).await;
    assert_eq!((&found["total"], &found["items"][0]["hipay_id"]), (&json!(1), &json!(hipay_id)));
    assert_eq!(api.get("vendors/2").await["mirakl_id"], json!(2));
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_with_its_place() {
    let world = paid_world().await;
    let appliance = world.serve().await;
    let api = Api::of(&appliance);
    for (path, status, said) in [
        ("vendors/99", 404, "no such vendor"),
        ("vendors/abc", 404, "not a number"),
        ("nothing", 404, "nothing at this address"),
        ("operations?page=0", 400, "page"),
        ("operations?page=abc", 400, "page"),
        ("operations?per_page=201", 400, "1 to 200"),
        ("operations?page=1000000", 400, "cursor"),
        ("operations?cursor=abcd", 409, "first page"),
        ("operations?transfer_status=paid", 400, "transfer_status"),
        ("operations?transferstatus=ok", 400, "transfer_status"),
        ("operations?from=yesterday", 400, "2026-11-21"),
        ("operations?transfer_status=", 400, "transfer_status"),
        ("operations?sort=amount", 400, "sort"),
        ("operations?cursor=rubbish", 400, "next"),
    ] {
        let (answered, title) = api.refused(path).await;
        assert_eq!(answered, status, "{path}: {title}");
        assert!(title.contains(said), "{path}: {title}");
    }
    // A cursor of another list.
    let cursor = api.get("vendors?per_page=1").await["next"].as_str().unwrap().to_owned();
    assert_eq!(api.refused(&format!("operations?cursor={cursor}")).await.0, 409);
    appliance.stop().await.unwrap();
}

#[test]
fn its_description_is_what_the_code_makes() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/web/api/openapi.json");
    let made = cashout::web::description();
    if std::env::var_os("CASHOUT_DESCRIBE").is_some() {
        std::fs::write(file, &made).unwrap();
    }
    let kept = std::fs::read_to_string(file).unwrap();
    assert!(
        kept == made,
        "the API has changed: run this test with CASHOUT_DESCRIBE=1, and look at what is new in {file}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn it_describes_itself() {
    let world = paid_world().await;
    let appliance = world.serve().await;
    let described = Api::of(&appliance).get("openapi.json").await;
    assert!(described["openapi"].as_str().unwrap().starts_with("3."));
    let parameters = described["paths"]["/operations"]["get"]["parameters"].as_array().unwrap();
    let names: Vec<&str> = parameters.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "page",
            "per_page",
            "sort",
            "q",
            "cursor",
            "transfer_status",
            "withdraw_status",
            "mirakl_id",
            "cycle",
            "beneficiary",
            "stage",
            "currency",
            "difference",
            "actor",
            "reason",
            "from",
            "to"
        ]
    );
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_setting_is_written_to_the_file_and_takes_effect_at_once() {
    let world = paid_world().await;
    let appliance = world.serve().await;
    let api = Api::of(&appliance);
    let settings = api.get("settings").await;
    let level = &settings["items"][1];
    assert_eq!((&level["key"], &level["value"]), (&json!("email.logger.alert.level"), &json!("400")));
    assert_eq!((&level["source"], &level["changeable"]), (&json!("built-in default"), &json!(true)));

    let (status, changed) =
        api.patch("settings", &json!({ "email.logger.alert.level": "500", "github.token": "a-secret" })).await;
    assert_eq!(status, 200, "{changed}");
    assert_eq!(changed["items"][1]["value"], json!("500"));
    // Secrets are never shown.
    assert_eq!((&changed["items"][0]["value"], &changed["items"][0]["is_set"]), (&Value::Null, &json!(true)));
    assert_eq!(appliance.web().settings.get().logs.alert_level.unwrap().number(), 500);
    let path = world.data().parent().unwrap().join("parameters.yml");
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written.contains("email.logger.alert.level: 500"), "{written}");

    for (changes, status, said) in [
        (json!({ "email.logger.alert.level": "loud", "github.token": "other" }), 400, "email.logger.alert.level"),
        (json!({ "hipay.wsPassword": "mine" }), 422, "email.logger.alert.level"),
        (json!(["no", "no", "no"]), 422, "map"),
    ] {
        let (answered, body) = api.patch("settings", &changes).await;
        assert_eq!(answered, status, "{changes}: {body}");
        assert!(body["title"].as_str().unwrap().contains(said), "{changes}: {body}");
    }
    // All changes or none.
    assert_eq!(std::fs::read_to_string(&path).unwrap(), written);
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_asked_for_and_followed() {
    let world = paid_world().await;
    let appliance = world.serve().await;
    let api = Api::of(&appliance);
    let (status, batch) = api.post("batches", &json!({ "command": "cashout:withdraw", "since": null })).await;
    assert_eq!(status, 202, "{batch}");
    assert_eq!((&batch["command"], &batch["asked_by"]), (&json!("cashout:withdraw"), &json!("API")));
    let id = batch["id"].as_u64().unwrap();
    let ended = async {
        loop {
            let list = api.get("batches?command=cashout:withdraw&state=done").await;
            if list["items"].as_array().unwrap().iter().any(|one| one["id"] == json!(id)) {
                return list;
            }
            tokio::task::yield_now().await;
        }
    };
    let list = tokio::time::timeout(std::time::Duration::from_secs(30), ended).await.expect("the batch ends");
    assert_eq!(list["total"], json!(1));
    for (body, status, said) in [
        (json!({ "command": "cashout:transfer", "since": "2026-11-01" }), 409, "since"),
        (json!({ "command": "cashout:transfer", "cycle_date": "2026-11-01" }), 409, "cycle_date"),
        (json!({ "command": "rm -rf" }), 422, "rm -rf"),
        (json!({ "command": "vendor:process", "since": "soon" }), 400, "since"),
        (json!({ "cmd": 1 }), 422, "cmd"),
    ] {
        let (answered, answer) = api.post("batches", &body).await;
        assert_eq!(answered, status, "{body}: {answer}");
        assert!(answer["title"].as_str().unwrap().contains(said), "{body}: {answer}");
    }
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_waits_for_a_person_is_taken_up_again() {
    let world = paid_world().await;
    let id = world.operation(101).id;
    let now = world.clock.now();
    let held = world.context.store.write(move |writer| {
        let mut operation = writer.get::<Operation>(&id)?.unwrap();
        operation.hold(Hold::OtherPayment, &Message::quoting("somebody has to look"), now);
        writer.put(&operation)
    });
    held.await.map_err(|error: StoreError| error).unwrap();
    let appliance = world.serve().await;
    let api = Api::of(&appliance);
    assert_eq!(api.get(&format!("operations/{id}")).await["held"], json!("somebody has to look"));
    let (status, operation) = api.post(&format!("operations/{id}/retry"), &json!({})).await;
    assert_eq!((status, &operation["held"]), (200, &Value::Null), "{operation}");
    let (status, refused) = api.post(&format!("operations/{id}/retry"), &json!({})).await;
    assert_eq!(status, 409, "{refused}");
    assert_eq!(api.post("operations/999/retry", &json!({})).await.0, 404);
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_payments_and_the_log_are_listed_too() {
    let token = format!("dashboard.apiToken: {TOKEN}");
    let world = World::with(SandboxOptions::default(), &[token.as_str()]).await;
    let appliance = world.serve().await;
    let hipay = enterprise(&world, &appliance);
    let body = "status=118&message=Captured&transaction_reference=132255767588&order[id]=HiPay-120034&currency=EUR&decimals=2&captured_amount=83.00&test=false&date_updated=2026-11-09T07:57:51+0000";
    assert_eq!(hipay.send_body(FORM, body.as_bytes()).await, ACCEPTED);
    let api = Api::of(&appliance);
    let dealt_with = async {
        while api.get("notifications?kind=payment&state=applied").await["total"] != json!(1) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), dealt_with).await.expect("it is dealt with");
    assert_eq!(api.get("notifications?q=1322557").await["items"][0]["action"], json!("118"));
    for filter in [
        "q=hipay-12",
        "q=13225",
        "order_id=hipay-120034",
        "outcome=accepted",
        "status=118&test=false",
        "from=2026-11-09",
    ] {
        let found = api.get(&format!("payments?{filter}")).await;
        assert_eq!((&found["total"], &found["items"][0]["captured_amount"]), (&json!(1), &json!("83.00")), "{filter}");
    }
    for filter in ["q=999", "outcome=declined", "outcome=accepted&status=116", "test=true", "to=2026-11-08"] {
        assert_eq!(api.get(&format!("payments?{filter}")).await["total"], json!(0), "{filter}");
    }
    let payment = api.get("payments/132255767588").await;
    assert_eq!((&payment["order_id"], &payment["history"][0]["status"]), (&json!("HiPay-120034"), &json!(118)));

    let now = world.clock.now();
    let lines = world.context.store.write(move |writer| {
        for id in 1..=3_u64 {
            let line = json!({ "id": id, "at": now, "level": if id == 2 { 400 } else { 200 }, "action": "test", "mirakl_id": id, "message": "=line" });
            writer.put(&serde_json::from_value::<LogLine>(line).unwrap())?;
        }
        Ok::<_, StoreError>(())
    });
    lines.await.unwrap();
    assert_eq!(api.get("logs").await["total"], json!(3));
    let errors = api.get("logs?level=ERROR&action=test").await;
    assert_eq!((&errors["total"], &errors["items"][0]["mirakl_id"]), (&json!(1), &json!(2)));
    let csv =
        http().get(format!("{}/logs.csv?level=INFO&sort=date", api.base)).bearer_auth(TOKEN).send().await.unwrap();
    let csv = csv.text().await.unwrap();
    let lines: Vec<&str> = csv.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 3, "{csv}");
    assert!(lines[1].ends_with(",INFO,test,1,,'=line"), "{csv}");
    assert_eq!(api.get("update").await["version"], json!(env!("CARGO_PKG_VERSION")));
    for path in ["notifications?kind=parcel", "batches?state=lost", "logs?text=1", "logs?level=LOUD"] {
        assert_eq!(api.refused(path).await.0, 400, "{path}");
    }
    appliance.stop().await.unwrap();
}
