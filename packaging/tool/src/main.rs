//! The tool of `packaging/release`: makes keys, signs and verifies packages, and lists the components
//! of a binary.

mod keys;
mod sbom;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: cashout-packaging key FILE              a new key pair: FILE and FILE.pub
       cashout-packaging sign PACKAGE KEY FOLDER  signs with a key whose public key is in FOLDER
       cashout-packaging verify PACKAGE FOLDER    checks that a key of FOLDER has signed it
       cashout-packaging sbom LOCK RUSTC PACKAGE  from cargo's metadata on the standard input";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["key", file] => keys::make(Path::new(file)),
        ["sign", package, key, folder] => keys::sign(Path::new(package), Path::new(key), Path::new(folder)),
        ["verify", package, folder] => keys::verify(Path::new(package), Path::new(folder)),
        ["sbom", lock, rustc, package] => sbom::list(Path::new(lock), rustc, Path::new(package)),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(said) => {
            let written = writeln!(std::io::stdout().lock(), "{said}");
            if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(why) => {
            let _ = writeln!(std::io::stderr().lock(), "{why}");
            ExitCode::FAILURE
        }
    }
}
