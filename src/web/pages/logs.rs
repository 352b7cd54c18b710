//! The log: the actions of the appliance and its reports.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;

use super::page::{ListRows, PageFrame, Tone, show};
use crate::config::LogLevel;
use crate::jobs::BatchKind;
use crate::web::Web;
use crate::web::lists::{self, ListFilter, ListQuery, LogItem, LogListFilter, Moment, Ordering, PageParams};
use crate::web::problem::Problem;

#[derive(Template)]
#[template(path = "logs.html", config = "ui/askama.toml")]
struct LogsPage {
    page: PageFrame,
    rows: ListRows<LogItem>,
}

/// Shows the lines that pass the filters. A text is searched in the messages as the page shows them.
pub(super) async fn list(
    State(web): State<Web>,
    page: PageFrame,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let found = match ListQuery::<LogListFilter, PageParams>::of_form(&query.unwrap_or_default()) {
        Ok(ListQuery(paging, filter, ..)) => lists::log_lines(&web, paging, filter, Some(page.texts())).await,
        Err(problem) => Err(problem),
    };
    let rows = ListRows::of(found, &page)?.map(|line| {
        let message = line.in_words(page.texts());
        LogItem { message, ..LogListFilter::item(line) }
    });
    show(rows.status(), &LogsPage { page, rows })
}

/// Exports the lines that pass the filters, as the page searches them.
pub(super) async fn csv(
    State(web): State<Web>,
    page: PageFrame,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let ListQuery(paging, filter, ..) = ListQuery::<LogListFilter, Ordering>::of_form(&query.unwrap_or_default())?;
    lists::log_csv(&web, &paging, &filter, Some(page.texts())).await
}

impl LogsPage {
    /// Returns the value of a field for a time of day; a day stands for its first or its last minute.
    fn minute(&self, key: &str, last: bool) -> String {
        let stated = self.page.address.value(key);
        Moment::from(stated).minute(last, self.page.zone()).unwrap_or_default()
    }
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
