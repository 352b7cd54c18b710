//! Text of a mail, in the reader's language, as plain text and as HTML.

use jiff::Timestamp;
use jiff::civil::Date;

use super::digest::Digest;
use super::{Letter, Mail};
use crate::config::{Config, LogLevel};
use crate::domain::pii::masked;
use crate::logs::{AlertBatch, AlertGroup};
use crate::platform::os;
use crate::text::Texts;
use crate::trouble::Trouble;

/// Maximum number of messages listed; only the number of further ones is given.
const MAX_SENTENCES: usize = 20;
/// Maximum length of a message in a subject, in characters; longer ones are cut.
const MAX_SUBJECT_LENGTH: usize = 160;
/// Maximum length of a message, in characters; longer ones are cut.
const MAX_SENTENCE_LENGTH: usize = 500;

/// A part of a mail.
enum MailPart {
    Paragraph(String),
    Heading(String),
    /// A message and the facts about it.
    Item(String, Vec<String>),
}

/// Composes a mail in the language and with the addresses of `config`.
pub(super) fn letter(mail: &Mail, config: &Config) -> Letter {
    let writer = MailWriter { texts: Texts::of(config.dashboard.locale), config };
    let (subject, parts) = match (&mail.trouble, &mail.digest, &mail.summary) {
        (Some(trouble), ..) => writer.trouble(trouble),
        (None, Some(digest), _) => writer.digest(digest),
        (None, None, Some(summary)) => writer.alert(summary),
        (None, None, None) => writer.alert(&AlertBatch::default()),
    };
    Letter { subject, text: as_text(&parts), html: as_html(&parts), token: mail.token.clone(), at: mail.created_at }
}

struct MailWriter<'a> {
    texts: &'static Texts,
    config: &'a Config,
}

