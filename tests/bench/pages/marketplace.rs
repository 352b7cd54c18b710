//! A marketplace that has operated for most of a year: its records, the same on every run.

use cashout::domain::enterprise::NotificationFields;
use cashout::domain::inbox::{Notification, NotificationKind, NotificationState};
use cashout::domain::operation::{Operation, OperationEvent, PaymentKind, Status};
use cashout::domain::payment::{Arrival, CustomerPayment, PaymentNotice};
use cashout::domain::vendor::{Vendor, VendorProblem, Warning};
use cashout::jobs::{BatchKind, BatchRecord};
use cashout::logs::LogLine;
use cashout::text::message::Message;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::{Map, json};

use crate::Scale;
use crate::records::{lived_since, transaction_of, wallet_of};

/// Number of records of each kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) operations: u64,
    pub(super) lines: u64,
    pub(super) vendors: u64,
    pub(super) payments: u64,
    pub(super) notifications: u64,
    pub(super) batches: u64,
}

impl Size {
    pub(super) fn of(scale: Scale) -> Self {
        Self {
            operations: scale.of(1_000_000),
            lines: scale.of(5_000_000),
            vendors: scale.of(100_000),
            payments: scale.of(300_000),
            notifications: scale.of(500_000),
            batches: scale.of(5_000),
        }
    }
}

/// Period of operation so far.
const SPAN: SignedDuration = SignedDuration::from_hours(24 * 300);

/// Returns the present time of all records.
pub(super) fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

/// Returns the time of the `nth` of `count` records, from the beginning to the day before yesterday.
pub(super) fn moment(nth: u64, count: u64) -> Timestamp {
    let step = SPAN.as_micros().div_euclid(i128::from(count));
    let before = step * i128::from(count - nth);
    now() - SignedDuration::from_hours(48) - SignedDuration::from_micros(i64::try_from(before).unwrap())
}

/// Returns a number that resembles none of its neighbours.
pub(super) fn mixed(number: u64) -> u64 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32
}

/// Returns the shop of a record. Ten large shops have a twentieth of all records.
pub(super) fn shop_of(nth: u64, size: &Size) -> u64 {
    if nth.is_multiple_of(20) { nth.div_euclid(20) % 10 + 1 } else { mixed(nth) % size.vendors + 1 }
}

/// Ends of operations: a percentage, the status, and one more event after it.
const LIVES: [(u64, Status, Option<OperationEvent>); 11] = [
    (84, Status::WithdrawSuccess, None),
    (4, Status::TransferSuccess, None),
    (3, Status::Created, None),
    (2, Status::TransferRequested, None),
    (1, Status::WithdrawRequested, None),
    (1, Status::WithdrawFailed, None),
    (1, Status::Created, Some(OperationEvent::FundsShort)),
    (1, Status::TransferRequested, Some(OperationEvent::Failed(PaymentKind::Transfer))),
    (1, Status::TransferSuccess, Some(OperationEvent::FundsShort)),
    (1, Status::TransferSuccess, Some(OperationEvent::PaymentBlocked)),
    (1, Status::WithdrawRequested, Some(OperationEvent::Canceled)),
];

/// Makes the operation of number `nth`, from 1.
pub(super) fn operation(nth: u64, size: &Size) -> Operation {
    let mut place = mixed(nth) % 100;
    let (_, end, last) =
        *LIVES.iter().find(|(share, _, _)| place.checked_sub(*share).map(|left| place = left).is_none()).unwrap();
    let born = moment(nth, size.operations);
    let mut operation = lived_since(nth, shop_of(nth, size), born, end);
    if let Some(event) = last {
        let message = Message::quoting("HiPay refused it (3): the account has been closed by its holder");
        operation.apply_event(event, &message, operation.updated_at + SignedDuration::from_mins(5)).unwrap();
    }
    // A cycle every ten days.
    let day = born.in_tz("UTC").unwrap().date();
    operation.cycle_date =
        day.first_of_month().saturating_add((i64::from((day.day() - 1).div_euclid(10).min(2)) * 10).days());
    operation.cycle_at = operation.cycle_date.in_tz("UTC").unwrap().timestamp();
    operation
}

