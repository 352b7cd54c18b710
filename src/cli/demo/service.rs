//! The service of the demo: a guard with its worker as on any machine, in the demo's folder, so that an update
//! can be tried. The demo sends it the time. The releases that it is offered are this very program under later
//! versions, signed with a key that exists only during the demo.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use semver::Version;
use serde_json::json;
use tokio::sync::oneshot;
use zipsign_api::SigningKey;
use zipsign_api::sign::copy_and_sign_tar;

use super::{Folder, manners};
use crate::admin::wiring::Wiring;
use crate::cli::{Exit, Failed, Global};
use crate::platform::clock::Clock;
use crate::platform::random;
use crate::platform::release;
use crate::platform::testing::VERSION_OVERRIDE;
use crate::sandbox::{Release, ReleaseAsset, Sandbox};
use crate::serve::STOP_TIMEOUT;
use crate::update::asset_name;

/// Duration of a new release's trial, in seconds; short, since a minute is too long for a demo.
const TRIAL_SECONDS: &str = "5";
/// Interval between updates of the service's time.
const REPORT_INTERVAL: Duration = Duration::from_millis(100);
/// Maximum size of the program, in bytes; a larger one is a development build, of which no package is made.
const MAX_SIZE: u64 = 100 * 1024 * 1024;
/// Number of last lines to keep, for the message if the service ends by itself.
const MAX_LINES_KEPT: usize = 5;

/// File with the service's time and its acceleration, in the demo's folder.
const TIME_FILE: &str = "time";
/// File with the key that the service trusts, in the demo's folder.
const KEY_FILE: &str = "key.pub";
/// Binary of the service, in the demo's folder.
const PROGRAM_FILE: &str = "bin/cashout";

/// Returns the wiring that gives a demo's service the demo's time and limits.
pub(in crate::cli) fn wiring(folder: &Path) -> Wiring {
    let (now, speed) = read_time(folder).unwrap_or((Timestamp::UNIX_EPOCH, 1));
    let clock = Clock::fast(speed);
    clock.set(now);
    Wiring { clock, manners: manners(), ..Wiring::default() }
}

/// Sets the clock to the demo's time, for ever.
pub(in crate::cli) async fn follow(clock: Clock, folder: PathBuf) {
    loop {
        // While the file is being written it cannot be read; the next attempt succeeds.
        if let Some((now, _)) = read_time(&folder) {
            clock.set(now);
        }
        tokio::time::sleep(REPORT_INTERVAL).await;
    }
}

fn read_time(folder: &Path) -> Option<(Timestamp, u32)> {
    let told = fs::read_to_string(folder.join(TIME_FILE)).ok()?;
    let (now, speed) = told.trim_end_matches('.').split_once(' ')?;
    // The full stop marks a complete content.
    told.ends_with('.').then_some(())?;
    Some((now.parse().ok()?, speed.parse().ok()?))
}

/// Sends the time to the service, for ever.
pub(super) async fn write_time(clock: &Clock, folder: &Path) -> Result<(), Failed> {
    loop {
        fs::write(folder.join(TIME_FILE), format!("{} {}.", clock.now(), clock.speed().unwrap_or(1)))?;
        tokio::time::sleep(REPORT_INTERVAL).await;
    }
}

/// Prepares the guard of a demo before anything else: it ends with the demo, and trusts the demo's key. Only a
/// program in the demo's own folder may do this.
pub(in crate::cli) fn prepare_guard(folder: &Path) -> Result<(), Failed> {
    let program = std::env::current_exe()?;
    if !program.starts_with(folder) {
        return Err(Failed::new(Exit::Usage, "--demo is for the service that a demo starts"));
    }
    set_parent_process_death_signal(Some(Signal::TERM)).map_err(io::Error::from)?;
    if let Ok(key) = fs::read(folder.join(KEY_FILE))
        && let Ok(key) = <[u8; 32]>::try_from(key)
    {
        release::use_demo_key(key);
    }
    Ok(())
}

/// Copies this program to the service's path, and makes GitHub offer it under later versions.
pub(super) fn prepare(folder: &Path, sandbox: &Sandbox, at: Timestamp) -> Result<(), Failed> {
    let failed = |error: io::Error| Failed::new(Exit::Machine, format!("the demo's releases cannot be made: {error}"));
    let program = fs::read("/proc/self/exe")?;
    fs::create_dir(folder.join("bin"))?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(folder.join(PROGRAM_FILE))?;
    io::copy(&mut program.as_slice(), &mut file)?;
    if u64::try_from(program.len()).unwrap_or(u64::MAX) > MAX_SIZE {
        return Ok(());
    }
    let key = SigningKey::from_bytes(&random::bytes().map_err(|error| failed(io::Error::other(error)))?);
    fs::write(folder.join(KEY_FILE), key.verifying_key().as_bytes())?;
    for (version, notes) in later_versions() {
        let name = asset_name(&version, release::TARGET);
        let package = package(&program, &version, &name, &key).map_err(failed)?;
        let release = Release::new(&version.to_string(), at).notes(notes).asset(ReleaseAsset::new(&name, package));
        sandbox.github(|github| github.publish(release));
    }
    Ok(())
}

