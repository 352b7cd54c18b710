//! Detection and masking of card numbers and security codes, wherever they occur.
//!
//! The search sees through percent-encoding, XML's character references and JSON's escapes, and masks the digits in the
//! text as received. One search therefore covers all three formats, and input in none of them.

use std::cmp::Reverse;

use super::{CARD_DIGITS, has_check_digit};

/// Numbers of digits that stay readable at the beginning and at the end of a card number.
const SHOWN_BEFORE: usize = 6;
const SHOWN_AFTER: usize = 4;
/// Maximum number of separators (blanks, dashes) between two groups of digits.
const GAP: usize = 6;
/// Maximum number of nested encodings that are decoded.
const LAYERS: usize = 3;
/// Maximum distance between the name of a security code and the code, in characters.
const NAME_TO_CODE: usize = 12;
/// HiPay's own number of a payment. It distinguishes payments, which it could not do if masked.
const EXEMPT: &str = "transaction_reference";

const MASK: char = '*';

/// A decoded character and the bytes of the text that it was written as.
#[derive(Clone, Copy)]
struct Seen {
    char: char,
    start: usize,
    end: usize,
}

/// A number to mask: its range in the text, and the ranges of the digits to mask.
struct CardNumber {
    start: usize,
    end: usize,
    masked: Vec<(usize, usize)>,
}

/// Masks every card number and every security code in `text`.
pub(in crate::domain) fn mask(text: &str) -> String {
    let mut masked = text.to_owned();
    loop {
        // The rest of one number may begin another, and one layer may be nested in the next.
        let found = search_layers(&masked);
        if found.is_empty() {
            return masked;
        }
        masked = rewrite(&masked, &found);
    }
}

/// Returns the numbers to mask, in the order of the text.
fn search_layers(text: &str) -> Vec<CardNumber> {
    let as_written = |(start, char): (usize, char)| Seen { char, start, end: start + char.len_utf8() };
    let mut seen: Vec<Seen> = text.char_indices().map(as_written).collect();
    let mut found = Vec::new();
    for _ in 0..=LAYERS {
        found.extend(card_numbers(&seen));
        found.extend(security_codes(&seen));
        if !seen.windows(2).any(|pair| matches!(pair, [first, second] if begins_encoded(first.char, second.char))) {
            break;
        }
        let decoded = decode(&seen);
        if decoded.len() == seen.len() {
            break;
        }
        seen = decoded;
    }
    found.sort_by_key(|one| (one.start, Reverse(one.end)));
    found
}

/// Masks the value of a field. This second pass is necessary because parts that were separate in the body may be joined
/// in the field.
pub(in crate::domain) fn mask_field(name: &str, value: &str) -> String {
    let inner = name.rsplit('[').next().unwrap_or(name);
    if !value.is_empty() && is_security_code(inner.chars()) {
        return MASK.to_string().repeat(3);
    }
    // No encoding has fewer digits than the digits it encodes.
    let may_be_number = value.bytes().filter(u8::is_ascii_digit).nth(CARD_DIGITS.start() - 1).is_some();
    if may_be_number && name != EXEMPT { mask(value) } else { value.to_owned() }
}

/// Returns true for a name such as `cvc`, `cvv2` or `card_security_code`, but not for `cvc_result`.
fn is_security_code(name: impl Iterator<Item = char> + Clone) -> bool {
    // Each of the names contains one of these letters: most other names are ruled out without a copy.
    if !name.clone().any(|char| matches!(char, 'v' | 'V' | 's' | 'S')) {
        return false;
    }
    let letters = name.filter(char::is_ascii_alphabetic).map(|letter| letter.to_ascii_lowercase());
    let name: String = letters.collect();
    let parts = ["cvc", "cvv", "securitycode", "verificationcode", "verificationvalue"];
    !name.contains("result") && (name == "csc" || name == "cvn" || parts.iter().any(|part| name.contains(part)))
}

