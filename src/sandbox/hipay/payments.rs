//! Transfers and withdrawals. One reference is executed at most once, ever.

use jiff::Timestamp;

use super::account::{Account, AccountState};
use super::notices::News;
use super::refusals::Refused;
use super::transactions::{Lag, Transaction, Until};
use super::{HipayModel, Success};
use crate::domain::money::Amount;
use crate::sandbox::call::Call;
use crate::sandbox::json::{Json, Spelling};
use crate::sandbox::ledger::{Entry, EntryState, Kind, Place};

/// A payment that passed all checks.
struct Order {
    kind: Kind,
    reference: Option<String>,
    issuer: u64,
    recipient: Option<u64>,
    to: Place,
    amount: Amount,
    label: String,
    private_label: String,
    by_others: bool,
}

/// A payment from the marketplace's accounts that another party makes: a person in HiPay's back
/// office, or the previous product.
#[derive(Debug, Clone)]
pub struct OtherPayment {
    /// A transfer to the account, or a withdrawal from it.
    pub kind: Kind,
    /// HiPay ID of the wallet.
    pub account: u64,
    /// Amount to pay.
    pub amount: Amount,
    /// The label.
    pub label: String,
    /// The reference; most such payments carry none.
    pub reference: Option<String>,
}

pub(super) fn transfer(
    model: &mut HipayModel,
    call: &Call,
    acting: u64,
    now: Timestamp,
    spelling: &mut Spelling,
) -> Result<Success, Refused> {
    let (recipient, login) = recipient(model, call)?;
    let amount = amount(model, call, acting)?;
    let done = if let Some(first) = model.first_of(Kind::Transfer, call) {
        model.repeated(&first)?
    } else {
        check_transfer(model, acting, recipient, amount)?;
        model.execute(
            Order {
                kind: Kind::Transfer,
                reference: reference(call),
                issuer: acting,
                recipient: Some(recipient),
                to: Place::Account(recipient),
                amount,
                label: call.field("public_label").unwrap_or_default().to_owned(),
                private_label: call.field("private_label").unwrap_or_default().to_owned(),
                by_others: false,
            },
            now,
        )
    };
    Ok(Success(
        201,
        vec![
            ("transaction_id", Json::text(&done.id)),
            ("amount", spelling.money(done.amount)),
            ("currency", Json::text(done.amount.currency().code())),
            ("recipient_username", Json::text(&login)),
            ("public_label", Json::text(&done.label)),
            ("private_label", Json::text(&done.private_label)),
            ("merchant_unique_id", done.reference.as_deref().map_or_else(Json::null, Json::text)),
            ("periodicity_type", Json::text("direct")),
        ],
    ))
}

/// Returns the id and e-mail of the recipient, which the request names by id or by login.
fn recipient(model: &HipayModel, call: &Call) -> Result<(u64, String), Refused> {
    let (id, login) = (call.field("recipient_account_id"), call.field("recipient_account_login"));
    let (field, found) = match (id, login) {
        (Some(id), None) => ("recipient_account_id", id.parse().ok().and_then(|id| model.account(id))),
        (None, Some(login)) => {
            let named = |account: &&Account| account.login == login || account.email == login;
            ("recipient_account_login", model.accounts.values().find(named))
        }
        (None, None) => {
            return Err(Refused::fields(2, vec![("recipient_account_id".to_owned(), "missing".to_owned())]));
        }
        (Some(_), Some(_)) => return Err(Refused::invalid("recipient_account_login", "give the id or the login")),
    };
    match found.filter(|account| account.state != AccountState::Deleted) {
        Some(account) => Ok((account.id, account.email.clone())),
        None => Err(Refused::invalid(field, "unknown account")),
    }
}

/// Reads the amount, in the currency of the account that pays.
fn amount(model: &HipayModel, call: &Call, issuer: u64) -> Result<Amount, Refused> {
    let text = call.field("amount").unwrap_or_default();
    Amount::parse(text, model.balance(issuer).currency())
        .map_err(|wrong| Refused::invalid("amount", &wrong.to_string()))
}

fn reference(call: &Call) -> Option<String> {
    call.field("merchant_unique_id").filter(|text| !text.is_empty()).map(str::to_owned)
}

fn check_transfer(model: &HipayModel, issuer: u64, recipient: u64, amount: Amount) -> Result<(), Refused> {
    if issuer == recipient {
        return Err(Refused::invalid("recipient_account_id", "is the account that pays"));
    }
    if model.balance(recipient).currency() != amount.currency() {
        return Err(Refused::invalid("recipient_account_id", "has another currency"));
    }
    let allowed = model.account(recipient).is_some_and(|account| {
        account.state == AccountState::Normal && (account.identified || !model.transfers_need_identification)
    });
    if !allowed {
        return Err(Refused::new(200, 4, "Action not allowed"));
    }
    if model.balance(issuer).covers(amount) { Ok(()) } else { Err(Refused::invalid("amount", "exceeds the balance")) }
}

