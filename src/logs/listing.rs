//! The list of lines and its filters.

use jiff::Timestamp;

use crate::config::LogLevel;
use crate::store::{ListPage, Ordered};

/// Filters of a list of log lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Level of the lines.
    pub level: Option<LogLevel>,
    /// Action of the lines.
    pub action: Option<String>,
    /// Shop that the lines are about.
    pub mirakl_id: Option<u64>,
    /// Batch of the lines.
    pub batch: Option<u64>,
    /// Earliest time, inclusive (UTC).
    pub from: Option<Timestamp>,
    /// Latest time, exclusive (UTC).
    pub to: Option<Timestamp>,
}

impl LogFilter {
    /// Returns the lines that pass all filters, the earliest first.
    pub fn listing(&self) -> ListPage {
        let level = self.level.map(|level| u64::from(level.number()));
        let mut listing = ListPage::all().numbered_by("level");
        if let Some(batch) = self.batch {
            listing = of_level(listing, "batch", batch, level);
        }
        if let Some(id) = self.mirakl_id {
            listing = of_level(listing, "mirakl_id", id, level);
        }
        if let Some(action) = self.action.as_deref() {
            listing = of_level(listing, "action", action, level);
        }
        if self.batch.is_none() && self.mirakl_id.is_none() && self.action.is_none() {
            listing = level.into_iter().fold(listing, |listing, level| listing.and("level", [level]));
        }
        if let Some(from) = self.from {
            listing = listing.from(from);
        }
        if let Some(to) = self.to {
            listing = listing.to(to);
        }
        listing
    }
}

/// Restricts the listing to one value of the index, and to one level if given.
fn of_level(listing: ListPage, index: &'static str, thing: impl Ordered, level: Option<u64>) -> ListPage {
    match level {
        Some(level) => listing.and(index, [(thing, level)]),
        None => listing.and(index, [thing]),
    }
}
