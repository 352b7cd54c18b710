//! Keys of ed25519 and the signatures made with them, as `cashout` checks them: inside the package,
//! and bound to its name.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use zipsign_api::sign::{copy_and_sign_tar, read_signing_keys};
use zipsign_api::verify::verify_tar;
use zipsign_api::{SigningKey, VerifyingKey};

/// Makes a key pair. Fails if one of its files exists.
pub(crate) fn make(file: &Path) -> Result<String, String> {
    let mut secret = [0; 32];
    File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut secret))
        .map_err(|error| format!("/dev/urandom: {error}"))?;
    let key = SigningKey::from_bytes(&secret);
    let public = with_ending(file, ".pub");
    write_new(file, 0o600, &key.to_keypair_bytes())?;
    write_new(&public, 0o644, key.verifying_key().as_bytes())?;
    Ok(format!(
        "{}: keep it secret, with a copy on paper or on a device in a safe\n{}: put it into packaging/keys",
        file.display(),
        public.display()
    ))
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), String> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| file.write_all(bytes)).map_err(|error| format!("{}: {error}", path.display()))
}

/// Returns the public keys in a folder, with their files.
fn public_keys(folder: &Path) -> Result<Vec<(PathBuf, VerifyingKey)>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "pub"));
    files.sort();
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let key = <[u8; 32]>::try_from(bytes).ok().and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
        let key = key.ok_or_else(|| format!("{} is not an ed25519 public key, which has 32 bytes", path.display()))?;
        Ok((path, key))
    };
    files.into_iter().map(read).collect()
}

/// Returns the name of a package. A signature is valid only for this name.
fn name(package: &Path) -> Result<String, String> {
    let name = package.file_name().map(|name| name.to_string_lossy().into_owned());
    name.ok_or_else(|| format!("{} is not a file", package.display()))
}

/// Signs a package in place. Fails if the binary would not know the key: no installation could install
/// such a release.
pub(crate) fn sign(package: &Path, key: &Path, folder: &Path) -> Result<String, String> {
    let keys = read_signing_keys([File::open(key)])
        .map_err(|error| format!("{}: {error}; make a key with the command key", key.display()))?;
    let public: Vec<VerifyingKey> = keys.iter().map(SigningKey::verifying_key).collect();
    let known = public_keys(folder)?;
    let Some((file, _)) = known.iter().find(|(_, known)| public.contains(known)) else {
        return Err(format!(
            "{} has no public key for {}: a cashout built from here would refuse packages signed with it",
            folder.display(),
            key.display()
        ));
    };
    let context = name(package)?;
    let signed = with_ending(package, ".signed");
    let open = |error| format!("{}: {error}", package.display());
    let mut input = File::open(package).map_err(open)?;
    let mut output = File::create(&signed).map_err(|error| format!("{}: {error}", signed.display()))?;
    copy_and_sign_tar(&mut input, &mut output, &keys, Some(context.as_bytes())).map_err(|error| error.to_string())?;
    output.sync_all().map_err(open)?;
    fs::rename(&signed, package).map_err(open)?;
    Ok(format!("{context}: signed, to be checked with {}", file.display()))
}

/// Checks a signature.
pub(crate) fn verify(package: &Path, folder: &Path) -> Result<String, String> {
    let known = public_keys(folder)?;
    let keys: Vec<VerifyingKey> = known.iter().map(|(_, key)| *key).collect();
    let context = name(package)?;
    let mut input = File::open(package).map_err(|error| format!("{}: {error}", package.display()))?;
    let found = verify_tar(&mut input, &keys, Some(context.as_bytes())).ok().and_then(|index| known.get(index));
    match found {
        Some((file, _)) => Ok(format!("{context}: signed with the key of {}", file.display())),
        None => Err(format!("{context}: not signed by any key of {}, or not under this name", folder.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("cashout-packaging-{name}-{}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("a.tar.gz"), [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0])
                .unwrap();
            Self(folder)
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_package_is_signed_under_its_name_with_a_known_key_and_not_otherwise() {
        let place = Place::new("sign");
        let (key, package) = (place.at("key"), place.at("a.tar.gz"));
        make(&key).unwrap();
        assert!(make(&key).is_err(), "a key was overwritten");
        assert!(verify(&package, &place.0).is_err(), "it was taken without a signature");
        sign(&package, &key, &place.0).unwrap();
        verify(&package, &place.0).unwrap();

        fs::copy(&package, place.at("b.tar.gz")).unwrap();
        assert!(verify(&place.at("b.tar.gz"), &place.0).is_err(), "it was taken under another name");
        let mut bytes = fs::read(&package).unwrap();
        *bytes.get_mut(10).unwrap() ^= 1;
        fs::write(&package, bytes).unwrap();
        assert!(verify(&package, &place.0).is_err(), "it was taken after a change");

        fs::remove_file(place.at("key.pub")).unwrap();
        assert!(sign(&place.at("b.tar.gz"), &key, &place.0).unwrap_err().contains("has no public key"));
    }
}
