//! The list of lines with its filters, the latest first.

use jiff::Timestamp;

use super::LogLine;
use crate::config::LogLevel;
use crate::store::{Cursor, Query, StoreError, View};

/// How many lines are looked through for one page where filters are combined.
const LOOKED_THROUGH: usize = 5_000;

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

/// A page of lines.
#[derive(Debug, Clone, PartialEq)]
pub struct LogPage {
    /// The lines, the latest first. Where filters are combined it may be shorter than asked for
    /// although there is a next one.
    pub lines: Vec<LogLine>,
    /// Where the next page begins, if there may be one.
    pub next: Option<Cursor>,
    /// How many lines there are at least.
    pub total: u64,
    /// True where there are no more than `total`.
    pub total_exact: bool,
}

impl LogFilter {
    /// At most `limit` lines behind `after`. Short whatever is asked for: with several filters it goes
    /// through the one that names the fewest lines, and through a bounded number of them at once.
    pub fn page(&self, view: &impl View, limit: usize, after: Option<Cursor>) -> Result<LogPage, StoreError> {
        let mut lists = self.lists(view)?;
        lists.sort_by_key(|(count, _)| *count);
        let combined = lists.len() > 1;
        let query = lists.into_iter().next().map_or_else(Query::all, |(_, query)| query);
        let query = match self.from {
            Some(from) => query.from(from),
            None => query,
        };
        let query = match self.to {
            Some(to) => query.to(to),
            None => query,
        };
        let query = query.descending();
        if !combined {
            let page = view.page::<LogLine>(&query.limit(limit).after(after))?;
            return Ok(LogPage {
                lines: page.items,
                next: page.next,
                total: page.total,
                total_exact: page.total_exact,
            });
        }
        let first = after.is_none();
        let (mut lines, mut next, mut looked) = (Vec::new(), after, 0);
        loop {
            // So few at once that a page never gets more than it may hold.
            let slice = view.keys::<LogLine>(&query.clone().limit(limit.saturating_sub(lines.len())).after(next))?;
            looked += slice.keys.len();
            for key in &slice.keys {
                match view.get::<LogLine>(key) {
                    Ok(line) => lines.extend(line.filter(|line| self.takes(line))),
                    // The others are not held up by it.
                    Err(StoreError::Unreadable { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            next = slice.next;
            if next.is_none() || lines.len() >= limit || looked >= LOOKED_THROUGH {
                let total = u64::try_from(lines.len()).unwrap_or(u64::MAX);
                return Ok(LogPage { total_exact: first && next.is_none(), lines, next, total });
            }
        }
    }

    /// The lists that hold all lines that are asked for, and how many each holds.
    fn lists(&self, view: &impl View) -> Result<Vec<(u64, Query)>, StoreError> {
        let mut lists = Vec::new();
        if let Some(level) = self.level {
            let group = u64::from(level.number());
            lists.push((view.count::<LogLine>("level", group)?, Query::group("level", group)));
        }
        if let Some(action) = &self.action {
            lists.push((view.count::<LogLine>("action", action.as_str())?, Query::group("action", action.as_str())));
        }
        if let Some(id) = self.mirakl_id {
            lists.push((view.count::<LogLine>("mirakl_id", id)?, Query::group("mirakl_id", id)));
        }
        if let Some(batch) = self.batch {
            lists.push((view.count::<LogLine>("batch", batch)?, Query::group("batch", batch)));
        }
        Ok(lists)
    }

    fn takes(&self, line: &LogLine) -> bool {
        self.level.is_none_or(|level| level.number() == line.level)
            && self.action.as_ref().is_none_or(|action| *action == line.action)
            && self.mirakl_id.is_none_or(|id| line.mirakl_id == Some(id))
            && self.batch.is_none_or(|batch| line.batch == Some(batch))
    }
}
