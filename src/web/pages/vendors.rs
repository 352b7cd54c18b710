//! Vendors, and HiPay's view of their documents.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;

use super::page::{ExplanationView, ListFrame, ListRows, PageFrame, Tone, show};
use crate::domain::explanation::explain_vendor;
use crate::domain::vendor::{DocumentStatus, SentDocument, Vendor, WalletStatus};
use crate::remote::CallError;
use crate::store::{Query, View};
use crate::text::message::msg;
use crate::web::Web;
use crate::web::lists::{ListFilter, VendorFilter, VendorItem};
use crate::web::path::Id;
use crate::web::problem::Problem;

/// Time limit for HiPay to show documents; after that, the last known ones are shown.
const PATIENCE: Duration = Duration::from_secs(4);
/// Upper bound on documents read; a vendor has fewer.
const DOCUMENTS: usize = 200;

#[derive(Template)]
#[template(path = "vendors.html", config = "ui/askama.toml")]
struct Vendors {
    page: PageFrame,
    rows: ListRows<VendorRow>,
    wallets: [&'static str; 4],
}

/// A vendor and its problems.
struct VendorRow {
    item: VendorItem,
    told: Vec<ExplanationView>,
}

impl VendorRow {
    fn of(page: &PageFrame, vendor: Vendor) -> Self {
        let told = if vendor.status() == "success" { Vec::new() } else { page.explanations(explain_vendor(&vendor)) };
        Self { told, item: VendorFilter::item(vendor) }
    }
}

/// Shows the vendors that pass the filters.
pub(super) async fn list(ListFrame(page, rows, ..): ListFrame<VendorFilter>) -> Result<Response, Problem> {
    let rows = rows.map(|vendor| VendorRow::of(&page, vendor));
    show(rows.status(), &Vendors { page, rows, wallets: WalletStatus::ALL.map(WalletStatus::name) })
}

impl Tone for WalletStatus {
    fn tone(&self) -> &'static str {
        match self {
            WalletStatus::Identified => "good",
            WalletStatus::Created => "busy",
            WalletStatus::NotCreated => "quiet",
            WalletStatus::NotIdentified => "bad",
        }
    }
}

/// A document as the page shows it.
struct DocumentView {
    label: String,
    status: DocumentStatus,
    message: String,
}

#[derive(Template)]
#[template(path = "documents.html", config = "ui/askama.toml")]
struct OfVendor {
    page: PageFrame,
    vendor: Vendor,
    documents: Vec<DocumentView>,
    source: DocumentSource,
}

/// Source of the documents that are shown.
enum DocumentSource {
    /// HiPay, at this time (UTC).
    Live(Timestamp),
    /// This store, since there is no wallet that HiPay could be asked about.
    NoWallet,
    /// This store, since HiPay did not answer.
    NoAnswer,
    /// This store, since HiPay refused to show them, with HiPay's reason.
    Refused(String),
}

impl Tone for DocumentStatus {
    fn tone(&self) -> &'static str {
        match self {
            DocumentStatus::Validated => "good",
            DocumentStatus::New | DocumentStatus::Waiting => "busy",
            DocumentStatus::Missing | DocumentStatus::Refused => "bad",
            DocumentStatus::Deleted | DocumentStatus::Unknown => "quiet",
        }
    }
}

/// Shows HiPay's view of a vendor's documents: as it is now, or as last known.
pub(super) async fn documents(State(web): State<Web>, page: PageFrame, Id(mirakl_id): Id) -> Result<Response, Problem> {
    let context = &web.context;
    let known = web.find(msg!("problem-no-vendor"), move |reader| {
        let Some(vendor) = reader.get::<Vendor>(&mirakl_id)? else { return Ok(None) };
        let query = Query::group(SentDocument::BY_VENDOR, mirakl_id).limit(DOCUMENTS);
        Ok(Some((vendor, reader.page(&query)?.items)))
    });
    let (vendor, sent) = known.await?;
    let live = match vendor.hipay_id {
        Some(hipay_id) => Some(tokio::time::timeout(PATIENCE, context.hipay.documents(hipay_id)).await),
        None => None,
    };
    let last_known = || sent.into_iter().map(last_known).collect();
    let (documents, source) = match live {
        Some(Ok(Ok(identification))) => {
            let documents = identification.documents.into_iter().map(|document| DocumentView {
                label: document.label,
                status: document.status,
                message: document.message,
            });
            (documents.collect(), DocumentSource::Live(context.clock.now()))
        }
        Some(Ok(Err(CallError::Rejected(rejection)))) => {
            (last_known(), DocumentSource::Refused(rejection.sentence.in_words(page.texts())))
        }
        Some(Ok(Err(CallError::NotSent { .. } | CallError::Unknown { .. })) | Err(_)) => {
            (last_known(), DocumentSource::NoAnswer)
        }
        None => (last_known(), DocumentSource::NoWallet),
    };
    show(StatusCode::OK, &OfVendor { page, vendor, documents, source })
}

fn last_known(sent: SentDocument) -> DocumentView {
    DocumentView { label: sent.document_type, status: sent.validation.into(), message: sent.validation_message }
}
