//! Reading a complete list, page by page, each row once, even if rows are added or removed meanwhile.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{Mirakl, MiraklListing, UnusableRow, wire};
use crate::domain::voucher::ListedVoucher;
use crate::remote::CallError;
use crate::remote::lenient::Scalar;
use crate::text::message::msg;

/// Returns the identity of a voucher. It includes the amounts, so that two contradictory rows of one number are
/// both seen.
pub(super) fn identity(listed: &ListedVoucher) -> (u64, String, i64, i64) {
    let voucher = &listed.voucher;
    (voucher.shop_id, voucher.number.clone(), voucher.vendor_amount.minor(), voucher.operator_amount.minor())
}

/// Reduces the list to one row per voucher. One with contradictory amounts is unusable, since it is not known
/// which are right.
pub(super) fn without_contradictions(listing: MiraklListing<ListedVoucher>) -> MiraklListing<ListedVoucher> {
    let MiraklListing { rows, unreadable } = listing;
    let mut numbers: BTreeMap<(u64, String), ListedVoucher> = BTreeMap::new();
    for row in rows {
        let key = (row.voucher.shop_id, row.voucher.number.clone());
        match numbers.entry(key) {
            Entry::Vacant(place) => drop(place.insert(row)),
            Entry::Occupied(mut place) => {
                let (one, other) = (place.get().voucher.vendor_amount, row.voucher.vendor_amount);
                let reason = msg!("row-twice", shop = row.voucher.shop_id, other = one, one = other);
                place.get_mut().unusable = Some(reason);
            }
        }
    }
    MiraklListing { rows: numbers.into_values().collect(), unreadable }
}

/// Rows per page of an offset list: Mirakl's maximum.
const PAGE: usize = 100;

/// Rows per page of billing cycles.
const CYCLE_PAGE: usize = 1_000;

/// Maximum number of passes over a list that changes while it is read.
const MAX_SWEEPS: u32 = 5;

/// Upper bound on pages, more than any marketplace fills; stops at a remote that never ends its list.
const MAX_PAGES: usize = 20_000;

impl Mirakl {
    /// Reads an offset list to its end. A row added or removed meanwhile shifts all later ones, so that a row
    /// comes twice (detected by its id) or is skipped (detected by the count that Mirakl sends with each page).
    /// The list is then read once more, and the rows are merged by id.
    pub(super) async fn sweep<P: DeserializeOwned, T, K: Ord>(
        &self,
        path: &str,
        query: &[(&str, String)],
        page: impl Fn(P) -> (Vec<Box<RawValue>>, Scalar),
        read: impl Fn(&RawValue) -> Result<T, UnusableRow>,
        key: impl Fn(&T) -> K,
    ) -> Result<MiraklListing<T>, CallError> {
        let mut rows: BTreeMap<K, T> = BTreeMap::new();
        let mut previous: Option<BTreeSet<K>> = None;
        for _ in 0..MAX_SWEEPS {
            let mut unreadable = Vec::new();
            let mut seen = BTreeSet::new();
            let mut totals = BTreeSet::new();
            let mut offset = 0_usize;
            for _ in 0..MAX_PAGES {
                let mut query = query.to_vec();
                query.extend([("max", PAGE.to_string()), ("offset", offset.to_string())]);
                let (page_rows, total) = page(self.get(path, &query).await?);
                let received = page_rows.len();
                for row in &page_rows {
                    match read(row) {
                        Ok(row) => {
                            seen.insert(key(&row));
                            rows.insert(key(&row), row);
                        }
                        Err(wrong) => unreadable.push(wrong),
                    }
                }
                offset = offset.saturating_add(received);
                let total = total.count().and_then(|total| usize::try_from(total).ok());
                totals.insert(total);
                if received == 0 || total.is_some_and(|total| offset >= total) {
                    break;
                }
            }
            // Complete: the same count on all pages, and as many rows as it states (if it states any).
            let read_rows = seen.len().saturating_add(unreadable.len());
            let counted = totals.last().copied().flatten().unwrap_or(read_rows);
            let whole = totals.len() == 1 && read_rows >= counted;
            let settled = previous.as_ref() == Some(&seen);
            if settled && offset < counted {
                // The list does not change and is shorter than Mirakl states: report it.
                let reason = msg!("rows-missing", counted, path, shown = offset);
                unreadable.push(UnusableRow::new("list", None, reason));
            }
            if whole || settled {
                return Ok(MiraklListing { rows: rows.into_values().collect(), unreadable });
            }
            previous = Some(seen);
        }
        Err(CallError::unknown(msg!("mirakl-list-changing", path)))
    }

    /// Reads billing cycles to the end by the token that each page passes on; such a list does not change while
    /// it is read.
    pub(super) async fn billing_cycles(
        &self,
        query: Vec<(&str, String)>,
    ) -> Result<MiraklListing<ListedVoucher>, CallError> {
        let mut vouchers = BTreeMap::new();
        let mut unreadable = Vec::new();
        let limit = ("limit", CYCLE_PAGE.to_string());
        let mut query = [query, vec![limit.clone()]].concat();
        for _ in 0..MAX_PAGES {
            let page: wire::BillingCyclesPage = self.get("/api/seller-billing-cycles", &query).await?;
            for row in &page.data {
                match wire::billing_cycle(row) {
                    Ok(voucher) => drop(vouchers.insert(identity(&voucher), voucher)),
                    Err(wrong) => unreadable.push(wrong),
                }
            }
            let Some(token) = page.next_page_token.text() else {
                return Ok(MiraklListing { rows: vouchers.into_values().collect(), unreadable });
            };
            query = vec![limit.clone(), ("page_token", token.to_owned())];
        }
        Err(CallError::unknown(msg!("mirakl-list-endless")))
    }
}
