//! Export of a whole list as CSV, in slices: it lasts as long as the client reads, without holding the store open.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{ExportParams, ListFilter, ListQuery, MAX_FOUND, Paging, search};
use crate::store::{Cursor, Query, StoreError, View};
use crate::text::message::{logged, msg};
use crate::web::Web;
use crate::web::problem::Problem;

/// Number of rows read from the store at once.
const SLICE: usize = 1_000;

/// A list that can be exported.
pub(in crate::web) trait Export: ListFilter {
    /// Name of the file, without its ending.
    const NAME: &'static str;
    /// Names of the columns, separated by spaces: those of the item's fields in JSON.
    const COLUMNS: &'static str;

    /// Returns the cells of a row.
    fn cells(view: &impl View, record: Self::Record) -> Result<Vec<String>, StoreError> {
        let item = serde_json::to_value(Self::full_item(view, record)?).unwrap_or_default();
        let cell = |column| match item.get(column) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        Ok(Self::COLUMNS.split(' ').map(cell).collect())
    }
}

/// Exports the whole list: RFC 4180, UTF-8, with a header.
pub(in crate::web) async fn csv<F: Export>(web: &Web, paging: &Paging, filter: &F) -> Result<Response, Problem> {
    csv_of(web, paging, filter, |_| true).await
}

/// Exports the rows of the whole list that `keeps` selects.
pub(super) async fn csv_of<F: Export>(
    web: &Web,
    paging: &Paging,
    filter: &F,
    keeps: impl Fn(&F::Record) -> bool + Clone + Send + Sync + 'static,
) -> Result<Response, Problem> {
    let mut listing = filter.listing(&web.settings.get().hipay.time_zone)?.limit(SLICE);
    if paging.descending() {
        listing = listing.descending();
    }
    let store = web.context.store.clone();
    // The first slice is read before the response begins, so that an error still has a status of its own.
    let first = slice::<F>(&store, listing.clone(), keeps.clone()).await?;
    let header = line(F::COLUMNS.split(' '));
    let rows = stream::try_unfold((first, listing), move |((text, next), listing)| {
        let (store, keeps) = (store.clone(), keeps.clone());
        async move {
            let Some(text) = text else { return Ok::<_, StoreError>(None) };
            let following = match next {
                None => (None, None),
                Some(cursor) => slice::<F>(&store, listing.clone().after(cursor), keeps).await?,
            };
            Ok(Some((text, (following, listing))))
        }
    });
    let body = Body::from_stream(futures_util::StreamExt::chain(stream::iter([Ok(header)]), rows));
    Ok(file::<F>(body))
}

fn file<F: Export>(body: impl IntoResponse) -> Response {
    let file = format!("attachment; filename=\"{}.csv\"", F::NAME);
    let headers = [(header::CONTENT_TYPE, "text/csv; charset=utf-8"), (header::CONTENT_DISPOSITION, &*file)];
    (headers, body).into_response()
}

/// Exports the list of a page, which may be limited by a search.
pub(in crate::web) async fn found_csv<F: Export + DeserializeOwned>(
    State(web): State<Web>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let ListQuery(paging, filter, ..) = ListQuery::<F, ExportParams>::of_form(&query.unwrap_or_default())?;
    let (Some(text), Some(_)) = (paging.q(), F::SEARCH) else { return csv(&web, &paging, &filter).await };
    let zone = web.settings.get().hipay.time_zone.clone();
    // Invalid filters are reported, as on the page.
    let _ = filter.listing(&zone)?;
    let (found, all) = search(&web, &filter, &zone, text, MAX_FOUND, paging.descending()).await?;
    if !all {
        return Err(Problem::new(StatusCode::BAD_REQUEST, msg!("problem-export", most = MAX_FOUND)));
    }
    let rows = web.context.store.reading(move |reader| lines::<F>(reader, found)).await?;
    Ok(file::<F>(line(F::COLUMNS.split(' ')) + &rows))
}

/// Lines of text, and the position of the next slice.
type ExportSlice = (Option<String>, Option<Cursor>);

async fn slice<F: Export>(
    store: &crate::store::Store,
    listing: Query<F::Record>,
    keeps: impl Fn(&F::Record) -> bool + Send + 'static,
) -> Result<ExportSlice, StoreError> {
    let rows = move |reader: &crate::store::StoreReader<'_>| {
        let page = reader.page_uncounted(&listing)?;
        for unreadable in &page.unreadable {
            logged!(error, action = "web", msg!("log-export-incomplete", error = unreadable));
        }
        let kept = page.items.into_iter().filter(keeps).collect();
        Ok((Some(lines::<F>(reader, kept)?), page.next))
    };
    store.reading(rows).await
}

/// Writes the lines of these records.
fn lines<F: Export>(view: &impl View, records: Vec<F::Record>) -> Result<String, StoreError> {
    records.into_iter().map(|record| F::cells(view, record).map(line)).collect()
}

/// Writes one line. A cell that a spreadsheet would take for a formula gets an apostrophe in front.
fn line(cells: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for cell in cells {
        let cell = cell.as_ref();
        let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
        // Writing into memory fails only where memory does.
        let _ = if formula { writer.write_field(format!("'{cell}")) } else { writer.write_field(cell) };
    }
    let _ = writer.write_record(None::<&[u8]>);
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
