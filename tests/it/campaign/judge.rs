//! The judge: it compares the data of both remotes with the payments and with the store.

use std::collections::BTreeSet;

use cashout::domain::attempt::{AttemptState, ReferenceParts};
use cashout::domain::money::Amount;
use cashout::domain::operation::{Beneficiary, Column, Hold, Operation, PaymentKind};
use cashout::sandbox::{Entry, EntryState, Kind, Place, Voucher};

use super::Campaign;
use super::truth::{Due, Truth, sum};

impl Campaign {
    /// Checks after every step that nothing was paid twice, to another account, or against what
    /// Mirakl shows, and that payments that the store shows as paid are paid.
    pub(super) fn judge(&mut self) {
        if let Err(wrong) = self.world.sandbox.verify_once() {
            panic!("HiPay's ledger: {}", wrong.join("; "));
        }
        let entries = self.world.sandbox.hipay(|hipay| hipay.ledger.executed().to_vec());
        for (at, entry) in entries.iter().enumerate().skip(self.truth.judged) {
            if !entry.by_others && entry.kind != Kind::Funding {
                self.judge_payment(entry, entries.get(..at).unwrap_or_default());
            }
        }
        self.truth.judged = entries.len();
        let operations = self.world.operations();
        for operation in &operations {
            self.judge_claim(operation);
        }
        // A reversal that the store has recorded must not be shown as paid again, and a payment that
        // was executed after all and is known must not be repeated.
        for attempt in operations.iter().flat_map(|one| one.transfer.attempts.iter().chain(&one.withdrawal.attempts)) {
            let Some(id) = &attempt.transaction_id else { continue };
            match attempt.state {
                AttemptState::Ended => self.truth.taken_back.remove(id),
                AttemptState::Captured => self.truth.unread.remove(id),
                AttemptState::Sending | AttemptState::Requested | AttemptState::Refused | AttemptState::Unknown => {
                    false
                }
            };
        }
    }

    /// Checks one payment that the software has made since the last check, given the entries `before` it.
    fn judge_payment(&mut self, entry: &Entry, before: &[Entry]) {
        let reference = reference_of(entry);
        let due = Due::named(reference).unwrap_or_else(|| panic!("{reference} names no voucher"));
        assert!(
            !self.held.contains(&(entry.kind, due)),
            "{reference} was sent while it was held: {}",
            self.told_of(due)
        );
        let voucher = self.truth.voucher(&self.world, due.voucher);
        self.judge_account(entry, due, &voucher);
        let earlier: Vec<Entry> = before
            .iter()
            .filter(|earlier| earlier.kind == entry.kind && self.truth.due_of(earlier) == Some(due))
            .filter(|earlier| !self.truth.unread.contains(&earlier.transaction_id))
            .cloned()
            .collect();
        self.judge_amount(entry, due, before, &earlier);
        if entry.kind == Kind::Transfer && !self.truth.released.contains(&due) {
            self.judge_voucher(reference, due, &voucher, &earlier);
        }
        if due.beneficiary == Beneficiary::Vendor {
            self.judge_shop(entry, &voucher);
        }
        self.story.meet(format!("paid: {:?} of the {:?}", entry.kind, due.beneficiary));
    }

    /// Checks that a payment went to or left from an account of its beneficiary.
    fn judge_account(&self, entry: &Entry, due: Due, voucher: &Voucher) {
        let reference = reference_of(entry);
        let account = match (&entry.to, &entry.from) {
            (Place::Account(to), _) => *to,
            (_, Place::Account(from)) => *from,
            _ => panic!("{entry:?} goes nowhere"),
        };
        let right = match due.beneficiary {
            Beneficiary::Vendor => Truth::is_wallet_of(&self.world, account, voucher.shop_id),
            Beneficiary::Operator => self.truth.operators.contains(&account),
        };
        assert!(right, "{reference} went to account {account}, which is not of shop {}", voucher.shop_id);
    }

