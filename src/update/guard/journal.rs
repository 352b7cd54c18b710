//! The journal of the attempt under way, and the history of those that are over.

use std::io;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::fault_injection::DiskOperation;
use super::install_dir::Place;
use crate::platform::clock::Clock;
use crate::platform::fs::existing;
use crate::update::status::{
    MAX_PAST, MAX_PAST_REPORTED, PastUpdate, StepTaken, UpdateAttempt, UpdateOutcome, UpdateReason, UpdateStatus,
    UpdateStep,
};

const JOURNAL: &str = "journal";
const HISTORY: &str = "history";

/// The progress of an attempt. It is written before the action that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum JournalState {
    /// Preparation, in which nothing is changed.
    Preparing,
    /// Imminent exchange of the binaries.
    Armed,
    /// Trial of the new worker by the old guard.
    Trial,
    /// Trial of the new guard by itself.
    GuardTrial,
    /// Restoration of the old binary.
    RollingBack,
    /// Completed restoration of the old binary.
    RolledBack,
    /// Use of the new binary.
    Committed,
}

/// A binary: its version and its SHA-256.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Binary {
    pub(super) version: String,
    pub(super) digest: String,
}

/// All data needed to finish or to undo an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Journal {
    pub(super) state: JournalState,
    pub(super) old: Binary,
    pub(super) new: Binary,
    pub(super) asked_by: String,
    pub(super) began_at: Timestamp,
    #[serde(default)]
    pub(super) steps: Vec<StepTaken>,
    /// Number of times that a guard has begun with the trial under way.
    #[serde(default)]
    pub(super) tries: u32,
    /// Number of starts of the service with the trial under way, as counted by the old binary.
    #[serde(default)]
    pub(super) starts: u32,
    #[serde(default)]
    pub(super) reason: Option<UpdateReason>,
    #[serde(default)]
    pub(super) lines: Vec<String>,
}

impl Journal {
    /// Creates the journal of an attempt that begins now.
    pub(super) fn new(old: Binary, new: Binary, asked_by: &str) -> Self {
        Self {
            state: JournalState::Preparing,
            old,
            new,
            asked_by: asked_by.to_owned(),
            began_at: Clock::system().now(),
            steps: Vec::new(),
            tries: 0,
            starts: 0,
            reason: None,
            lines: Vec::new(),
        }
    }

    /// Returns the attempt as it is reported.
    fn attempt(&self) -> UpdateAttempt {
        UpdateAttempt {
            from: self.old.version.clone(),
            to: self.new.version.clone(),
            asked_by: self.asked_by.clone(),
            began_at: self.began_at,
            steps: self.steps.clone(),
        }
        .bounded()
    }

    /// Returns the attempt as the history keeps it.
    pub(super) fn past(&self, outcome: UpdateOutcome) -> PastUpdate {
        PastUpdate {
            from: self.old.version.clone(),
            to: self.new.version.clone(),
            asked_by: self.asked_by.clone(),
            began_at: self.began_at,
            ended_at: Clock::system().now(),
            digest: Some(self.new.digest.clone()).filter(|digest| !digest.is_empty()),
            steps: self.steps.clone(),
            outcome,
            reason: self.reason.clone(),
            lines: self.lines.clone(),
        }
        .bounded()
    }

    /// Records the beginning of the next step.
    pub(super) fn takes(&mut self, step: UpdateStep) {
        self.steps.push(StepTaken { step, began_at: Clock::system().now() });
    }
}

impl Place {
    /// Returns the attempt under way, or the last one if it was not tidied up yet.
    pub(super) fn journal(&self) -> io::Result<Option<Journal>> {
        let Some(bytes) = self.read_state(JOURNAL)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            let path = self.state.join(JOURNAL);
            io::Error::new(io::ErrorKind::InvalidData, format!("{} cannot be read: {error}", path.display()))
        })
    }

    /// Sets an unreadable journal aside, and returns the error. Such a journal is of no use, and must not keep the
    /// service from starting. The binary in place is complete in any case.
    pub(super) fn set_unreadable_journal_aside(&self) -> io::Result<Option<io::Error>> {
        let Err(error) = self.journal() else { return Ok(None) };
        if error.kind() != io::ErrorKind::InvalidData {
            return Err(error);
        }
        std::fs::rename(self.state.join(JOURNAL), self.state.join("journal.unreadable"))?;
        Ok(Some(error))
    }

    /// Writes the journal with this state.
    pub(super) fn write(&self, journal: &mut Journal, state: JournalState) -> io::Result<()> {
        journal.state = state;
        self.write_state(JOURNAL, &serde_json::to_vec_pretty(journal)?)
    }

    /// Adds the attempt to the history, once, and removes the journal.
    pub(super) fn close(&self, journal: &Journal, outcome: UpdateOutcome) -> io::Result<()> {
        let past = journal.past(outcome);
        // The space that the stage takes may be needed for the line.
        self.clear_stage()?;
        if self.history()?.last().is_none_or(|last| last.began_at != past.began_at) {
            self.add_line(HISTORY, &serde_json::to_string(&past)?)?;
        }
        self.shorten_history()?;
        self.forget()
    }

    /// Removes everything of the attempt under way except its line in the history.
    pub(super) fn forget(&self) -> io::Result<()> {
        self.clear_stage()?;
        self.free_reserved()?;
        let journal = self.state.join(JOURNAL);
        self.trap.step(DiskOperation::Remove(&journal), || existing(std::fs::remove_file(&journal)).map(drop))
    }

    /// Shortens a long history to the latest attempts. Attempts that have changed nothing go first: a worker can cause
    /// any number of refusals, and these must not displace an attempt that was rolled back.
    fn shorten_history(&self) -> io::Result<()> {
        let mut history = self.history()?;
        if history.len() <= MAX_PAST {
            return Ok(());
        }
        let mut over = history.len().saturating_sub(MAX_PAST);
        history.retain(|past| {
            let goes = over > 0 && matches!(past.outcome, UpdateOutcome::Refused | UpdateOutcome::Interrupted);
            over = over.saturating_sub(usize::from(goes));
            !goes
        });
        let lines = history.iter().skip(over).map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
        self.write_state(HISTORY, format!("{}\n", lines.join("\n")).as_bytes())
    }

    /// Returns all completed attempts, the oldest first. A line that cannot be read is skipped.
    pub(super) fn history(&self) -> io::Result<Vec<PastUpdate>> {
        let bytes = self.read_state(HISTORY)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Writes and reads the files that a guard writes and reads at its start.
    pub(super) fn check_files(&self) -> io::Result<()> {
        self.write_state(JOURNAL, b"{}")?;
        self.add_line(HISTORY, "{}")?;
        self.history().map(drop)
    }

    /// Returns the state of updates as it is reported.
    pub(super) fn status(&self, impossible: Option<UpdateReason>) -> io::Result<UpdateStatus> {
        let is_over = |state| matches!(state, JournalState::RolledBack | JournalState::Committed);
        let attempt = self.journal()?.filter(|journal| !is_over(journal.state)).map(|journal| journal.attempt());
        let past = self.history()?.into_iter().rev().take(MAX_PAST_REPORTED).map(PastUpdate::bounded).collect();
        Ok(UpdateStatus { impossible, attempt, past })
    }
}