/// Returns true if the two characters may begin an encoded character.
fn begins_encoded(first: char, second: char) -> bool {
    match first {
        '%' => second.is_ascii_hexdigit(),
        '&' => second == '#',
        '\\' => second == 'u',
        _ => false,
    }
}

/// Removes one layer of encoding.
fn decode(seen: &[Seen]) -> Vec<Seen> {
    let mut decoded = Vec::with_capacity(seen.len());
    let mut rest = seen;
    while let Some((first, behind)) = rest.split_first() {
        let (char, taken) = match first.char {
            '%' => number(behind, 16, 2, 2).map_or((first.char, 0), |(char, _)| (char, 2)),
            '\\' => escape(behind).unwrap_or((first.char, 0)),
            '&' => reference(behind).unwrap_or((first.char, 0)),
            other => (other, 0),
        };
        let end = behind.get(..taken).and_then(<[Seen]>::last).map_or(first.end, |last| last.end);
        decoded.push(Seen { char, start: first.start, end });
        rest = behind.get(taken..).unwrap_or_default();
    }
    decoded
}

/// Parses JSON's `u0034`, after the backslash.
fn escape(seen: &[Seen]) -> Option<(char, usize)> {
    let (first, digits) = seen.split_first()?;
    (first.char == 'u').then(|| number(digits, 16, 4, 4)).flatten().map(|(char, taken)| (char, taken + 1))
}

/// Parses XML's `#52;` and `#x34;`, after the ampersand.
fn reference(seen: &[Seen]) -> Option<(char, usize)> {
    let digits = seen.split_first().filter(|(first, _)| first.char == '#')?.1;
    let (digits, radix, before) = match digits.split_first() {
        Some((x, digits)) if matches!(x.char, 'x' | 'X') => (digits, 16, 2),
        _ => (digits, 10, 1),
    };
    let (char, taken) = number(digits, radix, 1, 7)?;
    (digits.get(taken)?.char == ';').then_some((char, before + taken + 1))
}

/// Returns the character whose code is at the beginning, and the number of digits of the code.
fn number(seen: &[Seen], radix: u32, least: usize, most: usize) -> Option<(char, usize)> {
    let digits = seen.iter().take(most).map_while(|one| one.char.to_digit(radix));
    let (value, taken) = digits.fold((0_u32, 0), |(value, taken), digit| (value * radix + digit, taken + 1));
    (taken >= least).then(|| char::from_u32(value)).flatten().map(|char| (char, taken))
}

/// Returns true for a character that may separate the groups of a card number.
fn separates(char: char) -> bool {
    matches!(char, '-' | '+') || char.is_whitespace() || char.is_control() || !char.is_ascii()
}

/// Finds every run of 13 to 19 digits with the check digit of a card number. Blanks and dashes may divide it into
/// groups; it begins and ends with a group.
fn card_numbers(seen: &[Seen]) -> Vec<CardNumber> {
    let mut found = Vec::new();
    // Ranges of groups of digits that are separated only by blanks and dashes.
    let mut groups: Vec<(usize, usize)> = Vec::new();
    let mut at = 0;
    while let Some(one) = seen.get(at) {
        if !one.char.is_ascii_digit() {
            at += 1;
            continue;
        }
        let length = seen.iter().skip(at).take_while(|one| one.char.is_ascii_digit()).count();
        let gap = groups.last().and_then(|&(_, end)| seen.get(end..at));
        if gap.is_none_or(|gap| gap.len() > GAP || !gap.iter().all(|one| separates(one.char))) {
            search(seen, &groups, &mut found);
            groups.clear();
        }
        groups.push((at, at + length));
        at += length;
    }
    search(seen, &groups, &mut found);
    found
}

