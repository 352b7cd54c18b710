//! The identification documents of a shop, sent from Mirakl to HiPay, each once.

use jiff::ToSpan;

use crate::config::DocumentType;
use crate::domain::vendor::{
    DocumentValidation, SentDocument, VendorProblem, Warning, is_sendable_content, is_sendable_file,
};
use crate::jobs::vendor::process::ShopRun;
use crate::jobs::{BatchCount, Context, JobError};
use crate::remote::CallError;
use crate::remote::hipay::{DocumentOutcome, NewDocument};
use crate::remote::mirakl::ShopDocument;
use crate::store::{StoreError, View, Writer};

impl ShopRun<'_> {
    /// Sends every document of a known type that HiPay does not have yet. A failure is a warning, and the others
    /// continue.
    pub(crate) async fn send_documents(&mut self, hipay_id: u64, documents: &[ShopDocument]) -> Result<(), JobError> {
        let types = &self.context.config.hipay.document_types;
        for document in documents {
            let Some(kind) = types.iter().find(|kind| kind.mirakl_type == document.document_type) else { continue };
            if self.run.is_stopping() {
                return Ok(());
            }
            self.send_document(hipay_id, kind, document, documents).await?;
        }
        Ok(())
    }

    async fn send_document(
        &mut self,
        hipay_id: u64,
        kind: &DocumentType,
        document: &ShopDocument,
        documents: &[ShopDocument],
    ) -> Result<(), JobError> {
        let (context, id) = (self.context, document.id);
        let back = BackSide::of(kind, documents);
        let was_sent = was_sent(context, id).await?;
        if was_sent && !follows(context, kind, document, back, documents).await? {
            return Ok(());
        }
        if !is_sendable_file(&document.file_name) {
            // A file name often identifies a person: it stays out of messages and logs.
            let message = format!("document {id}: its file is none that HiPay takes: jpg, jpeg, png, gif, pdf");
            self.warn_about(VendorProblem::DocumentFile, id.to_string(), message);
            return Ok(());
        }
        if let BackSide::Unusable(back) = back {
            let message = format!(
                "document {back}: HiPay does not take the file of this back side (jpg, jpeg, png, gif, pdf); the front \
                 side {id} waits for it"
            );
            self.warn_about(VendorProblem::DocumentBack, back.to_string(), message);
            return Ok(());
        }
        match one(context, kind, hipay_id, document, back.file()).await {
            // HiPay still checks the front side that it has alone: the next run sends both.
            Ok(DocumentAttempt::Answered(DocumentOutcome::WaitingAlready)) if was_sent => Ok(()),
            Ok(DocumentAttempt::Answered(outcome)) => {
                self.run.count(BatchCount::DocumentsSent);
                let both = [Some(document), back.file()].into_iter().flatten().cloned().collect();
                self.remember(kind.hipay_type, both, outcome.sentence(), None).await
            }
            Ok(DocumentAttempt::NoFile(id)) => {
                let message = format!("document {id}: what Mirakl gives for it is no jpg, png, gif or pdf file");
                self.warn_about(VendorProblem::DocumentContent, id.to_string(), message);
                Ok(())
            }
            Err(error) => {
                let warning = Warning::new(VendorProblem::DocumentNotSent, format!("document {id}: {error}"));
                self.warn_because(&error, warning.about(id.to_string()))
            }
        }
    }

    /// Records that these documents were sent; `iban` is the one that a proof was sent with.
    pub(crate) async fn remember(
        &self,
        hipay_type: u32,
        documents: Vec<ShopDocument>,
        message: &'static str,
        iban: Option<String>,
    ) -> Result<(), JobError> {
        let (mirakl_id, sent_at) = (self.shop.shop_id, self.context.clock.now());
        let kept = self.context.store.write(move |writer: &mut Writer<'_>| {
            for document in documents {
                writer.put(&SentDocument {
                    document_id: document.id,
                    mirakl_id,
                    document_type: document.document_type,
                    hipay_type,
                    file_name: document.file_name,
                    message: message.to_owned(),
                    validation: DocumentValidation::default(),
                    validation_message: String::new(),
                    validation_as_of: None,
                    iban: iban.clone(),
                    sent_at,
                    unknown: serde_json::Map::new(),
                })?;
            }
            Ok::<_, StoreError>(())
        });
        Ok(kept.await?)
    }
}

/// The back side that goes with a document.
#[derive(Clone, Copy)]
enum BackSide<'a> {
    /// No back side.
    Missing,
    /// The newest back side that HiPay accepts.
    File(&'a ShopDocument),
    /// Only back sides of a kind of file that HiPay does not accept; the id of the newest.
    Unusable(u64),
}

impl<'a> BackSide<'a> {
    fn of(kind: &DocumentType, documents: &'a [ShopDocument]) -> Self {
        let sides = || documents.iter().filter(|other| Some(&other.document_type) == kind.back.as_ref());
        let usable = sides().filter(|side| is_sendable_file(&side.file_name)).max_by_key(|side| side.id);
        match (usable, sides().max_by_key(|side| side.id)) {
            (Some(side), _) => Self::File(side),
            (None, Some(side)) => Self::Unusable(side.id),
            (None, None) => Self::Missing,
        }
    }

    fn file(self) -> Option<&'a ShopDocument> {
        match self {
            Self::File(side) => Some(side),
            Self::Missing | Self::Unusable(_) => None,
        }
    }
}

/// Returns true if a back side was uploaded after the newest front side had been sent: it is sent
/// with that front side again.
async fn follows(
    context: &Context,
    kind: &DocumentType,
    front: &ShopDocument,
    back: BackSide<'_>,
    documents: &[ShopDocument],
) -> Result<bool, JobError> {
    let Some(back) = back.file() else { return Ok(false) };
    let fronts = documents.iter().filter(|other| other.document_type == kind.mirakl_type);
    let is_newest = fronts.map(|other| other.id).max() == Some(front.id);
    Ok(is_newest && !was_sent(context, back.id).await?)
}

/// Result of an attempt to send a document.
enum DocumentAttempt {
    /// HiPay's answer.
    Answered(DocumentOutcome),
    /// A document that was not sent, by id: Mirakl's content is not a file that HiPay accepts.
    NoFile(u64),
}

async fn one(
    context: &Context,
    kind: &DocumentType,
    hipay_id: u64,
    document: &ShopDocument,
    back: Option<&ShopDocument>,
) -> Result<DocumentAttempt, CallError> {
    let file = context.mirakl.download(document.id).await?;
    if !is_sendable_content(&file) {
        return Ok(DocumentAttempt::NoFile(document.id));
    }
    let back = match back {
        Some(back) => {
            let file = context.mirakl.download(back.id).await?;
            if !is_sendable_content(&file) {
                return Ok(DocumentAttempt::NoFile(back.id));
            }
            Some((back.file_name.clone(), file))
        }
        None => None,
    };
    let today = context.calendar().day_of(context.clock.now());
    let next_year = today.checked_add(1.year()).unwrap_or(today);
    let new = NewDocument {
        hipay_type: kind.hipay_type,
        file_name: document.file_name.clone(),
        file,
        back,
        validity_date: kind.needs_validity_date.then_some(next_year),
    };
    context.hipay.send_document(hipay_id, &new).await.map(DocumentAttempt::Answered)
}

async fn was_sent(context: &Context, document_id: u64) -> Result<bool, JobError> {
    Ok(context.store.reading(move |reader| reader.get::<SentDocument>(&document_id)).await?.is_some())
}
