//! Tests of `domain/pii.rs`.

use proptest::prelude::*;

use super::*;

#[test]
fn what_must_not_be_seen_is_masked_and_the_rest_is_left() {
    for (text, seen) in [
        ("card 4000000000000002 refused", "card 400000******0002 refused"),
        ("card 4000 0000 0000 0002, refused", "card 400000******0002, refused"),
        ("3782-822463-10005", "378282******0005"),
        ("40000 00000 00000 2", "400000******0002"),
        ("4000-0000 0000-0002", "400000******0002"),
        ("3782-822463 10005", "378282******0005"),
        ("4000-0000-0000-0002 20010", "400000******0002 20010"),
        ("attempt 2 4000 0000 0000 0002 of it", "attempt 2 400000******0002 of it"),
        ("shop 2008 4000 0000 0000 0002", "shop 200840******0002"),
        ("bank FR1420041010050500013M02606.", "bank FR14…2606."),
        ("bank FR14 2004 1010 0505 0001 3M02 606 is not it", "bank FR14…2606 is not it"),
        ("fr1420041010050500013m02606", "FR14…2606"),
        ("seller.one+x@shops.example has", "s…@shops.example has"),
        ("<seller@shops.example>", "<s…@shops.example>"),
        ("smtp://user:hunter22@host", "smtp://user:h…@host"),
    ] {
        assert_eq!(masked(text), seen);
    }
    for plain in [
        "voucher 1000001 of shop 2001, 83.00 EUR",
        "TRANSFER_SALES_1000001_498152_1002001",
        "transaction 5d935783d9cd316415 at 2026-11-21T10:00:00.123456Z",
        "4000000000000003 has a wrong check digit",
        "DE00123456781234567890",
        "a @ b",
        "between 12345678 and 87654321",
        "é à ü 12345678",
        "voucher invoices-10009-100000123 was released",
        "on 2026-11-21 10000001201 was seen",
    ] {
        assert_eq!(masked(plain), plain);
    }
}

proptest! {
    #[test]
    fn no_address_gets_through(local in "[a-z][a-z0-9.+-]{1,9}", around in "[0-9 @.FRa-c-]{0,20}|.{0,20}") {
        let text = format!("{around} {local}@shops.example {around}");
        prop_assert!(!masked(&text).contains(&format!("{local}@")), "{}", masked(&text));
    }

    #[test]
    fn no_card_number_gets_through(head in "[0-9]{12,18}", before in "[ :=(,]?", after in "[ ).,]?") {
        let digit = (0..10).find(|digit| has_check_digit(format!("{head}{digit}").chars())).unwrap();
        let number = format!("{head}{digit}");
        let text = format!("{before}{number}{after}");
        prop_assert!(!masked(&text).contains(&number), "{}", text);
    }
}
