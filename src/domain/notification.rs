//! A wallet notice: what HiPay tells about an account, a document, a transfer or a withdrawal, and
//! what that means.
//!
//! Pure. Whether a notice is HiPay's is decided by [`signature`](crate::remote::hipay::signature); what is
//! read here as a [`WalletNotice`] is the very text that was signed.

mod document;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use percent_encoding::percent_decode;

pub use document::{Document, Unreadable};

use crate::domain::attempt::TransactionState;
use crate::domain::money::{Amount, Currency, MoneyError};
use crate::domain::payment_kind::PaymentKind;

/// A notice as the signed element says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletNotice {
    /// What it is about, in HiPay's word and lower case: `capture`.
    pub operation: String,
    /// HiPay's word for how it went, in lower case: `ok`, `nok`.
    pub status: String,
    /// When it happened by HiPay's clock (UTC, to the second); `None` where that cannot be read.
    pub at: Option<Timestamp>,
    /// The transaction, where it is about one.
    pub transaction_id: Option<String>,
    /// The account that it is about, or one of the two where money moved between accounts.
    pub account_id: u64,
    /// All its elements, in their order, with the blanks around their text gone.
    elements: Vec<(String, String)>,
}

/// What a notice means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The account's owner is identified, or is not.
    Identification {
        /// Whether.
        identified: bool,
    },
    /// The bank details are validated, or are not.
    BankDetails {
        /// Whether.
        validated: bool,
    },
    /// One document is valid, or is not.
    Document {
        /// Whether.
        valid: bool,
        /// HiPay's type number, where it can be read.
        hipay_type: Option<u32>,
    },
    /// A payment has gone on.
    Payment {
        /// Which of the two.
        kind: PaymentKind,
        /// What it has come to; `None` where it is only authorised, which changes nothing yet.
        state: Option<TransactionState>,
    },
    /// Money moved on the account for another reason, such as sales that arrive.
    OtherTransaction,
    /// Nothing that is known here.
    Unknown,
}

impl WalletNotice {
    /// Reads the signed element, `<result>`.
    pub fn read(signed: &str) -> Result<Self, Unreadable> {
        const ONCE: [&str; 8] = ["operation", "status", "date", "time", "transid", "account_id", "amount", "currency"];
        let pieces = document::pieces(signed)?;
        let elements: Vec<(String, String)> =
            document::children(&pieces).iter().map(|child| (child.name.to_owned(), child.text())).collect();
        if let Some(name) = ONCE.iter().find(|name| elements.iter().filter(|(known, _)| known == *name).count() > 1) {
            return Err(Unreadable::because(format!("<{name}> stands in <result> twice")));
        }
        let mut notice = Self {
            operation: String::new(),
            status: String::new(),
            at: None,
            transaction_id: None,
            account_id: 0,
            elements,
        };
        let missing = |name: &str| Unreadable::because(format!("<result> lacks <{name}>"));
        notice.operation = notice.text("operation").ok_or_else(|| missing("operation"))?.to_ascii_lowercase();
        notice.status = notice.text("status").unwrap_or_default().to_ascii_lowercase();
        notice.account_id = match notice.text("account_id").map(str::parse) {
            Some(Ok(account_id)) => account_id,
            Some(Err(_)) => return Err(Unreadable::because("<account_id> is not a number")),
            None => return Err(missing("account_id")),
        };
        notice.transaction_id = notice.text("transid").map(str::to_owned);
        notice.at = instant(notice.text("date").unwrap_or_default(), notice.text("time").unwrap_or_default());
        Ok(notice)
    }

    /// The same, which came at `received_at` at the latest: it speaks of no later time.
    #[must_use]
    pub fn received(mut self, received_at: Timestamp) -> Self {
        self.at = self.at.map(|at| at.min(received_at));
        self
    }

    /// The text of an element; `None` where it is missing or empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        let found = self.elements.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str());
        found.filter(|text| !text.is_empty())
    }

    /// All elements with their texts, in their order.
    pub fn elements(&self) -> &[(String, String)] {
        &self.elements
    }

    /// The amount without a sign, in the currency that is named, else in `usual`. `None` where there
    /// is none.
    pub fn amount(&self, usual: Currency) -> Option<Result<Amount, MoneyError>> {
        let text = self.text("amount")?;
        let currency = self.text("currency").map_or(Ok(usual), Currency::from_code);
        Some(currency.and_then(|currency| Amount::parse_computed(text, currency)).map(Amount::magnitude))
    }

    /// What it means. An operation or a status that is not known means nothing.
    pub fn meaning(&self) -> Meaning {
        let good = match self.status.as_str() {
            "ok" => true,
            "nok" | "ko" => false,
            _ => {
                return if self.operation == "other_transaction" {
                    Meaning::OtherTransaction
                } else {
                    Meaning::Unknown
                };
            }
        };
        let payment = |kind, state| Meaning::Payment { kind, state };
        let unless = |bad| if good { TransactionState::Captured } else { bad };
        match self.operation.as_str() {
            "identification" => Meaning::Identification { identified: good },
            "bank_info_validation" => Meaning::BankDetails { validated: good },
            "document_validation" => Meaning::Document {
                valid: good,
                hipay_type: self.text("document_type").and_then(|number| number.parse().ok()),
            },
            "authorization" => payment(PaymentKind::Transfer, (!good).then_some(TransactionState::Failed)),
            "capture" => payment(PaymentKind::Transfer, Some(unless(TransactionState::Failed))),
            "withdraw_validation" | "withdrawal_validation" => {
                payment(PaymentKind::Withdrawal, Some(unless(TransactionState::Canceled)))
            }
            "other_transaction" => Meaning::OtherTransaction,
            _ => Meaning::Unknown,
        }
    }
}

/// The form field `xml` of a body, decoded. Some senders encode it once more.
pub fn form_field(body: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let mut values = body.split(|byte| *byte == b'&').filter_map(|pair| pair.strip_prefix(b"xml="));
    let value = values.next().ok_or_else(|| Unreadable::because("the form field xml is missing"))?;
    if values.next().is_some() {
        return Err(Unreadable::because("the form field xml is there twice"));
    }
    Ok(form_value(decoded(value)))
}

/// The document in a form's field, whose form was decoded: some senders encode the document once more by itself,
/// and a `+` in that is one.
pub fn form_value(value: Vec<u8>) -> Vec<u8> {
    // XML begins with `<`, perhaps behind a byte order mark; encoded, neither is left.
    let encoded = value.trim_ascii_start().first() == Some(&b'%');
    if encoded { percent_encoding::percent_decode(&value).collect() } else { value }
}

fn decoded(value: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = value.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).collect()
}

/// `2019-10-01` and `13:41:28 UTC+0000` or `16:39:42 Europe/Paris+0200`: the offset counts.
fn instant(date: &str, time: &str) -> Option<Timestamp> {
    let date: Date = date.parse().ok()?;
    let (time, zone) = time.split_once(char::is_whitespace)?;
    let time: Time = time.parse().ok()?;
    let sign = zone.rfind(['+', '-'])?;
    let (_, offset) = zone.split_at_checked(sign)?;
    let digits = offset.get(1..)?.replace(':', "");
    let (hours, minutes) = digits.split_at_checked(2)?;
    let number = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<i32>().ok())?
    };
    let seconds = number(hours)?.checked_mul(3_600)?.checked_add(number(minutes)?.checked_mul(60)?)?;
    let seconds = if offset.starts_with('-') { seconds.checked_neg()? } else { seconds };
    let offset = Offset::from_seconds(seconds).ok()?;
    offset.to_timestamp(DateTime::from_parts(date, time)).ok()
}
