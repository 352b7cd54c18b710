//! A person who knows the truth and decides by it.

use cashout::domain::money::Amount;
use cashout::domain::operation::{Column, Hold, Operation, OperationChoice, PaymentKind, Status, Unready};
use cashout::domain::voucher::{HeldBecause, VoucherChoice, VoucherRecord};
use cashout::jobs::choose_for_voucher;
use cashout::sandbox::{EntryState, Kind};

use super::Campaign;
use super::truth::{Due, sum};

impl Campaign {
    async fn choose(&mut self, operation: &Operation, choice: OperationChoice) -> Result<String, String> {
        let name = choice.name();
        let chosen = self.world.choose(operation.id, choice, "as a person found", "Otto").await;
        let why = operation.held_for.map_or_else(|| operation.status.to_string(), |why| format!("{why:?}"));
        self.story.meet(format!("chosen: {name} ({why}){}", if chosen.is_ok() { "" } else { ", refused" }));
        let told = format!("{name} operation {} of voucher {} ({why})", operation.id, operation.voucher);
        chosen.map(|_| told.clone()).map_err(|error| format!("{told}: {error}"))
    }

    pub(super) async fn settle_operation(&mut self, operation: &Operation) -> Option<String> {
        self.choose(operation, OperationChoice::Settle).await.ok()
    }

    pub(super) async fn hold_on_suspicion(&mut self, operation: &Operation) -> Option<String> {
        self.choose(operation, OperationChoice::Hold).await.ok()
    }

    /// Decides about an operation that waits for a person; returns `None` if there is nothing to decide yet.
    pub(super) async fn decide(&mut self, operation: &Operation) -> Option<String> {
        if operation.unready == Some(Unready::NoAccountInCurrency) {
            return self.choose(operation, OperationChoice::Settle).await.ok();
        }
        let due = Due::of(operation);
        if operation.status == Status::WithdrawSuccess && operation.held_for == Some(Hold::ByPerson) {
            return self.choose(operation, OperationChoice::Release).await.ok();
        }
        let reversed = self.truth.live(&self.world, Kind::Withdrawal, due).is_empty();
        if operation.status == Status::WithdrawSuccess && operation.held_for == Some(Hold::Revoked) && reversed {
            // The withdrawal was reversed as well; the next daily check finds it.
            return None;
        }
        let withdraws = is_transferred(operation);
        let kind = if withdraws { Kind::Withdrawal } else { Kind::Transfer };
        let live = self.truth.live(&self.world, kind, due);
        // A payment of another part of the voucher is not one of this operation.
        let theirs: Vec<Operation> = self.world.operations();
        let taken = |id: &str| theirs.iter().any(|other| other.id != operation.id && has(other, id));
        let found = live.iter().find(|entry| !taken(&entry.transaction_id) && entry.state != EntryState::Reversed);
        if let Some(found) = found {
            let id = found.transaction_id.clone();
            let words = ["AUTHORIZED", "STANDBY", "CAPTURED"];
            let shown = self.world.sandbox.hipay(|hipay| {
                let shown = hipay.transactions.iter().find(|one| one.id == id);
                shown.is_some_and(|one| words.contains(&one.status.as_str()))
            });
            if !shown {
                // HiPay's support states that it may still succeed.
                return None;
            }
            let last = operation.payment(kind_of(kind)).last();
            let is_last = last.is_some_and(|last| last.transaction_id.as_deref() == Some(id.as_str()));
            if is_last && operation.held.is_none() {
                // It is pending, whatever HiPay's status.
                return None;
            }
            let choice = OperationChoice::Accept { transaction_id: id };
            return match self.choose(operation, choice).await {
                Ok(told) => Some(told),
                Err(refused) => Some(format!("{refused}; {:?}", self.choose(operation, OperationChoice::Settle).await)),
            };
        }
        if operation.held.is_none() {
            return self.choose(operation, OperationChoice::Retry).await.map_or_else(Some, Some);
        }
        let release = self.is_owed(operation);
        let choice = match operation.held_for {
            Some(Hold::LedgerUnread | Hold::Settled) => return None,
            Some(Hold::VoucherGone | Hold::OtherProvider) => OperationChoice::Settle,
            _ if !release => OperationChoice::Settle,
            Some(Hold::Revoked | Hold::TooManyAttempts | Hold::OutcomeUnknown) => OperationChoice::Retry,
            _ => OperationChoice::Release,
        };
        if choice == OperationChoice::Release && operation.held_for == Some(Hold::PaidInMirakl) {
            self.truth.released.insert(due);
        }
        match self.choose(operation, choice).await {
            Ok(told) => Some(told),
            Err(refused) => Some(format!("{refused}; {:?}", self.choose(operation, OperationChoice::Settle).await)),
        }
    }

