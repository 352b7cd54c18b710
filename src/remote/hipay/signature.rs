//! Checks that distinguish HiPay's own notices from forged ones.

use md5::{Digest, Md5};
use subtle::{Choice, ConstantTimeEq};

use crate::domain::notification::{NoticeDocument, WalletNotice};
use crate::platform::hex::hex;
use crate::platform::secret::Secret;

/// A wallet notice with a matching checksum: only this may be acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedNotice {
    notice: WalletNotice,
    signed: String,
    checksum: [u8; 16],
}

impl VerifiedNotice {
    /// Returns the content of the notice.
    pub fn notice(&self) -> &WalletNotice {
        &self.notice
    }

    /// Returns the matching checksum, in hex.
    pub fn checksum(&self) -> String {
        hex(self.checksum)
    }

    /// Returns exactly the text that was signed. It excludes whatever surrounded it, or was changed without
    /// affecting the checksum.
    pub fn signed(&self) -> &str {
        &self.signed
    }
}

/// Compares the checksum of `document` with that of its element and `salt`, the `callback_salt` of the account
/// that the document names: MD5 over the element without its layout, followed by the salt. HiPay itself hashes
/// the element as serialised by an XML library, so that form is accepted as well as the bytes as received.
/// Without a salt, no checksum matches.
///
/// The duration does not depend on how much of the checksum is right.
pub fn verify_wallet_notice(document: &NoticeDocument, salt: &Secret) -> Option<VerifiedNotice> {
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
    // The salt belongs to one account and proves nothing about another.
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
