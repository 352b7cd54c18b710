//! Compiles in the binary's target and commit, the public keys that may sign a release, and the catalogue of texts.

#[path = "build/messages.rs"]
mod messages;

use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    println!("cargo:rustc-env=CASHOUT_TARGET={}", variable("TARGET"));
    let git = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    let commit = git.ok().filter(|output| output.status.success()).map(|output| output.stdout).unwrap_or_default();
    println!("cargo:rustc-env=CASHOUT_COMMIT={}", String::from_utf8_lossy(&commit).trim());
    println!("cargo:rerun-if-changed=src/build");
    // In a linked working tree, `HEAD` is not in the usual place.
    let head = Command::new("git").args(["rev-parse", "--git-path", "HEAD"]).output();
    if let Some(head) = head.ok().filter(|output| output.status.success()) {
        println!("cargo:rerun-if-changed={}", String::from_utf8_lossy(&head.stdout).trim());
    }

    // A debug build trusts the key of the tests; other keys can be given only at build time.
    println!("cargo:rerun-if-env-changed=CASHOUT_KEYS");
    let usual = if variable("PROFILE") == "debug" { "tests/keys" } else { "packaging/keys" };
    let folder = std::env::var_os("CASHOUT_KEYS").map_or_else(|| PathBuf::from(usual), PathBuf::from);
    println!("cargo:rerun-if-changed={}", folder.display());
    let keys = messages::files(&folder, "pub");
    let mut list = String::from("&[");
    for path in keys {
        let key = std::fs::read(&path).unwrap_or_default();
        assert!(key.len() == 32, "{} is no public key of ed25519: it has {} bytes, not 32", path.display(), key.len());
        let _ = write!(list, "{key:?},");
    }
    list.push(']');
    let place = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("keys.rs");
    assert!(std::fs::write(&place, list).is_ok(), "{} cannot be written", place.display());

    println!("cargo:rerun-if-changed=ui/locales");
    let texts = messages::compile();
    assert!(texts.is_ok(), "{}", texts.err().unwrap_or_default());
}
