//! Texts in the form in which a search compares them, and their parts.
//!
//! Pure.

use std::collections::BTreeSet;

/// Maximum number of characters of a part; a search for a longer text compares the rest with the record.
pub const MAX_PART_LENGTH: usize = 32;
/// Maximum number of characters of a text whose parts are found: no name, login or e-mail is longer.
const MAX_TEXT_LENGTH: usize = 255;

/// Returns the letters and digits of a text, in lower case and without accents: `Chez Élise & Fils` and `chezelisefils`
/// become equal. Letter by letter, so that a part of a text becomes a part of its folded form.
pub fn folded(text: &str) -> String {
    let mut folded = String::new();
    for letter in text.chars() {
        match deunicode::deunicode_char(letter) {
            Some(plain) => {
                let letters = plain.chars().filter(char::is_ascii_alphanumeric);
                folded.extend(letters.map(|plain| plain.to_ascii_lowercase()));
            }
            None => folded.extend(letter.to_lowercase().filter(|letter| letter.is_alphanumeric())),
        }
    }
    folded
}

/// Returns what has to be found by its beginning so that every part of `texts` is found: each end of each text, except
/// the texts as a whole. A text that another one contains needs none of its own.
pub fn parts(texts: &[String]) -> BTreeSet<String> {
    let distinct: BTreeSet<&String> = texts.iter().collect();
    let is_contained = |text: &&String| distinct.iter().any(|other| other != text && other.contains(text.as_str()));
    let longest = distinct.iter().copied().filter(|text| !is_contained(text));
    let ends =
        longest.flat_map(|text| text.char_indices().take(MAX_TEXT_LENGTH).skip(1).map(move |(at, _)| (text, at)));
    ends.filter_map(|(text, at)| text.get(at..)).map(|end| end.chars().take(MAX_PART_LENGTH).collect()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_accents_and_signs_do_not_count() {
        for (text, expected) in [
            ("Chez Élise & Fils", "chezelisefils"),
            ("CHEZ ELISE", "chezelise"),
            ("Chez E\u{301}lise", "chezelise"),
            ("Ångström-Œuvre", "angstromoeuvre"),
            ("Großmarkt", "grossmarkt"),
            ("seller@shops.example", "sellershopsexample"),
            ("Ателье", "atele"),
            (" @-_ ", ""),
        ] {
            assert_eq!(folded(text), expected, "{text}");
        }
    }

    #[test]
    fn a_text_within_another_is_not_divided_twice() {
        let texts = ["elise".to_owned(), "chezelise".to_owned(), "elise".to_owned()];
        let alone = parts(&["chezelise".to_owned()]);
        assert_eq!(parts(&texts), alone);
        assert_eq!(alone.len(), 8);
    }

    proptest! {
        #[test]
        fn every_part_of_a_text_begins_an_end_of_it(text in "[A-Za-zéèüñß &.'0-9]{1,60}", from in 0_usize..60, length in 1_usize..60) {
            let whole = folded(&text);
            let part: String = text.chars().skip(from).take(length).collect();
            let wanted: String = folded(&part).chars().take(MAX_PART_LENGTH).collect();
            let ends = parts(std::slice::from_ref(&whole));
            prop_assert!(whole.starts_with(&wanted) || ends.iter().any(|end| end.starts_with(&wanted)), "{whole}: {wanted}");
        }
    }
}
