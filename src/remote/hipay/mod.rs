//! HiPay's marketplace API: the calls that the batches need, named by their purpose.

mod identification;
pub mod payment_signature;
mod refusal;
pub mod signature;
mod types;
mod wire;

use std::collections::HashSet;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, RequestBuilder};
use serde::de::DeserializeOwned;

use crate::config::HiPayConfig;
use crate::domain::attempt::Attempt;
use crate::domain::operation::PaymentKind;
use crate::platform::secret::Secret;
use crate::remote::multipart::Multipart;
use crate::remote::{CallError, ClientPolicy, JSON_LIMIT, Rejection, Remote, RemoteAnswer, Silence, Unusable};
use crate::text::message::{Message, msg};
use crate::text::one_line;

pub use identification::{Identification, KnownDocument};
pub use types::*;

use identification::IdentificationAnswer;

/// Items per page of transactions: HiPay's maximum.
pub const TRANSACTIONS_PAGE: usize = 1_000;

/// HTTP status for an account that we may not act on.
const NO_ACCESS: u16 = 403;

/// The client of one HiPay, as the technical account. Clones share it.
#[derive(Debug, Clone)]
pub struct HiPay {
    remote: Remote,
    login: String,
    password: Secret,
    entity: String,
    merchant_group: String,
    locale: String,
    time_zone: String,
}

/// The account that a call acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActingOn<'a> {
    /// The technical account itself.
    Technical,
    /// The wallet with this HiPay ID.
    Wallet(u64),
    /// The wallet with this login.
    Login(&'a str),
}

/// Maximum age of HiPay's time for a comparison with our clock.
const JUST_NOW: std::time::Duration = std::time::Duration::from_secs(30);

impl HiPay {
    /// Makes the client from the configuration.
    pub fn new(config: &HiPayConfig, manners: ClientPolicy) -> Result<Self, Unusable> {
        let remote = Remote::new("HiPay", &format!("{}/api", config.base_url), manners)?;
        Ok(Self {
            remote,
            login: config.login.clone(),
            password: config.password.clone(),
            entity: config.entity.clone(),
            merchant_group: config.merchant_group.clone(),
            locale: config.locale.clone(),
            time_zone: config.time_zone_name.clone(),
        })
    }

    /// Returns `at`, or HiPay's own time as of its last answer if that is later: our clock may be slow.
    pub fn no_earlier_than_theirs(&self, at: Timestamp) -> Timestamp {
        self.remote.their_time().map_or(at, |theirs| theirs.max(at))
    }

    /// Returns HiPay's own time if it is recent enough for a comparison with our clock.
    pub fn their_time_now(&self) -> Option<Timestamp> {
        self.remote.their_time_within(JUST_NOW)
    }

    /// Returns the current series of unanswered calls; `None` if HiPay answered the last one.
    pub fn silence(&self) -> Option<Silence> {
        self.remote.silence()
    }

    /// Returns the time for which an answer is valid that was requested at `asked_at` and has just arrived:
    /// HiPay's own time, if our clock is ahead of it.
    pub fn as_of(&self, asked_at: Timestamp) -> Timestamp {
        self.remote.their_time().map_or(asked_at, |theirs| theirs.min(asked_at))
    }

    /// Returns the wait after `error` before the same payment is sent again.
    pub fn wait_after(&self, error: &CallError, tried: u32) -> std::time::Duration {
        self.remote.wait_after(error, tried)
    }

    /// Returns true if no account uses `email` yet.
    pub async fn is_available(&self, email: &str) -> Result<bool, CallError> {
        let mut form = Multipart::default();
        form.field("user_email", email);
        form.field("entity", &self.entity);
        let request = || self.post("/user-account/is-available", ActingOn::Technical, &form);
        let answer = self.remote.read(JSON_LIMIT, request, decode::<wire::AvailableAnswer>).await?;
        answer.is_available.flag().ok_or_else(|| CallError::unknown(msg!("hipay-email-unsaid")))
    }

