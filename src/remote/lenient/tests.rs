//! Tests of `remote/lenient.rs`.

use proptest::prelude::*;

use super::*;

fn scalar(json: &str) -> Scalar {
    serde_json::from_str(json).unwrap()
}

#[test]
fn booleans_and_numbers_in_every_spelling() {
    for json in ["true", "1", "\"1\"", "\"yes\"", "\"TRUE\""] {
        assert_eq!(scalar(json).flag(), Some(true), "{json}");
    }
    for json in ["false", "0", "\"0\"", "\"no\""] {
        assert_eq!(scalar(json).flag(), Some(false), "{json}");
    }
    for json in ["null", "{}", "[1]", "\"\"", "\"  \"", "2", "\"maybe\""] {
        assert_eq!(scalar(json).flag(), None, "{json}");
    }
    assert_eq!(
        ["470153", "\"470153\"", "470153.0", "-1", "1.5", "1e3"].map(|json| scalar(json).id()),
        [Some(470_153), Some(470_153), Some(470_153), None, None, None]
    );
}

#[test]
fn a_boolean_is_no_id_and_no_text() {
    for json in ["true", "false", "0", "\"0\"", "null", "-3"] {
        assert_eq!(scalar(json).id(), None, "{json}");
    }
    assert_eq!((scalar("false").text(), scalar("0").count()), (None, Some(0)));
}

#[test]
fn a_number_never_becomes_a_float() {
    // As a 64-bit float this would be 9007199254740992.00.
    assert_eq!(scalar("9007199254740993.01").amount(Currency::EUR).unwrap().unwrap().decimal(), "9007199254740993.01");
    assert_eq!(scalar("0.1").amount(Currency::EUR).unwrap().unwrap().minor(), 10);
    assert_eq!(scalar("null").amount(Currency::EUR), Ok(None));
    assert!(scalar("\"12,50\"").amount(Currency::EUR).is_err());
}

proptest! {
    #[test]
    fn text_comes_back_as_it_was(text: String) {
        let json = serde_json::to_string(&text).unwrap();
        prop_assert_eq!(scalar(&json), Scalar::Text(text));
    }
}
