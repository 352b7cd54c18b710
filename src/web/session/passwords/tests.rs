//! Tests of `web/session/passwords.rs`.

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Params, Version};

use super::*;

fn hash_of(password: &str) -> Secret {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
    Secret::new(argon2.hash_password_with_salt(password.as_bytes(), b"sixteen bytes ..").unwrap().to_string())
}

#[tokio::test]
async fn a_password_fits_its_own_hash_and_no_rubbish() {
    let (passwords, hash) = (Passwords::default(), hash_of("right"));
    for (password, fits) in [("right", true), ("Right", false), ("", false)] {
        assert_eq!(passwords.verify(&hash, &Secret::new(password), &passwords.turns).await, fits, "{password}");
    }
    for rubbish in ["", "right", "$argon2id$", "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRz$"] {
        assert!(!passwords.verify(&Secret::new(rubbish), &Secret::new("right"), &passwords.turns).await, "{rubbish}");
    }
}

#[tokio::test]
async fn no_more_than_two_are_compared_at_once() {
    let (passwords, hash, password) = (Passwords::default(), hash_of("right"), Secret::new("right"));
    let turns = Arc::clone(&passwords.turns).acquire_many_owned(2).await.unwrap();
    let mut third = std::pin::pin!(passwords.verify(&hash, &password, &passwords.turns));
    assert!(futures_util::poll!(third.as_mut()).is_pending());
    assert_eq!(passwords.verified(), 0);
    drop(turns);
    assert!(third.await);
    assert_eq!(passwords.verified(), 1);
}
