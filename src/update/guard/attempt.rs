//! An update from its first step to the exchange of the binaries: verify, preflight, back up, drain, swap. A failure
//! before the swap changes nothing; a failure after it is undone by the trial.

use std::fs::File;
use std::io;
use std::time::{Duration, Instant};

use semver::Version;

use super::install_dir::digest_at;
use super::journal::{Binary, Journal};
use super::verify::refused_in;
use super::{Event, Guard};
use crate::platform::release;
use crate::update::channel::{GuardMessage, WorkerMessage};
use crate::update::force::Insistence;
use crate::update::running;
use crate::update::status::{PastUpdate, UpdateOutcome, UpdateReason, UpdateStep, name_of};

/// Time limit of a copy of the store.
const BACK_UP_TIMEOUT: Duration = Duration::from_mins(15);
/// Time limit for running work to reach a safe point.
const DRAIN_TIMEOUT: Duration = Duration::from_mins(2);
/// Time limit for the old worker to end.
const END_TIMEOUT: Duration = Duration::from_secs(35);

/// The package to install.
pub(super) enum Package {
    /// Package that the worker hands over, claimed to be this version.
    Release { version: String, file: File },
    /// The previous binary.
    Previous,
}

/// A requested update.
pub(super) struct Wish {
    pub(super) package: Package,
    pub(super) asked_by: String,
    /// Set if the release is to be installed even if it is older or was rolled back before.
    pub(super) insists: bool,
}

/// The reason why a procedure stops.
pub(super) enum Halt {
    /// Failure of the procedure, with its reason.
    Failed(UpdateReason),
    /// Request to stop the guard, which [`Guard::run`] handles.
    Stopped,
    /// Error of the machine. The guard ends, and its next start finishes the procedure.
    Machine(io::Error),
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        Self::Machine(error)
    }
}

impl From<UpdateReason> for Halt {
    fn from(reason: UpdateReason) -> Self {
        Self::Failed(reason)
    }
}

impl Guard {
    /// Carries out a requested update as far as possible. Afterwards a worker runs, or one has ended and [`Guard::run`]
    /// handles its end.
    pub(super) fn update(&mut self, wish: Wish) -> io::Result<()> {
        self.unwritten = None;
        let version = match &wish.package {
            Package::Release { version, .. } => name_of(version),
            Package::Previous => "?".to_owned(),
        };
        let old = Binary { version: release::version().to_owned(), digest: String::new() };
        let new = Binary { version, digest: String::new() };
        let mut journal = Journal::new(old, new, &name_of(&wish.asked_by));
        match self.prepare(&mut journal, wish) {
            Ok(()) => self.exchange(journal),
            Err(halt) => {
                self.give_up(journal, halt);
                Ok(())
            }
        }
    }

    /// Ends an attempt that has changed nothing, and resumes normal operation.
    fn give_up(&mut self, mut journal: Journal, halt: Halt) {
        let (outcome, reason) = match halt {
            Halt::Failed(reason) => (UpdateOutcome::Refused, reason),
            Halt::Stopped => {
                let sentence = "the service was stopped before anything was changed; update again";
                (UpdateOutcome::Interrupted, UpdateReason::new("stopped", sentence))
            }
            Halt::Machine(error) => (UpdateOutcome::Refused, self.place.refuse(&error)),
        };
        (self.plan.say)(&format!("no update to {}: {reason}", journal.new.version));
        journal.reason = Some(reason);
        if let Err(error) = self.place.close(&journal, outcome) {
            (self.plan.say)(&format!("the history of updates cannot be written: {error}"));
            self.unwritten = Some(journal.past(outcome));
            if let Err(error) = self.place.forget() {
                (self.plan.say)(&format!("the remaining files of the update cannot be removed: {error}"));
            }
        }
        self.notify_worker(&GuardMessage::Undrain);
        self.notify_worker(&GuardMessage::Known { known: self.known() });
    }

