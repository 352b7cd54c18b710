//! A release in a folder as an installer creates it, in its own world, and a witness that observes
//! its replacement by another release.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use cashout::platform::release::TARGET;
use cashout::sandbox::{Release, ReleaseAsset, SandboxOptions};
use cashout::update::asset_name;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::notices::Notice;
use crate::release_builds::{disguised, package};
use crate::running::{Running, Told, told};
use crate::world::{World, http};

/// Version of the release that is installed first.
pub(crate) const OLD: &str = "1.0.0";
/// Version of the release that replaces it.
pub(crate) const NEW: &str = "1.1.0";
/// Shop that notifications are about.
pub(crate) const SHOP: u64 = 2001;

/// The sandbox's technical account, which may receive any number of notifications; a seller's may not.
pub(crate) const TECHNICAL: u64 = 400_001;
/// Token of the API.
pub(crate) const API_TOKEN: &str = "a-token-of-some-length";

const GITHUB_TOKEN: &str = "github.token: ghp_sandboxGitHubToken0123456789";

/// An installation of the old release.
pub(crate) struct Installation {
    pub(crate) world: World,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) client: reqwest::Client,
    /// Arguments of `serve`.
    pub(crate) serving: Vec<String>,
    /// The guard's folder.
    guard: PathBuf,
    /// Configuration file to use instead of the world's.
    pub(crate) configuration: Option<PathBuf>,
}

impl Installation {
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// Makes an installation whose configuration has these additional lines.
    pub(crate) async fn with(settings: &[&str]) -> Self {
        let token = format!("dashboard.apiToken: {API_TOKEN}");
        let own = ["server.listen: 127.0.0.1:0", &token, "update.repository: marketplace/cashout", GITHUB_TOKEN];
        let all: Vec<&str> = own.into_iter().chain(settings.iter().copied()).collect();
        let mut world = World::unscheduled(SandboxOptions::default(), &all).await;
        if !settings.iter().any(|line| line.starts_with("update.apiUrl")) {
            let api = format!("update.apiUrl: {}", world.sandbox.github_url());
            world.set(&api).await;
        }
        world.seller(SHOP);
        world.vendors().await;
        world.release_store().await;
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        let serving = ["--trial-seconds", "2"].map(str::to_owned).to_vec();
        let guard = world.data().join("guard");
        let installation = Self { world, folder, client: http(), serving, guard, configuration: None };
        installation.put(&disguised(OLD, None));
        installation
    }

    /// Makes the guard keep its files in a separate folder, and returns the folder.
    pub(crate) fn guard_apart(&mut self) -> PathBuf {
        self.guard = self.folder.path().join("guard");
        fs::create_dir(&self.guard).unwrap();
        self.serving.extend(["--guard-state".to_owned(), self.guard.display().to_string()]);
        self.guard.clone()
    }

