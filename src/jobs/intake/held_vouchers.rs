//! Vouchers without operations: tried again at every run of `cashout:generate`.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use jiff::civil::Date;

use crate::domain::voucher::{HeldBecause, ListedVoucher, Voucher, VoucherRecord};
use crate::jobs::intake::generate::Generation;
use crate::jobs::intake::shown_vouchers::{ShownVoucher, ShownVouchers};
use crate::jobs::{JobError, Subject};
use crate::store::{Query, StoreError, View, Writer};
use crate::text::message::msg;

impl Generation<'_> {
    /// Tries every held voucher again, regardless of its window, with Mirakl's present data: it may
    /// have been paid by hand, or changed.
    pub(crate) async fn read_held_again(&self) -> Result<(), JobError> {
        for (cycle_date, records) in self.held_vouchers().await? {
            if self.run.is_stopping() {
                return Ok(());
            }
            self.run.stage(&format!("held vouchers of {cycle_date}"), records.len());
            let vouchers: Vec<&Voucher> = records.iter().map(|record| &record.voucher).collect();
            match ShownVouchers::read(self.context, &vouchers).await {
                Ok(shown) => self.read_one_again(records, &shown).await?,
                Err(error) if error.is_credentials() => return Err(error.into()),
                Err(error) => {
                    let message = msg!("held-not-read", date = cycle_date, error = &error);
                    self.run.fail(Subject::default(), message);
                }
            }
        }
        Ok(())
    }

    /// Returns the held vouchers that this run has not processed yet, by cycle.
    async fn held_vouchers(&self) -> Result<BTreeMap<Date, Vec<VoucherRecord>>, JobError> {
        let mut waiting: BTreeMap<Date, Vec<VoucherRecord>> = BTreeMap::new();
        let add = |record: Result<VoucherRecord, StoreError>| {
            match record {
                Ok(record) => {
                    let met = self.dealt_with.lock().unwrap_or_else(PoisonError::into_inner);
                    let met = met.contains(&record.voucher.key());
                    let over = record.held == Some(HeldBecause::Settled)
                        || (self.is_too_early(&record.voucher) && !record.released);
                    if !met && !over {
                        waiting.entry(record.cycle_date).or_default().push(record);
                    }
                }
                Err(error) => self.run.settle(Subject::default(), Err(error.into())),
            }
            Ok::<_, JobError>(())
        };
        self.context.store.for_each(Query::group(VoucherRecord::HELD, ()), add).await?;
        Ok(waiting)
    }

    async fn read_one_again(&self, records: Vec<VoucherRecord>, shown: &ShownVouchers) -> Result<(), JobError> {
        let mut current = Vec::new();
        for record in records {
            let known = &record.voucher;
            let subject = Subject::voucher(known.shop_id, &known.number);
            match shown.of(known) {
                ShownVoucher::Row(ListedVoucher { voucher, unusable: None }) => {
                    let voucher = Voucher { number: known.number.clone(), source: known.source, ..voucher.clone() };
                    current.push(voucher);
                }
                // A person has released a voucher that Mirakl no longer shows.
                ShownVoucher::Gone if record.released => current.push(record.voucher),
                ShownVoucher::Gone => {
                    let message = msg!("voucher-held", reason = &HeldBecause::NotShown);
                    self.run.item(async { self.run.warn(&subject, message) }).await;
                    self.note_gone(record.voucher.key()).await?;
                }
                ShownVoucher::Row(_) | ShownVoucher::Unsaid => {
                    self.run.item(async { self.run.fail(subject, msg!("held-unsaid")) }).await;
                }
            }
        }
        self.all(current).await;
        Ok(())
    }

    /// Records that Mirakl no longer shows a held voucher, unless a person has decided on it meanwhile.
    async fn note_gone(&self, key: (String, u64, String)) -> Result<(), JobError> {
        let noted =
            self.context.store.write(move |writer: &mut Writer<'_>| match writer.get::<VoucherRecord>(&key)? {
                Some(record) if record.held.is_some_and(|held| held != HeldBecause::Settled) && !record.released => {
                    writer.put(&VoucherRecord { held: Some(HeldBecause::NotShown), ..record })
                }
                Some(_) | None => Ok(()),
            });
        Ok(noted.await?)
    }
}
