//! The trial of a new release, by the guard that was there before and then by its own; and the way
//! back.

use std::io;
use std::time::{Duration, Instant};

use super::attempt::Halt;
use super::journal::{Journal, State};
use super::{Event, Guard};
use crate::update::channel::{GuardMessage, WorkerMessage};
use crate::update::story::{Outcome, Reason, Step};

/// How long the answer to a probe may take.
const PROBED_WITHIN: Duration = Duration::from_secs(10);
/// How often a probe is made.
const PROBED_EVERY: Duration = Duration::from_millis(500);
/// How many probes a guard makes that has taken over a worker which was tried already.
const PROBES_AGAIN: u32 = 3;

impl Guard {
    /// Starts the new worker on trial, and hands over to the new guard if that goes well.
    pub(super) fn tried(&mut self, mut journal: Journal) -> io::Result<()> {
        match self.try_worker(&journal) {
            Ok(()) => {}
            Err(Halt::Failed(reason)) => return self.roll_back(journal, reason),
            // The trial goes on with the next start.
            Err(Halt::Stopped) => return Ok(()),
            Err(Halt::Machine(error)) => return Err(error),
        }
        journal.takes(Step::GuardTrial);
        self.place.write(&mut journal, State::GuardTrial)?;
        self.tell(&GuardMessage::Known { known: self.known() });
        let error = self.exec();
        let sentence = format!("the new guard cannot be started: {error}");
        self.roll_back(journal, Reason::new("guard", sentence).with("error", error))
    }

    /// The new guard, which has taken over or was started anew: it tries itself and the worker, and the
    /// update is committed, or the old release takes over again.
    pub(super) fn try_oneself(&mut self, mut journal: Journal) -> io::Result<()> {
        let tried = if self.worker.is_some() {
            self.place.write(&mut journal, State::GuardTrial)?;
            (0..PROBES_AGAIN).try_for_each(|nth| self.probe(nth, &journal.new.version))
        } else {
            self.try_worker(&journal)
        };
        match tried {
            Ok(()) => {
                self.place.write(&mut journal, State::Committed)?;
                self.tell(&GuardMessage::Commit);
                self.manager.ready();
                self.place.close(&journal, Outcome::Committed)?;
                (self.plan.say)(&format!("updated from {} to {}", journal.old.version, journal.new.version));
                self.tell(&GuardMessage::Known { known: self.known() });
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

    /// Starts the new worker, and asks it again and again how it is.
    fn try_worker(&mut self, journal: &Journal) -> Result<(), Halt> {
        self.start(true)?;
        let wanted = journal.new.version.clone();
        let seconds = self.plan.ready.as_secs();
        let late = Reason::new("not_ready", format!("the new release was not ready within {seconds} seconds"));
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
            self.rest(PROBED_EVERY)?;
        }
        Ok(())
    }

    /// Asks the worker how it is: what it says of its store, and what it answers over HTTP.
    fn probe(&mut self, nth: u32, wanted: &str) -> Result<(), Halt> {
        self.tell(&GuardMessage::Probe { nth });
        let late = Reason::new("no_answer", "the new release did not say within 10 seconds how it is");
        self.answer(PROBED_WITHIN, late, |said| {
            let WorkerMessage::Probed { nth: answered, version, problem } = said else { return None };
            if *answered != nth {
                return None;
            }
            if let Some(problem) = problem {
                let sentence = format!("the new release is not well: {problem}");
                return Some(Err(Reason::new("not_well", sentence).with("problem", problem)));
            }
            Some(if version == wanted { Ok(()) } else { Err(other_version(version, wanted)) })
        })
    }

    /// Waits, unless something happens that ends the trial.
    fn rest(&mut self, span: Duration) -> Result<(), Halt> {
        let late = Reason::new("rest", "");
        match self.answer(span, late, |_| None::<Result<(), Reason>>) {
            Err(Halt::Failed(reason)) if reason.kind == "rest" => Ok(()),
            other => other,
        }
    }

    /// The old guard's way back: the old binary, and a worker of it.
    pub(super) fn roll_back(&mut self, mut journal: Journal, reason: Reason) -> io::Result<()> {
        self.put_back(&mut journal, reason)?;
        self.start(false)
    }

    /// Ends the new worker and puts the old binary back.
    fn put_back(&mut self, journal: &mut Journal, reason: Reason) -> io::Result<()> {
        (self.plan.say)(&format!("{} is rolled back: {reason}", journal.new.version));
        journal.reason = Some(reason);
        if matches!(self.left, Some(Event::Ended(_))) {
            self.left = None;
        } else if let Some(worker) = &mut self.worker {
            // It has done nothing outside, and what it has stored is on the disk.
            worker.kill();
            while !matches!(self.next(None)?, Event::Ended(_)) {}
        }
        journal.lines = self.worker.take().map(super::Child::last_lines).unwrap_or_default();
        self.place.put_back(journal)
    }
}

fn other_version(version: &str, wanted: &str) -> Reason {
    let sentence = format!("the new release answers as {version}, not as {wanted}");
    Reason::new("other_version", sentence).with("version", version).with("wanted", wanted)
}
