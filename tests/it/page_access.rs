//! Access to the dashboard's pages: a visitor without a session is redirected to the sign-in, and a
//! form is accepted only from the user's own page.

use std::net::SocketAddr;

use axum::routing::{get, post};
use axum::{Router, middleware};
use cashout::serve::Appliance;
use cashout::web::{Caller, Checked, Connections, Limits, Operator, let_in_page, safe_next};
use serde::Deserialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::signing_in::{Browser, OPERATOR, VIEWER, signed_in, world};
use crate::world::http;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Level {
    level: u16,
}

/// Serves a page and a form with the access checks of the pages, on the appliance's own sessions.
async fn pages(appliance: &Appliance, stop: &CancellationToken) -> SocketAddr {
    let web = appliance.web().clone();
    let pages = Router::new()
        .route("/logs", get(async |caller: Caller| caller.name))
        .route(
            "/level",
            post(async |Operator(caller): Operator, Checked(form): Checked<Level>| {
                format!("{} asks for {}", caller.name, form.level)
            }),
        )
        .layer(middleware::from_fn_with_state(web.clone(), let_in_page));
    let router = Router::new().nest("/dashboard", pages).with_state(web);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(Connections::new(router, None, Limits::default()).serve(listener, stop.clone()));
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_lead_strangers_to_the_sign_in_and_back() {
    let world = world(&[]).await;
    let appliance = world.serve().await;
    let stop = CancellationToken::new();
    let address = pages(&appliance, &stop).await;
    let (base, path) = (format!("http://{address}"), "/dashboard/logs?level=WARNING&q=a%26b");
    let login = "/dashboard/login?next=%2Fdashboard%2Flogs%3Flevel%3DWARNING%26q%3Da%2526b";

    let led = http().get(format!("{base}{path}")).send().await.unwrap();
    assert_eq!((led.status().as_u16(), led.headers()["location"].to_str().unwrap()), (303, login));
    let next = reqwest::Url::parse(&base).unwrap().join(login).unwrap();
    let next = next.query_pairs().find(|(name, _)| name == "next").unwrap().1.into_owned();
    assert_eq!(safe_next(&next), path);

    let led = http().post(format!("{base}/dashboard/level")).body("level=1").send().await.unwrap();
    let undone = "/dashboard/login?undone=true";
    assert_eq!((led.status().as_u16(), led.headers()["location"].to_str().unwrap()), (303, undone));
    let referred = http().post(format!("{base}/dashboard/level")).header("referer", format!("{base}{path}"));
    let led = referred.body("level=1").send().await.unwrap();
    let to = format!("{login}&undone=true");
    assert_eq!((led.status().as_u16(), led.headers()["location"].to_str().unwrap()), (303, to.as_str()));

    let part = http().get(format!("{base}/dashboard/logs?page=2")).header("hx-request", "true");
    let part = part.header("hx-current-url", format!("{base}{path}")).send().await.unwrap();
    assert_eq!((part.status().as_u16(), part.headers()["hx-redirect"].to_str().unwrap()), (401, login));

    let browser = signed_in(&appliance, VIEWER).await;
    let browser = Browser { base, ..browser };
    let page = browser.ask("GET", path).send().await.unwrap();
    assert_eq!((page.status().as_u16(), page.headers()["cache-control"].to_str().unwrap()), (200, "no-store"));
    assert_eq!(page.text().await.unwrap(), VIEWER.0);
    stop.cancel();
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_taken_from_the_person_s_own_page_alone() {
    let world = world(&[]).await;
    let appliance = world.serve().await;
    let stop = CancellationToken::new();
    let base = format!("http://{}", pages(&appliance, &stop).await);
    let operator = Browser { base: base.clone(), ..signed_in(&appliance, OPERATOR).await };
    let viewer = Browser { base, ..signed_in(&appliance, VIEWER).await };
    let send = async |browser: &Browser, fields: &[(&str, &str)], headers: &[(&str, &str)]| {
        let mut request = browser.ask("POST", "/dashboard/level").form(fields);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (token, of_viewer) = (operator.token(), viewer.token());
    let asked = (200, "otto asks for 500".to_owned());
    assert_eq!(send(&operator, &[("level", "500"), ("_csrf", &token)], &[]).await, asked);
    assert_eq!(send(&operator, &[("level", "500")], &[("x-csrf-token", &token)]).await, asked);
    let own = [("sec-fetch-site", "same-origin")];
    assert_eq!(send(&operator, &[("_csrf", &token), ("level", "500")], &own).await, asked);

    for fields in
        [&[("level", "500")][..], &[("level", "500"), ("_csrf", "")], &[("level", "500"), ("_csrf", &of_viewer)]]
    {
        assert_eq!(send(&operator, fields, &[]).await.0, 403, "{fields:?}");
    }
    for site in ["cross-site", "same-site"] {
        let fields = [("level", "500"), ("_csrf", token.as_str())];
        assert_eq!(send(&operator, &fields, &[("sec-fetch-site", site)]).await.0, 403);
    }
    assert_eq!(send(&viewer, &[("level", "500"), ("_csrf", &of_viewer)], &[]).await.0, 403);
    let (status, said) = send(&operator, &[("level", "many"), ("_csrf", &token)], &[]).await;
    assert_eq!((status, said.contains("level")), (422, true), "{said}");
    let as_json = operator.ask("POST", "/dashboard/level").json(&json!({ "level": 500, "_csrf": token }));
    assert_eq!(as_json.send().await.unwrap().status(), 415);
    stop.cancel();
    appliance.stop().await.unwrap();
}
