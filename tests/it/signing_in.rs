//! Access to the dashboard and the API: signing in, the rights of a session, and its end.

use std::net::SocketAddr;

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version};
use cashout::config::Role;
use cashout::domain::session::{PasswordWeakness, Session, SignInAttempts};
use cashout::logs::{LogLine, Logs, Options, Stream, Style};
use cashout::platform::secret::Secret;
use cashout::sandbox::SandboxOptions;
use cashout::serve::Appliance;
use cashout::store::{Query, View};
use cashout::web::{COOKIE, NewSession, Peer, SECURE_COOKIE, SignInRefused, sign_in, sign_out, sign_out_everywhere};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tracing::instrument::WithSubscriber;

use crate::world::{World, http};

/// The sandbox's web service credentials.
const TECHNICAL: (&str, &str) = ("sandbox-login", "sandbox-password");
pub(crate) const VIEWER: (&str, &str) = ("vera", "a long night at sea");
pub(crate) const OPERATOR: (&str, &str) = ("otto", "no such password");

/// Returns the hash of a password, with parameters that are quick to compute.
fn hash_of(password: &str) -> String {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
    argon2.hash_password_with_salt(password.as_bytes(), b"sixteen bytes ..").unwrap().to_string()
}

fn users(people: &[(&str, &str, &str)]) -> String {
    let users: Vec<String> = people
        .iter()
        .map(|(name, password, role)| {
            format!("{{ name: {name}, passwordHash: '{}', role: {role} }}", hash_of(password))
        })
        .collect();
    format!("dashboard.users: [{}]", users.join(", "))
}

/// Makes a world in which a viewer and an operator may sign in besides the technical account.
pub(crate) async fn world(settings: &[&str]) -> World {
    let users = users(&[(VIEWER.0, VIEWER.1, "viewer"), (OPERATOR.0, OPERATOR.1, "operator")]);
    let settings: Vec<&str> = settings.iter().copied().chain([users.as_str()]).collect();
    World::unscheduled(SandboxOptions::default(), &settings).await
}

fn peer(address: &str) -> Peer {
    Peer { address: address.parse().unwrap(), secure: false }
}

const SOMEWHERE: &str = "203.0.113.9";
/// Address of an attacker who guesses passwords.
const GUESSER: &str = "198.51.100.1";

async fn try_sign_in(
    appliance: &Appliance,
    (login, password): (&str, &str),
    from: &str,
) -> Result<NewSession, SignInRefused> {
    sign_in(appliance.web(), login, &Secret::new(password), peer(from), None).await
}

pub(crate) async fn signed_in(appliance: &Appliance, credentials: (&str, &str)) -> Browser {
    let new = try_sign_in(appliance, credentials, SOMEWHERE).await.unwrap();
    Browser::of(appliance.address(), &new)
}

/// A browser with its session cookie.
#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) base: String,
    pub(crate) cookie: String,
    pub(crate) session: Session,
}

impl Browser {
    fn of(address: SocketAddr, new: &NewSession) -> Self {
        let cookie = new.set_cookie.expose().split(';').next().unwrap().to_owned();
        Self { base: format!("http://{address}"), cookie, session: new.session.clone() }
    }

    fn at(&self, appliance: &Appliance) -> Self {
        Self { base: format!("http://{}", appliance.address()), ..self.clone() }
    }