    /// Creates a wallet.
    pub async fn create_account(&self, account: &NewAccount) -> Result<CreatedAccount, CallError> {
        let mut form = Multipart::default();
        form.field("controle_type", "CREDENTIALS");
        form.field("credential[wslogin]", &self.login);
        form.field("credential[wspassword]", self.password.expose());
        form.field("entity_code", &self.entity);
        form.field("merchant_group_code", &self.merchant_group);
        form.field("locale", &self.locale);
        form.field("timezone", &self.time_zone);
        account.fill(&mut form);
        let request = || self.post("/user-account", ActingOn::Technical, &form);
        let judge = |answer| {
            let created = decode::<wire::CreatedAnswer>(answer)?.created();
            created.ok_or_else(|| CallError::unknown(msg!("hipay-account-without-id")))
        };
        self.remote.change(JSON_LIMIT, request, judge).await
    }

    /// Reads an account; `None` if HiPay knows none (it answers 401 to an unknown login).
    pub async fn account(&self, on: ActingOn<'_>) -> Result<Option<Account>, CallError> {
        let request = || self.request(Method::GET, "/user-account", on);
        let judge = |answer| {
            let account = decode::<wire::AccountAnswer>(answer)?.account();
            account.ok_or_else(|| CallError::unknown(msg!("hipay-no-account-id")))
        };
        match self.confirmed(on, self.remote.read(JSON_LIMIT, request, judge).await).await {
            Ok(account) => Ok(Some(account)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(CallError::Rejected(Rejection { http_status: NO_ACCESS, .. })) if matches!(on, ActingOn::Login(_)) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Changes a wallet's e-mail.
    pub async fn change_email(&self, hipay_id: u64, email: &str) -> Result<(), CallError> {
        self.patch_account(hipay_id, &[("email", email)]).await
    }

    /// Changes the address of a wallet's notices.
    pub async fn change_callback_url(&self, hipay_id: u64, url: &str) -> Result<(), CallError> {
        self.patch_account(hipay_id, &[("callback_url", url)]).await
    }

    async fn patch_account(&self, hipay_id: u64, form: &[(&str, &str)]) -> Result<(), CallError> {
        let request = || self.request(Method::PATCH, "/user-account", ActingOn::Wallet(hipay_id)).form(form);
        let changed = self.remote.change(JSON_LIMIT, request, judge).await.map(drop);
        self.confirmed(ActingOn::Wallet(hipay_id), changed).await
    }

    /// Reads an account's balance.
    pub async fn balance(&self, on: ActingOn<'_>) -> Result<Wallet, CallError> {
        let request = || self.request(Method::GET, "/user-account/balance", on);
        let judge = |answer| {
            let wallet = decode::<wire::BalanceAnswer>(answer)?.wallet();
            wallet.ok_or_else(|| CallError::unknown(msg!("hipay-no-balance")))
        };
        self.confirmed(on, self.remote.read(JSON_LIMIT, request, judge).await).await
    }

    /// Reads a wallet's bank details and their status.
    pub async fn bank_info(&self, hipay_id: u64) -> Result<BankInfo, CallError> {
        let path = format!("/user-account/bank-info/{}", self.locale);
        let request = || self.request(Method::GET, &path, ActingOn::Wallet(hipay_id));
        let judge = |answer| {
            let bank = decode::<wire::BankAnswer>(answer)?.bank_info();
            bank.ok_or_else(|| CallError::unknown(msg!("hipay-no-bank-status")))
        };
        let on = ActingOn::Wallet(hipay_id);
        self.confirmed(on, self.remote.read(JSON_LIMIT, request, judge).await).await
    }

    /// Registers a wallet's bank details with their document.
    pub async fn register_bank_info(&self, hipay_id: u64, bank: &NewBankInfo) -> Result<(), CallError> {
        let mut form = Multipart::default();
        bank.fill(&mut form);
        let request = || self.post("/user-account/bank-info", ActingOn::Wallet(hipay_id), &form);
        let registered = self.remote.change(JSON_LIMIT, request, judge).await.map(drop);
        self.confirmed(ActingOn::Wallet(hipay_id), registered).await
    }

    /// Reads a wallet's documents and HiPay's status of each.
    pub async fn documents(&self, hipay_id: u64) -> Result<Identification, CallError> {
        let request = || self.request(Method::GET, "/identification", ActingOn::Wallet(hipay_id));
        let judge = |answer| decode::<IdentificationAnswer>(answer).map(IdentificationAnswer::identification);
        self.confirmed(ActingOn::Wallet(hipay_id), self.remote.read(JSON_LIMIT, request, judge).await).await
    }

    /// Sends an identification document.
    pub async fn send_document(&self, hipay_id: u64, document: &NewDocument) -> Result<DocumentOutcome, CallError> {
        let mut form = Multipart::default();
        document.fill(&mut form);
        let request = || self.post("/identification", ActingOn::Wallet(hipay_id), &form);
        let sent = self.remote.change(JSON_LIMIT, request, judge).await;
        match self.confirmed(ActingOn::Wallet(hipay_id), sent).await {
            Ok(_) => Ok(DocumentOutcome::Sent),
            Err(CallError::Rejected(Rejection { code: Some(414), .. })) => Ok(DocumentOutcome::IdentifiedAlready),
            Err(CallError::Rejected(Rejection { code: Some(415), .. })) => Ok(DocumentOutcome::WaitingAlready),
            Err(error) => Err(error),
        }
    }

    /// Sends a payment: a transfer from the technical account, or a withdrawal from a wallet. Returns HiPay's
    /// transaction id. The same attempt always produces the same bytes.
    pub async fn pay(&self, kind: PaymentKind, attempt: &Attempt) -> Result<String, CallError> {
        let mut form = Multipart::default();
        form.field("amount", attempt.amount.decimal());
        form.field("merchant_unique_id", &attempt.reference);
        let (path, on) = match kind {
            PaymentKind::Transfer => {
                form.field("recipient_account_id", attempt.account.to_string());
                form.field("public_label", &attempt.public_label);
                form.field("private_label", &attempt.private_label);
                ("/transfer", ActingOn::Technical)
            }
            PaymentKind::Withdrawal => {
                form.field("label", &attempt.public_label);
                ("/withdrawal", ActingOn::Wallet(attempt.account))
            }
        };
        let request = || self.post(path, on, &form);
        let judge = |answer| {
            if kind == PaymentKind::Withdrawal {
                is_created(&answer)?;
            }
            let id = match kind {
                PaymentKind::Transfer => decode::<wire::TransferAnswer>(answer)?.transaction_id,
                PaymentKind::Withdrawal => decode::<wire::WithdrawalAnswer>(answer)?.transaction_public_id,
            };
            let id = id.text().map(str::to_owned);
            id.ok_or_else(|| CallError::unknown(msg!("hipay-no-transaction")))
        };
        self.confirmed(on, self.remote.change(JSON_LIMIT, request, judge).await).await
    }

    /// Looks up a payment by HiPay's transaction id or by our reference. A withdrawal is only found through its
    /// wallet (`account`), a transfer only without. Returns `None` if HiPay does not know it.
    pub async fn transaction(
        &self,
        kind: PaymentKind,
        account: u64,
        id: &str,
    ) -> Result<Option<Transaction>, CallError> {
        let on = match kind {
            PaymentKind::Transfer => ActingOn::Technical,
            PaymentKind::Withdrawal => ActingOn::Wallet(account),
        };
        let path = format!("/transaction/{}", path_segment(id));
        let request = || self.request(Method::GET, &path, on);
        let judge = |answer| {
            let transaction = decode::<wire::TransactionAnswer>(answer)?.transaction();
            transaction.map_err(|reason| CallError::unknown(msg!("hipay-transaction-unusable", reason)))
        };
        match self.confirmed(on, self.remote.read(JSON_LIMIT, request, judge).await).await {
            Ok(transaction) => Ok(Some(transaction)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads a page of the transactions of an account between two instants, at most 92 days apart. `page`
    /// counts from 1; a page has at most [`TRANSACTIONS_PAGE`] items.
    pub async fn transactions(
        &self,
        on: ActingOn<'_>,
        (from, to): (Timestamp, Timestamp),
        page: usize,
    ) -> Result<TransactionsPage, CallError> {
        let instant = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let query = [
            ("start-date", instant(from)),
            ("end-date", instant(to)),
            ("page", page.to_string()),
            ("nb-result-per-page", TRANSACTIONS_PAGE.to_string()),
        ];
        let request = || self.request(Method::GET, "/transaction", on).query(&query);
        let judge = |answer| {
            let page = decode::<wire::TransactionsAnswer>(answer)?.page();
            page.map_err(|reason| CallError::unknown(msg!("hipay-transactions-unusable", reason)))
        };
        self.confirmed(on, self.remote.read(JSON_LIMIT, request, judge).await).await
    }

    /// Reads all wallets of the marketplace's merchant group.
    pub async fn merchant_group(&self) -> Result<Vec<GroupMember>, CallError> {
        const PAGE: usize = 1_000;
        let path = format!("/merchant-group/{}", path_segment(&self.merchant_group));
        let (mut members, mut known) = (Vec::new(), HashSet::new());
        for page in 1..10_000_usize {
            let query = [("page", page.to_string()), ("nb_result_per_page", PAGE.to_string())];
            let request = || self.request(Method::GET, &path, ActingOn::Technical).query(&query);
            let answer = self.remote.read(JSON_LIMIT, request, decode::<wire::GroupAnswer>).await?;
            let total = answer.total_merchant.count().and_then(|total| usize::try_from(total).ok());
            let received = answer.members();
            let news: Vec<GroupMember> = received.into_iter().filter(|member| known.insert(member.clone())).collect();
            let nothing_new = news.is_empty();
            members.extend(news);
            // HiPay may return smaller pages than requested.
            if nothing_new || total.is_some_and(|total| members.len() >= total) {
                break;
            }
        }
        Ok(members)
    }

    /// Interprets a 401, which HiPay sends for wrong credentials and for an account that it does not let us act on. The
    /// first affects every call, the second only that account: a call on our own account shows which it is.
    async fn confirmed<T>(&self, on: ActingOn<'_>, result: Result<T, CallError>) -> Result<T, CallError> {
        let error = match result {
            Err(error) if error.is_credentials() && on != ActingOn::Technical => error,
            other => return other,
        };
        let request = || self.request(Method::GET, "/user-account", ActingOn::Technical);
        match self.remote.read(JSON_LIMIT, request, judge).await {
            Ok(_) => Err(CallError::Rejected(Rejection {
                http_status: NO_ACCESS,
                code: Some(i64::from(NO_ACCESS)),
                detail: None,
                sentence: msg!("hipay-no-access", error = &error),
                words: error.refusal().unwrap_or_default().words,
            })),
            Err(own) if own.is_credentials() => Err(error),
            Err(own) => Err(own),
        }
    }

    fn request(&self, method: Method, path: &str, on: ActingOn<'_>) -> RequestBuilder {
        let url = format!("{}{path}.json", self.remote.base());
        let request = self.remote.client().request(method, url).basic_auth(&self.login, Some(self.password.expose()));
        match on {
            ActingOn::Technical => request,
            ActingOn::Wallet(hipay_id) => request.header("php-auth-subaccount-id", hipay_id.to_string()),
            ActingOn::Login(login) => request.header("php-auth-subaccount-login", login),
        }
    }

    fn post(&self, path: &str, on: ActingOn<'_>, form: &Multipart) -> RequestBuilder {
        let (content_type, body) = form.encode();
        self.request(Method::POST, path, on).header(reqwest::header::CONTENT_TYPE, content_type).body(body)
    }
}

/// Escapes an id as one segment of a path.
fn path_segment(id: &str) -> impl std::fmt::Display + '_ {
    const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(id, ESCAPED)
}

fn decode<T: DeserializeOwned>(answer: RemoteAnswer) -> Result<T, CallError> {
    let answer = judge(answer)?;
    serde_json::from_slice(&answer.body).map_err(|error| CallError::unreadable("HiPay", &answer, &error))
}

/// Returns a successful answer, or the kind of failure: HTTP 200 with a code other than 0 is a failure too.
fn judge(answer: RemoteAnswer) -> Result<RemoteAnswer, CallError> {
    let read = serde_json::from_slice::<wire::Envelope>(&answer.body);
    let Ok(envelope) = read else {
        return Err(match answer.status {
            401 => refused(401, None, &wire::Envelope::default()),
            // A gateway's own page: it does not speak for the payment, whatever it contains.
            _ => CallError::unknown(msg!("hipay-no-answer", answer = answer.describe())),
        });
    };
    match envelope.code.integer() {
        Some(0) if answer.is_success() => Ok(answer),
        code @ Some(13 | 26) => {
            let said = rejection(answer.status, code, &envelope);
            let refusal = Some(Box::new(said.refusal()));
            Err(CallError::Unknown { reason: said.sentence, said: refusal, retry_after: None })
        }
        // A refused withdrawal may have only this (`40xx`).
        None if envelope.error_code_detail.integer().is_some_and(|detail| detail != 0) => {
            Err(refused(answer.status, None, &envelope))
        }
        // Not an answer of HiPay's own, whatever sent it.
        None | Some(0) if answer.status != 401 => {
            Err(CallError::unknown(msg!("hipay-no-code", answer = answer.describe())))
        }
        code => Err(refused(answer.status, code.filter(|code| *code != 0), &envelope)),
    }
}

/// Checks that a withdrawal was created. HiPay's documented way to refuse one is HTTP 200 with the code 13,
/// "Withdrawal not created"; in all other answers that code settles nothing.
fn is_created(answer: &RemoteAnswer) -> Result<(), CallError> {
    const NOT_CREATED: i64 = 13;
    match serde_json::from_slice::<wire::Envelope>(&answer.body) {
        Ok(envelope) if answer.status == 200 && envelope.code.integer() == Some(NOT_CREATED) => {
            Err(refused(answer.status, Some(NOT_CREATED), &envelope))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

fn refused(status: u16, code: Option<i64>, envelope: &wire::Envelope) -> CallError {
    CallError::Rejected(rejection(status, code, envelope))
}

fn rejection(status: u16, code: Option<i64>, envelope: &wire::Envelope) -> Rejection {
    Rejection {
        http_status: status,
        code,
        detail: envelope.error_code_detail.integer(),
        sentence: sentence(code, status, envelope),
        words: words(envelope),
    }
}

/// Describes the outcome, in our words and in HiPay's.
fn sentence(code: Option<i64>, status: u16, envelope: &wire::Envelope) -> Message {
    let detail = envelope.error_code_detail.integer();
    let numbers = match (code, detail) {
        (Some(code), Some(detail)) => msg!("hipay-numbers-detail", code, detail),
        (Some(code), None) => msg!("hipay-numbers", code),
        (None, Some(detail)) => msg!("hipay-numbers-http-detail", status, detail),
        (None, None) => msg!("hipay-numbers-http", status),
    };
    let ours = detail
        .and_then(refusal::detail_sentence)
        .or_else(|| refusal::code_sentence(code.unwrap_or_else(|| i64::from(status))))
        .unwrap_or_else(|| msg!("hipay-refused"));
    let theirs = words(envelope);
    if theirs.is_empty() {
        msg!("hipay-said", what = ours, numbers)
    } else {
        msg!("hipay-said-words", what = ours, numbers, words = theirs)
    }
}

/// Maximum length of a quotation of HiPay's words, in characters.
const MAX_QUOTE_LENGTH: usize = 300;

/// Returns HiPay's own words; empty if there are none.
fn words(envelope: &wire::Envelope) -> String {
    let theirs = [envelope.message.text(), envelope.description.text()].into_iter().flatten().map(str::to_owned);
    let fields = Some(envelope.fields()).filter(|fields| !fields.is_empty());
    theirs.chain(fields).map(|words| one_line(&words, MAX_QUOTE_LENGTH)).collect::<Vec<_>>().join("; ")
}
