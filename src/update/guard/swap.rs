//! The exchange of two binaries, its undoing, and what a guard that starts finds to finish.
//!
//! Nothing is inferred from the journal alone: the digests say what is really there.

use std::io;

use super::journal::{Journal, State};
use super::place::{Place, digest_at};
use crate::update::story::{Outcome, Reason, Step};

/// How often a guard may begin with a trial under way before the old binary is put back.
const TRIES: u32 = 2;

/// How often the old binary lets a new one start that does not come to an end with its trial.
const STARTS: u32 = 2;

/// What a guard that starts goes on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resume {
    /// Nothing is under way.
    Work,
    /// The trial of the binary that is in place.
    Trial(Box<Journal>),
    /// Another binary is in place than the one that runs: it is to take over.
    Exec,
}

impl Place {
    /// Puts the candidate in the place of the active binary, and keeps that one as the previous.
    pub(super) fn swap(&self, journal: &mut Journal) -> io::Result<()> {
        journal.takes(Step::Swap);
        self.write(journal, State::Armed)?;
        self.keep_previous()?;
        self.put_candidate()?;
        journal.takes(Step::Trial);
        self.write(journal, State::Trial)
    }

    /// Puts the old binary back.
    pub(super) fn put_back(&self, journal: &mut Journal) -> io::Result<()> {
        journal.takes(Step::RollBack);
        self.write(journal, State::RollingBack)?;
        if digest_at(&self.program)?.as_ref() != Some(&journal.old.digest) {
            if digest_at(&self.previous())?.as_ref() != Some(&journal.old.digest) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!(
                        "{} is not the release {} that is to be put back; install it by hand",
                        self.previous().display(),
                        journal.old.version
                    ),
                ));
            }
            self.put_previous_back()?;
        }
        self.write(journal, State::RolledBack)?;
        self.close(journal, Outcome::RolledBack)
    }

    /// Finishes what a guard before this one has left. `running` is the digest of the binary that runs.
    pub(super) fn recover(&self, running: &str) -> io::Result<Resume> {
        let Some(mut journal) = self.journal()? else {
            self.clear_stage()?;
            self.free_room()?;
            return Ok(Resume::Work);
        };
        match journal.state {
            State::Preparing => {
                journal.reason = Some(cut_off("before anything was changed"));
                self.close(&journal, Outcome::Interrupted)?;
                Ok(Resume::Work)
            }
            State::Committed => self.close(&journal, Outcome::Committed).map(|()| Resume::Work),
            State::RolledBack => self.close(&journal, Outcome::RolledBack).map(|()| Resume::Work),
            State::RollingBack => {
                self.put_back(&mut journal)?;
                Ok(if running == journal.old.digest { Resume::Work } else { Resume::Exec })
            }
            State::Armed | State::Trial | State::GuardTrial => self.recover_trial(journal, running),
        }
    }

    fn recover_trial(&self, mut journal: Journal, running: &str) -> io::Result<Resume> {
        let there = digest_at(&self.program)?;
        if there.as_ref() != Some(&journal.new.digest) {
            let when = if there.as_ref() == Some(&journal.old.digest) {
                "before the new release was in its place"
            } else {
                "and somebody has put another binary in its place since"
            };
            journal.reason = Some(cut_off(when));
            self.close(&journal, Outcome::Interrupted)?;
            return Ok(if there.as_deref() == Some(running) { Resume::Work } else { Resume::Exec });
        }
        if journal.tries >= TRIES {
            let sentence = "the trial of the new release was cut off again and again; the release before it is back";
            journal.reason.get_or_insert(Reason::new("cut_off_again", sentence));
            self.put_back(&mut journal)?;
            return Ok(if running == journal.old.digest { Resume::Work } else { Resume::Exec });
        }
        journal.tries = journal.tries.saturating_add(1);
        let state = journal.state;
        self.write(&mut journal, state)?;
        Ok(if running == journal.new.digest { Resume::Trial(Box::new(journal)) } else { Resume::Exec })
    }

    /// What the previous binary does before each start of the service: where a new release was started
    /// again and again and has not come to the end of its trial, this one is put back. Gives what it did.
    pub(super) fn rescue(&self) -> io::Result<Option<String>> {
        let Some(mut journal) = self.journal()? else { return Ok(None) };
        if !matches!(journal.state, State::Armed | State::Trial | State::GuardTrial | State::RollingBack) {
            return Ok(None);
        }
        if journal.state != State::RollingBack && journal.starts < STARTS {
            journal.starts = journal.starts.saturating_add(1);
            let state = journal.state;
            self.write(&mut journal, state)?;
            return Ok(None);
        }
        let sentence = "the new release did not come up, however often it was started; the release before it is back";
        journal.reason.get_or_insert(Reason::new("did_not_come_up", sentence));
        self.put_back(&mut journal)?;
        Ok(Some(format!("{} did not come up; {} is back", journal.new.version, journal.old.version)))
    }
}

fn cut_off(when: &str) -> Reason {
    Reason::new("cut_off", format!("the update was cut off {when}"))
}
