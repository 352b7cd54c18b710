//! Notifications about customers' payments and settlements, applied to the stored ones. They move no money of ours.

use crate::domain::enterprise::{self, EnterpriseNotification, UnreadableNotification};
use crate::domain::inbox::{Notification, NotificationOutcome};
use crate::domain::payment::{Arrival, CustomerPayment, PaymentEffect, PaymentNotice};
use crate::domain::settlement::Settlement;
use crate::store::{StoreError, View, Writer};
use crate::text::message::{Message, msg};

/// Applies a notification to the payment or settlement that it is about.
pub(crate) fn apply(writer: &mut Writer<'_>, notification: &Notification) -> Result<NotificationOutcome, StoreError> {
    let arrival = Arrival { notification: notification.id, received_at: notification.received_at };
    let applied = enterprise::read(&notification.body).and_then(|read| match read {
        EnterpriseNotification::Payment(fields) => {
            PaymentNotice::read(fields).map(|notice| record(writer, notice, arrival))
        }
        EnterpriseNotification::Settlement(fields) => {
            Settlement::read(fields, arrival).map(|settlement| settle(writer, settlement))
        }
    });
    applied.unwrap_or_else(|UnreadableNotification(reason)| {
        Ok(NotificationOutcome::Ignored(msg!("notice-unreadable", reason)))
    })
}

fn record(writer: &mut Writer<'_>, notice: PaymentNotice, arrival: Arrival) -> Result<NotificationOutcome, StoreError> {
    let reference = notice.transaction_reference.clone();
    let status = notice.status.as_ref().map_or_else(|| msg!("notice-payment-no-status"), Message::from);
    let unreadable = notice.unreadable.clone();
    let (payment, taken) = match writer.get::<CustomerPayment>(&reference)? {
        None => (CustomerPayment::new(notice, arrival), PaymentEffect::Latest),
        Some(mut known) => {
            let taken = known.add_notification(notice, arrival);
            (known, taken)
        }
    };
    writer.put(&payment)?;
    let message = match taken {
        PaymentEffect::Latest => msg!("notice-payment-told", reference, status),
        PaymentEffect::Late => msg!("notice-payment-late", reference, status),
        PaymentEffect::Repeated => {
            return Ok(NotificationOutcome::Ignored(msg!("notice-payment-repeated", reference, status)));
        }
    };
    let both = |one: Message, other: Message| msg!("both", one, other);
    let message = unreadable.into_iter().fold(message, both);
    Ok(NotificationOutcome::Applied(message))
}

fn settle(writer: &mut Writer<'_>, settlement: Settlement) -> Result<NotificationOutcome, StoreError> {
    let key = (settlement.account.clone(), settlement.reference.clone());
    let reference = &settlement.reference;
    let message = match settlement.amount {
        Some(amount) => msg!("notice-settlement-told", reference, amount),
        None => msg!("notice-settlement-no-amount", reference),
    };
    let settlement = match writer.get::<Settlement>(&key)? {
        None => settlement,
        Some(known) => known.corrected_by(settlement),
    };
    writer.put(&settlement)?;
    Ok(NotificationOutcome::Applied(message))
}
