//! The lists that pages and the API show: their filters, their order, their search, and what a row
//! of each says. Alike for both.

mod asked;
mod batches;
mod export;
mod logs;
mod notifications;
mod operations;
mod payments;
mod transactions;
mod vendors;
mod vouchers;

use jiff::tz::TimeZone;
use serde::de::{DeserializeOwned, Error, IntoDeserializer};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

pub(super) use asked::{Asked, Exported, Moment, Ordering, Paging, Turning, moment};
use asked::{Parameters, Period, at_most};
pub(super) use batches::{BatchCommand, BatchFilter, BatchItem};
pub(super) use export::{csv, found_csv};
pub(super) use logs::{LogFilter, LogItem};
pub(super) use notifications::{NotificationFilter, NotificationItem};
pub(super) use operations::{OperationDetail, OperationFilter, OperationItem, failed};
pub(super) use payments::{PaymentDetail, PaymentFilter, PaymentItem};
pub(super) use transactions::{TransactionFilter, TransactionItem};
pub(super) use vendors::{VendorDetail, VendorFilter, VendorItem};
pub(super) use vouchers::{VoucherDetail, VoucherFilter};

use super::Web;
use super::problem::Problem;
use crate::domain::inbox::{NotificationKind, NotificationState};
use crate::domain::ledger::LedgerMatch;
use crate::jobs::BatchState;
use crate::store::{Cursor, Listing, Ordered, Query, Record, View};

/// How many records a search looks at, for something that is to have all of them.
const FOUND_AT_MOST: usize = 1_000;
/// The same for a page: each is read before it can be sorted, and whoever finds so many writes more.
const FOUND_FOR_A_PAGE: usize = 150;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct List<T: ToSchema> {
    /// The rows.
    pub(super) items: Vec<T>,
    /// How many rows the whole list has; at least so many where `total_exact` is false.
    pub(super) total: u64,
    /// Whether `total` is exact: it is not where counting would take too long.
    pub(super) total_exact: bool,
    /// The number of this page, as it was asked for.
    pub(super) page: u32,
    /// How many rows a page has at most.
    pub(super) per_page: u16,
    /// What `cursor` takes to go on from here; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

/// What was found of a list: its records, or what is said of each.
#[derive(Debug)]
pub(super) struct Found<T> {
    /// The rows of the page.
    pub(super) items: Vec<T>,
    /// How many rows the whole list has; at least so many where that is not exact.
    pub(super) total: u64,
    /// Whether `total` is exact.
    pub(super) total_exact: bool,
    /// The number of the page, as it was asked for.
    pub(super) page: u32,
    /// How many rows a page has at most.
    pub(super) per_page: u16,
    /// Where the next page begins.
    pub(super) next: Option<String>,
}

impl<T> Found<T> {
    /// The same, with something else said of each record.
    pub(super) fn map<U>(self, say: impl FnMut(T) -> U) -> Found<U> {
        let Self { items, total, total_exact, page, per_page, next } = self;
        Found { items: items.into_iter().map(say).collect(), total, total_exact, page, per_page, next }
    }

    /// Describes each record by a function that can fail.
    pub(super) fn try_map<U, E>(self, say: impl FnMut(T) -> Result<U, E>) -> Result<Found<U>, E> {
        let Self { items, total, total_exact, page, per_page, next } = self;
        let items = items.into_iter().map(say).collect::<Result<_, E>>()?;
        Ok(Found { items, total, total_exact, page, per_page, next })
    }
}

impl<T: ToSchema> From<Found<T>> for List<T> {
    fn from(Found { items, total, total_exact, page, per_page, next }: Found<T>) -> Self {
        Self { items, total, total_exact, page, per_page, next }
    }
}

/// A choice that has a name.
trait Named: Copy {
    fn name(self) -> &'static str;
}

impl Named for NotificationKind {
    fn name(self) -> &'static str {
        self.name()
    }
}

impl Named for NotificationState {
    fn name(self) -> &'static str {
        self.name()
    }
}

impl Named for BatchState {
    fn name(self) -> &'static str {
        self.name()
    }
}

impl Named for LedgerMatch {
    fn name(self) -> &'static str {
        self.name()
    }
}

/// Reads a choice of a type that takes what it does not know for something of a later release: in a
/// filter that is a slip.
fn exactly<'de, D: Deserializer<'de>, T: Named + Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let read = T::deserialize(IntoDeserializer::<D::Error>::into_deserializer(text.clone()))?;
    if read.name() == text { Ok(Some(read)) } else { Err(D::Error::custom("there is no such choice")) }
}

