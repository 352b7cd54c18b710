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
    /// Lowest level of the lines; with `level`, both apply.
    pub level_from: Option<LogLevel>,
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
        let levels = self.levels();
        let mut list = Query::all().numbered_by(LogLine::BY_LEVEL);
        if let Some(batch) = self.batch {
            list = of_levels(list, LogLine::BY_BATCH, batch, levels.as_deref());
        }
        if let Some(id) = self.mirakl_id {
            list = of_levels(list, LogLine::BY_SHOP, id, levels.as_deref());
        }
        if let Some(action) = self.action.clone() {
            list = of_levels(list, LogLine::BY_ACTION, action, levels.as_deref());
        }
        if self.batch.is_none() && self.mirakl_id.is_none() && self.action.is_none() {
            list = levels.into_iter().fold(list, |list, levels| list.and(LogLine::BY_LEVEL, levels));
        }
        if let Some(from) = self.from {
            list = list.from((from,));
        }
        if let Some(to) = self.to {
            list = list.to((to,));
        }
        list
    }

    /// Returns the numbers of the levels that pass; `None` if all do.
    fn levels(&self) -> Option<Vec<u64>> {
        if self.level.is_none() && self.level_from.is_none() {
            return None;
        }
        let passing = LogLevel::ALL.into_iter().filter(|level| self.has_level(*level));
        Some(passing.map(|level| u64::from(level.number())).collect())
    }

    /// Returns true if lines of this level pass.
    pub fn has_level(&self, level: LogLevel) -> bool {
        self.level.is_none_or(|wanted| wanted == level) && self.level_from.is_none_or(|lowest| lowest <= level)
    }
}

/// Restricts the list to one value of the index, and to some levels if given.
fn of_levels<T: Ordered<Kind = T> + Clone>(
    list: Query<LogLine, (Timestamp, u64)>,
    index: Index<LogLine, (T, u64)>,
    thing: T,
    levels: Option<&[u64]>,
) -> Query<LogLine, (Timestamp, u64)> {
    match levels {
        Some(levels) => list.and(index, levels.iter().map(|level| (thing.clone(), *level))),
        None => list.and(index, [(thing,)]),
    }
}
