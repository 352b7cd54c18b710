//! A settlement: HiPay Enterprise's summary of the payments of a period, with the amount that it pays out.
//!
//! Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::enterprise::{NotificationFields, UnreadableNotification, quoted};
use crate::domain::money::{Amount, Currency};
use crate::domain::payment::{Arrival, FieldReading};
use crate::text::message::{Message, msg};

/// Maximum length of a reference, in characters.
const MAX_REFERENCE_LENGTH: usize = 100;

/// A settlement as HiPay last reported it. The signs are HiPay's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settlement {
    /// HiPay's number of the settlement. Never changes.
    pub reference: String,
    /// The account that is settled. Never changes.
    #[serde(default)]
    pub account: String,
    /// Total that customers paid.
    pub sales: Option<Amount>,
    /// Total that was refunded to customers.
    pub refunds: Option<Amount>,
    /// HiPay's fees.
    pub fees: Option<Amount>,
    /// Total of charge-backs: money that customers had returned by their banks.
    pub chargeback: Option<Amount>,
    /// Amount held back as a reserve, or released from it.
    pub rolling: Option<Amount>,
    /// All other amounts.
    pub other: Option<Amount>,
    /// Amount that is paid out.
    pub amount: Option<Amount>,
    /// The currency of these amounts.
    pub currency: Option<Currency>,
    /// The notifications that reported it, by their numbers in the inbox, in order.
    #[serde(default)]
    pub notifications: Vec<u64>,
    /// Time of arrival of the last of them (UTC).
    pub received_at: Timestamp,
    /// All fields by name, as HiPay wrote it.
    #[serde(default)]
    pub fields: NotificationFields,
    /// Messages about the values that could not be read.
    #[serde(default)]
    pub unreadable: Vec<Message>,
    /// Fields that a later release wrote, kept unchanged.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// Returns the reference of the settlement that `fields` describe.
pub fn settlement_reference(fields: &NotificationFields) -> Result<String, UnreadableNotification> {
    let reference = fields.first(&["reference", "settlement[reference]"]);
    let reference = reference.ok_or_else(|| UnreadableNotification(msg!("unreadable-no-settlement")))?;
    if reference.chars().count() > MAX_REFERENCE_LENGTH || reference.chars().any(char::is_control) {
        return Err(UnreadableNotification(msg!("unreadable-settlement", text = quoted(reference))));
    }
    Ok(reference.to_owned())
}

impl Settlement {
    /// Parses the fields of a notification. Only a notification that does not identify its settlement is refused.
    pub fn read(fields: NotificationFields, arrival: Arrival) -> Result<Self, UnreadableNotification> {
        let reference = settlement_reference(&fields)?;
        let mut reading = FieldReading { fields: &fields, unreadable: Vec::new() };
        let currency = reading.currency(&["currency", "settlement[currency]"]);
        let mut amount = |name: &str| {
            let inside = format!("settlement[{name}]");
            let name = if reading.fields.get(name).is_some() { name } else { &inside };
            reading.amount(name, currency, None)
        };
        let (sales, refunds, fees) = (amount("sales"), amount("refunds"), amount("fees"));
        let (chargeback, rolling) = (amount("chargeback"), amount("rolling"));
        let (other, total) = (amount("other"), amount("amount"));
        if total.is_none() {
            reading.unreadable.push(msg!("field-no-total"));
        }
        Ok(Self {
            reference,
            account: fields.first(&["account", "settlement[account]"]).unwrap_or_default().to_owned(),
            sales,
            refunds,
            fees,
            chargeback,
            rolling,
            other,
            amount: total,
            currency,
            notifications: vec![arrival.notification],
            received_at: arrival.received_at,
            unreadable: reading.unreadable,
            fields,
            unknown: Map::new(),
        })
    }

    /// Applies a later notification about the same settlement.
    #[must_use]
    pub fn corrected_by(self, later: Self) -> Self {
        let mut notifications = self.notifications;
        notifications.extend(later.notifications);
        let mut unknown = self.unknown;
        unknown.extend(later.unknown);
        Self { notifications, unknown, ..later }
    }
}

#[cfg(test)]
mod tests;
