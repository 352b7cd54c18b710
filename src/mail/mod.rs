//! Alerts by e-mail and on the channels of `alert.*`: troubles, log lines and the daily digest.
//!
//! A trouble ([`crate::trouble`]) is reported at once, and once more when it is over.
//!
//! Lines at or above `email.logger.alert.level` are gathered and mailed together, as messages with counts, the most
//! severe first. After a quiet time the first line goes out after half a minute, together with all that have come by
//! then. After that a line that no alert has reported goes out within ninety seconds, and lines like those already
//! reported wait five minutes. Mails wait in an outbox in the store, so a restart loses none; while the mail server is
//! away, new lines join the waiting alert, so that its return causes no storm. Lines that were logged but not mailed
//! when the process was killed are found in the store at the next start.
//!
//! A line about the mail itself ([`crate::logs::MAIL`]) is never mailed.
//!
//! A mail names shops and vouchers and repeats log messages: no personal data, see [`crate::logs`].

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

pub use channel::AlertChannel;
use delivery::{Delivery, key_of, report};
pub use digest::{Digest, OfLevel, OfStatus, Runs};
pub use outbox::{Mail, MailKind, MailState, queue};
pub use post::{Letter, Post, PostError, SEND_TIMEOUT};

use crate::config::{Config, LogLevel, MailConfig, Settings};
use crate::logs::{AlertBatch, LogLine, Logs, MAIL};
use crate::platform::clock::Clock;
use crate::platform::gate::Gate;
use crate::store::{Query, Store, StoreError, View};
use crate::text::message::msg;
use crate::trouble::{self, Aside, Trouble, Troubles};

/// Time for which lines are gathered after the first one of a quiet time.
pub const FIRST_ALERT_DELAY: SignedDuration = SignedDuration::from_secs(30);
/// Minimum interval between two alerts.
pub const ALERT_INTERVAL: SignedDuration = SignedDuration::from_mins(5);
/// Interval until the next alert if it contains something that no alert has reported.
const NEWS_INTERVAL: SignedDuration = SignedDuration::from_secs(60);
/// Time limit for the store to queue the messages about a trouble.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of messages kept in memory for a retry if the store does not accept them.
const MAX_UNKEPT: usize = 50;
/// Maximum number of messages remembered as reported.
const MAX_ANNOUNCED: usize = 500;
/// Interval between two looks at the outbox, to which others add digests.
const RECHECK_INTERVAL: SignedDuration = SignedDuration::from_mins(1);
/// Maximum number of lines per level from before a restart that are searched for an alert.
const MAX_EARLIER_LINES: usize = 20_000;
/// Time limit of an orderly stop for a mail that is being sent.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Name of the document about the last alert.
const ALERTS: &str = "mail/alerts";
/// Position up to which the log has been mailed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Mark {
    /// Time of the last line that is in an alert (UTC).
    mailed_until: Option<Timestamp>,
    /// Time of the last alert (UTC).
    made_at: Option<Timestamp>,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

/// Composer and sender of mails.
pub struct Mailer {
    store: Store,
    clock: Clock,
    settings: Settings,
    logs: Option<Logs>,
    mark: Mark,
    /// Time at which the gathered lines go into an alert.
    alert_at: Option<Timestamp>,
    /// Kinds of messages that alerts of this process have reported.
    told: BTreeSet<String>,
    delivery: Delivery,
    troubles: Troubles,
    /// Messages that neither the store accepted nor any recipient received.
    unkept: Vec<Mail>,
    /// Gate that stops sending while it is closed.
    gate: Gate,
}

impl Mailer {
    /// Creates a mailer with the outbox in `store`; alerts come from `logs` and `troubles`.
    pub fn new(store: Store, clock: Clock, settings: Settings, logs: Option<Logs>, troubles: Troubles) -> Self {
        let delivery = Delivery::new(store.clone(), clock.clone(), settings.clone(), troubles.clone(), SEND_TIMEOUT);
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

    /// Makes the mailer send nothing while `gate` is closed.
    #[must_use]
    pub fn behind(mut self, gate: Gate) -> Self {
        self.gate = gate;
        self
    }

    /// Limits the time for a single mail to `patience`.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.delivery.patience = patience;
        self
    }

