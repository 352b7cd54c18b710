//! Tests of `update/release.rs`.

use proptest::prelude::*;

use super::*;

#[test]
fn a_patch_keeps_major_and_minor_and_everything_else_that_is_newer_is_a_new_version() {
    let cases = [
        ("0.1.0", "0.1.1", None, Some(ReleaseKind::Fix)),
        ("0.1.1", "0.1.1", None, None),
        ("0.1.1", "0.1.0", None, None),
        ("0.1.0", "0.2.0", None, Some(ReleaseKind::NewVersion)),
        ("0.9.9", "1.0.0", None, Some(ReleaseKind::NewVersion)),
        ("1.2.0-beta.1", "1.2.0", None, Some(ReleaseKind::Fix)),
        ("1.2.0", "1.2.0-beta.1", None, None),
        // A rebuild of the same version is not newer.
        ("1.2.0", "1.2.0+build.2", None, None),
        // A patch is one of security if it fixes a problem that the running version has.
        ("1.2.1", "1.2.4", Some("1.2.2"), Some(ReleaseKind::SecurityPatch)),
        ("1.2.1", "1.2.4", Some("1.2.4"), Some(ReleaseKind::SecurityPatch)),
        // The fix is part of the running version already.
        ("1.2.2", "1.2.4", Some("1.2.2"), Some(ReleaseKind::Fix)),
        ("1.2.1", "1.2.4", None, Some(ReleaseKind::Fix)),
        ("1.1.0", "1.2.4", Some("1.2.2"), Some(ReleaseKind::NewVersion)),
    ];
    for (running, version, security, kind) in cases {
        let parsed = |text: &str| Version::parse(text).unwrap();
        let found = ReleaseKind::of(&parsed(running), &parsed(version), security.map(parsed).as_ref());
        assert_eq!(found, kind, "{running} {version} {security:?}");
    }
}

proptest! {
    #[test]
    fn of_two_versions_at_most_one_is_newer(a in "[0-3]\\.[0-3]\\.[0-3](-b\\.[0-3])?", b in "[0-3]\\.[0-3]\\.[0-3](-b\\.[0-3])?") {
        let (a, b) = (Version::parse(&a).unwrap(), Version::parse(&b).unwrap());
        let (ahead, back) = (ReleaseKind::of(&a, &b, None), ReleaseKind::of(&b, &a, None));
        prop_assert!(ahead.is_none() || back.is_none());
        prop_assert_eq!(a == b, ahead.is_none() && back.is_none());
    }

    #[test]
    fn notes_are_cut_between_characters(notes in "[aé🦀]{0,40}", times in 1_usize..4_000) {
        let notes = notes.repeat(times);
        prop_assert!(notes.starts_with(&cut(&notes)) && cut(&notes).len() <= MAX_NOTES_LENGTH);
    }
}
