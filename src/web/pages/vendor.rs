//! Everything about one vendor.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::page::{ExplanationView, PageFrame, Tone, show};
use crate::domain::explanation::explain_vendor;
use crate::domain::inbox::Notification;
use crate::domain::operation::{Column, Operation, PaymentKind};
use crate::domain::vendor::Vendor;
use crate::logs::LogLine;
use crate::store::{Query, View};
use crate::text::message::msg;
use crate::web::Web;
use crate::web::path::Id;
use crate::web::problem::Problem;

/// Number of the latest records of each kind that are shown.
const LATEST: usize = 20;

#[derive(Template)]
#[template(path = "vendor.html", config = "ui/askama.toml")]
struct VendorPage {
    page: PageFrame,
    vendor: Vendor,
    /// Obstacles between the vendor and its money.
    reasons: Vec<ExplanationView>,
    operations: Vec<Operation>,
    notifications: Vec<Notification>,
    lines: Vec<LogLine>,
}

/// Shows one vendor: its wallet, its problems, its operations, HiPay's notifications and the log lines about it.
pub(super) async fn vendor(State(web): State<Web>, page: PageFrame, Id(mirakl_id): Id) -> Result<Response, Problem> {
    let found = web.find(msg!("problem-no-vendor"), move |reader| {
        let Some(vendor) = reader.get::<Vendor>(&mirakl_id)? else { return Ok(None) };
        let operations = Query::group(Operation::BY_VENDOR, (mirakl_id,)).descending().limit(LATEST);
        let operations = reader.page(&operations)?.items;
        let lines = reader.page(&Query::group(LogLine::BY_SHOP, (mirakl_id,)).descending().limit(LATEST))?.items;
        let notifications = match vendor.hipay_id {
            None => Vec::new(),
            Some(account) => {
                let query = Query::group(Notification::BY_ACCOUNT, account).descending().limit(LATEST);
                reader.page(&query)?.items
            }
        };
        Ok(Some((vendor, operations, notifications, lines)))
    });
    let (vendor, operations, notifications, lines) = found.await?;
    let reasons = page.explanations(explain_vendor(&vendor));
    show(StatusCode::OK, &VendorPage { page, vendor, reasons, operations, notifications, lines })
}

impl VendorPage {
    fn message(&self, line: &LogLine) -> String {
        line.in_words(self.page.texts())
    }

    fn status_tone(&self) -> &'static str {
        if self.vendor.status() == "success" { "good" } else { "bad" }
    }

    fn bank(&self) -> String {
        self.page.texts().bank_status(self.vendor.bank_status)
    }

    fn bank_tone(&self) -> &'static str {
        match self.vendor.bank_status {
            3 => "good",
            2 => "busy",
            1 => "bad",
            _ => "quiet",
        }
    }

    /// Returns tone and word for both payments of an operation; no word while nothing has happened.
    fn columns(&self, operation: &Operation) -> [(&'static str, String); 2] {
        let (transfer, withdrawal) = operation.status.columns();
        let shown = |kind, column: Column| (column.tone(), self.page.column(&(kind, column)));
        [shown(PaymentKind::Transfer, transfer), shown(PaymentKind::Withdrawal, withdrawal)]
    }
}