    /// Sends mails until `stop` is cancelled. Lines gathered by then go into the outbox and are
    /// sent by the next process.
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
            // A mail that is being sent may finish, so that it is not sent twice.
            let stopped = async {
                stop.cancelled().await;
                tokio::time::sleep(STOP_TIMEOUT).await;
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

    /// Puts the gathered lines into the outbox and sends what is due, once: for a command, which does not keep running.
    pub async fn once(mut self) {
        self.begin().await;
        self.tell_troubles().await;
        self.make_alert(true).await;
        self.delivery.send_due().await;
    }

    /// Puts the pending reports into the outbox for the next process: batches report until the very end.
    pub async fn keep(mut self) {
        self.tell_troubles().await;
    }

    /// Waits until there is work again.
    async fn wait(&mut self, next_try: Option<Timestamp>, stop: &CancellationToken) {
        loop {
            let now = self.clock.now();
            let alerts = self.logs.as_ref().map(Logs::alerts);
            // An alert that is made soon includes what comes until then.
            let soon_enough = now.checked_add(NEWS_INTERVAL).unwrap_or(now);
            let waits = self.alert_at.is_none_or(|at| at > soon_enough);
            let is_news = waits && alerts.is_some_and(|alerts| alerts.holds_news(&self.told));
            if (self.alert_at.is_none() || is_news) && alerts.is_some_and(|alerts| !alerts.is_empty()) {
                let between = if is_news { NEWS_INTERVAL } else { ALERT_INTERVAL };
                let quiet = self.mark.made_at.and_then(|at| at.checked_add(between).ok());
                let soon = now.checked_add(FIRST_ALERT_DELAY).unwrap_or(now);
                // A clock that was set back must not delay an alert for long.
                let latest = now.checked_add(between).unwrap_or(now);
                let due = quiet.map_or(soon, |quiet| quiet.max(soon)).min(latest);
                self.alert_at = Some(self.alert_at.map_or(due, |known| known.min(due)));
            }
            let look = now.checked_add(RECHECK_INTERVAL).unwrap_or(Timestamp::MAX);
            let until = [self.alert_at, next_try].into_iter().flatten().fold(look, Timestamp::min);
            let came = async {
                match &self.logs {
                    Some(logs) if self.alert_at.is_none_or(|at| at > soon_enough) => {
                        logs.alerts().wait_for_lines().await;
                    }
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

    /// Reads up to where the log was mailed, and gathers the lines that a killed process left unmailed.
    async fn begin(&mut self) {
        let Some(logs) = self.logs.clone() else { return };
        let begun_at = logs.begun_at();
        match self.store.reading(|reader| reader.get_document::<Mark>(ALERTS)).await {
            Ok(Some(mark)) => self.mark = mark,
            Ok(None) => {
                self.mark.mailed_until = Some(begun_at);
                let mark = self.mark.clone();
                let noted = self.store.write(move |writer| writer.put_document(ALERTS, &mark)).await;
                report(msg!("log-mail-keep-mark"), noted.err().as_ref());
                return;
            }
            Err(error) => return report(msg!("log-mail-read-mark"), Some(&error)),
        }
        let (Some(since), Some(level)) = (self.mark.mailed_until, self.settings.get().alert_level()) else { return };
        let unmailed = self.store.reading(move |reader| {
            let mut summary = AlertBatch::default();
            for level in LogLevel::ALL.into_iter().filter(|known| *known >= level) {
                let lines = Query::group(LogLine::BY_LEVEL, u64::from(level.number())).from((since,)).to((begun_at,));
                for key in reader.keys(&lines.limit(MAX_EARLIER_LINES))?.keys {
                    let line = reader.get::<LogLine>(&key).ok().flatten();
                    // A trouble has its own record, and is noticed again if it has none.
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
            Err(error) => report(msg!("log-mail-find-unmailed"), Some(&error)),
        }
    }

    /// Makes an alert of the gathered lines, once it is due or if `now` is set.
    async fn make_alert(&mut self, now: bool) {
        let Some(logs) = self.logs.clone() else { return };
        let at = self.clock.now();
        if logs.alerts().is_empty() || !(now || self.alert_at.is_some_and(|due| due <= at)) {
            return;
        }
        self.alert_at = None;
        let summary = logs.alerts().take();
        if self.told.len() > MAX_ANNOUNCED {
            self.told.clear();
        }
        self.told.extend(summary.kinds());
        let channels = AlertChannel::all(&self.settings.get());
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
            // The next process finds the lines in the store.
            Err(StoreError::Closed) => {}
            Err(error) => {
                report(msg!("log-mail-keep-alert"), Some(&error));
                self.mark.made_at = Some(at);
                // Most likely the alert is about this failure.
                self.send_unkept(mails).await;
            }
        }
    }

    /// Sends messages that the store did not accept, on all channels at once; those that do not
    /// arrive are retried later.
    async fn send_unkept(&mut self, mails: Vec<Mail>) {
        let config = self.settings.get();
        let sent = mails.iter().map(|mail| delivery::send_once(mail, &config));
        let sent = futures_util::future::join_all(sent).await;
        for (mail, arrived) in mails.into_iter().zip(sent) {
            let of_store = mail.trouble.as_ref().filter(|trouble| trouble.key == trouble::STORE);
            if arrived {
                if let (Some(trouble), Some(aside)) = (of_store, self.troubles.aside()) {
                    aside.record_notified(trouble);
                }
            } else if self.unkept.len() < MAX_UNKEPT {
                self.unkept.push(mail);
            }
        }
    }

    /// Reports troubles that have begun or are over on every channel, and saves the open ones.
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
            let channels = AlertChannel::all(&config).into_iter().filter(|(channel, _)| {
                // A failing channel is reported on the others, and on itself once it works again.
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
        // A hanging disk must not block: it may be the very trouble to report.
        let queued = tokio::time::timeout(QUEUE_TIMEOUT, queued).await;
        match queued {
            Ok(Ok(())) => return self.troubles.aside().iter().for_each(Aside::clear),
            Ok(Err(StoreError::Closed)) => return self.troubles.put_back(told),
            Ok(Err(error)) => report(msg!("log-mail-keep-trouble"), Some(&error)),
            Err(_) => overtaken.store(true, Ordering::Release),
        }
        self.troubles.not_saved();
        // The previous process could not store it either, and has reported it.
        let known = self.troubles.aside().as_ref().and_then(Aside::read).map(|known| known.key);
        mails.retain(|mail| mail.trouble.as_ref().is_none_or(|trouble| Some(&trouble.key) != known.as_ref()));
        self.send_unkept(mails).await;
    }
}

/// Reports on every channel of `config` that the store cannot be opened, unless `aside` notes that
/// this has been reported.
pub async fn tell_without_store(config: &Config, trouble: &Trouble, aside: &Aside) {
    if aside.read().is_some() || config.alert_level().is_none_or(|least| LogLevel::of_number(trouble.level) < least) {
        return;
    }
    let of = |channel| Mail::of_trouble(trouble.clone(), channel, trouble.opened_at);
    let mails: Vec<Mail> = AlertChannel::all(config).into_iter().map(of).collect();
    let sent = mails.iter().map(|mail| delivery::send_once(mail, config));
    let sent = futures_util::future::join_all(sent).await;
    if sent.into_iter().any(|arrived| arrived) {
        aside.prepare();
        aside.record_notified(trouble);
    }
}

/// Checks that the mail server accepts mail, without sending any.
pub async fn try_out(config: &MailConfig) -> Result<(), PostError> {
    Post::new(config, Duration::from_secs(20)).await?.try_out().await
}