fn search(seen: &[Seen], groups: &[(usize, usize)], found: &mut Vec<CardNumber>) {
    let mut first = 0;
    while let Some(&(start, _)) = groups.get(first) {
        let mut length = 0;
        let mut next = first + 1;
        for (number, &(from, to)) in groups.iter().enumerate().skip(first) {
            length += to - from;
            if length > *CARD_DIGITS.end() {
                break;
            }
            if length < *CARD_DIGITS.start() {
                continue;
            }
            let groups = groups.get(first..=number).unwrap_or_default().iter();
            let digits = groups.flat_map(|&(from, to)| seen.get(from..to).unwrap_or_default()).copied();
            let digits: Vec<Seen> = digits.collect();
            if has_check_digit(digits.iter().map(|one| one.char)) && !is_exempt(seen, start) {
                found.push(number_of(&digits));
                next = number + 1;
                break;
            }
        }
        first = next;
    }
}

fn number_of(digits: &[Seen]) -> CardNumber {
    let hidden = digits.len().saturating_sub(SHOWN_AFTER);
    let masked = digits.iter().take(hidden).skip(SHOWN_BEFORE).map(|one| (one.start, one.end)).collect();
    let place = |one: Option<&Seen>| one.map_or((0, 0), |one| (one.start, one.end));
    CardNumber { start: place(digits.first()).0, end: place(digits.last()).1, masked }
}

/// Returns true if the field that begins at `start` is the payment's own number.
fn is_exempt(seen: &[Seen], start: usize) -> bool {
    let before = seen.get(..start).unwrap_or_default().iter().rev().map(|one| one.char);
    let mut name = before.skip_while(|char| matches!(char, '=' | '>' | '"' | ':' | ' '));
    EXEMPT.chars().rev().all(|char| name.next() == Some(char)) && !name.next().is_some_and(is_of_a_name)
}

fn is_of_a_name(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

/// Finds every three or four digits that follow the name of a security code.
fn security_codes(seen: &[Seen]) -> Vec<CardNumber> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < seen.len() {
        let rest = seen.get(at..).unwrap_or_default();
        let length = rest.iter().take_while(|one| is_of_a_name(one.char)).count();
        if length == 0 {
            at += 1;
            continue;
        }
        at += length;
        if !is_security_code(rest.iter().take(length).map(|one| one.char)) {
            continue;
        }
        let behind = seen.get(at..).unwrap_or_default();
        let gap = behind.iter().take(NAME_TO_CODE).take_while(|one| !is_of_a_name(one.char) && one.char != '/');
        // Another field may follow directly if this one is empty.
        let gap: String = gap.map(|one| one.char).take_while(|char| !matches!(char, '&' | ',')).collect();
        let mut code = behind.get(gap.chars().count()..).unwrap_or_default();
        if gap.ends_with("<![") {
            code = code.get("CDATA[".len()..).unwrap_or_default();
        }
        let digits: Vec<&Seen> = code.iter().take_while(|one| one.char.is_ascii_digit()).collect();
        if let (3..=4, Some(first), Some(last)) = (digits.len(), digits.first(), digits.last()) {
            let masked = digits.iter().map(|one| (one.start, one.end)).collect();
            found.push(CardNumber { start: first.start, end: last.end, masked });
        }
    }
    found
}

/// Returns `text` with the numbers in `found` masked. A bare JSON number is put into quotes, because it is no longer a
/// valid number.
fn rewrite(text: &str, found: &[CardNumber]) -> String {
    let is_json = text.trim_start().starts_with(['{', '[']);
    let mut masked = String::with_capacity(text.len() + found.len() * 2);
    let (mut done, mut in_quotes, mut escaped) = (0, false, false);
    for one in found {
        // Found in an earlier layer, or a part of a number that was found.
        let Some(before) = text.get(done..one.start) else { continue };
        for char in before.chars() {
            in_quotes ^= char == '"' && !escaped;
            escaped = char == '\\' && !escaped;
        }
        let quote = if is_json && !in_quotes { "\"" } else { "" };
        masked.push_str(before);
        masked.push_str(quote);
        let mut at = one.start;
        for &(start, end) in &one.masked {
            masked.push_str(text.get(at..start).unwrap_or_default());
            masked.push(MASK);
            at = end;
        }
        masked.push_str(text.get(at..one.end).unwrap_or_default());
        masked.push_str(quote);
        done = one.end;
    }
    masked.push_str(text.get(done..).unwrap_or_default());
    masked
}
