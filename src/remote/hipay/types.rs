//! What goes to HiPay and what comes back, in plain types.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::domain::attempt::TransactionState;
use crate::domain::money::Amount;
use crate::platform::secret::Secret;
use crate::remote::multipart::Multipart;

/// A wallet to be created. Empty texts are not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of HiPay's form")]
pub struct NewAccount {
    pub email: String,
    pub login: String,
    pub first_name: String,
    pub last_name: String,
    pub currency: String,
    /// 1 Mr, 2 Mrs, 3 Miss.
    pub civility: u8,
    pub is_professional: bool,
    pub company_name: String,
    pub vat_number: String,
    pub address: String,
    pub zip_code: String,
    pub city: String,
    /// ISO 3166 alpha-2.
    pub country: String,
    pub phone: String,
    pub fax: String,
    /// Mirakl's shop id.
    pub external_account_id: u64,
    /// Where HiPay sends this wallet's notices.
    pub callback_url: Option<String>,
}

impl NewAccount {
    pub(super) fn fill(&self, form: &mut Multipart) {
        form.field("email", &self.email);
        form.field("login", &self.login);
        form.field("currency", &self.currency);
        form.field("civility", self.civility.to_string());
        // A business account; a corporation where Mirakl says professional, else a person.
        form.field("account_type", "1");
        form.field("pro_type", if self.is_professional { "1" } else { "2" });
        form.field("external_type", "1");
        form.field("external_account_id", self.external_account_id.to_string());
        for (name, value) in [
            ("firstname", &self.first_name),
            ("lastname", &self.last_name),
            ("company_name", &self.company_name),
            ("vat_number", &self.vat_number),
            ("address[address]", &self.address),
            ("address[zipcode]", &self.zip_code),
            ("address[city]", &self.city),
            ("address[country]", &self.country),
            ("address[phone_number]", &self.phone),
            ("address[fax_number]", &self.fax),
        ] {
            if !value.is_empty() {
                form.field(name, value);
            }
        }
        if let Some(url) = &self.callback_url {
            form.field("callback_url", url);
        }
    }
}

/// What HiPay tells of a wallet it has just created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedAccount {
    /// HiPay ID.
    pub hipay_id: u64,
    /// The user space that owns it.
    pub user_space_id: Option<u64>,
    /// What its notices are checked with.
    pub callback_salt: Secret,
}

/// What HiPay tells of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// HiPay ID.
    pub hipay_id: u64,
    /// The user space that owns it.
    pub user_space_id: Option<u64>,
    /// HiPay has identified the owner.
    pub identified: bool,
    /// HiPay has validated the bank details (status 3).
    pub bank_details_validated: bool,
    /// What its notices are checked with.
    pub callback_salt: Secret,
    /// Where HiPay sends its notices; `None` where the answer does not say.
    pub callback_url: Option<String>,
}

/// An account's money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wallet {
    /// All of it.
    pub balance: Amount,
    /// What may leave for the bank.
    pub withdrawable: Amount,
}

/// HiPay's status of bank details.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BankStatus {
    /// 1: there are none.
    None,
    /// 2: HiPay is looking at them.
    InProgress,
    /// 3: HiPay pays to them.
    Validated,
}

impl BankStatus {
    /// HiPay's number.
    pub fn code(self) -> u8 {
        match self {
            Self::None => 1,
            Self::InProgress => 2,
            Self::Validated => 3,
        }
    }
}

/// Bank details as HiPay has them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are HiPay's own")]
pub struct BankInfo {
    pub status: BankStatus,
    pub iban: String,
    pub swift: String,
    pub bank_name: String,
    pub country: String,
}

/// Bank details to be registered, in the characters that HiPay takes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are HiPay's own")]
pub struct NewBankInfo {
    /// ISO 3166 alpha-2.
    pub country: String,
    pub bank_name: String,
    pub address: String,
    pub zip_code: String,
    pub city: String,
    pub iban: String,
    pub swift: String,
    pub file_name: String,
    pub file: Vec<u8>,
}

