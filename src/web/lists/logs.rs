//! Lines of the log.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::export::Export;
use super::{ListFilter, Moment, Period, at_most, moment};
use crate::config::LogLevel;
use crate::logs::{self, LogLine};
use crate::store::Query;
use crate::web::problem::Problem;

/// Filters of the log.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct LogListFilter {
    /// Level of the line.
    level: Option<LogLevel>,
    /// Earliest time of the line: a day or an instant, inclusive.
    #[param(schema_with = moment)]
    from: Option<Moment>,
    /// Latest time of the line: a day, inclusive, or an instant, exclusive.
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

impl ListFilter for LogListFilter {
    type Record = LogLine;
    type Item = LogItem;

    fn listing(&self, zone: &TimeZone) -> Result<Query<Self::Record>, Problem> {
        at_most("mirakl_id", self.mirakl_id, i64::MAX.unsigned_abs())?;
        at_most("batch", self.batch, i64::MAX.unsigned_abs())?;
        let period = Period::new(self.from.as_ref(), self.to.as_ref(), zone)?;
        let filter = logs::LogFilter {
            level: self.level,
            action: self.action.clone(),
            mirakl_id: self.mirakl_id,
            batch: self.batch,
            from: period.from,
            to: period.to,
        };
        Ok(filter.listing().in_any_order())
    }

    fn passes(&self, line: &LogLine, zone: &TimeZone) -> Result<bool, Problem> {
        let period = Period::new(self.from.as_ref(), self.to.as_ref(), zone)?;
        Ok(self.level.is_none_or(|level| level == line.severity())
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
