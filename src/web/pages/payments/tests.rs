//! Tests of `web/pages/payments.rs`.

use super::*;
use crate::text::Locale;
use crate::text::Texts;

#[test]
fn every_field_that_is_known_has_a_name_for_people() {
    for locale in [Locale::English, Locale::French] {
        let texts = Texts::of(Some(locale));
        for (group, names) in GROUPS {
            let title = format!("fields-{group}");
            assert_ne!(texts.text(&title, &[]), title);
            for name in names.split(' ') {
                assert_ne!(texts.text(&text_of(name), &[]), text_of(name), "{name}");
            }
        }
    }
}

#[test]
fn a_reference_is_one_part_of_an_address() {
    assert_eq!(address_of("132255767588"), "/dashboard/payments/132255767588");
    assert_eq!(address_of("a/b?c"), "/dashboard/payments/a%2Fb%3Fc");
}