    /// Runs the steps that change nothing.
    fn prepare(&mut self, journal: &mut Journal, wish: Wish) -> Result<(), Halt> {
        if let Some(reason) = &self.impossible {
            return Err(reason.clone().into());
        }
        journal.old.digest = digest_at(&self.plan.program)?.unwrap_or_default();
        self.step(journal, UpdateStep::Verify)?;
        let goes_back = matches!(wish.package, Package::Previous);
        let insists = wish.insists && self.is_forced(&wish.package);
        if goes_back && !insists {
            let sentence = "to go back to the previous release, run app:update --rollback as root";
            return Err(UpdateReason::new("return_of_root", sentence).into());
        }
        match wish.package {
            Package::Release { version, file } => {
                let version = newer(&version, insists, wish.insists)?;
                journal.new.digest = self.place.verify_package(&file, &version)?;
            }
            Package::Previous => journal.new.digest = self.place.take_previous()?,
        }
        if !insists && self.was_rolled_back(&journal.new.digest)? {
            let sentence = "this release was tried and rolled back before; wait for the next one";
            return Err(UpdateReason::new("rolled_back_before", sentence).into());
        }
        self.step(journal, UpdateStep::Preflight)?;
        let said = Some(journal.new.version.as_str()).filter(|version| *version != "?");
        journal.new.version = self.preflight(said)?;
        if journal.new.digest == journal.old.digest {
            let reason = if goes_back {
                UpdateReason::new("same", "there is no other previous release to go back to")
            } else {
                UpdateReason::new("runs_already", "this release is already running")
            };
            return Err(reason.into());
        }

        self.step(journal, UpdateStep::BackUp)?;
        self.place.reserve().map_err(|error| refused_in(&self.plan.state, &error))?;
        self.notify_worker(&GuardMessage::BackUp);
        let sentence = "the copy of the store took longer than 15 minutes; update again when the machine is less busy";
        let late = UpdateReason::new("backup_late", sentence);
        self.answer(BACK_UP_TIMEOUT, late, |said| {
            let WorkerMessage::BackedUp { problem } = said else { return None };
            let Some(problem) = problem else { return Some(Ok(())) };
            let sentence = format!("the store could not be copied: {problem}");
            Some(Err(UpdateReason::new("backup", sentence).with("problem", problem)))
        })?;

        self.step(journal, UpdateStep::Drain)?;
        self.notify_worker(&GuardMessage::Drain);
        let sentence = "the work in progress did not reach a safe point within two minutes; update again later";
        let late = UpdateReason::new("drain_late", sentence);
        self.answer(DRAIN_TIMEOUT, late, |said| {
            let WorkerMessage::Drained { problem } = said else { return None };
            let Some(problem) = problem else { return Some(Ok(())) };
            let sentence = format!("the work in progress did not reach a safe point: {problem}; update again later");
            Some(Err(UpdateReason::new("drain", sentence).with("problem", problem)))
        })
    }

    /// Exchanges the binaries and starts the trial.
    fn exchange(&mut self, mut journal: Journal) -> io::Result<()> {
        if let Err(error) = self.place.swap(&mut journal) {
            // The digest shows whether the candidate is in place already.
            if digest_at(&self.plan.program)?.as_ref() == Some(&journal.old.digest) {
                self.give_up(journal, Halt::Machine(error));
                return Ok(());
            }
            let reason = self.place.refuse(&error);
            self.end_worker()?;
            return self.roll_back(journal, reason);
        }
        self.end_worker()?;
        self.run_trial(journal)
    }

