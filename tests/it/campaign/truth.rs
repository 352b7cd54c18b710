//! The truth for the judge: vouchers, and payments by others.

use std::collections::{BTreeMap, BTreeSet};

use cashout::domain::attempt::ReferenceParts;
use cashout::domain::money::Amount;
use cashout::domain::operation::{Beneficiary, Operation};
use cashout::sandbox::{Entry, EntryState, Kind, Voucher};

use crate::world::{World, wallet_of};

/// The share of one beneficiary in one voucher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    pub(super) voucher: u64,
    pub(super) beneficiary: Beneficiary,
}

impl Due {
    pub(super) fn of(operation: &Operation) -> Self {
        // One number has two spellings: the billing cycles' begins with zeros.
        let voucher = operation.voucher.parse().expect("a voucher of the campaign");
        Self { voucher, beneficiary: operation.beneficiary }
    }

    /// Reads the voucher and beneficiary from a reference of our form.
    pub(super) fn named(reference: &str) -> Option<Self> {
        let parts = ReferenceParts::of(reference)?;
        let voucher = parts.rest.split('_').next()?.parse().ok()?;
        Some(Self { voucher, beneficiary: parts.beneficiary })
    }
}

pub(super) struct Truth {
    /// The vouchers that Mirakl no longer shows, as last shown.
    pub(super) vanished: BTreeMap<u64, Voucher>,
    /// Payments that people made at HiPay, by transaction, with their purpose.
    pub(super) by_hand: BTreeMap<String, Due>,
    /// Payments from another bank, unknown to HiPay.
    pub(super) elsewhere: BTreeSet<Due>,
    /// Shares that a person has released regardless of Mirakl.
    pub(super) released: BTreeSet<Due>,
    /// Reversed transactions that the store may not have read yet.
    pub(super) taken_back: BTreeSet<String>,
    /// Payments that HiPay executed after it had shown them as failed.
    pub(super) revived: BTreeSet<String>,
    /// Revived payments that the store may not have read yet.
    pub(super) unread: BTreeSet<String>,
    /// The operator's account and its former ones.
    pub(super) operators: BTreeSet<u64>,
    /// The next number of a voucher.
    pub(super) next: u64,
    /// Number of lines of HiPay's ledger that were judged.
    pub(super) judged: usize,
}

impl Truth {
    pub(super) fn new(operator: u64) -> Self {
        Self {
            vanished: BTreeMap::new(),
            by_hand: BTreeMap::new(),
            elsewhere: BTreeSet::new(),
            released: BTreeSet::new(),
            taken_back: BTreeSet::new(),
            revived: BTreeSet::new(),
            unread: BTreeSet::new(),
            operators: BTreeSet::from([operator]),
            next: 1,
            judged: 0,
        }
    }

    /// Returns the voucher as Mirakl shows it, or last showed it.
    pub(super) fn voucher(&self, world: &World, number: u64) -> Voucher {
        let shown = world.sandbox.mirakl(|mirakl| mirakl.voucher_mut(number).cloned());
        shown.or_else(|| self.vanished.get(&number).cloned()).unwrap_or_else(|| panic!("there was no voucher {number}"))
    }

    /// Returns the amount due according to Mirakl's present data.
    pub(super) fn owed(&self, world: &World, due: Due) -> Amount {
        let voucher = self.voucher(world, due.voucher);
        let text = match due.beneficiary {
            Beneficiary::Vendor => voucher.amount_transferred,
            Beneficiary::Operator => voucher.amount_to_operator,
        };
        text.map_or(Amount::zero(voucher.currency), |text| Amount::parse(&text, voucher.currency).unwrap())
    }

    /// Returns the share that a line of HiPay's ledger paid.
    pub(super) fn due_of(&self, entry: &Entry) -> Option<Due> {
        let by_hand = self.by_hand.get(&entry.transaction_id).copied();
        by_hand.or_else(|| entry.reference.as_deref().and_then(Due::named))
    }

    /// Returns the payments for `due` that were not reversed, the oldest first.
    pub(super) fn live(&self, world: &World, kind: Kind, due: Due) -> Vec<Entry> {
        world.sandbox.hipay(|hipay| {
            let live = hipay.ledger.paid().filter(|entry| entry.kind == kind && self.due_of(entry) == Some(due));
            live.cloned().collect()
        })
    }

    /// Returns true if the wallet belongs to the shop.
    pub(super) fn is_wallet_of(world: &World, wallet: u64, shop: u64) -> bool {
        let external = world.sandbox.hipay(|hipay| hipay.account(wallet).and_then(|one| one.external_id.clone()));
        wallet == wallet_of(shop) || external == Some(shop.to_string())
    }

    /// Returns the shop's wallet at HiPay; the newest if there are several.
    pub(super) fn wallet(world: &World, shop: u64) -> Option<u64> {
        world
            .sandbox
            .hipay(|hipay| hipay.accounts.keys().copied().collect::<Vec<_>>())
            .into_iter()
            .rev()
            .find(|wallet| Self::is_wallet_of(world, *wallet, shop))
    }
}

/// Returns the sum that these lines moved.
pub(super) fn sum(entries: &[Entry], currency: cashout::domain::money::Currency) -> Amount {
    let moved = entries.iter().filter(|entry| entry.state != EntryState::Reversed);
    moved.fold(Amount::zero(currency), |sum, entry| sum.checked_add(entry.amount).unwrap())
}
