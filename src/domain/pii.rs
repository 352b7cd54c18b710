//! Personal data that must not be kept: masking of card numbers, IBANs and e-mail addresses in every line of text, and
//! of card numbers and security codes in what HiPay Enterprise sends.

pub(super) mod card_data;

use std::ops::RangeInclusive;
use std::str::FromStr;

use iban::Iban;

/// Minimum number of digits of a card number or an IBAN.
const MIN_DIGITS: usize = 8;
/// Numbers of digits of a card number.
const CARD_DIGITS: RangeInclusive<usize> = 13..=19;

/// Masks the card numbers (`400000******0001`), IBANs (`FR14…2606`) and e-mail addresses (`s…@shop.example`) in `text`.
pub fn masked(text: &str) -> String {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if digits < MIN_DIGITS && !text.contains('@') {
        return text.to_owned();
    }
    let letters: Vec<char> = text.chars().collect();
    let mut masked = String::with_capacity(text.len());
    let mut rest = letters.as_slice();
    let mut within_word = false;
    while let Some((&letter, others)) = rest.split_first() {
        let found = if within_word { None } else { card(rest).or_else(|| iban(rest)).or_else(|| email(rest)) };
        if let Some((taken, mask)) = found {
            masked.push_str(&mask);
            rest = rest.get(taken..).unwrap_or_default();
            within_word = true;
        } else {
            masked.push(letter);
            rest = others;
            within_word = letter.is_alphanumeric();
        }
    }
    masked
}

/// Match at the start of `rest`: the number of characters and their replacement.
type MaskedMatch = Option<(usize, String)>;

/// Finds a card number: 13 to 19 digits with the right check digit, in one piece or in groups. A number before a card
/// may seem to begin one: the match reaches to the end of every card that begins within it.
fn card(rest: &[char]) -> MaskedMatch {
    let mut end = card_end(rest)?;
    let mut at = 1;
    while at < end {
        let within = rest.get(at..)?;
        if rest.get(at - 1).is_some_and(|before| !before.is_alphanumeric())
            && let Some(further) = card_end(within)
        {
            end = end.max(at + further);
        }
        at += 1;
    }
    let digits: String = rest.get(..end)?.iter().filter(|letter| letter.is_ascii_digit()).collect();
    let (first, last) = (digits.get(..6)?, digits.get(digits.len().checked_sub(4)?..)?);
    Some((end, format!("{first}******{last}")))
}

/// Returns the end of the longest card number at the start of `rest`.
fn card_end(rest: &[char]) -> Option<usize> {
    let mut digits = String::new();
    let mut groups = vec![0_usize];
    let mut found = None;
    for (at, &letter) in rest.iter().enumerate() {
        let next = rest.get(at + 1).copied();
        if letter.is_ascii_digit() {
            digits.push(letter);
            if let Some(group) = groups.last_mut() {
                *group += 1;
            }
            let ends = next.is_none_or(|next| !next.is_alphanumeric());
            let is_long = CARD_DIGITS.contains(&digits.len());
            if ends && is_long && are_of_a_card(&groups) && has_check_digit(digits.chars()) {
                found = Some(at + 1);
            }
        } else if matches!(letter, ' ' | '-') && next.is_some_and(|next| next.is_ascii_digit()) {
            groups.push(0);
        } else {
            break;
        }
    }
    found
}

/// Returns true for groups in which a card number is printed or typed: one piece, 4-6-4 or 4-6-5, or equal groups of at
/// least four digits, of which the last may be shorter.
fn are_of_a_card(groups: &[usize]) -> bool {
    match groups {
        [_] | [4, 6, 4 | 5] => true,
        [first, middle @ .., last] => *first >= 4 && middle.iter().all(|group| group == first) && last <= first,
        [] => false,
    }
}

/// Returns true if the Luhn check holds: with every second digit from the right doubled, the sum is a multiple of ten.
fn has_check_digit(digits: impl DoubleEndedIterator<Item = char>) -> bool {
    let digits = digits.rev().filter_map(|digit| digit.to_digit(10)).enumerate();
    let sum: u32 = digits
        .map(|(place, digit)| match (place % 2, digit) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Finds a valid IBAN, in one piece or in groups.
fn iban(rest: &[char]) -> MaskedMatch {
    let starts = matches!(rest, [a, b, c, d, ..]
        if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() && c.is_ascii_digit() && d.is_ascii_digit());
    if !starts {
        return None;
    }
    let mut text = String::new();
    let mut ends = Vec::new();
    for (at, &letter) in rest.iter().enumerate() {
        match letter {
            ' ' if rest.get(at + 1).is_some_and(char::is_ascii_alphanumeric) => ends.push((at, text.len())),
            letter if letter.is_ascii_alphanumeric() && text.len() < 34 => text.push(letter.to_ascii_uppercase()),
            letter => {
                if !letter.is_alphanumeric() {
                    ends.push((at, text.len()));
                }
                break;
            }
        }
        if at + 1 == rest.len() {
            ends.push((rest.len(), text.len()));
        }
    }
    // The longest match wins: a word that follows an IBAN is not part of it.
    ends.into_iter().rev().find_map(|(taken, length)| {
        let candidate = text.get(..length)?;
        Iban::from_str(candidate).ok()?;
        let (first, last) = (candidate.get(..4)?, candidate.get(length.checked_sub(4)?..)?);
        Some((taken, format!("{first}…{last}")))
    })
}

fn email(rest: &[char]) -> MaskedMatch {
    let local = rest.iter().take_while(|letter| letter.is_alphanumeric() || "._%+-".contains(**letter)).count();
    let (&first, _) = rest.split_first()?;
    if local == 0 || rest.get(local) != Some(&'@') {
        return None;
    }
    let domain: String =
        rest.iter().skip(local + 1).take_while(|letter| letter.is_alphanumeric() || ".-".contains(**letter)).collect();
    let domain = domain.trim_end_matches(['.', '-']);
    if domain.is_empty() {
        return None;
    }
    Some((local + 1 + domain.chars().count(), format!("{first}…@{domain}")))
}

#[cfg(test)]
mod tests;