/// Returns the versions to offer: a patch and a new minor version.
fn later_versions() -> [(Version, &'static str); 2] {
    let now = crate::update::running();
    let patch = Version::new(now.major, now.minor, now.patch.saturating_add(1));
    let next = Version::new(now.major, now.minor.saturating_add(1), 0);
    [
        (
            patch,
            "## A patch\n\n### Security\n\nThis release exists in the demo alone: it is the program that you are running, under another \
             version and signed with the demo's own key. Press **Update** to see how a real one is installed.",
        ),
        (
            next,
            "## A new version\n\nThe same again, as a new version. While it is installed, batches wait, notifications \
             are accepted, and no request is refused:\n\n- the package is checked\n- the store is copied\n- the \
             new release is tried\n- if it does not answer, this one is restored",
        ),
    ]
}

/// Packs and signs the program as this version, in the same way as a release.
fn package(program: &[u8], version: &Version, name: &str, key: &SigningKey) -> io::Result<Vec<u8>> {
    let line = format!("{VERSION_OVERRIDE}{}\n", json!({ "version": version }));
    let size = program.len().saturating_add(line.len());
    let mut plain = Cursor::new(Vec::new());
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(&mut plain, flate2::Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_size(u64::try_from(size).map_err(io::Error::other)?);
    header.set_mode(0o755);
    archive.append_data(&mut header, "cashout", program.chain(line.as_bytes()))?;
    archive.into_inner()?.finish()?;
    plain.rewind()?;
    let mut signed = Cursor::new(Vec::new());
    copy_and_sign_tar(&mut plain, &mut signed, std::slice::from_ref(key), Some(name.as_bytes()))
        .map_err(io::Error::other)?;
    Ok(signed.into_inner())
}

/// Returns the configuration lines for updates from the sandbox's GitHub, and the service's address.
pub(super) fn settings(sandbox: &Sandbox, address: SocketAddr) -> String {
    let (repository, token) = sandbox.github(|github| (github.repository.clone(), github.token.expose().to_owned()));
    let api = sandbox.github_url();
    format!(
        "    server.listen: {address}\n    update.apiUrl: {api}\n    update.repository: {repository}\n    github.token: {token}\n"
    )
}

/// The running service.
pub(super) struct DemoService {
    child: Child,
    /// Receiver of the last lines, once the service has ended.
    ended: oneshot::Receiver<String>,
}

impl DemoService {
    /// Starts the service, and waits until it answers. Must be called on the demo's first thread: the service
    /// ends with that.
    pub(super) async fn start(global: &Global, folder: &Folder) -> Result<Self, Failed> {
        let mut command = Command::new(folder.path().join(PROGRAM_FILE));
        command.args(["serve", "--trial-seconds", TRIAL_SECONDS, "--demo"]).arg(folder.path());
        command.arg("--config").arg(folder.file()).arg("--data").arg(folder.data());
        command.args(std::iter::repeat_n("-v", usize::from(global.verbose)));
        // A terminal's Ctrl-C is for the demo, which passes it on.
        command.process_group(0).stdin(Stdio::null()).stderr(Stdio::piped());
        command.stdout(if global.verbose > 0 { Stdio::inherit() } else { Stdio::null() });
        let mut child = command.spawn()?;
        let (answers, answering) = oneshot::channel();
        let (ends, ended) = oneshot::channel();
        let said = child.stderr.take();
        std::thread::spawn(move || {
            let (mut answers, mut last) = (Some(answers), VecDeque::new());
            for line in said.into_iter().flat_map(|said| BufReader::new(said).lines()).map_while(Result::ok) {
                if line.contains(" answers on ")
                    && let Some(answers) = answers.take()
                {
                    let _ = answers.send(());
                }
                last.push_back(line);
                if last.len() > MAX_LINES_KEPT {
                    last.pop_front();
                }
            }
            let _ = ends.send(Vec::from(last).join("\n"));
        });
        let mut service = Self { child, ended };
        match answering.await {
            Ok(()) => Ok(service),
            Err(_) => Err(service.wait_for_end().await),
        }
    }

    /// Waits until the service ends by itself, which it is not meant to do.
    pub(super) async fn wait_for_end(&mut self) -> Failed {
        let last = (&mut self.ended).await.unwrap_or_default();
        Failed::new(Exit::Machine, format!("the demo's service ended unexpectedly:\n{last}"))
    }

    /// Stops the service in an orderly way; returns false if that takes too long.
    pub(super) async fn stop(mut self) -> bool {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let stopped = tokio::time::timeout(STOP_TIMEOUT, &mut self.ended).await.is_ok();
        if !stopped {
            let _ = self.child.kill();
        }
        let _ = tokio::task::spawn_blocking(move || self.child.wait()).await;
        stopped
    }
}
