//! The check of a package: its origin, and its content.
//!
//! The guard checks only its own copy, which the sender can no longer change.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use rustix::process::geteuid;
use self_update::{ArchiveKind, Compression, Extract, verify_signature};
use semver::Version;

use super::install_dir::{Place, digest_at};
use crate::platform::fs::is_full;
use crate::platform::release;
use crate::update::asset_name;
use crate::update::channel::{Contents, is_sealed};
use crate::update::status::UpdateReason;
use crate::update::worker::MAX_PACKAGE;

/// Upper bound on the size of an unpacked binary, in bytes.
const MAX_BINARY_SIZE: u64 = 256 * 1024 * 1024;

impl Place {
    /// Copies the package, checks it, and unpacks the candidate. Returns the candidate's digest. A refused package
    /// leaves nothing that would ever be run.
    pub(super) fn verify_package(&self, package: &File, version: &Version) -> Result<String, UpdateReason> {
        if release::keys().is_empty() {
            let sentence = "this build has no key to check a release with; install the release by hand";
            return Err(UpdateReason::new("no_key", sentence));
        }
        if !is_sealed(package) {
            let sentence = "the package could still be changed after it was handed over; nothing of it was used";
            return Err(UpdateReason::new("not_sealed", sentence));
        }
        let size = package.metadata().map_err(|error| self.refuse(&error))?;
        if !size.is_file() || size.len() > MAX_PACKAGE {
            let sentence = "the package is larger than 64 MiB, which no release is";
            return Err(UpdateReason::new("too_large", sentence));
        }
        let stage = self.make_stage().map_err(|error| self.refuse(&error))?;
        // The signature is bound to the name of the file.
        let copy = stage.join(asset_name(version, release::TARGET));
        let mut taken = Contents::of(package).take(MAX_PACKAGE);
        File::create(&copy)
            .and_then(|mut file| io::copy(&mut taken, &mut file).map(drop))
            .map_err(|error| self.refuse(&error))?;
        verify_signature(&copy, release::keys()).map_err(|_| {
            let sentence = format!(
                "the package is not signed by a key that this release trusts, for version {version} and this kind of \
                 machine: it was changed in transit, signed by someone else, or belongs to another release; nothing of \
                 it was run"
            );
            UpdateReason::new("signature", sentence).with("version", version)
        })?;
        holds_one_binary(&copy).map_err(|what| {
            let sentence = format!("the package is signed, but {what}; nothing of it was run");
            UpdateReason::new("package", sentence).with("what", what)
        })?;
        let unpacked = Extract::from_source(&copy)
            .archive(ArchiveKind::Tar(Some(Compression::Gz)))
            .extract_file(&stage, "cashout")
            .map_err(|error| of_system(&error));
        unpacked
            .and_then(|()| fs::remove_file(&copy))
            .and_then(|()| self.prepare_candidate())
            .and_then(|()| digest_at(&self.candidate()))
            .and_then(|digest| digest.ok_or_else(|| ErrorKind::NotFound.into()))
            .map_err(|error| self.refuse(&error))
    }

    /// Returns the reason why the machine does not allow it, with a way to fix the problem.
    pub(super) fn refuse(&self, error: &io::Error) -> UpdateReason {
        refused_in(self.program.parent().unwrap_or(&self.program), error)
    }
}

/// Returns the reason why the machine does not allow it in `folder`, with a way to fix the problem.
pub(super) fn refused_in(folder: &Path, error: &io::Error) -> UpdateReason {
    let folder = folder.display();
    let is = |kinds: &[ErrorKind]| kinds.contains(&error.kind());
    let (kind, sentence) = if is_full(error) {
        ("disk_full", format!("there is no space left in {folder}; free some, and update again"))
    } else if is(&[ErrorKind::PermissionDenied]) {
        // Another user has to grant the right.
        let user = geteuid().as_raw();
        let mend = format!("give it the right with `chown {user} {folder}` as root, or install by hand");
        return UpdateReason::new("no_right", format!("the service may not write to {folder}; {mend}"))
            .with("folder", folder)
            .with("user", user);
    } else if is(&[ErrorKind::ReadOnlyFilesystem]) {
        ("read_only", format!("{folder} is read-only, so this installation is managed by an image; update that"))
    } else if is(&[ErrorKind::CrossesDevices, ErrorKind::ResourceBusy]) {
        let mend = "mount its folder instead";
        ("other_file_system", format!("the binary in {folder} is mounted by itself and cannot be replaced; {mend}"))
    } else {
        ("machine", format!("the machine does not allow it in {folder}: {error}"))
    };
    UpdateReason::new(kind, sentence).with("folder", folder).with("error", error)
}

/// Returns an error of the unpacking, with the kind of the system's error that caused it.
fn of_system(error: &(dyn Error + 'static)) -> io::Error {
    let behind = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    io::Error::new(behind.map_or(ErrorKind::Other, io::Error::kind), error.to_string())
}

/// Checks the package before anything is unpacked: one regular file `cashout`, and nothing else.
fn holds_one_binary(path: &Path) -> Result<(), String> {
    let unreadable = |error: io::Error| format!("it cannot be unpacked ({error})");
    let file = File::open(path).map_err(unreadable)?;
    // A little more than a binary: the padding and the end of the archive.
    let bounded = MultiGzDecoder::new(file).take(MAX_BINARY_SIZE.saturating_add(64 * 1024));
    let mut archive = tar::Archive::new(bounded);
    let mut found = 0_u32;
    for entry in archive.entries().map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let is_binary = entry.path_bytes().as_ref() == b"cashout" && entry.header().entry_type().is_file();
        if !is_binary || entry.size() > MAX_BINARY_SIZE {
            return Err("it contains something other than one binary of at most 256 MiB".to_owned());
        }
        found = found.saturating_add(1);
    }
    if found == 1 { Ok(()) } else { Err(format!("it contains {found} binaries, not one")) }
}
