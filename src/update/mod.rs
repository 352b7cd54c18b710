//! Newer releases: which there are, fetching one, and how it takes the place of the one that runs.
//!
//! The appliance is two processes of one binary. The **guard** holds the listening socket, starts the
//! **worker** and supervises it; it is the only one that touches the executable. The worker is
//! everything else. The two talk over a private pair of sockets ([`channel`]).
//!
//! The worker looks at GitHub ([`Updates`]), fetches what it is asked for into the data folder, and
//! hands it to the guard ([`worker::GuardLink`]). Whatever keeps it from that is an [`Obstacle`]: one
//! sentence with the way out.

pub mod channel;
mod check;
mod fetch;
mod github;
pub mod guard;
pub mod insistence;
mod install;
mod notes;
mod obstacle;
mod release;
mod request;
pub mod reserve;
pub mod story;
pub mod worker;

pub use check::{Answer, LastCheck, Updates};
pub use fetch::{Fetched, Progress};
pub use install::{Errand, ErrandState, Hindrance, Installer};
pub use notes::notes_html;
pub use obstacle::Obstacle;
pub use release::{Asset, Kind, Offer, Release, asset_name};
pub use request::{Releases, Wanted};

/// The version that runs.
pub fn running() -> semver::Version {
    semver::Version::parse(crate::platform::release::version()).unwrap_or_else(|_| semver::Version::new(0, 0, 0))
}
