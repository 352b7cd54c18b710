//! Lists of the pages and the API, the same for both: filters, order, search, and the contents of a row.

mod batches;
mod cycles;
mod export;
pub(super) mod finding;
mod logs;
mod matching;
mod notifications;
mod operations;
mod payments;
mod query;
mod standing;
mod transactions;
mod vendors;
mod vouchers;

use jiff::tz::TimeZone;
use serde::de::{DeserializeOwned, Error, IntoDeserializer, Unexpected};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

pub(super) use batches::BatchFilter;
pub use batches::{BatchAmount, BatchDetail, BatchFailure, BatchItem};
pub(super) use cycles::{NoFilter, cycles};
pub(super) use export::{csv, found_csv};
pub(super) use logs::{LogItem, LogListFilter, log_csv, log_lines};
pub(super) use matching::matching;
pub(super) use notifications::{NotificationFilter, NotificationItem};
pub use operations::{OperationDetail, OperationItem};
pub(super) use operations::{OperationFilter, failed};
pub(super) use payments::{PaymentDetail, PaymentFilter, PaymentItem};
pub(super) use query::{
    ExportParams, ListQuery, Moment, NumberedPages, Ordering, PageParams, Paging, Parameters, check_search_text, moment,
};
use query::{Period, at_most};
pub(super) use transactions::{TransactionFilter, TransactionItem};
pub(super) use vendors::{VendorDetail, VendorFilter, VendorItem};
pub(super) use vouchers::VoucherFilter;
pub use vouchers::{VoucherDetail, VoucherItem};

use finding::FoundKeys;

use super::Web;
use super::problem::Problem;
use crate::domain::vendor::Vendor;
use crate::store::{Cursor, Index, Query, Record, StoreError, StoreReader, View};
use crate::text::message::{Message, logged};

/// Upper bound on records that a search reads where all of them are needed.
const MAX_FOUND: usize = 1_000;
/// Upper bound on records that a search reads for a page: each is read before sorting, and a person who finds this many
/// types a longer text.
const MAX_FOUND_FOR_PAGE: usize = 150;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct List<T> {
    /// Rows of the page.
    pub(super) items: Vec<T>,
    /// Number of rows in the whole list; a lower bound if `total_exact` is false.
    pub(super) total: u64,
    /// Exactness of `total`: false if counting would take too long.
    pub(super) total_exact: bool,
    /// Number of this page, as requested.
    pub(super) page: u32,
    /// Maximum number of rows per page.
    pub(super) per_page: u16,
    /// Value of `cursor` for the next page; absent on the last page, and for a search.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

impl<T> List<T> {
    /// Converts each record.
    pub(super) fn map<U>(self, say: impl FnMut(T) -> U) -> List<U> {
        let Self { items, total, total_exact, page, per_page, next } = self;
        List { items: items.into_iter().map(say).collect(), total, total_exact, page, per_page, next }
    }

    /// Converts each record by a function that can fail.
    pub(super) fn try_map<U, E>(self, say: impl FnMut(T) -> Result<U, E>) -> Result<List<U>, E> {
        let Self { items, total, total_exact, page, per_page, next } = self;
        let items = items.into_iter().map(say).collect::<Result<_, E>>()?;
        Ok(List { items, total, total_exact, page, per_page, next })
    }
}

/// Reads a choice exactly. Its type takes an unknown name for that of a later release; in a filter, an unknown name is
/// a mistake.
fn exactly<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Copy + Into<&'static str> + Deserialize<'de>,
{
    let text = String::deserialize(deserializer)?;
    let read = T::deserialize(IntoDeserializer::<D::Error>::into_deserializer(text.clone()))?;
    if read.into() == text {
        Ok(Some(read))
    } else {
        Err(D::Error::invalid_value(Unexpected::Str(&text), &"a name of this release"))
    }
}

/// Returns the choices of `all` that pass a filter which may be unset.
fn passing<T: Copy + PartialEq, I: IntoIterator<Item = T, IntoIter: Clone>>(
    wanted: Option<T>,
    all: I,
) -> impl Iterator<Item = T> + Clone {
    all.into_iter().filter(move |one| wanted.is_none_or(|wanted| wanted == *one))
}

/// Returns the name of a shop; `None` if it is not known.
fn shop_name(view: &impl View, mirakl_id: u64) -> Result<Option<String>, StoreError> {
    Ok(view.get::<Vendor>(&mirakl_id)?.map(|vendor| vendor.name).filter(|name| !name.is_empty()))
}

/// Filters of one list.
pub(super) trait ListFilter: Send + Sync + 'static {
    /// Type of the listed records.
    type Record: Record<Key: PartialEq>;
    /// Type of a row.
    type Item: Serialize + ToSchema + Send + 'static;

    /// Index that a search uses; `None` if the list cannot be searched.
    const SEARCH: Option<Index<Self::Record, (), String>> = None;

    /// Finds the records that a search text names, the closest first: by default, those that [`ListFilter::SEARCH`] has
    /// under texts that begin with it. It reads at most `most` entries of each index.
    fn find(
        view: &StoreReader<'_>,
        text: &str,
        most: usize,
    ) -> Result<FoundKeys<<Self::Record as Record>::Key>, StoreError> {
        match Self::SEARCH {
            Some(index) => finding::beginning_with(view, index, &text.to_lowercase(), most),
            None => Ok(FoundKeys::nothing()),
        }
    }

    /// Returns the rows that pass all filters, earliest first.
    fn listing(&self, zone: &TimeZone) -> Result<Query<Self::Record>, Problem>;

    /// Returns true if a record that a search has found passes all filters.
    fn passes(&self, record: &Self::Record, zone: &TimeZone) -> Result<bool, Problem>;

    /// Returns the time by which the list is sorted, for records that a search has found.
    fn date(record: &Self::Record) -> jiff::Timestamp;

    /// Converts a record to a row.
    fn item(record: Self::Record) -> Self::Item;

    /// Converts a record to a row with what other records state, such as the shop's name.
    fn full_item(_view: &impl View, record: Self::Record) -> Result<Self::Item, StoreError> {
        Ok(Self::item(record))
    }
}

