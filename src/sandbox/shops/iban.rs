//! Invented IBANs and company numbers that pass every check.

/// Makes an IBAN of `country` (alpha-2; France if unknown).
pub(super) fn invent(country: &str, rng: &mut fastrand::Rng) -> String {
    let bban = match country {
        "BE" => belgian(rng),
        "DE" => digits(rng, 18),
        "ES" => digits(rng, 20),
        "IT" => format!("{}{}", rng.uppercase(), digits(rng, 22)),
        "NL" => format!("BANK{}", digits(rng, 10)),
        _ => return with_check_digits("FR", &french(rng)),
    };
    with_check_digits(country, &bban)
}

/// Returns the IBAN with a digit that its checksum does not allow.
pub(super) fn spoil(iban: &str) -> String {
    let (kept, last) = iban.split_at(iban.len().saturating_sub(1));
    format!("{kept}{}", if last == "0" { "1" } else { "0" })
}

/// Adds the check digits of ISO 13616, which make the whole leave 1 modulo 97.
fn with_check_digits(country: &str, bban: &str) -> String {
    let rest = modulo_97(&format!("{bban}{country}00"));
    format!("{country}{:02}{bban}", 98_u32.saturating_sub(rest))
}

/// Computes the text as a number, letters counting from 10, modulo 97.
fn modulo_97(text: &str) -> u32 {
    text.chars().filter_map(|character| character.to_digit(36)).fold(0, |rest, value| {
        let shifted = if value < 10 { rest * 10 } else { rest * 100 };
        (shifted + value) % 97
    })
}

fn digits(rng: &mut fastrand::Rng, count: usize) -> String {
    (0..count).map(|_| rng.digit(10)).collect()
}

/// Makes a French number: bank, branch, account and the key over them.
fn french(rng: &mut fastrand::Rng) -> String {
    let (bank, branch, account) = (rng.u64(10_000..20_000), rng.u64(0..100_000), rng.u64(0..100_000_000_000));
    let key = 97 - (89 * bank + 15 * branch + 3 * account) % 97;
    format!("{bank:05}{branch:05}{account:011}{key:02}")
}

/// Makes a Belgian number: ten digits and their remainder modulo 97, which is never written as 0.
fn belgian(rng: &mut fastrand::Rng) -> String {
    let number = rng.u64(0..10_000_000_000);
    let rest = if number.is_multiple_of(97) { 97 } else { number % 97 };
    format!("{number:010}{rest:02}")
}

/// Makes a French company number (SIREN): nine digits that satisfy Luhn.
pub(super) fn siren(rng: &mut fastrand::Rng) -> String {
    let body = format!("{}{}", rng.u8(3..9), digits(rng, 7));
    let sum: u32 = body
        .chars()
        .filter_map(|digit| digit.to_digit(10))
        .enumerate()
        .map(|(index, digit)| if index % 2 == 1 { digit * 2 / 10 + digit * 2 % 10 } else { digit })
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

/// Makes a VAT number; the French one is derived from the company's number.
pub(super) fn vat(country: &str, siren: &str, rng: &mut fastrand::Rng) -> String {
    match country {
        "BE" => format!("BE0{}", digits(rng, 9)),
        "DE" => format!("DE{}", digits(rng, 9)),
        "ES" => format!("ESB{}", digits(rng, 8)),
        "IT" => format!("IT{}", digits(rng, 11)),
        "NL" => format!("NL{}B01", digits(rng, 9)),
        _ => format!("FR{:02}{siren}", (12 + 3 * modulo_97(siren)) % 97),
    }
}

#[cfg(test)]
mod tests {
    use iban::Iban;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_checksum_is_that_of_a_published_example() {
        assert_eq!(with_check_digits("FR", "20041010050500013M02606"), "FR1420041010050500013M02606");
    }

    proptest! {
        #[test]
        fn every_invented_iban_is_valid_and_every_spoilt_one_is_not(
            seed: u64,
            country in prop::sample::select(vec!["FR", "BE", "DE", "ES", "IT", "NL"]),
        ) {
            let iban = invent(country, &mut fastrand::Rng::with_seed(seed));
            prop_assert!(iban.starts_with(country));
            prop_assert!(iban.parse::<Iban>().is_ok(), "{}", iban);
            prop_assert!(spoil(&iban).parse::<Iban>().is_err(), "{}", spoil(&iban));
        }
    }
}
