//! Troubles: problems that stay open until they are found to be gone. Each is notified once when it begins, at most
//! once a day while it is noticed again, and once when it is over, however often it is noticed.
//!
//! The part that notices a trouble reports it under its key; the part that finds it gone resolves it. This registry
//! remembers the open troubles and the pending notices; [`crate::mail`] keeps both in the store and notifies people. If
//! the store itself is the trouble, only this registry holds it until the store works again.

mod notified_file;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::Notify;

pub use notified_file::Aside;

use crate::config::LogLevel;
use crate::store::{StoreError, View};
use crate::text::message::{self, Message, logged, msg};

/// Trouble key: HiPay does not answer.
pub const HIPAY: &str = "hipay";
/// Trouble key: Mirakl does not answer.
pub const MIRAKL: &str = "mirakl";
/// Trouble key: Mirakl or HiPay refuses the credentials of the configuration.
pub const CREDENTIALS: &str = "credentials";
/// Trouble key: the marketplace's account does not cover what is due.
pub const ESCROW: &str = "escrow";
/// Trouble key: the store cannot be written, because of a full or failing disk.
pub const STORE: &str = "store";
/// Trouble key: the disk takes seconds for what takes milliseconds.
pub const SLOW_DISK: &str = "slow_disk";
/// Trouble key: this machine's clock differs from HiPay's.
pub const CLOCK: &str = "clock";
/// Trouble key: the certificate of `server.tls.certificate` expires soon.
pub const CERTIFICATE: &str = "certificate";
/// Trouble key: the service ended without having been stopped.
pub const SERVICE: &str = "service";
/// Trouble key: the mail server accepts no mail.
pub const MAIL: &str = "mail";

/// Keys of all troubles that do not belong to one batch or one channel.
pub const ALL: [&str; 10] = [HIPAY, MIRAKL, CREDENTIALS, ESCROW, STORE, SLOW_DISK, CLOCK, CERTIFICATE, SERVICE, MAIL];

/// Field of a log line that names the trouble that the line reports or resolves.
pub const FIELD: &str = "trouble";

/// Store document of the open troubles.
const DOCUMENT: &str = "troubles";

/// Time after which an open trouble is notified again: less than a day, so that a daily batch does so daily.
pub const REMINDER_INTERVAL: SignedDuration = SignedDuration::from_hours(20);
/// Time within which a trouble counts as coming back; it is then over only once it has not been noticed for as long. A
/// trouble that comes and goes is notified twice a quarter of an hour, not twice a minute.
const QUIET_INTERVAL: SignedDuration = SignedDuration::from_mins(15);

/// An open trouble.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Stable key, such as `hipay` or `batch:cashout:transfer`.
    pub key: String,
    /// Level of its first line, raised if it becomes worse: 100 DEBUG to 600 EMERGENCY.
    pub level: u16,
    /// Description of the problem and of the remedy, as English text.
    #[serde(flatten, with = "message::stored")]
    pub message: Message,
    /// Time of the first notice (UTC).
    pub opened_at: Timestamp,
    /// Time of the last notice (UTC).
    pub seen_at: Timestamp,
    /// Time at which people were last notified (UTC).
    pub told_at: Timestamp,
    /// Number of times that it was noticed.
    pub times: u64,
    /// Causes, if one trouble can have several; a new one is notified at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// True if it had been gone for some minutes only.
    #[serde(default)]
    pub came_back: bool,
    /// Time at which it was found to be gone (UTC); `None` while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// Fields that a later release wrote, kept unchanged.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl Trouble {
    fn new(key: &str, level: LogLevel, message: Message, at: Timestamp) -> Self {
        Self {
            key: key.to_owned(),
            level: level.number(),
            message,
            opened_at: at,
            seen_at: at,
            told_at: at,
            times: 1,
            causes: Vec::new(),
            came_back: false,
            resolved_at: None,
            unknown: Map::new(),
        }
    }

    /// Makes the trouble that the store cannot be written or opened, since `at`.
    pub fn of_store(reason: &str, at: Timestamp) -> Self {
        let message = msg!("trouble-store", error = reason);
        Self::new(STORE, LogLevel::Critical, message, at)
    }
}