impl MailWriter<'_> {
    fn subject(&self) -> &str {
        self.config.mail.as_ref().map_or("cashout", |mail| &mail.subject)
    }

    fn level(&self, level: u16) -> String {
        self.texts.text(&format!("level-{}", LogLevel::of_number(level).name().to_ascii_lowercase()), &[])
    }

    fn time(&self, at: Option<Timestamp>) -> String {
        let pattern = self.texts.convention("%Y-%m-%d %H:%M", "%d/%m/%Y %H:%M");
        let zone = self.config.hipay.time_zone.clone();
        at.map(|at| at.to_zoned(zone).strftime(pattern).to_string()).unwrap_or_default()
    }

    fn day(&self, day: Date) -> String {
        day.strftime(self.texts.convention("%Y-%m-%d", "%d/%m/%Y")).to_string()
    }

    fn link(&self, page: &str) -> Option<MailPart> {
        let url = format!("{}/dashboard{page}", self.config.server.public_url.as_ref()?);
        Some(MailPart::Paragraph(self.texts.text("dashboard-link", &[("url", url.into())])))
    }

    fn alert(&self, summary: &AlertBatch) -> (String, Vec<MailPart>) {
        let levels = summary.by_level();
        let worst = levels.first().map(|(level, _)| self.level(*level)).unwrap_or_default();
        let subject = self.texts.text(
            "alert-subject",
            &[("subject", self.subject().into()), ("worst", worst.into()), ("lines", summary.lines().into())],
        );
        let intro = self.texts.text(
            "alert-intro",
            &[
                ("host", host(self.config).into()),
                ("lines", summary.lines().into()),
                ("first", self.time(summary.first_at).into()),
                ("last", self.time(summary.last_at).into()),
            ],
        );
        let levels: Vec<String> =
            levels.iter().map(|(level, count)| format!("{} {count}", self.level(*level))).collect();
        let levels = self.texts.text("alert-by-level", &[("levels", levels.join(", ").into())]);
        let mut parts = vec![MailPart::Paragraph(intro), MailPart::Paragraph(levels)];

        let mut groups: Vec<&AlertGroup> = summary.groups.iter().collect();
        groups.sort_by_key(|sentence| std::cmp::Reverse((sentence.level, sentence.count)));
        let (told, untold) = groups.split_at(groups.len().min(MAX_SENTENCES));
        parts.extend(told.iter().map(|sentence| self.sentence(sentence)));
        let others: u64 = summary.others.values().sum();
        let lines = untold.iter().map(|sentence| sentence.count).fold(others, u64::saturating_add);
        if lines > 0 {
            // The lines without a group have at least one more message.
            let more = untold.len() + usize::from(others > 0);
            let values = [("groups", more.into()), ("lines", lines.into())];
            parts.push(MailPart::Paragraph(self.texts.text("alert-more", &values)));
        }
        let minutes = super::ALERT_INTERVAL.as_mins();
        parts.push(MailPart::Paragraph(self.texts.text("alert-outro", &[("minutes", minutes.into())])));
        parts.extend(self.link("/logs"));
        (subject, parts)
    }

    fn trouble(&self, trouble: &Trouble) -> (String, Vec<MailPart>) {
        let message = masked(&trouble.message.in_words(self.texts));
        let short: String = message.chars().take(MAX_SUBJECT_LENGTH).collect();
        let short = if short.len() < message.len() { format!("{short}…") } else { short };
        let level = self.level(trouble.level);
        let item = MailPart::Item(format!("{level} {message}"), Vec::new());
        let facts = [
            ("host", host(self.config).into()),
            ("since", self.time(Some(trouble.opened_at)).into()),
            ("last", self.time(Some(trouble.seen_at)).into()),
            ("times", trouble.times.into()),
            ("until", self.time(trouble.resolved_at).into()),
        ];
        let subject = [("subject", self.subject().into()), ("level", level.as_str().into()), ("message", short.into())];
        let paragraph = |id: &str| MailPart::Paragraph(self.texts.text(id, &facts));
        let [id, state, outro] = if trouble.resolved_at.is_some() {
            ["trouble-over-subject", "trouble-over", "trouble-over-outro"]
        } else {
            ["trouble-subject", "trouble-open", "trouble-outro"]
        };
        let mut parts = vec![paragraph(state), item, paragraph(outro)];
        parts.extend(self.link(""));
        (self.texts.text(id, &subject), parts)
    }

    fn sentence(&self, sentence: &AlertGroup) -> MailPart {
        let message: String = masked(&sentence.message).chars().take(MAX_SENTENCE_LENGTH).collect();
        let about = if sentence.action.is_empty() { String::new() } else { format!("{}: ", sentence.action) };
        let last = self.time(Some(sentence.last_at));
        let mut facts =
            vec![self.texts.text("alert-count", &[("count", sentence.count.into()), ("last", last.into())])];
        let listed = |known: Vec<String>| {
            let full = u64::try_from(known.len()).unwrap_or(u64::MAX) < sentence.count && known.len() > 4;
            format!("{}{}", known.join(", "), if full { ", …" } else { "" })
        };
        if !sentence.mirakl_ids.is_empty() {
            let shops = listed(sentence.mirakl_ids.iter().map(ToString::to_string).collect());
            facts.push(self.texts.text("alert-shops", &[("shops", shops.into())]));
        }
        if !sentence.vouchers.is_empty() {
            let vouchers = listed(sentence.vouchers.clone());
            facts.push(self.texts.text("alert-vouchers", &[("vouchers", vouchers.into())]));
        }
        MailPart::Item(format!("{} {about}{message}", self.level(sentence.level)), facts)
    }

    fn digest(&self, digest: &Digest) -> (String, Vec<MailPart>) {
        let text = |id: &str| self.texts.text(id, &[]);
        let day = self.day(digest.day);
        let subject =
            self.texts.text("digest-subject", &[("subject", self.subject().into()), ("day", day.clone().into())]);
        let intro = self.texts.text("digest-intro", &[("host", host(self.config).into()), ("day", day.into())]);
        let mut parts = vec![MailPart::Paragraph(intro)];
        let mut section = |heading: &str, none: &str, lines: Vec<String>| {
            parts.push(MailPart::Heading(text(heading)));
            if lines.is_empty() {
                parts.push(MailPart::Paragraph(text(none)));
            }
            parts.extend(lines.into_iter().map(|line| MailPart::Item(line, Vec::new())));
        };
        let batches = digest.batches.iter().map(|(command, runs)| {
            let values = [
                ("command", command.as_str().into()),
                ("runs", runs.runs.into()),
                ("ended_early", runs.ended_early.into()),
                ("failed", runs.failed.into()),
            ];
            self.texts.text("digest-batch", &values)
        });
        section("digest-batches", "digest-no-batches", batches.collect());
        let operations = digest.operations.iter().map(|of_status| {
            let sums: Vec<String> = of_status.sums.iter().map(ToString::to_string).collect();
            let values = [
                ("status", of_status.status.as_str().into()),
                ("count", of_status.count.into()),
                ("sums", sums.join(" + ").into()),
            ];
            self.texts.text("digest-operation", &values)
        });
        section("digest-operations", "digest-no-operations", operations.collect());
        let mut vendors = Vec::new();
        if digest.vendors > 0 {
            let mut shops: Vec<String> = digest.shops.iter().map(ToString::to_string).collect();
            if u64::try_from(shops.len()).unwrap_or(u64::MAX) < digest.vendors {
                shops.push(text("digest-more"));
            }
            let values = [("count", digest.vendors.into()), ("shops", shops.join(", ").into())];
            vendors.push(self.texts.text("digest-vendor-count", &values));
        }
        section("digest-vendors", "digest-no-vendors", vendors);
        let levels = digest.levels.iter().map(|of_level| {
            let count = if of_level.exact {
                of_level.count.to_string()
            } else {
                self.texts.text("digest-at-least", &[("count", of_level.count.into())])
            };
            self.texts
                .text("digest-log-level", &[("level", self.level(of_level.level).into()), ("count", count.into())])
        });
        section("digest-log", "digest-no-log", levels.collect());
        parts.push(MailPart::Heading(text("digest-notifications")));
        let values = [("unmatched", digest.unmatched.into()), ("waiting", digest.waiting.into())];
        parts.push(MailPart::Paragraph(self.texts.text("digest-notifications-text", &values)));
        parts.extend(self.link(""));
        (subject, parts)
    }
}

