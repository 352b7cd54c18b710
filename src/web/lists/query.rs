//! The query of a list: page, order and filters.

use std::marker::PhantomData;
use std::ops::Range;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::openapi::{KnownFormat, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, Type};
use utoipa::{IntoParams, ToSchema};

use crate::store::{Query, Record};
use crate::text::message::{Message, msg};
use crate::web::fields::{RequestFieldError, read_fields};
use crate::web::problem::Problem;

/// Page and order of a list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct Paging {
    /// Number of the page, 1 to 500. With `cursor`, which reaches further, the number does not select the rows.
    #[param(minimum = 1, maximum = 500)]
    page: Option<u32>,
    /// Number of rows per page, 1 to 200. Default: 50.
    #[param(minimum = 1, maximum = 200)]
    per_page: Option<u16>,
    /// Order: `-date` (latest first, the default) or `date`.
    #[param(inline)]
    sort: Option<SortOrder>,
    /// Search text: only rows with a number that begins with it. Vendors are also found by a part of the name, the login
    /// or the e-mail; operations and vouchers by a part of the shop's name, and by a transaction or a reference of HiPay.
    #[param(max_length = 200)]
    q: Option<String>,
    /// Position to continue from: `next` of the previous page. Needs the same filters and order.
    #[param(max_length = 2_000, pattern = "^[0-9a-f]*$")]
    cursor: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
enum SortOrder {
    #[serde(rename = "-date")]
    LatestFirst,
    #[serde(rename = "date")]
    EarliestFirst,
}

/// Page and order of a list that has no search.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct PageParams {
    /// Number of the page, 1 to 500. With `cursor`, which reaches further, the number does not select the rows.
    #[param(minimum = 1, maximum = 500)]
    page: Option<u32>,
    /// Number of rows per page, 1 to 200. Default: 50.
    #[param(minimum = 1, maximum = 200)]
    per_page: Option<u16>,
    /// Order: `-date` (latest first, the default) or `date`.
    #[param(inline)]
    sort: Option<SortOrder>,
    /// Position to continue from: `next` of the previous page. Needs the same filters and order.
    #[param(max_length = 2_000, pattern = "^[0-9a-f]*$")]
    cursor: Option<String>,
}

impl From<PageParams> for Paging {
    fn from(PageParams { page, per_page, sort, cursor }: PageParams) -> Self {
        Self { page, per_page, sort, q: None, cursor }
    }
}

/// Page and order of a list that is short enough for numbered pages alone.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NumberedPages {
    /// Number of the page, 1 to 500.
    #[param(minimum = 1, maximum = 500)]
    page: Option<u32>,
    /// Number of rows per page, 1 to 200. Default: 50.
    #[param(minimum = 1, maximum = 200)]
    per_page: Option<u16>,
    /// Order: `-date` (latest first, the default) or `date`.
    #[param(inline)]
    sort: Option<SortOrder>,
}

impl From<NumberedPages> for Paging {
    fn from(NumberedPages { page, per_page, sort }: NumberedPages) -> Self {
        Self { page, per_page, sort, ..Self::default() }
    }
}

/// Order of an export, which is always the whole list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct Ordering {
    /// Order: `-date` (latest first, the default) or `date`.
    #[param(inline)]
    sort: Option<SortOrder>,
}

impl From<Ordering> for Paging {
    fn from(Ordering { sort }: Ordering) -> Self {
        Self { sort, ..Self::default() }
    }
}

/// Order of an export of a page's list: the whole list, or the results of a search.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct ExportParams {
    sort: Option<SortOrder>,
    q: Option<String>,
}

impl From<ExportParams> for Paging {
    fn from(ExportParams { sort, q }: ExportParams) -> Self {
        Self { sort, q, ..Self::default() }
    }
}

/// Parameters of an address besides the filters: all of [`Paging`], or a part of it.
pub(in crate::web) trait Parameters: DeserializeOwned + Into<Paging> {
    /// Names of the parameters.
    const KEYS: &'static [&'static str];
}

impl Parameters for Paging {
    const KEYS: &'static [&'static str] = &["page", "per_page", "sort", "q", "cursor"];
}

