//! An account at HiPay, with its documents and bank details. Plain data, edited freely, except
//! that money moves through [`HipayModel`](super::HipayModel).

use jiff::Timestamp;

use crate::domain::money::{Amount, Currency};

/// Usability of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountState {
    /// Usable without restriction.
    Normal,
    /// Not activated yet (4007).
    NotActivated,
    /// Disabled (4008).
    Disabled,
    /// Deleted (4009).
    Deleted,
}

/// HiPay's status of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KycStatus {
    /// Waiting for review.
    Waiting,
    /// Accepted.
    Validated,
    /// Refused.
    Refused,
}

/// A document that was sent to HiPay.
#[derive(Debug, Clone)]
pub struct Kyc {
    /// HiPay's document type.
    pub kind: u32,
    /// File name; its first three characters decide the review.
    pub file_name: String,
    /// The file's size.
    pub size: usize,
    /// File name of the back side, if one was sent.
    pub back: Option<String>,
    /// End of validity.
    pub validity: Option<String>,
    /// Time of arrival.
    pub sent: Timestamp,
    /// Status of the review.
    pub status: KycStatus,
    /// Reason for a refusal.
    pub message: Option<String>,
}

/// HiPay's status of bank details.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BankStatus {
    /// Validation in progress: status code 2.
    Waiting,
    /// Accepted: status code 3.
    Validated,
    /// Refused: status code 1, as if there were none.
    Refused,
}

/// Bank details that were sent to HiPay.
#[derive(Debug, Clone)]
pub struct BankDetails {
    /// Status of the review.
    pub status: BankStatus,
    /// Country of the bank.
    pub country: String,
    /// Name of the bank.
    pub name: String,
    /// Address of the bank.
    pub address: String,
    /// Zip code of the bank.
    pub zip_code: String,
    /// City of the bank.
    pub city: String,
    /// IBAN.
    pub iban: String,
    /// BIC.
    pub swift: String,
    /// Name of the file that came with them; its first three characters decide the review.
    pub file_name: String,
    /// Time of arrival.
    pub sent: Timestamp,
}

impl BankDetails {
    /// Makes bank details that HiPay has validated.
    pub fn validated(iban: &str) -> Self {
        Self {
            status: BankStatus::Validated,
            country: iban.chars().take(2).collect(),
            name: "Banque du Nord".to_owned(),
            address: "3 place de la Gare".to_owned(),
            zip_code: "59000".to_owned(),
            city: "Lille".to_owned(),
            iban: iban.to_owned(),
            swift: "AGRIFRPP".to_owned(),
            file_name: "rib.pdf".to_owned(),
            sent: Timestamp::UNIX_EPOCH,
        }
    }
}

/// An account and its user space.
#[derive(Debug, Clone)]
pub struct Account {
    /// HiPay ID.
    pub id: u64,
    /// The user space that owns it.
    pub user_space_id: u64,
    /// E-mail, as HiPay keeps it.
    pub email: String,
    /// Login.
    pub login: String,
    /// The entity in which it was created.
    pub entity: String,
    /// The company's or the person's name.
    pub name: String,
    /// ISO 3166 alpha-2.
    pub country: String,
    /// VAT number.
    pub vat_number: Option<String>,
    /// `external_account_id`: the shop in Mirakl.
    pub external_id: Option<String>,
    /// Time of creation.
    pub created: Timestamp,
    /// Usability of the account.
    pub state: AccountState,
    /// Activated, that is, its owner has set a password for the back office.
    pub activated: bool,
    /// Identified, as a property of the user space.
    pub identified: bool,
    /// Declaration of the beneficial owners (without it withdrawals fail with 4015).
    pub owners_declared: bool,
    /// Documents sent to HiPay.
    pub documents: Vec<Kyc>,
    /// Bank details.
    pub bank: Option<BankDetails>,
    /// Receiver of notifications about the account.
    pub callback_url: Option<String>,
    /// Salt with which they are signed.
    pub callback_salt: String,
    /// Balance when the ledger began.
    pub opening: Amount,
    /// Current balance.
    pub balance: Amount,
    /// Balance of a secondary account that is listed before the main one.
    pub secondary_balance: Option<Amount>,
}

impl Account {
    /// Makes a usable account in euros, neither identified nor with bank details.
    pub fn new(id: u64, email: &str) -> Self {
        Self {
            id,
            user_space_id: id.saturating_add(300_000),
            email: email.to_owned(),
            login: email.to_owned(),
            entity: String::new(),
            name: email.to_owned(),
            country: "FR".to_owned(),
            vat_number: None,
            external_id: None,
            created: Timestamp::UNIX_EPOCH,
            state: AccountState::Normal,
            activated: true,
            identified: false,
            owners_declared: true,
            documents: Vec::new(),
            bank: None,
            callback_url: None,
            callback_salt: format!("salt-of-{id}"),
            opening: Amount::zero(Currency::EUR),
            balance: Amount::zero(Currency::EUR),
            secondary_balance: None,
        }
    }

    /// Makes the account identified, with validated bank details: ready to be paid out.
    #[must_use]
    pub fn ready(mut self, iban: &str) -> Self {
        self.identified = true;
        self.bank = Some(BankDetails::validated(iban));
        self
    }

    /// Sets the opening balance.
    #[must_use]
    pub fn holding(mut self, amount: Amount) -> Self {
        self.opening = amount;
        self.balance = amount;
        self
    }

    /// Returns HiPay's status code for the bank details: 1 none, 2 in progress, 3 validated.
    pub fn bank_status(&self) -> u8 {
        match self.bank.as_ref().map(|bank| bank.status) {
            None | Some(BankStatus::Refused) => 1,
            Some(BankStatus::Waiting) => 2,
            Some(BankStatus::Validated) => 3,
        }
    }
}
