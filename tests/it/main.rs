//! The stories: real HTTP, a real store, real processes, and the sandbox as witness.
//! One binary, a file a capability.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what it expects by failing"
)]

mod api;
mod api_tester;
mod at_once;
mod bad_store;
mod batch_events;
mod binary;
mod calls;
mod checks;
mod commands;
mod connections;
mod demo;
mod disguise;
mod endings;
mod enterprise_bodies;
mod explanations;
mod faults;
mod forged_notifications;
mod guarding;
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
mod page_door;
mod payments;
mod payments_kept;
mod payments_refused;
mod personal_data;
mod post_office;
mod releases;
mod replays;
mod schedules;
mod scheduling;
mod serving;
mod settings;
mod signing_in;
mod socket;
mod stopping;
mod strangers;
mod told;
mod traps;
mod unattended;
mod updating;
mod vendor_notifications;
mod vendors;
mod vouchers;
mod wallet_bodies;
mod wallet_notifications;
mod world;