impl Parameters for PageParams {
    const KEYS: &'static [&'static str] = &["page", "per_page", "sort", "cursor"];
}

impl Parameters for NumberedPages {
    const KEYS: &'static [&'static str] = &["page", "per_page", "sort"];
}

impl Parameters for Ordering {
    const KEYS: &'static [&'static str] = &["sort"];
}

impl Parameters for ExportParams {
    const KEYS: &'static [&'static str] = &["sort", "q"];
}

impl Paging {
    pub(super) fn page(&self) -> u32 {
        self.page.unwrap_or(1)
    }

    pub(super) fn per_page(&self) -> u16 {
        self.per_page.unwrap_or(50)
    }

    pub(super) fn descending(&self) -> bool {
        self.sort != Some(SortOrder::EarliestFirst)
    }

    /// Returns the search text, if any.
    pub(in crate::web) fn q(&self) -> Option<&str> {
        self.q.as_deref().map(str::trim).filter(|text| !text.is_empty())
    }

    pub(super) fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// Checks the values.
    fn check(&self) -> Result<(), Problem> {
        if !(1..=500).contains(&self.page()) {
            return Err(wrong(msg!("problem-page")));
        }
        check_search_text(self.q.as_deref().unwrap_or_default())?;
        if !(1..=200).contains(&self.per_page()) {
            return Err(wrong(msg!("problem-rows")));
        }
        let is_cursor = |text: &String| text.len() <= 2_000 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !self.cursor.as_ref().is_none_or(is_cursor) {
            return Err(wrong(msg!("problem-cursor")));
        }
        Ok(())
    }
}

/// Extractor of paging and filters, each checked. The address may have the parameters `P` besides the filters.
#[derive(Debug)]
pub(in crate::web) struct ListQuery<F, P = Paging>(
    pub(in crate::web) Paging,
    pub(in crate::web) F,
    pub(in crate::web) PhantomData<fn() -> P>,
);

impl<F: DeserializeOwned, P: Parameters, S: Sync> FromRequestParts<S> for ListQuery<F, P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Self::of(parts.uri.query().unwrap_or_default(), |_| true)
    }
}

impl<F: DeserializeOwned, P: Parameters> ListQuery<F, P> {
    /// Reads the query of a page, whose form also sends the filters that are not set, as empty values.
    pub(in crate::web) fn of_form(query: &str) -> Result<Self, Problem> {
        Self::of(query, |value| !value.trim().is_empty())
    }

    fn of(query: &str, counts: impl Fn(&str) -> bool) -> Result<Self, Problem> {
        let wrong = |error: RequestFieldError| Problem::new(StatusCode::BAD_REQUEST, error.message(P::KEYS));
        let fields = form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| counts(value));
        let (paging, filters): (Vec<_>, Vec<_>) = fields.partition(|(name, _)| P::KEYS.contains(&name.as_ref()));
        let paging: Paging = read_fields::<P>(paging.into_iter()).map_err(wrong)?.into();
        paging.check()?;
        let filters = read_fields(filters.into_iter()).map_err(wrong)?;
        Ok(Self(paging, filters, PhantomData))
    }
}

/// A point in time as people write it: a day or a time of day in the configured zone, or an instant. A day means all of
/// it, and so do a minute (`2026-11-21T03:12`) and a second.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(in crate::web) struct Moment(String);

impl From<&str> for Moment {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// Returns the schema of a [`Moment`] for the API's description.
pub(in crate::web) fn moment() -> Schema {
    let text = |format| ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(format)));
    OneOfBuilder::new().item(text(KnownFormat::Date)).item(text(KnownFormat::DateTime)).into()
}

impl Moment {
    /// Returns the first instant of the moment; an error names `key`.
    pub(in crate::web) fn begin(&self, key: &str, zone: &TimeZone) -> Result<Timestamp, Problem> {
        self.range(key, zone).map(|range| range.start)
    }

