//! The log: the actions of the appliance and its reports.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;

use super::page::{ListFrame, ListRows, PageFrame, Tone, show};
use crate::config::LogLevel;
use crate::jobs::BatchKind;
use crate::web::Web;
use crate::web::lists::{self, ListFilter, ListQuery, LogItem, LogListFilter, Ordering, PageParams};
use crate::web::problem::Problem;

#[derive(Template)]
#[template(path = "logs.html", config = "ui/askama.toml")]
struct LogsPage {
    page: PageFrame,
    rows: ListRows<LogItem>,
}

/// Shows the lines that pass the filters.
pub(super) async fn list(ListFrame(page, rows, ..): ListFrame<LogListFilter, PageParams>) -> Result<Response, Problem> {
    let rows = rows.map(|line| {
        let message = line.in_words(page.texts());
        LogItem { message, ..LogListFilter::item(line) }
    });
    show(rows.status(), &LogsPage { page, rows })
}

/// Exports the lines that pass the filters.
pub(super) async fn csv(State(web): State<Web>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let ListQuery(paging, filter, ..) = ListQuery::<LogListFilter, Ordering>::of_form(&query.unwrap_or_default())?;
    lists::csv(&web, &paging, &filter).await
}

impl Tone for LogLevel {
    fn tone(&self) -> &'static str {
        match self {
            LogLevel::Debug => "quiet",
            LogLevel::Info | LogLevel::Notice => "note",
            LogLevel::Warning => "warn",
            LogLevel::Error => "bad",
            LogLevel::Critical | LogLevel::Alert | LogLevel::Emergency => "grave",
        }
    }
}
