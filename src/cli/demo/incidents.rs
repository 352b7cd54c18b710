//! Incidents in the demo's marketplace: for each hold of an operation and each state of a voucher, an event that leads to
//! it. Finance pays by hand, another provider pays, Mirakl corrects or removes a voucher, HiPay reverses a payment.

use jiff::{SignedDuration, Timestamp};
use strum::VariantArray;

use super::later;
use crate::domain::cycle::Cycle;
use crate::domain::money::{Amount, Currency};
use crate::domain::operation::{Beneficiary, Hold, Operation, OperationChoice};
use crate::jobs::{self, Context, JobError};
use crate::sandbox::shops::{Market, is_in_trouble, open};
use crate::sandbox::{
    Ending, Endpoint, EntryState, HipayModel, Kind, Life, MiraklModel, OtherPayment, Place, Refusal, Sandbox, Until,
    Voucher,
};
use crate::store::{Query, StoreError, View};

/// The number of the first voucher of an incident, above those of the market.
const FIRST_NUMBER: u64 = 9_000_001;
/// The delay between the cut of a cycle and its vouchers.
const ISSUED_AFTER: SignedDuration = SignedDuration::from_hours(3);
/// The delay after which shops open whose wallets are younger than their vouchers.
const JOINED_AFTER: SignedDuration = SignedDuration::from_hours(10);
/// The delay after the cut of a cycle at which no window contains a voucher.
const BETWEEN_CYCLES: SignedDuration = SignedDuration::from_hours(60);
/// The delay after which Mirakl changes vouchers and HiPay reverses a payment.
const CHANGED_AFTER: SignedDuration = SignedDuration::from_hours(72);
/// The delay after which Mirakl removes a voucher that is outside every cycle.
const VANISHED_AFTER: SignedDuration = SignedDuration::from_hours(108);
/// The market's number of the first shop that only an incident opens.
const OWN_SHOPS: usize = 1_000;
/// The number of shops of the market, the first that are not in trouble, which incidents happen to.
pub(super) const INCIDENT_SHOPS: usize = 8;
/// The number of failed attempts after which a person decides.
const ATTEMPTS: u32 = 9;

/// An incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray)]
enum Incident {
    /// Finance pays by hand, and marks the voucher in Mirakl.
    PaidByHand,
    /// Mirakl assigns the voucher to another provider.
    OtherProvider,
    /// Mirakl corrects the amount.
    Corrected,
    /// Mirakl removes the voucher.
    Vanished,
    /// A person settles the operation.
    Settled,
    /// A person holds the operation.
    HeldByPerson,
    /// A smaller payment has the operation's reference.
    SmallerPayment,
    /// A person accepts such a smaller payment; the remainder is held.
    Remainder,
    /// Every attempt fails.
    FailsAlways,
    /// HiPay reports an unknown status word.
    UnknownWord,
    /// A payment without a reference may be the operation's.
    MayBePaid,
    /// Two payments carry the voucher's number.
    PaidTwice,
    /// No window contains the voucher.
    OutsideCycles,
    /// Mirakl removes a voucher that no window contains.
    VanishedOutside,
    /// Another provider pays the voucher from the start.
    Elsewhere,
    /// Mirakl marks the voucher as paid from the start.
    PaidBefore,
    /// A person settles the operation while HiPay reviews its transfer, and HiPay executes it after all.
    SettledTooEarly,
    /// HiPay does not let the list of the wallet's transactions be read.
    ListUnreadable,
}

impl Incident {
    /// The incidents whose shop opens after its voucher was made.
    const WITH_OWN_SHOP: [Self; 3] = [Self::MayBePaid, Self::PaidTwice, Self::ListUnreadable];

    /// Returns the voucher's number.
    fn number(self) -> u64 {
        let place = Self::VARIANTS.iter().position(|one| *one == self).and_then(|place| u64::try_from(place).ok());
        FIRST_NUMBER.saturating_add(place.unwrap_or_default())
    }

