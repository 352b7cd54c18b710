//! The first run over HTTP: access to the setup page, and the file that it writes.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use cashout::sandbox::SandboxOptions;
use reqwest::header::{COOKIE, HOST, LOCATION, SET_COOKIE};
use reqwest::{Client, RequestBuilder, Response};

use crate::running::{Running, told};
use crate::world::{World, http};

/// The user "nobody" on every system.
const SERVICE: u32 = 65_534;
const TOKEN: &str = "a token of the API";

/// A binary without settings, in its own folder.
struct Installation {
    world: World,
    folder: tempfile::TempDir,
}

/// Its first run, with the code that opens the page.
struct FirstRun {
    running: Running,
    page: String,
    code: String,
}

impl Installation {
    async fn new() -> Self {
        let world = World::unscheduled(SandboxOptions::default(), &[]).await;
        world.release_store().await;
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        mode(folder.path(), 0o755);
        let this = Self { world, folder };
        std::fs::copy(env!("CARGO_BIN_EXE_cashout"), this.path("cashout")).unwrap();
        mode(&this.path("cashout"), 0o755);
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.path("cashout"));
        command.env_clear().env("CASHOUT_SERVER_LISTEN", "127.0.0.1:0").env("CASHOUT_DASHBOARD_APITOKEN", TOKEN);
        command.args(arguments).arg("--config").arg(self.path("etc/parameters.yml"));
        command.arg("--data").arg(self.path("data"));
        command
    }

    async fn serve(&self, arguments: &[&str]) -> FirstRun {
        let mut running = Running::start(self.command(&[&["serve"], arguments].concat()));
        let line = running.says("the code that opens ").await;
        let page = line.split("opens ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
        FirstRun { running, page, code: line.rsplit(' ').next().unwrap().to_owned() }
    }

    /// Returns the settings for the sandbox's Mirakl and HiPay.
    fn settings(&self) -> Vec<(&'static str, String)> {
        let known = self.world.sandbox.credentials();
        vec![
            ("mirakl.baseUrl", known.mirakl_url.clone()),
            ("mirakl.operatorKey", known.operator_key.expose().to_owned()),
            ("hipay.baseRestUrl", known.hipay_url.clone()),
            ("hipay.wsLogin", known.ws_login.clone()),
            ("hipay.wsPassword", known.ws_password.expose().to_owned()),
            ("hipay.entity", known.entity.clone()),
            ("hipay.merchantGroupId", known.merchant_group.clone()),
            ("account.technical.email", known.technical_email.clone()),
            ("account.technical.hipayId", known.technical_id.to_string()),
            ("account.operator.email", known.operator_email.clone()),
            ("account.operator.hipayId", known.operator_id.to_string()),
            ("hipay.timezone", "Europe/Paris".to_owned()),
        ]
    }
}

impl FirstRun {
    /// Enters the code and returns the cookie.
    async fn enter(&self, client: &Client) -> String {
        let entered = client.post(format!("{}/code", self.page)).form(&[("code", &self.code)]).send().await.unwrap();
        assert_eq!(entered.status(), 303);
        let cookie = entered.headers()[SET_COOKIE].to_str().unwrap();
        assert!(cookie.contains("HttpOnly; SameSite=Strict; Path=/setup"), "{cookie}");
        cookie.split(';').next().unwrap().to_owned()
    }

    async fn page(&self, client: &Client, cookie: &str) -> String {
        client.get(&self.page).header(COOKIE, cookie).send().await.unwrap().text().await.unwrap()
    }

    async fn save(&self, client: &Client, cookie: &str, csrf: &str, settings: &[(&str, String)]) -> Response {
        self.saving(client, cookie, csrf, settings).send().await.unwrap()
    }

    fn saving(&self, client: &Client, cookie: &str, csrf: &str, settings: &[(&str, String)]) -> RequestBuilder {
        let mut fields = vec![("_csrf", csrf.to_owned())];
        fields.extend(settings.iter().cloned());
        client.post(&self.page).header(COOKIE, cookie).form(&fields)
    }
}

