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
mod acts;
mod browser;
mod demo;
mod desk;
#[path = "../it/disguise.rs"]
mod disguise;
mod door;
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
mod retrying;
mod screen;
mod sentences;
mod settings;
mod settings_file;
mod setup;
mod signing_in;
#[path = "../it/told.rs"]
#[allow(dead_code, reason = "shared with the stories, which use more of it")]
mod told;
mod transfers;
mod updating;
mod vendor;
mod vendors;
mod vouchers;
mod weight;
mod world;
