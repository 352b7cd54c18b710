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
    #[serde(default)]
    pub sales: Option<Amount>,
    /// Total that was refunded to customers.
    #[serde(default)]
    pub refunds: Option<Amount>,
    /// HiPay's fees.
    #[serde(default)]
    pub fees: Option<Amount>,
    /// Total of charge-backs: money that customers had returned by their banks.
    #[serde(default)]
    pub chargeback: Option<Amount>,
    /// Amount held back as a reserve, or released from it.
    #[serde(default)]
    pub rolling: Option<Amount>,
    /// All other amounts.
    #[serde(default)]
    pub other: Option<Amount>,
    /// Amount that is paid out.
    #[serde(default)]
    pub amount: Option<Amount>,
    /// The currency of these amounts.
    #[serde(default)]
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
mod tests {
    use super::*;
    use crate::domain::enterprise::{self, EnterpriseNotification};

    fn read(body: &str) -> Result<Settlement, UnreadableNotification> {
        let Ok(EnterpriseNotification::Settlement(fields)) = enterprise::read(body) else { panic!("{body}") };
        Settlement::read(fields, Arrival { notification: 7, received_at: Timestamp::UNIX_EPOCH })
    }

    #[test]
    fn all_three_forms_tell_the_same() {
        let form = "notification_type=settlement&account=1234&reference=S-9&sales=1000.00&refunds=-20.50&fees=-12.30\
            &chargeback=0.00&rolling=-50.00&other=0&amount=917.20&currency=EUR";
        let xml = "<settlement><account>1234</account><reference>S-9</reference><sales>1000.00</sales>\
            <refunds>-20.50</refunds><fees>-12.30</fees><chargeback>0.00</chargeback><rolling>-50.00</rolling>\
            <other>0</other><amount>917.20</amount><currency>EUR</currency></settlement>";
        let json = "{\"settlement\":{\"account\":1234,\"reference\":\"S-9\",\"sales\":1000.00,\"refunds\":-20.5,\
            \"fees\":\"-12.30\",\"chargeback\":0.00,\"rolling\":-50.00,\"other\":0,\"amount\":917.20,\"currency\":\"EUR\"}}";
        for body in [form, xml, json] {
            let read = read(body).unwrap();
            assert_eq!((read.reference.as_str(), read.account.as_str()), ("S-9", "1234"), "{body}");
            let amounts = [read.sales, read.refunds, read.fees, read.chargeback, read.rolling, read.other, read.amount];
            let minor = amounts.map(|amount| amount.map(Amount::minor));
            let wanted = [100_000, -2_050, -1_230, 0, -5_000, 0, 91_720].map(Some);
            assert_eq!((minor, read.currency), (wanted, Some(Currency::EUR)), "{body}");
            assert!(read.unreadable.is_empty(), "{:?}", read.unreadable);
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_and_kept() {
        let odd = read("notification_type=settlement&reference=S-9&amount=12,50&currency=EUR").unwrap();
        assert_eq!((odd.amount, odd.fields.get("amount")), (None, Some("12,50")));
        assert!(odd.unreadable[0].contains("amount is '12,50', which is not an amount in EUR"), "{:?}", odd.unreadable);
        assert!(read("notification_type=settlement&amount=1").is_err());
    }
}
