//! Failed attempts to sign in, and the wait before the next attempt.

use std::net::{IpAddr, Ipv6Addr};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::platform::hex::hex;

/// Number of failures from which on the next attempt has to wait.
const FREE_FAILURES: u32 = 5;
/// The longest wait.
const MAX_WAIT: SignedDuration = SignedDuration::from_mins(15);
/// Number of failures at one account, from all addresses, that raises an alert.
const ALERT_THRESHOLD: u32 = 50;
/// Time for which an address is known after a sign-in.
pub const KNOWN_RETENTION: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Time after which failures are forgotten.
pub const FAILURE_RETENTION: SignedDuration = SignedDuration::from_hours(24);

/// Returns the network that an address stands for: one customer has a whole /64 of IPv6.
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

/// The failed attempts from one address, or at one account, since the last successful one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignInAttempts {
    /// Key of the address or the account: see [`SignInAttempts::of_address`] and [`SignInAttempts::of_account`].
    pub key: String,
    /// Number of failures.
    pub failures: u32,
    /// Time of the last failure (UTC).
    pub last_at: Timestamp,
    /// Fields that a later release wrote, kept unchanged.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl SignInAttempts {
    /// Returns the key of an address. The owner of one IPv6 address also has the 2^64 around it, so they count as one.
    pub fn of_address(address: IpAddr) -> String {
        match network_of(address) {
            IpAddr::V4(address) => format!("address:{address}"),
            IpAddr::V6(network) => format!("address:{network}/64"),
        }
    }

    /// Returns the key of an account, whether it exists or not. The login is hashed: it may be a mistyped password.
    pub fn of_account(login: &str) -> String {
        format!("account:{}", hex(Sha256::digest(login.to_lowercase())))
    }

    /// Returns the key of the combination of an account and an address.
    pub fn of_both(login: &str, address: IpAddr) -> String {
        format!("{} {}", Self::of_account(login), Self::of_address(address))
    }

    /// Reduces the number of failures.
    pub fn reduce(&mut self, failures: u32) {
        self.failures = self.failures.saturating_sub(failures);
    }

    /// Makes a record without failures.
    pub fn none(key: String, now: Timestamp) -> Self {
        Self { key, failures: 0, last_at: now, unknown: Map::new() }
    }

    /// Counts one more failure.
    pub fn count(&mut self, now: Timestamp) {
        let before = if self.is_forgotten(now) { 0 } else { self.failures };
        self.failures = before.saturating_add(1);
        self.last_at = now;
    }

    /// Returns true each time the number of failures reaches a multiple of the alert threshold.
    pub fn is_alert_due(&self) -> bool {
        self.failures > 0 && self.failures.is_multiple_of(ALERT_THRESHOLD)
    }

    /// Returns the remaining wait before the next attempt; zero if there is none.
    pub fn wait(&self, now: Timestamp) -> SignedDuration {
        if self.is_forgotten(now) {
            return SignedDuration::ZERO;
        }
        let wait = match self.failures.checked_sub(FREE_FAILURES) {
            None => SignedDuration::ZERO,
            Some(over) => SignedDuration::from_secs(1_i64 << over.min(20)).min(MAX_WAIT),
        };
        // Never longer than the whole wait, even if the clock was set back.
        (wait - now.duration_since(self.last_at)).clamp(SignedDuration::ZERO, wait)
    }

    fn is_forgotten(&self, now: Timestamp) -> bool {
        now.duration_since(self.last_at) >= FAILURE_RETENTION
    }
}

/// An account and an address from which someone has signed in to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KnownAddress {
    /// Key of the combination: see [`SignInAttempts::of_both`].
    pub key: String,
    /// Time of the last sign-in (UTC).
    pub last_at: Timestamp,
    /// Fields that a later release wrote, kept unchanged.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl KnownAddress {
    /// Makes a record of a sign-in now.
    pub fn new(key: String, now: Timestamp) -> Self {
        Self { key, last_at: now, unknown: Map::new() }
    }

    /// Returns true until the sign-in is too long ago.
    pub fn is_known(&self, now: Timestamp) -> bool {
        now.duration_since(self.last_at) < KNOWN_RETENTION
    }
}

#[cfg(test)]
mod tests;