    pub(crate) fn ask(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.base);
        http().request(method.parse().unwrap(), url).header("cookie", format!("theme=dark; {}", self.cookie))
    }

    /// Reads the settings and returns the HTTP status.
    async fn looks(&self) -> u16 {
        self.ask("GET", "/api/v1/settings").send().await.unwrap().status().as_u16()
    }

    /// Changes a setting and returns the HTTP status and the title of a problem.
    async fn changes(&self, token: Option<&str>) -> (u16, String) {
        let mut request = self.ask("PATCH", "/api/v1/settings").json(&json!({ "email.logger.alert.level": "500" }));
        if let Some(token) = token {
            request = request.header("x-csrf-token", token);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        let title = body.get("title").and_then(Value::as_str).unwrap_or_default();
        (status, title.to_owned())
    }

    pub(crate) fn token(&self) -> String {
        self.session.csrf_token([7; 16])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_technical_account_signs_in_and_changes_what_it_may() {
    let world = world(&[]).await;
    let appliance = world.serve().await;
    let new = try_sign_in(&appliance, TECHNICAL, SOMEWHERE).await.unwrap();
    assert_eq!((new.session.person.as_str(), new.role, new.weakness), (TECHNICAL.0, Role::Operator, None));
    let cookie = new.set_cookie.expose().to_owned();
    assert!(
        cookie.starts_with(&format!("{COOKIE}=")) && cookie.ends_with("; HttpOnly; SameSite=Lax; Path=/"),
        "{cookie}"
    );
    // A reader of the store finds no value that could serve as a cookie.
    let stored = serde_json::to_string(&new.session).unwrap();
    let token = cookie.split(['=', ';']).nth(1).unwrap();
    assert!(token.len() == 64 && !stored.contains(token) && !stored.contains(TECHNICAL.1), "{stored}");

    let browser = Browser::of(appliance.address(), &new);
    assert_eq!(browser.looks().await, 200);
    let (status, said) = browser.changes(None).await;
    assert_eq!((status, said.contains("X-CSRF-Token")), (403, true), "{said}");
    let stranger = signed_in(&appliance, OPERATOR).await;
    assert_eq!(browser.changes(Some(&stranger.token())).await.0, 403);
    assert_eq!(browser.changes(Some(&browser.token())).await, (200, String::new()));
    assert_eq!(stranger.changes(Some(&stranger.token())).await.0, 200);
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_sees_everything_and_changes_nothing() {
    let world = world(&[]).await;
    let appliance = world.serve().await;
    let browser = signed_in(&appliance, VIEWER).await;
    for path in ["settings", "operations", "logs.csv", "openapi.json"] {
        let answer = browser.ask("GET", &format!("/api/v1/{path}")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
    let (status, said) = browser.changes(Some(&browser.token())).await;
    assert_eq!((status, said.contains("vera may view everything but change nothing")), (403, true), "{said}");
    for (method, path) in [("POST", "batches"), ("POST", "operations/1/retry"), ("PATCH", "settings")] {
        let request = browser.ask(method, &format!("/api/v1/{path}")).header("x-csrf-token", browser.token());
        let answer = request.json(&json!({ "command": "cashout:transfer" })).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{method} {path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_that_is_nobodys_is_as_good_as_none() {
    let world = world(&["dashboard.apiToken: a-token-for-the-tests"]).await;
    let appliance = world.serve().await;
    let right = signed_in(&appliance, TECHNICAL).await;
    let token = right.cookie.split('=').nth(1).unwrap().to_owned();
    for cookie in [
        String::new(),
        format!("{COOKIE}="),
        format!("{COOKIE}={}", "0".repeat(64)),
        format!("{COOKIE}={}", right.session.key),
        format!("{COOKIE}={}", token.to_uppercase()),
        format!("{COOKIE}={token}0"),
        // Without TLS, a cookie of this name cannot have been set by us.
        format!("{SECURE_COOKIE}={token}"),
    ] {
        let browser = Browser { cookie: cookie.clone(), ..right.clone() };
        assert_eq!(browser.looks().await, 401, "{cookie}");
    }
    // A session does not make up for a wrong API token, and a right one needs no session.
    let wrong = right.ask("GET", "/api/v1/settings").bearer_auth("wrong").send().await.unwrap();
    assert_eq!((wrong.status().as_u16(), wrong.headers()["www-authenticate"].to_str().unwrap()), (401, "Bearer"));
    let url = format!("http://{}/api/v1/settings", appliance.address());
    let change = http().patch(url).bearer_auth("a-token-for-the-tests").json(&json!({}));
    assert_eq!(change.send().await.unwrap().status(), 200);
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_it_is_idle_and_when_it_is_old() {
    let world = world(&[]).await;
    let appliance = world.serve().await;
    let (idle, busy) = (signed_in(&appliance, TECHNICAL).await, signed_in(&appliance, TECHNICAL).await);
    world.clock.advance(SignedDuration::from_mins(29));
    assert_eq!(busy.looks().await, 200);
    world.clock.advance(SignedDuration::from_mins(1));
    assert_eq!((idle.looks().await, busy.looks().await), (401, 200));
    // Twelve hours after it began, even with constant use.
    for _ in 0..34 {
        world.clock.advance(SignedDuration::from_mins(20));
        assert_eq!(busy.looks().await, 200);
    }
    world.clock.advance(SignedDuration::from_mins(10));
    assert_eq!(busy.looks().await, 401);

    let sessions = || world.context.store.read(|reader| reader.total::<Session>()).unwrap();
    assert_eq!(sessions(), 2);
    world.clock.advance(SignedDuration::from_hours(1));
    cashout::jobs::retention(&world.context).await.unwrap();
    assert_eq!(sessions(), 0);
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn that_a_session_is_used_is_written_down_once_a_minute() {
    let world = world(&[]).await;
    let appliance = world.serve().await;
    let browser = signed_in(&appliance, TECHNICAL).await;
    let seen =
        || world.context.store.read(|reader| reader.get::<Session>(&browser.session.key)).unwrap().unwrap().seen_at;
    let begun = browser.session.created_at;
    world.clock.advance(SignedDuration::from_secs(59));
    assert_eq!((browser.looks().await, seen()), (200, begun));
    world.clock.advance(SignedDuration::from_secs(1));
    assert_eq!((browser.looks().await, seen()), (200, begun + SignedDuration::from_mins(1)));
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_and_waits_survive_a_restart_and_end_with_the_password() {
    let mut world = world(&[]).await;
    let appliance = world.serve().await;
    let (technical, viewer) = (signed_in(&appliance, TECHNICAL).await, signed_in(&appliance, VIEWER).await);
    for _ in 0..6 {
        let refused = try_sign_in(&appliance, ("nobody", "wrong"), "198.51.100.1").await.unwrap_err();
        assert!(matches!(refused, SignInRefused::Wrong | SignInRefused::Wait(_)), "{refused:?}");
    }
    appliance.stop().await.unwrap();

    world.restart().await;
    let appliance = world.serve().await;
    let (technical, viewer) = (technical.at(&appliance), viewer.at(&appliance));
    assert_eq!((technical.looks().await, viewer.looks().await), (200, 200));
    let elsewhere = try_sign_in(&appliance, ("nobody", "wrong"), "198.51.100.2").await.unwrap_err();
    assert_eq!(elsewhere, SignInRefused::Wrong);
    let waits = try_sign_in(&appliance, TECHNICAL, "198.51.100.1").await.unwrap_err();
    assert_eq!(waits, SignInRefused::Wait(SignedDuration::from_secs(1)));
    appliance.stop().await.unwrap();

    // Another role takes effect at once; another password ends the session.
    world.set(&users(&[(VIEWER.0, VIEWER.1, "operator"), (OPERATOR.0, OPERATOR.1, "operator")])).await;
    let appliance = world.serve().await;
    let viewer = viewer.at(&appliance);
    assert_eq!(viewer.changes(Some(&viewer.token())).await.0, 200);
    appliance.stop().await.unwrap();
    world.set(&users(&[(VIEWER.0, "another password", "viewer")])).await;
    let appliance = world.serve().await;
    assert_eq!((technical.at(&appliance).looks().await, viewer.at(&appliance).looks().await), (200, 401));
    appliance.stop().await.unwrap();
    world.set("hipay.wsPassword: another-password").await;
    let appliance = world.serve().await;
    assert_eq!(technical.at(&appliance).looks().await, 401);
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_this_session_and_everywhere_ends_all() {
    let world = world(&[]).await;
    let appliance = world.serve().await;
    let mut browsers = Vec::new();
    for _ in 0..3 {
        browsers.push(signed_in(&appliance, OPERATOR).await);
    }
    let other = signed_in(&appliance, TECHNICAL).await;
    let removed = sign_out(appliance.web(), &browsers[0].session, peer(SOMEWHERE)).await.unwrap();
    assert!(removed.starts_with(&format!("{COOKIE}=; Max-Age=0;")), "{removed}");
    assert_eq!((browsers[0].looks().await, browsers[1].looks().await), (401, 200));
    sign_out_everywhere(appliance.web(), &browsers[1].session, peer(SOMEWHERE)).await.unwrap();
    for browser in &browsers {
        assert_eq!(browser.looks().await, 401);
    }
    assert_eq!(other.looks().await, 200);
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_waits_longer_each_time_and_the_password_is_not_looked_at() {
    let world = world(&[]).await;
    let appliance = world.serve().await;
    let verified = || appliance.web().passwords.verified();
    for _ in 0..5 {
        let refused = try_sign_in(&appliance, (OPERATOR.0, "wrong"), GUESSER).await;
        assert_eq!(refused.unwrap_err(), SignInRefused::Wrong);
    }
    for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
        let before = verified();
        let wait = SignedDuration::from_secs(seconds);
        // Even with the right password, in other letter case, and for another account.
        for (login, password) in [("OTTO", OPERATOR.1), VIEWER] {
            let waits = try_sign_in(&appliance, (login, password), GUESSER).await;
            assert_eq!((waits.unwrap_err(), verified()), (SignInRefused::Wait(wait), before));
        }
        // Other addresses need not wait.
        let elsewhere = format!("192.0.2.{}", seconds % 200);
        try_sign_in(&appliance, OPERATOR, &elsewhere).await.unwrap();
        let before = verified();
        world.clock.advance(wait);
        let refused = try_sign_in(&appliance, (OPERATOR.0, "wrong"), GUESSER).await;
        assert_eq!((refused.unwrap_err(), verified()), (SignInRefused::Wrong, before + 1));
    }
    // A success clears the failures.
    world.clock.advance(SignedDuration::from_mins(15));
    try_sign_in(&appliance, OPERATOR, GUESSER).await.unwrap();
    let refused = try_sign_in(&appliance, (VIEWER.0, "wrong"), GUESSER).await;
    assert_eq!(refused.unwrap_err(), SignInRefused::Wrong);
    try_sign_in(&appliance, VIEWER, GUESSER).await.unwrap();

    // From one address, regardless of the account.
    for number in 0..5 {
        let name = format!("nobody{number}");
        let refused = try_sign_in(&appliance, (&name, "wrong"), SOMEWHERE).await;
        assert_eq!(refused.unwrap_err(), SignInRefused::Wrong);
    }
    let waits = try_sign_in(&appliance, TECHNICAL, SOMEWHERE).await.unwrap_err();
    assert_eq!(waits, SignInRefused::Wait(SignedDuration::from_secs(1)));

    // A day later no attempts are stored.
    let kept = || world.context.store.read(|reader| reader.total::<SignInAttempts>()).unwrap();
    assert!(kept() > 0);
    world.clock.advance(SignedDuration::from_hours(25));
    cashout::jobs::retention(&world.context).await.unwrap();
    assert_eq!(kept(), 0);
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_and_a_device_that_have_succeeded_never_wait() {
    let world = world(&[]).await;
    let appliance = world.serve().await;
    let first = try_sign_in(&appliance, OPERATOR, SOMEWHERE).await.unwrap();
    let mark = first.set_device_cookie.expose().split([';', '=']).nth(1).unwrap().to_owned();
    let device = Secret::new(mark);
    let from = async |login: &str, password: &str, address: &str, device: Option<&Secret>| {
        sign_in(appliance.web(), login, &Secret::new(password), peer(address), device).await
    };
    // Behind the shared address of a proxy, an attacker guesses and so blocks all users.
    for _ in 0..8 {
        let _ = from(OPERATOR.0, "wrong", GUESSER, None).await;
    }
    assert!(matches!(from(OPERATOR.0, OPERATOR.1, GUESSER, None).await, Err(SignInRefused::Wait(_))));
    assert!(from(OPERATOR.0, OPERATOR.1, GUESSER, Some(&device)).await.is_ok());
    // A device is known only for the account that was signed in to on it.
    for _ in 0..8 {
        let _ = from(VIEWER.0, "wrong", GUESSER, None).await;
    }
    assert!(matches!(from(VIEWER.0, VIEWER.1, GUESSER, Some(&device)).await, Err(SignInRefused::Wait(_))));
    assert!(matches!(
        from(VIEWER.0, VIEWER.1, GUESSER, Some(&Secret::new("0".repeat(64)))).await,
        Err(SignInRefused::Wait(_))
    ));
    // The same applies to an address, despite many failures from it.
    for _ in 0..8 {
        assert_eq!(from(OPERATOR.0, "wrong", SOMEWHERE, None).await.unwrap_err(), SignInRefused::Wrong);
    }
    assert!(from(OPERATOR.0, OPERATOR.1, SOMEWHERE, None).await.is_ok());
    // For a quarter of a year.
    world.clock.advance(SignedDuration::from_hours(91 * 24));
    for _ in 0..6 {
        let _ = from(OPERATOR.0, "wrong", SOMEWHERE, None).await;
    }
    assert!(matches!(from(OPERATOR.0, OPERATOR.1, SOMEWHERE, None).await, Err(SignInRefused::Wait(_))));
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_guesses_at_once_no_more_are_looked_at_than_one_after_the_other() {
    let world = world(&[]).await;
    let appliance = world.serve().await;
    let guesses = (0..40).map(|number| {
        let password = format!("guess {number}");
        let appliance = &appliance;
        async move { try_sign_in(appliance, (OPERATOR.0, &password), SOMEWHERE).await.unwrap_err() }
    });
    let refused = futures_util::future::join_all(guesses).await;
    let wrong = refused.iter().filter(|refused| **refused == SignInRefused::Wrong).count();
    assert_eq!((wrong, appliance.web().passwords.verified()), (5, 5), "{refused:?}");
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_name_costs_the_same_work_as_a_wrong_password() {
    let world = world(&[]).await;
    let appliance = world.serve().await;
    let from = (1..=20).map(|number| format!("198.51.100.{number}"));
    let tries = [
        ("nobody", "wrong", false),
        ("nobody", OPERATOR.1, false),
        // The placeholder hash of an unknown name accepts no password.
        ("nobody", VIEWER.1, false),
        (OPERATOR.0, "wrong", false),
        (OPERATOR.0, VIEWER.1, false),
        (TECHNICAL.0, "wrong", false),
        (TECHNICAL.0, VIEWER.1, false),
        ("", "", false),
        (TECHNICAL.0, TECHNICAL.1, true),
        (OPERATOR.0, OPERATOR.1, true),
        (" vera ", VIEWER.1, true),
    ];
    for ((login, password, is_right), from) in tries.into_iter().zip(from) {
        let before = appliance.web().passwords.verified();
        let outcome = try_sign_in(&appliance, (login, password), &from).await;
        assert_eq!(appliance.web().passwords.verified(), before + 1, "{login}");
        match outcome {
            Ok(_) => assert!(is_right, "{login} {password}"),
            Err(refused) => assert_eq!((refused, is_right), (SignInRefused::Wrong, false), "{login} {password}"),
        }
    }
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_anybody_would_try_is_warned_about() {
    let mut world = world(&[]).await;
    world.set(&users(&[("ann", "changeme", "viewer"), ("bob", "xkcd-936", "viewer")])).await;
    let appliance = world.serve().await;
    for (credentials, weakness) in [
        (("ann", "changeme"), Some(PasswordWeakness::WellKnown)),
        (("bob", "xkcd-936"), Some(PasswordWeakness::Short)),
        (TECHNICAL, None),
    ] {
        assert_eq!(try_sign_in(&appliance, credentials, SOMEWHERE).await.unwrap().weakness, weakness);
    }
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_https_nothing_is_taken_over_the_wire_in_the_clear() {
    let world = world(&["server.publicUrl: https://cashout.example", "server.trustedProxies: [127.0.0.1]"]).await;
    let appliance = world.serve().await;
    let refused = try_sign_in(&appliance, TECHNICAL, SOMEWHERE).await.unwrap_err();
    assert_eq!(refused, SignInRefused::InTheClear);
    assert!(refused.to_string().contains("server.trustedProxies"));
    assert_eq!(appliance.web().passwords.verified(), 0);
    // A repetition gets the same answer, and is not logged every time.
    for _ in 0..10 {
        let refused = try_sign_in(&appliance, TECHNICAL, SOMEWHERE).await.unwrap_err();
        assert_eq!(refused, SignInRefused::InTheClear);
    }
    let key = SignInAttempts::of_address(SOMEWHERE.parse().unwrap());
    let counted = world.context.store.read(|reader| reader.get::<SignInAttempts>(&key)).unwrap().unwrap();
    assert_eq!(counted.failures, 5);
    world.clock.advance(SignedDuration::from_secs(1));

    let secure = Peer { secure: true, ..peer(SOMEWHERE) };
    let new = sign_in(appliance.web(), TECHNICAL.0, &Secret::new(TECHNICAL.1), secure, None).await.unwrap();
    let cookie = new.set_cookie.expose();
    assert!(cookie.starts_with("__Host-cashout_session=") && cookie.ends_with("; Path=/; Secure"), "{cookie}");
    // The same session through the proxy: by HTTPS, and by an unencrypted connection.
    let browser = Browser::of(appliance.address(), &new);
    for (headers, status) in [
        (&[("x-forwarded-for", SOMEWHERE), ("x-forwarded-proto", "https")][..], 200),
        (&[("x-forwarded-for", SOMEWHERE), ("x-forwarded-proto", "http")], 401),
        (&[("x-forwarded-for", SOMEWHERE)], 401),
        // From this machine itself.
        (&[], 200),
    ] {
        let mut request = browser.ask("GET", "/api/v1/settings");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        assert_eq!(request.send().await.unwrap().status(), status, "{headers:?}");
    }
    // An attacker on the network cannot plant a session by the other name.
    let planted = Browser { cookie: browser.cookie.replace(SECURE_COOKIE, COOKIE), ..browser };
    let request = planted.ask("GET", "/api/v1/settings").header("x-forwarded-for", SOMEWHERE);
    assert_eq!(request.header("x-forwarded-proto", "https").send().await.unwrap().status(), 401);
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_came_from_where_is_logged_and_no_password_is() {
    let world = world(&[]).await;
    let appliance = world.serve().await;
    let options = Options {
        stream: Stream::Error,
        style: Style::Text { colours: false },
        level: cashout::config::LogLevel::Emergency,
        foreign_level: cashout::config::LogLevel::Emergency,
        hand_over: false,
    };
    let logs = Logs::new(options, world.clock.clone());
    logs.store_in(&world.context.store).unwrap();
    let long = format!("eve\r\nNOTICE: otto signed in{}", "e".repeat(1_000));
    async {
        let new = try_sign_in(&appliance, OPERATOR, SOMEWHERE).await.unwrap();
        try_sign_in(&appliance, (&long, "a wrong password"), "198.51.100.1").await.unwrap_err();
        sign_out(appliance.web(), &new.session, peer(SOMEWHERE)).await.unwrap();
    }
    .with_subscriber(logs.subscriber())
    .await;
    tokio::task::spawn_blocking(move || logs.release_store()).await.unwrap();
    let lines = world.context.store.read(|reader| reader.page(&Query::<LogLine, _>::all())).unwrap().items;
    let lines: Vec<(u16, &str, &str)> =
        lines.iter().map(|line| (line.level, line.action.as_str(), line.message.as_str())).collect();
    let cut = format!("'eveNOTICE: otto signed in{}' was refused from 198.51.100.1", "e".repeat(75));
    assert_eq!(
        lines,
        [
            (250, "sign-in", "otto signed in from 203.0.113.9"),
            (300, "sign-in", cut.as_str()),
            (250, "sign-out", "otto signed out from 203.0.113.9"),
        ]
    );
    appliance.stop().await.unwrap();
}
