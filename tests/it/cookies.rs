//! The session cookie, over real TLS and in the clear.

use cashout::domain::session::Session;
use cashout::store::{Query, View};
use cashout::web::{COOKIE, SECURE_COOKIE};
use jiff::SignedDuration;

use crate::signing_in::world;
use crate::world::http;

/// The sandbox's web service credentials.
const TECHNICAL: (&str, &str) = ("sandbox-login", "sandbox-password");
const SOMEWHERE: &str = "203.0.113.9";

/// Makes a client that trusts only this certificate and follows no redirect.
fn by_https(certificate: &[u8]) -> reqwest::Client {
    drop(http());
    let certificate = reqwest::Certificate::from_der(certificate).unwrap();
    let redirect = reqwest::redirect::Policy::none();
    reqwest::Client::builder().no_proxy().redirect(redirect).tls_certs_only([certificate]).build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn over_real_tls_the_cookie_is_for_that_alone_and_in_the_clear_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    std::fs::write(&chain, issued.cert.pem()).unwrap();
    std::fs::write(&key, issued.signing_key.serialize_pem()).unwrap();
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let base = format!("https://localhost:{}", address.port());
    let files = [
        format!("server.tls.certificate: {}", chain.display()),
        format!("server.tls.key: {}", key.display()),
        format!("server.publicUrl: {base}"),
    ];
    let world = world(&files.each_ref().map(String::as_str)).await;
    let appliance = world.serve_on(listener).await;
    let client = by_https(issued.cert.der());
    let form = [("_username", TECHNICAL.0), ("_password", TECHNICAL.1)];
    let answer = client.post(format!("{base}/dashboard/login")).form(&form).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["location"]), (303, &"/dashboard".parse().unwrap()));
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert!(pair.starts_with(&format!("{SECURE_COOKIE}=")) && SECURE_COOKIE.starts_with("__Host-"), "{cookie}");
    assert_eq!(attributes, "HttpOnly; SameSite=Lax; Path=/; Secure");
    let looks = |cookie: String| client.get(format!("{base}/dashboard")).header("cookie", cookie).send();
    assert_eq!(looks(pair.to_owned()).await.unwrap().status(), 200);
    // Under the name that is not restricted to TLS, the cookie could have been set by an attacker, so
    // it is not accepted.
    assert_eq!(looks(pair.replace(SECURE_COOKIE, COOKIE)).await.unwrap().status(), 303);
    // Signing out removes the same cookie.
    let token = world.context.store.read(|reader| Ok(reader.page(&Query::<Session, _>::all())?.items)).unwrap();
    let token = token.first().unwrap().csrf_token([7; 16]);
    let leaving = client.post(format!("{base}/dashboard/logout")).header("cookie", pair).form(&[("_csrf", token)]);
    let answer = leaving.send().await.unwrap();
    let removed = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(
        removed.starts_with(&format!("{SECURE_COOKIE}=; Max-Age=0; ")) && removed.ends_with("; Secure"),
        "{removed}"
    );
    assert_eq!(looks(pair.to_owned()).await.unwrap().status(), 303);
    // The same port does not answer in the clear.
    let plain = http().post(format!("http://{address}/dashboard/login")).form(&form).send().await;
    assert!(plain.is_err(), "{plain:?}");
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_address_in_the_clear_takes_no_password_and_gives_no_cookie() {
    let settings = ["server.publicUrl: https://cashout.example", "server.trustedProxies: [127.0.0.1]"];
    let world = world(&settings).await;
    let appliance = world.serve().await;
    let url = format!("http://{}/dashboard/login", appliance.address());
    let sign_in = |headers: &'static [(&'static str, &'static str)]| {
        let form = [("_username", TECHNICAL.0), ("_password", TECHNICAL.1)];
        let asked = http().post(&url).form(&form).header("x-forwarded-for", SOMEWHERE);
        headers.iter().fold(asked, |asked, (name, value)| asked.header(*name, *value)).send()
    };
    for headers in [&[][..], &[("x-forwarded-proto", "http")]] {
        let answer = sign_in(headers).await.unwrap();
        assert!(answer.headers().get("set-cookie").is_none(), "{headers:?}");
        assert_eq!(answer.status(), 403, "{headers:?}");
        let page = answer.text().await.unwrap();
        assert!(page.contains("https") && !page.contains(TECHNICAL.1), "{page}");
    }
    world.clock.advance(SignedDuration::from_secs(60));
    let answer = sign_in(&[("x-forwarded-proto", "https")]).await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with(&format!("{SECURE_COOKIE}=")) && cookie.ends_with("; Secure"), "{cookie}");
    appliance.stop().await.unwrap();
}
