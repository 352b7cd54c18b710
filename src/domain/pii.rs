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

/// Finds a card number: 13 to 19 digits with the right check digit, in one piece or in groups with the same separator
/// between them. The longest match wins.
fn card(rest: &[char]) -> MaskedMatch {
    let mut digits = String::new();
    // Ends of the groups: in `rest`, and in `digits`.
    let mut ends = Vec::new();
    let mut separator = None;
    for (at, &letter) in rest.iter().enumerate() {
        let next = rest.get(at + 1).copied();
        if letter.is_ascii_digit() {
            digits.push(letter);
            if next.is_none_or(|next| !next.is_alphanumeric()) {
                ends.push((at + 1, digits.len()));
            }
        } else if !matches!(letter, ' ' | '-')
            || separator.is_some_and(|known| known != letter)
            || next.is_none_or(|next| !next.is_ascii_digit())
        {
            break;
        } else {
            separator = Some(letter);
        }
    }
    ends.into_iter().rev().find_map(|(taken, length)| {
        let number = digits.get(..length).filter(|_| CARD_DIGITS.contains(&length))?;
        has_check_digit(number.chars()).then_some(())?;
        let (first, last) = (number.get(..6)?, number.get(length.checked_sub(4)?..)?);
        Some((taken, format!("{first}******{last}")))
    })
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
