//! HiPay's own ledger of what it executed, kept apart from the balances so that each checks the other.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;

use crate::domain::money::{Amount, Currency};

/// Source or destination of a movement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A HiPay account.
    Account(u64),
    /// A bank account, by its IBAN.
    Bank(String),
    /// The customers.
    Customers,
}

/// Kind of a movement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Arrival of sales money.
    Funding,
    /// Movement from account to account.
    Transfer,
    /// Movement from account to bank.
    Withdrawal,
}

/// State of a movement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryState {
    /// Pending: taken from the sender and not credited to the recipient yet.
    UnderWay,
    /// Completed: credited to the recipient.
    Executed,
    /// Failed or taken back: returned to the sender.
    Reversed,
}

/// One movement that HiPay accepted.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The merchant's reference; none for fundings.
    pub reference: Option<String>,
    /// Kind of the movement.
    pub kind: Kind,
    /// Source of the money.
    pub from: Place,
    /// Destination of the money.
    pub to: Place,
    /// Amount moved.
    pub amount: Amount,
    /// The label that the recipient sees.
    pub public_label: String,
    /// The label that only the sender sees; empty for withdrawals.
    pub private_label: String,
    /// HiPay's transaction id.
    pub transaction_id: String,
    /// Time of acceptance.
    pub at: Timestamp,
    /// State of the movement.
    pub state: EntryState,
    /// Made by something other than the software under test: by hand, or by the previous product.
    pub by_others: bool,
}

/// The ledger. Entries are never removed.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: Vec<Entry>,
}

impl Ledger {
    /// Returns every movement that HiPay accepted, reversed ones included, in order.
    pub fn executed(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the payments (transfers and withdrawals) that were accepted and not reversed.
    pub fn paid(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.kind != Kind::Funding && entry.state != EntryState::Reversed)
    }

    /// Returns the movement with this reference.
    pub fn by_reference(&self, reference: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.reference.as_deref() == Some(reference))
    }

    /// Sums the payments in one currency, grouped by `key`; entries without a key are left out.
    pub fn sum_by<K: Ord>(&self, currency: Currency, key: impl Fn(&Entry) -> Option<K>) -> BTreeMap<K, Amount> {
        let mut sums = BTreeMap::new();
        for entry in self.paid().filter(|entry| entry.amount.currency() == currency) {
            if let Some(key) = key(entry) {
                let sum = sums.entry(key).or_insert_with(|| Amount::zero(currency));
                // Amounts never exceed 64 bits in the sandbox: a balance covers every payment.
                *sum = sum.checked_add(entry.amount).unwrap_or(*sum);
            }
        }
        sums
    }

    pub(super) fn write(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    pub(super) fn turn(&mut self, transaction_id: &str, state: EntryState) {
        // Searched from the end: recent entries are the ones that change.
        if let Some(entry) = self.entries.iter_mut().rfind(|entry| entry.transaction_id == transaction_id) {
            entry.state = state;
        }
    }

    /// Checks the ledger against the accounts (HiPay ID, opening balance, balance): no reference
    /// occurs twice, no payment lacks one, every amount is positive, and every balance equals its
    /// opening plus the entries. So no money was created or lost.
    pub fn verify(&self, accounts: &[(u64, Amount, Amount)]) -> Result<(), Vec<String>> {
        let mut wrong = Vec::new();
        let mut seen = HashSet::new();
        for entry in self.entries.iter().filter(|entry| entry.kind != Kind::Funding) {
            match &entry.reference {
                None if entry.by_others => {}
                None => wrong.push(format!("transaction {} was executed without a reference", entry.transaction_id)),
                Some(reference) if !seen.insert((entry.kind, reference)) => {
                    wrong.push(format!("{reference} was executed twice"));
                }
                Some(_) => {}
            }
            if !entry.amount.is_positive() {
                wrong.push(format!("transaction {} moved {}", entry.transaction_id, entry.amount));
            }
        }
        for (account, opening, balance) in accounts {
            match self.expected(*account, *opening) {
                Some(expected) if expected == *balance => {}
                Some(expected) => {
                    wrong.push(format!("account {account} holds {balance} where the ledger says {expected}"));
                }
                None => wrong.push(format!("the movements of account {account} cannot be added")),
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    fn expected(&self, account: u64, opening: Amount) -> Option<Amount> {
        let account = Place::Account(account);
        self.entries.iter().try_fold(opening, |balance, entry| {
            let mut balance = balance;
            if entry.from == account && entry.state != EntryState::Reversed {
                balance = balance.checked_sub(entry.amount).ok()?;
            }
            if entry.to == account && entry.state == EntryState::Executed {
                balance = balance.checked_add(entry.amount).ok()?;
            }
            Some(balance)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn euro(minor: i64) -> Amount {
        Amount::from_minor(minor, Currency::EUR)
    }

    fn transfer(reference: Option<&str>, id: &str, minor: i64) -> Entry {
        Entry {
            reference: reference.map(str::to_owned),
            kind: Kind::Transfer,
            from: Place::Account(1),
            to: Place::Account(2),
            amount: euro(minor),
            public_label: String::new(),
            private_label: String::new(),
            transaction_id: id.to_owned(),
            at: Timestamp::UNIX_EPOCH,
            state: EntryState::Executed,
            by_others: false,
        }
    }

    #[test]
    fn the_witness_sees_what_is_wrong() {
        let mut ledger = Ledger::default();
        ledger.write(transfer(Some("A"), "t1", 100));
        assert_eq!(ledger.verify(&[(1, euro(500), euro(400)), (2, euro(0), euro(100))]), Ok(()));
        let lost = ledger.verify(&[(1, euro(500), euro(400)), (2, euro(0), euro(99))]).unwrap_err();
        assert_eq!(lost, ["account 2 holds 0.99 EUR where the ledger says 1.00 EUR"]);

        ledger.write(transfer(Some("A"), "t2", 100));
        ledger.write(transfer(None, "t3", 100));
        let wrong = ledger.verify(&[]).unwrap_err();
        assert_eq!(wrong, ["A was executed twice", "transaction t3 was executed without a reference"]);
    }

    #[test]
    fn sums_leave_out_what_came_back() {
        let mut ledger = Ledger::default();
        ledger.write(transfer(Some("A"), "t1", 100));
        ledger.write(transfer(Some("B"), "t2", 50));
        ledger.turn("t2", EntryState::Reversed);
        let sums = ledger.sum_by(Currency::EUR, |entry| Some(entry.to.clone()));
        assert_eq!(sums, BTreeMap::from([(Place::Account(2), euro(100))]));
    }
}
