//! A worker under an attacker's control: whatever it sends to its guard, and wherever it places a
//! link, the guard continues, and nothing that root runs is changed. With a real guard of root, and a
//! worker of another user, which is a program of our own (`hostile_worker.py`).

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use cashout::platform::release::TARGET;
use cashout::update::asset_name;
use serde_json::Value;

use crate::installation::{Installation, OLD, Service, signed};
use crate::notices::until;
use crate::release_builds::disguised;

/// The user that represents the service: "nobody" on every system.
const SERVICE: u32 = 65_534;

/// An installation whose guard runs as root and whose worker does not.
struct TakenOver {
    installation: Installation,
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn is_root() -> bool {
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if !root {
        eprintln!("SKIPPED: only root has a guard and a worker of two users");
    }
    root
}

fn give_away(path: &Path) {
    let given = Command::new("chown").arg("-R").arg(format!("{SERVICE}:{SERVICE}")).arg(path).status().unwrap();
    assert!(given.success());
}

impl TakenOver {
    async fn new() -> Self {
        let mut installation = Installation::new().await;
        installation.guard_apart();
        give_away(&installation.world.data());
        let world = installation.world.data().parent().unwrap().to_owned();
        fs::set_permissions(world, PermissionsExt::from_mode(0o755)).unwrap();
        let folder = installation.folder.path().join("etc");
        fs::create_dir(&folder).unwrap();
        let settings = folder.join("parameters.yml");
        // A fixed port: one that the system chooses is lost with its socket.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let text = fs::read_to_string(installation.world.configuration()).unwrap();
        fs::write(&settings, text.replace("127.0.0.1:0", &free.to_string())).unwrap();
        chown(&settings, Some(0), Some(SERVICE)).unwrap();
        fs::set_permissions(&settings, PermissionsExt::from_mode(0o640)).unwrap();
        installation.configuration = Some(settings);
        Self { installation }
    }

    async fn serve(&self) -> Service {
        let service = self.installation.serve().await;
        let worker = fs::metadata(format!("/proc/{}", service.running.worker())).unwrap();
        assert_eq!((worker.uid(), worker.gid()), (SERVICE, SERVICE));
        service
    }

    fn deeds(&self) -> PathBuf {
        self.installation.world.data().join("deeds")
    }

    /// Replaces the active binary with a program, as an installer would: running processes keep theirs.
    fn put(&self, program: &[u8]) {
        let new = self.installation.folder.path().join("bin/new");
        let mut file = fs::File::create(&new).unwrap();
        file.write_all(program).unwrap();
        file.set_permissions(PermissionsExt::from_mode(0o755)).unwrap();
        drop(file);
        fs::rename(new, self.installation.program()).unwrap();
    }

    /// Replaces the next worker by a hostile one with these orders, and returns the line that it
    /// left. The worker after it is ours again.
    async fn is_taken_over(&self, service: &mut Service, orders: &str) -> String {
        let _ = fs::remove_file(self.deeds());
        fs::write(self.installation.folder.path().join("bin/orders"), orders).unwrap();
        self.put(include_bytes!("hostile_worker.py"));
        service.running.signal_worker("KILL");
        service.running.says("it is started again").await;
        until("the deed is done", || fs::read_to_string(self.deeds()).is_ok_and(|text| text.ends_with('\n'))).await;
        self.put(&disguised(OLD, None));
        fs::read_to_string(self.deeds()).unwrap().lines().next().unwrap().to_owned()
    }

    /// Checks that the service answers again, with its original guard.
    async fn goes_on(&self, service: &mut Service) {
        service.running.says("it is started again").await;
        service.running.says("answers on").await;
        assert_eq!(self.installation.version(service).await, OLD);
    }

    /// Checks that nothing that root runs has changed.
    fn is_unchanged(&self) {
        self.installation.is_unchanged();
        let names = |folder: &Path| -> Vec<String> {
            let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
            let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&self.installation.folder.path().join("bin")), ["cashout", "orders"]);
    }
}

