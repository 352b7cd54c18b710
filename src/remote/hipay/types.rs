//! Data sent to and received from HiPay, in plain types.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::domain::attempt::TransactionState;
use crate::domain::money::Amount;
use crate::platform::secret::Secret;
use crate::remote::multipart::Multipart;

/// A wallet to create. Empty texts are not sent.
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
    /// ISO 3166 alpha-2 code.
    pub country: String,
    pub phone: String,
    pub fax: String,
    /// Shop id in Mirakl.
    pub external_account_id: u64,
    /// Address for this wallet's notices.
    pub callback_url: Option<String>,
}

impl NewAccount {
    pub(super) fn fill(&self, form: &mut Multipart) {
        form.field("email", &self.email);
        form.field("login", &self.login);
        form.field("currency", &self.currency);
        form.field("civility", self.civility.to_string());
        // A business account: a corporation if Mirakl marks the shop as professional, otherwise a person.
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

/// HiPay's answer about a wallet that it has just created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedAccount {
    /// HiPay ID.
    pub hipay_id: u64,
    /// User space that owns the wallet.
    pub user_space_id: Option<u64>,
    /// Salt for checking the wallet's notices.
    pub callback_salt: Secret,
}

/// HiPay's answer about an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// HiPay ID.
    pub hipay_id: u64,
    /// User space that owns the account.
    pub user_space_id: Option<u64>,
    /// True if HiPay has identified the owner.
    pub identified: bool,
    /// True if HiPay has validated the bank details (status 3).
    pub bank_details_validated: bool,
    /// Salt for checking the account's notices.
    pub callback_salt: Secret,
    /// Address for the account's notices; `None` if the answer does not contain it.
    pub callback_url: Option<String>,
}

/// The balance of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wallet {
    /// Whole balance.
    pub balance: Amount,
    /// Part of the balance that can be withdrawn to the bank.
    pub withdrawable: Amount,
}

/// HiPay's status of bank details.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BankStatus {
    /// Status 1: no bank details.
    None,
    /// Status 2: bank details under review.
    InProgress,
    /// Status 3: bank details that HiPay pays to.
    Validated,
}

impl BankStatus {
    /// Returns HiPay's number.
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

/// Bank details to register, in the characters that HiPay accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are HiPay's own")]
pub struct NewBankInfo {
    /// ISO 3166 alpha-2 code.
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

/// An identification document to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDocument {
    /// HiPay's type number.
    pub hipay_type: u32,
    /// Name of the file; HiPay's test environment decides by it.
    pub file_name: String,
    /// Content of the file.
    pub file: Vec<u8>,
    /// Name and content of the back side.
    pub back: Option<(String, Vec<u8>)>,
    /// Last day of an identity document's validity.
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

/// The result of sending a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentOutcome {
    /// Accepted document.
    Sent,
    /// Code 414: the vendor is identified already, no more documents are needed.
    IdentifiedAlready,
    /// Code 415: a document of this type is waiting for validation.
    WaitingAlready,
}

impl DocumentOutcome {
    /// Returns the outcome in words.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::IdentifiedAlready => "not needed: HiPay has identified the vendor already",
            Self::WaitingAlready => "not needed: one of this type is waiting for validation at HiPay",
        }
    }
}

/// A payment in HiPay's view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// HiPay's transaction id.
    pub transaction_id: String,
    /// Meaning of the status.
    pub state: TransactionState,
    /// HiPay's own word for the status.
    pub word: String,
    /// Amount without a sign; `None` if HiPay does not state it.
    pub amount: Option<Amount>,
    /// Our reference.
    pub reference: String,
    /// Login of the account that paid.
    pub issuer_email: String,
    /// Login of the account that receives the money.
    pub recipient_email: String,
    /// Reason of a failure.
    pub refusal_reason: String,
    /// HiPay's word for the type; may be a number.
    pub kind: String,
    /// Label of the payment.
    pub label: String,
    /// HiPay's fees, if stated.
    pub fees: Option<Amount>,
    /// Time of creation at HiPay, read as UTC: HiPay's time zone is not documented.
    pub created_at: Option<Timestamp>,
}

/// An item of HiPay's list of transactions, whose format is not documented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListedTransaction {
    /// An item with all the data that is needed.
    Whole(Box<Transaction>),
    /// An item's id; the rest must be read.
    Id(String),
}

/// A page of HiPay's list of an account's transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionsPage {
    /// Items of the page.
    pub items: Vec<ListedTransaction>,
    /// Number of items on all pages, if HiPay states it.
    pub total: Option<usize>,
}

/// A wallet of the merchant group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct GroupMember {
    /// HiPay ID.
    pub hipay_id: Option<u64>,
    /// Login, if the list contains it.
    pub login: String,
    /// E-mail, if the list contains it.
    pub email: String,
    /// Shop in Mirakl that the wallet was created for, if the list contains it.
    pub external_account_id: Option<u64>,
    /// Identification by HiPay, if the list contains it.
    pub identified: Option<bool>,
}

impl GroupMember {
    /// Returns the name that people use for the wallet: the e-mail, otherwise the login.
    pub fn name(&self) -> &str {
        if self.email.is_empty() { &self.login } else { &self.email }
    }
}
