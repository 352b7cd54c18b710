//! The identification documents of a shop, sent from Mirakl to HiPay, each once.

use jiff::ToSpan;

use crate::config::DocumentType;
use crate::domain::vendor::{
    DocumentValidation, SentDocument, VendorProblem, Warning, is_sendable_content, is_sendable_file,
};
use crate::jobs::{BatchRun, Context, JobError};
use crate::remote::CallError;
use crate::remote::hipay::{DocumentOutcome, NewDocument};
use crate::remote::mirakl::{Shop, ShopDocument};
use crate::store::{StoreError, View, Writer};

/// Sends every document of a known type that HiPay does not have yet. A failure is a warning, and the others continue.
pub(crate) async fn send(
    context: &Context,
    run: &BatchRun,
    shop: &Shop,
    hipay_id: u64,
    documents: &[ShopDocument],
    warnings: &mut Vec<Warning>,
) -> Result<(), JobError> {
    for document in documents {
        let types = &context.config.hipay.document_types;
        let Some(kind) = types.iter().find(|kind| kind.mirakl_type == document.document_type) else { continue };
        if run.is_stopping() {
            return Ok(());
        }
        let back = BackSide::of(kind, documents);
        let was_sent = was_sent(context, document.id).await?;
        if was_sent && !follows(context, kind, document, back, documents).await? {
            continue;
        }
        let about = |trouble, id: u64, message: String| Warning::new(trouble, message).about(id.to_string());
        if !is_sendable_file(&document.file_name) {
            // A file name often identifies a person: it stays out of messages and logs.
            let message =
                format!("document {}: its file is none that HiPay takes: jpg, jpeg, png, gif, pdf", document.id);
            warnings.push(about(VendorProblem::DocumentFile, document.id, message));
            continue;
        }
        if let BackSide::Unusable(id) = back {
            let message = format!(
                "document {id}: HiPay does not take the file of this back side (jpg, jpeg, png, gif, pdf); the front \
                 side {} waits for it",
                document.id
            );
            warnings.push(about(VendorProblem::DocumentBack, id, message));
            continue;
        }
        match one(context, kind, hipay_id, document, back.file()).await {
            // HiPay still checks the front side that it has alone: the next run sends both.
            Ok(DocumentAttempt::Answered(DocumentOutcome::WaitingAlready)) if was_sent => {}
            Ok(DocumentAttempt::Answered(outcome)) => {
                run.count("documents sent");
                let both = [Some(document), back.file()];
                remember(context, shop.shop_id, kind, both.into_iter().flatten().cloned().collect(), outcome).await?;
            }
            Ok(DocumentAttempt::NoFile(id)) => {
                let message = format!("document {id}: what Mirakl gives for it is no jpg, png, gif or pdf file");
                warnings.push(about(VendorProblem::DocumentContent, id, message));
            }
            Err(error) if error.is_credentials() => return Err(error.into()),
            Err(error) => {
                let warning =
                    about(VendorProblem::DocumentNotSent, document.id, format!("document {}: {error}", document.id));
                warnings.push(warning.because(&(&error).into(), error.refusal()));
            }
        }
    }
    Ok(())
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

async fn remember(
    context: &Context,
    mirakl_id: u64,
    kind: &DocumentType,
    documents: Vec<ShopDocument>,
    outcome: DocumentOutcome,
) -> Result<(), JobError> {
    let (hipay_type, sent_at) = (kind.hipay_type, context.clock.now());
    let kept = context.store.write(move |writer: &mut Writer<'_>| {
        for document in documents {
            writer.put(&SentDocument {
                document_id: document.id,
                mirakl_id,
                document_type: document.document_type,
                hipay_type,
                file_name: document.file_name,
                message: outcome.sentence().to_owned(),
                validation: DocumentValidation::default(),
                validation_message: String::new(),
                validation_as_of: None,
                iban: None,
                sent_at,
                unknown: serde_json::Map::new(),
            })?;
        }
        Ok::<_, StoreError>(())
    });
    Ok(kept.await?)
}
