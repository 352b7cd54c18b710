//! Lines gathered for alerts: ten thousand lines become a handful of messages with counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::Notify;

use super::LogLine;

/// Maximum number of distinct messages; lines beyond it are counted by their level.
const MAX_SENTENCES: usize = 100;
/// Maximum number of shops and of vouchers named per message.
const MAX_EXAMPLES: usize = 5;

/// Lines grouped by message. Their number is bounded, however many lines there are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AlertBatch {
    /// Groups of similar lines; stored under the name that every release reads.
    #[serde(default, rename = "sentences", alias = "groups")]
    pub groups: Vec<AlertGroup>,
    /// Number of lines outside the groups once there are too many groups, by level.
    #[serde(default)]
    pub others: BTreeMap<u16, u64>,
    /// The time of the first line (UTC).
    #[serde(default)]
    pub first_at: Option<Timestamp>,
    /// The time of the last line (UTC).
    #[serde(default)]
    pub last_at: Option<Timestamp>,
}

/// Lines whose messages differ only in their numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertGroup {
    /// Level from 100 (DEBUG) to 600 (EMERGENCY).
    pub level: u16,
    /// Action of the lines.
    #[serde(default)]
    pub action: String,
    /// Message of the first line.
    #[serde(default)]
    pub message: String,
    /// Number of lines.
    pub count: u64,
    /// Time of the first line (UTC).
    pub first_at: Timestamp,
    /// Time of the last line (UTC).
    pub last_at: Timestamp,
    /// Some of the shops concerned.
    #[serde(default)]
    pub mirakl_ids: Vec<u64>,
    /// Some of the vouchers concerned.
    #[serde(default)]
    pub vouchers: Vec<String>,
    /// Fields written by a later release, kept unchanged.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl AlertGroup {
    fn of(line: &LogLine) -> Self {
        Self {
            level: line.level,
            action: line.action.clone(),
            message: line.message.clone(),
            count: 1,
            first_at: line.at,
            last_at: line.at,
            mirakl_ids: line.mirakl_id.into_iter().collect(),
            vouchers: line.fields.get("voucher").and_then(Value::as_str).map(str::to_owned).into_iter().collect(),
            unknown: Map::new(),
        }
    }

    /// Returns true if both have the same level, action and message apart from numbers.
    fn is_like(&self, other: &Self) -> bool {
        (self.level, self.action.as_str()) == (other.level, other.action.as_str())
            && without_numbers(&self.message).eq(without_numbers(&other.message))
    }

    fn absorb(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.first_at = self.first_at.min(other.first_at);
        self.last_at = self.last_at.max(other.last_at);
        add_examples(&mut self.mirakl_ids, other.mirakl_ids);
        add_examples(&mut self.vouchers, other.vouchers);
    }
}

fn add_examples<T: PartialEq>(known: &mut Vec<T>, new: Vec<T>) {
    for one in new {
        if known.len() < MAX_EXAMPLES && !known.contains(&one) {
            known.push(one);
        }
    }
}

/// Returns the characters of a text, with each run of digits replaced by one `#`.
pub fn without_numbers(text: &str) -> impl Iterator<Item = char> {
    let mut in_number = false;
    text.chars().filter_map(move |letter| {
        let again = in_number && letter.is_ascii_digit();
        in_number = letter.is_ascii_digit();
        if again { None } else { Some(if in_number { '#' } else { letter }) }
    })
}

impl AlertBatch {
    /// Returns true if no line was gathered.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.others.is_empty()
    }

    /// Returns the number of lines gathered.
    pub fn lines(&self) -> u64 {
        let told = self.groups.iter().map(|sentence| sentence.count);
        told.chain(self.others.values().copied()).fold(0, u64::saturating_add)
    }

    /// Returns the number of lines per level, the most severe first.
    pub fn by_level(&self) -> Vec<(u16, u64)> {
        let mut levels = self.others.clone();
        for sentence in &self.groups {
            let count = levels.entry(sentence.level).or_default();
            *count = count.saturating_add(sentence.count);
        }
        levels.into_iter().rev().collect()
    }

    /// Returns the kinds of gathered messages, without their numbers.
    pub fn kinds(&self) -> impl Iterator<Item = String> {
        self.groups.iter().map(|sentence| {
            let words: String = without_numbers(&sentence.message).collect();
            format!("{} {}: {words}", sentence.level, sentence.action)
        })
    }

    /// Adds a line.
    pub fn add(&mut self, line: &LogLine) {
        self.add_sentence(AlertGroup::of(line));
    }

    /// Adds everything that another batch gathered.
    pub fn absorb(&mut self, other: Self) {
        for sentence in other.groups {
            self.add_sentence(sentence);
        }
        for (level, count) in other.others {
            self.count(level, count);
        }
        self.span(other.first_at, other.last_at);
    }

    fn add_sentence(&mut self, sentence: AlertGroup) {
        self.span(Some(sentence.first_at), Some(sentence.last_at));
        if let Some(known) = self.groups.iter_mut().find(|known| known.is_like(&sentence)) {
            return known.absorb(sentence);
        }
        if self.groups.len() < MAX_SENTENCES {
            return self.groups.push(sentence);
        }
        // The least severe group gives way.
        match self.groups.iter_mut().min_by_key(|known| known.level) {
            Some(least) if least.level < sentence.level => {
                let gone = std::mem::replace(least, sentence);
                self.count(gone.level, gone.count);
            }
            _ => self.count(sentence.level, sentence.count),
        }
    }

    fn count(&mut self, level: u16, lines: u64) {
        let count = self.others.entry(level).or_default();
        *count = count.saturating_add(lines);
    }

    fn span(&mut self, first: Option<Timestamp>, last: Option<Timestamp>) {
        self.first_at = [self.first_at, first].into_iter().flatten().min();
        self.last_at = self.last_at.max(last);
    }
}

/// Buffer of lines until they are mailed.
#[derive(Debug, Default)]
pub struct Alerts {
    gathered: Mutex<AlertBatch>,
    came: Notify,
}

impl Alerts {
    fn lock(&self) -> MutexGuard<'_, AlertBatch> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, line: &LogLine) {
        self.lock().add(line);
        self.came.notify_one();
    }

    /// Returns true if it holds a kind of message that is not in `told`.
    pub fn holds_news(&self, told: &BTreeSet<String>) -> bool {
        self.lock().kinds().any(|kind| !told.contains(&kind))
    }

    /// Puts back lines that were gathered elsewhere or could not be mailed.
    pub fn give_back(&self, summary: AlertBatch) {
        let mut gathered = self.lock();
        let since = std::mem::replace(&mut *gathered, summary);
        gathered.absorb(since);
    }

    /// Takes everything gathered so far.
    pub fn take(&self) -> AlertBatch {
        std::mem::take(&mut *self.lock())
    }

    /// Returns true if nothing is gathered.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Waits until something has been gathered since the last call.
    pub async fn wait_for_lines(&self) {
        self.came.notified().await;
    }
}

#[cfg(test)]
mod tests;
