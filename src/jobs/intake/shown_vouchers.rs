//! Mirakl's present rows of known vouchers, found by any number that identifies them.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

use crate::domain::voucher::{ListedVoucher, Voucher, VoucherSource};
use crate::jobs::Context;
use crate::remote::CallError;
use crate::remote::mirakl::MiraklListing;

/// Margin around the creation time of a voucher.
const MARGIN: SignedDuration = SignedDuration::from_hours(1);

/// Maximum gap between the creation times of vouchers that are read in one list.
const MAX_JOINT_INTERVAL: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Mirakl's present state of a known voucher.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ShownVoucher<'a> {
    /// The row that Mirakl shows.
    Row(&'a ListedVoucher),
    /// A voucher that Mirakl no longer shows.
    Gone,
    /// Nothing certain: the source that it was read from can no longer be read, or shows rows that
    /// cannot be recognised.
    Unsaid,
}

/// Vouchers that Mirakl shows now for some intervals.
pub(crate) struct ShownVouchers {
    rows: Vec<ListedVoucher>,
    by_identity: HashMap<(&'static str, u64, String), usize>,
    /// Sources in which every row was recognised.
    whole: BTreeSet<VoucherSource>,
}

impl ShownVouchers {
    /// Reads the intervals in which `known` were created: from the configured source, and from
    /// those that they were read from before.
    pub(crate) async fn read(context: &Context, known: &[&Voucher]) -> Result<Self, CallError> {
        let configured = context.config.mirakl.voucher_source;
        let made = known.iter().filter_map(|voucher| voucher.created_at);
        let intervals = intervals(made.collect());
        let former: BTreeSet<VoucherSource> =
            known.iter().map(|voucher| voucher.source).filter(|source| *source != configured).collect();
        let mut shown = Self { rows: Vec::new(), by_identity: HashMap::new(), whole: BTreeSet::new() };
        for source in std::iter::once(configured).chain(former) {
            let mut whole = true;
            for (start, end) in &intervals {
                match context.mirakl.listed_vouchers(source, *start, *end).await {
                    Ok(MiraklListing { rows, unreadable }) => {
                        whole &= unreadable.is_empty();
                        for row in rows {
                            shown.add(row);
                        }
                    }
                    // The former source may be gone for good.
                    Err(CallError::Rejected(_)) if source != configured => whole = false,
                    Err(error) => return Err(error),
                }
            }
            if whole {
                shown.whole.insert(source);
            }
        }
        Ok(shown)
    }

    fn add(&mut self, row: ListedVoucher) {
        let shop_id = row.voucher.shop_id;
        for (kind, number) in row.voucher.identities() {
            // The configured source is read first and has precedence.
            self.by_identity.entry((kind, shop_id, number)).or_insert(self.rows.len());
        }
        self.rows.push(row);
    }

    /// Finds Mirakl's present state of `voucher`.
    pub(crate) fn of(&self, voucher: &Voucher) -> ShownVoucher<'_> {
        let found = voucher.identities().into_iter().find_map(|(kind, number)| {
            let at = self.by_identity.get(&(kind, voucher.shop_id, number))?;
            self.rows.get(*at)
        });
        match found {
            Some(row) => ShownVoucher::Row(row),
            None if voucher.created_at.is_some() && self.whole.contains(&voucher.source) => ShownVoucher::Gone,
            None => ShownVoucher::Unsaid,
        }
    }
}

/// Returns intervals that contain all instants; instants close together share one.
fn intervals(mut made: Vec<Timestamp>) -> Vec<(Timestamp, Timestamp)> {
    made.sort_unstable();
    let mut intervals: Vec<(Timestamp, Timestamp)> = Vec::new();
    for at in made {
        let start = at.checked_sub(MARGIN).unwrap_or(at);
        let end = at.checked_add(MARGIN).unwrap_or(at);
        match intervals.last_mut() {
            Some(last) if start.duration_since(last.1) < MAX_JOINT_INTERVAL => last.1 = end,
            Some(_) | None => intervals.push((start, end)),
        }
    }
    intervals
}
