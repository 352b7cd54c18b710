//! The update from the browser: the real button, real processes, and the sandbox's GitHub.

use std::fs;
use std::io::{Read, Seek};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use cashout::platform::release::TARGET;
use cashout::sandbox::{Release, ReleaseAsset, SandboxOptions};
use cashout::update::asset_name;

use crate::browser::{Browser, Window};
use crate::release_builds::{disguised, package};
use crate::running::Running;
use crate::settings::{VIEWER, with_a_viewer};
use crate::users::{TECHNICAL, signed_in, signed_in_as};
use crate::world::World;

const SETTINGS: &str = "/dashboard/settings";
/// Time limit of an update: a debug build is large and slow to verify.
const PATIENCE: Duration = Duration::from_secs(50);
const NOTES: &str = "## What is new\n\n- **pays** sellers on time\n- [more](https://example.com/notes)\n\n<script>alert(1)</script>\n\n### Security\n";

/// Release 1.0.0 in a folder as an installer creates it, in its own world.
struct Installation {
    world: World,
    folder: tempfile::TempDir,
}

/// Its running service.
struct Service {
    _running: Running,
    origin: String,
}

impl Service {
    fn window(&self) -> Window {
        Window::on(&self.origin).patience(PATIENCE)
    }
}

impl Installation {
    async fn new(settings: &[&str]) -> Self {
        let mut all = vec!["server.listen: 127.0.0.1:0", "update.repository: marketplace/cashout"];
        all.extend(settings);
        let mut world = World::unscheduled(SandboxOptions::default(), &all).await;
        let api = format!("update.apiUrl: {}", world.sandbox.github_url());
        world.set(&api).await;
        world.release_store().await;
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        let installation = Self { world, folder };
        fs::write(installation.program(), disguised("1.0.0", None)).unwrap();
        fs::set_permissions(installation.program(), fs::Permissions::from_mode(0o755)).unwrap();
        installation
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("bin/cashout")
    }

    /// Makes GitHub offer a signed release.
    fn publish(&self, version: &str, fault: Option<&str>) {
        let name = asset_name(&version.parse().unwrap(), TARGET);
        let mut package = package(&disguised(version, fault), &name, "test.key");
        let mut bytes = Vec::new();
        package.rewind().unwrap();
        package.read_to_end(&mut bytes).unwrap();
        let release = Release::new(version, "2026-11-08T10:00:00Z".parse().unwrap()).notes(NOTES);
        self.world.sandbox.github(|github| github.publish(release.asset(ReleaseAsset::new(&name, bytes))));
    }

    async fn serve(&self) -> Service {
        let mut command = Command::new(self.program());
        command.env_clear().args(["serve", "--trial-seconds", "2"]);
        command.arg("--config").arg(self.world.configuration()).arg("--data").arg(self.world.data());
        let mut running = Running::start(command);
        let line = running.says("answers on").await;
        let address = line.trim().rsplit(' ').next().unwrap();
        Service { origin: format!("http://{address}"), _running: running }
    }
}

const TOKEN: &str = "github.token: ghp_sandboxGitHubToken0123456789";

