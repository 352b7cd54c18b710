//! The form format: names and values, percent-encoded, usually with a `+` for a space.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{MAX_DEPTH, NotificationFields, UnreadableNotification, text_of, too_deep};
use crate::text::message::msg;

/// Parses a form. A name that ends in `[]` gets the next number of its list, as in PHP.
///
/// A `+` stands for a space if spaces were encoded, and for itself otherwise. HiPay sends dates with an unescaped
/// offset (`13:57:43+0000`), so there it is always a plus; likewise in an e-mail, which contains no spaces.
pub(super) fn read(body: &str) -> Result<NotificationFields, UnreadableNotification> {
    let mut fields = NotificationFields::default();
    let mut lists: BTreeMap<String, u64> = BTreeMap::new();
    // A sender that encodes spaces leaves none; if there is a space, no `+` stands for one.
    let spaces_encoded = !body.contains(' ');
    let mut is_form = false;
    for pair in body.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        is_form |= pair.contains('=');
        let name = decoded(name, |_, _| spaces_encoded);
        let name = name.trim();
        if name.matches('[').count() >= MAX_DEPTH {
            return Err(too_deep());
        }
        let is_email = name.ends_with("email") || name.ends_with("email]");
        let value = decoded(value, |bytes, at| spaces_encoded && !is_email && !is_before_offset(bytes, at));
        if let Some(list) = name.strip_suffix("[]") {
            let number = lists.entry(list.to_owned()).or_default();
            fields.insert(&format!("{list}[{number}]"), &value);
            *number = number.saturating_add(1);
        } else {
            fields.insert(name, &value);
        }
    }
    if is_form { Ok(fields) } else { Err(UnreadableNotification(msg!("unreadable-form"))) }
}

/// Decodes `text`; `is_space` decides for each `+` whether it stands for a space, by the decoded bytes and its position
/// in them. A `%` without two hexadecimal digits after it stands for itself.
fn decoded(text: &str, is_space: impl Fn(&[u8], usize) -> bool) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let (mut bytes, mut plus) = (Vec::with_capacity(text.len()), Vec::new());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        let digit = |at: usize| behind.get(at).and_then(|&digit| char::from(digit).to_digit(16));
        match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.extend(u8::try_from(high * 16 + low));
                rest = behind.get(2..).unwrap_or_default();
            }
            (b'+', ..) => {
                plus.push(bytes.len());
                bytes.push(b'+');
            }
            (other, ..) => bytes.push(other),
        }
    }
    for at in plus {
        if is_space(&bytes, at)
            && let Some(byte) = bytes.get_mut(at)
        {
            *byte = b' ';
        }
    }
    Cow::Owned(text_of(bytes))
}

/// Returns true if the offset of a time begins at `at` and ends the value: `:43+0000`, `:43.25+00:00`.
fn is_before_offset(bytes: &[u8], at: usize) -> bool {
    let (Some(before), Some(offset)) = (bytes.get(..at), bytes.get(at..)) else { return false };
    let offset = match offset {
        [b'+', a, b, c, d] | [b'+', a, b, b':', c, d] => [*a, *b, *c, *d],
        _ => return false,
    };
    let seconds = before.iter().rev().skip_while(|byte| byte.is_ascii_digit() || **byte == b'.');
    let digits = before.last().is_some_and(u8::is_ascii_digit);
    digits && offset.iter().all(u8::is_ascii_digit) && seconds.copied().next() == Some(b':')
}
