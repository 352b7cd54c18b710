//! Identity of this release. Every version that is reported or compared comes from here.

use std::sync::{LazyLock, OnceLock};

use serde::Deserialize;

/// Trailer of a binary that presents itself as another release than it was built as: one that a demo offers, so that
/// its update can be tried, or one that a test makes of the same build. A release's signature covers the trailer.
#[derive(Debug, Default, Deserialize)]
struct VersionOverride {
    version: Option<String>,
    #[serde(default)]
    fault: Option<String>,
}

/// Marker before the trailer, on a line of its own at the end of the file.
pub const VERSION_OVERRIDE: &str = "\n#cashout-release ";

static DISGUISE: LazyLock<VersionOverride> = LazyLock::new(|| read().unwrap_or_default());

fn read() -> Option<VersionOverride> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = std::fs::File::open("/proc/self/exe").ok()?;
    let mut end = Vec::new();
    file.seek(SeekFrom::End(-1_024)).ok()?;
    file.read_to_end(&mut end).ok()?;
    let end = String::from_utf8_lossy(&end);
    serde_json::from_str(end.rsplit_once(VERSION_OVERRIDE)?.1.trim()).ok()
}

/// Returns the version: `0.1.0`.
pub fn version() -> &'static str {
    DISGUISE.version.as_deref().unwrap_or(env!("CARGO_PKG_VERSION"))
}

/// Target that it was compiled for: `x86_64-unknown-linux-gnu`.
pub const TARGET: &str = env!("CASHOUT_TARGET");

/// Commit that it was built from; empty if unknown.
pub const COMMIT: &str = env!("CASHOUT_COMMIT");

/// Public keys that packages are signed with, compiled in from `packaging/keys`; those of the tests in a debug build.
const KEYS: &[[u8; 32]] = include!(concat!(env!("OUT_DIR"), "/keys.rs"));

/// Key of a demo, which signs its own packages; it replaces all others.
static DEMO_KEY: OnceLock<[u8; 32]> = OnceLock::new();

/// Returns the public keys that packages are signed with. Without keys this build installs no package.
pub fn keys() -> &'static [[u8; 32]] {
    DEMO_KEY.get().map_or(KEYS, std::slice::from_ref)
}

/// Replaces the compiled-in release keys with the demo's key.
pub(crate) fn use_demo_key(key: [u8; 32]) {
    let _ = DEMO_KEY.set(key);
}

/// Returns the fault that a test provokes; `None` in a release build.
pub fn injected_fault() -> Option<&'static str> {
    DISGUISE.fault.as_deref().filter(|_| cfg!(debug_assertions))
}
