//! cashout pays the sellers of a Mirakl marketplace through HiPay: wallets, documents and bank
//! details, operations from vouchers, transfers, withdrawals; each payment exactly once.
//!
//! Where a euro is decided: [`voucher`], [`operation`] and [`attempt`], all pure. Where it is moved:
//! [`jobs`], and nowhere else. Where it is remembered: [`store`].
//!
//! What holds everywhere:
//!
//! 1. Only [`money`] computes amounts; no floating point touches them, not even through JSON.
//! 2. Only [`jobs`] changes anything at HiPay or Mirakl.
//! 3. The nouns import neither store, clients nor command line; clients never import the store.
//! 4. A payment's reference is committed before its request leaves; an unknown outcome is resolved
//!    by look-up alone.
//! 5. Only [`store`] knows the engine behind it; no write is held open across a remote call.
//! 6. Records keep the fields that they do not know, and an unknown status is held, never paid.
//! 7. Only [`clock`] reads the time, only [`sys`] is unsafe, and only [`update`] touches the executable.
//! 8. A client's error says what its caller must do: send again, give up, or look it up.

// The machine's side.
pub mod clock;
pub mod config;
mod disk;
pub mod gate;
mod hex;
pub mod metrics;
mod random;
pub mod release;
pub mod secret;
pub mod sys;
pub mod text;

// The nouns: pure.
pub mod money;

pub mod voucher;

pub mod operation;

pub mod refusal;

pub mod attempt;

pub mod ledger;

pub mod cycle;

pub mod label;

pub mod vendor;

pub mod notification;

pub mod movement;

pub mod inbox;

pub mod enterprise;

pub mod payment;

pub mod payment_kind;

pub mod settlement;

pub mod session;

pub mod explanation;

// The memory and the remotes.
pub mod hipay;
pub mod lenient;
pub mod mirakl;
pub mod multipart;
pub mod remote;
pub mod schema;
pub mod store;

// Who is told.
pub mod logs;
pub mod mail;
pub mod telemetry;
pub mod trouble;

// What is done with all that.
pub mod app;
pub mod check;
pub mod cli;
pub mod jobs;
pub mod monitor;
pub mod scheduler;
pub mod serve;
pub mod setup;
pub mod socket;
pub mod update;
pub mod web;

// The remotes as models, for tests and the demo.
pub mod sandbox;
