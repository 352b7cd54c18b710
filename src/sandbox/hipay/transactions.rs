//! Transactions: their course, their endings, and look-ups.

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Span, Timestamp};

use super::accounts::count;
use super::notices::News;
use super::refusals::Refused;
use super::{HipayModel, Success};
use crate::domain::money::Amount;
use crate::sandbox::call::Call;
use crate::sandbox::json::{Json, Spelling};
use crate::sandbox::ledger::{EntryState, Kind};

/// Ending of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Completed: credited to the recipient.
    Captured,
    /// Not authorised.
    Unauthed,
    /// Aborted.
    Aborted,
    /// Rejected.
    RejectedEnd,
    /// Cancelled.
    CancelledEnd,
    /// Returned, with a status that HiPay's description does not have.
    Refunded,
}

impl Ending {
    /// Returns HiPay's status for it.
    pub fn status(self) -> &'static str {
        match self {
            Self::Captured => "CAPTURED",
            Self::Unauthed => "UNAUTHED",
            Self::Aborted => "ABORTED",
            Self::RejectedEnd => "REJECTED_END",
            Self::CancelledEnd => "CANCELLED_END",
            Self::Refunded => "REFUNDED",
        }
    }
}

/// End of the pending phase of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Without a pending phase.
    AtOnce,
    /// At the call of [`HipayModel::settle_transactions`].
    ByHand,
    /// After this number of look-ups.
    Lookups(u32),
    /// After this time.
    Elapsed(SignedDuration),
}

/// Course of an accepted payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Its status while it is pending: `AUTHORIZED`, `STANDBY`, …
    pub pending: String,
    /// End of the pending phase.
    pub until: Until,
    /// Ending of the transaction.
    pub ending: Ending,
}

impl Life {
    /// Makes a course that executes the payment as soon as it is accepted.
    pub fn captured_at_once() -> Self {
        Self::pending("AUTHORIZED", Until::AtOnce, Ending::Captured)
    }

    /// Makes a course that stays pending under a status.
    pub fn pending(status: &str, until: Until, ending: Ending) -> Self {
        Self { pending: status.to_owned(), until, ending }
    }

    /// Makes a course that fails immediately after acceptance.
    pub fn failing(ending: Ending) -> Self {
        Self::pending("AUTHORIZED", Until::AtOnce, ending)
    }
}

/// Period in which look-ups do not find a new transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lag {
    /// Found at once.
    None,
    /// Hidden from this number of look-ups.
    Lookups(u32),
    /// Hidden for this time.
    Elapsed(SignedDuration),
}

/// The shape of the items of a list of transactions: HiPay's description declares each as a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// Objects with the same fields as a single transaction.
    Objects,
    /// Bare ids.
    Ids,
    /// Objects that leave out the reference and the status.
    Summaries,
}

/// A transfer, a withdrawal, or an arrival of money.
#[derive(Debug, Clone)]
pub struct Transaction {
    /// HiPay's id.
    pub id: String,
    /// The merchant's reference.
    pub reference: Option<String>,
    /// Transfer or withdrawal.
    pub kind: Kind,
    /// The account that pays.
    pub issuer: u64,
    /// The account that is paid, for a transfer.
    pub recipient: Option<u64>,
    /// Amount moved.
    pub amount: Amount,
    /// The label that the recipient sees.
    pub label: String,
    /// The label that only the issuer sees.
    pub private_label: String,
    /// HiPay's current status.
    pub status: String,
    /// Time of acceptance.
    pub created: Timestamp,
    /// Time of capture.
    pub captured: Option<Timestamp>,
    /// Remaining course; `None` once settled.
    pub life: Option<Life>,
    /// Number of look-ups that still do not find it.
    pub hidden_lookups: u32,
    /// Time from which it is found.
    pub visible_from: Timestamp,
    /// Number of successful look-ups.
    pub lookups: u32,
}

impl Transaction {
    /// Makes the transaction of sales money that has arrived.
    pub(super) fn funding(account: u64, id: &str, amount: Amount, now: Timestamp) -> Self {
        Self {
            id: id.to_owned(),
            reference: None,
            kind: Kind::Funding,
            issuer: 0,
            recipient: Some(account),
            amount,
            label: "Settlement".to_owned(),
            private_label: String::new(),
            status: Ending::Captured.status().to_owned(),
            created: now,
            captured: Some(now),
            life: None,
            hidden_lookups: 0,
            visible_from: now,
            lookups: 0,
        }
    }

    /// Returns true if this account's list shows it.
    fn concerns(&self, account: u64) -> bool {
        (self.kind != Kind::Funding && self.issuer == account) || self.recipient == Some(account)
    }
}

impl HipayModel {
    /// Ends every pending transaction as its course states.
    pub fn settle_transactions(&mut self) {
        let now = self.clock.now();
        self.settle_where(now, |_| true);
    }

    /// Ends the pending transaction with this reference.
    pub fn settle_transaction(&mut self, reference: &str, ending: Ending) {
        let now = self.clock.now();
        for transaction in &mut self.transactions {
            if let Some(life) =
                transaction.life.as_mut().filter(|_| transaction.reference.as_deref() == Some(reference))
            {
                life.ending = ending;
            }
        }
        self.settle_where(now, |transaction| transaction.reference.as_deref() == Some(reference));
    }

