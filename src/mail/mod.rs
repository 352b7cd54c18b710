//! Calling for help by e-mail: alerts and the daily digest.
//!
//! Lines at or above `email.logger.alert.level` are gathered and mailed together: the first one of a
//! quiet time goes out after half a minute with what has come by then, and after that there is one
//! message every five minutes at most, however many lines there are: its sentences with counts, the
//! most severe first. Mails wait in an outbox in the store, so a restart loses none; while the mail
//! server is away, new lines join the alert that waits, so that its return is no storm. Lines that
//! were logged and not mailed when the process was killed are found in the store at the next start.
//!
//! A line about the mail itself ([`crate::logs::MAIL`]) is never mailed.
//!
//! A mail names shops and vouchers, and what the log says: nothing personal, see [`crate::logs`].

mod compose;
mod delivery;
mod digest;
mod outbox;
mod post;

use std::time::Duration;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use delivery::{Delivery, report};
pub use digest::{Digest, OfLevel, OfStatus, Runs};
pub use outbox::{Mail, MailKind, MailState};
pub use post::{Letter, Post, PostError, SENT_WITHIN};

use crate::clock::Clock;
use crate::config::{LogLevel, MailConfig, Settings};
use crate::gate::Gate;
use crate::logs::{LogLine, Logs, MAIL, Summary};
use crate::store::{Query, Store, StoreError, View};

/// How long lines are gathered after the first one of a quiet time.
pub const FIRST_ALERT_AFTER: SignedDuration = SignedDuration::from_secs(30);
/// How long there is from one alert to the next, at least.
pub const BETWEEN_ALERTS: SignedDuration = SignedDuration::from_mins(5);
/// How often the settings are looked at, which may ask for a digest now.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(1);
/// How many lines of before a restart are looked through for an alert.
const MOST_LINES_OF_BEFORE: usize = 20_000;
/// How long an orderly stop waits for a mail that is being sent.
const STOPPED_WITHIN: Duration = Duration::from_secs(10);

/// The document about the last alert.
const ALERTS: &str = "mail/alerts";
/// The document about the last digest.
const DIGEST: &str = "mail/digest";

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

/// The last day that a digest was made on.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct LastDigest {
    made_on: Date,
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
    delivery: Delivery,
    /// Nothing is sent while it is closed.
    gate: Gate,
}

impl Mailer {
    /// Mails by `settings`, from the outbox in `store`; alerts are those of `logs`.
    pub fn new(store: Store, clock: Clock, settings: Settings, logs: Option<Logs>) -> Self {
        let delivery = Delivery::new(store.clone(), clock.clone(), settings.clone(), SENT_WITHIN);
        Self { store, clock, settings, logs, mark: Mark::default(), alert_at: None, delivery, gate: Gate::default() }
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
                self.make_digest().await;
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
        self.make_alert(true).await;
    }

    /// Puts what is gathered into the outbox and sends what is due there, once: for a command, behind
    /// which nobody stays.
    pub async fn once(mut self) {
        self.begin().await;
        self.make_alert(true).await;
        self.delivery.send_due().await;
    }

    /// Waits until there is something to do again.
    async fn wait(&mut self, next_try: Option<Timestamp>, stop: &CancellationToken) {
        loop {
            let now = self.clock.now();
            if self.alert_at.is_none() && self.logs.as_ref().is_some_and(|logs| !logs.alerts().is_empty()) {
                let quiet = self.mark.made_at.and_then(|at| at.checked_add(BETWEEN_ALERTS).ok());
                let soon = now.checked_add(FIRST_ALERT_AFTER).unwrap_or(now);
                // A clock that was turned back must not keep an alert back for long.
                let latest = now.checked_add(BETWEEN_ALERTS).unwrap_or(now);
                self.alert_at = Some(quiet.map_or(soon, |quiet| quiet.max(soon)).min(latest));
            }
            let look = now.checked_add(LOOK_AGAIN).unwrap_or(Timestamp::MAX);
            let until = [self.alert_at, next_try].into_iter().flatten().fold(look, Timestamp::min);
            let came = async {
                match &self.logs {
                    Some(logs) if self.alert_at.is_none() => logs.alerts().came().await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.clock.until(until) => return,
                () = stop.cancelled() => return,
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
        let (Some(since), Some(level)) = (self.mark.mailed_until, self.settings.get().logs.alert_level) else { return };
        if self.settings.get().mail.is_none() {
            return;
        }
        let unmailed = self.store.reading(move |reader| {
            let mut summary = Summary::default();
            for level in LogLevel::ALL.into_iter().filter(|known| *known >= level) {
                let lines = Query::group("level", u64::from(level.number())).from(since).to(begun_at);
                for key in reader.keys::<LogLine>(&lines.limit(MOST_LINES_OF_BEFORE))?.keys {
                    let line = reader.get::<LogLine>(&key).ok().flatten();
                    if let Some(line) = line.filter(|line| line.at > since && line.action != MAIL) {
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
        let Some(to) = self.settings.get().mail.as_ref().map(|mail| mail.to.clone()) else { return };
        let mut mark = self.mark.clone();
        mark.made_at = Some(at);
        mark.mailed_until = mark.mailed_until.max(summary.last_at);
        let (mail, noted) = (Mail::alert(summary, to, at), mark.clone());
        let kept = mail.clone();
        let queued = self.store.write(move |writer| {
            outbox::queue(writer, kept)?;
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
                let mut mail = mail;
                if !self.delivery.send_unkept(&mut mail).await {
                    logs.alerts().give_back(mail.summary.unwrap_or_default());
                }
            }
        }
    }

    /// Makes the digest of yesterday, where it is asked for and has not been made today.
    async fn make_digest(&mut self) {
        let config = self.settings.get();
        let Some((time, mail)) = config.mail.as_ref().and_then(|mail| Some((mail.digest?, mail))) else { return };
        let now = self.clock.now();
        let today = now.to_zoned(config.hipay.time_zone.clone()).date();
        let Ok(due) = today.to_datetime(time).to_zoned(config.hipay.time_zone.clone()) else { return };
        let passed = due.timestamp() <= now;
        let outcome = async {
            let last = self.store.reading(|reader| reader.get_document::<LastDigest>(DIGEST)).await?;
            let yesterday = today.saturating_sub(jiff::Span::new().days(1));
            let digest = match &last {
                Some(last) if last.made_on >= today || !passed => return Ok(()),
                Some(_) => Some(Digest::gather(&self.store, yesterday, &config.hipay.time_zone).await?),
                // The first one comes at its next time, not at once.
                None => None,
            };
            let unknown = last.map(|last| last.unknown).unwrap_or_default();
            let last = LastDigest { made_on: if passed { today } else { yesterday }, unknown };
            let mail = digest.map(|digest| Mail::of_digest(digest, mail.to.clone(), now));
            let write = self.store.write(move |writer| {
                if let Some(mail) = mail {
                    outbox::queue(writer, mail)?;
                }
                writer.put_document(DIGEST, &last)
            });
            write.await
        };
        let outcome: Result<(), StoreError> = outcome.await;
        report("make the digest", outcome.err().as_ref());
    }
}

/// Whether mail would go through, without sending any.
pub async fn try_out(config: &MailConfig) -> Result<(), PostError> {
    Post::new(config, Duration::from_secs(20)).await?.try_out().await
}
