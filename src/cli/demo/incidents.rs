//! What the demo's marketplace lives through beside its trade, so that each state in which a voucher or an operation
//! can wait for a person is there to be looked at, and to be ended: somebody pays by hand, another provider pays,
//! Mirakl corrects a voucher or shows it no more, HiPay takes a payment back or calls it by a word of its own.

use jiff::{SignedDuration, Timestamp};

use crate::cycle::Cycle;
use crate::jobs::{self, Context, JobError};
use crate::money::{Amount, Currency};
use crate::operation::{Beneficiary, Hold, Operation, OperationChoice};
use crate::sandbox::shops::{Market, is_in_trouble, open};
use crate::sandbox::{
    Ending, EntryState, HipayModel, Kind, Life, MiraklModel, OtherPayment, Place, Sandbox, Until, Voucher,
};
use crate::store::{Query, StoreError, View};

/// The number of the first voucher of an incident; those of the trade are far smaller.
const FIRST_NUMBER: u64 = 9_000_001;
/// When vouchers are issued after the cut of a cycle.
const ISSUED_AFTER: SignedDuration = SignedDuration::from_hours(3);
/// When the shops open whose wallets are younger than their vouchers.
const JOINED_AFTER: SignedDuration = SignedDuration::from_hours(10);
/// A voucher of that age after the cut of a cycle belongs to none.
const BETWEEN_CYCLES: SignedDuration = SignedDuration::from_hours(60);
/// When Mirakl and HiPay change their minds.
const CHANGED_AFTER: SignedDuration = SignedDuration::from_hours(72);
/// When Mirakl shows a voucher no more that was seen outside every cycle.
const VANISHED_AFTER: SignedDuration = SignedDuration::from_hours(108);
/// The numbers of the market's shops that only an incident opens begin here.
const OWN_SHOPS: usize = 1_000;
/// How many attempts fail before a person decides.
const ATTEMPTS: u32 = 9;

/// The incidents, by what they lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Incident {
    /// Finance has paid it by hand, and says so in Mirakl.
    PaidByHand,
    /// It is given to another provider.
    OtherProvider,
    /// Its amount is corrected.
    Corrected,
    /// Mirakl shows it no more.
    Vanished,
    /// A person settles it.
    Settled,
    /// A person holds it.
    HeldByPerson,
    /// A smaller payment has its reference.
    SmallerPayment,
    /// The same, and a person takes it for the payment: the rest waits.
    Remainder,
    /// Each attempt fails.
    FailsAlways,
    /// HiPay calls its payment by a word of its own.
    UnknownWord,
    /// Somebody may have paid it before there was this wallet.
    MayBePaid,
    /// Two payments claim to be it.
    PaidTwice,
    /// No cycle contains it.
    OutsideCycles,
    /// The same, and Mirakl shows it no more.
    VanishedOutside,
    /// Another provider pays it from the beginning.
    Elsewhere,
    /// Mirakl shows it as paid from the beginning.
    PaidBefore,
}

impl Incident {
    const ALL: [Self; 16] = [
        Self::PaidByHand,
        Self::OtherProvider,
        Self::Corrected,
        Self::Vanished,
        Self::Settled,
        Self::HeldByPerson,
        Self::SmallerPayment,
        Self::Remainder,
        Self::FailsAlways,
        Self::UnknownWord,
        Self::MayBePaid,
        Self::PaidTwice,
        Self::OutsideCycles,
        Self::VanishedOutside,
        Self::Elsewhere,
        Self::PaidBefore,
    ];

    /// The number of its voucher.
    fn number(self) -> u64 {
        let place = Self::ALL.iter().position(|one| *one == self).and_then(|place| u64::try_from(place).ok());
        FIRST_NUMBER.saturating_add(place.unwrap_or_default())
    }

