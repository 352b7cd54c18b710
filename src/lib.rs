//! cashout pays the sellers of a Mirakl marketplace through HiPay: wallets, documents and bank
//! details, operations from vouchers, transfers, withdrawals; each payment exactly once.
//!
//! Where a euro is decided: [`domain::voucher`], [`domain::operation`] and [`domain::attempt`], all pure. Where it is moved:
//! [`jobs`], and nowhere else. Where it is remembered: [`store`].
//!
//! What holds everywhere:
//!
//! 1. Only [`domain::money`] computes amounts; no floating point touches them, not even through JSON.
//! 2. Only [`jobs`] changes anything at HiPay or Mirakl.
//! 3. The nouns import neither store, clients nor command line; clients never import the store.
//! 4. A payment's reference is committed before its request leaves; an unknown outcome is resolved
//!    by look-up alone.
//! 5. Only [`store`] knows the engine behind it; no write is held open across a remote call.
//! 6. Records keep the fields that they do not know, and an unknown status is held, never paid.
//! 7. Only [`platform::clock`] reads the time, only [`platform::os`] is unsafe, and only [`update`] touches the executable.
//! 8. A client's error says what its caller must do: send again, give up, or look it up.

// The layers, from the bottom up: each imports those above it in this list alone.
pub mod platform;
pub mod text;

pub mod domain;

pub mod config;

pub mod remote;

pub mod store;

pub mod schema;

pub mod trouble;

pub mod logs;
pub mod mail;

pub mod jobs;

pub mod scheduler;
pub mod update;

pub mod admin;

pub mod web;

pub mod serve;

// The remotes as models, for tests and the demo.
pub mod sandbox;

pub mod cli;
