//! HiPay: the model, who is let in, whom a request is about, and the calls by subject.

pub(super) mod account;
mod accounts;
mod bank;
pub(super) mod delivery;
mod forms;
mod identification;
pub(super) mod notices;
pub(super) mod payments;
pub(super) mod refusals;
pub(super) mod transactions;

use std::collections::{BTreeMap, HashMap};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::call::{Answer, Call, Endpoint};
use super::chance::Chance;
use super::credentials::SandboxCredentials;
use super::json::{Json, Spelling};
use super::ledger::{Entry, EntryState, Kind, Ledger, Place};
use crate::domain::money::{Amount, Currency, MoneyError};
use crate::platform::clock::Clock;
use account::{Account, AccountState};
use notices::{News, Notice, NoticeSettings};
use refusals::{Refusal, Refused, Repeats};
use transactions::{Lag, Life, Listed, Transaction};

/// When HiPay looks at documents and bank details.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reviews {
    /// When [`HipayModel::settle_reviews`] is called.
    ByHand,
    /// As soon as they come.
    AtOnce,
    /// So long after they came.
    After(SignedDuration),
}

/// HiPay's side.
#[derive(Debug)]
pub struct HipayModel {
    /// Accounts by HiPay ID.
    pub accounts: BTreeMap<u64, Account>,
    /// Transactions in order.
    pub transactions: Vec<Transaction>,
    /// The book of what was executed.
    pub ledger: Ledger,
    /// When documents and bank details are looked at.
    pub reviews: Reviews,
    /// How a payment goes on once it was accepted.
    pub life: Life,
    /// The same for single payments, by reference or by the HiPay ID of the account that is paid or withdraws.
    pub lives: HashMap<String, Life>,
    /// How long a new transaction is not found.
    pub lag: Lag,
    /// The shape of the items of a list of transactions.
    pub listed: Listed,
    /// The zone in which transactions are dated.
    pub time_zone: TimeZone,
    /// The merchant group's list shows the logins of its members.
    pub group_shows_logins: bool,
    /// The merchant group's list shows the `external_account_id` of its members.
    pub group_shows_external_ids: bool,
    /// What a repeated reference is answered.
    pub repeats: Repeats,
    /// Scripted refusals; the first that fits is used.
    pub refusals: Vec<Refusal>,
    /// A transfer to an account that is not identified is not allowed (code 4).
    pub transfers_need_identification: bool,
    /// Whether and how notifications are sent.
    pub notify: NoticeSettings,
    /// Every notification and what became of it.
    pub notifications: Vec<Notice>,
    technical_id: u64,
    login: String,
    password: String,
    entity: String,
    group: String,
    next_id: u64,
    clock: Clock,
    chance: Chance,
}

impl HipayModel {
    pub(super) fn new(seed: u64, clock: Clock, credentials: &SandboxCredentials) -> Self {
        let of_the_marketplace = |id, email: &str, name: &str| Account {
            entity: credentials.entity.clone(),
            name: name.to_owned(),
            ..Account::new(id, email).ready("FR1420041010050500013M02606")
        };
        let technical = of_the_marketplace(credentials.technical_id, &credentials.technical_email, "Technical account");
        let operator = of_the_marketplace(credentials.operator_id, &credentials.operator_email, "Marketplace operator");
        Self {
            accounts: BTreeMap::from([(technical.id, technical), (operator.id, operator)]),
            transactions: Vec::new(),
            ledger: Ledger::default(),
            reviews: Reviews::ByHand,
            life: Life::captured_at_once(),
            lives: HashMap::new(),
            lag: Lag::None,
            listed: Listed::Objects,
            time_zone: TimeZone::get("Europe/Paris").unwrap_or(TimeZone::UTC),
            group_shows_logins: true,
            group_shows_external_ids: false,
            repeats: Repeats::Seeded,
            refusals: Vec::new(),
            transfers_need_identification: false,
            notify: NoticeSettings::default(),
            notifications: Vec::new(),
            technical_id: credentials.technical_id,
            login: credentials.ws_login.clone(),
            password: credentials.ws_password.expose().to_owned(),
            entity: credentials.entity.clone(),
            group: credentials.merchant_group.clone(),
            next_id: 500_001,
            clock,
            chance: Chance::new(seed),
        }
    }

