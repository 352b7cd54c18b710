//! Labels for an operation, from the configured templates.

use crate::domain::label::{LabelFacts, render};
use crate::domain::money::Amount;
use crate::domain::operation::{Operation, PaymentKind};
use crate::jobs::Context;

/// Returns the public and the private label of a payment. A withdrawal has one label only.
pub(crate) fn of(context: &Context, operation: &Operation, kind: PaymentKind, amount: Amount) -> (String, String) {
    let zone = &context.config.hipay.time_zone;
    let facts = LabelFacts {
        mirakl_id: operation.mirakl_id,
        amount,
        hipay_id: operation.recipient_hipay_id,
        cycle: zone.to_datetime(operation.cycle_at),
        now: zone.to_datetime(context.clock.now()),
        payment_voucher: &operation.voucher,
    };
    let labels = &context.config.labels;
    match kind {
        PaymentKind::Transfer => (render(&labels.public, &facts), render(&labels.private, &facts)),
        PaymentKind::Withdrawal => (render(&labels.withdraw, &facts), String::new()),
    }
}
