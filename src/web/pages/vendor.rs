//! Everything about one vendor.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;

use super::page::{ExplanationView, PageFrame, Tone, show};
use super::todo::WorkRow;
use crate::domain::explanation::explain_vendor;
use crate::domain::inbox::Notification;
use crate::domain::operation::{Column, Operation, PaymentKind};
use crate::domain::vendor::Vendor;
use crate::domain::voucher::VoucherRecord;
use crate::jobs::{self, WorkGroup};
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
    now: Timestamp,
    vendor: Vendor,
    /// False for a shop that is no vendor yet: only its vouchers are known.
    is_known: bool,
    /// Obstacles between the vendor and its money that lie in its wallet and its bank details.
    reasons: Vec<ExplanationView>,
    /// Money of the shop that is not paid, by reason.
    work: Vec<WorkRow>,
    /// True if a party has to act on some of that money.
    needs_action: bool,
    /// True if `work` is made of all the records of the shop.
    is_all: bool,
    operations: Vec<Operation>,
    notifications: Vec<Notification>,
    lines: Vec<LogLine>,
}

/// Shows one vendor: its wallet, its problems, its operations, HiPay's notifications and the log lines about it.
pub(super) async fn vendor(State(web): State<Web>, page: PageFrame, Id(mirakl_id): Id) -> Result<Response, Problem> {
    let found = web.find(msg!("problem-no-vendor"), move |reader| {
        let vendor = reader.get::<Vendor>(&mirakl_id)?;
        let voucher = Query::group(VoucherRecord::BY_SHOP, (mirakl_id,)).limit(1);
        let voucher = reader.page_uncounted(&voucher)?.items.pop();
        if vendor.is_none() && voucher.is_none() {
            return Ok(None);
        }
        let is_known = vendor.is_some();
        let since = voucher.map_or(Timestamp::UNIX_EPOCH, |voucher| voucher.first_seen_at);
        let vendor = vendor.unwrap_or_else(|| Vendor::new(mirakl_id, since));
        let work = jobs::work_list_of_shop(reader, mirakl_id)?;
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
        Ok(Some((vendor, is_known, work, operations, notifications, lines)))
    });
    let (vendor, is_known, (work, is_all), operations, notifications, lines) = found.await?;
    let explanations = if is_known { explain_vendor(&vendor) } else { Vec::new() };
    let reasons = page.explanations(explanations);
    let needs_action = work.iter().any(WorkGroup::needs_action);
    let work = work.into_iter().map(|group| WorkRow::of_shop(&page, group, mirakl_id)).collect();
    let now = web.context.clock.now();
    let page = VendorPage {
        page,
        now,
        vendor,
        is_known,
        reasons,
        work,
        needs_action,
        is_all,
        operations,
        notifications,
        lines,
    };
    show(StatusCode::OK, &page)
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
