//! The service of the demo: as on any machine a guard with its worker, in the demo's folder, so that its
//! update can be tried. Time is told to it by the demo, and the releases that it is offered are this very
//! program under later versions, signed with a key that lives as long as the demo.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Cursor, Seek};
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
use crate::platform::release::{self, DISGUISE};
use crate::sandbox::{Release, ReleaseAsset, Sandbox};
use crate::serve::STOP_WITHIN;
use crate::update::asset_name;

/// How long a new release has to answer for itself: nobody wants to wait for a minute in a demo.
const TRIAL_SECONDS: &str = "5";
/// How often the service is told the time.
const TOLD_EVERY: Duration = Duration::from_millis(100);
/// A program that is larger is a build for those who work on it, and makes no package.
const LARGEST: u64 = 100 * 1024 * 1024;
/// What it has said last is kept for the case that it ends by itself.
const LINES_KEPT: usize = 5;

/// Where the service finds the time, and how fast it runs.
fn time_in(folder: &Path) -> PathBuf {
    folder.join("time")
}

/// The key that it trusts.
fn key_in(folder: &Path) -> PathBuf {
    folder.join("key.pub")
}

/// Where its binary is.
fn program_in(folder: &Path) -> PathBuf {
    folder.join("bin/cashout")
}

/// What has a demo's service go by the demo's time, and by its patience.
pub(in crate::cli) fn wiring(folder: &Path) -> Wiring {
    let (now, speed) = told_time(folder).unwrap_or((Timestamp::UNIX_EPOCH, 1));
    let clock = Clock::fast(speed);
    clock.set(now);
    Wiring { clock, manners: manners(), ..Wiring::default() }
}

/// Sets the clock by what the demo tells, for ever.
pub(in crate::cli) async fn follow(clock: Clock, folder: PathBuf) {
    loop {
        // While it is being written there is nothing to read: then it is the next time.
        if let Some((now, _)) = told_time(&folder) {
            clock.set(now);
        }
        tokio::time::sleep(TOLD_EVERY).await;
    }
}

fn told_time(folder: &Path) -> Option<(Timestamp, u32)> {
    let told = fs::read_to_string(time_in(folder)).ok()?;
    let (now, speed) = told.trim_end_matches('.').split_once(' ')?;
    // The point at the end says that it is whole.
    told.ends_with('.').then_some(())?;
    Some((now.parse().ok()?, speed.parse().ok()?))
}

/// Tells the service the time, for ever.
pub(super) async fn tell_time(clock: &Clock, folder: &Path) -> Result<(), Failed> {
    loop {
        fs::write(time_in(folder), format!("{} {}.", clock.now(), clock.speed().unwrap_or(1)))?;
        tokio::time::sleep(TOLD_EVERY).await;
    }
}

/// What the guard of a demo does before anything else: it ends with the demo, and trusts its key. Only a
/// program that lies in the demo's own folder does.
pub(in crate::cli) fn settle_in(folder: &Path) -> Result<(), Failed> {
    let program = std::env::current_exe()?;
    if !program.starts_with(folder) {
        return Err(Failed::new(Exit::Usage, "--demo is for the service that a demo starts"));
    }
    set_parent_process_death_signal(Some(Signal::TERM)).map_err(std::io::Error::from)?;
    if let Ok(key) = fs::read(key_in(folder))
        && let Ok(key) = <[u8; 32]>::try_from(key)
    {
        release::trust_only(key);
    }
    Ok(())
}