pub(super) fn withdraw(
    model: &mut HipayModel,
    call: &Call,
    acting: u64,
    now: Timestamp,
    spelling: &mut Spelling,
) -> Result<Success, Refused> {
    let amount = amount(model, call, acting)?;
    let done = if let Some(first) = model.first_of(Kind::Withdrawal, call) {
        model.repeated(&first)?
    } else {
        let iban = check_withdrawal(model, acting, amount)?;
        model.execute(
            Order {
                kind: Kind::Withdrawal,
                reference: reference(call),
                issuer: acting,
                recipient: None,
                to: Place::Bank(iban),
                amount,
                label: call.field("label").unwrap_or_default().to_owned(),
                private_label: String::new(),
                by_others: false,
            },
            now,
        )
    };
    Ok(Success(
        201,
        vec![
            ("transaction_public_id", Json::text(&done.id)),
            ("label", Json::text(&done.label)),
            ("amount", spelling.money(done.amount)),
            ("currency", Json::text(done.amount.currency().code())),
            ("issuer_account", spelling.whole(done.issuer)),
        ],
    ))
}

/// Returns the bank account's IBAN, or refuses with `error_code_detail`.
fn check_withdrawal(model: &HipayModel, issuer: u64, amount: Amount) -> Result<String, Refused> {
    let account = model.own(issuer)?;
    match account.state {
        AccountState::Normal => {}
        AccountState::NotActivated => return Err(Refused::detail(4007)),
        AccountState::Disabled => return Err(Refused::detail(4008)),
        AccountState::Deleted => return Err(Refused::detail(4009)),
    }
    if !account.identified {
        return Err(Refused::detail(4004));
    }
    let bank = account.bank.as_ref().filter(|_| account.bank_status() == 3).ok_or_else(|| Refused::detail(4005))?;
    if !account.owners_declared {
        return Err(Refused::detail(4015));
    }
    if !account.balance.covers(amount) {
        return Err(Refused::detail(4014));
    }
    Ok(bank.iban.clone())
}

impl HipayModel {
    /// Transfers money from the technical account in HiPay's back office, without the marketplace's
    /// software knowing. HiPay checks it as any other transfer. Returns true if it is accepted.
    pub fn transfer_by_hand(&mut self, recipient: u64, amount: Amount, reference: &str) -> bool {
        let payment = OtherPayment {
            kind: Kind::Transfer,
            account: recipient,
            amount,
            label: "By hand".to_owned(),
            reference: Some(reference.to_owned()),
        };
        self.pay_otherwise(payment).is_some()
    }

    /// Makes another party's payment, if HiPay accepts it, and returns its transaction id.
    pub fn pay_otherwise(&mut self, payment: OtherPayment) -> Option<String> {
        let OtherPayment { kind, account, amount, label, reference } = payment;
        let (issuer, recipient, to) = match kind {
            Kind::Transfer => {
                check_transfer(self, self.technical_id, account, amount).ok()?;
                (self.technical_id, Some(account), Place::Account(account))
            }
            Kind::Withdrawal => (account, None, Place::Bank(check_withdrawal(self, account, amount).ok()?)),
            Kind::Funding => return None,
        };
        let (private_label, now) = (String::new(), self.clock.now());
        let order = Order { kind, reference, issuer, recipient, to, amount, label, private_label, by_others: true };
        Some(self.execute(order, now).id)
    }

    /// Returns the transaction as which this reference was executed, however it ended.
    fn first_of(&self, kind: Kind, call: &Call) -> Option<Transaction> {
        let reference = reference(call)?;
        let same = |transaction: &&Transaction| {
            transaction.kind == kind && transaction.reference.as_deref() == Some(reference.as_str())
        };
        self.transactions.iter().find(same).cloned()
    }

    fn execute(&mut self, order: Order, now: Timestamp) -> Transaction {
        let id = self.transaction_id(now);
        if let Some(account) = self.accounts.get_mut(&order.issuer) {
            account.balance = account.balance.checked_sub(order.amount).unwrap_or(account.balance);
        }
        self.ledger.write(Entry {
            reference: order.reference.clone(),
            kind: order.kind,
            from: Place::Account(order.issuer),
            to: order.to,
            amount: order.amount,
            public_label: order.label.clone(),
            private_label: order.private_label.clone(),
            transaction_id: id.clone(),
            at: now,
            state: EntryState::UnderWay,
            by_others: order.by_others,
        });
        let beneficiary = order.recipient.unwrap_or(order.issuer).to_string();
        let own = order.reference.as_ref().and_then(|reference| self.lives.get(reference));
        let life = own.or_else(|| self.lives.get(&beneficiary)).unwrap_or(&self.life).clone();
        let (hidden_lookups, hidden_for) = match self.lag {
            Lag::None => (0, jiff::SignedDuration::ZERO),
            Lag::Lookups(lookups) => (lookups, jiff::SignedDuration::ZERO),
            Lag::Elapsed(delay) => (0, delay),
        };
        let transaction = Transaction {
            id,
            reference: order.reference,
            kind: order.kind,
            issuer: order.issuer,
            recipient: order.recipient,
            amount: order.amount,
            label: order.label,
            private_label: order.private_label,
            status: life.pending.clone(),
            created: now,
            captured: None,
            hidden_lookups,
            visible_from: now.checked_add(hidden_for).unwrap_or(Timestamp::MAX),
            lookups: 0,
            life: Some(life.clone()),
        };
        self.transactions.push(transaction.clone());
        if order.kind == Kind::Transfer && life.ending != super::transactions::Ending::Unauthed {
            self.announce(&News::authorized(&transaction), now);
        }
        if life.until == Until::AtOnce {
            self.settle_due(now);
        }
        transaction
    }
}
