//! The pages in a real Chromium, as their users read, click and type on them. One binary, one file
//! per page or capability.
//!
//! A test opens a browser on a [`world::Site`], acts by the visible texts, and ends with
//! `browser.done().await`, which fails on every fault that the browser reported meanwhile.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what it expects by failing"
)]

mod accessible;
mod actions;
mod browser;
mod cycles;
mod demo;
mod driver;
mod findings;
mod harness;
mod hostile;
mod logs;
#[path = "../it/notices.rs"]
#[allow(dead_code, reason = "shared with the stories, which use more of it")]
mod notices;
mod notifications;
mod overview;
mod pages;
mod payments;
mod problems;
mod promises;
#[path = "../it/release_builds.rs"]
mod release_builds;
mod retrying;
#[path = "../it/running.rs"]
#[allow(dead_code, reason = "shared with the stories, which use more of it")]
mod running;
mod screen;
mod search;
mod settings;
mod settings_file;
mod setup;
mod signing_in;
mod todo;
mod transfers;
mod updating;
mod users;
mod vendor;
mod vendors;
mod vouchers;
mod weight;
mod world;
