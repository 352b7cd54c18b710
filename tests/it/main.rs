//! The stories: real HTTP, a real store, real processes, and the sandbox as witness.
//! One binary, a file a capability.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by failing")]

mod api;
mod api_tester;
mod at_once;
mod bad_store;
mod binary;
mod calls;
mod checks;
mod commands;
mod connections;
mod endings;
mod enterprise_bodies;
mod faults;
mod forged_notifications;
mod hipay_refusals;
mod hostile_notifications;
mod kept_notifications;
mod kills;
mod logging;
mod lost_answers;
mod mailing;
mod market;
mod memory;
mod mirakl_access;
mod mirakl_answers;
mod notices;
mod owner;
mod payments;
mod payments_kept;
mod payments_refused;
mod personal_data;
mod post_office;
mod schedules;
mod scheduling;
mod serving;
mod settings;
mod stopping;
mod told;
mod traps;
mod vendor_notifications;
mod vendors;
mod vouchers;
mod wallet_bodies;
mod wallet_notifications;
mod world;
