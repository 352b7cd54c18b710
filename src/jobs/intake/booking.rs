//! Booking of a voucher: its record, its operations and their netting, in one transaction.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Map;

use crate::domain::attempt::Payment;
use crate::domain::money::Amount;
use crate::domain::operation::{Beneficiary, Operation, OperationEvent};
use crate::domain::voucher::{HeldBecause, OperationDraft, Voucher, VoucherRecord, operations};
use crate::jobs::JobError;
use crate::schema::OPERATOR_DEBTS;
use crate::store::{Query, View, Writer};
use crate::text::message::msg;

/// A voucher with everything that is needed to book it in one transaction.
pub(crate) struct Booking {
    pub(crate) voucher: Voucher,
    pub(crate) cycle_date: Date,
    pub(crate) cycle_at: Timestamp,
    pub(crate) held: Option<HeldBecause>,
    pub(crate) vendor_hipay_id: u64,
    pub(crate) operator_hipay_id: u64,
    pub(crate) balance: Option<Amount>,
    pub(crate) operator_balance: Option<Amount>,
    pub(crate) adjust: bool,
    pub(crate) now: Timestamp,
}

impl Booking {
    /// Stores the voucher, its operations and their netting. Returns the new operations.
    pub(crate) fn book(self, writer: &mut Writer<'_>) -> Result<Vec<Operation>, JobError> {
        let known = writer.get::<VoucherRecord>(&self.voucher.key())?;
        // A person may have settled it while its facts were read.
        if known.as_ref().is_some_and(|known| known.held.is_none_or(|held| held == HeldBecause::Settled)) {
            return Ok(Vec::new());
        }
        let record = VoucherRecord {
            voucher: self.voucher.clone(),
            cycle_date: self.cycle_date,
            cycle_at: self.cycle_at,
            held: self.held,
            changed_to: None,
            first_seen_at: known.as_ref().map_or(self.now, |known| known.first_seen_at),
            released: known.as_ref().is_some_and(|known| known.released),
            story: known.as_ref().map(|known| known.story.clone()).unwrap_or_default(),
            unknown: known.map(|known| known.unknown).unwrap_or_default(),
        };
        writer.put(&record)?;
        if self.held.is_some() {
            return Ok(Vec::new());
        }
        let debts = self.debts(writer)?;
        let drafts = operations(&self.voucher, &debts).map_err(|error| JobError::Remote(error.into()))?;
        let mut made = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let operation = self.operation(writer.next_id::<Operation>()?, draft);
            // The unique index refuses a second operation for this beneficiary of this voucher.
            writer.put(&operation)?;
            for id in &operation.adjusts {
                self.net(writer, *id, &operation)?;
            }
            made.push(operation);
        }
        Ok(made)
    }

    fn debts(&self, writer: &Writer<'_>) -> Result<Vec<Operation>, JobError> {
        let mut debts = Vec::new();
        let owed = [(self.voucher.shop_id, self.voucher.vendor_amount), (OPERATOR_DEBTS, self.voucher.operator_amount)];
        for (of, _) in owed.into_iter().filter(|(_, amount)| self.adjust && amount.is_positive()) {
            let page = writer.page(&Query::group(Operation::DEBTS, of).limit(10_000))?;
            // A debt that cannot be read would be forgiven: the voucher waits instead.
            if let Some(error) = page.unreadable.into_iter().next() {
                return Err(error.into());
            }
            debts.extend(page.items);
        }
        Ok(debts)
    }

    fn net(&self, writer: &mut Writer<'_>, id: u64, into: &Operation) -> Result<(), JobError> {
        if let Some(mut debt) = writer.get::<Operation>(&id)? {
            debt.adjusted_by = Some(into.id);
            let message = msg!("operation-netted", voucher = &into.voucher);
            debt.apply_event(OperationEvent::Netted, &message, self.now)
                .map_err(|error| JobError::Remote(error.into()))?;
            writer.put(&debt)?;
        }
        Ok(())
    }

    fn operation(&self, id: u64, draft: OperationDraft) -> Operation {
        let (recipient_hipay_id, balance) = match draft.beneficiary {
            Beneficiary::Vendor => (self.vendor_hipay_id, self.balance),
            Beneficiary::Operator => (self.operator_hipay_id, self.operator_balance),
        };
        let mut operation = Operation {
            id,
            voucher: self.voucher.number.clone(),
            invoice_id: self.voucher.invoice_id.clone(),
            billing_cycle_id: self.voucher.billing_cycle_id.clone(),
            voucher_number: self.voucher.voucher_number.clone(),
            beneficiary: draft.beneficiary,
            mirakl_id: self.voucher.shop_id,
            vendor_hipay_id: self.vendor_hipay_id,
            recipient_hipay_id,
            amount: draft.amount,
            origin_amount: draft.origin_amount,
            adjusts: draft.adjusts,
            adjusted_by: None,
            cycle_date: self.cycle_date,
            cycle_at: self.cycle_at,
            voucher_created_at: self.voucher.created_at,
            status: draft.status,
            message: String::new(),
            held: None,
            held_for: None,
            candidates: Vec::new(),
            dismissed: Vec::new(),
            waived: Vec::new(),
            remainder_of: None,
            held_before: None,
            unready: None,
            balance,
            shortfall: None,
            transfer: Payment::default(),
            withdrawal: Payment::default(),
            created_at: self.now,
            updated_at: self.now,
            history: Vec::new(),
            unknown: Map::new(),
        };
        operation.note(&msg!("operation-made"), self.now);
        operation
    }
}
