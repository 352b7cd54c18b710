//! The trial of a new release, by the old guard and then by its own, and the rollback.

use std::io;
use std::time::{Duration, Instant};

use super::attempt::Halt;
use super::journal::{Journal, JournalState};
use super::{Event, Guard};
use crate::update::channel::{GuardMessage, WorkerMessage};
use crate::update::status::{UpdateOutcome, UpdateReason, UpdateStep};

/// Time limit of the answer to a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);
/// Interval of the probes.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);
/// Number of probes by a guard that has taken over a worker which was tried already.
const GUARD_TRIAL_PROBES: u32 = 3;

impl Guard {
    /// Starts the new worker on trial, and hands over to the new guard if the trial succeeds.
    pub(super) fn run_trial(&mut self, mut journal: Journal) -> io::Result<()> {
        match self.try_worker(&journal) {
            Ok(()) => {}
            Err(Halt::Failed(reason)) => return self.roll_back(journal, reason),
            // The trial continues at the next start.
            Err(Halt::Stopped) => return Ok(()),
            Err(Halt::Machine(error)) => return Err(error),
        }
        journal.takes(UpdateStep::GuardTrial);
        self.place.write(&mut journal, JournalState::GuardTrial)?;
        self.notify_worker(&GuardMessage::Known { known: self.known() });
        let error = self.exec();
        let sentence = format!("the new guard cannot be started: {error}");
        self.roll_back(journal, UpdateReason::new("guard", sentence).with("error", error))
    }

    /// Tries the new guard, which has taken over or was restarted, and its worker. Then the update is committed, or the
    /// old release takes over again.
    pub(super) fn try_oneself(&mut self, mut journal: Journal) -> io::Result<()> {
        let tried = if self.worker.is_some() {
            self.place.write(&mut journal, JournalState::GuardTrial)?;
            (0..GUARD_TRIAL_PROBES).try_for_each(|nth| self.probe(nth, &journal.new.version))
        } else {
            self.try_worker(&journal)
        };
        match tried {
            Ok(()) => {
                self.place.write(&mut journal, JournalState::Committed)?;
                self.notify_worker(&GuardMessage::Commit);
                self.manager.ready();
                self.place.close(&journal, UpdateOutcome::Committed)?;
                (self.plan.say)(&format!("updated from {} to {}", journal.old.version, journal.new.version));
                self.notify_worker(&GuardMessage::Known { known: self.known() });
                Ok(())
            }
            Err(Halt::Failed(reason)) => {
                self.put_back(&mut journal, reason)?;
                Err(self.exec())
            }
            Err(Halt::Stopped) => Ok(()),
            Err(Halt::Machine(error)) => Err(error),
        }
    }

    /// Starts the new worker, and probes it repeatedly.
    fn try_worker(&mut self, journal: &Journal) -> Result<(), Halt> {
        self.start(true)?;
        let wanted = journal.new.version.clone();
        let seconds = self.plan.ready.as_secs();
        let late = UpdateReason::new("not_ready", format!("the new release was not ready within {seconds} seconds"));
        self.answer(self.plan.ready, late.with("seconds", seconds), |said| {
            let WorkerMessage::Ready { version } = said else { return None };
            Some(if *version == wanted { Ok(()) } else { Err(other_version(version, &wanted)) })
        })?;
        self.manager.ready();
        let over = Instant::now().checked_add(self.plan.trial);
        let mut nth = 0;
        while over.is_some_and(|over| Instant::now() < over) {
            self.probe(nth, &wanted)?;
            nth = nth.saturating_add(1);
            self.wait_unless_ended(PROBE_INTERVAL)?;
        }
        Ok(())
    }

    /// Asks the worker for the health of its store, and for its answer over HTTP.
    fn probe(&mut self, nth: u32, wanted: &str) -> Result<(), Halt> {
        self.notify_worker(&GuardMessage::Probe { nth });
        let late = UpdateReason::new("no_answer", "the new release did not report its health within 10 seconds");
        self.answer(PROBE_TIMEOUT, late, |said| {
            let WorkerMessage::Probed { nth: answered, version, problem } = said else { return None };
            if *answered != nth {
                return None;
            }
            if let Some(problem) = problem {
                let sentence = format!("the new release is not healthy: {problem}");
                return Some(Err(UpdateReason::new("not_well", sentence).with("problem", problem)));
            }
            Some(if version == wanted { Ok(()) } else { Err(other_version(version, wanted)) })
        })
    }

    /// Waits, unless an event ends the trial.
    fn wait_unless_ended(&mut self, span: Duration) -> Result<(), Halt> {
        let late = UpdateReason::new("rest", "");
        match self.answer(span, late, |_| None::<Result<(), UpdateReason>>) {
            Err(Halt::Failed(reason)) if reason.kind == "rest" => Ok(()),
            other => other,
        }
    }

    /// Puts the old binary back and starts a worker of it, from the old guard.
    pub(super) fn roll_back(&mut self, mut journal: Journal, reason: UpdateReason) -> io::Result<()> {
        self.put_back(&mut journal, reason)?;
        self.start(false)
    }

    /// Ends the new worker and puts the old binary back.
    fn put_back(&mut self, journal: &mut Journal, reason: UpdateReason) -> io::Result<()> {
        (self.plan.say)(&format!("{} is rolled back: {reason}", journal.new.version));
        journal.reason = Some(reason);
        if matches!(self.left, Some(Event::Ended(_))) {
            self.left = None;
        } else if let Some(worker) = &mut self.worker {
            // The worker has changed nothing outside, and everything that it has stored is on the disk.
            worker.kill();
            while !matches!(self.next(None)?, Event::Ended(_)) {}
        }
        journal.lines = self.worker.take().map(super::WorkerProcess::last_lines).unwrap_or_default();
        self.place.put_back(journal)
    }
}

fn other_version(version: &str, wanted: &str) -> UpdateReason {
    let sentence = format!("the new release answers as {version}, not as {wanted}");
    UpdateReason::new("other_version", sentence).with("version", version).with("wanted", wanted)
}
