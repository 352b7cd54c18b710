//! Integration tests with real HTTP, a real store, real processes, and the sandbox as witness. One
//! binary, one file per capability.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what it expects by failing"
)]

mod api;
mod api_tester;
mod automatic_patches;
mod bad_releases;
mod bad_store;
mod batch_events;
mod binary;
mod call_counts;
mod campaign;
mod checks;
mod choices;
mod commands;
mod concurrent_batches;
mod connections;
mod cookies;
mod cycles;
mod demo;
mod earlier_stores;
mod empty_machine;
mod enterprise_bodies;
mod environments;
mod escrow;
mod explanations;
mod faults;
mod forged_notifications;
mod french;
mod fresh_shops;
mod group_choices;
mod guarding;
mod hipay_refusals;
mod hostile_notifications;
mod house;
mod installation;
mod kept_notifications;
mod kills;
mod late_failures;
mod layers;
mod ledger;
mod log_search;
mod logging;
mod lost_answers;
mod mail_server;
mod mailing;
mod market;
mod memory;
mod mirakl_access;
mod mirakl_answers;
mod misdirected_money;
mod monitoring;
mod negative_commissions;
mod notices;
mod older_releases;
mod owner;
mod page_access;
mod payments;
mod payments_kept;
mod payments_refused;
mod personal_data;
mod receiver;
mod reconciled_vendors;
mod release_builds;
mod releases;
mod replays;
mod reversals;
mod route_access;
mod running;
mod schedules;
mod scheduling;
mod search;
mod servers;
mod serving;
mod settings;
mod setup;
mod signing_in;
mod slow_disk;
mod snapshots;
mod socket;
mod source;
mod status_words;
mod stopping;
mod summaries;
mod taken_over;
mod todo;
mod traces;
mod troubles;
mod unattended;
mod updating;
mod updating_amid_a_batch;
mod updating_in_trouble;
mod vendor_notifications;
mod vendors;
mod voucher_changes;
mod voucher_intake;
mod vouchers;
mod wallet_bodies;
mod wallet_identity;
mod wallet_notifications;
mod world;
