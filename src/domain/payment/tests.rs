use proptest::prelude::*;

use super::*;
use crate::domain::enterprise::{self, EnterpriseNotification};
use crate::domain::money::Currency;

const EXAMPLE: &str = include_str!("../../../tests/fuzz/corpus/enterprise/documented.form");

fn notice(body: &str) -> PaymentNotice {
    let Ok(EnterpriseNotification::Payment(fields)) = enterprise::read(body) else { panic!("{body}") };
    PaymentNotice::read(fields).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn arrival(notification: u64) -> Arrival {
    Arrival { notification, received_at: at("2026-11-21T10:00:00Z") }
}

#[test]
fn the_documented_example_is_typed() {
    let read = notice(EXAMPLE);
    let euro = |minor| Some(Amount::from_minor(minor, Currency::EUR));
    assert!(read.unreadable.is_empty(), "{:?}", read.unreadable);
    assert_eq!(read.transaction_reference, "132255767588");
    assert_eq!((read.order_id.as_str(), read.mid.as_str()), ("HiPay-120034", "00001234567"));
    assert_eq!((read.status, read.message.as_str(), read.test), (Some(PaymentStatus(118)), "Captured", false));
    assert_eq!(read.date_updated, Some(at("2019-08-05T13:57:51Z")));
    assert_eq!(read.date_authorized, Some(at("2019-08-05T13:57:49Z")));
    assert_eq!((read.authorized_amount, read.captured_amount), (euro(8_300), euro(8_300)));
    assert_eq!((read.refunded_amount, read.order_amount, read.real_captured_amount), (euro(0), euro(8_300), None));
    assert_eq!((read.payment_product.as_str(), read.attempt_id), ("cb", Some(1)));
    assert_eq!(read.token(), Some("ce2742xxxxxxxxxxxxxxxx3326e6f9"));
    assert_eq!(CustomerPayment::new(read, arrival(1)).outcome(), PaymentOutcome::Accepted);
}

#[test]
fn both_spellings_are_accepted() {
    let read = notice("transaction_reference=1&orderid=A-1&token=abc&status=116&reason=because");
    assert_eq!((read.order_id.as_str(), read.token(), read.reason_message.as_str()), ("A-1", Some("abc"), "because"));
    // HiPay's name for the status is used if the notification has none.
    assert_eq!(read.message, "Authorized");
}

#[test]
fn odd_values_are_kept_and_said() {
    let read = notice(
        "transaction_reference=1&status=maybe&test=perhaps&date_updated=2019-08-05 13:57&authorized_amount=83,00\
        &captured_amount=1.005&refunded_amount=1.50&decimals=1&currency=EUR&attempt_id=-1&order[amount]=5\
        &order[currency]=XXX&operation[amount]=1e400",
    );
    assert_eq!((read.status, read.test, read.date_updated, read.attempt_id), (None, false, None, None));
    assert_eq!(read.field(&["authorized_amount"]), Some("83,00"));
    for says in [
        "status is 'maybe', which is not a number",
        "test is 'perhaps', which is neither true nor false",
        "date_updated is '2019-08-05 13:57', which is not a date with an offset",
        "authorized_amount is '83,00', which is not an amount in EUR",
        "captured_amount is '1.005', which has more decimals than the notification says",
        "attempt_id is '-1', which is not a number",
        "currency is 'XXX', which is not a currency of ISO 4217",
        "order[amount] cannot be read without a currency",
        "operation[amount] is '1e400', which is not an amount in EUR",
    ] {
        assert!(read.unreadable.iter().any(|sentence| sentence.contains(says)), "{says}: {:?}", read.unreadable);
    }
    assert_eq!(CustomerPayment::new(read, arrival(1)).outcome(), PaymentOutcome::Unknown);
    let yen = notice("transaction_reference=1&status=118&authorized_amount=83.00&decimals=2&currency=JPY");
    assert_eq!(yen.authorized_amount.map(Amount::minor), Some(83));
}

#[test]
fn without_a_reference_there_is_no_payment() {
    for body in ["status=118", "transaction_reference=+&status=118", "transaction_reference=a%0Ab"] {
        let Ok(EnterpriseNotification::Payment(fields)) = enterprise::read(body) else { panic!("{body}") };
        assert!(PaymentNotice::read(fields).is_err(), "{body}");
    }
}

#[test]
fn a_late_notification_enters_the_history_and_turns_nothing_back() {
    let of = |status: u32, second: u32| {
        notice(&format!("transaction_reference=1&status={status}&date_updated=2026-11-21T10:00:{second:02}+0000"))
    };
    let mut payment = CustomerPayment::new(of(116, 10), arrival(1));
    assert_eq!(payment.add_notification(of(118, 30), arrival(2)), PaymentEffect::Latest);
    assert_eq!(payment.add_notification(of(117, 20), arrival(3)), PaymentEffect::Late);
    assert_eq!(payment.add_notification(of(117, 20), arrival(3)), PaymentEffect::Repeated);
    assert_eq!(payment.latest.status, Some(PaymentStatus(118)));
    assert_eq!(payment.date, at("2026-11-21T10:00:30Z"));
    let history: Vec<u64> = payment.history.iter().map(|step| step.notification).collect();
    assert_eq!(history, [1, 3, 2]);
}

#[test]
fn what_is_about_a_person_can_be_erased() {
    let mut payment = CustomerPayment::new(notice(EXAMPLE), arrival(1));
    let before = payment.clone();
    payment.erase_personal(at("2026-11-21T10:00:00Z"));
    let stored = serde_json::to_string(&payment).unwrap();
    for personal in ["TEST HIPAY", "test@hipay.com", "xx.xxx", "ce2742", "400000", "customer-id", "\"007\""] {
        assert!(serde_json::to_string(&before).unwrap().contains(personal), "{personal}");
        assert!(!stored.contains(personal), "{personal}");
    }
    assert_eq!(payment.latest.field(&["payment_method[brand]"]), Some("VISA"));
    assert_eq!((payment.history, payment.latest.order_id), (before.history, before.latest.order_id));
}

#[test]
fn a_record_of_a_later_release_keeps_its_fields() {
    let mut stored = serde_json::to_value(CustomerPayment::new(notice(EXAMPLE), arrival(1))).unwrap();
    stored["new"] = 1.into();
    stored["latest"]["new"] = 2.into();
    stored["history"][0]["new"] = 3.into();
    let read: CustomerPayment = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), stored);
}

