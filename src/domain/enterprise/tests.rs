use proptest::prelude::*;

use super::*;

/// The example of HiPay's documentation, byte for byte.
const EXAMPLE: &str = include_str!("../../../tests/fuzz/corpus/enterprise/documented.form");
/// A common test card number.
const PAN: &str = "4111111111111111";

fn fields(body: &str) -> NotificationFields {
    match read(&masked_text(body.as_bytes())) {
        Ok(EnterpriseNotification::Payment(fields) | EnterpriseNotification::Settlement(fields)) => fields,
        Err(error) => panic!("{body}: {error}"),
    }
}

fn refused(body: &str) -> String {
    read(&masked_text(body.as_bytes())).unwrap_err().to_string()
}

#[test]
fn the_documented_example_is_read_to_the_last_field() {
    let fields = fields(EXAMPLE);
    assert_eq!(fields.len(), 47);
    for (name, value) in [
        ("date_updated", "2019-08-05T13:57:51+0000"),
        ("custom_data[2]", "customer-id"),
        ("payment_method[pan]", "400000******0001"),
        ("payment_method[card_holder]", "TEST HIPAY"),
        ("payment_method[issuer]", "CAISSE NATIONALE DES CAISSES D EPARGNE (CNCE)"),
        ("order[email]", "test@hipay.com"),
        ("order[id]", "HiPay-120034"),
    ] {
        assert_eq!(fields.get(name), Some(value));
    }
    assert_eq!(fields.get("device_id"), None);
    assert_eq!(masked_text(EXAMPLE.as_bytes()), EXAMPLE);
}

#[test]
fn a_plus_is_what_it_was_meant_to_be() {
    let encoded = "date=2019-08-05T13:57:43+0000&a=2019-08-05T13%3A57%3A43%2B02:00&b=13:57:43.123+0000\
        &payment_method%5Bcard_holder%5D=TEST+HIPAY&c=1%2B1&d=a+0000&order%5Bemail%5D=a+b@hipay.com";
    let fields_of = fields(encoded);
    for (name, value) in [
        ("date", "2019-08-05T13:57:43+0000"),
        ("a", "2019-08-05T13:57:43+02:00"),
        ("b", "13:57:43.123+0000"),
        ("payment_method[card_holder]", "TEST HIPAY"),
        ("c", "1+1"),
        ("d", "a 0000"),
        ("order[email]", "a+b@hipay.com"),
    ] {
        assert_eq!(fields_of.get(name), Some(value));
    }
    // If spaces were not encoded, no plus stands for a space.
    assert_eq!(fields("a=not encoded&b=1+1").get("b"), Some("1+1"));
}

#[test]
fn the_three_forms_say_the_same() {
    let form = fields("a=1&order%5Bid%5D=x%26y&list[]=p&list[]=q&empty=&custom_data[1]=%C3%A9");
    let xml = fields(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<notification>\n <a>1</a><order><id>x&amp;y</id></order>\
         <list><l0/></list><empty/><custom_data><v><![CDATA[é]]></v></custom_data></notification>",
    );
    let json = fields("{\"notification\":{\"a\":1,\"order\":{\"id\":\"x&y\"},\"list\":[\"p\",\"q\"],\"empty\":null}}");
    for read in [&form, &xml, &json] {
        assert_eq!((read.get("a"), read.get("order[id]"), read.get("empty")), (Some("1"), Some("x&y"), None));
    }
    assert_eq!((form.get("list[0]"), form.get("list[1]")), (json.get("list[0]"), json.get("list[1]")));
    assert_eq!((form.get("custom_data[1]"), xml.get("custom_data[v]")), (Some("é"), Some("é")));
    // The later of two fields with one name wins, and a number stays as written.
    assert_eq!(fields("a=1&a=2").get("a"), Some("2"));
    assert_eq!(fields("{\"a\":9007199254740993.10}").get("a"), Some("9007199254740993.10"));
}

#[test]
fn a_settlement_is_told_in_all_three() {
    for body in [
        "notification_type=settlement&reference=1",
        "<settlement><reference>1</reference></settlement>",
        "{\"settlement\": {\"reference\": 1}}",
    ] {
        let Ok(EnterpriseNotification::Settlement(fields)) = read(body) else { panic!("{body}") };
        assert_eq!(fields.get("reference"), Some("1"));
    }
    assert!(matches!(
        read("<notification><status>118</status></notification>"),
        Ok(EnterpriseNotification::Payment(_))
    ));
}