    /// Checks that a payment repeats none, and that with the `earlier` ones it pays at most the amount due.
    fn judge_amount(&self, entry: &Entry, due: Due, before: &[Entry], earlier: &[Entry]) {
        let reference = reference_of(entry);
        let paid = sum(earlier, entry.amount.currency()).checked_add(entry.amount).unwrap();
        let covered = self.covered(entry, due, before);
        let part = part_of(reference);
        let again = before.iter().find(|one| {
            let lives =
                one.state != EntryState::Reversed && !one.by_others && !self.truth.unread.contains(&one.transaction_id);
            let same = |other: &str| Due::named(other) == Some(due) && part_of(other) == part;
            lives && one.kind == entry.kind && one.reference.as_deref().is_some_and(same)
        });
        let lives = entry.state != EntryState::Reversed;
        assert!(!lives || again.is_none(), "{reference} pays again what {again:?} has paid: {}", self.told_of(due));
        // A payment that failed at once moved no money.
        if lives {
            let told = || self.told_of(due);
            assert!(covered.covers(paid), "{reference}: {paid} paid, {covered} owed, after {earlier:?}: {}", told());
        }
    }

    /// Returns the amount that may be paid: for a transfer what is owed, for a withdrawal what was transferred.
    fn covered(&self, entry: &Entry, due: Due, before: &[Entry]) -> Amount {
        let truth = &self.truth;
        match entry.kind {
            Kind::Transfer => {
                let reference = reference_of(entry);
                let paid = truth.elsewhere.contains(&due);
                assert!(!paid, "{reference} was paid from another bank already: {}", self.told_of(due));
                truth.owed(&self.world, due)
            }
            // A recent reversal may not have been read yet.
            Kind::Withdrawal | Kind::Funding => {
                let transferred = before.iter().filter(|earlier| {
                    let lives = earlier.state != EntryState::Reversed;
                    let unseen = truth.taken_back.contains(&earlier.transaction_id);
                    earlier.kind == Kind::Transfer && truth.due_of(earlier) == Some(due) && (lives || unseen)
                });
                let all = transferred.map(|earlier| earlier.amount);
                all.fold(Amount::zero(entry.amount.currency()), |sum, amount| sum.checked_add(amount).unwrap())
            }
        }
    }

    /// Checks that Mirakl shows the voucher of a transfer as one that is to be paid here.
    fn judge_voucher(&self, reference: &str, due: Due, voucher: &Voucher, earlier: &[Entry]) {
        let vanished = self.truth.vanished.contains_key(&due.voucher);
        assert!(!vanished, "{reference} was sent, and Mirakl shows no voucher");
        // A payment that was reversed and retried by a person is due even if Mirakl marks the voucher.
        let first = earlier.iter().all(|one| one.by_others);
        assert!(!first || voucher.state != "PAID", "{reference} was sent, and Mirakl shows the voucher as paid");
        let provider = voucher.pay_out_psp_code.as_deref().unwrap_or("OPERATOR");
        assert_eq!(provider, "OPERATOR", "{reference} was sent, and another provider pays it");
    }

    /// Checks that the vendor of a payment may be paid through HiPay.
    fn judge_shop(&self, entry: &Entry, voucher: &Voucher) {
        let reference = reference_of(entry);
        let shop = self.world.sandbox.mirakl(|mirakl| mirakl.shop(voucher.shop_id).cloned());
        let Some(shop) = shop else { panic!("{reference} was sent, and Mirakl shows no shop {}", voucher.shop_id) };
        assert_eq!(shop.hipay_process, Some(true), "{reference} was sent, and the shop is not HiPay's");
        let blocked = entry.kind == Kind::Withdrawal && shop.payment_blocked;
        assert!(!blocked, "{reference} was sent, and payments to the shop are blocked");
    }