    /// What its voucher owes the seller.
    fn amount(self) -> Amount {
        // An account in pounds is not there, so what is owed in them waits where money would have left.
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

/// What is still to happen.
pub(super) struct Incidents {
    /// The cycle of those that need many days, and of all others.
    long: Cycle,
    short: Cycle,
    market: Market,
    to_issue: Vec<Incident>,
    opened: bool,
    changed: bool,
    /// The payments to the wallets of shops that have just joined.
    to_pay: Vec<Incident>,
    took_back: bool,
}

impl Incidents {
    /// In these two cycles, of which the first is the earlier.
    pub(super) fn new(market: Market, long: Cycle, short: Cycle) -> Self {
        let to_pay = vec![Incident::SmallerPayment, Incident::Remainder, Incident::MayBePaid, Incident::PaidTwice];
        Self {
            long,
            short,
            market,
            to_issue: Incident::ALL.to_vec(),
            opened: false,
            changed: false,
            to_pay,
            took_back: false,
        }
    }

    /// Lets happen what is due at `now`.
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
            sandbox.mirakl(change_minds);
        }
        if now >= later(self.short.at, VANISHED_AFTER) && !self.to_issue.contains(&Incident::VanishedOutside) {
            sandbox.mirakl(|mirakl| vanish(mirakl, Incident::VanishedOutside));
        }
        if !self.took_back && now >= later(self.short.at, CHANGED_AFTER) {
            self.took_back = sandbox.hipay(take_back);
        }
    }

    /// The shop of an incident's voucher.
    fn shop(&self, sandbox: &Sandbox, incident: Incident) -> Option<u64> {
        let own = [Incident::MayBePaid, Incident::PaidTwice].iter().position(|one| *one == incident);
        if let Some(place) = own {
            let index = *own_shops().get(place)?;
            return sandbox.mirakl(|mirakl| self.market.shop_id(index).filter(|id| mirakl.shop(*id).is_some()));
        }
        let well: Vec<u64> = sandbox.mirakl(|mirakl| {
            let shops = mirakl.shops.iter().enumerate().filter(|(index, _)| !is_in_trouble(*index));
            shops.map(|(_, shop)| shop.id).take(8).collect()
        });
        let place = usize::try_from(incident.number()).ok()?.checked_rem(well.len())?;
        well.get(place).copied()
    }

    /// Issues its voucher once it is time; true where that is done.
    fn issue(&self, sandbox: &Sandbox, incident: Incident, now: Timestamp) -> bool {
        let created = if matches!(incident, Incident::FailsAlways | Incident::UnknownWord) {
            later(self.long.at, ISSUED_AFTER)
        } else if matches!(incident, Incident::OutsideCycles | Incident::VanishedOutside) {
            later(self.short.at, BETWEEN_CYCLES)
        } else {
            later(self.short.at, ISSUED_AFTER)
        };
        let Some(shop) = self.shop(sandbox, incident).filter(|_| created <= now) else { return false };
        let mut voucher = Voucher::new(incident.number(), shop, &incident.amount().decimal(), created);
        voucher.currency = incident.amount().currency();
        voucher.pay_out_psp_code = (incident == Incident::Elsewhere).then(|| "MANGOPAY".to_owned());
        if incident == Incident::PaidBefore {
            "PAID".clone_into(&mut voucher.state);
        }
        sandbox.mirakl(|mirakl| mirakl.vouchers.push(voucher));
        true
    }

    /// HiPay's side of the vouchers, as soon as the wallets are there.
    fn prepare(&mut self, sandbox: &Sandbox) {
        for (incident, life) in [
            (Incident::FailsAlways, Life::failing(Ending::Unauthed)),
            (Incident::UnknownWord, Life::pending("UNDER_REVIEW", Until::ByHand, Ending::Captured)),
        ] {
            let Some(wallet) = self.shop(sandbox, incident).and_then(|shop| wallet(sandbox, shop)) else { continue };
            let base = reference(sandbox, incident, wallet);
            sandbox.hipay(|hipay| {
                for number in 1..=ATTEMPTS {
                    let reference = if number == 1 { base.clone() } else { format!("{base}_R{number}") };
                    hipay.lives.entry(reference).or_insert_with(|| life.clone());
                }
            });
        }
        let mut waiting = std::mem::take(&mut self.to_pay);
        // Nobody pays what is not there yet.
        waiting.retain(|incident| self.to_issue.contains(incident) || !self.pay(sandbox, *incident));
        self.to_pay = waiting;
    }

    /// Somebody else's payments; true once HiPay has executed them.
    fn pay(&self, sandbox: &Sandbox, incident: Incident) -> bool {
        let Some(account) = self.shop(sandbox, incident).and_then(|shop| wallet(sandbox, shop)) else { return false };
        let own = reference(sandbox, incident, account);
        let (whole, technical) = (incident.amount(), sandbox.credentials().technical_id);
        let other = |name: &str| own.replace(&format!("_{technical}_"), &format!("_{name}_"));
        let payments: Vec<(Amount, Option<String>)> = if incident == Incident::MayBePaid {
            vec![(whole, None)]
        } else if incident == Incident::PaidTwice {
            vec![(whole, Some(other("former"))), (whole, Some(other("second")))]
        } else {
            vec![(half(whole), Some(own.clone()))]
        };
        let needed = Amount::from_minor(whole.minor().saturating_mul(2), whole.currency());
        sandbox.hipay(|hipay| {
            // All of them, or none yet.
            if !hipay.balance(technical).covers(needed) {
                return false;
            }
            for (amount, reference) in payments {
                by_hand(hipay, account, amount, reference);
            }
            true
        })
    }
}

