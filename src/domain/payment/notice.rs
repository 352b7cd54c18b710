//! The content of one notification about a payment: its fields, typed where it matters.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::status::PaymentStatus;
use crate::domain::enterprise::{NotificationFields, UnreadableNotification, quoted};
use crate::domain::money::{Amount, Currency};
use crate::text::Texts;
use crate::text::message::{self, Message, msg};

/// Maximum length of a transaction reference, in characters; HiPay's have twelve.
const MAX_REFERENCE_LENGTH: usize = 100;

/// The content of one notification about a payment. A missing or unreadable value is `None` or empty;
/// [`PaymentNotice::fields`] contains everything as HiPay wrote it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PaymentNotice {
    /// HiPay's number of the payment.
    pub transaction_reference: String,
    /// The merchant's number of the order.
    #[serde(default)]
    pub order_id: String,
    /// Status of the payment.
    pub status: Option<PaymentStatus>,
    /// HiPay's word for the status.
    #[serde(default)]
    pub message: String,
    /// `completed`, `pending`, `declined` or `error`. Decides nothing.
    #[serde(default)]
    pub state: String,
    /// HiPay's number of the reason for a decline.
    #[serde(default)]
    pub reason_code: String,
    /// Reason for a decline, in words.
    #[serde(default)]
    pub reason_message: String,
    /// True for a test payment, in which no money moves.
    #[serde(default)]
    pub test: bool,
    /// The merchant account at HiPay Enterprise.
    #[serde(default)]
    pub mid: String,
    /// Number of the attempt to pay, from 1.
    pub attempt_id: Option<u64>,
    /// Time of the payment's creation (UTC).
    pub date_created: Option<Timestamp>,
    /// Time of the payment's last change (UTC).
    pub date_updated: Option<Timestamp>,
    /// Time of the authorisation (UTC).
    pub date_authorized: Option<Timestamp>,
    /// Amount that the customer has agreed to.
    pub authorized_amount: Option<Amount>,
    /// Amount for which a capture was requested.
    pub captured_amount: Option<Amount>,
    /// Amount that was captured, if an operation was requested by its id.
    pub real_captured_amount: Option<Amount>,
    /// Amount for which a refund was requested.
    pub refunded_amount: Option<Amount>,
    /// Amount that was refunded, if an operation was requested by its id.
    pub real_refunded_amount: Option<Amount>,
    /// The currency of these amounts.
    pub currency: Option<Currency>,
    /// The order's total.
    pub order_amount: Option<Amount>,
    /// The amount of the notification's capture, refund or cancellation.
    pub operation_amount: Option<Amount>,
    /// Payment product that the customer uses, such as `visa`.
    #[serde(default)]
    pub payment_product: String,
    /// All fields by name, such as `payment_method[brand]`; after the retention period of personal data only the
    /// fields without any.
    #[serde(default)]
    pub fields: NotificationFields,
    /// Messages about the values that could not be read.
    #[serde(flatten, with = "message::stored_list")]
    pub unreadable: Vec<Message>,
    /// Fields that a later release wrote, kept unchanged.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl PaymentNotice {
    /// Parses the fields of a notification. Only a notification that does not identify its payment is refused.
    pub fn read(fields: NotificationFields) -> Result<Self, UnreadableNotification> {
        let mut reading = FieldReading { fields: &fields, unreadable: Vec::new() };
        let transaction_reference = transaction_reference(&fields)?;
        let status = reading.number("status").and_then(|number| u32::try_from(number).ok()).map(PaymentStatus);
        if status.is_none() {
            reading.unreadable.push(msg!("field-no-status"));
        }
        let currency = reading.currency(&["currency"]);
        let decimals = reading.number("decimals");
        let order_currency = reading.currency(&["order[currency]", "currency"]);
        let order_decimals = reading.number("order[decimals]");
        let operation_currency = reading.currency(&["operation[currency]", "currency"]);
        let (date_created, date_updated) = (reading.date("date_created"), reading.date("date_updated"));
        let mut amount = |name| reading.amount(name, currency, decimals);
        let (authorized_amount, captured_amount) = (amount("authorized_amount"), amount("captured_amount"));
        let (real_captured_amount, refunded_amount) = (amount("real_captured_amount"), amount("refunded_amount"));
        let real_refunded_amount = amount("real_refunded_amount");
        let order_amount = reading.amount("order[amount]", order_currency, order_decimals);
        let operation_amount = reading.amount("operation[amount]", operation_currency, None);
        let date_authorized = reading.date("date_authorized");
        let (attempt_id, is_test) = (reading.number("attempt_id"), reading.flag("test"));
        let text = |names: &[&str]| fields.first(names).unwrap_or_default().to_owned();
        let said = text(&["message"]);
        let name = status.and_then(PaymentStatus::name).unwrap_or_default();
        Ok(Self {
            transaction_reference,
            order_id: text(&["order[id]", "orderid"]),
            status,
            message: if said.is_empty() { name.to_owned() } else { said },
            state: text(&["state"]),
            reason_code: text(&["reason[code]"]),
            reason_message: text(&["reason[message]", "reason"]),
            test: is_test.unwrap_or(false),
            mid: text(&["mid"]),
            attempt_id,
            date_created,
            date_updated,
            date_authorized,
            authorized_amount,
            captured_amount,
            real_captured_amount,
            refunded_amount,
            real_refunded_amount,
            currency,
            order_amount,
            operation_amount,
            payment_product: text(&["payment_product"]),
            unreadable: reading.unreadable,
            fields,
            unknown: Map::new(),
        })
    }

    /// Returns the value of the first of these names that has one.
    pub fn field(&self, names: &[&str]) -> Option<&str> {
        self.fields.first(names)
    }

    /// Returns the messages about unreadable values, in the language of `texts`.
    pub fn unreadable(&self, texts: &Texts) -> Vec<String> {
        self.unreadable.iter().map(|message| message.in_words(texts)).collect()
    }

    /// Returns the token that represents the card at HiPay.
    pub fn token(&self) -> Option<&str> {
        self.field(&["payment_method[token]", "token"])
    }
}