    /// Returns the period of the moment: the whole day, hour, minute or second, or the instant alone.
    fn range(&self, key: &str, zone: &TimeZone) -> Result<Range<Timestamp>, Problem> {
        let text = self.0.trim();
        let wrong = || wrong(msg!("problem-moment", name = key));
        if let Ok(instant) = text.parse::<Timestamp>() {
            return Ok(instant..instant);
        }
        if let Some((_, time)) = text.split_once(['T', 't', ' ']) {
            if !time.chars().all(|sign| sign.is_ascii_digit() || ":.,".contains(sign)) {
                return Err(wrong());
            }
            let stated: DateTime = text.parse().map_err(|_| wrong())?;
            return time_range(stated, unit_of(time), zone).ok_or_else(wrong);
        }
        let day: Date = text.parse().map_err(|_| wrong())?;
        let begins = |day: Date| day.to_zoned(zone.clone()).map(|zoned| zoned.timestamp());
        let next = day.tomorrow().and_then(begins).unwrap_or(Timestamp::MAX);
        Ok(begins(day).map_err(|_| wrong())?..next)
    }

    /// Returns the first minute of the moment, or its last one, in the configured zone: `2026-11-21T03:12`.
    pub(in crate::web) fn minute(&self, last: bool, zone: &TimeZone) -> Option<String> {
        let range = self.range("", zone).ok()?;
        let end = range.end.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(range.end);
        let at = if last { end } else { range.start };
        Some(at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M").to_string())
    }
}

/// Returns the length of what a time of day names: `03` an hour, `03:12` a minute, `03:12:09` a second, anything finer
/// an instant.
fn unit_of(time: &str) -> SignedDuration {
    match time.chars().filter(char::is_ascii_digit).count() {
        2 => SignedDuration::from_hours(1),
        4 => SignedDuration::from_mins(1),
        6 => SignedDuration::from_secs(1),
        _ => SignedDuration::ZERO,
    }
}

/// Returns the period of a time of day. While clocks are set back, the same minute comes twice: it contains both.
fn time_range(stated: DateTime, unit: SignedDuration, zone: &TimeZone) -> Option<Range<Timestamp>> {
    let at = zone.to_ambiguous_timestamp(stated);
    let (start, last) = (at.compatible().ok()?, at.later().ok()?);
    Some(start..last.checked_add(unit).unwrap_or(Timestamp::MAX))
}

/// Maximum length of a search text, in characters.
const MAX_SEARCH_LENGTH: usize = 200;

/// Refuses a search text that is too long.
pub(in crate::web) fn check_search_text(text: &str) -> Result<(), Problem> {
    if text.chars().count() > MAX_SEARCH_LENGTH {
        return Err(wrong(msg!("problem-search")));
    }
    Ok(())
}

/// Returns a 400 with this message.
pub(super) fn wrong(message: Message) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, message)
}

/// Refuses a number above `most`, which no record can have.
pub(super) fn at_most(key: &str, number: Option<u64>, most: u64) -> Result<(), Problem> {
    if number.is_none_or(|number| number <= most) {
        return Ok(());
    }
    Err(wrong(msg!("problem-number", name = key, most)))
}

/// Period that a list is limited to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Period {
    pub(super) from: Option<Timestamp>,
    pub(super) to: Option<Timestamp>,
}

impl Period {
    /// Creates a period that includes the days of both ends.
    pub(super) fn new(from: Option<&Moment>, to: Option<&Moment>, zone: &TimeZone) -> Result<Self, Problem> {
        let from = from.map(|from| from.range("from", zone)).transpose()?;
        let to = to.map(|to| to.range("to", zone)).transpose()?;
        Ok(Self { from: from.map(|range| range.start), to: to.map(|range| range.end) })
    }

    /// Limits a list by time to the period.
    pub(super) fn limit<R: Record>(self, mut listing: Query<R, Timestamp>) -> Query<R, Timestamp> {
        if let Some(from) = self.from {
            listing = listing.from(from);
        }
        if let Some(to) = self.to {
            listing = listing.to(to);
        }
        listing
    }

    /// Returns true if `at` is within the period.
    pub(super) fn contains(self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| at >= from) && self.to.is_none_or(|to| at < to)
    }
}
