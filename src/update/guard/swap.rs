//! The exchange of two binaries, its reversal, and the recovery at the start of a guard.
//!
//! Nothing is inferred from the journal alone: the digests show what is really there.

use std::io;

use super::install_dir::{Place, digest_at};
use super::journal::{Journal, JournalState};
use crate::update::status::{UpdateOutcome, UpdateReason, UpdateStep};

/// Upper bound on the starts of a guard with a trial under way; after that the old binary is put back.
const MAX_TRIES: u32 = 2;

/// Upper bound on the starts of a new binary that does not finish its trial; after that the old binary puts itself
/// back.
const MAX_STARTS: u32 = 2;

/// The next action of a starting guard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resume {
    /// Normal work: no update is under way.
    Work,
    /// Trial of the binary that is in place.
    Trial(Box<Journal>),
    /// Takeover by the binary in place, which is not the running one.
    Exec,
}

impl Place {
    /// Replaces the active binary by the candidate, and keeps the active one as the previous.
    pub(super) fn swap(&self, journal: &mut Journal) -> io::Result<()> {
        journal.takes(UpdateStep::Swap);
        self.write(journal, JournalState::Armed)?;
        self.keep_previous()?;
        self.put_candidate()?;
        journal.takes(UpdateStep::Trial);
        self.write(journal, JournalState::Trial)
    }

    /// Puts the old binary back.
    pub(super) fn put_back(&self, journal: &mut Journal) -> io::Result<()> {
        journal.takes(UpdateStep::RollBack);
        self.write(journal, JournalState::RollingBack)?;
        if digest_at(&self.program)?.as_ref() != Some(&journal.old.digest) {
            let previous = self.previous();
            if digest_at(&previous)?.as_ref() != Some(&journal.old.digest) {
                let (previous, old) = (previous.display(), &journal.old.version);
                let sentence = format!("{previous} is not release {old}, which is to be restored; install it by hand");
                return Err(io::Error::new(io::ErrorKind::InvalidData, sentence));
            }
            self.put_previous_back()?;
        }
        self.write(journal, JournalState::RolledBack)?;
        self.close(journal, UpdateOutcome::RolledBack)
    }

    /// Finishes what the previous guard has left. `running` is the digest of the running binary.
    pub(super) fn recover(&self, running: &str) -> io::Result<Resume> {
        let Some(mut journal) = self.journal()? else {
            self.clear_stage()?;
            self.free_reserved()?;
            return Ok(Resume::Work);
        };
        match journal.state {
            JournalState::Preparing => {
                journal.reason = Some(abort_trial("before anything was changed"));
                self.close(&journal, UpdateOutcome::Interrupted)?;
                Ok(Resume::Work)
            }
            JournalState::Committed => self.close(&journal, UpdateOutcome::Committed).map(|()| Resume::Work),
            JournalState::RolledBack => self.close(&journal, UpdateOutcome::RolledBack).map(|()| Resume::Work),
            JournalState::RollingBack => {
                self.put_back(&mut journal)?;
                Ok(if running == journal.old.digest { Resume::Work } else { Resume::Exec })
            }
            JournalState::Armed | JournalState::Trial | JournalState::GuardTrial => {
                self.recover_trial(journal, running)
            }
        }
    }

    fn recover_trial(&self, mut journal: Journal, running: &str) -> io::Result<Resume> {
        let there = digest_at(&self.program)?;
        if there.as_ref() != Some(&journal.new.digest) {
            let when = if there.as_ref() == Some(&journal.old.digest) {
                "before the new release was in place"
            } else {
                "and another binary has been put in place since"
            };
            journal.reason = Some(abort_trial(when));
            self.close(&journal, UpdateOutcome::Interrupted)?;
            return Ok(if there.as_deref() == Some(running) { Resume::Work } else { Resume::Exec });
        }
        if journal.tries >= MAX_TRIES {
            let sentence =
                "the trial of the new release was interrupted repeatedly; the previous release is running again";
            journal.reason.get_or_insert(UpdateReason::new("cut_off_again", sentence));
            self.put_back(&mut journal)?;
            return Ok(if running == journal.old.digest { Resume::Work } else { Resume::Exec });
        }
        journal.tries = journal.tries.saturating_add(1);
        let state = journal.state;
        self.write(&mut journal, state)?;
        Ok(if running == journal.new.digest { Resume::Trial(Box::new(journal)) } else { Resume::Exec })
    }

    /// Puts the old binary back if a new release was started repeatedly without finishing its trial; the previous
    /// binary calls this before each start of the service. Returns a description of what was done, if anything.
    pub(super) fn rescue(&self) -> io::Result<Option<String>> {
        let Some(mut journal) = self.journal()? else { return Ok(None) };
        if !matches!(
            journal.state,
            JournalState::Armed | JournalState::Trial | JournalState::GuardTrial | JournalState::RollingBack
        ) {
            return Ok(None);
        }
        if journal.state != JournalState::RollingBack && journal.starts < MAX_STARTS {
            journal.starts = journal.starts.saturating_add(1);
            let state = journal.state;
            self.write(&mut journal, state)?;
            return Ok(None);
        }
        let sentence =
            "the new release did not start, even after several attempts; the previous release is running again";
        journal.reason.get_or_insert(UpdateReason::new("did_not_come_up", sentence));
        self.put_back(&mut journal)?;
        Ok(Some(format!("{} did not come up; {} is back", journal.new.version, journal.old.version)))
    }
}

fn abort_trial(when: &str) -> UpdateReason {
    UpdateReason::new("cut_off", format!("the update was interrupted {when}"))
}
