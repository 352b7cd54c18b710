//! Operations in various stages of their life.

use cashout::domain::attempt::{Attempt, AttemptState, Payment, reference};
use cashout::domain::money::{Amount, Currency};
use cashout::domain::operation::{Beneficiary, Operation, OperationEvent, PaymentKind, Status};
use cashout::text::message::Message;
use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};
use serde_json::Map;

/// The marketplace's account in the references.
const TECHNICAL: &str = "498152";

/// Returns the reference time of all records here, the cycle of most operations.
pub(crate) fn cycle() -> Timestamp {
    date(2026, 11, 11).at(1, 0, 0, 0).in_tz("UTC").unwrap().timestamp()
}

/// Returns the wallet of a shop.
pub(crate) fn wallet_of(shop_id: u64) -> u64 {
    1_000_000 + shop_id
}

/// Returns the amount of an operation, which differs from that of its neighbours.
pub(crate) fn amount_of(id: u64) -> Amount {
    Amount::from_minor(i64::try_from(10_000 + id % 5_000).unwrap(), Currency::EUR)
}

/// Makes an operation as just created from its voucher.
pub(crate) fn created(id: u64, shop_id: u64, beneficiary: Beneficiary, recipient: u64, at: Timestamp) -> Operation {
    let mut operation = Operation {
        id,
        voucher: format!("{:07}", 1_000_000 + id),
        invoice_id: Some(format!("{:07}", 1_000_000 + id)),
        billing_cycle_id: None,
        voucher_number: None,
        beneficiary,
        mirakl_id: shop_id,
        vendor_hipay_id: wallet_of(shop_id),
        recipient_hipay_id: recipient,
        amount: amount_of(id),
        origin_amount: amount_of(id),
        adjusts: Vec::new(),
        adjusted_by: None,
        cycle_date: date(2026, 11, 11),
        cycle_at: cycle(),
        voucher_created_at: Some(cycle()),
        status: Status::Created,
        message: String::new(),
        held: None,
        held_for: None,
        candidates: Vec::new(),
        dismissed: Vec::new(),
        remainder_of: None,
        held_before: None,
        waived: Vec::new(),
        unready: None,
        balance: Some(Amount::zero(Currency::EUR)),
        shortfall: None,
        transfer: Payment::default(),
        withdrawal: Payment::default(),
        created_at: at,
        updated_at: at,
        history: Vec::new(),
        unknown: Map::new(),
    };
    operation.note(&Message::new("operation-made", []), at);
    operation
}

/// Makes an operation with everything that its life up to `end` leaves. Each is a second younger than
/// the one before it.
pub(crate) fn lived(id: u64, end: Status) -> Operation {
    lived_since(id, id % 5_000, cycle() + SignedDuration::from_secs(i64::try_from(id).unwrap()), end)
}

/// Makes an operation of a shop that was created at `born`, with its life up to `end`.
pub(crate) fn lived_since(id: u64, shop_id: u64, born: Timestamp, end: Status) -> Operation {
    let mut operation = created(id, shop_id, Beneficiary::Vendor, wallet_of(shop_id), born);
    for (hours, kind) in [(2, PaymentKind::Transfer), (4, PaymentKind::Withdrawal)] {
        if operation.status == end {
            break;
        }
        let sent = born + SignedDuration::from_hours(hours);
        let attempt = attempt(&operation, kind, sent);
        operation.payment_mut(kind).attempts.push(attempt);
        let failed = end == Status::WithdrawFailed && kind == PaymentKind::Withdrawal;
        let outcome = if failed { OperationEvent::Failed(kind) } else { OperationEvent::Captured(kind) };
        for event in [OperationEvent::Sending(kind), OperationEvent::Requested(kind), outcome] {
            if operation.status == end {
                break;
            }
            operation.apply_event(event, &Message::none(), sent).unwrap();
        }
    }
    assert_eq!(operation.status, end);
    operation
}

/// Returns HiPay's number of an operation's transactions.
pub(crate) fn transaction_of(id: u64) -> String {
    format!("6912a8f0{:08x}{:02x}", id.wrapping_mul(2_654_435_761), id)
}

fn attempt(operation: &Operation, kind: PaymentKind, at: Timestamp) -> Attempt {
    let private_label = match kind {
        PaymentKind::Transfer => format!("Transfer {} to {}", operation.voucher, operation.mirakl_id),
        PaymentKind::Withdrawal => String::new(),
    };
    Attempt {
        number: 1,
        reference: reference(&operation.base_reference(kind, TECHNICAL), 1),
        amount: operation.amount,
        account: operation.recipient_hipay_id,
        public_label: format!("Payment order {} of 2026-11-11", operation.voucher),
        private_label,
        intended_at: at,
        state: AttemptState::Captured,
        transaction_id: Some(transaction_of(operation.id)),
        transaction_status: Some("CAPTURED".to_owned()),
        as_of: None,
        message: Message::none(),
        refusal: None,
        updated_at: at,
        unknown: Map::new(),
    }
}
