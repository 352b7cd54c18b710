//! The report of updates: the one under way, step by step, and the past ones.
//!
//! The guard writes it, the pages and the API show it, and the reader may be of another release than the writer: fields
//! are added, never changed.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use crate::platform::variants::named;
use crate::text::message::Message;
use crate::text::{Texts, one_line};

/// Number of past attempts that the worker is given.
pub const MAX_PAST_REPORTED: usize = 20;

/// Upper bound on the past attempts that the history keeps.
pub const MAX_PAST: usize = 200;

/// Upper bound on a name given by a worker or a release, such as a version or a login, in characters.
const MAX_NAME: usize = 100;

/// Upper bound on a message given by a worker or a release, in characters.
const MAX_SENTENCE: usize = 1_000;

/// Upper bound on the details of a reason.
const MAX_DETAILS: usize = 20;

/// Upper bound on the steps of an attempt.
const MAX_STEPS: usize = 50;

/// Number of last lines that are kept of a release that failed.
pub const MAX_LINES_KEPT: usize = 20;
/// Upper bound on the length of a kept line, in characters.
pub const MAX_LINE_LENGTH: usize = 300;

/// The guard's knowledge of updates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UpdateStatus {
    /// Reason why this installation cannot be updated from here, if it cannot.
    #[serde(default)]
    pub impossible: Option<UpdateReason>,
    /// Attempt under way.
    #[serde(default)]
    pub attempt: Option<UpdateAttempt>,
    /// Last completed attempts, the latest first.
    #[serde(default)]
    pub past: Vec<PastUpdate>,
}

impl UpdateStatus {
    /// Shortens the knowledge until its JSON takes `bytes` bytes at most: the lines of the oldest attempts go first,
    /// then those attempts.
    pub fn fit(&mut self, bytes: usize) {
        let fits = |known: &Self| serde_json::to_vec(known).is_ok_and(|text| text.len() <= bytes);
        while !fits(self) {
            if let Some(past) = self.past.iter_mut().rev().find(|past| !past.lines.is_empty()) {
                past.lines.clear();
            } else if self.past.pop().is_none() {
                // The rest is bounded where it enters, and cannot be longer than that.
                self.attempt = None;
                self.impossible = self.impossible.take().map(UpdateReason::bounded);
                return;
            }
        }
    }

    /// Returns the reason why this version is not to be installed from here; `None` if it can be tried.
    pub fn against(&self, version: &str) -> Option<UpdateReason> {
        let tried = |past: &PastUpdate| past.outcome == UpdateOutcome::RolledBack && past.to == version;
        let sentence = "this release was tried and rolled back before; wait for the next one";
        let again = || UpdateReason::new("rolled_back_before", sentence);
        self.impossible.clone().or_else(|| self.past.iter().any(tried).then(again))
    }
}

/// The reason why something was refused, undone or is not possible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Reason)]
pub struct UpdateReason {
    /// Key of the reason, for translations: `signature`, `disk_full`.
    pub kind: String,
    /// The whole message in English, with a way to fix the problem.
    pub sentence: String,
    /// Values that the message contains.
    #[serde(default)]
    pub details: BTreeMap<String, String>,
}

impl UpdateReason {
    /// Creates a reason without details. Overlong text is cut: it may come from a worker or a release.
    pub fn new(kind: &str, sentence: impl Into<String>) -> Self {
        Self {
            kind: one_line(kind, MAX_NAME),
            sentence: one_line(&sentence.into(), MAX_SENTENCE),
            details: BTreeMap::new(),
        }
    }

    /// Cuts the parts that exceed their bounds.
    #[must_use]
    pub fn bounded(self) -> Self {
        let details = self.details.into_iter().take(MAX_DETAILS);
        Self {
            kind: one_line(&self.kind, MAX_NAME),
            sentence: one_line(&self.sentence, MAX_SENTENCE),
            details: details.map(|(name, what)| (one_line(&name, MAX_NAME), one_line(&what, MAX_SENTENCE))).collect(),
        }
    }

    /// Adds a value that the message contains.
    #[must_use]
    pub fn with(mut self, name: &str, what: impl fmt::Display) -> Self {
        self.details.insert(one_line(name, MAX_NAME), one_line(&what.to_string(), MAX_SENTENCE));
        self
    }
}

/// A later release may give a reason that has no message here: its English text is shown.
impl From<&UpdateReason> for Message {
    fn from(reason: &UpdateReason) -> Self {
        let key = format!("update-reason-{}", reason.kind);
        let message = |english: &str| {
            let values = reason.details.iter().map(|(name, what)| (name.as_str(), what.into()));
            Self::worded(english, &key, values)
        };
        message(&message(&reason.sentence).rendered(Texts::of(None)))
    }
}

