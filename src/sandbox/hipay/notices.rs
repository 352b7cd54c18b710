//! Notifications: events that HiPay reports to an account's owner, as signed XML.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use md5::{Digest, Md5};

use super::HipayModel;
use super::identification::label;
use super::transactions::{Ending, Transaction};
use crate::domain::money::Amount;
use crate::sandbox::ledger::Kind;

/// Handling of notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// Notifications switched off: none are created.
    Off,
    /// Notifications created, but not sent: they wait.
    Held,
    /// Notifications created and sent immediately.
    On,
}

/// Settings for sending notifications.
#[derive(Debug, Clone)]
pub struct NoticeSettings {
    /// Handling of new notifications.
    pub sending: Sending,
    /// Number of times that each one is sent.
    pub copies: u32,
    /// Random order of waiting notifications.
    pub shuffle: bool,
    /// Second percent-encoding of the form field.
    pub encoded_twice: bool,
    /// Delay before each one.
    pub delay: Duration,
}

impl Default for NoticeSettings {
    fn default() -> Self {
        Self { sending: Sending::Off, copies: 1, shuffle: false, encoded_twice: false, delay: Duration::ZERO }
    }
}

/// Delivery status of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Waiting to be sent.
    Waiting,
    /// Account without a `callback_url`.
    NoUrl,
    /// URL of another machine; the sandbox calls this machine only.
    NotAllowed,
    /// Answered with this HTTP status (the last copy's).
    Answered(u16),
    /// Unanswered, with the reason.
    Failed(String),
}

/// A notification.
#[derive(Debug, Clone)]
pub struct Notice {
    /// Number of the notification, from 1.
    pub number: u64,
    /// Time of creation.
    pub at: Timestamp,
    /// `capture`, `withdraw_validation`, …
    pub operation: String,
    /// The operation succeeded.
    pub ok: bool,
    /// The account that it is about, whose salt signs it.
    pub account_id: u64,
    /// The transaction that it is about.
    pub transaction_id: Option<String>,
    /// URL of the receiver.
    pub url: Option<String>,
    /// The XML document.
    pub xml: String,
    /// Delivery status.
    pub delivery: Delivery,
}

/// An event to be notified.
pub(super) struct News {
    /// Accounts concerned; the seed chooses the one that is notified.
    accounts: Vec<u64>,
    operation: &'static str,
    ok: bool,
    transaction_id: Option<String>,
    /// Additional elements of the document.
    details: Vec<(&'static str, String)>,
}

impl News {
    fn about(account: u64, operation: &'static str, ok: bool) -> Self {
        Self { accounts: vec![account], operation, ok, transaction_id: None, details: Vec::new() }
    }

    pub(super) fn identification(account: u64, ok: bool) -> Self {
        Self::about(account, "identification", ok)
    }

    pub(super) fn document(account: u64, kind: u32, refused: Option<&str>) -> Self {
        let details = vec![
            ("message", refused.unwrap_or_default().to_owned()),
            ("document_type", kind.to_string()),
            ("document_type_label", label(kind).to_owned()),
        ];
        Self { details, ..Self::about(account, "document_validation", refused.is_none()) }
    }

    pub(super) fn bank(account: u64, refused: Option<&str>) -> Self {
        let details = vec![("message", refused.unwrap_or_default().to_owned())];
        Self { details, ..Self::about(account, "bank_info_validation", refused.is_none()) }
    }

    pub(super) fn funding(account: u64, transaction_id: &str, amount: Amount) -> Self {
        let mut news = Self::about(account, "other_transaction", true);
        news.money(transaction_id, amount, "Settlement");
        news.details.push(("settlement_type", "sales".to_owned()));
        news.details.push(("settlement_id", format!("S{transaction_id}")));
        news
    }

    pub(super) fn authorized(transaction: &Transaction) -> Self {
        Self::payment(transaction, "authorization", true)
    }

    pub(super) fn ended(transaction: &Transaction, ending: Ending) -> Self {
        let operation = match (transaction.kind, ending) {
            (Kind::Withdrawal, _) => "withdraw_validation",
            (Kind::Transfer | Kind::Funding, Ending::Unauthed) => "authorization",
            (
                Kind::Transfer | Kind::Funding,
                Ending::Captured | Ending::Aborted | Ending::RejectedEnd | Ending::CancelledEnd | Ending::Refunded,
            ) => "capture",
        };
        Self::payment(transaction, operation, ending == Ending::Captured)
    }

