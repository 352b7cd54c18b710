//! The request log: arrival time, subject and outcome of every request.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;

use super::call::{Call, Endpoint, Remote};
use super::fault::{FaultKind, Moment};

/// Number of exchanges that are kept; the counts are not limited.
const MAX_KEPT: usize = 20_000;

/// Outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Unanswered so far, or abandoned by its sender.
    Open,
    /// Answered with this HTTP status.
    Answered(u16),
    /// Struck by a fault.
    Spoiled(FaultKind, Moment),
    /// Cut at a pause.
    Discarded,
}

/// One request and its outcome.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Number of the request, from 1.
    pub number: u64,
    /// Arrival time, by the sandbox's clock.
    pub at: Timestamp,
    /// Remote that received the request.
    pub remote: Remote,
    /// The HTTP method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query's parameters, decoded.
    pub query: Vec<(String, String)>,
    /// The call, if the remote has it.
    pub endpoint: Option<Endpoint>,
    /// The sub-account header (id or login) as sent.
    pub account: Option<String>,
    /// The payment's reference, or what a look-up asks for.
    pub reference: Option<String>,
    /// Number of requests in progress at this remote, including this one.
    pub in_flight: u32,
    /// Outcome of the request.
    pub outcome: Outcome,
}

/// The log of all requests.
#[derive(Debug, Default)]
pub struct Traffic {
    exchanges: VecDeque<Exchange>,
    counts: HashMap<Endpoint, u64>,
    in_flight: HashMap<Remote, u32>,
    most_in_flight: HashMap<Remote, u32>,
    totals: HashMap<Remote, u64>,
}

impl Traffic {
    /// Returns the latest exchanges, oldest first.
    pub fn exchanges(&self) -> impl Iterator<Item = &Exchange> {
        self.exchanges.iter()
    }

    /// Returns the number of requests to `endpoint`.
    pub fn count(&self, endpoint: Endpoint) -> u64 {
        self.counts.get(&endpoint).copied().unwrap_or(0)
    }

    /// Returns the number of all requests.
    pub fn total(&self) -> u64 {
        self.totals.values().sum()
    }

    /// Returns the number of requests to `remote`.
    pub fn total_of(&self, remote: Remote) -> u64 {
        self.totals.get(&remote).copied().unwrap_or(0)
    }

    /// Returns the number of requests to `remote` that are in progress.
    pub fn in_flight(&self, remote: Remote) -> u32 {
        self.in_flight.get(&remote).copied().unwrap_or(0)
    }

    /// Returns the highest number of simultaneous requests to `remote`.
    pub fn most_in_flight(&self, remote: Remote) -> u32 {
        self.most_in_flight.get(&remote).copied().unwrap_or(0)
    }

    /// Clears the log and the counts; requests in progress remain counted as such.
    pub fn clear(&mut self) {
        self.exchanges.clear();
        self.counts.clear();
        self.most_in_flight.clone_from(&self.in_flight);
    }

    pub(super) fn begin(&mut self, call: &Call, at: Timestamp) -> u64 {
        *self.totals.entry(call.remote).or_default() += 1;
        let number = self.total();
        let now = self.in_flight.entry(call.remote).or_default();
        *now += 1;
        let most = self.most_in_flight.entry(call.remote).or_default();
        *most = (*most).max(*now);
        if let Some(endpoint) = call.endpoint {
            *self.counts.entry(endpoint).or_default() += 1;
        }
        if self.exchanges.len() >= MAX_KEPT {
            self.exchanges.pop_front();
        }
        self.exchanges.push_back(Exchange {
            number,
            at,
            remote: call.remote,
            method: call.method.clone(),
            path: call.path.clone(),
            query: call.query.clone(),
            endpoint: call.endpoint,
            account: call.account(),
            reference: call.reference(),
            in_flight: *now,
            outcome: Outcome::Open,
        });
        number
    }

    pub(super) fn outcome(&mut self, number: u64, outcome: Outcome) {
        if let Some(exchange) = self.exchanges.iter_mut().rev().find(|exchange| exchange.number == number) {
            exchange.outcome = outcome;
        }
    }

    pub(super) fn end(&mut self, remote: Remote) {
        if let Some(now) = self.in_flight.get_mut(&remote) {
            *now = now.saturating_sub(1);
        }
    }
}