/// Place and time at which a trouble was noticed, for the log.
#[derive(Debug, Clone, Copy)]
pub struct Noticed<'a> {
    /// The command of a batch, or a part of the appliance.
    pub action: &'a str,
    /// The batch, if any.
    pub batch: Option<u64>,
    /// Time of the observation (UTC).
    pub at: Timestamp,
}

/// All troubles of this process. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Troubles(Arc<TroublesInner>);

#[derive(Debug, Default)]
struct TroublesInner {
    state: Mutex<TroublesState>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct TroublesState {
    open: BTreeMap<String, Trouble>,
    /// Troubles that were resolved within the last minutes.
    over: BTreeMap<String, Trouble>,
    /// Troubles to notify, in order; those with `resolved_at` are over.
    to_tell: Vec<Trouble>,
    /// True if the open troubles differ from the stored ones.
    unsaved: bool,
    /// Note of the store's trouble outside the store.
    aside: Option<Aside>,
}

impl Troubles {
    /// Loads the troubles that the previous process left open, from its store.
    pub fn load(&self, view: &impl View) -> Result<(), StoreError> {
        let known = view.get_document::<BTreeMap<String, Trouble>>(DOCUMENT)?.unwrap_or_default();
        let mut state = self.lock();
        for (key, trouble) in known {
            let side = if trouble.resolved_at.is_some() { &mut state.over } else { &mut state.open };
            side.entry(key).or_insert(trouble);
        }
        Ok(())
    }

    /// Loads the trouble that was notified while the store could not be written, now that it is open again, and uses
    /// the note from now on.
    pub fn note_aside(&self, aside: Aside) {
        if let Some(trouble) = aside.read() {
            let message = msg!("log-trouble-kept", since = trouble.opened_at.to_string(), message = &trouble.message);
            logged!(warn, action = "serve", trouble = trouble.key, message);
            let mut state = self.lock();
            state.open.entry(trouble.key.clone()).or_insert(trouble);
            state.unsaved = true;
        }
        self.lock().aside = Some(aside);
    }

    /// Returns the note of the store's trouble outside the store.
    pub fn aside(&self) -> Option<Aside> {
        self.lock().aside.clone()
    }

    /// Reports trouble `key`, with `message` at `level`: logged at that level and notified if it is new, has become
    /// worse, or was last notified more than [`REMINDER_INTERVAL`] ago; logged as a warning otherwise. Returns true if it is
    /// notified.
    pub fn report(&self, key: &str, level: LogLevel, message: Message, noticed: Noticed<'_>) -> bool {
        self.report_causes(key, level, message, &[], noticed)
    }

    /// Reports as [`Troubles::report`] does, with the trouble's `causes`: it is notified again if one is new.
    pub fn report_causes(
        &self,
        key: &str,
        level: LogLevel,
        message: Message,
        causes: &[&str],
        noticed: Noticed<'_>,
    ) -> bool {
        let Noticed { action, batch, at } = noticed;
        let line = message.clone();
        let is_told = self.remember((key, level), message, causes, at);
        if is_told && level >= LogLevel::Error {
            let severity = level.name();
            logged!(error, severity, action, batch, trouble = key, line);
        } else {
            logged!(warn, action, batch, trouble = key, line);
        }
        is_told
    }

