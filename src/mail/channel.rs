//! Channels for alerts: e-mail, a signed webhook, Slack, Microsoft Teams, `PagerDuty`.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use ring::hmac;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::post::{Letter, PostError};
use super::{Mail, compose};
use crate::config::{Config, LogLevel};
use crate::domain::pii::masked;
use crate::platform::secret::Secret;
use crate::remote::{ClientPolicy, builder, plain};

/// A channel on which alerts are sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertChannel {
    /// E-mail to the recipients of `mail.to`.
    #[default]
    Mail,
    /// The address of `alert.webhook.url`, signed by the rules of Standard Webhooks.
    Webhook,
    /// The incoming webhook of `alert.slack.url`.
    Slack,
    /// The workflow of `alert.teams.url`.
    Teams,
    /// The service of `alert.pagerduty.routingKey`.
    PagerDuty,
    /// A channel of a release that this one does not know: kept, not sent.
    #[serde(other)]
    Unknown,
}

impl AlertChannel {
    /// Returns the name in logs and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Webhook => "webhook",
            Self::Slack => "Slack",
            Self::Teams => "Microsoft Teams",
            Self::PagerDuty => "PagerDuty",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the setting to correct if the channel accepts no messages.
    pub fn setting(self) -> &'static str {
        match self {
            Self::Mail | Self::Unknown => "mail.host",
            Self::Webhook => "alert.webhook.url",
            Self::Slack => "alert.slack.url",
            Self::Teams => "alert.teams.url",
            Self::PagerDuty => "alert.pagerduty.routingKey",
        }
    }

    /// Returns the channels configured in `config`, with the recipients of each.
    pub(super) fn all(config: &Config) -> Vec<(Self, Vec<String>)> {
        let mail = config.mail.as_ref().filter(|_| config.logs.alert_level.is_some());
        let alert = &config.alert;
        let others = [
            (Self::Webhook, alert.webhook.is_some()),
            (Self::Slack, alert.slack.is_some()),
            (Self::Teams, alert.teams.is_some()),
            (Self::PagerDuty, alert.pager_duty.is_some()),
        ];
        let others = others.into_iter().filter(|(_, is_set)| *is_set);
        let mail = mail.map(|mail| (Self::Mail, mail.to.clone()));
        mail.into_iter().chain(others.map(|(channel, _)| (channel, vec![channel.name().to_owned()]))).collect()
    }
}

/// Maximum length of a text in characters: all channels accept less than a mail does.
const MAX_TEXT: usize = 3_000;
/// Maximum length of a `PagerDuty` summary in characters; longer ones are cut by the service.
const MAX_SUMMARY: usize = 1_000;
/// Maximum length of a quoted answer, in characters.
const MAX_ANSWER: usize = 200;
/// Maximum length of an answer that is read, in bytes.
const ANSWER_LIMIT: usize = 4_096;

/// Client for one channel other than mail.
pub(super) struct Messenger {
    channel: AlertChannel,
    client: Client,
    url: Url,
    key: Option<Secret>,
}

impl Messenger {
    /// Creates the client for `channel` from the settings; `None` if the channel is not configured.
    pub(super) fn new(channel: AlertChannel, config: &Config, patience: Duration) -> Result<Option<Self>, PostError> {
        let alert = &config.alert;
        let set = match channel {
            AlertChannel::Mail | AlertChannel::Unknown => None,
            AlertChannel::Webhook => alert.webhook.as_ref().map(|(url, secret)| (url.clone(), Some(secret.clone()))),
            AlertChannel::Slack => alert.slack.as_ref().map(|url| (url.expose().to_owned(), None)),
            AlertChannel::Teams => alert.teams.as_ref().map(|url| (url.expose().to_owned(), None)),
            AlertChannel::PagerDuty => {
                alert.pager_duty.as_ref().map(|(url, key)| (format!("{url}/v2/enqueue"), Some(key.clone())))
            }
        };
        let Some((url, key)) = set else { return Ok(None) };
        let unusable = |reason: String| PostError::Unreachable(format!("{}: {reason}", channel.name()));
        let url = Url::parse(&url).map_err(|error| unusable(error.to_string()))?;
        let client = builder(&url, &ClientPolicy { network: config.network.clone(), ..ClientPolicy::default() })
            .map_err(|error| unusable(error.to_string()))?;
        let client = client.timeout(patience).build().map_err(|error| unusable(plain(&error)))?;
        Ok(Some(Self { channel, client, url, key }))
    }

