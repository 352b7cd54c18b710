//! Another version and a fault that a binary carries, for tests and demos.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::LazyLock;

use serde::Deserialize;
use strum::IntoStaticStr;

/// Trailer of a binary that presents itself as another release than it was built as: one that a demo offers, so that
/// its update can be tried, or one that a test makes of the same build. A release's signature covers the trailer.
#[derive(Debug, Default, Deserialize)]
pub(super) struct VersionOverride {
    /// Version that it presents.
    pub(super) version: Option<String>,
    /// Fault that it has, by its name; only a debug build obeys.
    #[serde(default)]
    fault: Option<String>,
}

/// Marker before the trailer, on a line of its own at the end of the file.
pub const VERSION_OVERRIDE: &str = "\n#cashout-release ";

/// Trailer of this binary.
pub(super) static OVERRIDE: LazyLock<VersionOverride> = LazyLock::new(|| read().unwrap_or_default());

fn read() -> Option<VersionOverride> {
    let mut file = File::open("/proc/self/exe").ok()?;
    let mut end = Vec::new();
    file.seek(SeekFrom::End(-1_024)).ok()?;
    file.read_to_end(&mut end).ok()?;
    let end = String::from_utf8_lossy(&end);
    serde_json::from_str(end.rsplit_once(VERSION_OVERRIDE)?.1.trim()).ok()
}

/// A fault of a bad release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
pub(crate) enum InjectedFault {
    /// The worker ends with status 7 as soon as it starts.
    #[strum(serialize = "exits at once")]
    WorkerExits,
    /// The guard ends with status 7 as soon as it starts.
    #[strum(serialize = "its guard exits at once")]
    GuardExits,
    /// The worker does nothing for an hour before it gets ready.
    #[strum(serialize = "hangs before ready")]
    Hangs,
    /// The worker aborts five seconds after it answers requests.
    #[strum(serialize = "crashes after 5 s")]
    Crashes,
    /// The worker writes up to 1 GiB into the data folder.
    #[strum(serialize = "fills the disk")]
    FillsDisk,
    /// The worker answers no probe of the guard.
    #[strum(serialize = "never answers")]
    Silent,
    /// The worker answers probes with another version.
    #[strum(serialize = "answers as another version")]
    OtherVersion,
    /// The second step of its migration of the store fails.
    #[strum(serialize = "its migration fails")]
    MigrationFails,
    /// The store is too new for it.
    #[strum(serialize = "cannot read the store")]
    StoreTooNew,
    /// It states beforehand that it reads no current store.
    #[strum(serialize = "reads no store of today")]
    StatesOldFormat,
}

/// Returns true if this binary has the fault `fault`; false in a release build.
pub(crate) fn has_fault(fault: InjectedFault) -> bool {
    cfg!(debug_assertions) && OVERRIDE.fault.as_deref() == Some(fault.into())
}
