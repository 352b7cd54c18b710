//! One debug build that represents all releases: its version and its fault are appended to the file.

use std::fs::{self, File};
use std::io::Seek;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use cashout::platform::testing::VERSION_OVERRIDE;
use serde_json::json;

/// Returns the path of the debug build without debug symbols: a tenth of its size.
fn build() -> &'static Path {
    static BUILD: OnceLock<PathBuf> = OnceLock::new();
    BUILD.get_or_init(|| {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cashout-stripped-{}", std::process::id()));
        let stripped = Command::new("strip").arg("-o").arg(&path).arg(env!("CARGO_BIN_EXE_cashout")).status().unwrap();
        assert!(stripped.success());
        path
    })
}

/// Returns the build as this release, with this fault.
pub(crate) fn disguised(version: &str, fault: Option<&str>) -> Vec<u8> {
    let mut bytes = fs::read(build()).unwrap();
    let disguise = json!({ "version": version, "fault": fault });
    bytes.extend_from_slice(format!("{VERSION_OVERRIDE}{disguise}\n").as_bytes());
    bytes
}

/// Makes a package of this binary, signed for this name with this key.
pub(crate) fn package(binary: &[u8], named: &str, key: &str) -> File {
    let (mut plain, signed) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    let packed = flate2::write::GzEncoder::new(&mut plain, flate2::Compression::fast());
    let mut archive = tar::Builder::new(packed);
    let mut header = tar::Header::new_gnu();
    header.set_size(u64::try_from(binary.len()).unwrap());
    header.set_mode(0o755);
    archive.append_data(&mut header, "cashout", binary).unwrap();
    archive.into_inner().unwrap().finish().unwrap();
    let key = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys").join(key)).unwrap();
    let keys = zipsign_api::sign::read_signing_keys([Ok(std::io::Cursor::new(key))]).unwrap();
    let mut out = signed.try_clone().unwrap();
    // The signature covers the bytes from here on.
    plain.rewind().unwrap();
    zipsign_api::sign::copy_and_sign_tar(&mut plain, &mut out, &keys, Some(named.as_bytes())).unwrap();
    signed
}
