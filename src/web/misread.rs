//! Messages about addresses and forms that cannot be read, derived from the errors of the deserializer.

use crate::text::message::{Message, msg};

/// Converts an error of the deserializer, such as "level: unknown variant `LOUD`, expected `DEBUG` or `INFO`", to a
/// message. `also` has the names that are allowed besides those it knows.
pub(super) fn misread(said: &str, also: &[&str]) -> Message {
    // The error quotes the value found first, then the expected ones.
    let mut quoted = said.split('`').skip(1).step_by(2);
    let first = quoted.next().unwrap_or_default();
    let name = said.split_once(": ").map_or(first, |(name, _)| name);
    let has = |words: &str| said.contains(words);
    if has("unknown variant") {
        return msg!("misread-value", name, value = first, allowed = quoted.collect::<Vec<_>>().join(", "));
    }
    if has("unknown field") {
        let allowed = quoted.chain(also.iter().copied()).collect::<Vec<_>>().join(", ");
        return msg!("misread-name", name = first, allowed);
    }
    if has("duplicate field") {
        return msg!("misread-twice", name = first);
    }
    if has("missing field") {
        return msg!("misread-missing", name = first);
    }
    if ["invalid digit", "too large to fit", "too small to fit", "cannot parse integer"].into_iter().any(has) {
        return msg!("misread-number", name);
    }
    if has("there is no such choice") {
        return msg!("misread-choice", name);
    }
    if has("was not `true` or `false`") {
        return msg!("misread-truth", name);
    }
    msg!("misread-other", said)
}
