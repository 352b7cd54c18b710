//! What is wrong with an address or a form, by what the reader of its fields says: in sentences of ours.

use crate::text::message::{Sentence, say};

/// Of the reader's words, such as "level: unknown variant `LOUD`, expected `DEBUG` or `INFO`"; `also` are
/// the names that are allowed beside those it knows.
pub(super) fn misread(said: &str, also: &[&str]) -> Sentence {
    // It quotes what stood there, and then what it had expected.
    let mut quoted = said.split('`').skip(1).step_by(2);
    let first = quoted.next().unwrap_or_default();
    let name = said.split_once(": ").map_or(first, |(name, _)| name);
    let has = |words: &str| said.contains(words);
    if has("unknown variant") {
        return say!("misread-value", name, value = first, allowed = quoted.collect::<Vec<_>>().join(", "));
    }
    if has("unknown field") {
        let allowed = quoted.chain(also.iter().copied()).collect::<Vec<_>>().join(", ");
        return say!("misread-name", name = first, allowed);
    }
    if has("duplicate field") {
        return say!("misread-twice", name = first);
    }
    if has("missing field") {
        return say!("misread-missing", name = first);
    }
    if ["invalid digit", "too large to fit", "too small to fit", "cannot parse integer"].into_iter().any(has) {
        return say!("misread-number", name);
    }
    if has("there is no such choice") {
        return say!("misread-choice", name);
    }
    if has("was not `true` or `false`") {
        return say!("misread-truth", name);
    }
    say!("misread-other", said)
}
