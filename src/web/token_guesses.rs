//! Limits on wrong tokens. An address that sends many has to wait, and the log reports it in one line a minute. The
//! right token is never refused: others may share its address, and a token is too long to be guessed at any pace.
//!
//! The counts are kept in memory only: a token has no account that could be locked, and a restart loses nothing of
//! value.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;

use super::problem::Problem;
use crate::domain::session::network_of;
use crate::text::message::{Message, logged, msg};

/// Number of wrong tokens from one address within [`WINDOW`] that are answered 401.
const MAX_WRONG: u64 = 100;

/// Period of [`MAX_WRONG`], and minimum interval between log lines about one address.
const WINDOW: Duration = Duration::from_mins(1);

/// Upper bound on remembered addresses; the one whose period began first is forgotten first.
const MAX_ADDRESSES: usize = 4_096;

/// Wrong tokens by address. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct Guesses(Arc<Mutex<HashMap<IpAddr, Guessing>>>);

#[derive(Debug)]
struct Guessing {
    since: Instant,
    /// Number of wrong tokens since then.
    wrong: u64,
}

impl Guesses {
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Guessing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns `is_right`, or a 429 if the token is wrong and its address has sent too many wrong ones. `what` names
    /// the purpose of the token in the log.
    pub(super) fn judged(&self, address: IpAddr, what: &'static str, is_right: bool) -> Result<bool, Problem> {
        self.judged_at(address, what, Instant::now(), is_right)
    }

    fn judged_at(&self, address: IpAddr, what: &'static str, now: Instant, is_right: bool) -> Result<bool, Problem> {
        if is_right {
            return Ok(true);
        }
        let network = network_of(address);
        let mut all = self.lock();
        if all.len() >= MAX_ADDRESSES && !all.contains_key(&network) {
            let oldest = all.iter().min_by_key(|(_, one)| one.since).map(|(network, _)| *network);
            if let Some(oldest) = oldest {
                all.remove(&oldest);
            }
        }
        let one = all.entry(network).or_insert(Guessing { since: now, wrong: 0 });
        let passed = now.saturating_duration_since(one.since);
        if passed >= WINDOW {
            if one.wrong > 1 {
                let (number, what, address) = (one.wrong, purpose(what), address.to_string());
                logged!(warn, action = "api", msg!("log-wrong-tokens", number, what, address));
            }
            (one.since, one.wrong) = (now, 0);
        }
        one.wrong = one.wrong.saturating_add(1);
        if one.wrong == 1 {
            let (what, address) = (purpose(what), address.to_string());
            logged!(warn, action = "api", msg!("log-wrong-token", what, address));
        }
        if one.wrong <= MAX_WRONG {
            return Ok(false);
        }
        let left = WINDOW.saturating_sub(now.saturating_duration_since(one.since)).as_secs().saturating_add(1);
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, msg!("problem-wrong-tokens"));
        Err(problem.again_after(u32::try_from(left).unwrap_or(60)))
    }
}

/// Returns the message for the purpose of a token.
fn purpose(what: &str) -> Message {
    match what {
        "the API" => msg!("log-token-of-api"),
        "the metrics" => msg!("log-token-of-metrics"),
        _ => Message::quoting(what),
    }
}

#[cfg(test)]
mod tests;
