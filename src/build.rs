//! Compiles in what the binary tells of itself: its target and, where git knows it, its commit.

use std::process::Command;

fn main() {
    let target = std::env::var("TARGET").unwrap_or_default();
    println!("cargo:rustc-env=CASHOUT_TARGET={target}");
    let git = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    let commit = git.ok().filter(|output| output.status.success()).map(|output| output.stdout).unwrap_or_default();
    println!("cargo:rustc-env=CASHOUT_COMMIT={}", String::from_utf8_lossy(&commit).trim());
    println!("cargo:rerun-if-changed=src/build.rs");
    println!("cargo:rerun-if-changed=.git/HEAD");
}
