//! The identification of a wallet's owner: the documents, and HiPay's status of each.

use serde::Deserialize;

use crate::domain::vendor::DocumentStatus;
use crate::remote::lenient::Scalar;

/// The identification of a wallet's owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identification {
    /// HiPay's word for the state: `Identified`, `Unidentified`, `In progress`.
    pub status: String,
    /// The documents.
    pub documents: Vec<KnownDocument>,
}

/// A document that HiPay has, or expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownDocument {
    /// HiPay's type number.
    pub kind: Option<u32>,
    /// HiPay's name of the type.
    pub label: String,
    /// Status of the document.
    pub status: DocumentStatus,
    /// HiPay's word for the status.
    pub status_label: String,
    /// Reason of a refusal, in HiPay's words; empty if there was none.
    pub message: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct IdentificationAnswer {
    identification_status: Scalar,
    documents: Vec<HipayDocumentRow>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct HipayDocumentRow {
    r#type: Scalar,
    label: Scalar,
    status_code: Scalar,
    status_label: Scalar,
    message: Scalar,
}

impl IdentificationAnswer {
    pub(super) fn identification(self) -> Identification {
        let document = |row: HipayDocumentRow| {
            let code = row.status_code.text_or_empty().parse().ok();
            KnownDocument {
                kind: row.r#type.id().and_then(|kind| u32::try_from(kind).ok()),
                label: row.label.text_or_empty(),
                status: code.map_or(DocumentStatus::Unknown, DocumentStatus::from_code),
                status_label: row.status_label.text_or_empty(),
                message: row.message.text_or_empty(),
            }
        };
        Identification {
            status: self.identification_status.text_or_empty(),
            documents: self.documents.into_iter().map(document).collect(),
        }
    }
}
