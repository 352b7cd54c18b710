//! The request log: what arrived, when, about whom, and what became of it.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;

use super::call::{Call, Endpoint, Remote};
use super::fault::{FaultKind, Moment};

/// So many exchanges are kept; the counts go on for ever.
const KEPT: usize = 20_000;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Not answered yet, or its sender went away.
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
    /// Counts from 1.
    pub number: u64,
    /// When it arrived, by the sandbox's clock.
    pub at: Timestamp,
    /// To whom.
    pub remote: Remote,
    /// The HTTP method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query's parameters, decoded.
    pub query: Vec<(String, String)>,
    /// The call, if it is one that the remote has.
    pub endpoint: Option<Endpoint>,
    /// The sub-account header (id or login) as sent.
    pub account: Option<String>,
    /// The payment's reference, or what a look-up asks for.
    pub reference: Option<String>,
    /// How many requests were under way at this remote, this one included.
    pub in_flight: u32,
    /// What became of it.
    pub outcome: Outcome,
}

/// Everything that came in.
#[derive(Debug, Default)]
pub struct Traffic {
    exchanges: VecDeque<Exchange>,
    counts: HashMap<Endpoint, u64>,
    in_flight: HashMap<Remote, u32>,
    most_in_flight: HashMap<Remote, u32>,
    totals: HashMap<Remote, u64>,
}

impl Traffic {
    /// The latest exchanges, oldest first.
    pub fn exchanges(&self) -> impl Iterator<Item = &Exchange> {
        self.exchanges.iter()
    }

    /// How many requests came for `endpoint`.
    pub fn count(&self, endpoint: Endpoint) -> u64 {
        self.counts.get(&endpoint).copied().unwrap_or(0)
    }

    /// How many requests came at all.
    pub fn total(&self) -> u64 {
        self.totals.values().sum()
    }

    /// The number of requests to `remote`.
    pub fn total_of(&self, remote: Remote) -> u64 {
        self.totals.get(&remote).copied().unwrap_or(0)
    }

    /// How many requests to `remote` are under way.
    pub fn in_flight(&self, remote: Remote) -> u32 {
        self.in_flight.get(&remote).copied().unwrap_or(0)
    }

    /// The most requests that were ever under way at once at `remote`.
    pub fn most_in_flight(&self, remote: Remote) -> u32 {
        self.most_in_flight.get(&remote).copied().unwrap_or(0)
    }

    /// Forgets what came so far; what is under way goes on counting.
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
        if self.exchanges.len() >= KEPT {
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
