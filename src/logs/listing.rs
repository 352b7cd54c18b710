//! The list of lines with its filters.

use jiff::Timestamp;

use crate::config::LogLevel;
use crate::store::Listing;

/// Which lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Of this level.
    pub level: Option<LogLevel>,
    /// Of this action.
    pub action: Option<String>,
    /// About this shop.
    pub mirakl_id: Option<u64>,
    /// Of this batch.
    pub batch: Option<u64>,
    /// Not before then (UTC).
    pub from: Option<Timestamp>,
    /// Before then (UTC).
    pub to: Option<Timestamp>,
}

impl LogFilter {
    /// The lines that pass all filters, the earliest first.
    pub fn listing(&self) -> Listing {
        let mut listing = Listing::all();
        if let Some(batch) = self.batch {
            listing = listing.and("batch", [batch]);
        }
        if let Some(id) = self.mirakl_id {
            listing = listing.and("mirakl_id", [id]);
        }
        if let Some(level) = self.level {
            listing = listing.and("level", [u64::from(level.number())]);
        }
        if let Some(action) = &self.action {
            listing = listing.and("action", [action.as_str()]);
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