/// Returns the requested page of a list, as the API shows it.
pub(super) async fn page<F: ListFilter, P>(web: &Web, query: ListQuery<F, P>) -> Result<List<F::Item>, Problem> {
    let ListQuery(paging, filter, ..) = query;
    let found = records(web, paging, filter).await?;
    Ok(web.context.store.reading(move |reader| found.try_map(|record| F::full_item(reader, record))).await?)
}

/// Returns the records that the query of a page requests.
pub(super) async fn query_records<F, P>(web: &Web, query: &str) -> Result<List<F::Record>, Problem>
where
    F: ListFilter + DeserializeOwned,
    P: Parameters,
{
    let ListQuery(paging, filter, ..) = ListQuery::<F, P>::of_form(query)?;
    records(web, paging, filter).await
}

/// Returns the records on the requested page of a list.
pub(super) async fn records<F: ListFilter>(web: &Web, paging: Paging, filter: F) -> Result<List<F::Record>, Problem> {
    let zone = web.settings.get().hipay.time_zone.clone();
    let (number, per_page) = (paging.page(), paging.per_page());
    let rows = usize::from(per_page);
    // A cursor determines the position by itself.
    let passed = if paging.cursor().is_some() { 0 } else { number.saturating_sub(1) };
    let skip = rows.saturating_mul(usize::try_from(passed).unwrap_or(usize::MAX));
    let descending = paging.descending();
    // Invalid filters are reported in either case.
    let listing = filter.listing(&zone)?;
    if let (Some(text), Some(_)) = (paging.q(), F::SEARCH) {
        let (found, total_exact) = search(web, &filter, &zone, text, MAX_FOUND_FOR_PAGE, descending).await?;
        let total = u64::try_from(found.len()).unwrap_or(u64::MAX);
        let items = found.into_iter().skip(skip).take(rows).collect();
        return Ok(List { items, total, total_exact, page: number, per_page, next: None });
    }
    let mut listing = listing.limit(rows).skip(skip).after(paging.cursor().map(Cursor::new));
    if descending {
        listing = listing.descending();
    }
    let found = web.context.store.reading(move |reader| reader.page(&listing)).await?;
    for unreadable in &found.unreadable {
        logged!(error, action = "web", Message::from(unreadable));
    }
    Ok(List {
        items: found.items,
        total: found.total,
        total_exact: found.total_exact,
        page: number,
        per_page,
        next: found.next.map(|cursor| cursor.to_string()),
    })
}

/// Finds what `text` names, and returns true if these are all. It reads at most `most` records, few enough to be sorted
/// and filtered here.
async fn search<F: ListFilter>(
    web: &Web,
    filter: &F,
    zone: &TimeZone,
    text: &str,
    most: usize,
    descending: bool,
) -> Result<(Vec<F::Record>, bool), Problem> {
    let text = text.to_owned();
    let found = web.context.store.reading(move |reader| {
        let found = F::find(reader, &text, most)?;
        let all = found.all && found.keys.len() <= most;
        let mut records = Vec::with_capacity(found.keys.len().min(most));
        for key in found.keys.iter().take(most) {
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
    Ok((passed, all))
}
