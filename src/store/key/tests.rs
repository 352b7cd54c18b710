//! Tests of `store/key.rs`.

use proptest::prelude::*;

use super::*;

type Compound = (String, Option<i64>, (bool, u32));

/// Generates text in which the escaped bytes are common and which is often a prefix of another.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[\u{0}\u{1}\u{2}a\u{ff}]{0,6}", ".{0,12}"]
}

fn compound() -> impl Strategy<Value = Compound> {
    (text(), any::<Option<i64>>(), any::<(bool, u32)>())
}

fn instant() -> impl Strategy<Value = Timestamp> {
    let (first, last) = (Timestamp::MIN.as_nanosecond(), Timestamp::MAX.as_nanosecond());
    prop_oneof![first..=last, -3_000_000_000_i128..3_000_000_000]
        .prop_map(|nanoseconds| Timestamp::from_nanosecond(nanoseconds).unwrap())
}

proptest! {
    #[test]
    fn bytes_are_ordered_as_the_values(left in compound(), right in compound()) {
        prop_assert_eq!(left.encoded().cmp(&right.encoded()), left.cmp(&right));
    }

    #[test]
    fn instants_are_ordered(left in instant(), right in instant()) {
        prop_assert_eq!(left.encoded().cmp(&right.encoded()), left.cmp(&right));
        prop_assert_eq!(Timestamp::decoded(&left.encoded()), Some(left));
    }

    #[test]
    fn the_value_is_read_back_and_nothing_of_what_follows(value in compound(), rest: Vec<u8>) {
        let bytes = [value.encoded(), rest.clone()].concat();
        let mut left = bytes.as_slice();
        prop_assert_eq!(Compound::decode(&mut left), Some(value));
        prop_assert_eq!(left, rest.as_slice());
    }

    #[test]
    fn no_value_begins_another(left in compound(), right in compound()) {
        let (left_bytes, right_bytes) = (left.encoded(), right.encoded());
        prop_assert_eq!(left_bytes.starts_with(&right_bytes), left == right);
    }

    #[test]
    fn any_bytes_are_a_value_or_none(bytes: Vec<u8>) {
        if let Some(value) = Compound::decoded(&bytes) {
            prop_assert_eq!(value.encoded(), bytes);
        }
    }

    #[test]
    fn the_end_of_a_prefix_is_right_behind_it(prefix: Vec<u8>, rest: Vec<u8>, other: Vec<u8>) {
        let end = after_prefix(&prefix);
        let inside = [prefix.clone(), rest].concat();
        prop_assert!(end.as_ref().is_none_or(|end| inside < *end));
        if other > prefix && !other.starts_with(&prefix) {
            prop_assert!(end.is_some_and(|end| other >= end));
        }
    }
}

#[test]
fn keys_can_be_read_by_a_person() {
    assert_eq!(readable::<u64>(&42_u64.encoded()), "42");
    assert_eq!(readable::<String>(&"é-1".encoded()), "é-1");
    assert_eq!(readable::<u64>(b"\x00a"), r"\x00a");
}
