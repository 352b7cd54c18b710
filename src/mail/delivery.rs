//! Delivery of mails from the outbox.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::channel::{AlertChannel, Messenger};
use super::outbox::{Mail, MailKind, MailState};
use super::post::{Letter, Post, PostError};
use super::{RECHECK_INTERVAL, compose};
use crate::config::{Config, LogLevel, Settings};
use crate::logs::MAIL;
use crate::platform::clock::Clock;
use crate::platform::metrics::MAILS;
use crate::store::{Query, Store, StoreError, View};
use crate::text::message::{Message, logged, msg};
use crate::trouble::{self, Noticed, Troubles};

/// Time for which mails in a final state are kept.
const RETENTION: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Number of tries of a message after which an unreachable server is reported as a trouble, about a
/// minute after the first try.
const UNREACHABLE_REPORT_TRIES: u32 = 2;
/// Number of tries of a message after which a server that asks to retry later is reported:
/// greylisting takes a quarter of an hour.
const LATER_REPORT_TRIES: u32 = 5;

/// Time for which a message waits for a channel that is no longer configured.
const ABANDONED_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// Client for one channel.
enum ChannelClient {
    Post(Post),
    Messenger(Messenger),
}

impl ChannelClient {
    /// Creates the client for `channel` from the settings; `None` if the channel is not configured.
    async fn of(channel: AlertChannel, config: &Config, patience: Duration) -> Result<Option<Self>, PostError> {
        match (channel, &config.mail) {
            (AlertChannel::Mail, Some(mail)) => Ok(Some(Self::Post(Post::new(mail, patience).await?))),
            (AlertChannel::Mail, None) => Ok(None),
            _ => Ok(Messenger::new(channel, config, patience)?.map(Self::Messenger)),
        }
    }

    async fn send(&self, mail: &Mail, letter: &Letter, to: &str, config: &Config) -> Result<(), PostError> {
        match self {
            Self::Post(post) => post.send(letter, to).await,
            Self::Messenger(messenger) => messenger.send(mail, letter, config).await,
        }
    }
}

/// Sends a mail to all its recipients, once and without storing the result. Returns true if one has received it.
pub(super) async fn send_once(mail: &Mail, config: &Config) -> bool {
    let Ok(Some(way)) = ChannelClient::of(mail.channel, config, SEND_ONCE_TIMEOUT).await else { return false };
    let letter = compose::letter(mail, config);
    let mut arrived = false;
    for to in &mail.to {
        arrived |= way.send(mail, &letter, to, config).await.is_ok();
    }
    arrived
}

/// Time limit for a mail that is sent once.
const SEND_ONCE_TIMEOUT: Duration = Duration::from_secs(10);

/// Sender of the outbox's mails, with the results.
pub(super) struct Delivery {
    store: Store,
    clock: Clock,
    settings: Settings,
    /// Mails whose result the store did not accept.
    unsaved: BTreeMap<u64, Mail>,
    /// Channels that did not accept the last message.
    in_trouble: BTreeSet<AlertChannel>,
    /// Channels that have just accepted a message: mails without any delivery are sent on them now.
    back: BTreeSet<AlertChannel>,
    /// Registry for troubles of channels that have failed for several tries.
    troubles: Troubles,
    pub(super) patience: Duration,
}

impl Delivery {
    pub(super) fn new(store: Store, clock: Clock, settings: Settings, troubles: Troubles, patience: Duration) -> Self {
        Self {
            store,
            clock,
            settings,
            unsaved: BTreeMap::new(),
            in_trouble: BTreeSet::new(),
            back: BTreeSet::new(),
            troubles,
            patience,
        }
    }

    /// Sends what is due, and what waits for a channel that has just recovered. Returns the time of the next try.
    pub(super) async fn send_due(&mut self) -> Option<Timestamp> {
        let next = self.send_round().await;
        if self.back.is_empty() {
            return next;
        }
        let next = self.send_round().await;
        self.back.clear();
        next
    }

    async fn send_round(&mut self) -> Option<Timestamp> {
        let soon = self.clock.now().checked_add(RECHECK_INTERVAL).ok();
        for mail in std::mem::take(&mut self.unsaved).into_values() {
            self.save(mail).await;
        }
        let now = self.clock.now();
        let open = self.store.reading(move |reader| {
            let keys = reader.keys(&Query::group(Mail::OPEN, ()).limit(1_000))?.keys;
            Ok(keys.iter().filter_map(|key| reader.get::<Mail>(key).ok().flatten()).collect::<Vec<_>>())
        });
        let open = match open.await {
            Ok(open) => open,
            Err(error) => {
                report(msg!("log-mail-read-outbox"), Some(&error));
                return soon;
            }
        };
        let config = self.settings.get();
        let mut next: Option<Timestamp> = None;
        let mut ways: BTreeMap<AlertChannel, Option<ChannelClient>> = BTreeMap::new();
        for mut mail in open {
            let unknown = mail.kind == MailKind::Unknown || mail.channel == AlertChannel::Unknown;
            if unknown || self.unsaved.contains_key(&mail.id) {
                continue;
            }
            let is_awaited = mail.delivered == 0 && self.back.contains(&mail.channel);
            if mail.is_due(now) || is_awaited {
                if let Entry::Vacant(vacant) = ways.entry(mail.channel) {
                    vacant.insert(self.way(mail.channel, &config).await);
                }
                let Some(Some(way)) = ways.get(&mail.channel) else {
                    if self.is_left_behind(&mail, &config) {
                        self.save(mail.given_up(now)).await;
                    }
                    next = [next, soon].into_iter().flatten().min();
                    continue;
                };
                self.deliver(&mut mail, &config, way).await;
                self.save(mail.clone()).await;
            }
            next = [next, mail.try_at].into_iter().flatten().min();
        }
        next
    }