    /// Puts this binary in place.
    pub(crate) fn put(&self, binary: &[u8]) {
        fs::write(self.program(), binary).unwrap();
        fs::set_permissions(self.program(), fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn program(&self) -> PathBuf {
        self.folder.path().join("bin/cashout")
    }

    /// Returns the path of one of the guard's files.
    pub(crate) fn of_guard(&self, name: &str) -> PathBuf {
        self.guard.join(name)
    }

    /// Returns the attempts so far, the oldest first.
    pub(crate) fn history(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.of_guard("history")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Returns the outcome of each attempt.
    pub(crate) fn outcomes(&self) -> Vec<String> {
        self.history().iter().map(|past| past["outcome"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program());
        command.env_clear().args(arguments);
        let configuration = self.configuration.clone().unwrap_or_else(|| self.world.configuration());
        command.arg("--config").arg(configuration).arg("--data").arg(self.world.data());
        command
    }

    pub(crate) async fn told(&self, arguments: &[&str]) -> Told {
        told(self.command(arguments)).await
    }

    pub(crate) async fn serve(&self) -> Service {
        self.served_by(self.service()).await
    }

    /// Starts the service with this command and waits until it answers.
    pub(crate) async fn served_by(&self, command: Command) -> Service {
        let mut running = Running::start(command);
        let line = running.says("answers on").await;
        Service { running, address: line.trim().rsplit(' ').next().unwrap().parse().unwrap() }
    }

    /// Returns the command that [`Installation::serve`] runs.
    pub(crate) fn service(&self) -> Command {
        let mut arguments = vec!["serve"];
        arguments.extend(self.serving.iter().map(String::as_str));
        self.command(&arguments)
    }

    /// Returns the version that answers.
    pub(crate) async fn version(&self, service: &Service) -> String {
        version(&self.client, service.address).await.unwrap()
    }

    /// Waits until no attempt is in progress.
    pub(crate) async fn is_over(&self) {
        let journal = self.of_guard("journal");
        crate::notices::until("the attempt is over", || !journal.exists()).await;
    }

    /// Waits until the attempt in progress has reached this step.
    pub(crate) async fn comes_to(&self, step: &str) {
        let (journal, step) = (self.of_guard("journal"), format!("\"step\": \"{step}\""));
        crate::notices::until("the attempt comes to the step", || {
            fs::read_to_string(&journal).is_ok_and(|text| text.contains(&step))
        })
        .await;
    }

    /// Passes a package to the running service, as the command line does.
    pub(crate) async fn install(&self, version: &str, package: &File) -> Told {
        told(self.installing(version, package)).await
    }

    pub(crate) fn installing(&self, version: &str, package: &File) -> Command {
        let path = self.kept(version, package).display().to_string();
        self.command(&["app:update", "--package", &path])
    }

    /// Makes GitHub offer a release of the build, with this fault.
    pub(crate) fn publish(&self, version: &str, fault: Option<&str>) {
        let (mut package, mut bytes) = (signed(version, fault), Vec::new());
        package.rewind().unwrap();
        package.read_to_end(&mut bytes).unwrap();
        let file = ReleaseAsset::new(&asset_name(&version.parse().unwrap(), TARGET), bytes);
        let release = Release::new(version, "2026-11-08T10:00:00Z".parse().unwrap()).asset(file);
        let release = release.notes("### Security\n\n- A hole is closed.\n");
        self.world.sandbox.github(|github| github.publish(release));
    }

    /// Writes a package to a file with its proper name.
    pub(crate) fn kept(&self, version: &str, package: &File) -> PathBuf {
        let path = self.folder.path().join(asset_name(&version.parse().unwrap(), TARGET));
        let mut from = package.try_clone().unwrap();
        from.rewind().unwrap();
        std::io::copy(&mut from, &mut File::create(&path).unwrap()).unwrap();
        path
    }

    /// Checks that the old release is in place, intact, and that an attempt left nothing over.
    pub(crate) fn is_unchanged(&self) {
        assert!(fs::read(self.program()).unwrap() == disguised(OLD, None), "another binary is in place");
        self.is_tidy();
    }

    /// Checks that an attempt left nothing over.
    pub(crate) fn is_tidy(&self) {
        let left = [
            self.folder.path().join("bin/.stage"),
            self.of_guard("journal"),
            self.of_guard("reserve"),
            self.world.data().join("reserve"),
        ];
        assert_eq!(left.iter().find(|path| path.exists()), None, "something is left");
    }

    /// Opens the store again in this process.
    pub(crate) async fn look_inside(&mut self) {
        self.world.restart().await;
    }

    /// Returns the subjects of the notifications in the store, duplicates included.
    pub(crate) fn notifications(&self) -> Vec<String> {
        self.world.notifications().into_iter().map(|one| one.subject).collect()
    }
}

/// Makes a package of the build as this release with this fault, correctly signed.
pub(crate) fn signed(version: &str, fault: Option<&str>) -> File {
    package(&disguised(version, fault), &asset_name(&version.parse().unwrap(), TARGET), "test.key")
}

/// A running service.
pub(crate) struct Service {
    pub(crate) running: Running,
    pub(crate) address: SocketAddr,
}

impl Service {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Stops the service in an orderly way.
    pub(crate) async fn stop(self) -> Told {
        self.running.signal("TERM");
        let told = self.running.end().await;
        told.ends(0);
        told
    }
}

async fn version(client: &reqwest::Client, address: SocketAddr) -> Option<String> {
    let health: Value = client.get(format!("http://{address}/healthz")).send().await.ok()?.json().await.ok()?;
    Some(health.get("version")?.as_str()?.to_owned())
}

/// A sender of notifications that posts fifty per second and records which release answers.
pub(crate) struct Witness {
    over: CancellationToken,
    task: JoinHandle<Seen>,
}

/// Observations of a [`Witness`].
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The notifications that were acknowledged.
    pub(crate) acknowledged: BTreeSet<String>,
    /// Number of acknowledged notifications by release.
    pub(crate) by: BTreeMap<String, u32>,
    /// The longest time between two acknowledgements.
    pub(crate) longest: Duration,
}

impl Witness {
    pub(crate) fn of(service: &Service) -> Self {
        let over = CancellationToken::new();
        let (until, address) = (over.clone(), service.address);
        let task = tokio::spawn(async move {
            let client = reqwest::Client::builder().pool_max_idle_per_host(0).no_proxy().build().unwrap();
            let (mut seen, mut last) = (Seen::default(), Instant::now());
            let mut every = tokio::time::interval(Duration::from_millis(20));
            every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            for number in 0.. {
                every.tick().await;
                let (id, before) = (format!("m{number}"), version(&client, address).await);
                let notice = Notice::new("other_transaction", "ok", TECHNICAL).of(&id, "1.00");
                let sent = client.post(format!("http://{address}/")).form(&[("xml", notice.xml())]).send().await;
                if sent.is_ok_and(|answer| answer.status() == 204) {
                    seen.longest = seen.longest.max(last.elapsed());
                    last = Instant::now();
                    seen.acknowledged.insert(id);
                    let after = version(&client, address).await;
                    if let Some(by) = after.filter(|after| before.as_ref() == Some(after)) {
                        *seen.by.entry(by).or_default() += 1;
                    }
                }
                if until.is_cancelled() {
                    break;
                }
            }
            seen
        });
        Self { over, task }
    }

    pub(crate) async fn ends(self) -> Seen {
        self.over.cancel();
        self.task.await.unwrap()
    }
}

/// A mount for a test; requires root.
pub(crate) struct Mounted {
    on: PathBuf,
}

impl Mounted {
    /// Mounts a small file system over `folder`, keeping its content.
    pub(crate) fn small_disk(folder: &Path, mebibytes: u32) -> Option<Self> {
        let aside = tempfile::tempdir().unwrap();
        let copy = |from: &Path, to: &Path| {
            let copied = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status().unwrap();
            assert!(copied.success());
        };
        copy(folder, aside.path());
        let mounted = Self::mount(&["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"], folder)?;
        copy(aside.path(), folder);
        Some(mounted)
    }

    /// Mounts `file` on itself, as a container gets it from its host.
    pub(crate) fn by_itself(file: &Path) -> Option<Self> {
        Self::mount(&["--bind", &file.display().to_string()], file)
    }

    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    fn mount(what: &[&str], on: &Path) -> Option<Self> {
        if Command::new("mount").args(what).arg(on).output().is_ok_and(|output| output.status.success()) {
            return Some(Self { on: on.to_owned() });
        }
        eprintln!("SKIPPED: this user may not mount a file system");
        None
    }

    /// Makes the mount read-only.
    pub(crate) fn read_only(&self) {
        assert!(Command::new("mount").args(["-o", "remount,ro"]).arg(&self.on).status().unwrap().success());
    }

    /// Fills the file system up to this number of free bytes; returns the file that does.
    pub(crate) fn filled_but(&self, bytes: u64) -> PathBuf {
        let disk = rustix::fs::statvfs(&self.on).unwrap();
        let filler = self.on.join("filler");
        let file = File::create(&filler).unwrap();
        let length = (disk.f_bavail * disk.f_frsize).saturating_sub(bytes);
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, length).unwrap();
        filler
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A process may still use it.
        let _ = Command::new("umount").arg("-l").arg(&self.on).status();
    }
}
