//! cashout pays the sellers of a Mirakl marketplace through HiPay: wallets, documents and bank details, operations from
//! vouchers, transfers, withdrawals; each payment exactly once.
//!
//! Decisions about money are made in [`domain::voucher`], [`domain::operation`] and [`domain::attempt`], all pure.
//! Money is moved by [`jobs`] only, and recorded in [`store`].
//!
//! Invariants of the whole crate:
//!
//! 1. Only [`domain::money`] computes amounts; no floating point touches them, not even through JSON.
//! 2. Only [`jobs`] changes anything at HiPay or Mirakl.
//! 3. The domain imports neither store, clients nor command line; clients never import the store.
//! 4. A payment's whole request is committed before it leaves; an unknown outcome is resolved by look-up, and by
//!    HiPay's ledger if this store may not remember every payment.
//! 5. Only [`store`] knows the underlying engine; no write is held open across a remote call.
//! 6. Records keep unknown fields, and an unknown status is held, never paid.
//! 7. Only [`platform::clock`] reads the time, only [`platform::os`] is unsafe, and only [`update`] touches the executable.
//! 8. A client's error states what its caller must do: send again, give up, or look it up.

// The layers, from the bottom up: each imports only those above it in this list.
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

// Models of the remotes, for tests and the demo.
pub mod sandbox;

pub mod cli;
