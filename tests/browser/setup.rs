//! The first run: only the binary, a code in its log, and a page that asks for the settings.

use std::fs;
use std::process::Command;
use std::time::Duration;

use cashout::sandbox::SandboxOptions;

use crate::browser::{Browser, Window};
use crate::running::Running;
use crate::world::World;

/// Includes a check of Mirakl and HiPay, and the start of a service.
const PATIENCE: Duration = Duration::from_secs(30);

/// An installation without settings.
struct Installation {
    world: World,
    folder: tempfile::TempDir,
}

impl Installation {
    async fn new() -> Self {
        let world = World::unscheduled(SandboxOptions::default(), &[]).await;
        world.release_store().await;
        Self { world, folder: tempfile::tempdir().unwrap() }
    }

    /// Starts the service; returns it with the address of its page and the code that opens it.
    async fn serve(&self) -> (Running, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cashout"));
        command.env_clear().env("CASHOUT_SERVER_LISTEN", "127.0.0.1:0").arg("serve");
        command.arg("--config").arg(self.folder.path().join("etc/parameters.yml"));
        command.arg("--data").arg(self.folder.path().join("data"));
        let mut running = Running::start(command);
        let line = running.says("the code that opens ").await;
        let origin = line.split("http://").nth(1).unwrap().split("/setup").next().unwrap();
        let code = line.rsplit(' ').next().unwrap().to_owned();
        (running, format!("http://{origin}"), code)
    }

    /// Fills in the required settings, as HiPay and Mirakl issue them.
    async fn fill_in(&self, browser: &Browser, password: &str) {
        let known = self.world.sandbox.credentials();
        browser.fill("Mirakl’s address", &known.mirakl_url).await;
        browser.fill("Operator’s API key (optional)", known.operator_key.expose()).await;
        browser.fill("HiPay’s address", &known.hipay_url).await;
        browser.fill("Web service login", &known.ws_login).await;
        browser.fill("Web service password", password).await;
        browser.fill("Entity", &known.entity).await;
        browser.fill("Merchant group", &known.merchant_group).await;
        browser.fill("Technical account: e-mail", &known.technical_email).await;
        browser.fill("Technical account: HiPay ID", &known.technical_id.to_string()).await;
        browser.fill("Operator’s account: e-mail", &known.operator_email).await;
        browser.fill("Operator’s account: HiPay ID", &known.operator_id.to_string()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_nothing_to_the_dashboard_in_one_page() {
    let here = Installation::new().await;
    let (running, origin, code) = here.serve().await;
    let browser = Window::on(&origin).patience(PATIENCE).start().await;
    browser.open("/").await;
    browser.sees("Set up cashout").await;
    browser.is_accessible().await;
    browser.screenshot("setup-code").await;
    browser.expect_finding("401");
    browser.fill("Code from the log", "WRONG-CODE").await;
    browser.click("Continue").await;
    browser.sees("This is not the code").await;
    browser.fill("Code from the log", &code).await;
    browser.click("Continue").await;
    browser.sees("checks your entries with Mirakl and HiPay").await;
    browser.is_accessible().await;
    browser.fits_the_window().await;

    // A wrong password is detected before anything is written.
    browser.expect_finding("422");
    here.fill_in(&browser, "not the password").await;
    browser.click("Check and start").await;
    browser.sees("Result of the check").await;
    browser.sees("Nothing has been written yet").await;
    browser.is_accessible().await;
    browser.screenshot("setup-findings").await;
    assert!(!here.folder.path().join("etc").exists());
    // Entered values are still shown; secrets were kept, and are not in the page.
    let password = browser.attribute("input[name='hipay.wsPassword']", "value").await;
    assert_eq!(password.as_deref(), Some(""));
    browser.fill("Web service password", here.world.sandbox.credentials().ws_password.expose()).await;
    browser.click("Check and start").await;

    // The page continues to the service automatically.
    browser.allow_finding("/readyz");
    browser.is_at("/dashboard/login").await;
    let known = here.world.sandbox.credentials();
    browser.fill("HiPay web service login", &known.ws_login).await;
    browser.fill("Password", known.ws_password.expose()).await;
    browser.click("Sign in").await;
    browser.sees("Overview").await;
    browser.done().await;

    let text = fs::read_to_string(here.folder.path().join("etc/parameters.yml")).unwrap();
    assert!(text.contains("# Required. Address of your Mirakl instance"), "{text}");
    running.signal("TERM");
    running.end().await.ends(0).hides(known.ws_password.expose()).hides(known.operator_key.expose());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_set_up_in_french_on_a_narrow_dark_screen_without_javascript() {
    let here = Installation::new().await;
    let (running, origin, code) = here.serve().await;
    let window = Window::on(&origin).patience(PATIENCE).width(390).language("fr").dark().without_javascript();
    let browser = window.start().await;
    browser.open("/setup").await;
    browser.fill("Code du journal", &code).await;
    browser.click("Continuer").await;
    browser.sees("Mise en route de cashout").await;
    browser.fits_the_window().await;
    browser.screenshot("setup-french-dark-390").await;
    browser.done().await;
    running.signal("TERM");
    running.end().await.ends(0);
    assert!(!here.folder.path().join("etc").exists());
}