    fn payment(transaction: &Transaction, operation: &'static str, ok: bool) -> Self {
        let mut news = Self::about(transaction.issuer, operation, ok);
        news.accounts.extend(transaction.recipient);
        news.money(&transaction.id, transaction.amount, &transaction.label);
        news
    }

    fn money(&mut self, transaction_id: &str, amount: Amount, label: &str) {
        self.transaction_id = Some(transaction_id.to_owned());
        self.details.extend([
            ("amount", amount.decimal()),
            ("currency", amount.currency().code().to_owned()),
            ("label", label.to_owned()),
        ]);
    }
}

impl HipayModel {
    /// Creates a notification, unless notifications are off.
    pub(super) fn announce(&mut self, news: &News, now: Timestamp) {
        if self.notify.sending == Sending::Off {
            return;
        }
        let mut rng = self.chance.draw(&format!("notice {}", news.operation));
        // A transfer's notice may carry either account; accounts without a callback URL come last.
        let mut told: Vec<_> = news.accounts.iter().filter_map(|id| self.accounts.get(id)).collect();
        rng.shuffle(&mut told);
        told.sort_by_key(|account| account.callback_url.is_none());
        let Some(account) = told.first() else { return };
        let xml = document(news, account.id, &account.callback_salt, now, &mut rng);
        let delivery = if account.callback_url.is_some() { Delivery::Waiting } else { Delivery::NoUrl };
        let notice = Notice {
            number: u64::try_from(self.notifications.len()).unwrap_or(u64::MAX).saturating_add(1),
            at: now,
            operation: news.operation.to_owned(),
            ok: news.ok,
            account_id: account.id,
            transaction_id: news.transaction_id.clone(),
            url: account.callback_url.clone(),
            xml,
            delivery,
        };
        self.notifications.push(notice);
    }

    /// Sends again every notification that was already sent.
    pub fn resend_notifications(&mut self) {
        for notice in &mut self.notifications {
            if matches!(notice.delivery, Delivery::Answered(_) | Delivery::Failed(_)) {
                notice.delivery = Delivery::Waiting;
            }
        }
    }

    pub(in crate::sandbox) fn notices_waiting(&self) -> bool {
        self.notify.sending == Sending::On
            && self.notifications.iter().any(|notice| notice.delivery == Delivery::Waiting)
    }

    /// Returns the notifications to send now, in the order of sending: number, URL and document.
    pub(super) fn notices_to_send(&mut self) -> Vec<(u64, String, String)> {
        if self.notify.sending != Sending::On {
            return Vec::new();
        }
        let waiting = self.notifications.iter().filter(|notice| notice.delivery == Delivery::Waiting);
        let mut batch: Vec<_> = waiting
            .flat_map(|notice| {
                let url = notice.url.clone().unwrap_or_default();
                let copies = usize::try_from(self.notify.copies.max(1)).unwrap_or(1);
                std::iter::repeat_n((notice.number, url, notice.xml.clone()), copies)
            })
            .collect();
        if self.notify.shuffle {
            self.chance.draw("shuffle").shuffle(&mut batch);
        }
        batch
    }

    pub(super) fn notice_sent(&mut self, number: u64, delivery: Delivery) {
        if let Some(notice) = self.notifications.iter_mut().find(|notice| notice.number == number) {
            notice.delivery = delivery;
        }
    }
}

/// Writes the document in one of the layouts of real ones.
fn document(news: &News, account_id: u64, salt: &str, now: Timestamp, rng: &mut fastrand::Rng) -> String {
    let (line, indent) = match rng.u8(0..4) {
        0 => ("", ""),
        1 => ("\r\n", "\t"),
        _ => ("\n", "  "),
    };
    let long_empty = rng.bool();
    let element = |name: &str, value: &str| {
        let value = escape(value);
        if value.is_empty() && !long_empty { format!("<{name}/>") } else { format!("<{name}>{value}</{name}>") }
    };
    let (date, time) = date_and_time(now, rng);
    let mut elements = vec![
        element("operation", &operation(news.operation, rng)),
        element("status", if news.ok { "ok" } else { "nok" }),
        element("date", &date),
        element("time", &time),
    ];
    elements.extend(news.transaction_id.as_deref().map(|id| element("transid", id)));
    elements.push(element("account_id", &account_id.to_string()));
    elements.extend(news.details.iter().map(|(name, value)| element(name, value)));
    let lines: Vec<String> = elements.iter().map(|element| format!("{indent}{indent}{element}{line}")).collect();
    let result = format!("<result>{line}{}{indent}</result>", lines.concat());
    let checksum = checksum(&result, salt);
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>{line}<notification>{line}{indent}<md5content>{checksum}</md5content>{line}{indent}{result}{line}</notification>{line}"
    )
}

