//! Updates: the search for newer releases, the download of one, and the replacement of the running release.
//!
//! The appliance is two processes of one binary. The **guard** holds the listening socket, starts the **worker** and
//! supervises it; it is the only one that touches the executable. The worker does everything else. The two talk over a
//! private pair of sockets ([`channel`]).
//!
//! The worker checks GitHub ([`Updates`]), downloads a requested release into the data folder, and hands it to the
//! guard ([`worker::GuardLink`]). Anything that prevents this is an [`UpdateObstacle`]: one message with a way to fix it.

pub mod channel;
mod check;
mod fetch;
pub mod force;
mod github;
pub mod guard;
mod install;
mod notes;
mod obstacle;
mod release;
mod request;
pub mod reserve;
pub mod status;
pub mod worker;

pub use check::{LastCheck, UpdateCheck, Updates};
pub use fetch::{DownloadProgress, DownloadedRelease};
pub use install::{Hindrance, Installer, PendingInstall, PendingInstallState};
pub use notes::notes_html;
pub use obstacle::UpdateObstacle;
pub use release::{Asset, Offer, Release, ReleaseKind, asset_name};
pub use request::{ReleaseRequest, Releases};

/// Returns the running version.
pub fn running() -> semver::Version {
    semver::Version::parse(crate::platform::release::version()).unwrap_or_else(|_| semver::Version::new(0, 0, 0))
}
