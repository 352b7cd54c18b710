//! What is told of an update: the one under way, step by step, and those that have been.
//!
//! The guard writes it, the pages and the API show it, and both may be of other releases than whoever
//! wrote: fields are added, never changed.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::text::{Texts, Value};

/// The number of past attempts that the worker is told of.
pub const PAST_TOLD: usize = 20;

/// The number of past attempts that the history keeps, the latest.
pub const MAX_PAST: usize = 200;

/// The longest name that a worker or a release gives: a version, a login; in characters.
const MAX_NAME: usize = 100;

/// The longest sentence that a worker or a release gives, in characters.
const MAX_SENTENCE: usize = 1_000;

/// The most things that a reason names.
const MAX_DETAILS: usize = 20;

/// The most steps of an attempt.
const MAX_STEPS: usize = 50;

/// How many last lines of a release that failed are kept, and how long each may be.
pub const LINES_KEPT: usize = 20;
/// The longest of these lines, in characters.
pub const LONGEST_LINE: usize = 300;

/// All that the guard knows of updates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Why this installation cannot be updated from here, where it cannot.
    #[serde(default)]
    pub impossible: Option<Reason>,
    /// The attempt under way.
    #[serde(default)]
    pub attempt: Option<Attempt>,
    /// The last attempts that are over, the latest first.
    #[serde(default)]
    pub past: Vec<Past>,
}

impl Known {
    /// Cuts it until it takes `bytes` as JSON at most: the lines of the oldest attempts go first, then those attempts.
    pub fn fit(&mut self, bytes: usize) {
        let fits = |known: &Self| serde_json::to_vec(known).is_ok_and(|text| text.len() <= bytes);
        while !fits(self) {
            if let Some(past) = self.past.iter_mut().rev().find(|past| !past.lines.is_empty()) {
                past.lines.clear();
            } else if self.past.pop().is_none() {
                // What is left is bounded where it enters; it cannot be longer than that.
                self.attempt = None;
                self.impossible = self.impossible.take().map(Reason::bounded);
                return;
            }
        }
    }

    /// Why this version is not to be installed from here; nothing where it can be tried.
    pub fn against(&self, version: &str) -> Option<Reason> {
        let tried = |past: &&Past| past.outcome == Outcome::RolledBack && past.to == version;
        self.impossible.clone().or_else(|| {
            self.past.iter().any(|past| tried(&past)).then(|| {
                let sentence = "this very release was tried and rolled back before; wait for the next one";
                Reason::new("rolled_back_before", sentence)
            })
        })
    }
}

/// Why something was refused, undone or is not possible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// What it is about, for translations: `signature`, `disk_full`.
    pub kind: String,
    /// The whole sentence in English, with the way out.
    pub sentence: String,
    /// What the sentence names.
    #[serde(default)]
    pub details: BTreeMap<String, String>,
}

impl Reason {
    /// A reason that names nothing. What is longer than anybody reads is cut: it may come from a worker or a release.
    pub fn new(kind: &str, sentence: impl Into<String>) -> Self {
        Self { kind: cut(kind, MAX_NAME), sentence: cut(&sentence.into(), MAX_SENTENCE), details: BTreeMap::new() }
    }

    /// Cuts what is longer than anybody reads.
    #[must_use]
    pub fn bounded(self) -> Self {
        let details = self.details.into_iter().take(MAX_DETAILS);
        Self {
            kind: cut(&self.kind, MAX_NAME),
            sentence: cut(&self.sentence, MAX_SENTENCE),
            details: details.map(|(name, what)| (cut(&name, MAX_NAME), cut(&what, MAX_SENTENCE))).collect(),
        }
    }

    /// The same, naming something.
    #[must_use]
    pub fn with(mut self, name: &str, what: impl fmt::Display) -> Self {
        self.details.insert(cut(name, MAX_NAME), cut(&what.to_string(), MAX_SENTENCE));
        self
    }

    /// The sentence in the language of these texts; in English where there is none for it, as where a
    /// later release has given the reason.
    pub fn in_words(&self, texts: &Texts) -> String {
        let values: Vec<Value<'_>> =
            self.details.iter().map(|(name, what)| (name.as_str(), what.as_str().into())).collect();
        texts.find(&format!("update-reason-{}", self.kind), &values).unwrap_or_else(|| self.sentence.clone())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.sentence)
    }
}

/// An update under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    /// The version that was there.
    pub from: String,
    /// The version that is to be there.
    pub to: String,
    /// Who asked: a login, `command line`, `auto`.
    pub asked_by: String,
    /// When it began (UTC).
    pub began_at: Timestamp,
    /// The steps so far; the last one is under way.
    #[serde(default)]
    pub steps: Vec<StepTaken>,
}