    /// Returns the amount that the voucher owes the seller.
    fn amount(self) -> Amount {
        // The escrow has no account in pounds, so these operations stay unpaid until the incident happens.
        let waits = matches!(
            self,
            Self::PaidByHand
                | Self::OtherProvider
                | Self::Corrected
                | Self::Vanished
                | Self::Settled
                | Self::HeldByPerson
        );
        let pounds = Currency::from_code("GBP").ok().filter(|_| waits);
        let minor = i64::try_from(self.number() % 100).unwrap_or_default().saturating_mul(1_000).saturating_add(7_500);
        Amount::from_minor(minor, pounds.unwrap_or(Currency::EUR))
    }
}

/// The pending incidents.
pub(super) struct Incidents {
    /// The cycle of incidents that need many days.
    long: Cycle,
    /// The cycle of all others.
    short: Cycle,
    market: Market,
    to_issue: Vec<Incident>,
    /// The shop of each voucher that was issued.
    shops: Vec<(Incident, u64)>,
    opened: bool,
    changed: bool,
    /// The payments by others that are not made yet.
    to_pay: Vec<Incident>,
    reversed: bool,
}

impl Incidents {
    /// Returns the incidents of two cycles, `long` being the earlier.
    pub(super) fn new(market: Market, long: Cycle, short: Cycle) -> Self {
        let to_pay = vec![Incident::SmallerPayment, Incident::Remainder, Incident::MayBePaid, Incident::PaidTwice];
        Self {
            long,
            short,
            market,
            to_issue: Incident::VARIANTS.to_vec(),
            shops: Vec::new(),
            opened: false,
            changed: false,
            to_pay,
            reversed: false,
        }
    }

    /// Applies the incidents that are due at `now`.
    pub(super) fn up_to(&mut self, sandbox: &Sandbox, now: Timestamp) {
        let mut waiting = std::mem::take(&mut self.to_issue);
        waiting.retain(|incident| !self.issue(sandbox, *incident, now));
        self.to_issue = waiting;
        if !self.opened && now >= later(self.short.at, JOINED_AFTER) {
            self.opened = true;
            for index in own_shops() {
                open(sandbox, &self.market, index..index.saturating_add(1), now);
            }
        }
        self.prepare(sandbox);
        if !self.changed && now >= later(self.short.at, CHANGED_AFTER) {
            self.changed = true;
            sandbox.mirakl(change_vouchers);
        }
        if now >= later(self.short.at, VANISHED_AFTER) && !self.to_issue.contains(&Incident::VanishedOutside) {
            sandbox.mirakl(|mirakl| remove_voucher(mirakl, Incident::VanishedOutside));
        }
        if !self.reversed && now >= later(self.short.at, CHANGED_AFTER) {
            self.reversed = sandbox.hipay(reverse_transfer);
        }
    }

    /// Chooses the shop of an incident's voucher.
    fn choose_shop(&self, sandbox: &Sandbox, incident: Incident) -> Option<u64> {
        let own = Incident::WITH_OWN_SHOP.iter().position(|one| *one == incident);
        if let Some(place) = own {
            let index = *own_shops().get(place)?;
            return sandbox.mirakl(|mirakl| self.market.shop_id(index).filter(|id| mirakl.shop(*id).is_some()));
        }
        let well: Vec<u64> = sandbox.mirakl(|mirakl| {
            let shops = mirakl.shops.iter().enumerate().filter(|(index, _)| !is_in_trouble(*index));
            shops.map(|(_, shop)| shop.id).take(INCIDENT_SHOPS).collect()
        });
        let place = usize::try_from(incident.number()).ok()?.checked_rem(well.len())?;
        well.get(place).copied()
    }