/// Returns a spelling of an operation's name: two are known, in any case.
fn operation(name: &'static str, rng: &mut fastrand::Rng) -> String {
    match rng.u8(0..8) {
        0 if name == "withdraw_validation" => "withdrawal_validation".to_owned(),
        1 => name.to_ascii_uppercase(),
        _ => name.to_owned(),
    }
}

fn date_and_time(now: Timestamp, rng: &mut fastrand::Rng) -> (String, String) {
    let (zone, name) = match TimeZone::get("Europe/Paris") {
        Ok(paris) if rng.bool() => (paris, "Europe/Paris"),
        Ok(_) | Err(_) => (TimeZone::UTC, "UTC"),
    };
    let local = now.to_zoned(zone);
    (local.strftime("%Y-%m-%d").to_string(), local.strftime(&format!("%H:%M:%S {name}%z")).to_string())
}

/// Returns the MD5 over the element as an XML library writes it back (short empty elements, LF),
/// without newlines, tabs and spaces between elements, followed by the salt.
fn checksum(result: &str, salt: &str) -> String {
    let flat = result.replace(['\r', '\n', '\t'], "");
    // Spaces in front of a `<` belong to the layout; all others are text.
    let pieces: Vec<&str> = flat
        .split('>')
        .map(|piece| {
            let text = piece.trim_start_matches(' ');
            if text.starts_with('<') { text } else { piece }
        })
        .collect();
    let mut compact = pieces.join(">");
    for name in ["label", "message"] {
        compact = compact.replace(&format!("<{name}></{name}>"), &format!("<{name}/>"));
    }
    let digest = Md5::digest(format!("{compact}{salt}"));
    let hex: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.concat()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::domain::money::Currency;

    #[test]
    fn the_layout_varies_and_the_signature_fits_each() {
        let amount = Amount::from_minor(8_300, Currency::EUR);
        let mut news = News::funding(500, "5d935783", amount);
        news.details.push(("message", String::new()));
        news.details.push(("label", "a > b & c".to_owned()));
        let now = "2026-11-21T10:00:00Z".parse().unwrap();
        let mut layouts = HashSet::new();
        for seed in 0..64 {
            let xml = document(&news, 500, "pepper", now, &mut fastrand::Rng::with_seed(seed));
            let (start, end) = (xml.find("<result>").unwrap(), xml.find("</result>").unwrap() + "</result>".len());
            assert!(
                xml.contains(&format!("<md5content>{}</md5content>", checksum(xml.get(start..end).unwrap(), "pepper")))
            );
            assert!(xml.contains("a &gt; b &amp; c"));
            let place = xml.find("<operation>").unwrap();
            let time = xml.contains("10:00:00 UTC+0000") || xml.contains("11:00:00 Europe/Paris+0100");
            assert!(time, "{xml}");
            layouts.insert((xml.contains('\r'), place, xml.contains("<message/>")));
        }
        assert!(layouts.len() >= 5, "{layouts:?}");
    }

    /// Compares with the result of another implementation of MD5 over the text given in the comment.
    #[test]
    fn the_checksum_is_that_of_the_compact_element_and_the_salt() {
        let result = "<result>\r\n\t<operation>capture</operation>\r\n    <label></label>\n</result>";
        // printf '<result><operation>capture</operation><label/></result>pepper' | md5sum
        assert_eq!(checksum(result, "pepper"), "6c30b775c087c3b0ac0d6df3eaadd3f3");
    }
}