impl NewBankInfo {
    pub(super) fn fill(&self, form: &mut Multipart) {
        form.field("bank_country", &self.country);
        form.field("iban", &self.iban);
        for (name, value) in [
            ("bank_name", &self.bank_name),
            ("bank_address", &self.address),
            ("bank_zip_code", &self.zip_code),
            ("bank_city", &self.city),
            ("swift", &self.swift),
        ] {
            if !value.is_empty() {
                form.field(name, value);
            }
        }
        form.file("file", &self.file_name, self.file.clone());
    }
}

/// An identification document to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDocument {
    /// HiPay's type number.
    pub hipay_type: u32,
    /// The file's name: HiPay's test environment decides by it.
    pub file_name: String,
    /// The file.
    pub file: Vec<u8>,
    /// The back side's name and bytes.
    pub back: Option<(String, Vec<u8>)>,
    /// Until when an identity document is valid.
    pub validity_date: Option<Date>,
}

impl NewDocument {
    pub(super) fn fill(&self, form: &mut Multipart) {
        form.field("type", self.hipay_type.to_string());
        if let Some(date) = self.validity_date {
            form.field("validity_date", date.to_string());
        }
        form.file("file", &self.file_name, self.file.clone());
        if let Some((name, bytes)) = &self.back {
            form.file("back", name, bytes.clone());
        }
    }
}

/// What HiPay did with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentOutcome {
    /// Taken.
    Sent,
    /// 414: the vendor is identified, nothing more is needed.
    IdentifiedAlready,
    /// 415: one of this type waits for validation.
    WaitingAlready,
}

impl DocumentOutcome {
    /// The outcome in words.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::IdentifiedAlready => "not needed: HiPay has identified the vendor already",
            Self::WaitingAlready => "not needed: one of this type is waiting for validation at HiPay",
        }
    }
}

/// A payment as HiPay shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// HiPay's id.
    pub transaction_id: String,
    /// What its status means.
    pub state: TransactionState,
    /// HiPay's own word for its status.
    pub word: String,
    /// The amount, without a sign; `None` where HiPay does not say.
    pub amount: Option<Amount>,
    /// Our reference.
    pub reference: String,
    /// The login of the account that it left.
    pub issuer_email: String,
    /// The login of the account that it goes to.
    pub recipient_email: String,
    /// Why it failed.
    pub refusal_reason: String,
    /// HiPay's word for its type; may be a number.
    pub kind: String,
    /// Its label.
    pub label: String,
    /// HiPay's fees, where it says.
    pub fees: Option<Amount>,
    /// When HiPay made it, read as UTC: HiPay's zone is not documented.
    pub created_at: Option<Timestamp>,
}

/// An item of HiPay's list of transactions, whose shape is not documented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListedTransaction {
    /// All that is needed of it.
    Whole(Box<Transaction>),
    /// Its id; the rest has to be read.
    Id(String),
}

/// A page of HiPay's list of an account's transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionsPage {
    /// The items.
    pub items: Vec<ListedTransaction>,
    /// The number of items on all pages, where HiPay says.
    pub total: Option<usize>,
}

/// A wallet of the merchant group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GroupMember {
    /// HiPay ID.
    pub hipay_id: Option<u64>,
    /// Its login, where the list says it.
    pub login: String,
    /// Its e-mail, where the list says it.
    pub email: String,
    /// The shop in Mirakl that it was created for, where the list says it.
    pub external_account_id: Option<u64>,
    /// Whether HiPay has identified it, where the list says so.
    pub identified: Option<bool>,
}

impl GroupMember {
    /// Returns the name that people know it by: the e-mail, else the login.
    pub fn name(&self) -> &str {
        if self.email.is_empty() { &self.login } else { &self.email }
    }
}