/// Returns a notification about the payment `1`, dated in that second.
fn told(status: u32, second: i64, attempt: u64, amount: i64) -> PaymentNotice {
    let date = at("2026-11-21T10:00:00Z") + jiff::SignedDuration::from_secs(second);
    notice(&format!(
        "transaction_reference=1&status={status}&date_updated={date}&attempt_id={attempt}&currency=EUR&decimals=2\
        &captured_amount={}&order%5Bid%5D=A-{attempt}",
        Amount::from_minor(amount, Currency::EUR).decimal()
    ))
}

/// Returns the payment of which these notices arrive, each with its number in the inbox.
fn payment_of<'a>(arrivals: impl IntoIterator<Item = (u64, &'a PaymentNotice)>) -> CustomerPayment {
    let mut arrivals = arrivals.into_iter().map(|(number, notice)| (notice.clone(), arrival(number)));
    let (notice, arrival) = arrivals.next().unwrap();
    let mut payment = CustomerPayment::new(notice, arrival);
    for (notice, arrival) in arrivals {
        payment.add_notification(notice, arrival);
    }
    payment
}

proptest! {
    #[test]
    fn the_order_and_the_repetitions_do_not_matter(
        notices in prop::collection::vec((100..201_u32, 0..6_i64, 1..3_u64, 0..10_000_i64), 1..8),
        shuffled in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
    ) {
        let notices: Vec<PaymentNotice> =
            notices.into_iter().map(|(status, second, attempt, amount)| told(status, second, attempt, amount)).collect();
        // A repetition has the number of the first arrival.
        let straight: Vec<(u64, &PaymentNotice)> = (0..).zip(&notices).collect();
        let mut any_order: Vec<_> = shuffled.iter().map(|index| *index.get(&straight)).collect();
        any_order.extend(straight.iter().rev());
        let payment = payment_of(straight);
        prop_assert_eq!(&payment_of(any_order), &payment);
        prop_assert_eq!(payment.history.len(), notices.len());
        let ranks: Vec<_> = payment.history.iter().map(|step| (step.date(), step.attempt_id)).collect();
        prop_assert!(ranks.is_sorted());
        prop_assert_eq!(payment.latest.status, payment.history.last().unwrap().status);
    }
}