    /// Sends one message. It was accepted if this returns `Ok`.
    pub(super) async fn send(&self, mail: &Mail, letter: &Letter, config: &Config) -> Result<(), PostError> {
        let text: String = letter.text.chars().take(MAX_TEXT).collect();
        let request = match self.channel {
            AlertChannel::Webhook => self.signed(mail, &webhook(mail, letter, &text, config)),
            AlertChannel::Slack => self.client.post(self.url.clone()).json(&slack(letter, &text)),
            AlertChannel::Teams => self.client.post(self.url.clone()).json(&teams(letter, &text)),
            AlertChannel::PagerDuty | AlertChannel::Mail | AlertChannel::Unknown => {
                let key = self.key.as_ref().map_or("", Secret::expose);
                self.client.post(self.url.clone()).json(&pager_duty(key, mail, letter, &text, config))
            }
        };
        let name = self.channel.name();
        let mut answer = request.send().await.map_err(|error| {
            let reason = if error.is_timeout() { "it did not answer in time".to_owned() } else { plain(&error) };
            PostError::Unreachable(format!("{name}: {reason}; check {}", self.channel.setting()))
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let mut words = Vec::new();
        while let (true, Ok(Some(chunk))) = (words.len() < ANSWER_LIMIT, answer.chunk().await) {
            words.extend(chunk);
        }
        let words: String = String::from_utf8_lossy(&words).split_whitespace().collect::<Vec<_>>().join(" ");
        let words: String = words.chars().take(MAX_ANSWER).collect();
        // The address or the key is a secret, and some answers repeat it.
        let quoted = if self.key.is_none() { String::new() } else { format!(": {}", self.without_key(&words)) };
        let reason = format!("{name}: HTTP {}{quoted}; check {}", status.as_u16(), self.channel.setting());
        // Gone: in Standard Webhooks, the address wants no more messages. Any other failure may be
        // corrected there or in our settings, and the waiting messages must still arrive then.
        if status == StatusCode::GONE { Err(PostError::Refused(reason)) } else { Err(PostError::Later(reason)) }
    }

    fn without_key(&self, words: &str) -> String {
        let key = self.key.as_ref().map_or("", Secret::expose);
        if key.is_empty() { masked(words) } else { masked(words).replace(key, "[secret]") }
    }

    /// Builds a request signed according to Standard Webhooks: over id, time and body.
    fn signed(&self, mail: &Mail, body: &Value) -> RequestBuilder {
        let body = body.to_string();
        let id = format!("msg_{}", mail.token);
        #[expect(
            clippy::disallowed_methods,
            reason = "the receiver compares it with the machine's time, not with ours"
        )]
        let at = Timestamp::now().as_second();
        let key = self.key.as_ref().and_then(|key| key.expose().strip_prefix("whsec_"));
        let key = key.and_then(|key| STANDARD.decode(key).ok()).unwrap_or_default();
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), format!("{id}.{at}.{body}").as_bytes());
        self.client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", at)
            .header("webhook-signature", format!("v1,{}", STANDARD.encode(signature)))
            .body(body)
    }
}

/// Returns the type of the event.
fn event(mail: &Mail) -> &'static str {
    match &mail.trouble {
        Some(trouble) if trouble.resolved_at.is_some() => "trouble.resolved",
        Some(_) => "trouble.opened",
        None => "log.lines",
    }
}

fn level(mail: &Mail) -> u16 {
    let worst = mail.summary.as_ref().and_then(|summary| summary.by_level().first().map(|(level, _)| *level));
    mail.trouble.as_ref().map(|trouble| trouble.level).or(worst).unwrap_or_default()
}

fn webhook(mail: &Mail, letter: &Letter, text: &str, config: &Config) -> Value {
    let trouble = mail.trouble.as_ref();
    json!({
        "type": event(mail),
        "timestamp": mail.created_at,
        "data": {
            "key": trouble.map(|trouble| &trouble.key),
            "level": LogLevel::of_number(level(mail)).name(),
            "title": letter.subject,
            "message": trouble.map(|trouble| masked(&trouble.message)),
            "text": text,
            "opened_at": trouble.map(|trouble| trouble.opened_at),
            "resolved_at": trouble.and_then(|trouble| trouble.resolved_at),
            "times": trouble.map(|trouble| trouble.times),
            "lines": mail.summary.as_ref().map(crate::logs::AlertBatch::lines),
            "host": compose::host(config),
            "url": config.server.public_url.as_ref().map(|url| format!("{url}/dashboard")),
        },
    })
}

/// Builds the message for Slack, with the three characters escaped that its markup reserves.
fn slack(letter: &Letter, text: &str) -> Value {
    let plain = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    json!({ "text": format!("*{}*\n{}", plain(&letter.subject), plain(text)) })
}

fn teams(letter: &Letter, text: &str) -> Value {
    let block = |text: &str, weight: &str| json!({ "type": "TextBlock", "text": text, "weight": weight, "wrap": true });
    // A card joins lines; an empty line between two keeps them apart.
    let text = text.replace('\n', "\n\n");
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "content": {
                "type": "AdaptiveCard",
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "version": "1.4",
                "body": [block(&letter.subject, "Bolder"), block(&text, "Default")],
            },
        }],
    })
}

fn pager_duty(key: &str, mail: &Mail, letter: &Letter, text: &str, config: &Config) -> Value {
    let level = LogLevel::of_number(level(mail));
    let severity = match level {
        LogLevel::Critical | LogLevel::Alert | LogLevel::Emergency => "critical",
        LogLevel::Error => "error",
        LogLevel::Warning => "warning",
        LogLevel::Debug | LogLevel::Info | LogLevel::Notice => "info",
    };
    let host = compose::host(config);
    let (action, key_of_event) = match &mail.trouble {
        Some(trouble) if trouble.resolved_at.is_some() => ("resolve", trouble.key.as_str()),
        Some(trouble) => ("trigger", trouble.key.as_str()),
        // A single incident, which a person closes.
        None => ("trigger", "lines"),
    };
    let summary: String = letter.subject.chars().take(MAX_SUMMARY).collect();
    let links =
        config.server.public_url.iter().map(|url| json!({ "href": format!("{url}/dashboard"), "text": "cashout" }));
    json!({
        "routing_key": key,
        "event_action": action,
        "dedup_key": format!("cashout/{host}/{key_of_event}"),
        "payload": {
            "summary": summary,
            "source": host,
            "severity": severity,
            "timestamp": mail.created_at,
            "component": "cashout",
            "custom_details": { "text": text },
        },
        "links": links.collect::<Vec<_>>(),
    })
}