/// Returns the number of the payment that `fields` describe.
pub fn transaction_reference(fields: &NotificationFields) -> Result<String, UnreadableNotification> {
    let reference = fields.get("transaction_reference");
    let reference = reference.ok_or_else(|| UnreadableNotification(msg!("unreadable-no-reference")))?;
    if reference.chars().count() > MAX_REFERENCE_LENGTH || reference.chars().any(char::is_control) {
        return Err(UnreadableNotification(msg!("unreadable-reference", text = quoted(reference))));
    }
    Ok(reference.to_owned())
}

/// Fields, and the messages about those that could not be read so far.
pub(crate) struct FieldReading<'a> {
    pub(crate) fields: &'a NotificationFields,
    pub(crate) unreadable: Vec<Message>,
}

impl FieldReading<'_> {
    /// Returns `value`; without one, `note` says why.
    fn noted<T>(&mut self, value: Option<T>, note: impl FnOnce() -> Message) -> Option<T> {
        if value.is_none() {
            self.unreadable.push(note());
        }
        value
    }

    fn number(&mut self, name: &str) -> Option<u64> {
        let text = self.fields.get(name)?;
        self.noted(text.parse().ok(), || msg!("field-no-number", name, text = quoted(text)))
    }

    fn flag(&mut self, name: &str) -> Option<bool> {
        let text = self.fields.get(name)?;
        let flag = match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => Some(true),
            "false" | "0" | "no" => Some(false),
            _ => None,
        };
        self.noted(flag, || msg!("field-no-truth", name, text = quoted(text)))
    }

    /// Parses a date with its offset; without one it is not an instant and is refused.
    fn date(&mut self, name: &str) -> Option<Timestamp> {
        let text = self.fields.get(name)?;
        self.noted(text.parse().ok(), || msg!("field-no-date", name, text = quoted(text)))
    }

    pub(crate) fn currency(&mut self, names: &[&str]) -> Option<Currency> {
        let code = self.fields.first(names)?;
        let currency = Currency::from_code(code).ok();
        let note = msg!("field-no-currency", text = quoted(code));
        if currency.is_none() && !self.unreadable.contains(&note) {
            self.unreadable.push(note);
        }
        currency
    }

    /// Parses an amount in `currency` with at most `decimals` decimals, if that is given.
    pub(crate) fn amount(&mut self, name: &str, currency: Option<Currency>, decimals: Option<u64>) -> Option<Amount> {
        let text = self.fields.get(name)?;
        let currency = self.noted(currency, || msg!("field-without-currency", name))?;
        let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction).trim_end_matches('0');
        let told = decimals.and_then(|decimals| usize::try_from(decimals).ok());
        if told.is_some_and(|told| fraction.len() > told) {
            self.unreadable.push(msg!("field-too-precise", name, text = quoted(text)));
            return None;
        }
        let note = || msg!("field-no-amount", name, text = quoted(text), currency = currency.code());
        self.noted(Amount::parse(text, currency).ok(), note)
    }
}
