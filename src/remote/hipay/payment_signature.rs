//! The signature of HiPay Enterprise's notifications: a hash of the body as sent, followed by a passphrase that
//! only HiPay and we know.

use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::config::HashAlgorithm;
use crate::platform::secret::Secret;

/// The reason why a notification is not trusted. None reveals anything about the passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// A missing passphrase in the configuration, without which no check is possible.
    #[error("hipay.enterprise.passphrase is not set: set it to the secret passphrase of HiPay's back office")]
    NoPassphrase,
    /// A missing signature, or more than one.
    #[error("it carries no signature")]
    Missing,
    /// A value that is not a hexadecimal number.
    #[error("its signature is no hexadecimal number")]
    NotHex,
    /// A signature as long as those of another algorithm.
    #[error(
        "its signature looks like {looks_like}, and hipay.enterprise.hashAlgorithm is {wanted}: \
         set both sides to the same"
    )]
    OtherAlgorithm {
        /// Algorithm whose signatures have this length.
        looks_like: &'static str,
        /// Configured algorithm.
        wanted: &'static str,
    },
    /// A signature with a length that no algorithm has.
    #[error("its signature has {digits} digits, and one by {wanted} has others")]
    Length {
        /// Number of hexadecimal digits.
        digits: usize,
        /// Configured algorithm.
        wanted: &'static str,
    },
    /// A signature that does not match the body.
    #[error("its signature is wrong: it is forged, or the passphrase here is not HiPay's")]
    Wrong,
}

/// A signature that can be checked: of the right length, with a passphrase.
#[derive(Debug, Clone)]
pub struct PaymentSignature {
    algorithm: HashAlgorithm,
    passphrase: Secret,
    claimed: Vec<u8>,
}

impl PaymentSignature {
    /// Parses the value of the header `X-Allopass-Signature`, hexadecimal in either case.
    pub fn new(header: &[u8], algorithm: HashAlgorithm, passphrase: &Secret) -> Result<Self, SignatureError> {
        if passphrase.is_empty() {
            return Err(SignatureError::NoPassphrase);
        }
        let digits = header.trim_ascii();
        if digits.is_empty() {
            return Err(SignatureError::Missing);
        }
        let claimed = unhex(digits).ok_or(SignatureError::NotHex)?;
        let wanted = name(algorithm);
        if claimed.len() != length(algorithm) {
            let others = [HashAlgorithm::Sha1, HashAlgorithm::Sha256, HashAlgorithm::Sha512];
            let other = others.into_iter().find(|&other| length(other) == claimed.len());
            return Err(match other {
                Some(other) => SignatureError::OtherAlgorithm { looks_like: name(other), wanted },
                None => SignatureError::Length { digits: digits.len(), wanted },
            });
        }
        Ok(Self { algorithm, passphrase: passphrase.clone(), claimed })
    }

    /// Compares the signature with the expected one of `body`, as sent, in constant time.
    pub fn check(&self, body: &[u8]) -> Result<(), SignatureError> {
        let passphrase = self.passphrase.expose().as_bytes();
        let right = match self.algorithm {
            HashAlgorithm::Sha1 => Sha1::new().chain_update(body).chain_update(passphrase).finalize().to_vec(),
            HashAlgorithm::Sha256 => Sha256::new().chain_update(body).chain_update(passphrase).finalize().to_vec(),
            HashAlgorithm::Sha512 => Sha512::new().chain_update(body).chain_update(passphrase).finalize().to_vec(),
        };
        if bool::from(right.ct_eq(&self.claimed)) { Ok(()) } else { Err(SignatureError::Wrong) }
    }
}

/// Returns the name in the configuration.
fn name(algorithm: HashAlgorithm) -> &'static str {
    match algorithm {
        HashAlgorithm::Sha1 => "sha1",
        HashAlgorithm::Sha256 => "sha256",
        HashAlgorithm::Sha512 => "sha512",
    }
}

/// Returns the length of a signature, in bytes.
fn length(algorithm: HashAlgorithm) -> usize {
    match algorithm {
        HashAlgorithm::Sha1 => 20,
        HashAlgorithm::Sha256 => 32,
        HashAlgorithm::Sha512 => 64,
    }
}

fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    rest.is_empty().then_some(())?;
    pairs.iter().map(|&[high, low]| u8::try_from(digit(high)? * 16 + digit(low)?).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"state=completed&status=118";
    /// Signatures by `printf 'state=completed&status=118my passphrase' | sha1sum`, and so on.
    const SIGNED: [(HashAlgorithm, &str); 3] = [
        (HashAlgorithm::Sha1, "a805c896f641918bcf3e8a02cc2cc921c1160c26"),
        (HashAlgorithm::Sha256, "2d84621d7fbb70e7192916db353ceaaf673cfd1369a9297a26ea0a9b5664c314"),
        (
            HashAlgorithm::Sha512,
            "2264bac9cafb3c8c3335ec2271d31d0d400d86910520324be4a4b406492afde5ebd56adb686b26c6c59288cdf9c45964fab0d5d2dc4fc8e6cf12424eec21a64f",
        ),
    ];

    fn check(header: &str, algorithm: HashAlgorithm, body: &[u8]) -> Result<(), SignatureError> {
        PaymentSignature::new(header.as_bytes(), algorithm, &Secret::new("my passphrase"))?.check(body)
    }

    #[test]
    fn the_three_algorithms_in_either_case() {
        for (algorithm, signature) in SIGNED {
            assert_eq!(check(signature, algorithm, BODY), Ok(()));
            assert_eq!(check(&signature.to_uppercase(), algorithm, BODY), Ok(()));
            assert_eq!(check(signature, algorithm, b"state=completed&status=119"), Err(SignatureError::Wrong));
            let other = signature.replace('a', "b");
            assert_eq!(check(&other, algorithm, BODY), Err(SignatureError::Wrong));
        }
    }

    #[test]
    fn a_signature_of_another_length_says_which_algorithm_it_looks_like() {
        let said = check(SIGNED[0].1, HashAlgorithm::Sha256, BODY).unwrap_err().to_string();
        assert!(said.contains("looks like sha1, and hipay.enterprise.hashAlgorithm is sha256"), "{said}");
        for (header, error) in [
            ("", SignatureError::Missing),
            ("xyz", SignatureError::NotHex),
            ("abc", SignatureError::NotHex),
            ("abcd", SignatureError::Length { digits: 4, wanted: "sha256" }),
        ] {
            assert_eq!(check(header, HashAlgorithm::Sha256, BODY), Err(error));
        }
    }

    #[test]
    fn without_a_passphrase_nothing_is_believed() {
        // Even the hash of the body alone is refused.
        let made = PaymentSignature::new(SIGNED[1].1.as_bytes(), HashAlgorithm::Sha256, &Secret::default());
        assert!(matches!(made, Err(SignatureError::NoPassphrase)));
    }
}
