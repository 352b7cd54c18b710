//! HiPay Enterprise as a sender: realistic customer payments, reported in notifications that are
//! written, signed and posted the way HiPay does. It shares no code with the receiver.

mod customers;
mod writing;

use std::time::Duration;

use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha512};

pub use customers::Customers;

use super::hipay::delivery::{on_this_machine, post};
use super::hipay::notices::Delivery;

/// Time limit for the receiver's answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Format of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// A form with brackets in its names.
    Form,
    /// XML.
    Xml,
    /// JSON.
    Json,
}

/// Hash with which a notification is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedBy {
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// A notification before it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnterpriseNotice {
    /// `notification` or `settlement`.
    pub root: &'static str,
    /// Fields named as in the form (`order[id]`); members of one group are adjacent.
    pub fields: Vec<(String, String)>,
}

impl EnterpriseNotice {
    /// Returns the value of a field, or an empty text if it is missing.
    pub fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// Returns the content type and the body.
    pub fn written(&self, written: Written) -> (&'static str, String) {
        match written {
            Written::Form => ("application/x-www-form-urlencoded", writing::form(self)),
            Written::Xml => ("application/xml", writing::xml(self)),
            Written::Json => ("application/json", writing::json(self)),
        }
    }
}

/// HiPay Enterprise, limited to its notifications.
#[derive(Debug, Clone)]
pub struct Enterprise {
    /// Receiver of the notifications; only addresses on this machine are allowed.
    pub url: String,
    /// The secret with which they are signed.
    pub passphrase: String,
    /// Format of the notifications.
    pub written: Written,
    /// Hash with which they are signed.
    pub signed_by: SignedBy,
}

impl Enterprise {
    /// Makes a sender to `url` that uses forms signed with SHA-256.
    pub fn new(url: impl Into<String>, passphrase: impl Into<String>) -> Self {
        let (url, passphrase) = (url.into(), passphrase.into());
        Self { url, passphrase, written: Written::Form, signed_by: SignedBy::Sha256 }
    }

    /// Returns the signature of a body, in lower case.
    pub fn signature(&self, body: &[u8]) -> String {
        let signed = [body, self.passphrase.as_bytes()].concat();
        let hash = match self.signed_by {
            SignedBy::Sha1 => Sha1::digest(signed).to_vec(),
            SignedBy::Sha256 => Sha256::digest(signed).to_vec(),
            SignedBy::Sha512 => Sha512::digest(signed).to_vec(),
        };
        hash.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
    }

    /// Writes, signs and sends a notification.
    pub async fn send(&self, notice: &EnterpriseNotice) -> Delivery {
        let (content_type, body) = notice.written(self.written);
        self.send_body(content_type, body.as_bytes()).await
    }

    /// Signs and sends a body.
    pub async fn send_body(&self, content_type: &str, body: &[u8]) -> Delivery {
        let Some((authority, path)) = on_this_machine(&self.url) else { return Delivery::NotAllowed };
        let signature = self.signature(body);
        let headers = format!("Content-Type: {content_type}\r\nX-Allopass-Signature: {signature}\r\n");
        match tokio::time::timeout(PATIENCE, post(&authority, &path, &headers, body)).await {
            Ok(Ok(status)) => Delivery::Answered(status),
            Ok(Err(error)) => Delivery::Failed(error.to_string()),
            Err(_) => Delivery::Failed("no answer in time".to_owned()),
        }
    }
}