    /// Reverses a captured payment: the money returns to the account that paid it, and HiPay sends a notification.
    pub fn take_back(&mut self, id: &str, ending: Ending) {
        let now = self.clock.now();
        let taken = self.transactions.iter_mut().find(|one| one.id == id && one.captured.is_some());
        let Some(transaction) = taken else { return };
        ending.status().clone_into(&mut transaction.status);
        transaction.captured = None;
        let transaction = transaction.clone();
        self.shift(transaction.amount, transaction.recipient, Some(transaction.issuer));
        self.ledger.turn(&transaction.id, EntryState::Reversed);
        self.announce(&News::ended(&transaction, ending), now);
    }

    /// Moves money from one account to another; a bank account is represented by `None`.
    fn shift(&mut self, amount: Amount, from: Option<u64>, to: Option<u64>) {
        if let Some(account) = from.and_then(|id| self.accounts.get_mut(&id)) {
            account.balance = account.balance.checked_sub(amount).unwrap_or(account.balance);
        }
        if let Some(account) = to.and_then(|id| self.accounts.get_mut(&id)) {
            account.balance = account.balance.checked_add(amount).unwrap_or(account.balance);
        }
    }

    /// Executes a payment that had ended without being executed: the money moves, and HiPay sends a notification.
    pub fn execute_after_all(&mut self, id: &str) {
        let now = self.clock.now();
        let ended = |one: &&mut Transaction| one.id == id && one.captured.is_none() && one.life.is_none();
        let Some(transaction) = self.transactions.iter_mut().find(ended) else { return };
        Ending::Captured.status().clone_into(&mut transaction.status);
        transaction.captured = Some(now);
        let transaction = transaction.clone();
        self.shift(transaction.amount, Some(transaction.issuer), transaction.recipient);
        self.ledger.turn(&transaction.id, EntryState::Executed);
        self.announce(&News::ended(&transaction, Ending::Captured), now);
    }

    /// Ends transactions that are due by the clock or by look-ups.
    pub(super) fn settle_due(&mut self, now: Timestamp) {
        self.settle_where(now, |transaction| match transaction.life.as_ref().map(|life| life.until) {
            Some(Until::AtOnce) => true,
            Some(Until::Lookups(lookups)) => transaction.lookups >= lookups,
            Some(Until::Elapsed(delay)) => now.duration_since(transaction.created) >= delay,
            Some(Until::ByHand) | None => false,
        });
    }

    fn settle_where(&mut self, now: Timestamp, due: impl Fn(&Transaction) -> bool) {
        let mut ended = Vec::new();
        for transaction in self.transactions.iter_mut().filter(|transaction| transaction.life.is_some()) {
            if due(transaction)
                && let Some(life) = transaction.life.take()
            {
                life.ending.status().clone_into(&mut transaction.status);
                transaction.captured = (life.ending == Ending::Captured).then_some(now);
                ended.push((transaction.clone(), life.ending));
            }
        }
        for (transaction, ending) in ended {
            let executed = ending == Ending::Captured;
            // The money goes to the recipient or back to the issuer; a withdrawal's leaves HiPay.
            let credited = if executed { transaction.recipient } else { Some(transaction.issuer) };
            if let Some(account) = credited.and_then(|id| self.accounts.get_mut(&id)) {
                account.balance = account.balance.checked_add(transaction.amount).unwrap_or(account.balance);
            }
            let state = if executed { EntryState::Executed } else { EntryState::Reversed };
            self.ledger.turn(&transaction.id, state);
            self.announce(&News::ended(&transaction, ending), now);
        }
    }
}

/// Finds a transaction by HiPay's id or by reference. Only the account that pays finds it by
/// reference: a withdrawal with its sub-account header, a transfer without one.
pub(super) fn look_up(
    model: &mut HipayModel,
    call: &Call,
    acting: u64,
    now: Timestamp,
    spelling: &mut Spelling,
) -> Result<Success, Refused> {
    let not_found = || Refused::new(404, 7, "Transaction not found");
    let wanted = |transaction: &Transaction| {
        let by_id = transaction.id == call.named && transaction.concerns(acting);
        by_id || (transaction.reference.as_deref() == Some(&call.named) && transaction.issuer == acting)
    };
    let transaction = model.transactions.iter_mut().find(|transaction| wanted(transaction)).ok_or_else(not_found)?;
    if transaction.hidden_lookups > 0 {
        transaction.hidden_lookups -= 1;
        return Err(not_found());
    }
    if now < transaction.visible_from {
        return Err(not_found());
    }
    transaction.lookups = transaction.lookups.saturating_add(1);
    // A transaction that becomes due by this look-up is shown in its new state.
    model.settle_due(now);
    let shown = model.transactions.iter().find(|transaction| wanted(transaction)).ok_or_else(not_found)?;
    Ok(Success(200, fields(model, shown, spelling)))
}