/// The filters of one list.
pub(super) trait Filter: Send + Sync + 'static {
    /// What is listed.
    type Record: Record;
    /// What a row says.
    type Item: Serialize + ToSchema + Send + 'static;

    /// The index that a search goes through.
    const SEARCH: &'static str = "search";

    /// The rows that pass all filters, the earliest first.
    fn listing(&self, zone: &TimeZone) -> Result<Listing, Problem>;

    /// The same for one record that a search has found.
    fn passes(&self, record: &Self::Record, zone: &TimeZone) -> Result<bool, Problem>;

    /// What the list is sorted by, for records that a search has found.
    fn date(record: &Self::Record) -> jiff::Timestamp;

    /// What a row says.
    fn item(record: Self::Record) -> Self::Item;
}

/// The page of a list that was asked for, as the API shows it.
pub(super) async fn page<F: Filter>(web: &Web, paging: Paging, filter: F) -> Result<List<F::Item>, Problem> {
    Ok(records(web, paging, filter).await?.map(F::item).into())
}

/// The records that the query of a page asks for.
pub(super) async fn found<F, P>(web: &Web, query: Option<String>) -> Result<Found<F::Record>, Problem>
where
    F: Filter + DeserializeOwned,
    P: Parameters + Into<Paging>,
{
    let Asked(paging, filter) = Asked::<F, P>::of_form(&query.unwrap_or_default())?;
    records(web, paging.into(), filter).await
}

/// The records on the page of a list that was asked for.
pub(super) async fn records<F: Filter>(web: &Web, paging: Paging, filter: F) -> Result<Found<F::Record>, Problem> {
    let zone = web.settings.get().hipay.time_zone.clone();
    let (number, per_page) = (paging.page(), paging.per_page());
    let rows = usize::from(per_page);
    // A cursor says by itself where to go on.
    let passed = if paging.cursor().is_some() { 0 } else { number.saturating_sub(1) };
    let skip = rows.saturating_mul(usize::try_from(passed).unwrap_or(usize::MAX));
    let descending = paging.descending();
    // Whatever way is taken, what is wrong with the filters is said.
    let listing = filter.listing(&zone)?;
    if let Some(text) = paging.q() {
        return search(web, filter, &zone, text, (skip, FOUND_FOR_A_PAGE), (number, per_page), descending).await;
    }
    let mut listing = listing.limit(rows).skip(skip).after(paging.cursor().map(Cursor::new));
    if descending {
        listing = listing.descending();
    }
    let found = web.context.store.reading(move |reader| reader.list::<F::Record>(&listing)).await?;
    for unreadable in &found.unreadable {
        tracing::error!(action = "web", "{unreadable}");
    }
    Ok(Found {
        items: found.items,
        total: found.total,
        total_exact: found.total_exact,
        page: number,
        per_page,
        next: found.next.map(|cursor| cursor.to_string()),
    })
}

/// Ids and logins that begin with `text`: `most` are looked at, so few that they are sorted and filtered
/// here.
async fn search<F: Filter>(
    web: &Web,
    filter: F,
    zone: &TimeZone,
    text: &str,
    (skip, most): (usize, usize),
    (page, per_page): (u32, u16),
    descending: bool,
) -> Result<Found<F::Record>, Problem> {
    let query = Query::group(F::SEARCH, ()).beginning_with(&text.to_lowercase()).limit(most);
    let found = web.context.store.reading(move |reader| {
        let found = reader.keys::<F::Record>(&query)?;
        let (mut keys, all) = (found.keys, found.next.is_none());
        // Found by two of its texts, it is one record all the same.
        keys.sort_by_cached_key(Ordered::encoded);
        keys.dedup_by_key(|key| key.encoded());
        let mut records = Vec::with_capacity(keys.len());
        for key in &keys {
            records.extend(reader.get::<F::Record>(key)?);
        }
        Ok((records, all))
    });
    let (mut records, all) = found.await?;
    records.sort_by_key(F::date);
    if descending {
        records.reverse();
    }
    let mut passed = Vec::with_capacity(records.len());
    for record in records {
        if filter.passes(&record, zone)? {
            passed.push(record);
        }
    }
    let total = u64::try_from(passed.len()).unwrap_or(u64::MAX);
    let items = passed.into_iter().skip(skip).take(usize::from(per_page)).collect();
    Ok(Found { items, total, total_exact: all, page, per_page, next: None })
}
