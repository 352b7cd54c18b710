//! Values as bytes that sort like the values, so that the tree can be searched by them and parts can be
//! concatenated without a separator.

use std::fmt::Debug;

use jiff::Timestamp;

/// A value with an order-preserving byte encoding: comparing the bytes compares the values. No value's bytes
/// are a prefix of those of another value of the same type, so that whatever follows cannot be mistaken for a
/// part of it.
pub trait Ordered {
    /// Appends the bytes of `self` to `out`.
    fn encode(&self, out: &mut Vec<u8>);

    /// Returns the bytes of `self`.
    fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }
}

/// The key of a record: ordered, and decodable from its bytes.
pub trait Key: Ordered + Debug + Sized + Send + Sync + 'static {
    /// Decodes one value from the front of `bytes` and advances it; `None` if there is no such value.
    fn decode(bytes: &mut &[u8]) -> Option<Self>;

    /// Decodes the value that `bytes` consist of; `None` if they are anything else.
    fn decoded(mut bytes: &[u8]) -> Option<Self> {
        let value = Self::decode(&mut bytes)?;
        bytes.is_empty().then_some(value)
    }
}

/// Terminator of text; inside the text, this byte and the escape are written as two bytes.
const END: u8 = 0;
const ESCAPE: u8 = 1;
const ESCAPED_END: u8 = 1;
const ESCAPED_ESCAPE: u8 = 2;

impl Ordered for str {
    fn encode(&self, out: &mut Vec<u8>) {
        for byte in self.bytes() {
            match byte {
                END => out.extend([ESCAPE, ESCAPED_END]),
                ESCAPE => out.extend([ESCAPE, ESCAPED_ESCAPE]),
                plain => out.push(plain),
            }
        }
        out.push(END);
    }
}

impl Ordered for String {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_str().encode(out);
    }
}

impl Key for String {
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let mut text = Vec::new();
        loop {
            match take::<1>(bytes)? {
                [END] => return String::from_utf8(text).ok(),
                [ESCAPE] => match take::<1>(bytes)? {
                    [ESCAPED_END] => text.push(END),
                    [ESCAPED_ESCAPE] => text.push(ESCAPE),
                    _ => return None,
                },
                [plain] => text.push(plain),
            }
        }
    }
}

impl Ordered for u64 {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.to_be_bytes());
    }
}

impl Key for u64 {
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        take(bytes).map(Self::from_be_bytes)
    }
}

impl Ordered for u32 {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.to_be_bytes());
    }
}

impl Key for u32 {
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        take(bytes).map(Self::from_be_bytes)
    }
}

// Flipping the sign bit sorts negative numbers first.
impl Ordered for i64 {
    fn encode(&self, out: &mut Vec<u8>) {
        (self ^ Self::MIN).cast_unsigned().encode(out);
    }
}

impl Key for i64 {
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        u64::decode(bytes).map(|turned| turned.cast_signed() ^ Self::MIN)
    }
}

impl Ordered for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

impl Key for bool {
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        match take::<1>(bytes)? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }
}

const NANOSECONDS: i128 = 1_000_000_000;

// Whole seconds, then the nanoseconds that follow them (never negative, whatever the year).
impl Ordered for Timestamp {
    fn encode(&self, out: &mut Vec<u8>) {
        let nanoseconds = self.as_nanosecond();
        // Representable time fits well within 64 bits of seconds.
        i64::try_from(nanoseconds.div_euclid(NANOSECONDS)).unwrap_or(i64::MAX).encode(out);
        u32::try_from(nanoseconds.rem_euclid(NANOSECONDS)).unwrap_or(u32::MAX).encode(out);
    }
}

impl Key for Timestamp {
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let seconds = i128::from(i64::decode(bytes)?);
        let nanoseconds = i128::from(u32::decode(bytes)?);
        Self::from_nanosecond(seconds * NANOSECONDS + nanoseconds).ok()
    }
}

// `None` sorts before every value.
impl<T: Ordered> Ordered for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.is_some().encode(out);
        if let Some(value) = self {
            value.encode(out);
        }
    }
}

impl<T: Key> Key for Option<T> {
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        if bool::decode(bytes)? { T::decode(bytes).map(Some) } else { Some(None) }
    }
}

impl<T: Ordered + ?Sized> Ordered for &T {
    fn encode(&self, out: &mut Vec<u8>) {
        (*self).encode(out);
    }
}

impl Ordered for () {
    fn encode(&self, _out: &mut Vec<u8>) {}
}

impl<A: Ordered, B: Ordered> Ordered for (A, B) {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
        self.1.encode(out);
    }
}

impl<A: Key, B: Key> Key for (A, B) {
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Some((A::decode(bytes)?, B::decode(bytes)?))
    }
}

impl<A: Ordered, B: Ordered, C: Ordered> Ordered for (A, B, C) {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
        self.1.encode(out);
        self.2.encode(out);
    }
}

impl<A: Key, B: Key, C: Key> Key for (A, B, C) {
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        Some((A::decode(bytes)?, B::decode(bytes)?, C::decode(bytes)?))
    }
}

/// Takes `N` bytes off the front.
fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

/// Returns the smallest bytes that sort after everything with this `prefix`; `None` if there are none.
pub(super) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

/// Formats the bytes of a key for people.
pub(super) fn readable<K: Key>(bytes: &[u8]) -> String {
    match K::decoded(bytes) {
        Some(key) => format!("{key:?}").trim_matches('"').to_owned(),
        None => bytes.escape_ascii().to_string(),
    }
}

#[cfg(test)]
mod tests {
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
}