/// Returns the token in a page's form.
fn csrf(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"_csrf\" value=\"").unwrap_or_else(|| panic!("no form: {page}"));
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_has_the_code_and_sits_at_the_machine_gets_near() {
    let here = Installation::new().await;
    let first = here.serve(&[]).await;
    let (client, origin) = (http(), first.page.trim_end_matches("/setup").to_owned());
    // As a foreign page whose name was rebound to this machine, or through a proxy.
    for (name, value) in [(HOST, "evil.example"), (HOST, "localhost.evil.example:80")] {
        let refused = client.get(&first.page).header(name, value).send().await.unwrap();
        assert_eq!(refused.status(), 403, "{value}");
    }
    let through = client.get(&first.page).header("x-forwarded-for", "203.0.113.9").send().await.unwrap();
    assert_eq!(through.status(), 403);
    // Everything else redirects there, and HiPay's notifications are answered with a time to retry.
    let moved = client.get(format!("{origin}/dashboard/vendors")).send().await.unwrap();
    assert_eq!((moved.status().as_u16(), moved.headers()[LOCATION].to_str().unwrap()), (303, "/setup"));
    for path in ["/notifications/wallet", "/notifications/enterprise", "/"] {
        let told = client.post(format!("{origin}{path}")).body("xml=1").send().await.unwrap();
        assert_eq!((told.status().as_u16(), told.headers()["retry-after"].to_str().unwrap()), (503, "60"), "{path}");
    }
    assert_eq!(client.get(format!("{origin}/healthz")).send().await.unwrap().status(), 200);
    assert_eq!(client.get(format!("{origin}/readyz")).send().await.unwrap().status(), 503);
    // Without the code nothing is accepted; with it, nothing from a foreign page.
    let nobody = first.save(&client, "cashout_setup=0", "0", &here.settings()).await;
    assert_eq!((nobody.status().as_u16(), nobody.headers()[LOCATION].to_str().unwrap()), (303, "/setup"));
    let cookie = first.enter(&client).await;
    assert_eq!(first.save(&client, &cookie, "forged", &here.settings()).await.status(), 403);
    let token = csrf(&first.page(&client, &cookie).await);
    let forged = client.post(&first.page).header(COOKIE, &cookie).header("sec-fetch-site", "cross-site");
    assert_eq!(forged.form(&[("_csrf", token)]).send().await.unwrap().status(), 403);
    // The code is valid only once.
    let again = client.post(format!("{}/code", first.page)).form(&[("code", &first.code)]).send().await.unwrap();
    assert_eq!(again.status(), 401);
    assert!(!here.path("etc").exists() && !here.path("data/store.redb").exists());
    first.running.signal("TERM");
    first.running.end().await.ends(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_stands_beside_its_setting_and_secrets_do_not_come_back() {
    let here = Installation::new().await;
    let first = here.serve(&[]).await;
    let client = http();
    let cookie = first.enter(&client).await;
    let token = csrf(&first.page(&client, &cookie).await);
    let mut settings = here.settings();
    settings.retain(|(key, _)| *key != "hipay.entity");
    for (key, value) in &mut settings {
        match *key {
            "mirakl.baseUrl" => "ftp://marketplace.example.com".clone_into(value),
            "hipay.timezone" => "Europe/Nowhere".clone_into(value),
            "hipay.wsPassword" => "canary-password".clone_into(value),
            _ => {}
        }
    }
    settings.push(("mirakl.bearerToken", "canary-token".to_owned()));
    let refused = first.save(&client, &cookie, &token, &settings).await;
    assert_eq!(refused.status(), 422);
    let page = refused.text().await.unwrap();
    for words in
        ["mirakl.baseUrl-problem", "hipay.timezone-problem", "This field is required.", "only one way to sign in"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(page.contains("Europe/Nowhere") && !page.contains("canary"), "{page}");
    // The token is removed and the rest corrected: values that were kept need not be entered again.
    let mut settings = here.settings();
    settings.push(("mirakl.bearerToken", String::new()));
    settings.push(("forget mirakl.bearerToken", "true".to_owned()));
    let done = first.save(&client, &cookie, &token, &settings).await;
    let status = done.status();
    assert_eq!(status, 200, "{}", done.text().await.unwrap());
    let mut running = first.running;
    running.says("answers on").await;
    running.signal("TERM");
    running.end().await.ends(0).hides("canary");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_check_has_found_is_told_in_the_readers_language() {
    let here = Installation::new().await;
    let first = here.serve(&[]).await;
    let client = http();
    let cookie = first.enter(&client).await;
    let token = csrf(&first.page(&client, &cookie).await);
    let mut settings = here.settings();
    for (key, value) in &mut settings {
        match *key {
            "account.technical.hipayId" => "4242".clone_into(value),
            "account.operator.hipayId" => "4343".clone_into(value),
            _ => {}
        }
    }
    for (language, found) in [
        ("en", ["technical account", "account.technical.hipayId says 4242: correct it", "operator account"]),
        ("fr", ["compte technique", "account.technical.hipayId indique 4242", "compte opérateur"]),
    ] {
        let asked = first.saving(&client, &cookie, &token, &settings).header("accept-language", language);
        let refused = asked.send().await.unwrap();
        assert_eq!(refused.status(), 422);
        let page = refused.text().await.unwrap();
        for words in found {
            assert!(page.contains(words), "{words}: {page}");
        }
    }
    assert!(!here.path("etc").exists());
    first.running.signal("TERM");
    first.running.end().await.ends(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_root_the_guard_writes_the_file_for_a_worker_that_may_not() {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return;
    }
    let here = Installation::new().await;
    std::fs::create_dir(here.path("data")).unwrap();
    std::fs::set_permissions(here.path("data"), PermissionsExt::from_mode(0o700)).unwrap();
    chown(here.path("data"), Some(SERVICE), Some(SERVICE)).unwrap();
    let state = here.path("state").display().to_string();
    let first = here.serve(&["--guard-state", &state]).await;
    let owner = |process: String| std::fs::metadata(format!("/proc/{process}")).unwrap().uid();
    assert_eq!((owner(first.running.id()), owner(first.running.worker())), (0, SERVICE));
    let client = http();
    let cookie = first.enter(&client).await;
    let token = csrf(&first.page(&client, &cookie).await);
    let done = first.save(&client, &cookie, &token, &here.settings()).await;
    let status = done.status();
    assert_eq!(status, 200, "{}", done.text().await.unwrap());
    let file = std::fs::metadata(here.path("etc/parameters.yml")).unwrap();
    assert_eq!((file.uid(), file.gid(), file.mode() & 0o777), (0, SERVICE, 0o640));
    let folder = std::fs::metadata(here.path("etc")).unwrap();
    assert_eq!((folder.uid(), folder.gid(), folder.mode() & 0o777), (0, SERVICE, 0o750));
    let mut running = first.running;
    let answers = running.says("answers on").await;
    let origin = format!("http://{}", answers.trim().rsplit(' ').next().unwrap());
    // The same applies to every later change of a setting.
    let change = client.patch(format!("{origin}/api/v1/settings")).bearer_auth(TOKEN);
    let changed = change.json(&serde_json::json!({ "email.logger.alert.level": "500" })).send().await.unwrap();
    let status = changed.status();
    assert_eq!(status, 200, "{}", changed.text().await.unwrap());
    let text = std::fs::read_to_string(here.path("etc/parameters.yml")).unwrap();
    assert!(text.contains("email.logger.alert.level: 500"), "{text}");
    assert_eq!(std::fs::metadata(here.path("etc/parameters.yml")).unwrap().mode() & 0o777, 0o640);
    running.signal("TERM");
    running.end().await.ends(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_its_settings_is_not_set_up_anew() {
    let here = Installation::new().await;
    std::fs::create_dir(here.path("data")).unwrap();
    std::fs::write(here.path("data/store.redb"), "").unwrap();
    told(here.command(&["serve"])).await.ends(2).says("there is no such file").says("--config");
}