/// Makes the shop of this number, from 1.
pub(super) fn vendor(id: u64, size: &Size) -> Vendor {
    const COUNTRIES: [&str; 6] = ["FR", "FR", "FR", "DE", "ES", "IT"];
    let chance = mixed(id);
    let changed = moment(chance % size.vendors + 1, size.vendors);
    let mut vendor = Vendor::new(id, changed - SignedDuration::from_hours(24));
    vendor.updated_at = changed;
    vendor.name = format!("Comptoir des {id} saveurs");
    vendor.email = format!("seller{id}@shops.example");
    vendor.country = COUNTRIES.get(usize::try_from(chance % 6).unwrap()).map(|&code| code.to_owned());
    vendor.vat_number = Some(format!("FR{chance:011}"));
    if chance % 10 < 9 {
        vendor.hipay_id = Some(wallet_of(id));
        vendor.user_space_id = Some(wallet_of(id) + 1);
        vendor.login = format!("comptoir-{id}");
        vendor.identified = chance % 10 < 7;
        vendor.documents_sent = if chance % 10 == 8 { 0 } else { 3 };
        vendor.bank_status = if vendor.identified { 3 } else { 1 };
    }
    if chance.is_multiple_of(9) {
        let sentence = "Mirakl has no bank details of the shop; ask it to enter them";
        vendor.warn(Warning::new(VendorProblem::NoBankDetails, sentence));
    }
    vendor
}

/// Makes the line of number `nth`, from 1.
pub(super) fn line(nth: u64, size: &Size) -> LogLine {
    let chance = mixed(nth);
    let (level, message) = match chance % 1_000 {
        0..100 => (100, "read the balance of the wallet"),
        100..900 => (200, "HiPay executed the transfer of the payment order"),
        900..950 => (250, "the operation was made from its voucher"),
        950..990 => (300, "the wallet is not identified; the withdrawal waits for it"),
        990..999 => (400, "HiPay refused the transfer: the account has been closed by its holder"),
        _ => (500, "the technical account does not cover what is due"),
    };
    // One in fifty belongs to no batch.
    let of_batch = !chance.is_multiple_of(50);
    let action = BatchKind::ALL.get(usize::try_from(nth.div_euclid(1_000) % 5).unwrap()).unwrap().name();
    LogLine {
        id: nth,
        at: moment(nth, size.lines),
        level,
        action: if of_batch { (*action).to_owned() } else { "sign-in".to_owned() },
        mirakl_id: (chance % 3 < 2).then(|| shop_of(nth, size)),
        batch: of_batch.then(|| nth * size.batches / size.lines + 1),
        message: message.to_owned(),
        target: String::new(),
        fields: if of_batch {
            Map::from_iter([("voucher".to_owned(), json!(format!("{:07}", 1_000_000 + nth)))])
        } else {
            Map::new()
        },
        said: String::new(),
        unknown: Map::new(),
    }
}

