//! The checks that tell HiPay's own notices from anybody else's.

use md5::{Digest, Md5};
use subtle::{Choice, ConstantTimeEq};

use crate::domain::notification::{Document, WalletNotice};
use crate::platform::hex::hex;
use crate::platform::secret::Secret;

/// A wallet notice whose checksum fits: only this may be acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedNotice {
    notice: WalletNotice,
    signed: String,
    checksum: [u8; 16],
}

impl VerifiedNotice {
    /// What it says.
    pub fn notice(&self) -> &WalletNotice {
        &self.notice
    }

    /// The checksum that fits, in hex.
    pub fn checksum(&self) -> String {
        hex(self.checksum)
    }

    /// The very text that was signed. Whatever stood around it, or was changed about it without
    /// spoiling the checksum, is not in it.
    pub fn signed(&self) -> &str {
        &self.signed
    }
}

/// Compares the checksum of `document` with that of its element and `salt`, the `callback_salt` of
/// the account that the document names: MD5 over the element without its layout, followed by the
/// salt. HiPay itself hashes the element as an XML library writes it back, so that is accepted as
/// well as the bytes as received. Without a salt nothing fits.
///
/// How long it takes does not depend on how much of the checksum is right.
pub fn verify_wallet_notice(document: &Document, salt: &Secret) -> Option<VerifiedNotice> {
    let mut fitting = None;
    for form in document.forms() {
        let mut fits = fits(form.as_bytes(), salt, document.checksum());
        if let Some(original) = document.original_bytes(form) {
            fits |= self::fits(&original, salt, document.checksum());
        }
        if bool::from(fits) {
            fitting = Some(form);
        }
    }
    let signed = fitting.filter(|_| !salt.is_empty())?;
    let notice = WalletNotice::read(signed).ok()?;
    // The salt is one account's: it says nothing about another.
    (notice.account_id == document.account_id()).then(|| VerifiedNotice {
        notice,
        signed: signed.clone(),
        checksum: *document.checksum(),
    })
}

fn fits(text: &[u8], salt: &Secret, checksum: &[u8; 16]) -> Choice {
    let digest = Md5::new_with_prefix(text).chain_update(salt.expose()).finalize();
    digest.as_slice().ct_eq(checksum)
}