    /// Returns the payments whose operations are all held, so that no run may send them.
    pub(super) fn held(&self) -> BTreeSet<(Kind, Due)> {
        let operations = self.world.operations();
        let is_held = |one: &Operation| one.held.is_some() && one.held_for != Some(Hold::LedgerUnread);
        let free: BTreeSet<Due> = operations.iter().filter(|one| !is_held(one)).map(Due::of).collect();
        let held = operations.iter().filter(|one| is_held(one)).map(Due::of).filter(|due| !free.contains(due));
        held.flat_map(|due| [(Kind::Transfer, due), (Kind::Withdrawal, due)]).collect()
    }

    /// Describes the operations of a voucher.
    fn told_of(&self, due: Due) -> String {
        let operations = self.world.operations();
        let of_it = operations.iter().filter(|one| Due::of(one) == due);
        let stories = of_it.map(|one| {
            let lines = one.history.iter().map(|line| format!("{} {}: {}", line.at, line.status, line.message));
            format!(
                "{} {} {:?} {:?}: {:#?}",
                one.id,
                one.status,
                one.held,
                one.voucher_numbers(),
                lines.collect::<Vec<_>>()
            )
        });
        stories.collect::<Vec<_>>().join("\n")
    }

    /// Checks that a payment shown as executed is executed.
    fn judge_claim(&mut self, operation: &Operation) {
        if operation.held.is_some() {
            return;
        }
        let (transfer, withdrawal) = operation.status.columns();
        for (kind, column) in [(PaymentKind::Transfer, transfer), (PaymentKind::Withdrawal, withdrawal)] {
            // A remainder after the transfer has no transfer of its own.
            let of_another = kind == PaymentKind::Transfer && operation.remainder_of.is_some();
            if column != Column::Ok || (of_another && operation.transfer.attempts.is_empty()) {
                continue;
            }
            let what = format!("operation {} of voucher {}", operation.id, operation.voucher);
            let attempt = operation.payment(kind).last().unwrap_or_else(|| panic!("{what} is paid by no {kind:?}"));
            let id = attempt.transaction_id.as_ref().unwrap_or_else(|| panic!("{what}: {attempt:?} has no id"));
            let entries = self.world.sandbox.hipay(|hipay| hipay.ledger.executed().to_vec());
            let entry = entries.iter().find(|entry| entry.transaction_id == *id);
            let entry = entry.unwrap_or_else(|| panic!("{what} is shown as paid by {id}, which HiPay does not have"));
            let expected = if kind == PaymentKind::Transfer { Kind::Transfer } else { Kind::Withdrawal };
            assert_eq!(entry.kind, expected, "{what}: {entry:?}");
            let due = Due::of(operation);
            assert_eq!(self.truth.due_of(entry), Some(due), "{what} is shown as paid by {entry:?}");
            if !self.truth.taken_back.contains(id) {
                assert_eq!(entry.state, EntryState::Executed, "{what} is shown as paid: {operation:#?}");
            }
            assert_eq!(attempt.amount, entry.amount, "{what}: {attempt:?}");
            let partial = kind == PaymentKind::Withdrawal && operation.beneficiary == Beneficiary::Operator;
            assert!(partial || operation.amount == entry.amount, "{what} is of {}: {attempt:?}", operation.amount);
            let others = self.world.operations();
            let mut others = others.iter().filter(|other| other.id != operation.id && other.held.is_none());
            let claims = |other: &Operation| {
                other.payment(kind).last().is_some_and(|last| last.transaction_id.as_ref() == Some(id))
            };
            assert!(!others.any(claims), "{what} and another operation are shown as paid by {id}");
        }
        self.story.meet(format!("shown: {}", operation.status));
    }
}

/// Returns the reference of a payment.
fn reference_of(entry: &Entry) -> &str {
    entry.reference.as_deref().expect("a payment without a reference")
}

/// Returns the part of a voucher's amount that a reference pays: the remainder of an operation is its own part.
fn part_of(reference: &str) -> Option<String> {
    let parts = ReferenceParts::of(reference)?;
    parts.rest.split('_').nth(1).filter(|part| part.starts_with('P')).map(str::to_owned)
}