/// Puts this program where its service is run from, and has GitHub offer it under later versions.
pub(super) fn prepare(folder: &Path, sandbox: &Sandbox, at: Timestamp) -> Result<(), Failed> {
    let failed = |error: String| Failed::new(Exit::Machine, format!("the demo's releases cannot be made: {error}"));
    let program = fs::read("/proc/self/exe")?;
    fs::create_dir(folder.join("bin"))?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(program_in(folder))?;
    std::io::copy(&mut program.as_slice(), &mut file)?;
    if u64::try_from(program.len()).unwrap_or(u64::MAX) > LARGEST {
        return Ok(());
    }
    let key = SigningKey::from_bytes(&random::bytes().map_err(|error| failed(error.to_string()))?);
    fs::write(key_in(folder), key.verifying_key().as_bytes())?;
    for (version, notes) in later_versions() {
        let name = asset_name(&version, release::TARGET);
        let package = package(&program, &version, &name, &key).map_err(failed)?;
        let release = Release::new(&version.to_string(), at).notes(notes).asset(ReleaseAsset::new(&name, package));
        sandbox.github(|github| github.publish(release));
    }
    Ok(())
}

/// What is offered: a patch and a new version.
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
             are taken, and nobody is refused:\n\n- the package is checked\n- the store is copied\n- the new release is \
             tried\n- and where it does not answer, this one comes back",
        ),
    ]
}

/// The program as this version, packed and signed as a release is.
fn package(program: &[u8], version: &Version, name: &str, key: &SigningKey) -> Result<Vec<u8>, String> {
    let told = |error: &dyn std::fmt::Display| error.to_string();
    let line = format!("{DISGUISE}{}\n", json!({ "version": version }));
    let size = program.len().saturating_add(line.len());
    let mut plain = Cursor::new(Vec::new());
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(&mut plain, flate2::Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_size(u64::try_from(size).map_err(|error| told(&error))?);
    header.set_mode(0o755);
    archive
        .append_data(&mut header, "cashout", std::io::Read::chain(program, line.as_bytes()))
        .map_err(|error| told(&error))?;
    archive.into_inner().and_then(flate2::write::GzEncoder::finish).map_err(|error| told(&error))?;
    plain.rewind().map_err(|error| told(&error))?;
    let mut signed = Cursor::new(Vec::new());
    copy_and_sign_tar(&mut plain, &mut signed, std::slice::from_ref(key), Some(name.as_bytes()))
        .map_err(|error| told(&error))?;
    Ok(signed.into_inner())
}

/// The lines of the configuration by which it is updated from the sandbox's GitHub, and listens there.
pub(super) fn settings(sandbox: &Sandbox, address: SocketAddr) -> String {
    let (repository, token) = sandbox.github(|github| (github.repository.clone(), github.token.expose().to_owned()));
    let api = sandbox.github_url();
    format!(
        "    server.listen: {address}\n    update.apiUrl: {api}\n    update.repository: {repository}\n    github.token: {token}\n"
    )
}

/// The service at work.
pub(super) struct Service {
    child: Child,
    /// Gives what it has said last, once it has ended.
    ended: oneshot::Receiver<String>,
}

impl Service {
    /// Starts it, and waits until it answers. From the demo's first thread: it ends with that.
    pub(super) async fn start(global: &Global, folder: &Folder) -> Result<Self, Failed> {
        let mut command = Command::new(program_in(folder.path()));
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
                if last.len() > LINES_KEPT {
                    last.pop_front();
                }
            }
            let _ = ends.send(Vec::from(last).join("\n"));
        });
        let mut service = Self { child, ended };
        match answering.await {
            Ok(()) => Ok(service),
            Err(_) => Err(service.ended().await),
        }
    }

    /// Waits until it ends by itself, which it is not meant to.
    pub(super) async fn ended(&mut self) -> Failed {
        let last = (&mut self.ended).await.unwrap_or_default();
        Failed::new(Exit::Machine, format!("the demo's service has ended by itself:\n{last}"))
    }

    /// The orderly stop; false where that takes too long.
    pub(super) async fn stop(mut self) -> bool {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let stopped = tokio::time::timeout(STOP_WITHIN, &mut self.ended).await.is_ok();
        if !stopped {
            let _ = self.child.kill();
        }
        let _ = tokio::task::spawn_blocking(move || self.child.wait()).await;
        stopped
    }
}
