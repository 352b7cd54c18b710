//! HiPay's ledger as it was last read, each line matched with an operation or not.

use askama::Template;
use axum::response::Response;

use super::page::{ListFrame, ListRows, PageFrame, Tone, show};
use crate::domain::ledger::{LedgerEntry, LedgerMatch};
use crate::web::lists::TransactionFilter;
use crate::web::problem::Problem;

#[derive(Template)]
#[template(path = "transactions.html", config = "ui/askama.toml")]
struct Transactions {
    page: PageFrame,
    rows: ListRows<LedgerEntry>,
}

/// Shows the transactions that pass the filters.
pub(super) async fn list(ListFrame(page, rows, ..): ListFrame<TransactionFilter>) -> Result<Response, Problem> {
    show(rows.status(), &Transactions { page, rows })
}

impl Transactions {
    fn matches(&self) -> [LedgerMatch; 4] {
        [LedgerMatch::Matched, LedgerMatch::Foreign, LedgerMatch::Orphan, LedgerMatch::Mismatch]
    }
}

impl Tone for LedgerMatch {
    fn tone(&self) -> &'static str {
        match self {
            LedgerMatch::Matched => "good",
            LedgerMatch::Foreign | LedgerMatch::Unknown => "quiet",
            LedgerMatch::Orphan | LedgerMatch::Mismatch => "bad",
        }
    }
}
