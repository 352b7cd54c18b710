//! HiPay's ledger as it was last read, each line matched with an operation or not.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;

use super::page::{ListRows, PageFrame, show};
use crate::domain::ledger::{LedgerEntry, LedgerMatch};
use crate::web::Web;
use crate::web::lists::{self, ExportParams, ListQuery, Paging, TransactionFilter};
use crate::web::problem::Problem;

#[derive(Template)]
#[template(path = "transactions.html", config = "ui/askama.toml")]
struct Transactions {
    page: PageFrame,
    rows: ListRows<LedgerEntry>,
}

/// Shows the transactions that pass the filters.
pub(super) async fn list(
    State(web): State<Web>,
    page: PageFrame,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let found = lists::query_records::<TransactionFilter, Paging>(&web, query).await;
    let rows = ListRows::of(found, &page)?;
    show(rows.status(), &Transactions { page, rows })
}

/// Exports the transactions that pass the filters.
pub(super) async fn csv(State(web): State<Web>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let ListQuery(order, filter) = ListQuery::<TransactionFilter, ExportParams>::of_form(&query.unwrap_or_default())?;
    lists::found_csv(&web, &order, filter).await
}

impl Transactions {
    fn matches(&self) -> [LedgerMatch; 4] {
        [LedgerMatch::Matched, LedgerMatch::Foreign, LedgerMatch::Orphan, LedgerMatch::Mismatch]
    }

    /// Returns the tone of a match, which adds nothing to its word.
    fn tone(&self, matched: &LedgerMatch) -> &'static str {
        match matched {
            LedgerMatch::Matched => "good",
            LedgerMatch::Foreign | LedgerMatch::Unknown => "quiet",
            LedgerMatch::Orphan | LedgerMatch::Mismatch => "bad",
        }
    }
}
