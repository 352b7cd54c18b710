//! HiPay: the model, authentication, the account that a request is about, and the calls by subject.

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

/// Time at which HiPay reviews documents and bank details.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reviews {
    /// On a call of [`HipayModel::settle_reviews`].
    ByHand,
    /// Immediately on arrival.
    AtOnce,
    /// After this delay from their arrival.
    After(SignedDuration),
}

/// HiPay's side.
#[derive(Debug)]
pub struct HipayModel {
    /// Accounts by HiPay ID.
    pub accounts: BTreeMap<u64, Account>,
    /// Transactions in order.
    pub transactions: Vec<Transaction>,
    /// The ledger of what was executed.
    pub ledger: Ledger,
    /// Time at which documents and bank details are reviewed.
    pub reviews: Reviews,
    /// Course of a payment after its acceptance.
    pub life: Life,
    /// Courses of single payments, by reference or by the HiPay ID of the account that is paid or withdraws.
    pub lives: HashMap<String, Life>,
    /// Delay before look-ups find a new transaction.
    pub lag: Lag,
    /// The shape of the items of a list of transactions.
    pub listed: Listed,
    /// The zone in which transactions are dated.
    pub time_zone: TimeZone,
    /// Set if the merchant group's list shows the logins of its members.
    pub group_shows_logins: bool,
    /// Set if the merchant group's list shows the `external_account_id` of its members.
    pub group_shows_external_ids: bool,
    /// Answers to a repeated reference.
    pub repeats: Repeats,
    /// Scripted refusals; the first that matches is used.
    pub refusals: Vec<Refusal>,
    /// Set if transfers to an account that is not identified are refused (code 4).
    pub transfers_need_identification: bool,
    /// Settings of notifications.
    pub notify: NoticeSettings,
    /// Every notification with its delivery.
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

    /// Adds an account, or replaces the one with its HiPay ID. An account without an entity joins the marketplace's.
    pub fn add(&mut self, mut account: Account) {
        if account.entity.is_empty() {
            account.entity.clone_from(&self.entity);
        }
        self.accounts.insert(account.id, account);
    }

    /// Returns the account with this HiPay ID.
    pub fn account(&self, id: u64) -> Option<&Account> {
        self.accounts.get(&id)
    }

    /// Returns the account with this HiPay ID for editing.
    pub fn account_mut(&mut self, id: u64) -> Option<&mut Account> {
        self.accounts.get_mut(&id)
    }

    /// Returns the account that was created for this shop.
    pub fn account_of_shop(&self, shop_id: u64) -> Option<&Account> {
        let shop_id = shop_id.to_string();
        self.accounts.values().find(|account| account.external_id.as_ref() == Some(&shop_id))
    }

    /// Credits sales money to an account: an entry in the ledger and the notification `other_transaction`.
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

    /// Checks, as the witness, that every reference was executed at most once, that every payment had
    /// one, and that all balances follow from the ledger and their openings.
    pub fn verify_once(&self) -> Result<(), Vec<String>> {
        let accounts: Vec<(u64, Amount, Amount)> =
            self.accounts.values().map(|account| (account.id, account.opening, account.balance)).collect();
        self.ledger.verify(&accounts)
    }

    /// Returns the balance of an account, or zero if there is none.
    pub fn balance(&self, account: u64) -> Amount {
        self.account(account).map_or(Amount::zero(Currency::EUR), |account| account.balance)
    }

    /// Decides on all documents and bank details that wait for review.
    pub fn settle_reviews(&mut self) {
        let now = self.clock.now();
        self.review(now, |_| true);
    }

    /// Decides on documents, bank details and transactions that are due.
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

    /// Returns the account that a call acts on.
    fn own(&self, id: u64) -> Result<&Account, Refused> {
        self.accounts.get(&id).ok_or_else(Refused::not_allowed)
    }

    fn own_mut(&mut self, id: u64) -> Result<&mut Account, Refused> {
        self.accounts.get_mut(&id).ok_or_else(Refused::not_allowed)
    }

    /// Returns the account that a request acts on, by its headers: the technical account if there are none.
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

/// A success: HTTP status and the fields besides `code` and `message`.
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
            // Executed nevertheless: only the answer is false.
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
