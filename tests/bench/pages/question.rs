//! Questions about a list: filters, a period, an order and a place in it; as an address, for our store and in SQL.

use std::collections::BTreeSet;

use cashout::store::{Cursor, Ordered, Query, StoreError, StoreReader, View};
use jiff::{SignedDuration, Timestamp};
use rusqlite::types::Value;

use super::dashboard::Served;
use super::marketplace;
use super::record_kinds::{Period, Shelf};
use super::sqlite::Sql;

/// Number of places of a list that are tried.
const PLACES: i64 = 100;
/// Upper bound on the results of a search that are read, as on the pages.
const MAX_FOUND: usize = 150;

/// A question about a list.
pub(super) struct Question {
    pub(super) what: &'static str,
    filters: Vec<(&'static str, String)>,
    /// Period, from and to as numbers of days before now.
    days: Option<(i64, i64)>,
    earliest_first: bool,
    start: Start,
}

/// Position in the list.
enum Start {
    First,
    /// After cursors throughout the list.
    Anywhere,
    Numbered(u32),
    /// Search for these prefixes instead of the list.
    Search(Vec<String>),
}

impl Question {
    /// Asks for the first page of the records that pass these filters, the latest first.
    pub(super) fn new(what: &'static str, filters: &[(&'static str, &str)]) -> Self {
        let filters = filters.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { what, filters, days: None, earliest_first: false, start: Start::First }
    }

    pub(super) fn of_days(self, from: i64, to: i64) -> Self {
        Self { days: Some((from, to)), ..self }
    }

    pub(super) fn earliest_first(self) -> Self {
        Self { earliest_first: true, ..self }
    }

    pub(super) fn anywhere(self) -> Self {
        Self { start: Start::Anywhere, ..self }
    }

    pub(super) fn numbered(self, page: u32) -> Self {
        Self { start: Start::Numbered(page), ..self }
    }

    pub(super) fn search(what: &'static str, prefixes: Vec<String>) -> Self {
        Self { start: Start::Search(prefixes), ..Self::new(what, &[]) }
    }

    /// Returns the beginning and the end of the period.
    fn period(&self) -> Period {
        let ago = |days: i64| marketplace::now() - SignedDuration::from_hours(24 * days);
        (self.days.map(|(from, _)| ago(from)), self.days.map(|(_, to)| ago(to)))
    }

    fn listing<R: Shelf>(&self, period: Period) -> Query<R> {
        let listing = R::listing(&self.filters, period);
        if self.earliest_first { listing } else { listing.descending() }
    }

    /// Returns all variants of the question.
    pub(super) fn asked<R: Shelf>(&self, served: &Served) -> Vec<Asked<R>> {
        if let Start::Search(prefixes) = &self.start {
            let asked = |prefix: &String| Asked {
                address: format!("/dashboard/{}?q={prefix}", page_of::<R>()),
                ours: Ours::Search(prefix.to_lowercase()),
                theirs: Sql::search::<R>(&prefix.to_lowercase()),
            };
            return prefixes.iter().map(asked).collect();
        }
        let whole = self.listing::<R>(self.period());
        let exact = {
            let whole = whole.clone();
            served.store().read(|reader| reader.page(&whole)).unwrap().total_exact
        };
        let (from, to) = self.period();
        let micros = (from.map(Timestamp::as_microsecond), to.map(Timestamp::as_microsecond));
        let places = self.places::<R>(served);
        let asked = |place: Place| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(&self.filters);
            for (name, at) in [("from", from), ("to", to)] {
                if let Some(at) = at {
                    query.append_pair(name, &at.to_string());
                }
            }
            if self.earliest_first {
                query.append_pair("sort", "date");
            }
            if place.skip > 0 {
                query.append_pair("page", &(place.skip.div_euclid(50) + 1).to_string());
            }
            if let Some(cursor) = &place.cursor {
                query.append_pair("cursor", &cursor.to_string());
            }
            Asked {
                address: format!("/dashboard/{}?{}", page_of::<R>(), query.finish()),
                ours: Ours::List(Box::new(whole.clone().skip(place.skip).after(place.cursor.clone()))),
                theirs: Sql::list::<R>(&self.filters, micros, self.earliest_first, &place, exact),
            }
        };
        places.into_iter().map(asked).collect()
    }

    /// Returns the beginnings of the pages.
    fn places<R: Shelf>(&self, served: &Served) -> Vec<Place> {
        let first = Place { after: None, cursor: None, skip: 0 };
        match &self.start {
            Start::First | Start::Search(_) => vec![first],
            Start::Numbered(page) => vec![Place { skip: (usize::try_from(*page).unwrap() - 1) * 50, ..first }],
            Start::Anywhere => {
                let (from, to) = self.days.unwrap_or((295, 5));
                let place = |nth: i64| {
                    let hours = 24 * to + (from - to) * 24 * (nth * 37 % PLACES) / PLACES;
                    let at = marketplace::now() - SignedDuration::from_hours(hours);
                    let (from, to) = self.period();
                    let period = if self.earliest_first { (Some(at), to) } else { (from, Some(at)) };
                    let listing = self.listing::<R>(period);
                    let page = served.store().read(|reader| reader.page_uncounted(&listing)).unwrap();
                    let last = page.items.last()?;
                    let after = Some((last.at().as_microsecond(), last.number()));
                    Some(Place { after, cursor: Some(page.next?), skip: 0 })
                };
                (0..PLACES).filter_map(place).collect()
            }
        }
    }
}

/// Returns the page that lists a kind of record.
fn page_of<R: Shelf>() -> &'static str {
    match R::TABLE {
        "operations" => "transfers",
        "batches" => "settings",
        other => other,
    }
}

/// Beginning of a page: after a row, or after a number of rows.
pub(super) struct Place {
    /// The time and the key of the previous row.
    pub(super) after: Option<(i64, Value)>,
    pub(super) cursor: Option<Cursor>,
    pub(super) skip: usize,
}

/// One variant of a question.
pub(super) struct Asked<R> {
    pub(super) address: String,
    ours: Ours<R>,
    pub(super) theirs: Sql,
}

enum Ours<R> {
    List(Box<Query<R>>),
    Search(String),
}

/// Answer of our store: the records, the length of the whole list, and whether that is exact.
pub(super) type Answer<R> = (Vec<R>, u64, bool);

impl<R: Shelf> Asked<R> {
    /// Queries our store, as the pages do.
    pub(super) fn ask(&self, served: &Served) -> Answer<R> {
        let answer = served.store().read(|reader| match &self.ours {
            Ours::List(listing) => {
                let page = reader.page(listing)?;
                assert!(page.unreadable.is_empty());
                Ok((page.items, page.total, page.total_exact))
            }
            Ours::Search(prefix) => search(reader, prefix),
        });
        answer.unwrap()
    }
}

fn search<R: Shelf>(reader: &StoreReader<'_>, prefix: &str) -> Result<Answer<R>, StoreError> {
    let query = Query::group(R::SEARCHED.unwrap(), ()).beginning_with(prefix).limit(MAX_FOUND);
    let found = reader.keys(&query)?;
    let mut seen = BTreeSet::new();
    let mut records = Vec::new();
    for key in &found.keys {
        if seen.insert(key.encoded()) {
            records.extend(reader.get::<R>(key)?);
        }
    }
    records.sort_by_key(R::at);
    records.reverse();
    let total = u64::try_from(records.len()).unwrap();
    records.truncate(50);
    Ok((records, total, found.next.is_none()))
}