/// Returns notifications of one payment, all of one second.
fn in_one_second(told: &[(u32, &str, &str)]) -> Vec<PaymentNotice> {
    let of = |(status, captured, refunded): &(u32, &str, &str)| {
        notice(&format!(
            "transaction_reference=1&status={status}&captured_amount={captured}&refunded_amount={refunded}\
            &currency=EUR&decimals=2&date_updated=2026-11-21T10:00:00+0000"
        ))
    };
    told.iter().map(of).collect()
}

#[test]
fn of_one_second_the_furthest_along_the_life_counts_in_whatever_order_it_comes() {
    let euro = |minor| Some(Amount::from_minor(minor, Currency::EUR));
    for (told, status, captured, refunded) in [
        (vec![(116, "0.00", "0.00"), (117, "0.00", "0.00"), (118, "83.00", "0.00")], 118, 8_300, 0),
        (vec![(117, "0.00", "0.00"), (119, "50.00", "0.00"), (118, "83.00", "0.00")], 118, 8_300, 0),
        (vec![(118, "83.00", "0.00"), (124, "83.00", "0.00"), (125, "83.00", "83.00")], 125, 8_300, 8_300),
        (vec![(118, "83.00", "0.00"), (126, "83.00", "20.00"), (125, "83.00", "83.00")], 125, 8_300, 8_300),
        (vec![(119, "50.00", "0.00"), (173, "0.00", "0.00"), (143, "0.00", "0.00")], 119, 5_000, 0),
        (vec![(118, "83.00", "0.00"), (126, "83.00", "20.00"), (165, "83.00", "20.00")], 126, 8_300, 2_000),
    ] {
        let notices = in_one_second(&told);
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let payment = payment_of((1..).zip(order.map(|place| &notices[place])));
            assert_eq!(payment.latest.status, Some(PaymentStatus(status)), "{told:?} {order:?}");
            assert_eq!((payment.captured_amount(), payment.refunded_amount()), (euro(captured), euro(refunded)));
            assert_eq!(payment.outcome(), PaymentOutcome::Accepted, "{told:?} {order:?}");
        }
    }
}

#[test]
fn what_was_captured_stays_accepted_whatever_is_declined_later() {
    let of = |status: u32, second: u32, captured: &str| {
        notice(&format!(
            "transaction_reference=1&status={status}&captured_amount={captured}&currency=EUR&decimals=2\
            &date_updated=2026-11-21T10:00:{second:02}+0000"
        ))
    };
    let euro = |minor| Some(Amount::from_minor(minor, Currency::EUR));
    for declined in [173, 114, 143, 115, 163] {
        for captured in ["50.00", "0.00"] {
            let mut payment = CustomerPayment::new(of(119, 10, "50.00"), arrival(1));
            assert_eq!(payment.add_notification(of(declined, 20, captured), arrival(2)), PaymentEffect::Latest);
            assert_eq!((payment.outcome(), payment.captured_amount()), (PaymentOutcome::Accepted, euro(5_000)));
            assert_eq!(payment.latest.status, Some(PaymentStatus(declined)), "the rest is told");
        }
    }
    // Nothing was captured: a capture was only requested.
    let mut payment = CustomerPayment::new(of(117, 10, "50.00"), arrival(1));
    payment.add_notification(of(173, 20, "0.00"), arrival(2));
    assert_eq!(payment.outcome(), PaymentOutcome::Declined);
    // A charge-back is disputed, and a later figure of the same kind corrects an earlier one.
    let mut payment = CustomerPayment::new(of(118, 10, "83.00"), arrival(1));
    payment.add_notification(of(118, 20, "80.00"), arrival(2));
    assert_eq!(payment.captured_amount(), euro(8_000));
    payment.add_notification(of(129, 30, "80.00"), arrival(3));
    assert_eq!(payment.outcome(), PaymentOutcome::Disputed);
}
