//! Lines of the log.

use axum::response::Response;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::export::{Export, csv_of};
use super::query::check_search_text;
use super::{List, ListFilter, Moment, Paging, Period, at_most, moment};
use crate::config::LogLevel;
use crate::logs::{self, LogLine};
use crate::store::{Cursor, Query, StoreError, StoreReader, View};
use crate::text::Texts;
use crate::web::Web;
use crate::web::problem::Problem;

/// Filters of the log.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct LogListFilter {
    /// Level of the line.
    level: Option<LogLevel>,
    /// Lowest level of the line; with `level`, both apply.
    level_from: Option<LogLevel>,
    /// Text that the message contains, in any case; the API searches the English messages. A page is searched through
    /// 20,000 lines within the other filters; if there are more, `total` is a floor and `next` continues.
    #[param(max_length = 200)]
    q: Option<String>,
    /// Earliest time of the line: a day, a time of day in the configured zone (`2026-11-21T03:12`) or an instant,
    /// inclusive.
    #[param(schema_with = moment)]
    from: Option<Moment>,
    /// Latest time of the line: a day, a minute or a second, inclusive, or an instant, exclusive.
    #[param(schema_with = moment)]
    to: Option<Moment>,
    /// Store ID of the shop in Mirakl.
    mirakl_id: Option<u64>,
    /// Action, such as `cashout:transfer`.
    action: Option<String>,
    /// Number of the batch.
    batch: Option<u64>,
}

/// A line of the log.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct LogItem {
    /// Time of the line (UTC).
    pub(in crate::web) date: Timestamp,
    /// Level of the line.
    pub(in crate::web) level: LogLevel,
    /// Action that wrote the line.
    pub(in crate::web) action: String,
    /// Store ID of the shop that it concerns.
    pub(in crate::web) mirakl_id: Option<u64>,
    /// Number of the batch that was running.
    pub(in crate::web) batch: Option<u64>,
    /// Text of the line.
    pub(in crate::web) message: String,
}

impl LogListFilter {
    /// Returns the filters that the indexes of the log have, each checked.
    fn indexed(&self, zone: &TimeZone) -> Result<logs::LogFilter, Problem> {
        at_most("mirakl_id", self.mirakl_id, i64::MAX.unsigned_abs())?;
        at_most("batch", self.batch, i64::MAX.unsigned_abs())?;
        let period = Period::new(self.from.as_ref(), self.to.as_ref(), zone)?;
        Ok(logs::LogFilter {
            level: self.level,
            level_from: self.level_from,
            action: self.action.clone(),
            mirakl_id: self.mirakl_id,
            batch: self.batch,
            from: period.from,
            to: period.to,
        })
    }

    /// Returns the text that messages have to contain, in lower case.
    fn text(&self) -> Result<Option<String>, Problem> {
        let text = self.q.as_deref().map(str::trim).filter(|text| !text.is_empty());
        check_search_text(text.unwrap_or_default())?;
        Ok(text.map(str::to_lowercase))
    }
}

impl ListFilter for LogListFilter {
    type Record = LogLine;
    type Item = LogItem;

    fn listing(&self, zone: &TimeZone) -> Result<Query<Self::Record>, Problem> {
        self.text()?;
        Ok(self.indexed(zone)?.listing().in_any_order())
    }

    fn passes(&self, line: &LogLine, zone: &TimeZone) -> Result<bool, Problem> {
        let filter = self.indexed(zone)?;
        let period = Period { from: filter.from, to: filter.to };
        Ok(filter.has_level(line.severity())
            && self.action.as_ref().is_none_or(|action| *action == line.action)
            && self.mirakl_id.is_none_or(|id| line.mirakl_id == Some(id))
            && self.batch.is_none_or(|batch| line.batch == Some(batch))
            && period.contains(line.at))
    }

    fn date(line: &LogLine) -> Timestamp {
        line.at
    }

    fn item(line: LogLine) -> LogItem {
        LogItem {
            date: line.at,
            level: line.severity(),
            action: line.action,
            mirakl_id: line.mirakl_id,
            batch: line.batch,
            message: line.message,
        }
    }
}

impl Export for LogListFilter {
    const NAME: &'static str = "logs";
    const COLUMNS: &'static str = "date level action mirakl_id batch message";
}

/// Maximum number of lines that are read for a page of a search; reading them takes some hundredths of a second.
const MAX_LINES_READ: usize = 20_000;
/// Number of lines read at once.
const SLICE: usize = 500;

