//! A wallet notice: HiPay's news of an account, a document, a transfer or a withdrawal, and its meaning.
//!
//! Pure. [`signature`](crate::remote::hipay::signature) decides whether a notice is HiPay's; the text read here as a
//! [`WalletNotice`] is the very text that was signed.

mod document;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use percent_encoding::percent_decode;

pub use document::{NoticeDocument, UnreadableDocument};

use crate::domain::attempt::TransactionState;
use crate::domain::money::{Amount, Currency, MoneyError};
use crate::domain::payment_kind::PaymentKind;

/// A notice with the contents of its signed element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletNotice {
    /// Operation in HiPay's word and lower case, such as `capture`.
    pub operation: String,
    /// HiPay's word for the result, in lower case: `ok`, `nok`.
    pub status: String,
    /// Time of the event by HiPay's clock (UTC, to the second); `None` if it cannot be read.
    pub at: Option<Timestamp>,
    /// Transaction id, if the notice concerns a transaction.
    pub transaction_id: Option<String>,
    /// Account of the notice, or one of the two if money moved between accounts.
    pub account_id: u64,
    /// All elements in their order, with their texts trimmed.
    elements: Vec<(String, String)>,
}

/// Meaning of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Result of the identification of the account's owner.
    Identification {
        /// True if identified.
        identified: bool,
    },
    /// Result of the validation of the bank details.
    BankDetails {
        /// True if validated.
        validated: bool,
    },
    /// Result of the validation of one document.
    Document {
        /// True if valid.
        valid: bool,
        /// HiPay's type number; `None` if it cannot be read.
        hipay_type: Option<u32>,
    },
    /// Progress of a payment.
    Payment {
        /// Kind of the payment.
        kind: PaymentKind,
        /// The new state; `None` if the payment is only authorised, which changes nothing yet.
        state: Option<TransactionState>,
    },
    /// Another movement of money on the account, such as incoming sales.
    OtherTransaction,
    /// A meaning that is not known here.
    Unknown,
}

impl WalletNotice {
    /// Parses the signed element, `<result>`.
    pub fn read(signed: &str) -> Result<Self, UnreadableDocument> {
        const ONCE: [&str; 8] = ["operation", "status", "date", "time", "transid", "account_id", "amount", "currency"];
        let pieces = document::pieces(signed)?;
        let elements: Vec<(String, String)> =
            document::children(&pieces).iter().map(|child| (child.name.to_owned(), child.text())).collect();
        if let Some(name) = ONCE.iter().find(|name| elements.iter().filter(|(known, _)| known == *name).count() > 1) {
            return Err(UnreadableDocument::because(format!("<{name}> stands in <result> twice")));
        }
        let mut notice = Self {
            operation: String::new(),
            status: String::new(),
            at: None,
            transaction_id: None,
            account_id: 0,
            elements,
        };
        let missing = |name: &str| UnreadableDocument::because(format!("<result> lacks <{name}>"));
        notice.operation = notice.text("operation").ok_or_else(|| missing("operation"))?.to_ascii_lowercase();
        notice.status = notice.text("status").unwrap_or_default().to_ascii_lowercase();
        notice.account_id = match notice.text("account_id").map(str::parse) {
            Some(Ok(account_id)) => account_id,
            Some(Err(_)) => return Err(UnreadableDocument::because("<account_id> is not a number")),
            None => return Err(missing("account_id")),
        };
        notice.transaction_id = notice.text("transid").map(str::to_owned);
        notice.at = instant(notice.text("date").unwrap_or_default(), notice.text("time").unwrap_or_default());
        Ok(notice)
    }

    /// Limits the notice's time to `received_at`: a notice cannot describe a later time.
    #[must_use]
    pub fn received(mut self, received_at: Timestamp) -> Self {
        self.at = self.at.map(|at| at.min(received_at));
        self
    }

    /// Returns the text of an element; `None` if it is missing or empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        let found = self.elements.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str());
        found.filter(|text| !text.is_empty())
    }

    /// Returns all elements with their texts, in their order.
    pub fn elements(&self) -> &[(String, String)] {
        &self.elements
    }

    /// Returns the amount without its sign, in the currency that the notice names, else in `usual`; `None` if there is
    /// no amount.
    pub fn amount(&self, usual: Currency) -> Option<Result<Amount, MoneyError>> {
        let text = self.text("amount")?;
        let currency = self.text("currency").map_or(Ok(usual), Currency::from_code);
        Some(currency.and_then(|currency| Amount::parse_computed(text, currency)).map(Amount::magnitude))
    }

    /// Returns the meaning of the notice; an unknown operation or status means [`Meaning::Unknown`].
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

/// Returns the form field `xml` of a body, decoded; some senders encode it twice.
pub fn form_field(body: &[u8]) -> Result<Vec<u8>, UnreadableDocument> {
    let mut values = body.split(|byte| *byte == b'&').filter_map(|pair| pair.strip_prefix(b"xml="));
    let value = values.next().ok_or_else(|| UnreadableDocument::because("the form field xml is missing"))?;
    if values.next().is_some() {
        return Err(UnreadableDocument::because("the form field xml is there twice"));
    }
    let spaced: Vec<u8> = value.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    Ok(form_value(percent_decode(&spaced).collect()))
}

/// Returns the document in a form field that was decoded with its form. Some senders also encode the document itself; a
/// `+` in such a document is a plus sign.
pub fn form_value(value: Vec<u8>) -> Vec<u8> {
    // XML begins with `<`, perhaps after a byte order mark; the encoded form contains neither.
    let encoded = value.trim_ascii_start().first() == Some(&b'%');
    if encoded { percent_decode(&value).collect() } else { value }
}

/// Parses `2019-10-01` with `13:41:28 UTC+0000` or `16:39:42 Europe/Paris+0200`; only the numeric offset counts.
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