/// What a person in the marketplace's finance has decided by the time the dashboard is shown.
pub(super) async fn decide(context: &Context) -> Result<(), JobError> {
    for incident in [Incident::Settled, Incident::HeldByPerson, Incident::Remainder] {
        let number = incident.number().to_string();
        let found = context.store.reading(move |reader| {
            let query = Query::group("search", ()).from(number.clone()).to(format!("{number}\u{1}")).limit(10);
            Ok::<_, StoreError>(reader.page::<Operation>(&query)?.items)
        });
        let vendors = found.await?.into_iter().find(|one| one.beneficiary == Beneficiary::Vendor);
        let Some(operation) = vendors else { continue };
        let (choice, reason) = match (incident, operation.candidates.first()) {
            (Incident::Settled, _) => (OperationChoice::Settle, "paid from the account in pounds"),
            (Incident::HeldByPerson, _) => (OperationChoice::Hold, "the seller disputes the amount"),
            (_, Some(candidate)) if operation.held_for == Some(Hold::OtherPayment) => {
                (OperationChoice::Accept { transaction_id: candidate.clone() }, "paid in advance by hand")
            }
            _ => continue,
        };
        jobs::choose_for_operation(context, operation.id, choice, reason, "Finance").await?;
    }
    Ok(())
}

/// The market's numbers of the shops that join for an incident.
fn own_shops() -> Vec<usize> {
    (OWN_SHOPS..).filter(|index| !is_in_trouble(*index)).take(2).collect()
}

/// Mirakl shows something else than before.
fn change_minds(mirakl: &mut MiraklModel) {
    if let Some(voucher) = mirakl.voucher_mut(Incident::PaidByHand.number()) {
        "PAID".clone_into(&mut voucher.state);
    }
    if let Some(voucher) = mirakl.voucher_mut(Incident::OtherProvider.number()) {
        voucher.pay_out_psp_code = Some("MANGOPAY".to_owned());
    }
    if let Some(voucher) = mirakl.voucher_mut(Incident::Corrected.number()) {
        voucher.amount_transferred = Some("61.00".to_owned());
    }
    vanish(mirakl, Incident::Vanished);
}

fn vanish(mirakl: &mut MiraklModel, incident: Incident) {
    mirakl.vouchers.retain(|voucher| voucher.number != incident.number());
}

/// HiPay takes back a transfer that lies in a seller's wallet; true where there is one.
fn take_back(hipay: &mut HipayModel) -> bool {
    let lies_there = hipay.ledger.paid().find(|entry| match entry.to {
        Place::Account(account) => {
            let sellers = hipay.account(account).is_some_and(|account| account.external_id.is_some());
            let executed = entry.kind == Kind::Transfer && entry.state == EntryState::Executed && !entry.by_others;
            executed && sellers && hipay.balance(account).covers(entry.amount)
        }
        Place::Bank(_) | Place::Customers => false,
    });
    let Some(id) = lies_there.map(|entry| entry.transaction_id.clone()) else { return false };
    hipay.take_back(&id, Ending::CancelledEnd);
    true
}

fn by_hand(hipay: &mut HipayModel, account: u64, amount: Amount, reference: Option<String>) {
    let life = std::mem::replace(&mut hipay.life, Life::captured_at_once());
    let label = "Paid in advance".to_owned();
    hipay.pay_otherwise(OtherPayment { kind: Kind::Transfer, account, amount, label, reference });
    hipay.life = life;
}

fn half(amount: Amount) -> Amount {
    Amount::from_minor(amount.minor() / 2, amount.currency())
}

fn wallet(sandbox: &Sandbox, shop: u64) -> Option<u64> {
    sandbox.hipay(|hipay| hipay.account_of_shop(shop).map(|account| account.id))
}

/// The reference of the first transfer of an incident's voucher.
fn reference(sandbox: &Sandbox, incident: Incident, wallet: u64) -> String {
    let technical = sandbox.credentials().technical_id;
    format!("TRANSFER_SALES_{}_{technical}_{wallet}", incident.number())
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
