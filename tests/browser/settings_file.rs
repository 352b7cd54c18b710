//! Settings that cannot be changed from the page, and its explanation of them. The service is the
//! binary as a separate process, as when installed.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command as Process, Stdio};

use cashout::sandbox::SandboxOptions;

use crate::browser::Window;
use crate::users::signed_in;
use crate::world::World;

/// The user that represents the service: "nobody" on every system.
const SERVICE: u32 = 65_534;

/// A running `cashout serve`, killed at the end of the test.
struct Service {
    process: Child,
    origin: String,
    // Kept open: otherwise the process would fail when it writes its next line.
    _told: BufReader<std::process::ChildStderr>,
}

impl Service {
    fn start(mut process: Process) -> Self {
        let mut process = process.stderr(Stdio::piped()).spawn().unwrap();
        let mut told = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        told.read_line(&mut line).unwrap();
        let address = line.trim().rsplit(' ').next().unwrap();
        assert!(line.starts_with("cashout "), "{line}");
        Self { origin: format!("http://{address}"), process, _told: told }
    }

    fn window(&self) -> Window {
        Window::on(&self.origin)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn world() -> World {
    let settings = ["server.listen: 127.0.0.1:0", "email.logger.alert.level: 400"];
    let world = World::unscheduled(SandboxOptions::default(), &settings).await;
    world.release_store().await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_of_the_environment_is_shown_with_its_source_and_cannot_be_changed() {
    let world = world().await;
    let mut serve = world.cashout(&["serve"]);
    serve.env("CASHOUT_GITHUB_TOKEN", "ghp_a1b2c3d4e5f6g7h8");
    let service = Service::start(serve);
    let browser = signed_in(service.window(), "/dashboard/settings").await;
    browser.sees("Github token set read-only here: it comes from environment variable CASHOUT_GITHUB_TOKEN").await;
    assert_eq!(browser.count("#token").await, 0, "there is nothing to fill in");
    assert!(!browser.download("/dashboard/settings").await.text().contains("ghp_a1b2"), "the token is on the page");
    browser.is_accessible().await;
    browser.screenshot("settings-environment").await;
    // A value from the file can be changed as usual.
    browser.choose("Minimal log level alert", "ALERT").await;
    browser.click("Save").await;
    browser.sees("The settings were saved to the file and are in use.").await;
    let file = std::fs::read_to_string(world.data().with_file_name("parameters.yml")).unwrap();
    assert!(file.contains("email.logger.alert.level: 550") && !file.contains("ghp_a1b2"), "{file}");
    browser.done().await;
    drop(service);

    // If nothing can be changed there is no form at all, also in French.
    let mut serve = world.cashout(&["serve"]);
    serve.env("CASHOUT_GITHUB_TOKEN", "ghp_a1b2c3d4e5f6g7h8").env("CASHOUT_EMAIL_LOGGER_ALERT_LEVEL", "500");
    let service = Service::start(serve);
    let browser = signed_in(service.window(), "/dashboard/settings").await;
    browser.sees("CRITICAL read-only here: it comes from environment variable CASHOUT_EMAIL_LOGGER_ALERT_LEVEL").await;
    assert_eq!(browser.count("#settings-form").await, 0);
    browser.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_written_is_told_with_the_mend_and_stays_as_it_was() {
    let world = world().await;
    // The configuration is in a folder that the service may only read. Root may write everywhere, so
    // the whole service is started as another user.
    let installed = tempfile::tempdir().unwrap();
    let path = |name: &str| installed.path().join(name);
    std::fs::copy(env!("CARGO_BIN_EXE_cashout"), path("cashout")).unwrap();
    for folder in ["etc", "data"] {
        std::fs::create_dir(path(folder)).unwrap();
    }
    std::fs::copy(world.configuration(), path("etc/parameters.yml")).unwrap();
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        for name in ["data", "etc/parameters.yml"] {
            chown(path(name), Some(SERVICE), Some(SERVICE)).unwrap();
        }
    }
    for (name, mode) in
        [("", 0o755), ("cashout", 0o755), ("etc/parameters.yml", 0o600), ("data", 0o700), ("etc", 0o555)]
    {
        std::fs::set_permissions(path(name), PermissionsExt::from_mode(mode)).unwrap();
    }
    let file = path("etc/parameters.yml");
    let before = std::fs::read_to_string(&file).unwrap();
    let mut serve = Process::new(path("cashout"));
    serve.env_clear().arg("serve").arg("--config").arg(&file).arg("--data").arg(path("data"));
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        serve.gid(SERVICE).uid(SERVICE);
    }
    let service = Service::start(serve);

    for (language, save, told, mend) in [
        ("en", "Save", "Nothing was changed.", "let this user write to the folder"),
        ("fr", "Enregistrer", "Rien n’a été modifié.", "donnez à cet utilisateur le droit d’écrire dans le dossier"),
    ] {
        let browser = signed_in(service.window().language(language), "/dashboard/settings").await;
        let level = if language == "en" { "Minimal log level alert" } else { "Niveau minimal d’alerte" };
        browser.choose(level, "ALERT").await;
        browser.expect_finding("answered 503");
        browser.allow_finding("Failed to load resource");
        browser.click(save).await;
        browser.sees(told).await;
        browser.sees(&file.display().to_string()).await;
        browser.sees(if language == "en" { "Permission denied" } else { "droit refusé" }).await;
        browser.sees(mend).await;
        assert_eq!(browser.value(level).await, "ALERT", "the form keeps the choice for another try");
        browser.is_accessible().await;
        browser.screenshot(&format!("settings-not-written-{language}")).await;
        browser.done().await;
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    assert_eq!(std::fs::read_dir(path("etc")).unwrap().count(), 1, "nothing is left beside it");
    drop(service);
    // So that it can be removed.
    std::fs::set_permissions(path("etc"), PermissionsExt::from_mode(0o755)).unwrap();
}
