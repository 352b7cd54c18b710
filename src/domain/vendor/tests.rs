//! Tests of `domain/vendor.rs`.

use proptest::prelude::*;

use super::*;

#[test]
fn logins_keep_only_letters_and_digits() {
    assert_eq!(login("L'Atelier d'Été & Fils", 2001), "mirakl_LAtelierdtFils_2001");
    assert_eq!(login("", 7), "mirakl__7");
}

#[test]
fn bank_text_is_reduced_and_cut() {
    assert_eq!(bank_text("  Crédit-Agricole / Paris ", 50), "Credit Agricole Paris");
    assert_eq!(bank_text("Cre\u{301}dit Straße Łódź Œuvre", 50), "Credit Strasse Lodz OEuvre");
    assert_eq!(bank_text("ABC DEF", 4), "ABC");
}

#[test]
fn countries_become_alpha_2() {
    assert_eq!(country_alpha2("FRA").as_deref(), Some("FR"));
    assert_eq!(country_alpha2(" de ").as_deref(), Some("DE"));
    assert_eq!(country_alpha2("Atlantis"), None);
}

#[test]
fn ibans_are_checked_by_structure_and_digits() {
    assert_eq!(valid_iban("fr14 2004 1010 0505 0001 3M02 606").as_deref(), Some("FR1420041010050500013M02606"));
    for wrong in ["", "FR1420041010050500013M02607", "FR14 2004", "XX1420041010050500013M02606", "not an iban"] {
        assert_eq!(valid_iban(wrong), None, "{wrong}");
    }
    assert!(same_iban("fr14 2004 1010 0505 0001 3M02 606", "FR1420041010050500013M02606"));
}

#[test]
fn bics_are_checked_by_their_form() {
    for text in ["BNPA-FRPP-XXX", "bnpa frpp xxx", "BNPAFRPPXXX", "BNPA.FR.PP.XXX"] {
        assert_eq!(valid_bic(text).as_deref(), Some("BNPAFRPPXXX"), "{text}");
    }
    assert_eq!(valid_bic("AGRIFRPP").as_deref(), Some("AGRIFRPP"));
    for wrong in ["", "BNPAFRPPX", "BNPA12PP", "BNPAFRPPXXXX", "ÉNPAFRPP", "not a bic"] {
        assert_eq!(valid_bic(wrong), None, "{wrong}");
    }
}

#[test]
fn files_are_known_by_their_content() {
    for file in [&b"\xff\xd8\xff\xe0"[..], b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"%PDF-1.4", b"\n\n%PDF-1.7"] {
        assert!(is_sendable_content(file), "{file:?}");
    }
    let late = [&[b' '; 2_000][..], b"%PDF-1.4"].concat();
    for other in [&b""[..], b"{\"status\": 404}", b"PK\x03\x04", b"<html>", b"%PD", &late] {
        assert!(!is_sendable_content(other), "{other:?}");
    }
}

#[test]
fn a_warning_lasts_until_its_part_is_looked_at() {
    let mut vendor = Vendor::new(1, Timestamp::UNIX_EPOCH);
    vendor.set_warnings(vec![
        Warning::new(VendorProblem::EmailNotChanged, "email"),
        Warning::new(VendorProblem::IbanWrong, "iban"),
    ]);
    vendor.replace_warnings(vec![Warning::new(VendorProblem::WalletNotSettled, "unread")], &[]);
    assert_eq!(vendor.warnings, ["unread", "email", "iban"]);
    vendor.replace_warnings(Vec::new(), &[VendorPart::Wallet]);
    assert_eq!(vendor.warnings, ["iban"]);
    vendor.replace_warnings(vec![Warning::new(VendorProblem::IbanWrong, "iban in other words")], &[]);
    assert_eq!(vendor.warnings, ["iban in other words"]);
    vendor.clear_warnings(VendorPart::Wallet);
    assert_eq!(vendor.warnings, ["iban in other words"]);
    vendor.clear_warnings(VendorPart::BankDetails);
    assert!(vendor.warnings.is_empty() && vendor.troubles.is_empty());
}

#[test]
fn a_block_is_a_persons_where_it_appeared_by_itself() {
    // (blocked when last read, waits for the bank details, known as a person's, bank status; a person's)
    for (blocked, waiting, known, status, persons) in [
        (false, false, false, 2, true),
        (true, false, false, 2, false),
        (true, false, false, 3, true),
        (true, true, false, 3, false),
        (true, false, true, 2, true),
    ] {
        let mut vendor = Vendor::new(1, Timestamp::UNIX_EPOCH);
        (vendor.payment_blocked, vendor.blocked_for_bank_details) = (blocked, waiting);
        (vendor.blocked_by_person, vendor.bank_status) = (known, status);
        assert_eq!(vendor.is_block_of_person(true), persons, "{vendor:?}");
        assert!(!vendor.is_block_of_person(false));
    }
}

#[test]
fn civilities_and_files() {
    assert_eq!(["Mr", "Mrs.", "Miss", "", "Dr"].map(civility), [1, 2, 3, 1, 1]);
    assert_eq!(["a.PDF", "b.jpeg", "c.docx", "pdf", ""].map(is_sendable_file), [true, true, false, false, false]);
}

#[test]
fn what_a_later_release_wrote_is_kept() {
    let written = r#"{"mirakl_id":1,"enabled":true,"created_at":"2026-11-01T00:00:00Z","updated_at":"2026-11-01T00:00:00Z","new_field":{"a":1.50}}"#;
    let vendor: Vendor = serde_json::from_str(written).unwrap();
    assert!(serde_json::to_string(&vendor).unwrap().contains(r#""new_field":{"a":1.5"#));
}

proptest! {
    #[test]
    fn a_single_wrong_digit_is_always_seen(position in 4_usize..27, by in 1_u32..10) {
        let good = "FR1420041010050500013M02606";
        let wrong: String = good.chars().enumerate().map(|(index, letter)| match letter.to_digit(10) {
            Some(digit) if index == position => char::from_digit((digit + by) % 10, 10).unwrap(),
            _ => letter,
        }).collect();
        prop_assert!(wrong == good || valid_iban(&wrong).is_none());
    }

    #[test]
    fn bank_text_is_plain_and_short(text in ".{0,60}") {
        let reduced = bank_text(&text, 50);
        prop_assert!(reduced.len() <= 50 && reduced.chars().all(|one| one.is_ascii_alphanumeric() || one == ' '));
    }

    #[test]
    fn no_text_panics(text in ".{0,60}") {
        let _ = (valid_iban(&text), bank_text(&text, 50), country_alpha2(&text), civility(&text), is_sendable_file(&text), login(&text, 1), valid_bic(&text), is_sendable_content(text.as_bytes()));
    }
}