fn fields(model: &HipayModel, transaction: &Transaction, spelling: &mut Spelling) -> Vec<(&'static str, Json)> {
    let email = |id: u64| model.account(id).map(|account| account.email.clone()).unwrap_or_default();
    let time = |at: Timestamp| at.to_zoned(model.time_zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let (kind, kind_code) = match transaction.kind {
        Kind::Transfer => ("Transfer", 6),
        Kind::Withdrawal => ("Withdrawal", 5),
        Kind::Funding => ("Injection", 17),
    };
    let kind = if spelling.either() { Json::text(kind) } else { Json::text(&kind_code.to_string()) };
    let failed = transaction.life.is_none() && transaction.captured.is_none();
    let mut fields = vec![
        ("transaction_id", Json::text(&transaction.id)),
        ("amount", spelling.money(transaction.amount)),
        ("currency", Json::text(transaction.amount.currency().code())),
        ("creation_date", Json::text(&time(transaction.created))),
        ("transaction_status", Json::text(&transaction.status)),
        ("transaction_label", Json::text(&transaction.label)),
        ("type", kind),
        ("issuer_email", Json::text(&email(transaction.issuer))),
        ("fees", spelling.money(Amount::zero(transaction.amount.currency()))),
        ("currency_fees", Json::text(transaction.amount.currency().code())),
    ];
    spelling.maybe(&mut fields, "merchant_reference", transaction.reference.as_deref());
    spelling.maybe(&mut fields, "capture_date", transaction.captured.map(time).as_deref());
    spelling.maybe(&mut fields, "recipient_email", transaction.recipient.map(email).as_deref());
    spelling.maybe(&mut fields, "refusal_reason", failed.then_some("Refused by the sandbox"));
    fields
}

/// Lists an account's transactions between two dates, at most 92 days apart.
pub(super) fn list(
    model: &mut HipayModel,
    call: &Call,
    acting: u64,
    now: Timestamp,
    spelling: &mut Spelling,
) -> Result<Success, Refused> {
    let local = |at: Timestamp| at.to_zoned(model.time_zone.clone()).datetime();
    let end = bound(call, "end-date", (23, 59, 59))?.unwrap_or(local(now));
    let a_week_before = end.checked_sub(Span::new().days(7)).unwrap_or(end);
    let start = bound(call, "start-date", (0, 0, 0))?.unwrap_or(a_week_before);
    if start > end || end.duration_since(start) > SignedDuration::from_hours(24 * 93) {
        return Err(Refused::invalid("start-date", "must lie before end-date, 92 days at most"));
    }
    let page = count(call, "page", 1, usize::MAX)?;
    let size = count(call, "nb-result-per-page", 20, 1000)?;
    let [start, end] = [start, end].map(|bound| bound.to_zoned(model.time_zone.clone()).map(|at| at.timestamp()));
    let (Ok(start), Ok(end)) = (start, end) else { return Err(Refused::invalid("start-date", "is no date")) };
    let found: Vec<usize> = model
        .transactions
        .iter()
        .enumerate()
        .filter(|(_, transaction)| transaction.concerns(acting))
        .filter(|(_, transaction)| transaction.hidden_lookups == 0 && now >= transaction.visible_from)
        .filter(|(_, transaction)| (start..=end).contains(&transaction.created))
        .map(|(at, _)| at)
        .collect();
    let total = found.len();
    let skip = page.saturating_sub(1).saturating_mul(size);
    let shown: Vec<usize> = found.into_iter().skip(skip).take(size).collect();
    // A list that shows the status counts as a look-up of each transaction.
    if model.listed == Listed::Objects {
        for at in &shown {
            if let Some(transaction) = model.transactions.get_mut(*at) {
                transaction.lookups = transaction.lookups.saturating_add(1);
            }
        }
        model.settle_due(now);
    }
    let shown = shown.iter().filter_map(|at| model.transactions.get(*at));
    let rows: Vec<Json> = shown.map(|transaction| item(model, transaction, spelling)).collect();
    Ok(Success(200, vec![("nb_result", spelling.whole(total)), ("transactions_list", Json::list(rows))]))
}

fn item(model: &HipayModel, transaction: &Transaction, spelling: &mut Spelling) -> Json {
    let mut fields = match model.listed {
        Listed::Ids => return Json::text(&transaction.id),
        Listed::Objects | Listed::Summaries => fields(model, transaction, spelling),
    };
    if model.listed == Listed::Summaries {
        fields.retain(|(name, _)| !["merchant_reference", "transaction_status"].contains(name));
    }
    Json::object(fields)
}

/// Parses a date, or a date and a time, in the two forms that HiPay takes.
fn bound(call: &Call, name: &str, (hour, minute, second): (i8, i8, i8)) -> Result<Option<DateTime>, Refused> {
    let Some(text) = call.query(name) else { return Ok(None) };
    let day = || super::forms::date(text).map(|date: Date| date.at(hour, minute, second, 0));
    let read = DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok().or_else(day);
    read.map(Some).ok_or_else(|| Refused::invalid(name, "must be yyyy-MM-dd or yyyy-MM-dd HH:MM:ss"))
}
