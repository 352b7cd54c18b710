//! Last line of defence: masking of card numbers, IBANs and e-mail addresses in every line,
//! regardless of its origin.

use std::str::FromStr;

use iban::Iban;

/// Minimum number of digits of a card number or an IBAN.
const MIN_DIGITS: usize = 8;

/// Masks the card numbers (`400000******0001`), IBANs (`FR14…2606`) and e-mail addresses
/// (`s…@shop.example`) in `text`.
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

/// Finds a card number: 13 to 19 digits with the right check digit, in one piece or in the groups
/// that are printed on cards.
fn card(rest: &[char]) -> MaskedMatch {
    let mut digits = String::new();
    let mut groups = vec![0_usize];
    let mut taken = 0;
    for (at, &letter) in rest.iter().enumerate() {
        if letter.is_ascii_digit() {
            digits.push(letter);
            taken = at + 1;
            if let Some(group) = groups.last_mut() {
                *group += 1;
            }
        } else if (letter == ' ' || letter == '-') && groups.last().is_some_and(|group| *group > 0) {
            groups.push(0);
        } else {
            break;
        }
    }
    groups.retain(|group| *group > 0);
    let ends = rest.get(taken).is_none_or(|next| !next.is_alphanumeric());
    let printed = matches!(groups.as_slice(), [_] | [4, 4, 4, 1..=4] | [4, 4, 4, 4, 3] | [4, 6, 4 | 5]);
    if !(ends && printed && (13..=19).contains(&digits.len()) && passes_luhn(&digits)) {
        return None;
    }
    let (first, last) = (digits.get(..6)?, digits.get(digits.len().checked_sub(4)?..)?);
    Some((taken, format!("{first}******{last}")))
}

fn passes_luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .chars()
        .rev()
        .filter_map(|digit| digit.to_digit(10))
        .enumerate()
        .map(|(at, digit)| match (at % 2, digit) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => 2 * digit - 9,
            (_, digit) => 2 * digit,
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