/// Returns the requested page of the log. A text is searched in the messages as `texts` has them, English if none are
/// given; the records themselves are read for it, so the search stops after [`MAX_LINES_READ`] lines.
pub(in crate::web) async fn log_lines(
    web: &Web,
    paging: Paging,
    filter: LogListFilter,
    texts: Option<&'static Texts>,
) -> Result<List<LogLine>, Problem> {
    let Some(wanted) = filter.text()? else { return super::records(web, paging, filter).await };
    let mut listing = filter.listing(&web.settings.get().hipay.time_zone)?;
    if paging.descending() {
        listing = listing.descending();
    }
    let (page, per_page) = (paging.page(), paging.per_page());
    let rows = usize::from(per_page);
    let before = usize::try_from(page.saturating_sub(1)).unwrap_or(usize::MAX).saturating_mul(rows);
    let cursor = paging.cursor().map(Cursor::new);
    let found = web.context.store.reading(move |reader| {
        let matches = |line: &LogLine| contains(line, &wanted, texts);
        let mut all = LineSearch::new(None, 0);
        all.run(reader, &listing, matches)?;
        // A cursor determines the position by itself.
        let mut shown = LineSearch::new(Some(rows), if cursor.is_some() { 0 } else { before });
        shown.run(reader, &listing.after(cursor), matches)?;
        Ok((all, shown))
    });
    let (all, shown) = found.await?;
    let total_exact = all.rest.is_none();
    let passed = before.saturating_add(shown.lines.len());
    let next = shown.rest.filter(|_| !total_exact || passed < all.number);
    let total = u64::try_from(all.number).unwrap_or(u64::MAX);
    let next = next.map(|cursor| cursor.to_string());
    Ok(List { items: shown.lines, total, total_exact, page, per_page, next })
}

/// Returns true if the message of a line contains the text, which is in lower case.
fn contains(line: &LogLine, wanted: &str, texts: Option<&'static Texts>) -> bool {
    let message = texts.map_or_else(|| line.message.clone(), |texts| line.in_words(texts));
    message.to_lowercase().contains(wanted)
}

/// A search through the lines of a list.
struct LineSearch {
    /// Lines that were found after `skip` others, at most `rows`; without `rows` they are counted alone.
    lines: Vec<LogLine>,
    rows: Option<usize>,
    skip: usize,
    /// Number of lines that were found, the skipped ones included.
    number: usize,
    /// Position to continue from; `None` at the end of the list.
    rest: Option<Cursor>,
}

impl LineSearch {
    fn new(rows: Option<usize>, skip: usize) -> Self {
        Self { lines: Vec::new(), rows, skip, number: 0, rest: None }
    }

    /// Reads lines until there are enough or the limit is reached.
    fn run(
        &mut self,
        reader: &StoreReader<'_>,
        listing: &Query<LogLine>,
        matches: impl Fn(&LogLine) -> bool,
    ) -> Result<(), StoreError> {
        let mut query = Some(listing.clone().limit(SLICE));
        let mut left = MAX_LINES_READ;
        while let Some(slice) = query.take() {
            let (lines, next) = reader.slice(slice.clone())?;
            for (line, read) in lines.into_iter().zip(1..) {
                // The list without a search reports lines that cannot be read.
                let Ok(line) = line else { continue };
                if matches(&line) {
                    self.found(line);
                }
                if Some(self.lines.len()) == self.rows {
                    self.rest = reader.keys(&slice.limit(read))?.next;
                    return Ok(());
                }
            }
            left = left.saturating_sub(SLICE);
            if left == 0 && next.is_some() {
                self.rest = reader.keys(&slice)?.next;
                return Ok(());
            }
            query = next;
        }
        Ok(())
    }

    fn found(&mut self, line: LogLine) {
        self.number = self.number.saturating_add(1);
        if self.rows.is_some() && self.number > self.skip {
            self.lines.push(line);
        }
    }
}

/// Exports all lines that pass the filters; a text is searched as for [`log_lines`], but through all of them.
pub(in crate::web) async fn log_csv(
    web: &Web,
    paging: &Paging,
    filter: &LogListFilter,
    texts: Option<&'static Texts>,
) -> Result<Response, Problem> {
    let wanted = filter.text()?;
    let keeps = move |line: &LogLine| wanted.as_ref().is_none_or(|wanted| contains(line, wanted, texts));
    csv_of(web, paging, filter, keeps).await
}