/// Allows the browser's messages about a stream whose server was replaced.
pub(crate) fn knows_of_the_exchange(browser: &Browser) {
    for words in ["/dashboard/update/events", "net::ERR_", "Failed to load resource"] {
        browser.allow_finding(words);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_button_leads_to_the_steps_and_they_to_the_new_version() {
    let installation = Installation::new(&[TOKEN]).await;
    installation.publish("1.0.1", None);
    installation.publish("1.1.0", None);
    let service = installation.serve().await;
    let browser = signed_in(service.window(), SETTINGS).await;
    knows_of_the_exchange(&browser);
    browser.click("Check now").await;
    browser.sees("security patch 1.0.1").await;
    browser.sees("new version 1.1.0").await;
    browser.sees("pays sellers on time").await;
    browser.sees("<script>alert(1)</script>").await;
    browser.is_accessible().await;
    browser.screenshot("update-offered").await;
    browser.click("Update to 1.1.0").await;
    browser.sees("These are the steps of an update, as they happen.").await;
    browser.is_at("/dashboard/update").await;
    browser.sees("The new version is on its trial run.").await;
    browser.screenshot("update-trial").await;
    browser.sees("The update is done: version 1.1.0 is running.").await;
    browser.sees("cashout 1.1.0").await;
    assert_eq!(browser.attribute("#update-story", "data-version").await.as_deref(), Some("1.1.0"));
    browser.is_accessible().await;
    browser.screenshot("update-done").await;
    // A refresh does no harm.
    browser.reload().await;
    browser.sees("The update is done: version 1.1.0 is running.").await;
    browser.click("Settings").await;
    browser.sees("Version 1.1.0 is running.").await;
    let rows = browser.table("table_updates").await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0][1..5], ["1.0.0", "1.1.0", TECHNICAL.0, "done"], "{rows:?}");
    browser.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_release_is_told_with_its_reason_and_not_offered_again() {
    let installation = Installation::new(&[TOKEN]).await;
    installation.publish("1.1.0", Some("exits at once"));
    let service = installation.serve().await;
    let browser = signed_in(service.window(), SETTINGS).await;
    knows_of_the_exchange(&browser);
    browser.click("Check now").await;
    browser.click("Update to 1.1.0").await;
    browser.sees("Version 1.1.0 failed its trial run: version 1.0.0 is running again.").await;
    browser.sees("The worker ended with code 7.").await;
    browser.sees("cashout 1.0.0").await;
    browser.is_accessible().await;
    browser.screenshot("update-rolled-back").await;
    for dark in [false, true] {
        let window = service.window().width(390);
        let small = signed_in(if dark { window.dark() } else { window }, "/dashboard/update").await;
        for (path, name) in [("/dashboard/update", "update-rolled-back"), (SETTINGS, "update-history")] {
            small.open(path).await;
            small.is_accessible().await;
            small.fits_the_window().await;
            small.screenshot(name).await;
        }
        small.done().await;
    }
    browser.open(SETTINGS).await;
    browser.sees("This release was tried and rolled back before: wait for the next one.").await;
    assert_eq!(browser.count("form[action='/dashboard/update']").await, 0, "it is not offered again");
    let rows = browser.table("table_updates").await;
    assert_eq!((rows.len(), rows[0][4].as_str()), (1, "rolled back"), "{rows:?}");
    browser.screenshot("update-history").await;
    browser.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_it_is_said_where_one_is_entered() {
    let installation = Installation::new(&[]).await;
    let service = installation.serve().await;
    for (language, said, how) in [
        ("en", "No GitHub token is set", "How a GitHub token is created"),
        ("fr", "Aucun jeton GitHub n’est renseigné", "Comment créer un jeton GitHub"),
    ] {
        let browser = signed_in(service.window().language(language), SETTINGS).await;
        browser.sees(said).await;
        browser.sees(how).await;
        assert_eq!(browser.count("form[action='/dashboard/update']").await, 0);
        browser.is_accessible().await;
        browser.screenshot(&format!("update-no-token-{language}")).await;
        browser.done().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_sees_all_of_it_and_no_button() {
    let users = with_a_viewer();
    let installation = Installation::new(&[TOKEN, &users]).await;
    installation.publish("1.1.0", None);
    let service = installation.serve().await;
    let operator = signed_in(service.window(), SETTINGS).await;
    operator.click("Check now").await;
    operator.sees("new version 1.1.0").await;
    operator.done().await;
    let browser = signed_in_as(service.window(), VIEWER, SETTINGS).await;
    browser.sees("new version 1.1.0").await;
    browser.sees("An operator may update the application.").await;
    assert_eq!(browser.count("form[action^='/dashboard/update']").await, 0);
    browser.done().await;
}