/// Makes the customer's payment of number `nth`, from 1.
pub(super) fn payment(nth: u64, size: &Size) -> CustomerPayment {
    let at = moment(nth, size.payments);
    let status = match mixed(nth) % 100 {
        0..80 => 118,
        80..88 => 116,
        88..90 => 112,
        90..96 => 113,
        96..99 => 125,
        _ => 129,
    };
    let amount = format!("{}.{:02}", 20 + mixed(nth) % 200, nth % 100);
    let date = at.strftime("%Y-%m-%dT%H:%M:%S+0000").to_string();
    let fields: NotificationFields = serde_json::from_value(json!({
        "state": "completed", "test": if nth.is_multiple_of(50) { "true" } else { "false" }, "mid": "00001234567",
        "attempt_id": "1", "authorization_code": format!("{:06}", nth % 1_000_000),
        "transaction_reference": reference_of(nth), "date_created": date, "date_updated": date,
        "status": status.to_string(), "authorized_amount": amount, "captured_amount": amount,
        "refunded_amount": "0.00", "decimals": "2", "currency": "EUR", "ip_country": "FR", "eci": "7",
        "payment_product": "cb", "payment_method[brand]": "VISA", "payment_method[card_holder]": format!("CLIENT {nth}"),
        "payment_method[country]": "FR", "order[date_created]": date, "order[amount]": amount,
        "order[currency]": "EUR", "order[decimals]": "2", "order[customer_id]": format!("{nth:07}"),
        "order[email]": format!("client{nth}@mail.example"), "order[id]": format!("Order-{nth:08}"),
    }))
    .unwrap();
    let arrival = |notification| Arrival { notification, received_at: at };
    let notice = PaymentNotice::read(fields).unwrap();
    let mut payment = CustomerPayment::new(notice.clone(), arrival(nth));
    payment.add_notification(notice, arrival(nth + size.payments));
    payment
}

/// Returns HiPay's number of a customer's payment.
pub(super) fn reference_of(nth: u64) -> String {
    format!("{:012}", 132_000_000_000 + mixed(nth) % 900_000 * 1_000_000 + nth)
}

/// Makes the notification of number `nth`, from 1.
pub(super) fn notification(nth: u64, size: &Size) -> Notification {
    let (chance, at) = (mixed(nth), moment(nth, size.notifications));
    let state = match chance % 100 {
        0..90 => NotificationState::Applied,
        90..98 => NotificationState::Ignored,
        _ => NotificationState::Unmatched,
    };
    let of_wallet = nth.is_multiple_of(2);
    let shop = shop_of(nth, size);
    let subject = if of_wallet { transaction_of(nth.div_euclid(2)) } else { reference_of(nth.div_euclid(2) + 1) };
    let kind = PaymentKind::Transfer;
    let message = Message::new("notice-executed", [("kind", kind.into())]);
    Notification {
        id: nth,
        kind: if of_wallet { NotificationKind::Wallet } else { NotificationKind::Payment },
        state,
        digest: format!("{subject}:{nth:032x}"),
        action: if of_wallet { "capture" } else { "118" }.to_owned(),
        account_id: of_wallet.then(|| wallet_of(shop)),
        mirakl_id: of_wallet.then_some(shop),
        body: format!(
            "<notification><result><operation>capture</operation><status>ok</status><date>2026-11-12</date><time>13:41:28 UTC+0000</time><transid>{subject}</transid><account_id>{}</account_id><amount>83.00</amount><currency>EUR</currency><label>Payment order {nth}</label></result></notification>",
            wallet_of(shop)
        ),
        subject,
        message,
        received_at: at,
        repeats: 0,
        repeated_at: None,
        tries: 0,
        try_at: None,
        ended_at: Some(at + SignedDuration::from_secs(1)),
        unknown: Map::new(),
    }
}

/// Makes the batch of number `nth`, from 1.
pub(super) fn batch(nth: u64, size: &Size) -> BatchRecord {
    let at = moment(nth, size.batches);
    let command = BatchKind::ALL.get(usize::try_from(nth % 5).unwrap()).unwrap().name();
    let failed = if nth.is_multiple_of(7) { 3 } else { 0 };
    serde_json::from_value(json!({
        "id": nth, "command": command, "asked_by": "schedule", "state": if nth.is_multiple_of(50) { "failed" } else { "done" },
        "started_at": at, "ended_at": at + SignedDuration::from_mins(4), "done": 2_000, "total": 2_000,
        "counts": { "ok": 2_000 - failed }, "failed": failed,
        "failures": (0..failed).map(|number| json!({
            "mirakl_id": number + 1, "voucher": "1000001", "message": "HiPay refused the transfer: the account has been closed",
        })).collect::<Vec<_>>(),
        "error": (nth.is_multiple_of(50)).then_some("Mirakl could not be reached"),
    }))
    .unwrap()
}