    fn remember(&self, (key, level): (&str, LogLevel), message: Message, causes: &[&str], at: Timestamp) -> bool {
        let mut state = self.lock();
        state.unsaved = true;
        if let Some(known) = state.open.get_mut(key) {
            known.seen_at = at;
            known.times = known.times.saturating_add(1);
            let is_new = |cause: &&str| !known.causes.iter().any(|known| known == cause);
            let new: Vec<String> =
                causes.iter().filter(|cause| is_new(cause)).map(|cause| (*cause).to_owned()).collect();
            let is_worse = level.number() > known.level || !new.is_empty();
            if at.duration_since(known.told_at).abs() < REMINDER_INTERVAL && !is_worse {
                return false;
            }
            // Everyone who was notified of it is notified of its end.
            known.level = known.level.max(level.number());
            known.causes.extend(new);
            (known.message, known.told_at) = (message, at);
            let told = known.clone();
            state.to_tell.push(told);
        } else {
            let over_at = state.over.get(key).and_then(|over| over.resolved_at);
            let mut trouble = Trouble::new(key, level, message, at);
            trouble.causes = causes.iter().map(|cause| (*cause).to_owned()).collect();
            trouble.came_back = over_at.is_some_and(|over_at| at.duration_since(over_at).abs() < QUIET_INTERVAL);
            state.open.insert(key.to_owned(), trouble.clone());
            state.to_tell.push(trouble);
        }
        drop(state);
        self.0.changed.notify_one();
        true
    }

    /// Resolves trouble `key` if it is open; returns true if it did.
    pub fn resolve(&self, key: &str, noticed: Noticed<'_>) -> bool {
        let Noticed { action, batch, at } = noticed;
        let trouble = {
            let mut state = self.lock();
            let quiet = |open: &Trouble| !open.came_back || at.duration_since(open.seen_at).abs() >= QUIET_INTERVAL;
            if !state.open.get(key).is_some_and(quiet) {
                return false;
            }
            let Some(mut trouble) = state.open.remove(key) else { return false };
            trouble.resolved_at = Some(at);
            let recent = |over: &Trouble| {
                over.resolved_at.is_some_and(|over_at| at.duration_since(over_at).abs() < QUIET_INTERVAL)
            };
            state.over.retain(|_, over| recent(over));
            state.over.insert(key.to_owned(), trouble.clone());
            state.unsaved = true;
            state.to_tell.push(trouble.clone());
            trouble
        };
        self.0.changed.notify_one();
        let message = msg!("log-trouble-resolved", since = trouble.opened_at.to_string(), message = &trouble.message);
        logged!(info, severity = "NOTICE", action, batch, trouble = key, message);
        true
    }

    /// Returns true if trouble `key` is open.
    pub fn is_open(&self, key: &str) -> bool {
        self.lock().open.contains_key(key)
    }

    /// Returns the open troubles, oldest first.
    pub fn open(&self) -> Vec<Trouble> {
        let mut open: Vec<Trouble> = self.lock().open.values().cloned().collect();
        open.sort_by_key(|trouble| trouble.opened_at);
        open
    }

    /// Takes the troubles to notify.
    pub fn take(&self) -> Vec<Trouble> {
        std::mem::take(&mut self.lock().to_tell)
    }

    /// Gives back the troubles that could not be notified yet.
    pub fn put_back(&self, untold: Vec<Trouble>) {
        self.lock().to_tell.splice(0..0, untold);
    }

    /// Waits until there is a trouble to notify.
    pub async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// Returns the troubles to store, open and just over, and marks them as stored; `None` if nothing has changed.
    pub fn unsaved(&self) -> Option<BTreeMap<String, Trouble>> {
        let mut state = self.lock();
        let has_changed = std::mem::take(&mut state.unsaved);
        has_changed.then(|| state.over.iter().chain(&state.open).map(|(key, one)| (key.clone(), one.clone())).collect())
    }

    /// Records that they could not be stored.
    pub fn not_saved(&self) {
        self.lock().unsaved = true;
    }

    fn lock(&self) -> MutexGuard<'_, TroublesState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stores the troubles that are open or just over.
pub fn save(writer: &mut crate::store::Writer<'_>, open: &BTreeMap<String, Trouble>) -> Result<(), StoreError> {
    writer.put_document(DOCUMENT, open)
}

#[cfg(test)]
mod tests;
