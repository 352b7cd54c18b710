//! HiPay Enterprise as a sender: believable payments of customers, told in notifications that are
//! written, signed and posted as HiPay does it. It shares no code with who receives them.

mod customers;
mod writing;

use std::time::Duration;

use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha512};

pub use customers::Customers;

use super::hipay::delivery::{on_this_machine, post};
use super::hipay::notices::Delivery;

/// How long the receiver may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a notification is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// A form with brackets in its names.
    Form,
    /// XML.
    Xml,
    /// JSON.
    Json,
}

/// How a notification is signed.
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
    /// Names as in the form (`order[id]`), what belongs together side by side.
    pub fields: Vec<(String, String)>,
}

impl EnterpriseNotice {
    /// The value of a field; empty where it is missing.
    pub fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The content type and the body.
    pub fn written(&self, written: Written) -> (&'static str, String) {
        match written {
            Written::Form => ("application/x-www-form-urlencoded", writing::form(self)),
            Written::Xml => ("application/xml", writing::xml(self)),
            Written::Json => ("application/json", writing::json(self)),
        }
    }
}

/// HiPay Enterprise, as far as its notifications go.
#[derive(Debug, Clone)]
pub struct Enterprise {
    /// Where it sends them: only ever to this machine.
    pub url: String,
    /// The secret that they are signed with.
    pub passphrase: String,
    /// How they are written.
    pub written: Written,
    /// How they are signed.
    pub signed_by: SignedBy,
}

impl Enterprise {
    /// Sends to `url`, in forms signed by SHA-256.
    pub fn new(url: impl Into<String>, passphrase: impl Into<String>) -> Self {
        let (url, passphrase) = (url.into(), passphrase.into());
        Self { url, passphrase, written: Written::Form, signed_by: SignedBy::Sha256 }
    }

    /// The signature of a body, in lower case.
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