impl Attempt {
    /// Cuts what is longer than anybody reads.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.steps.truncate(MAX_STEPS);
        let [from, to, asked_by] = [self.from, self.to, self.asked_by].map(|name| cut(&name, MAX_NAME));
        Self { from, to, asked_by, ..self }
    }
}

/// A step of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StepTaken {
    /// Which.
    pub step: Step,
    /// When it began (UTC).
    pub began_at: Timestamp,
}

/// The steps of an attempt, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The package is checked against the keys that are compiled in, and unpacked.
    Verify,
    /// The new release says what it is, and whether it can work with the settings.
    Preflight,
    /// A copy of the store is made.
    BackUp,
    /// What is in hand comes to a safe point.
    Drain,
    /// The new release takes the place of the old one.
    Swap,
    /// The new release serves, and changes nothing outside.
    Trial,
    /// The new release supervises itself.
    GuardTrial,
    /// The old release is put back.
    RollBack,
    /// A step of a later release.
    #[serde(other)]
    Other,
}

impl Step {
    /// Those that an update takes where all goes well, in their order.
    pub const FORWARD: [Self; 7] =
        [Self::Verify, Self::Preflight, Self::BackUp, Self::Drain, Self::Swap, Self::Trial, Self::GuardTrial];

    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Preflight => "preflight",
            Self::BackUp => "back_up",
            Self::Drain => "drain",
            Self::Swap => "swap",
            Self::Trial => "trial",
            Self::GuardTrial => "guard_trial",
            Self::RollBack => "roll_back",
            Self::Other => "other",
        }
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The new release is in use.
    Committed,
    /// The new release was tried, and the old one is back.
    RolledBack,
    /// It was refused before anything was changed.
    Refused,
    /// Something cut it off before anything was changed.
    Interrupted,
    /// An outcome of a later release.
    #[serde(other)]
    Other,
}

impl Outcome {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::RolledBack => "rolled_back",
            Self::Refused => "refused",
            Self::Interrupted => "interrupted",
            Self::Other => "other",
        }
    }
}

/// An attempt that is over: a line of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Past {
    /// The version that was there.
    pub from: String,
    /// The version that was to be there.
    pub to: String,
    /// Who asked.
    pub asked_by: String,
    /// When it began (UTC).
    pub began_at: Timestamp,
    /// When it ended (UTC).
    pub ended_at: Timestamp,
    /// SHA-256 of the new binary, where it came to be known.
    #[serde(default)]
    pub digest: Option<String>,
    /// The steps that it took, in their order.
    #[serde(default)]
    pub steps: Vec<StepTaken>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it ended so, where it was not committed.
    #[serde(default)]
    pub reason: Option<Reason>,
    /// The last lines that the new release wrote, where it was rolled back.
    #[serde(default)]
    pub lines: Vec<String>,
}

impl Past {
    /// Cuts what is longer than anybody reads.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.steps.truncate(MAX_STEPS);
        self.lines.truncate(LINES_KEPT);
        let [from, to, asked_by] = [self.from, self.to, self.asked_by].map(|name| cut(&name, MAX_NAME));
        Self {
            from,
            to,
            asked_by,
            digest: self.digest.map(|digest| cut(&digest, MAX_NAME)),
            reason: self.reason.map(Reason::bounded),
            lines: self.lines.iter().map(|line| cut(line, LONGEST_LINE)).collect(),
            ..self
        }
    }
}

/// A name as it may be written into a journal or a log: of at most [`MAX_NAME`] characters, in one line.
pub fn name_of(text: &str) -> String {
    cut(text, MAX_NAME)
}

/// The first `most` characters, in one line: whoever wrote them may want to pass for another line, or to move the
/// cursor of whoever reads them in a terminal.
fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn past(text: &str, lines: usize) -> Past {
        let at = Timestamp::UNIX_EPOCH;
        Past {
            from: text.to_owned(),
            to: text.to_owned(),
            asked_by: text.to_owned(),
            began_at: at,
            ended_at: at,
            digest: Some(text.to_owned()),
            steps: vec![StepTaken { step: Step::Verify, began_at: at }; lines],
            outcome: Outcome::RolledBack,
            reason: Some(Reason::new(text, text).with(text, text)),
            lines: vec![text.to_owned(); lines],
        }
    }

    proptest! {
        /// Whatever a release has said, of however many attempts: what is told of it fits, and the latest attempt is
        /// told of.
        #[test]
        fn whatever_is_known_fits(text in "\\PC{0,400}", lines in 0_usize..400, attempts in 1_usize..=PAST_TOLD) {
            let mut known = Known {
                impossible: Some(Reason::new("x", text.clone()).bounded()),
                attempt: None,
                past: vec![past(&text, lines).bounded(); attempts],
            };
            known.fit(crate::update::channel::MAX_KNOWN);
            prop_assert!(serde_json::to_vec(&known).unwrap().len() <= crate::update::channel::MAX_KNOWN);
            prop_assert!(!known.past.is_empty());
        }
    }
}