    /// Issues the voucher of an incident once it is due. Returns true if it was issued.
    fn issue(&mut self, sandbox: &Sandbox, incident: Incident, now: Timestamp) -> bool {
        let created = if matches!(incident, Incident::FailsAlways | Incident::UnknownWord) {
            later(self.long.at, ISSUED_AFTER)
        } else if matches!(incident, Incident::OutsideCycles | Incident::VanishedOutside) {
            later(self.short.at, BETWEEN_CYCLES)
        } else {
            later(self.short.at, ISSUED_AFTER)
        };
        let Some(shop) = self.choose_shop(sandbox, incident).filter(|_| created <= now) else { return false };
        let mut voucher = Voucher::new(incident.number(), shop, &incident.amount().decimal(), created);
        voucher.currency = incident.amount().currency();
        voucher.pay_out_psp_code = (incident == Incident::Elsewhere).then(|| "MANGOPAY".to_owned());
        if incident == Incident::PaidBefore {
            "PAID".clone_into(&mut voucher.state);
        }
        sandbox.mirakl(|mirakl| mirakl.vouchers.push(voucher));
        self.shops.push((incident, shop));
        true
    }

    /// Returns the wallet of an incident's shop, once both exist.
    fn wallet(&self, sandbox: &Sandbox, incident: Incident) -> Option<u64> {
        let shop = self.shops.iter().find(|(one, _)| *one == incident).map(|(_, shop)| *shop)?;
        sandbox.hipay(|hipay| hipay.account_of_shop(shop).map(|account| account.id))
    }

    /// Prepares HiPay for the vouchers as soon as the wallets exist.
    fn prepare(&mut self, sandbox: &Sandbox) {
        for (incident, life) in [
            (Incident::FailsAlways, Life::failing(Ending::Unauthed)),
            (Incident::UnknownWord, Life::pending("UNDER_REVIEW", Until::ByHand, Ending::Captured)),
            (Incident::SettledTooEarly, Life::pending("UNDER_REVIEW", Until::ByHand, Ending::Captured)),
        ] {
            let Some(wallet) = self.wallet(sandbox, incident) else { continue };
            let base = reference(sandbox, incident, wallet);
            sandbox.hipay(|hipay| {
                for number in 1..=ATTEMPTS {
                    let reference = if number == 1 { base.clone() } else { format!("{base}_R{number}") };
                    hipay.lives.entry(reference).or_insert_with(|| life.clone());
                }
            });
        }
        if let Some(wallet) = self.wallet(sandbox, Incident::ListUnreadable) {
            sandbox.hipay(|hipay| {
                if hipay.refusals.iter().all(|refusal| refusal.endpoint != Endpoint::Transactions) {
                    let forbidden = Refusal::code(Endpoint::Transactions, 403).about(&wallet);
                    hipay.refusals.push(forbidden.times(u32::MAX));
                }
            });
        }
        let mut waiting = std::mem::take(&mut self.to_pay);
        waiting.retain(|incident| !self.pay(sandbox, *incident));
        self.to_pay = waiting;
    }

    /// Makes the payments by others. Returns true if HiPay has executed them.
    fn pay(&self, sandbox: &Sandbox, incident: Incident) -> bool {
        let Some(account) = self.wallet(sandbox, incident) else { return false };
        let own = reference(sandbox, incident, account);
        let (whole, technical) = (incident.amount(), sandbox.credentials().technical_id);
        let other = |name: &str| own.replace(&format!("_{technical}_"), &format!("_{name}_"));
        let payments: Vec<(Amount, Option<String>)> = if incident == Incident::MayBePaid {
            vec![(whole, None)]
        } else if incident == Incident::PaidTwice {
            vec![(whole, Some(other("former"))), (whole, Some(other("second")))]
        } else {
            let half = Amount::from_minor(whole.minor() / 2, whole.currency());
            vec![(half, Some(own))]
        };
        let needed = Amount::from_minor(whole.minor().saturating_mul(2), whole.currency());
        sandbox.hipay(|hipay| {
            // Both are made, or none yet.
            if !hipay.balance(technical).covers(needed) {
                return false;
            }
            let life = std::mem::replace(&mut hipay.life, Life::captured_at_once());
            for (amount, reference) in payments {
                let label = "Paid in advance".to_owned();
                hipay.pay_otherwise(OtherPayment { kind: Kind::Transfer, account, amount, label, reference });
            }
            hipay.life = life;
            true
        })
    }
}