    /// Adds an account, or replaces the one with its HiPay ID. One without an entity joins the marketplace's.
    pub fn add(&mut self, mut account: Account) {
        if account.entity.is_empty() {
            account.entity.clone_from(&self.entity);
        }
        self.accounts.insert(account.id, account);
    }

    /// The account with this HiPay ID.
    pub fn account(&self, id: u64) -> Option<&Account> {
        self.accounts.get(&id)
    }

    /// The account with this HiPay ID, to edit it.
    pub fn account_mut(&mut self, id: u64) -> Option<&mut Account> {
        self.accounts.get_mut(&id)
    }

    /// The account that was created for this shop.
    pub fn account_of_shop(&self, shop_id: u64) -> Option<&Account> {
        let shop_id = shop_id.to_string();
        self.accounts.values().find(|account| account.external_id.as_ref() == Some(&shop_id))
    }

    /// Sales money arrives on an account: an entry in the ledger and the notification `other_transaction`.
    pub fn fund(&mut self, account: u64, amount: Amount) -> Result<(), MoneyError> {
        let now = self.clock.now();
        let transaction_id = self.transaction_id(now);
        let Some(funded) = self.accounts.get_mut(&account) else { return Ok(()) };
        funded.balance = funded.balance.checked_add(amount)?;
        self.ledger.write(Entry {
            reference: None,
            kind: Kind::Funding,
            from: Place::Customers,
            to: Place::Account(account),
            amount,
            public_label: "Settlement".to_owned(),
            private_label: String::new(),
            transaction_id: transaction_id.clone(),
            at: now,
            state: EntryState::Executed,
            by_others: false,
        });
        self.transactions.push(Transaction::funding(account, &transaction_id, amount, now));
        self.announce(&News::funding(account, &transaction_id, amount), now);
        Ok(())
    }

    /// The witness: every reference was executed once at most, every payment had one, and all
    /// balances are what the ledger makes of their openings.
    pub fn verify_once(&self) -> Result<(), Vec<String>> {
        let accounts: Vec<(u64, Amount, Amount)> =
            self.accounts.values().map(|account| (account.id, account.opening, account.balance)).collect();
        self.ledger.verify(&accounts)
    }

    /// The balance of an account; nothing where there is none.
    pub fn balance(&self, account: u64) -> Amount {
        self.account(account).map_or(Amount::zero(Currency::EUR), |account| account.balance)
    }

    /// Decides on all documents and bank details that wait.
    pub fn settle_reviews(&mut self) {
        let now = self.clock.now();
        self.review(now, |_| true);
    }

    /// Documents, bank details and transactions whose time has come are decided.
    pub(super) fn let_time_pass(&mut self, now: Timestamp) {
        match self.reviews {
            Reviews::ByHand => {}
            Reviews::AtOnce => self.review(now, |_| true),
            Reviews::After(delay) => self.review(now, |sent| now.duration_since(sent) >= delay),
        }
        self.settle_due(now);
    }

    fn review(&mut self, now: Timestamp, due: impl Fn(Timestamp) -> bool) {
        let mut news = Vec::new();
        for account in self.accounts.values_mut() {
            identification::decide(account, &due, &mut news);
            bank::decide(account, &due, &mut news);
        }
        for item in news {
            self.announce(&item, now);
        }
    }

    fn transaction_id(&mut self, now: Timestamp) -> String {
        let unique = self.chance.draw("transaction id").u32(..);
        format!("{:08x}{unique:08x}{:02x}", now.as_second(), self.ledger.executed().len())
    }

    /// The account that a call acts on.
    fn own(&self, id: u64) -> Result<&Account, Refused> {
        self.accounts.get(&id).ok_or_else(Refused::not_allowed)
    }

    fn own_mut(&mut self, id: u64) -> Result<&mut Account, Refused> {
        self.accounts.get_mut(&id).ok_or_else(Refused::not_allowed)
    }

