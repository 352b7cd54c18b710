//! The check that the candidate can run here, before anything depends on it.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde::Deserialize;

use super::Guard;
use super::attempt::Halt;
use super::install_dir::{Place, digest_at};
use super::send_signal::send_signal;
use super::worker_process::apart;
use crate::config;
use crate::platform::fs::existing;
use crate::platform::release;
use crate::store;
use crate::update::status::UpdateReason;

/// Time limit of the candidate for each request.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Interval of the checks whether it has ended.
const CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// Upper bound on its answer, in bytes.
const MAX_LENGTH: u64 = 32 * 1024;

/// The fields of `version --json` that are needed.
#[derive(Debug, Deserialize)]
struct Identity {
    version: String,
    target: String,
    store: Formats,
}

#[derive(Debug, Deserialize)]
struct Formats {
    /// Oldest and latest format that the candidate reads.
    reads: [u32; 2],
}

impl Place {
    /// Makes the previous binary the candidate, and returns its digest.
    pub(super) fn take_previous(&self) -> Result<String, UpdateReason> {
        let taken = || {
            self.make_stage()?;
            fs::copy(self.previous(), self.candidate())?;
            self.prepare_candidate()?;
            digest_at(&self.candidate())
        };
        let digest = existing(taken()).map_err(|error| self.refuse(&error))?.flatten();
        digest.ok_or_else(|| UpdateReason::new("no_previous", "there is no previous release to go back to"))
    }
}

impl Guard {
    /// Asks the candidate for its identity, whether it reads the settings, and whether it could be a guard; it runs as
    /// the worker's user. Returns its version.
    pub(super) fn preflight(&mut self, wanted: Option<&str>) -> Result<String, Halt> {
        let said = self.run_candidate(&["version", "--json"], &[0])?;
        let unreadable =
            |_| UpdateReason::new("says_nothing", "the new release does not identify itself; it is not used");
        let identity: Identity = serde_json::from_str(&said).map_err(unreadable)?;
        if let Some(wanted) = wanted.filter(|wanted| *wanted != identity.version) {
            let sentence = format!("the package is for {wanted} but contains {}; it is not used", identity.version);
            let reason = UpdateReason::new("other_content", sentence).with("wanted", wanted);
            return Err(reason.with("version", identity.version).into());
        }
        if identity.target != release::TARGET {
            let sentence = format!("the package is for {}, and this machine is {}", identity.target, release::TARGET);
            let reason = UpdateReason::new("other_target", sentence).with("target", identity.target);
            return Err(reason.with("here", release::TARGET).into());
        }
        let [oldest, latest] = identity.store.reads;
        if !(oldest..=latest).contains(&store::format()) {
            let sentence = format!("{} cannot read the store as it is now", identity.version);
            return Err(UpdateReason::new("store_format", sentence).with("version", identity.version).into());
        }
        let [config, data] = self.plan.settings.clone().map(|path| path.display().to_string());
        // Code 1 reports problems, which the installation had before the update.
        self.run_candidate(&["check", "--offline", "--config", &config, "--data", &data], &[0, 1])?;
        let scratch = self.place.stage().join("scratch");
        DirBuilder::new().mode(0o700).create(&scratch)?;
        if let Some(user) = self.plan.user {
            // The folder stays ours, so that we can remove it: a guard that is root may lack root's capabilities.
            chown(&scratch, None, Some(user.group))?;
            fs::set_permissions(&scratch, Permissions::from_mode(0o770))?;
        }
        let scratch = scratch.display().to_string();
        self.run_candidate(&["guard-recover", "--rehearse", "--guard-state", &scratch], &[0])?;
        Ok(identity.version)
    }

    /// Runs the candidate, and returns its output if its exit code is one of `good`.
    fn run_candidate(&mut self, arguments: &[&str], good: &[i32]) -> Result<String, Halt> {
        let what = arguments.first().copied().unwrap_or_default().to_owned();
        let failed = |how: String| {
            let sentence = format!("the new release was run with `{what}` and {how}; it is not used");
            Halt::from(UpdateReason::new("preflight", sentence).with("command", what.clone()).with("how", how))
        };
        let (mut ours, theirs) = io::pipe()?;
        let mut command = Command::new(self.place.candidate());
        command.args(arguments).stdin(Stdio::null()).stderr(theirs.try_clone()?).stdout(theirs);
        apart(&mut command, self.plan.user);
        if self.plan.user.is_some() {
            // The environment is that of a short-lived process, of the user who has the credentials anyway.
            command.envs(config::credentials_as_variables());
        }
        let mut process = command.spawn().map_err(|error| failed(format!("could not be started ({error})")))?;
        // Closes our copies of its ends of the pipe.
        drop(command);
        let deadline = Instant::now().checked_add(ANSWER_TIMEOUT);
        let status = loop {
            if let Some(status) = process.try_wait()? {
                break status;
            }
            let now = Instant::now();
            if deadline.is_some_and(|deadline| deadline <= now) {
                send_signal(Pid::from_child(&process), Signal::KILL, self.plan.user).map_err(io::Error::from)?;
                process.wait()?;
                return Err(failed("did not answer within 20 seconds".to_owned()));
            }
            self.manager.notify_alive(now, false);
            // Signals and messages wait for us in their pipes; nothing else does.
            std::thread::park_timeout(CHECK_INTERVAL);
        };
        let mut said = Vec::new();
        rustix::io::ioctl_fionbio(&ours, true).map_err(io::Error::from)?;
        // The process has ended, so its output is complete. A process that it started may still hold the other end.
        let _ = (&mut ours).take(MAX_LENGTH).read_to_end(&mut said);
        let said = String::from_utf8_lossy(&said).into_owned();
        if status.code().is_some_and(|code| good.contains(&code)) {
            return Ok(said);
        }
        let last = said.lines().last().unwrap_or_default();
        Err(failed(format!("ended with {status}: {last}")))
    }
}