/// Returns the name of this installation: the host of its public address, else the machine's name.
pub(super) fn host(config: &Config) -> String {
    let public = config.server.public_url.as_deref().and_then(|url| url.split_once("://"));
    if let Some((_, host)) = public {
        return host.to_owned();
    }
    let machine = os::host_name();
    if machine.is_empty() { "localhost".to_owned() } else { machine }
}

fn as_text(parts: &[MailPart]) -> String {
    let mut text = String::new();
    for part in parts {
        match part {
            MailPart::Paragraph(words) => text.extend([words, "\n\n"]),
            MailPart::Heading(words) => text.extend(["\n", words, "\n\n"]),
            MailPart::Item(words, facts) => {
                text.extend(["- ", words, "\n"]);
                for fact in facts {
                    text.extend(["  ", fact, "\n"]);
                }
                if !facts.is_empty() {
                    text.push('\n');
                }
            }
        }
    }
    text
}

fn as_html(parts: &[MailPart]) -> String {
    let mut html = String::from(
        "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"></head>\n<body style=\"font-family: sans-serif\">\n",
    );
    for part in parts {
        match part {
            MailPart::Paragraph(words) => html.extend(["<p>", &escaped(words), "</p>\n"]),
            MailPart::Heading(words) => html.extend(["<h3>", &escaped(words), "</h3>\n"]),
            MailPart::Item(words, facts) => {
                html.extend(["<p><strong>", &escaped(words), "</strong>"]);
                for fact in facts {
                    html.extend(["<br>", &escaped(fact)]);
                }
                html.push_str("</p>\n");
            }
        }
    }
    html.push_str("</body></html>\n");
    html
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