#[test]
fn what_cannot_be_read_is_said() {
    let brackets = |depth: usize| format!("a{}=1", "[b]".repeat(depth));
    let elements = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    let objects = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    for (body, says) in [
        ("", "it is empty"),
        ("hello", "neither a form, nor XML, nor JSON"),
        ("<a><b></a>", "not well-formed XML"),
        ("<a>", "ends in the middle"),
        ("<a/><b/>", "more than one root"),
        ("<a/>text", "text outside of the root"),
        ("<!-- nothing -->", "no element"),
        ("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "document type"),
        ("<a>&b;</a>", "the entity 'b'"),
        ("<a>&#0;</a>", "the entity '#0'"),
        ("{\"a\":", "not readable JSON"),
        (&brackets(16), "nested more than 16 deep"),
        (&elements(18), "nested more than 16 deep"),
        (&objects(18), "nested more than 16 deep"),
        (&objects(10_000), "nested more than 16 deep"),
    ] {
        let said = refused(body);
        assert!(said.contains(says), "{body:.40}: {said}");
    }
    assert_eq!(fields(&brackets(10)).len(), 1);
    // Excess fields and too long names are dropped; the deciding fields are kept wherever they are.
    let many = (0..2_000).map(|n| format!("basket[{n}]=1&")).collect::<Vec<_>>().concat();
    let kept = fields(&format!("{many}{}=1&status=118&order[id]=7", "a".repeat(201)));
    assert_eq!((kept.get("status"), kept.get("order[id]"), kept.len()), (Some("118"), Some("7"), 502));
    let many = (0..2_000).map(|n| format!("order[{n}]=1&")).collect::<Vec<_>>().concat();
    assert_eq!(fields(&format!("{many}&transaction_reference=1")).len(), 701);
    assert_eq!(fields(&objects(12)).len(), 1);
}

#[test]
fn other_encodings_lose_nothing() {
    let latin = masked_text(b"<notification><a>caf\xe9 \x80</a></notification>");
    assert!(
        matches!(read(&latin), Ok(EnterpriseNotification::Payment(fields)) if fields.get("a") == Some("café \u{80}"))
    );
    assert_eq!(fields("a=caf%E9&b=%C3%A9&c=%zz%&d=%00").get("a"), Some("café"));
    assert_eq!(fields("\u{feff}a=1").get("a"), Some("1"));
}

#[test]
fn a_card_number_is_masked_however_it_is_written() {
    let written = |digit: fn(u8) -> String| PAN.bytes().map(digit).collect::<Vec<_>>().concat();
    let each = written(|byte| format!("%{byte:02X}"));
    let twice = each.replace('%', "%25");
    let references = written(|byte| format!("&#x{byte:x};"));
    let escapes = written(|byte| format!("\\u{byte:04x}"));
    for body in [
        format!("a={PAN}&b=1"),
        "a=4111 1111 1111 1111".to_owned(),
        "a=4111+1111+1111+1111".to_owned(),
        "a=4111-1111-1111-1111".to_owned(),
        "a=4111%201111%C2%A01111%2D1111".to_owned(),
        "a=Mr X 4111111111111111 12/26".to_owned(),
        "a=Mr X 4111111111111111 1226".to_owned(),
        "a=1 4111111111111111".to_owned(),
        "a=100%4111111111111111".to_owned(),
        "note4111111111111111=1".to_owned(),
        format!("a={each}"),
        format!("a={twice}"),
        format!("<notification><a>{PAN}</a></notification>"),
        format!("<notification><!-- {PAN} --><a b=\"{PAN}\">1</a></notification>"),
        format!("<notification><a>{references}</a></notification>"),
        "<notification><a><![CDATA[4111]]>1111<!-- -->11111111</a></notification>".to_owned(),
        format!("{{\"a\":\"{PAN}\"}}"),
        format!("{{\"a\":{PAN},\"b\": [ {PAN} ]}}"),
        format!("{{\"a\":\"say: {PAN}\",\"b\":\"\\\"{PAN}\\\"\"}}"),
        format!("{{\"a\":\"{escapes}\"}}"),
        format!("unreadable <{PAN}"),
    ] {
        let text = masked_text(body.as_bytes());
        let known = text.replace(|char: char| !char.is_ascii_digit(), "");
        let in_parts = body.contains("CDATA");
        assert!(in_parts || !known.contains(PAN), "{body}: {text}");
        assert!(in_parts || text.contains('*'), "{body}: {text}");
        assert_eq!(masked_text(text.as_bytes()), text, "{body}");
        let Ok(EnterpriseNotification::Payment(fields)) = read(&text) else {
            assert!(body.starts_with("unreadable"), "{body}: {text}");
            continue;
        };
        for (name, value) in fields.iter() {
            let digits = |text: &str| text.replace(|char: char| !char.is_ascii_digit(), "");
            assert!(!digits(name).contains(PAN) && !digits(value).contains(PAN), "{body}: {name}={value}");
        }
    }
    assert_eq!(masked_text(format!("a={PAN}").as_bytes()), "a=411111******1111");
}

#[test]
fn what_is_no_card_number_stays() {
    for body in [
        "transaction_reference=4111111111111111&status=118",
        "<notification><transaction_reference>4111111111111111</transaction_reference></notification>",
        "{\"transaction_reference\": \"4111111111111111\"}",
        "a=4111111111111112",
        "a=411111111111",
        "a=41111111111111111111",
        "date_created=2019-08-05T13:57:43+0000&date_updated=2019-08-05T13:57:51+0000",
        "a=411111.1111111111",
        "cvc_result=123&eci=7",
    ] {
        assert_eq!(masked_text(body.as_bytes()), body);
        assert!(fields(body).iter().all(|(_, value)| !value.contains('*')), "{body}");
    }
}

#[test]
fn a_security_code_is_not_kept() {
    for body in [
        "payment_method[cvc]=123&a=1",
        "payment_method%5Bcvv%5D=1234",
        "card_security_code=%31%32%33",
        "<notification><cvc>123</cvc></notification>",
        "<notification><cvc2><![CDATA[123]]></cvc2></notification>",
        "{\"securityCode\":123}",
        "{\"payment\":{\"cvv\" : \"123\",\"a\":\"b\"}}",
    ] {
        let text = masked_text(body.as_bytes());
        assert!(!text.contains("123") && !text.contains("%31"), "{body}: {text}");
        assert!(fields(body).iter().all(|(_, value)| !value.contains("123")), "{body}");
    }
    assert_eq!(masked_text(b"cvc=&amount=123"), "cvc=&amount=123");
    assert_eq!(fields("cvc=12").get("cvc"), Some("***"));
}

#[test]
fn values_are_not_printed() {
    assert_eq!(format!("{:?}", fields("order[email]=a@b.example")), "{\"order[email]\"}");
}

/// Appends the correct check digit.
fn with_check_digit(digits: &str) -> String {
    let right = |last: &char| {
        let digits = format!("{digits}{last}");
        let doubled =
            |(place, digit): (usize, u32)| if place % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 };
        let values: Vec<u32> = digits.chars().rev().map(|digit| digit.to_digit(10).unwrap()).collect();
        values.into_iter().enumerate().map(doubled).sum::<u32>() % 10 == 0
    };
    format!("{digits}{}", ('0'..='9').find(right).unwrap())
}

