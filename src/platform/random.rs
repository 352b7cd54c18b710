//! Unpredictable random numbers from the system's generator, by way of the TLS library.

use std::sync::LazyLock;

use rustls::crypto::SecureRandom;

use crate::platform::hex::hex;
use crate::platform::secret::Secret;

static SYSTEM: LazyLock<&'static dyn SecureRandom> =
    LazyLock::new(|| rustls::crypto::ring::default_provider().secure_random);

/// The error that the system has no random numbers to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandom;

/// Returns random bytes.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    SYSTEM.fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(bytes)
}

/// Returns 256 random bits in hexadecimal digits.
pub(crate) fn secret() -> Result<Secret, NoRandom> {
    bytes::<32>().map(|bytes| Secret::new(hex(bytes)))
}
