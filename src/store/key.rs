//! Values as bytes that sort like the values, so that the tree can be searched by them and parts can be
//! concatenated without a separator.

use std::fmt::Debug;

use jiff::Timestamp;

/// A value with an order-preserving byte encoding: comparing the bytes compares the values. No value's bytes are a
/// prefix of those of another value of the same type, so that whatever follows cannot be mistaken for a part of it.
pub trait Ordered {
    /// Owned type with the same encoding; two values compare by their bytes if this is the same.
    type Kind;

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
pub trait Key: Ordered<Kind = Self> + Debug + Sized + Send + Sync + 'static {
    /// Decodes one value from the front of `bytes` and advances it; `None` if there is no such value.
    fn decode(bytes: &mut &[u8]) -> Option<Self>;

    /// Decodes the value that `bytes` consist of; `None` if they are anything else.
    fn decoded(mut bytes: &[u8]) -> Option<Self> {
        let value = Self::decode(&mut bytes)?;
        bytes.is_empty().then_some(value)
    }
}

/// The first values of a `K`, or all of them.
pub trait PrefixOf<K> {
    /// True for all of them.
    const WHOLE: bool = false;
}

impl<K> PrefixOf<K> for K {
    const WHOLE: bool = true;
}

impl<A, B> PrefixOf<(A, B)> for () {}
impl<A, B> PrefixOf<(A, B)> for (A,) {}
impl<A, B, C> PrefixOf<(A, B, C)> for (A,) {}
impl<A, B, C> PrefixOf<(A, B, C)> for (A, B) {}
impl<A, B, C, D> PrefixOf<(A, B, C, D)> for (A,) {}
impl<A, B, C, D> PrefixOf<(A, B, C, D)> for (A, B) {}
impl<A, B, C, D> PrefixOf<(A, B, C, D)> for (A, B, C) {}
impl<A, B, C, D, E> PrefixOf<(A, B, C, D, E)> for () {}
impl<A, B, C, D, E> PrefixOf<(A, B, C, D, E)> for (A,) {}
impl<A, B, C, D, E> PrefixOf<(A, B, C, D, E)> for (A, B) {}
impl<A, B, C, D, E> PrefixOf<(A, B, C, D, E)> for (A, B, C) {}
impl<A, B, C, D, E> PrefixOf<(A, B, C, D, E)> for (A, B, C, D) {}
impl<A, B, C, D, E, F> PrefixOf<(A, B, C, D, E, F)> for () {}
impl<A, B, C, D, E, F> PrefixOf<(A, B, C, D, E, F)> for (A,) {}
impl<A, B, C, D, E, F> PrefixOf<(A, B, C, D, E, F)> for (A, B) {}
impl<A, B, C, D, E, F> PrefixOf<(A, B, C, D, E, F)> for (A, B, C) {}
impl<A, B, C, D, E, F> PrefixOf<(A, B, C, D, E, F)> for (A, B, C, D) {}

/// Terminator of text; inside the text, this byte and the escape are written as two bytes.
const END: u8 = 0;
const ESCAPE: u8 = 1;
const ESCAPED_END: u8 = 1;
const ESCAPED_ESCAPE: u8 = 2;

impl Ordered for str {
    type Kind = String;

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
    type Kind = Self;

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
    type Kind = Self;

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
    type Kind = Self;

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
    type Kind = Self;

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
    type Kind = Self;

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
    type Kind = Self;

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
    type Kind = Option<T::Kind>;

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
    type Kind = T::Kind;

    fn encode(&self, out: &mut Vec<u8>) {
        (*self).encode(out);
    }
}

impl Ordered for () {
    type Kind = Self;

    fn encode(&self, _out: &mut Vec<u8>) {}
}

/// Implements the encoding of a tuple: that of its values, one after the other.
macro_rules! tuple {
    ($($name:ident $place:tt)+) => {
        impl<$($name: Ordered),+> Ordered for ($($name,)+) {
            type Kind = ($($name::Kind,)+);

            fn encode(&self, out: &mut Vec<u8>) {
                $(self.$place.encode(out);)+
            }
        }

        impl<$($name: Key),+> Key for ($($name,)+) {
            fn decode(bytes: &mut &[u8]) -> Option<Self> {
                Some(($($name::decode(bytes)?,)+))
            }
        }
    };
}

tuple!(A 0);
tuple!(A 0 B 1);
tuple!(A 0 B 1 C 2);
tuple!(A 0 B 1 C 2 D 3);
tuple!(A 0 B 1 C 2 D 3 E 4);
tuple!(A 0 B 1 C 2 D 3 E 4 F 5);

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
mod tests;
