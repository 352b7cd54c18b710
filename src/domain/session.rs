//! Sessions of the dashboard, their limits, and the tokens that a page carries against forged requests.
//!
//! The store never holds what a browser presents: a session is found by the hash of its token, and of a password only a
//! value remains that can be compared with the help of the token alone.

mod attempts;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub use attempts::{FAILURE_RETENTION, KNOWN_RETENTION, KnownAddress, SignInAttempts, network_of};

use crate::platform::hex::hex;
use crate::platform::secret::Secret;

/// Maximum time between two requests of a session.
pub const IDLE_TIMEOUT: SignedDuration = SignedDuration::from_mins(30);
/// Maximum duration of a session.
pub const MAX_LENGTH: SignedDuration = SignedDuration::from_hours(12);
/// Minimum interval between two records of a session's use.
pub const USE_RECORD_INTERVAL: SignedDuration = SignedDuration::from_mins(1);

/// A session as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// SHA-256 of the token, in hexadecimal digits: see [`key_of`].
    pub key: String,
    /// The name that the person has signed in with.
    pub person: String,
    /// Time at which the session began (UTC).
    pub created_at: Timestamp,
    /// Time of the last use (UTC), to the minute.
    pub seen_at: Timestamp,
    /// The address that the person has signed in from.
    #[serde(default)]
    pub address: String,
    /// Value that ties the session to the password that it began with: see [`bound_to`].
    pub bound_to: String,
    /// Secret from which the tokens of the session's pages are made.
    pub csrf_secret: Secret,
    /// Fields that a later release wrote, kept unchanged.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl Session {
    /// Returns true until the session has been idle, or has lasted, for too long. A clock that was set back by as much
    /// ends it too.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        now.duration_since(self.seen_at).abs() < IDLE_TIMEOUT && now.duration_since(self.created_at).abs() < MAX_LENGTH
    }

    /// Returns true if the session's use is due to be recorded.
    pub fn is_to_be_seen(&self, now: Timestamp) -> bool {
        now.duration_since(self.seen_at) >= USE_RECORD_INTERVAL
    }

    /// Makes a token for one page from 16 fresh random bytes. Every page gets another one, so that a compressed answer
    /// reveals nothing.
    pub fn csrf_token(&self, salt: [u8; 16]) -> String {
        let salt = hex(salt);
        let mac = self.csrf_mac(&salt);
        salt + &mac
    }

    /// Returns true if `token` was made for this session. Takes the same time however the token is wrong.
    pub fn is_csrf_token(&self, token: &str) -> bool {
        let Some((salt, mac)) = token.split_at_checked(32) else { return false };
        self.csrf_mac(salt).as_bytes().ct_eq(mac.as_bytes()).into()
    }

    fn csrf_mac(&self, salt: &str) -> String {
        hex(Sha256::new().chain_update(self.csrf_secret.expose()).chain_update(salt).finalize())
    }
}

/// Returns the key of the session with this token.
pub fn key_of(token: &Secret) -> String {
    hex(Sha256::digest(token.expose()))
}

/// Returns the value that ties a session to a password. It is worthless without the token, which is not stored, and
/// changes with the person's name and password (or its hash).
pub fn bound_to(token: &Secret, person: &str, password: &Secret) -> String {
    let length = u64::try_from(person.len()).unwrap_or(u64::MAX).to_be_bytes();
    let hash = Sha256::new()
        .chain_update("bound to")
        .chain_update(token.expose())
        .chain_update(length)
        .chain_update(person)
        .chain_update(password.expose())
        .finalize();
    hex(hash)
}

/// Returns true if two texts are equal, in a time that reveals neither where they differ nor how long they are.
pub fn is_same(one: &str, other: &str) -> bool {
    Sha256::digest(one).ct_eq(&Sha256::digest(other)).into()
}

/// Weakness of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordWeakness {
    /// Among the first passwords that an attacker would try.
    WellKnown,
    /// Shorter than [`MIN_LENGTH`] characters.
    Short,
}

/// Recommended minimum number of characters of a password.
pub const MIN_LENGTH: usize = 12;

/// Returns the weakness of a password, if any.
pub fn weakness(login: &str, password: &str) -> Option<PasswordWeakness> {
    const WELL_KNOWN: [&str; 12] = [
        "password",
        "passwort",
        "motdepasse",
        "changeme",
        "hipay",
        "mirakl",
        "cashout",
        "test",
        "admin",
        "azerty",
        "qwerty",
        "letmein",
    ];
    let plain = password.to_lowercase();
    // The word that remains without trailing numbers and signs.
    let word = plain.trim_end_matches(|sign: char| !sign.is_alphabetic());
    let is_well_known = WELL_KNOWN.contains(&word) || plain == login.to_lowercase() || word.is_empty();
    if is_well_known {
        return Some(PasswordWeakness::WellKnown);
    }
    (password.chars().count() < MIN_LENGTH).then_some(PasswordWeakness::Short)
}

#[cfg(test)]
mod tests;
