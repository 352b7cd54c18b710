//! Cycles, with the accounts of those on a page.

use serde::Deserialize;

use super::{List, Paging};
use crate::jobs::{self, CycleAccount};
use crate::web::Web;
use crate::web::problem::Problem;

/// Filters of a list that has none.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NoFilter {}

/// Returns the accounts of the cycles on a page of the list.
pub(in crate::web) async fn cycles(web: &Web, paging: &Paging) -> Result<List<CycleAccount>, Problem> {
    let (page, per_page, descending) = (paging.page(), paging.per_page(), paging.descending());
    let rows = usize::from(per_page);
    let skip = rows.saturating_mul(usize::try_from(page.saturating_sub(1)).unwrap_or(usize::MAX));
    let found = web.context.store.reading(move |reader| {
        let mut days = jobs::cycle_days(reader).collect::<Result<Vec<_>, _>>()?;
        if !descending {
            days.reverse();
        }
        let mut items = Vec::new();
        for date in days.iter().skip(skip).take(rows) {
            items.extend(jobs::cycle_account(reader, *date)?);
        }
        Ok((items, u64::try_from(days.len()).unwrap_or(u64::MAX)))
    });
    let (items, total) = found.await?;
    Ok(List { items, total, total_exact: true, page, per_page, next: None })
}
