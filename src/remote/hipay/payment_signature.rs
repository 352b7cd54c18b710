//! The signature of HiPay Enterprise's notifications: a hash of the body as sent, followed by a passphrase that
//! only HiPay and we know.

use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::config::HashAlgorithm;
use crate::platform::hex::unhex;
use crate::platform::secret::Secret;
use crate::text::message::{Message, msg};

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

impl From<&SignatureError> for Message {
    fn from(error: &SignatureError) -> Self {
        match *error {
            SignatureError::NoPassphrase => msg!("signature-no-passphrase"),
            SignatureError::Missing => msg!("signature-missing"),
            SignatureError::NotHex => msg!("signature-not-hexadecimal"),
            SignatureError::OtherAlgorithm { looks_like, wanted } => {
                msg!("signature-of-other-algorithm", shown = looks_like, wanted)
            }
            SignatureError::Length { digits, wanted } => msg!("signature-length", number = digits, wanted),
            SignatureError::Wrong => msg!("signature-wrong"),
        }
    }
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

#[cfg(test)]
mod tests;