    /// Returns true if the operation's amount is still due after all payments for its voucher.
    fn is_owed(&self, operation: &Operation) -> bool {
        let due = Due::of(operation);
        if operation.status == Status::WithdrawSuccess {
            return true;
        }
        if is_transferred(operation) {
            // Money in the wallet goes to the bank, regardless of Mirakl.
            let transferred = self.truth.live(&self.world, Kind::Transfer, due);
            let paid = sum(&transferred, operation.amount.currency());
            let withdrawn = sum(&self.truth.live(&self.world, Kind::Withdrawal, due), operation.amount.currency());
            return withdrawn.checked_add(operation.amount).is_ok_and(|all| paid.covers(all));
        }
        if self.truth.elsewhere.contains(&due) || self.truth.vanished.contains_key(&due.voucher) {
            return false;
        }
        let owed = self.truth.owed(&self.world, due);
        let paid = sum(&self.truth.live(&self.world, Kind::Transfer, due), owed.currency());
        let netted = operation.origin_amount.checked_sub(operation.amount).unwrap();
        if operation.held_for == Some(Hold::AmountChanged) {
            return owed.checked_sub(netted).is_ok_and(|left| left.checked_sub(paid).is_ok_and(Amount::is_positive));
        }
        paid.checked_add(operation.amount).and_then(|all| all.checked_add(netted)).is_ok_and(|all| owed.covers(all))
    }

    /// Decides about a voucher that has no operation.
    pub(super) async fn decide_voucher(&mut self, record: &VoucherRecord) -> Option<String> {
        let number = |record: &VoucherRecord| record.voucher.number.parse::<u64>().unwrap();
        // Each of Mirakl's sources may have its own record of the voucher.
        let again = self.records().iter().any(|other| {
            let taken = other.held.is_none() || other.released;
            taken && other.id() != record.id() && number(other) == number(record)
        });
        let choice = match record.held? {
            HeldBecause::OutsideCycles | HeldBecause::MayBeKnown if again => VoucherChoice::Settle,
            HeldBecause::OutsideCycles | HeldBecause::MayBeKnown => VoucherChoice::Release,
            HeldBecause::PaidInMirakl
            | HeldBecause::BeforeFirstCycle
            | HeldBecause::NotShown
            | HeldBecause::OtherProvider
            | HeldBecause::OtherType => VoucherChoice::Settle,
            HeldBecause::VendorUnknown
            | HeldBecause::VendorDisabled
            | HeldBecause::CycleOpen
            | HeldBecause::Settled
            | HeldBecause::Unknown => return None,
        };
        if record.released && choice == VoucherChoice::Release {
            return None;
        }
        let id = record.id();
        choose_for_voucher(&self.world.context, &id, choice, "as a person found", "Otto").await.unwrap();
        self.story.meet(format!("chosen: {} ({:?})", choice.name(), record.held));
        Some(format!("{} voucher {id} ({:?})", choice.name(), record.held))
    }
}

/// Returns true if the money is in the wallet.
fn is_transferred(operation: &Operation) -> bool {
    operation.status.columns().0 == Column::Ok
}

fn kind_of(kind: Kind) -> PaymentKind {
    if kind == Kind::Withdrawal { PaymentKind::Withdrawal } else { PaymentKind::Transfer }
}

fn has(operation: &Operation, id: &str) -> bool {
    operation.status != Status::Created && operation.transaction_ids().any(|known| known == id)
}
