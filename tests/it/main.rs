//! The stories: real HTTP, a real store, real processes, and the sandbox as witness.
//! One binary, a file a capability.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by failing")]

mod binary;
mod vendors;
mod vouchers;
mod world;
