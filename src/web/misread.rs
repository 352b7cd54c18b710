//! What is wrong with an address or a form, by what the reader of its fields says: in sentences of ours.

use crate::text::message::{Message, msg};

/// Of the reader's words, such as "level: unknown variant `LOUD`, expected `DEBUG` or `INFO`"; `also` are
/// the names that are allowed beside those it knows.
pub(super) fn misread(said: &str, also: &[&str]) -> Message {
    // It quotes what stood there, and then what it had expected.
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
