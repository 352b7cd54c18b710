//! Identity of this release. Every version that is reported or compared comes from here.

use std::sync::OnceLock;

use super::testing::OVERRIDE;

/// Returns the version: `0.1.0`.
pub fn version() -> &'static str {
    OVERRIDE.version.as_deref().unwrap_or(env!("CARGO_PKG_VERSION"))
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
