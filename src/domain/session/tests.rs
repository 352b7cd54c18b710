//! Tests of `domain/session.rs`.

use proptest::prelude::*;

use super::*;

fn session() -> Session {
    let at = "2026-11-21T10:00:00Z".parse().unwrap();
    Session {
        key: key_of(&Secret::new("token")),
        person: "ann".to_owned(),
        created_at: at,
        seen_at: at,
        address: "203.0.113.9".to_owned(),
        bound_to: bound_to(&Secret::new("token"), "ann", &Secret::new("password")),
        csrf_secret: Secret::new("0123456789abcdef"),
        unknown: Map::new(),
    }
}

#[test]
fn it_ends_after_half_an_hour_idle_and_after_twelve_hours_in_any_case() {
    let mut session = session();
    let at = |minutes| session.created_at + SignedDuration::from_mins(minutes);
    assert!(session.is_valid(at(29)) && !session.is_valid(at(30)));
    assert!(!session.is_valid(at(-30)));
    let (last, over) = (at(12 * 60 - 1), at(12 * 60));
    session.seen_at = last;
    assert!(session.is_valid(last) && !session.is_valid(over));
}

#[test]
fn a_stored_session_keeps_what_a_later_release_wrote() {
    let mut stored = serde_json::to_value(session()).unwrap();
    stored["second_factor"] = "asked".into();
    let session: Session = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!(serde_json::to_value(session).unwrap(), stored);
}

#[test]
fn passwords_that_anybody_would_try_are_known() {
    for (password, weakness_of) in [
        ("ann", Some(PasswordWeakness::WellKnown)),
        ("ANN", Some(PasswordWeakness::WellKnown)),
        ("ChangeMe!", Some(PasswordWeakness::WellKnown)),
        ("password2026", Some(PasswordWeakness::WellKnown)),
        ("123456789012345", Some(PasswordWeakness::WellKnown)),
        ("", Some(PasswordWeakness::WellKnown)),
        ("étoile-nuit", Some(PasswordWeakness::Short)),
        ("étoile-nuit1", None),
        ("a hipay of sunshine", None),
    ] {
        assert_eq!(weakness("Ann", password), weakness_of, "{password}");
    }
}

proptest! {
    #[test]
    fn a_page_s_token_is_good_for_its_session_alone(salt: [u8; 16], other: [u8; 16], secret in "[0-9a-f]{64}") {
        let session = session();
        let token = session.csrf_token(salt);
        prop_assert_eq!(token.len(), 96);
        prop_assert!(session.is_csrf_token(&token));
        let stranger = Session { csrf_secret: Secret::new(secret), ..session.clone() };
        prop_assert!(!stranger.is_csrf_token(&token));
        if salt != other {
            prop_assert_ne!(session.csrf_token(other), token);
        }
    }

    #[test]
    fn a_token_that_was_changed_is_none(salt: [u8; 16], at in 0..96_usize, text in ".{0,100}") {
        let session = session();
        let mut token = session.csrf_token(salt).into_bytes();
        token[at] = if token[at] == b'0' { b'1' } else { b'0' };
        prop_assert!(!session.is_csrf_token(&String::from_utf8(token).unwrap()));
        prop_assert!(!session.is_csrf_token(&text));
    }

    #[test]
    fn what_it_is_bound_to_is_one_name_and_one_password(one in ".{0,9}", two in ".{0,9}", a in ".{0,9}", b in ".{0,9}") {
        let bound = |token, person: &str, password: &str| {
            bound_to(&Secret::new(token), person, &Secret::new(password))
        };
        prop_assert_eq!(bound("t", &one, &a) == bound("t", &two, &b), (one.as_str(), a.as_str()) == (two.as_str(), b.as_str()));
        prop_assert_ne!(bound("t", &one, &a), bound("u", &one, &a));
    }
}
