//! The list of lines and its filters.

use jiff::Timestamp;

use super::line::LogLine;
use crate::config::LogLevel;
use crate::store::{Index, Ordered, Query};

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
    pub fn listing(&self) -> Query<LogLine, (Timestamp, u64)> {
        let level = self.level.map(|level| u64::from(level.number()));
        let mut list = Query::all().numbered_by(LogLine::BY_LEVEL);
        if let Some(batch) = self.batch {
            list = of_level(list, LogLine::BY_BATCH, batch, level);
        }
        if let Some(id) = self.mirakl_id {
            list = of_level(list, LogLine::BY_SHOP, id, level);
        }
        if let Some(action) = self.action.clone() {
            list = of_level(list, LogLine::BY_ACTION, action, level);
        }
        if self.batch.is_none() && self.mirakl_id.is_none() && self.action.is_none() {
            list = level.into_iter().fold(list, |list, level| list.and(LogLine::BY_LEVEL, [level]));
        }
        if let Some(from) = self.from {
            list = list.from((from,));
        }
        if let Some(to) = self.to {
            list = list.to((to,));
        }
        list
    }
}

/// Restricts the list to one value of the index, and to one level if given.
fn of_level<T: Ordered<Kind = T>>(
    list: Query<LogLine, (Timestamp, u64)>,
    index: Index<LogLine, (T, u64)>,
    thing: T,
    level: Option<u64>,
) -> Query<LogLine, (Timestamp, u64)> {
    match level {
        Some(level) => list.and(index, [(thing, level)]),
        None => list.and(index, [(thing,)]),
    }
}