/// Starts an installation; returns `None` if this test is not run by root.
async fn served() -> Option<(TakenOver, Service)> {
    if !is_root() {
        return None;
    }
    let here = TakenOver::new().await;
    let service = here.serve().await;
    Some((here, service))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_worker_says_ends_its_guard() {
    let Some((here, mut service)) = served().await else { return };
    for seed in ["1", "2"] {
        here.is_taken_over(&mut service, &format!("says_anything {seed}")).await;
        here.goes_on(&mut service).await;
        here.is_unchanged();
    }
    let lines = here.installation.history();
    assert!(!lines.is_empty() && lines.iter().all(|past| past["outcome"] == "refused"), "{lines:?}");
    let told = service.stop().await;
    // One line each, whatever text they contained.
    told.hides("\u{1b}").says("no update to ");
    assert!(told.err.lines().all(|line| !line.starts_with("cashout: all is well")), "{told:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_talks_without_end_is_killed() {
    let Some((here, mut service)) = served().await else { return };
    here.is_taken_over(&mut service, "says_without_end").await;
    service.running.says("sends too many messages").await;
    here.goes_on(&mut service).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_a_worker_has_closed_is_open_for_the_next_one() {
    let Some((here, mut service)) = served().await else { return };
    here.is_taken_over(&mut service, "closes_the_socket").await;
    here.goes_on(&mut service).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_hands_over_keeps_no_guard_waiting() {
    let Some((here, mut service)) = served().await else { return };
    here.is_taken_over(&mut service, "lingers").await;
    here.goes_on(&mut service).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_has_started_ends_before_the_next_one_begins() {
    let Some((here, mut service)) = served().await else { return };
    let child = here.is_taken_over(&mut service, "leaves_a_child").await;
    here.goes_on(&mut service).await;
    assert!(!Path::new("/proc").join(child).exists());
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_never_stops_is_killed_at_the_third_wish() {
    let Some((here, mut service)) = served().await else { return };
    here.is_taken_over(&mut service, "never_stops").await;
    for _ in 0..3 {
        service.running.signal("TERM");
    }
    service.running.is_gone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_is_no_configuration_replaces_no_settings() {
    let Some((here, mut service)) = served().await else { return };
    let path = here.installation.configuration.clone().unwrap();
    let before = fs::read(&path).unwrap();
    let deed = here.is_taken_over(&mut service, "rubbish_for_settings").await;
    let told: Vec<Value> = serde_json::from_str(&deed).unwrap();
    assert_eq!(told.len(), 11, "{deed}");
    assert!(deed.contains("only these settings can be changed"), "{deed}");
    assert!(told.iter().all(|one| one["refused"].is_string()), "{deed}");
    assert!(fs::read(&path).unwrap() == before);
    here.goes_on(&mut service).await;
    // A valid change is written: by root, readable for the service.
    let changed = here.installation.client.patch(service.url("/api/v1/settings"));
    let changed = changed
        .bearer_auth(crate::installation::API_TOKEN)
        .json(&serde_json::json!({ "email.logger.alert.level": "500" }));
    assert_eq!(changed.send().await.unwrap().status(), 200);
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o7777), (0, SERVICE, 0o640));
    assert!(fs::read_to_string(&path).unwrap().contains("email.logger.alert.level: 500"));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_in_a_folder_of_the_workers_leads_root_nowhere() {
    if !is_root() {
        return;
    }
    let mut here = TakenOver::new().await;
    let folder = here.installation.world.data().join("etc");
    fs::create_dir(&folder).unwrap();
    let settings = folder.join("parameters.yml");
    fs::copy(here.installation.configuration.as_ref().unwrap(), &settings).unwrap();
    give_away(&folder);
    here.installation.configuration = Some(settings.clone());

    // The worker may write to its own folder, with no more rights than it has.
    let mut service = here.serve().await;
    let changed = here.installation.client.patch(service.url("/api/v1/settings"));
    let changed = changed
        .bearer_auth(crate::installation::API_TOKEN)
        .json(&serde_json::json!({ "email.logger.alert.level": "500" }));
    assert_eq!(changed.send().await.unwrap().status(), 200);
    assert!(fs::read_to_string(&settings).unwrap().contains("email.logger.alert.level: 500"));

    let deed = here.is_taken_over(&mut service, "bends_the_settings").await;
    assert!(deed.contains("the guard does not write this settings file"), "{deed}");
    here.is_unchanged();
    here.goes_on(&mut service).await;
    service.stop().await;

    // It does not at its next start either, and nothing delays it.
    let kept = folder.join("kept");
    fs::rename(&settings, &kept).unwrap();
    symlink("/etc/shadow", &settings).unwrap();
    let told = here.installation.told(&["serve"]).await;
    told.ends(2).says("leads through the link parameters.yml").hides("root:");
    fs::remove_file(&settings).unwrap();
    assert!(Command::new("mkfifo").arg(&settings).status().unwrap().success());
    here.installation.told(&["serve"]).await.ends(2);
    fs::remove_file(&settings).unwrap();
    fs::rename(&kept, &settings).unwrap();
    here.serve().await.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_root_insists_on_an_older_release() {
    if !is_root() {
        return;
    }
    let here = TakenOver::new().await;
    let installation = &here.installation;
    let name = asset_name(&"0.9.0".parse().unwrap(), TARGET);
    let package = installation.kept("0.9.0", &signed("0.9.0", None));
    fs::copy(&package, installation.folder.path().join("bin").join(&name)).unwrap();
    let mut service = here.serve().await;

    // The worker alone requests it.
    let deed = here.is_taken_over(&mut service, &format!("insists {name} 0.9.0")).await;
    let known: Value = serde_json::from_str(&deed).unwrap();
    let reasons: Vec<&str> =
        known["known"]["past"].as_array().unwrap().iter().filter_map(|past| past["reason"]["kind"].as_str()).collect();
    assert_eq!(reasons, ["return_of_root", "insisting_of_root"]);
    here.goes_on(&mut service).await;

    // The service's own user requests it.
    let path = package.display().to_string();
    let state = installation.of_guard("").display().to_string();
    let insisting = ["app:update", "--package", &path, "--insist", "--guard-state", &state];
    let mut as_service = Command::new("setpriv");
    as_service.args([&format!("--reuid={SERVICE}"), &format!("--regid={SERVICE}"), "--clear-groups"]);
    as_service.arg(installation.program()).args(&insisting[..4]).arg("--config");
    as_service.arg(installation.configuration.as_ref().unwrap()).arg("--data").arg(installation.world.data());
    crate::running::told(as_service).await.ends(1).says("run app:update --insist as root");
    assert_eq!(installation.version(&service).await, OLD);

    // Root requests it, with the very same release.
    let told = installation.told(&insisting).await;
    told.ends(0).says("updated from 1.0.0 to 0.9.0");
    assert_eq!(installation.version(&service).await, "0.9.0");
    let back = ["app:update", "--rollback", "--guard-state", &state];
    installation.told(&back).await.ends(0).says("updated from 0.9.0 to 1.0.0");
    service.stop().await;
}
