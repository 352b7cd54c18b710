//! Tests of `domain/settlement.rs`.

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