    /// The account that a request acts on, by its headers: the technical account without any.
    fn acting(&self, call: &Call) -> Result<u64, Refused> {
        if let Some(id) = call.header("php-auth-subaccount-id") {
            let id = id.parse().map_err(|_| Refused::invalid("php-auth-subaccount-id", "must be an integer"))?;
            return match self.account(id) {
                Some(account) if account.state != AccountState::Deleted => Ok(id),
                Some(_) | None => Err(Refused::not_allowed()),
            };
        }
        let Some(login) = call.header("php-auth-subaccount-login") else { return Ok(self.technical_id) };
        let known = self.accounts.values().find(|account| account.login == login || account.email == login);
        known.map(|account| account.id).ok_or_else(|| Refused::new(401, 1, "Authentication failed"))
    }
}

/// A success: HTTP status and the fields beside `code` and `message`.
struct Success(u16, Vec<(&'static str, Json)>);

/// Answers one request.
pub(super) fn answer(model: &mut HipayModel, call: &Call, now: Timestamp) -> Answer {
    model.let_time_pass(now);
    let mut spelling = Spelling::new(model.chance.draw(&call.label()));
    let answered = route(model, call, now, &mut spelling);
    model.let_time_pass(now);
    match answered {
        Ok(Success(status, rest)) => {
            let mut fields = vec![("code", spelling.whole(0)), ("message", Json::text("Success"))];
            fields.extend(rest);
            Answer::json(status, Json::object(fields))
        }
        Err(refused) => refused.answer(&mut spelling),
    }
}

fn route(model: &mut HipayModel, call: &Call, now: Timestamp, spelling: &mut Spelling) -> Result<Success, Refused> {
    if call.basic().as_ref() != Some(&(model.login.clone(), model.password.clone())) {
        return Err(Refused::new(401, 1, "Authentication failed"));
    }
    let Some(endpoint) = call.endpoint else {
        return Err(Refused::new(404, 404, "No such call"));
    };
    let acting = model.acting(call)?;
    if let Some(scripted) = model.scripted(endpoint, call, acting) {
        if scripted.executes {
            // Done all the same: the answer is the lie.
            let _ = perform(model, endpoint, call, acting, now, spelling);
        }
        return Err(scripted.refused);
    }
    perform(model, endpoint, call, acting, now, spelling)
}

fn perform(
    model: &mut HipayModel,
    endpoint: Endpoint,
    call: &Call,
    acting: u64,
    now: Timestamp,
    spelling: &mut Spelling,
) -> Result<Success, Refused> {
    forms::check(endpoint, call)?;
    match endpoint {
        Endpoint::IsAvailable => accounts::is_available(model, call, spelling),
        Endpoint::CreateAccount => accounts::create(model, call, now, spelling),
        Endpoint::Account => accounts::read(model, acting, spelling),
        Endpoint::PatchAccount => accounts::patch(model, call, acting, spelling),
        Endpoint::Balance => accounts::balance(model, acting, now, spelling),
        Endpoint::MerchantGroup => accounts::group(model, call, spelling),
        Endpoint::Owners => accounts::owners(model, acting, spelling),
        Endpoint::BankInfo => bank::read(model, call, acting, spelling),
        Endpoint::RegisterBank => bank::register(model, call, acting, now, spelling),
        Endpoint::Documents => identification::list(model, acting, spelling),
        Endpoint::SendDocument => identification::send(model, call, acting, now, spelling),
        Endpoint::Transfer => payments::transfer(model, call, acting, now, spelling),
        Endpoint::Withdrawal => payments::withdraw(model, call, acting, now, spelling),
        Endpoint::Transaction => transactions::look_up(model, call, acting, now, spelling),
        Endpoint::Transactions => transactions::list(model, call, acting, now, spelling),
        Endpoint::Token
        | Endpoint::Version
        | Endpoint::Shops
        | Endpoint::UpdateShops
        | Endpoint::ShopDocuments
        | Endpoint::DownloadDocument
        | Endpoint::DocumentTypes
        | Endpoint::AdditionalFields
        | Endpoint::Invoices
        | Endpoint::BillingCycles
        | Endpoint::Releases
        | Endpoint::ReleaseAsset
        | Endpoint::ReleaseFile => Err(Refused::new(404, 404, "Not a call of HiPay")),
    }
}