proptest! {
    #[test]
    fn any_card_number_is_masked(digits in "[1-9][0-9]{11,17}", before in "[a-z =:]{0,5}", after in "[a-z &]{0,5}") {
        let pan = with_check_digit(&digits);
        let text = masked_text(format!("{before}{pan}{after}").as_bytes());
        let (shown, (_, last)) = (pan.split_at(6).0, pan.split_at(pan.len() - 4));
        prop_assert!(!text.contains(&pan) && text.contains(shown) && text.contains(last), "{}", text);
    }

    #[test]
    fn any_bytes_are_read_or_refused(body: Vec<u8>) {
        let text = masked_text(&body);
        prop_assert_eq!(&masked_text(text.as_bytes()), &text);
        let _ = read(&text);
    }

    #[test]
    fn what_is_encoded_comes_back(values in prop::collection::vec("[^*0-9]{0,20}", 1..6)) {
        let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
        let body: Vec<String> = values.iter().enumerate().map(|(n, value)| format!("a%5B{n}%5D={}", encode(value))).collect();
        let read = fields(&body.join("&"));
        for (n, value) in values.iter().enumerate() {
            let wanted = Some(value.trim()).filter(|value| !value.is_empty());
            let name = format!("a[{n}]");
            prop_assert_eq!(read.get(&name), wanted);
        }
    }
}