    /// Returns the client for `channel`; `None` if it is not configured or cannot be used, which is reported.
    async fn way(&mut self, channel: AlertChannel, config: &Config) -> Option<ChannelClient> {
        ChannelClient::of(channel, config, self.patience).await.unwrap_or_else(|error| {
            self.trouble(channel, true, &error.to_string());
            None
        })
    }

    /// Sends a mail to all recipients that have not received it, and records the result.
    async fn deliver(&mut self, mail: &mut Mail, config: &Config, way: &ChannelClient) {
        let letter = compose::letter(mail, config);
        let channel = mail.channel;
        let mut in_the_way = None;
        for to in mail.to.clone() {
            match way.send(mail, &letter, &to, config).await {
                Ok(()) => {
                    mail.to.retain(|waiting| *waiting != to);
                    mail.delivered = mail.delivered.saturating_add(1);
                    mail.message.clear();
                    self.well(channel);
                }
                Err(PostError::Refused(reason)) => {
                    logged!(warn, action = MAIL, msg!("log-mail-refused", to = &to, reason = &reason));
                    mail.to.retain(|waiting| *waiting != to);
                    mail.refused.push(to);
                    mail.message = reason;
                }
                Err(PostError::Later(reason)) => {
                    mail.message.clone_from(&reason);
                    in_the_way = Some((LATER_REPORT_TRIES, reason));
                }
                Err(PostError::Unreachable(reason)) => {
                    mail.message.clone_from(&reason);
                    in_the_way = Some((UNREACHABLE_REPORT_TRIES, reason));
                    break;
                }
            }
        }
        // If other recipients receive theirs, the fault is with a recipient and not with the channel.
        if let Some((tries, reason)) = in_the_way.filter(|_| mail.delivered == 0) {
            self.trouble(channel, mail.tries.saturating_add(1) >= tries, &reason);
        }
        mail.tried(self.clock.now());
        let outcome = if mail.state == MailState::Queued { "retried" } else { mail.state.name() };
        metrics::counter!(MAILS, "outcome" => outcome).increment(1);
        if mail.state == MailState::GivenUp {
            let (made, reason) = (mail.created_at.to_string(), &mail.message);
            logged!(warn, action = MAIL, msg!("log-mail-given-up", made, reason));
        }
    }

    async fn save(&mut self, mail: Mail) {
        let (id, kept) = (mail.id, mail.clone());
        let oldest = self.clock.now().checked_sub(RETENTION).unwrap_or(Timestamp::MIN);
        let saved = self.store.write(move |writer| {
            // No lines can have joined it in the meantime: lines are added by the sender itself.
            writer.put(&kept)?;
            for old in writer.keys(&Query::group(Mail::ENDED, ()).to(oldest).limit(10))?.keys {
                writer.delete::<Mail>(&old)?;
            }
            Ok::<_, StoreError>(())
        });
        if let Err(error) = saved.await {
            report(msg!("log-mail-keep-result"), Some(&error));
            self.unsaved.insert(id, mail);
        }
    }

    /// Marks a channel as working.
    fn well(&mut self, channel: AlertChannel) {
        // Mails of another process, or from before a check of the channel, must go out too.
        self.back.insert(channel);
        if self.in_trouble.remove(&channel) {
            logged!(info, severity = "NOTICE", action = MAIL, msg!("log-channel-works", channel = channel.name()));
        }
        self.troubles.resolve(&key_of(channel), Noticed { action: MAIL, batch: None, at: self.clock.now() });
    }

    /// Returns true if a message's channel is no longer configured and the message is a day old. A
    /// missing channel is not a trouble, so an open one is resolved.
    fn is_left_behind(&self, mail: &Mail, config: &Config) -> bool {
        if AlertChannel::all(config).iter().any(|(channel, _)| *channel == mail.channel) {
            return false;
        }
        let at = self.clock.now();
        self.troubles.resolve(&key_of(mail.channel), Noticed { action: MAIL, batch: None, at });
        at.duration_since(mail.created_at) >= ABANDONED_AFTER
    }

    /// Logs once, until the channel recovers, that it accepts no messages; reports it as a trouble
    /// of its own if it `lasts`.
    fn trouble(&mut self, channel: AlertChannel, lasts: bool, reason: &str) {
        let (name, setting) = (channel.name(), channel.setting());
        if lasts {
            let noticed = Noticed { action: MAIL, batch: None, at: self.clock.now() };
            let message = msg!("trouble-channel", name, reason, setting);
            self.troubles.report(&key_of(channel), LogLevel::Error, message, noticed);
        }
        if self.in_trouble.insert(channel) {
            logged!(warn, action = MAIL, msg!("log-channel-waits", channel = name, reason));
        } else {
            tracing::debug!(action = MAIL, "messages on {name} still wait: {reason}");
        }
    }
}

/// Returns the key of the trouble of a channel that accepts no message.
pub(super) fn key_of(channel: AlertChannel) -> String {
    if channel == AlertChannel::Mail { trouble::MAIL.to_owned() } else { format!("alert:{}", channel.name()) }
}

/// Logs that the store did not allow `what`.
pub(super) fn report(what: Message, error: Option<&StoreError>) {
    match error {
        None | Some(StoreError::Closed) => {}
        Some(error) => logged!(warn, action = MAIL, msg!("log-mail-store", what, error)),
    }
}
