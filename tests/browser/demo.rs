//! The demo's update: anyone can press the button.

use std::process::Command;
use std::time::Duration;

use crate::browser::Window;
use crate::disguise::disguised;
use crate::told::Running;
use crate::updating::knows_of_the_exchange;

/// A marketplace lives through some weeks first, in a build that is not made to be fast.
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_of_the_demo_is_installed_by_its_button() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("cashout");
    std::fs::write(&program, disguised("1.0.0", None)).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = Command::new(program);
    command.env_clear().env("TMPDIR", folder.path());
    command.args(["demo", "--listen", "127.0.0.1:0", "--shops", "5", "--latency-ms", "0"]);
    let mut demo = Running::start(command);
    let last = |line: String| line.rsplit(' ').next().unwrap().to_owned();
    let dashboard = last(demo.says("Dashboard ").await);
    let (login, password) = (last(demo.says("Login ").await), last(demo.says("Password ").await));

    let window = Window::on(dashboard.strip_suffix("/dashboard").unwrap()).patience(PATIENCE);
    let browser = window.start().await;
    knows_of_the_exchange(&browser);
    browser.open("/dashboard/settings").await;
    browser.fill("HiPay web service login", &login).await;
    browser.fill("Password", &password).await;
    browser.click("Sign in").await;
    browser.click("Look now").await;
    browser.sees("security patch 1.0.1").await;
    browser.screenshot("demo-update").await;
    browser.click("Update to 1.1.0").await;
    browser.sees("The update is done: version 1.1.0 runs.").await;
    browser.sees("time runs 1,440 times as fast").await;
    browser.done().await;

    demo.signal("TERM");
    demo.end().await.ends(0).says("each reference once, every balance to the cent");
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "nothing of it is kept but the program itself");
}