/// Applies the choices that finance has made before the dashboard is shown.
pub(super) async fn decide(context: &Context, sandbox: &Sandbox) -> Result<(), JobError> {
    for incident in [Incident::Settled, Incident::HeldByPerson, Incident::Remainder, Incident::SettledTooEarly] {
        let number = incident.number().to_string();
        let found = context.store.reading(move |reader| {
            let query = Query::group(Operation::SEARCH, ()).from(number.clone()).to(format!("{number}\u{1}")).limit(10);
            Ok::<_, StoreError>(reader.page(&query)?.items)
        });
        let vendors = found.await?.into_iter().find(|one| one.beneficiary == Beneficiary::Vendor);
        let Some(operation) = vendors else { continue };
        let (choice, reason) = match (incident, operation.candidates.first()) {
            (Incident::Settled, _) => (OperationChoice::Settle, "paid from the account in pounds"),
            (Incident::SettledTooEarly, _) => (OperationChoice::Settle, "paid by hand, since HiPay took too long"),
            (Incident::HeldByPerson, _) => (OperationChoice::Hold, "the seller disputes the amount"),
            (_, Some(candidate)) if operation.held_for == Some(Hold::OtherPayment) => {
                (OperationChoice::Accept { transaction_id: candidate.clone() }, "paid in advance by hand")
            }
            _ => continue,
        };
        match jobs::choose_for_operation(context, operation.id, choice, reason, "Finance").await {
            // A demo with many faults may lack this state.
            Ok(chosen) => {
                if let Some(reviewed) = chosen.transfer.last().filter(|_| incident == Incident::SettledTooEarly) {
                    sandbox.hipay(|hipay| hipay.settle_transaction(&reviewed.reference, Ending::Captured));
                }
            }
            Err(JobError::Refused(_) | JobError::Remote(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Returns the market's numbers of the shops that only an incident opens.
fn own_shops() -> Vec<usize> {
    (OWN_SHOPS..).filter(|index| !is_in_trouble(*index)).take(Incident::WITH_OWN_SHOP.len()).collect()
}

/// Changes the vouchers in Mirakl.
fn change_vouchers(mirakl: &mut MiraklModel) {
    if let Some(voucher) = mirakl.voucher_mut(Incident::PaidByHand.number()) {
        "PAID".clone_into(&mut voucher.state);
    }
    if let Some(voucher) = mirakl.voucher_mut(Incident::OtherProvider.number()) {
        voucher.pay_out_psp_code = Some("MANGOPAY".to_owned());
    }
    if let Some(voucher) = mirakl.voucher_mut(Incident::Corrected.number()) {
        voucher.amount_transferred = Some("61.00".to_owned());
    }
    remove_voucher(mirakl, Incident::Vanished);
}

fn remove_voucher(mirakl: &mut MiraklModel, incident: Incident) {
    mirakl.vouchers.retain(|voucher| voucher.number != incident.number());
}

/// Reverses a transfer whose money is still in a seller's wallet. Returns false if there is none.
fn reverse_transfer(hipay: &mut HipayModel) -> bool {
    let in_wallet = hipay.ledger.paid().find(|entry| match entry.to {
        Place::Account(account) => {
            let sellers = hipay.account(account).is_some_and(|account| account.external_id.is_some());
            let executed = entry.kind == Kind::Transfer && entry.state == EntryState::Executed && !entry.by_others;
            executed && sellers && hipay.balance(account).covers(entry.amount)
        }
        Place::Bank(_) | Place::Customers => false,
    });
    let Some(id) = in_wallet.map(|entry| entry.transaction_id.clone()) else { return false };
    hipay.take_back(&id, Ending::CancelledEnd);
    true
}

/// Returns the reference of the first transfer for an incident's voucher.
fn reference(sandbox: &Sandbox, incident: Incident, wallet: u64) -> String {
    let technical = sandbox.credentials().technical_id;
    format!("TRANSFER_SALES_{}_{technical}_{wallet}", incident.number())
}
