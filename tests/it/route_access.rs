//! Access to every path, according to the route table itself: a new page without an access check fails here.

use cashout::web::paths;
use reqwest::Method;

use crate::signing_in::{OPERATOR, signed_in, world};
use crate::world::http;

/// Returns an address of a path, with a value for each parameter.
fn address(path: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { "1".to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_see_the_sign_in_and_nothing_else() {
    let world = world(&[]).await;
    let appliance = world.serve().await;
    let base = format!("http://{}", appliance.address());
    let [everybody, pages, api] = paths();
    assert_eq!(
        everybody,
        [
            "/healthz",
            "/readyz",
            "/metrics",
            "/notifications/wallet",
            "/notifications/wallet/",
            "/",
            "/index.php",
            "/index.php/",
            "/index.php/{*path}",
            "/notifications/enterprise",
            "/notifications/enterprise/",
            "/dashboard/login",
            "/dashboard/assets/{version}/{*path}",
        ],
        "what everybody may see is decided here, on purpose"
    );
    assert!(pages.len() > 8 && api.len() > 12);
    for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        for path in &pages {
            let answer = http().request(method.clone(), format!("{base}{}", address(path))).send().await.unwrap();
            let to = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
            assert_eq!(answer.status(), 303, "{method} {path}");
            assert!(to.starts_with("/dashboard/login"), "{method} {path}: {to}");
        }
        for path in &api {
            let answer = http().request(method.clone(), format!("{base}{}", address(path))).send().await.unwrap();
            assert_eq!(answer.status(), 401, "{method} {path}");
        }
    }
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_can_be_framed_or_run_what_is_not_ours_and_none_is_kept() {
    let world = world(&[]).await;
    let appliance = world.serve().await;
    let browser = signed_in(&appliance, OPERATOR).await;
    let [_, pages, _] = paths();
    for path in pages.iter().map(String::as_str).chain(["/dashboard/login"]) {
        let answer = browser.ask("GET", &address(path)).send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let policy = header("content-security-policy").unwrap_or_default();
        for rule in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'self'"] {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(header("x-frame-options").as_deref(), Some("DENY"), "{path}");
        assert_eq!(header("cache-control").as_deref(), Some("no-store"), "{path}");
        assert!(answer.status().as_u16() < 500, "{path}: {}", answer.status());
    }
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_another_site_changes_nothing_and_nobody_is_led_away() {
    let world = world(&[]).await;
    let appliance = world.serve().await;
    let base = format!("http://{}", appliance.address());
    let credentials = world.sandbox.credentials();
    let sign_in = |next: &str| {
        let form = [
            ("_username", credentials.ws_login.as_str()),
            ("_password", credentials.ws_password.expose()),
            ("next", next),
        ];
        http().post(format!("{base}/dashboard/login")).form(&form)
    };
    for evil in
        ["https://evil.example/", "//evil.example", "/\\evil.example", "/dashboard/../../evil", "javascript:alert(1)"]
    {
        let answer = sign_in(evil).send().await.unwrap();
        assert_eq!(answer.status(), 303);
        assert_eq!(answer.headers()["location"], "/dashboard", "{evil}");
    }
    // A session cookie that an attacker planted beforehand does not become the session.
    let planted = "cashout_session=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let answer = sign_in("/dashboard").header("cookie", planted).send().await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.starts_with("cashout_session=") && !cookie.contains("0123456789abcdef0123"), "{cookie}");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let answer = http().get(format!("{base}/dashboard/vendors")).header("cookie", planted).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    // Another site cannot sign a user in.
    let answer = sign_in("/dashboard").header("sec-fetch-site", "cross-site").send().await.unwrap();
    assert!(answer.headers().get("set-cookie").is_none());

    let session = cookie.split(';').next().unwrap();
    let [_, pages, _] = paths();
    for path in &pages {
        let answer = http().post(format!("{base}{}", address(path))).header("cookie", session);
        let answer = answer.form(&[("everywhere", "true"), ("mark", "x")]).send().await.unwrap();
        assert!([403, 405].contains(&answer.status().as_u16()), "{path}: {}", answer.status());
    }
    let answer = http().get(format!("{base}/dashboard/vendors")).header("cookie", session).send().await.unwrap();
    assert_eq!(answer.status(), 200, "the session is still there");
    appliance.stop().await.unwrap();
}
