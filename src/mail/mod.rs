//! Calls for help by e-mail and on the channels of `alert.*`: troubles, log lines and the daily digest.
//!
//! A trouble ([`crate::trouble`]) is told at once, and once more when it is over.
//!
//! Lines at or above `email.logger.alert.level` are gathered and mailed together: the first one of a
//! quiet time goes out after half a minute with what has come by then. After that a line that no alert
//! has told goes out within ninety seconds, and lines like those told wait five minutes: its sentences with counts, the
//! most severe first. Mails wait in an outbox in the store, so a restart loses none; while the mail
//! server is away, new lines join the alert that waits, so that its return is no storm. Lines that
//! were logged and not mailed when the process was killed are found in the store at the next start.
//!
//! A line about the mail itself ([`crate::logs::MAIL`]) is never mailed.
//!
//! A mail names shops and vouchers, and what the log says: nothing personal, see [`crate::logs`].

mod channel;
mod compose;
mod delivery;
mod digest;
mod outbox;
mod post;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

pub use channel::Channel;
use delivery::{Delivery, key_of, report};
pub use digest::{Digest, OfLevel, OfStatus, Runs};
pub use outbox::{Mail, MailKind, MailState, queue};
pub use post::{Letter, Post, PostError, SENT_WITHIN};

use crate::config::{Config, LogLevel, MailConfig, Settings};
use crate::logs::{AlertBatch, LogLine, Logs, MAIL};
use crate::platform::clock::Clock;
use crate::platform::gate::Gate;
use crate::store::{Query, Store, StoreError, View};
use crate::trouble::{self, Aside, Trouble, Troubles};

/// How long lines are gathered after the first one of a quiet time.
pub const FIRST_ALERT_AFTER: SignedDuration = SignedDuration::from_secs(30);
/// How long there is from one alert to the next, at least.
pub const BETWEEN_ALERTS: SignedDuration = SignedDuration::from_mins(5);
/// How long there is to the next alert where it tells something that no alert has told.
const BETWEEN_NEWS: SignedDuration = SignedDuration::from_secs(60);
/// How long the store may take to queue what is told of a trouble.
const QUEUED_WITHIN: Duration = Duration::from_secs(10);
/// How many messages that the store does not take are tried again.
const MAX_UNKEPT: usize = 50;
/// How many sentences are remembered as told.
const MAX_TOLD: usize = 500;
/// How often the outbox is looked at: others put digests into it.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(1);
/// How many lines of before a restart are looked through for an alert.
const MOST_LINES_OF_BEFORE: usize = 20_000;
/// How long an orderly stop waits for a mail that is being sent.
const STOPPED_WITHIN: Duration = Duration::from_secs(10);

/// The document about the last alert.
const ALERTS: &str = "mail/alerts";
/// How far the log has been mailed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Mark {
    /// The time of the last line that is in an alert.
    mailed_until: Option<Timestamp>,
    /// When the last alert was made.
    made_at: Option<Timestamp>,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

/// Makes mails and sends them.
pub struct Mailer {
    store: Store,
    clock: Clock,
    settings: Settings,
    logs: Option<Logs>,
    mark: Mark,
    /// When the lines that are gathered go into an alert.
    alert_at: Option<Timestamp>,
    /// Sentences that alerts of this process have told.
    told: BTreeSet<String>,
    delivery: Delivery,
    troubles: Troubles,
    /// Messages that the store did not take and nobody has got.
    unkept: Vec<Mail>,
    /// Nothing is sent while it is closed.
    gate: Gate,
}

impl Mailer {
    /// Mails by `settings`, from the outbox in `store`; alerts are those of `logs` and `troubles`.
    pub fn new(store: Store, clock: Clock, settings: Settings, logs: Option<Logs>, troubles: Troubles) -> Self {
        let delivery = Delivery::new(store.clone(), clock.clone(), settings.clone(), troubles.clone(), SENT_WITHIN);
        Self {
            store,
            clock,
            settings,
            logs,
            mark: Mark::default(),
            alert_at: None,
            told: BTreeSet::new(),
            delivery,
            troubles,
            unkept: Vec::new(),
            gate: Gate::default(),
        }
    }

    /// The same, but nothing is sent while `gate` is closed.
    #[must_use]
    pub fn behind(mut self, gate: Gate) -> Self {
        self.gate = gate;
        self
    }

