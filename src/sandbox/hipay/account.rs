//! An account at HiPay, with its documents and bank details. Plain data, edited freely, except
//! that money moves through [`HipayModel`](super::HipayModel).

use jiff::Timestamp;

use crate::domain::money::{Amount, Currency};

/// Whether an account can be used at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountState {
    /// In order.
    Normal,
    /// Not activated yet (4007).
    NotActivated,
    /// Disabled (4008).
    Disabled,
    /// Deleted (4009).
    Deleted,
}

/// How far HiPay is with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KycStatus {
    /// Waiting to be looked at.
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
    /// File name; its first three characters decide.
    pub file_name: String,
    /// The file's size.
    pub size: usize,
    /// File name of the back side, if one came.
    pub back: Option<String>,
    /// Until when it is valid.
    pub validity: Option<String>,
    /// When it came.
    pub sent: Timestamp,
    /// How far it is.
    pub status: KycStatus,
    /// Why it was refused.
    pub message: Option<String>,
}

/// How far HiPay is with bank details.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BankStatus {
    /// Validation in progress: status code 2.
    Waiting,
    /// Status code 3.
    Validated,
    /// Refused: status code 1, as if there were none.
    Refused,
}

/// Bank details that were sent to HiPay.
#[derive(Debug, Clone)]
pub struct BankDetails {
    /// How far they are.
    pub status: BankStatus,
    /// Country of the bank.
    pub country: String,
    /// The bank.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Its zip code.
    pub zip_code: String,
    /// Its city.
    pub city: String,
    /// IBAN.
    pub iban: String,
    /// BIC.
    pub swift: String,
    /// Name of the file that came with them; its first three characters decide.
    pub file_name: String,
    /// When they came.
    pub sent: Timestamp,
}

impl BankDetails {
    /// Details that HiPay has validated.
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
    /// The entity it was created in.
    pub entity: String,
    /// The company's or the person's name.
    pub name: String,
    /// ISO 3166 alpha-2.
    pub country: String,
    /// VAT number.
    pub vat_number: Option<String>,
    /// `external_account_id`: the shop in Mirakl.
    pub external_id: Option<String>,
    /// When it was created.
    pub created: Timestamp,
    /// Whether it can be used.
    pub state: AccountState,
    /// Its owner has set a password for the back office.
    pub activated: bool,
    /// The user space is identified.
    pub identified: bool,
    /// The beneficial owners are declared (else 4015 on withdrawals).
    pub owners_declared: bool,
    /// Documents.
    pub documents: Vec<Kyc>,
    /// Bank details.
    pub bank: Option<BankDetails>,
    /// Where notifications about it go.
    pub callback_url: Option<String>,
    /// What they are signed with.
    pub callback_salt: String,
    /// What it held when the ledger began.
    pub opening: Amount,
    /// What it holds.
    pub balance: Amount,
    /// A secondary account that is listed before the main one.
    pub secondary_balance: Option<Amount>,
}

impl Account {
    /// An account in euros, usable, neither identified nor with bank details.
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

    /// Identified, and with validated bank details: ready to be paid out.
    #[must_use]
    pub fn ready(mut self, iban: &str) -> Self {
        self.identified = true;
        self.bank = Some(BankDetails::validated(iban));
        self
    }

    /// Holds `amount` from the beginning.
    #[must_use]
    pub fn holding(mut self, amount: Amount) -> Self {
        self.opening = amount;
        self.balance = amount;
        self
    }

    /// HiPay's status code for the bank details: 1 none, 2 in progress, 3 validated.
    pub fn bank_status(&self) -> u8 {
        match self.bank.as_ref().map(|bank| bank.status) {
            None | Some(BankStatus::Refused) => 1,
            Some(BankStatus::Waiting) => 2,
            Some(BankStatus::Validated) => 3,
        }
    }
}
