//! The identification documents of a shop, from Mirakl to HiPay, each once.

use jiff::ToSpan;

use super::{Context, JobError, Run};
use crate::config::DocumentType;
use crate::hipay::{DocumentOutcome, NewDocument};
use crate::mirakl::{Shop, ShopDocument};
use crate::remote::CallError;
use crate::store::{StoreError, View, Writer};
use crate::vendor::{DocumentValidation, SentDocument, Trouble, Warning, is_sendable_file};

/// Sends every document of a known type that HiPay has not been given. One that fails is a warning,
/// and the others go on.
pub(super) async fn send(
    context: &Context,
    run: &Run,
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
        if was_sent(context, document.id).await? {
            continue;
        }
        if !is_sendable_file(&document.file_name) {
            // The name of a file often says who somebody is: it stays out of messages and logs.
            let message =
                format!("document {}: its file is none that HiPay takes: jpg, jpeg, png, gif, pdf", document.id);
            warnings.push(Warning::new(Trouble::DocumentFile, message).about(document.id.to_string()));
            continue;
        }
        let back = kind.back.as_deref().and_then(|code| {
            let sides = documents.iter().filter(|other| other.document_type == code);
            sides.filter(|side| is_sendable_file(&side.file_name)).max_by_key(|side| side.id)
        });
        match one(context, kind, hipay_id, document, back).await {
            Ok(outcome) => {
                run.count("documents sent");
                let both = [Some(document), back];
                remember(context, shop.shop_id, kind, both.into_iter().flatten().cloned().collect(), outcome).await?;
            }
            Err(error) if error.is_credentials() => return Err(error.into()),
            Err(error) => {
                let message = format!("document {}: {error}", document.id);
                warnings.push(
                    Warning::new(Trouble::DocumentNotSent, message)
                        .about(document.id.to_string())
                        .because(&(&error).into(), error.refusal()),
                );
            }
        }
    }
    Ok(())
}

async fn one(
    context: &Context,
    kind: &DocumentType,
    hipay_id: u64,
    document: &ShopDocument,
    back: Option<&ShopDocument>,
) -> Result<DocumentOutcome, CallError> {
    let file = context.mirakl.download(document.id).await?;
    let back = match back {
        Some(back) => Some((back.file_name.clone(), context.mirakl.download(back.id).await?)),
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
    context.hipay.send_document(hipay_id, &new).await
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