impl fmt::Display for UpdateReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.sentence)
    }
}

/// An update under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Attempt)]
pub struct UpdateAttempt {
    /// Version before the attempt.
    pub from: String,
    /// Version to be installed.
    pub to: String,
    /// Origin of the request: a login, `command line` or `auto`.
    pub asked_by: String,
    /// Start time (UTC).
    pub began_at: Timestamp,
    /// Steps so far; the last one is under way.
    #[serde(default)]
    pub steps: Vec<StepTaken>,
}

impl UpdateAttempt {
    /// Cuts the parts that exceed their bounds.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.steps.truncate(MAX_STEPS);
        let [from, to, asked_by] = [self.from, self.to, self.asked_by].map(|name| one_line(&name, MAX_NAME));
        Self { from, to, asked_by, ..self }
    }
}

/// A step of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StepTaken {
    /// The step itself.
    pub step: UpdateStep,
    /// Start time (UTC).
    pub began_at: Timestamp,
}

/// The steps of an attempt, in their order.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "snake_case")]
#[schema(as = Step)]
#[serde(rename_all = "snake_case")]
pub enum UpdateStep {
    /// Check of the package against the compiled-in keys, and its unpacking.
    Verify,
    /// Check of the new release: its identity, and its ability to work with the settings.
    Preflight,
    /// Copy of the store.
    BackUp,
    /// Wait for running work to reach a safe point.
    Drain,
    /// Replacement of the old release by the new one.
    Swap,
    /// Trial in which the new release serves, and changes nothing outside.
    Trial,
    /// Trial in which the new release supervises itself.
    GuardTrial,
    /// Restoration of the old release.
    RollBack,
    /// A step of a later release.
    #[serde(other)]
    Other,
}

named!(pub UpdateStep, pub UpdateOutcome);

impl UpdateStep {
    /// Steps of an update in which all goes well, in their order.
    pub const FORWARD: [Self; 7] =
        [Self::Verify, Self::Preflight, Self::BackUp, Self::Drain, Self::Swap, Self::Trial, Self::GuardTrial];
}

/// The outcome of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
#[schema(as = Outcome)]
#[serde(rename_all = "snake_case")]
pub enum UpdateOutcome {
    /// New release in use.
    Committed,
    /// Return to the old release after the new one was tried.
    RolledBack,
    /// Refusal before anything was changed.
    Refused,
    /// Interruption before anything was changed.
    Interrupted,
    /// An outcome of a later release.
    #[serde(other)]
    Other,
}

/// A completed attempt: a line of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Past)]
pub struct PastUpdate {
    /// Version before the attempt.
    pub from: String,
    /// Version that was to be installed.
    pub to: String,
    /// Origin of the request: a login, `command line` or `auto`.
    pub asked_by: String,
    /// Start time (UTC).
    pub began_at: Timestamp,
    /// End time (UTC).
    pub ended_at: Timestamp,
    /// SHA-256 of the new binary, if it became known.
    #[serde(default)]
    pub digest: Option<String>,
    /// Steps of the attempt, in their order.
    #[serde(default)]
    pub steps: Vec<StepTaken>,
    /// Outcome of the attempt.
    pub outcome: UpdateOutcome,
    /// Reason for the outcome, unless the attempt was committed.
    #[serde(default)]
    pub reason: Option<UpdateReason>,
    /// Last lines that the new release wrote, if it was rolled back.
    #[serde(default)]
    pub lines: Vec<String>,
}

impl PastUpdate {
    /// Cuts the parts that exceed their bounds.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.steps.truncate(MAX_STEPS);
        self.lines.truncate(MAX_LINES_KEPT);
        let [from, to, asked_by] = [self.from, self.to, self.asked_by].map(|name| one_line(&name, MAX_NAME));
        Self {
            from,
            to,
            asked_by,
            digest: self.digest.map(|digest| one_line(&digest, MAX_NAME)),
            reason: self.reason.map(UpdateReason::bounded),
            lines: self.lines.iter().map(|line| one_line(line, MAX_LINE_LENGTH)).collect(),
            ..self
        }
    }
}

/// Returns a name as it may be written into a journal or a log: at most `MAX_NAME` characters, in one line.
pub fn name_of(text: &str) -> String {
    one_line(text, MAX_NAME)
}

#[cfg(test)]
mod tests;