    /// The same, but no single mail takes longer than `patience`.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.delivery.patience = patience;
        self
    }

    /// Mails until `stop` is cancelled. What is gathered then goes into the outbox, and is sent by the
    /// next one.
    pub async fn run(mut self, stop: CancellationToken) {
        self.begin().await;
        while !stop.is_cancelled() {
            tokio::select! {
                () = self.gate.opened() => {}
                () = stop.cancelled() => break,
            }
            let worked = async {
                self.tell_troubles().await;
                self.make_alert(false).await;
                self.delivery.send_due().await
            };
            // A mail in the middle of being sent may finish, so that it is not sent twice.
            let stopped = async {
                stop.cancelled().await;
                tokio::time::sleep(STOPPED_WITHIN).await;
            };
            let next = tokio::select! {
                next = worked => next,
                () = stopped => break,
            };
            self.wait(next, &stop).await;
        }
        self.tell_troubles().await;
        self.make_alert(true).await;
    }

    /// Puts what is gathered into the outbox and sends what is due there, once: for a command, behind
    /// which nobody stays.
    pub async fn once(mut self) {
        self.begin().await;
        self.tell_troubles().await;
        self.make_alert(true).await;
        self.delivery.send_due().await;
    }

    /// Puts what is still to be told into the outbox, for the next process: batches report until the very end.
    pub async fn keep(mut self) {
        self.tell_troubles().await;
    }

    /// Waits until there is something to do again.
    async fn wait(&mut self, next_try: Option<Timestamp>, stop: &CancellationToken) {
        loop {
            let now = self.clock.now();
            let alerts = self.logs.as_ref().map(Logs::alerts);
            // An alert that is made soon takes along what comes.
            let soon_enough = now.checked_add(BETWEEN_NEWS).unwrap_or(now);
            let waits = self.alert_at.is_none_or(|at| at > soon_enough);
            let is_news = waits && alerts.is_some_and(|alerts| alerts.holds_news(&self.told));
            if (self.alert_at.is_none() || is_news) && alerts.is_some_and(|alerts| !alerts.is_empty()) {
                let between = if is_news { BETWEEN_NEWS } else { BETWEEN_ALERTS };
                let quiet = self.mark.made_at.and_then(|at| at.checked_add(between).ok());
                let soon = now.checked_add(FIRST_ALERT_AFTER).unwrap_or(now);
                // A clock that was turned back must not keep an alert back for long.
                let latest = now.checked_add(between).unwrap_or(now);
                let due = quiet.map_or(soon, |quiet| quiet.max(soon)).min(latest);
                self.alert_at = Some(self.alert_at.map_or(due, |known| known.min(due)));
            }
            let look = now.checked_add(LOOK_AGAIN).unwrap_or(Timestamp::MAX);
            let until = [self.alert_at, next_try].into_iter().flatten().fold(look, Timestamp::min);
            let came = async {
                match &self.logs {
                    Some(logs) if self.alert_at.is_none_or(|at| at > soon_enough) => logs.alerts().came().await,
                    Some(_) | None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.clock.until(until) => return,
                () = stop.cancelled() => return,
                () = self.troubles.changed() => return,
                () = came => {}
            }
        }
    }

    /// Reads how far the log was mailed, and takes up what a killed process left unmailed.
    async fn begin(&mut self) {
        let Some(logs) = self.logs.clone() else { return };
        let begun_at = logs.begun_at();
        match self.store.reading(|reader| reader.get_document::<Mark>(ALERTS)).await {
            Ok(Some(mark)) => self.mark = mark,
            Ok(None) => {
                self.mark.mailed_until = Some(begun_at);
                let mark = self.mark.clone();
                let noted = self.store.write(move |writer| writer.put_document(ALERTS, &mark)).await;
                report("remember how far the log was mailed", noted.err().as_ref());
                return;
            }
            Err(error) => return report("read how far the log was mailed", Some(&error)),
        }
        let (Some(since), Some(level)) = (self.mark.mailed_until, self.settings.get().alert_level()) else { return };
        let unmailed = self.store.reading(move |reader| {
            let mut summary = AlertBatch::default();
            for level in LogLevel::ALL.into_iter().filter(|known| *known >= level) {
                let lines = Query::group("level", u64::from(level.number())).from(since).to(begun_at);
                for key in reader.keys::<LogLine>(&lines.limit(MOST_LINES_OF_BEFORE))?.keys {
                    let line = reader.get::<LogLine>(&key).ok().flatten();
                    // A trouble is kept by itself, and noticed again where it was not.
                    let of_lines = |line: &LogLine| line.action != MAIL && !line.fields.contains_key(trouble::FIELD);
                    if let Some(line) = line.filter(|line| line.at > since && of_lines(line)) {
                        summary.add(&line);
                    }
                }
            }
            Ok(summary)
        });
        match unmailed.await {
            Ok(unmailed) if unmailed.is_empty() => {}
            Ok(unmailed) => logs.alerts().give_back(unmailed),
            Err(error) => report("look for lines that were not mailed", Some(&error)),
        }
    }

    /// Makes an alert of what was gathered, once its time has come or `now` is asked for.
    async fn make_alert(&mut self, now: bool) {
        let Some(logs) = self.logs.clone() else { return };
        let at = self.clock.now();
        if logs.alerts().is_empty() || !(now || self.alert_at.is_some_and(|due| due <= at)) {
            return;
        }
        self.alert_at = None;
        let summary = logs.alerts().take();
        if self.told.len() > MAX_TOLD {
            self.told.clear();
        }
        self.told.extend(summary.kinds());
        let channels = Channel::all(&self.settings.get());
        if channels.is_empty() {
            return;
        }
        let mut mark = self.mark.clone();
        mark.made_at = Some(at);
        mark.mailed_until = mark.mailed_until.max(summary.last_at);
        let of = |channel| Mail::alert(summary.clone(), channel, at);
        let (mails, noted): (Vec<Mail>, Mark) = (channels.into_iter().map(of).collect(), mark.clone());
        let kept = mails.clone();
        let queued = self.store.write(move |writer| {
            kept.into_iter().try_for_each(|mail| outbox::queue(writer, mail))?;
            writer.put_document(ALERTS, &noted)
        });
        match queued.await {
            Ok(()) => self.mark = mark,
            // The next one finds the lines in the store.
            Err(StoreError::Closed) => {}
            Err(error) => {
                report("keep an alert", Some(&error));
                self.mark.made_at = Some(at);
                // Most likely that is what the alert is about.
                self.send_unkept(mails).await;
            }
        }
    }

    /// Sends what the store does not take, on all channels at once; what does not arrive is tried again.
    async fn send_unkept(&mut self, mails: Vec<Mail>) {
        let config = self.settings.get();
        let sent = mails.iter().map(|mail| delivery::send_once(mail, &config));
        let sent = futures_util::future::join_all(sent).await;
        for (mail, arrived) in mails.into_iter().zip(sent) {
            let of_store = mail.trouble.as_ref().filter(|trouble| trouble.key == trouble::STORE);
            if arrived {
                if let (Some(trouble), Some(aside)) = (of_store, self.troubles.aside()) {
                    aside.note(trouble);
                }
            } else if self.unkept.len() < MAX_UNKEPT {
                self.unkept.push(mail);
            }
        }
    }

    /// Tells on every channel of troubles that have begun or are over, and keeps what is open.
    async fn tell_troubles(&mut self) {
        let (now, config) = (self.clock.now(), self.settings.get());
        let unkept = std::mem::take(&mut self.unkept);
        self.send_unkept(unkept).await;
        let (told, open) = (self.troubles.take(), self.troubles.unsaved());
        if told.is_empty() && open.is_none() {
            return;
        }
        let mut mails = Vec::new();
        for trouble in &told {
            let level = LogLevel::of_number(trouble.level);
            let channels = Channel::all(&config).into_iter().filter(|(channel, _)| {
                // That a channel takes nothing is told on the others, and on itself once it does.
                trouble.resolved_at.is_some() || trouble.key != key_of(*channel)
            });
            let channels = channels.filter(|_| config.alert_level().is_some_and(|least| level >= least));
            mails.extend(channels.map(|channel| Mail::of_trouble(trouble.clone(), channel, now)));
        }
        let (kept, overtaken) = (mails.clone(), Arc::new(AtomicBool::new(false)));
        let is_overtaken = Arc::clone(&overtaken);
        let queued = self.store.write(move |writer| {
            if !is_overtaken.load(Ordering::Acquire) {
                kept.into_iter().try_for_each(|mail| outbox::queue(writer, mail))?;
            }
            open.map_or(Ok(()), |open| trouble::save(writer, &open))
        });
        // A disk that hangs is not waited for: it may be what is to be told.
        let queued = tokio::time::timeout(QUEUED_WITHIN, queued).await;
        match queued {
            Ok(Ok(())) => return self.troubles.aside().iter().for_each(Aside::clear),
            Ok(Err(StoreError::Closed)) => return self.troubles.give_back(told),
            Ok(Err(error)) => report("keep what is told of a trouble", Some(&error)),
            Err(_) => overtaken.store(true, Ordering::Release),
        }
        self.troubles.not_saved();
        // The process before this one could not store it either, and has told it.
        let known = self.troubles.aside().as_ref().and_then(Aside::read).map(|known| known.key);
        mails.retain(|mail| mail.trouble.as_ref().is_none_or(|trouble| Some(&trouble.key) != known.as_ref()));
        self.send_unkept(mails).await;
    }
}

/// Tells on every channel of `config` that the store cannot be opened, unless it is noted in `aside` that people know.
pub async fn tell_without_store(config: &Config, trouble: &Trouble, aside: &Aside) {
    if aside.read().is_some() || config.alert_level().is_none_or(|least| LogLevel::of_number(trouble.level) < least) {
        return;
    }
    let of = |channel| Mail::of_trouble(trouble.clone(), channel, trouble.opened_at);
    let mails: Vec<Mail> = Channel::all(config).into_iter().map(of).collect();
    let sent = mails.iter().map(|mail| delivery::send_once(mail, config));
    let sent = futures_util::future::join_all(sent).await;
    if sent.into_iter().any(|arrived| arrived) {
        aside.prepare();
        aside.note(trouble);
    }
}

/// Whether mail would go through, without sending any.
pub async fn try_out(config: &MailConfig) -> Result<(), PostError> {
    Post::new(config, Duration::from_secs(20)).await?.try_out().await
}
