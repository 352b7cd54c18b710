//! Vouchers that have made no operation yet: tried again at every run of `cashout:generate`.

use std::collections::{BTreeMap, HashMap};
use std::sync::PoisonError;

use jiff::SignedDuration;
use jiff::civil::Date;

use super::cashout_generate::Generation;
use super::{JobError, Subject};
use crate::remote::CallError;
use crate::sentence::say;
use crate::store::{Query, View};
use crate::voucher::{HeldBecause, Voucher, VoucherRecord, VoucherSource};

impl Generation<'_> {
    /// Every voucher that is held is tried again, whatever its window, by what Mirakl says of it now:
    /// it may have been paid by hand, or changed.
    pub(super) async fn held(&self) -> Result<(), JobError> {
        for ((cycle_date, source), records) in self.waiting().await? {
            if self.run.is_stopping() {
                return Ok(());
            }
            self.run.stage(&format!("held vouchers of {cycle_date}"), records.len());
            match self.shown_now(source, &records).await {
                Ok(shown) => self.again(records, shown).await?,
                Err(error) if error.is_credentials() => return Err(error.into()),
                Err(error) => {
                    let message = say!("held-not-read", date = cycle_date, error = &error);
                    self.run.fail(Subject::default(), message);
                }
            }
        }
        Ok(())
    }

    /// The held vouchers that this run has not met yet, by cycle and source.
    async fn waiting(&self) -> Result<BTreeMap<(Date, VoucherSource), Vec<VoucherRecord>>, JobError> {
        let mut waiting: BTreeMap<(Date, VoucherSource), Vec<VoucherRecord>> = BTreeMap::new();
        let mut cursor = None;
        loop {
            let query = Query::group("held", ()).limit(1_000).after(cursor.take());
            let page = self.context.store.reading(move |reader| reader.page::<VoucherRecord>(&query)).await?;
            for error in page.unreadable {
                self.run.settle(Subject::default(), Err(error.into()));
            }
            let dealt_with = self.dealt_with.lock().unwrap_or_else(PoisonError::into_inner);
            for record in page.items {
                let met = dealt_with.contains(&record.voucher.key());
                if !met && !self.is_too_early(&record.voucher) {
                    waiting.entry((record.cycle_date, record.voucher.source)).or_default().push(record);
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(waiting);
            }
        }
    }

    /// What Mirakl shows of the time in which `records` were made.
    async fn shown_now(
        &self,
        source: VoucherSource,
        records: &[VoucherRecord],
    ) -> Result<HashMap<(String, u64, String), Voucher>, CallError> {
        let made = || records.iter().map(|record| record.voucher.created_at.unwrap_or(record.cycle_at));
        let (Some(first), Some(last)) = (made().min(), made().max()) else { return Ok(HashMap::new()) };
        let margin = SignedDuration::from_hours(1);
        let start = first.checked_sub(margin).unwrap_or(first);
        let end = last.checked_add(margin).unwrap_or(last);
        let listing = self.context.mirakl.vouchers(source, start, end).await?;
        Ok(listing.rows.into_iter().map(|voucher| (voucher.key(), voucher)).collect())
    }

    async fn again(
        &self,
        records: Vec<VoucherRecord>,
        mut shown: HashMap<(String, u64, String), Voucher>,
    ) -> Result<(), JobError> {
        let mut current = Vec::new();
        for record in records {
            if let Some(voucher) = shown.remove(&record.voucher.key()) {
                current.push((voucher, record.cycle_date, record.cycle_at));
                continue;
            }
            let subject = Subject::voucher(record.voucher.shop_id, &record.voucher.number);
            self.run.warn(&subject, say!("voucher-held", reason = &HeldBecause::NotShown));
            self.run.step();
            let record = VoucherRecord { held: Some(HeldBecause::NotShown), ..record };
            self.context.store.write(move |writer| writer.put(&record)).await?;
        }
        self.all(current).await;
        Ok(())
    }
}