    /// Ends the worker, in good order if possible.
    pub(super) fn end_worker(&mut self) -> io::Result<()> {
        self.notify_worker(&GuardMessage::Stop { at_once: false });
        let mut deadline = Instant::now().checked_add(END_TIMEOUT);
        let mut is_to_stop = false;
        while self.worker.is_some() {
            match self.next(deadline)? {
                Event::Ended(_) => self.worker = None,
                Event::Due => {
                    self.worker.iter_mut().for_each(super::WorkerProcess::kill);
                    deadline = None;
                }
                Event::Stop => {
                    is_to_stop = true;
                    self.notify_worker(&GuardMessage::Stop { at_once: true });
                }
                Event::Hangup | Event::WorkerMessage(..) => {}
            }
        }
        if is_to_stop {
            // The event is left for the next wait.
            self.left = Some(Event::Stop);
        }
        Ok(())
    }

    /// Begins a step: records it in the journal, and reports it to the worker.
    fn step(&self, journal: &mut Journal, step: UpdateStep) -> Result<(), UpdateReason> {
        journal.takes(step);
        let state = journal.state;
        self.place.write(journal, state).map_err(|error| refused_in(&self.plan.state, &error))?;
        self.notify_worker(&GuardMessage::Known { known: self.known() });
        Ok(())
    }

    /// Waits for an answer of the worker, which `pick` recognizes.
    pub(super) fn answer<T>(
        &mut self,
        within: Duration,
        late: UpdateReason,
        mut pick: impl FnMut(&WorkerMessage) -> Option<Result<T, UpdateReason>>,
    ) -> Result<T, Halt> {
        let deadline = Instant::now().checked_add(within);
        loop {
            match self.next(deadline)? {
                Event::WorkerMessage(said, _) => {
                    if let Some(picked) = pick(&said) {
                        return picked.map_err(Halt::Failed);
                    }
                }
                Event::Hangup => self.hang_up(),
                Event::Stop => {
                    self.left = Some(Event::Stop);
                    return Err(Halt::Stopped);
                }
                Event::Ended(ended) => {
                    self.left = Some(Event::Ended(ended));
                    let sentence = format!("the worker {ended}");
                    return Err(UpdateReason::new("ended", sentence).with("ended", ended).into());
                }
                Event::Due => return Err(late.into()),
            }
        }
    }

    /// Returns true if a user who has the right insists on this package: the owner of this installation, if the guard
    /// runs as that user, or root through the guard's folder. The worker itself has no such right.
    fn is_forced(&self, package: &Package) -> bool {
        if self.plan.user.is_none() {
            // The worker runs as the same user, and can do everything that the guard can.
            return true;
        }
        match (Insistence::of(&self.plan.state), package) {
            (Some(Insistence::Version(wanted)), Package::Release { version, .. }) => wanted.to_string() == *version,
            (Some(Insistence::Newest), Package::Release { version, .. }) => {
                Version::parse(version).is_ok_and(|version| version > running())
            }
            (Some(Insistence::Previous), Package::Previous) => true,
            (Some(_) | None, _) => false,
        }
    }

    fn was_rolled_back(&self, digest: &str) -> io::Result<bool> {
        let same = |past: &PastUpdate| past.digest.as_deref() == Some(digest);
        Ok(self.place.history()?.iter().any(|past| past.outcome == UpdateOutcome::RolledBack && same(past)))
    }
}

/// Parses the version, and checks that it is newer than the running release unless `insists` is set. `says_so` is set
/// if the worker reports that someone insists.
fn newer(version: &str, insists: bool, says_so: bool) -> Result<Version, UpdateReason> {
    let wanted = Version::parse(version)
        .map_err(|_| UpdateReason::new("no_version", "the package is for something that is not a version"))?;
    let running = running();
    if wanted > running || insists {
        return Ok(wanted);
    }
    if says_so {
        let sentence = format!(
            "{version} is not newer than {running}, which is running; to install it anyway, run app:update --insist as \
             root"
        );
        let reason = UpdateReason::new("insisting_of_root", sentence).with("version", version);
        return Err(reason.with("running", running));
    }
    let sentence = format!(
        "{version} is not newer than {running}, which is running; to install it anyway, use app:update with --insist"
    );
    Err(UpdateReason::new("not_newer", sentence).with("version", version).with("running", running))
}
