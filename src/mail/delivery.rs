//! From the outbox to the mail server.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::outbox::{Mail, MailKind, MailState};
use super::post::{Post, PostError};
use super::{LOOK_AGAIN, compose};
use crate::clock::Clock;
use crate::config::{Config, Settings};
use crate::logs::MAIL;
use crate::metrics::MAILS;
use crate::store::{Query, Store, StoreError, View};

/// How long mails that came to an end are kept.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Sends mails and writes down what came of them.
pub(super) struct Delivery {
    store: Store,
    clock: Clock,
    settings: Settings,
    /// What came of mails that the store would not take.
    unsaved: BTreeMap<u64, Mail>,
    /// The mail server did not take what was sent last.
    in_trouble: bool,
    pub(super) patience: Duration,
}

impl Delivery {
    pub(super) fn new(store: Store, clock: Clock, settings: Settings, patience: Duration) -> Self {
        Self { store, clock, settings, unsaved: BTreeMap::new(), in_trouble: false, patience }
    }

    /// Sends what is due. Gives when the next one is.
    pub(super) async fn send_due(&mut self) -> Option<Timestamp> {
        let soon = self.clock.now().checked_add(LOOK_AGAIN).ok();
        for mail in std::mem::take(&mut self.unsaved).into_values() {
            self.save(mail).await;
        }
        let now = self.clock.now();
        let open = self.store.reading(move |reader| {
            let keys = reader.keys::<Mail>(&Query::group("open", ()).limit(1_000))?.keys;
            Ok(keys.iter().filter_map(|key| reader.get::<Mail>(key).ok().flatten()).collect::<Vec<_>>())
        });
        let open = match open.await {
            Ok(open) => open,
            Err(error) => {
                report("read the outbox", Some(&error));
                return soon;
            }
        };
        let config = self.settings.get();
        let mut next: Option<Timestamp> = None;
        let mut post = None;
        for mut mail in open {
            if mail.kind == MailKind::Unknown || self.unsaved.contains_key(&mail.id) {
                continue;
            }
            if mail.is_due(now) {
                if post.is_none() {
                    post = self.post(&config).await;
                }
                let Some(post) = &post else { return soon };
                self.deliver(&mut mail, &config, post).await;
                self.save(mail.clone()).await;
            }
            if let Some(at) = mail.try_at {
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        }
        next
    }

    /// Sends a mail that the store does not take. True where somebody got it, or nobody ever will.
    pub(super) async fn send_unkept(&mut self, mail: &mut Mail) -> bool {
        let config = self.settings.get();
        let Some(post) = self.post(&config).await else { return false };
        self.deliver(mail, &config, &post).await;
        mail.delivered > 0 || mail.state != MailState::Queued
    }

    /// The mail server of the settings; `None`, and said, where there is none that can be used.
    async fn post(&mut self, config: &Config) -> Option<Post> {
        match Post::new(config.mail.as_ref()?, self.patience).await {
            Ok(post) => Some(post),
            Err(error) => {
                self.trouble(&error.to_string());
                None
            }
        }
    }

    /// Sends a mail to all who have not got it, and writes down what came of it.
    async fn deliver(&mut self, mail: &mut Mail, config: &Config, post: &Post) {
        let letter = compose::letter(mail, config);
        for to in mail.to.clone() {
            match post.send(&letter, &to).await {
                Ok(()) => {
                    mail.to.retain(|waiting| *waiting != to);
                    mail.delivered = mail.delivered.saturating_add(1);
                    mail.message.clear();
                    if std::mem::take(&mut self.in_trouble) {
                        tracing::info!(severity = "NOTICE", action = MAIL, "the mail server takes mail again");
                    }
                }
                Err(PostError::Refused(reason)) => {
                    tracing::warn!(
                        action = MAIL,
                        "a mail to {to} was refused for good, and is not tried again: {reason}"
                    );
                    mail.to.retain(|waiting| *waiting != to);
                    mail.refused.push(to);
                    mail.message = reason;
                }
                Err(PostError::Later(reason)) => {
                    self.trouble(&reason);
                    mail.message = reason;
                }
                Err(PostError::Unreachable(reason)) => {
                    self.trouble(&reason);
                    mail.message = reason;
                    break;
                }
            }
        }
        mail.tried(self.clock.now());
        let outcome = if mail.state == MailState::Queued { "retried" } else { mail.state.name() };
        metrics::counter!(MAILS, "outcome" => outcome).increment(1);
        if mail.state == MailState::GivenUp {
            let (made, reason) = (mail.created_at, &mail.message);
            tracing::warn!(action = MAIL, "a mail of {made} was tried for days and is given up: {reason}");
        }
    }

    async fn save(&mut self, mail: Mail) {
        let (id, kept) = (mail.id, mail.clone());
        let oldest = self.clock.now().checked_sub(KEPT_FOR).unwrap_or(Timestamp::MIN);
        let saved = self.store.write(move |writer| {
            // Lines that joined it in the meantime are none: whoever adds them is the one who sends.
            writer.put(&kept)?;
            for old in writer.keys::<Mail>(&Query::group("ended", ()).to(oldest).limit(10))?.keys {
                writer.delete::<Mail>(&old)?;
            }
            Ok::<_, StoreError>(())
        });
        if let Err(error) = saved.await {
            report("keep what came of a mail", Some(&error));
            self.unsaved.insert(id, mail);
        }
    }

    /// Says that the mail server takes nothing: once, until it does again.
    fn trouble(&mut self, reason: &str) {
        if std::mem::replace(&mut self.in_trouble, true) {
            tracing::debug!(action = MAIL, "mail still waits: {reason}");
        } else {
            tracing::warn!(
                action = MAIL,
                "mail waits in the outbox and is tried again, the longer the less often: {reason}"
            );
        }
    }
}

/// Says that the store did not let us do `what`.
pub(super) fn report(what: &str, error: Option<&StoreError>) {
    match error {
        None | Some(StoreError::Closed) => {}
        Some(error) => tracing::warn!(action = MAIL, "the store did not let us {what}: {error}"),
    }
}
