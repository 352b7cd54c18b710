//! Choices for several operations on the pages: what is confirmed is changed, and the result is that of each operation.

use cashout::domain::group_choice::GroupChoice;
use cashout::domain::operation::{Hold, Operation};
use cashout::store::{Query, View};

use crate::signing_in::{Browser, OPERATOR, VIEWER, signed_in};
use crate::snapshots::marketplace;
use crate::world::{World, http};

/// Returns the value of a hidden field of a page's form.
fn field(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("{name}: {page}"));
    rest.split('"').next().unwrap().to_owned()
}

async fn page(browser: &Browser, path: &str) -> String {
    let answer = browser.ask("GET", path).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    answer.text().await.unwrap()
}

/// Confirms a choice as the page's form does; returns the status and the address that the answer leads to.
async fn confirm(browser: &Browser, path: &str, mark: &str, reason: &str) -> (u16, String) {
    let fields = [("_csrf", browser.token()), ("mark", mark.to_owned()), ("reason", reason.to_owned())];
    let answer = browser.ask("POST", path).form(&fields).send().await.unwrap();
    let to = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
    (answer.status().as_u16(), to)
}

fn operations(world: &World) -> Vec<Operation> {
    world.operations()
}

async fn choices(world: &World) -> Vec<GroupChoice> {
    let all = Query::<GroupChoice, _>::all().limit(100);
    world.context.store.reading(move |reader| reader.page(&all)).await.unwrap().items
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_match_are_held_and_released_and_the_result_names_each() {
    let world = marketplace().await;
    let appliance = world.serve().await;
    let operator = signed_in(&appliance, OPERATOR).await;
    let path = "/dashboard/transfers/all/hold?transfer_status=insufficient_funds";
    let shown = page(&operator, path).await;
    let meant: Vec<u64> = operations(&world)
        .iter()
        .filter(|one| one.status.columns().0.name() == "insufficient_funds" && one.held.is_none())
        .map(|one| one.id)
        .collect();
    assert!(!meant.is_empty() && shown.contains("Nothing more of it is sent until someone releases it"));

    // Without a reason nothing is held.
    let mark = field(&shown, "mark");
    assert_eq!(confirm(&operator, path, &mark, " ").await.0, 422);
    assert!(choices(&world).await.is_empty());
    // What was not shown is not changed.
    assert_eq!(confirm(&operator, path, "other", "audit").await.0, 409);
    let (status, result) = confirm(&operator, path, &mark, "audit of the bank").await;
    assert_eq!((status, result.as_str()), (303, "/dashboard/transfers/chosen/1"));
    let held = |id: &u64| {
        let all = operations(&world);
        all.iter().find(|one| one.id == *id).unwrap().held_for == Some(Hold::ByPerson)
    };
    assert!(meant.iter().all(held));
    let shown = page(&operator, &result).await;
    for expected in ["Hold: result", "audit of the bank", "Held by an operator", "Requested by otto"] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    for id in &meant {
        assert!(shown.contains(&format!("href=\"/dashboard/transfers/{id}\"")), "{id}: {shown}");
    }
    // A retry does not release what a person holds; a release of the same list does.
    let retry = page(&operator, "/dashboard/transfers/retry?transfer_status=insufficient_funds").await;
    assert!(retry.contains("None of these failed"), "{retry}");
    let path = "/dashboard/transfers/all/release?transfer_status=insufficient_funds";
    let mark = field(&page(&operator, path).await, "mark");
    let (status, _) = confirm(&operator, path, &mark, "").await;
    assert_eq!(status, 303);
    assert!(!meant.iter().any(held));

    let viewer = signed_in(&appliance, VIEWER).await;
    assert_eq!(viewer.ask("GET", path).send().await.unwrap().status(), 403);
    for wrong in
        ["/dashboard/transfers/all/accept", "/dashboard/transfers/all/nonsense", "/dashboard/transfers/chosen/9"]
    {
        assert_eq!(operator.ask("GET", wrong).send().await.unwrap().status(), 404, "{wrong}");
    }
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_meanwhile_is_named_as_not_changed() {
    let world = marketplace().await;
    let appliance = world.serve().await;
    let operator = signed_in(&appliance, OPERATOR).await;
    let path = "/dashboard/transfers/all/settle?stage=held_back";
    let mark = field(&page(&operator, path).await, "mark");
    let before = operations(&world).iter().filter(|one| one.is_settled()).count();
    let (status, result) = confirm(&operator, path, &mark, "paid by hand").await;
    assert_eq!(status, 303);
    let after = operations(&world).iter().filter(|one| one.is_settled()).count();
    let made = choices(&world).await.pop().unwrap();
    assert_eq!(after - before, made.operations.len() - made.refused.len());
    assert!(page(&operator, &result).await.contains("Settle: result"));
    // The same confirmation once more finds nothing as it was shown.
    assert_eq!(confirm(&operator, path, &mark, "paid by hand").await.0, 409);
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_address_is_a_page_for_browsers_and_json_for_programs() {
    let world = crate::signing_in::world(&[]).await;
    let appliance = world.serve().await;
    let operator = signed_in(&appliance, OPERATOR).await;
    let led = operator.ask("GET", "/dashboard/?x=1").send().await.unwrap();
    assert_eq!((led.status().as_u16(), led.headers()["location"].to_str().unwrap()), (303, "/dashboard?x=1"));
    let led = operator.ask("GET", "/dashboard/vendors/").send().await.unwrap();
    assert_eq!(led.headers()["location"].to_str().unwrap(), "/dashboard/vendors");
    let missing = operator.ask("GET", "/dashboard/nothing/here").send().await.unwrap();
    let (status, kind) = (missing.status().as_u16(), missing.headers()["content-type"].to_str().unwrap().to_owned());
    assert_eq!((status, kind.split(';').next().unwrap()), (404, "text/html"));
    let base = format!("http://{}", appliance.address());
    let of = async |accept: &str| {
        let answer = http().get(format!("{base}/nothing")).header("accept", accept).send().await.unwrap();
        let policy = answer.headers().contains_key("content-security-policy");
        (answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap().to_owned(), policy)
    };
    assert_eq!(of("text/html,*/*").await, (404, "text/html; charset=utf-8".to_owned(), true));
    assert_eq!(of("*/*").await.1, "application/problem+json");
    appliance.stop().await.unwrap();
}
