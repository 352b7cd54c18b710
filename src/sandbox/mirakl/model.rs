//! Mirakl's data: shops, their documents, and what each is owed. Plain data, edited freely.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};

use crate::domain::money::Currency;
use crate::sandbox::call::Endpoint;
use crate::sandbox::chance::Chance;
use crate::sandbox::credentials::SandboxCredentials;

/// Bank details of a shop.
#[derive(Debug, Clone)]
pub struct PaymentInfo {
    /// Holder of the account.
    pub owner: String,
    /// Name of the bank.
    pub bank_name: String,
    /// Street of the bank.
    pub bank_street: String,
    /// Zip code of the bank.
    pub bank_zip: String,
    /// City of the bank.
    pub bank_city: String,
    /// BIC.
    pub bic: String,
    /// IBAN, valid or not.
    pub iban: String,
}

/// A seller.
#[derive(Debug, Clone)]
pub struct Shop {
    /// Mirakl ID.
    pub id: u64,
    /// Name.
    pub name: String,
    /// `OPEN`, `CLOSE`, `SUSPENDED`.
    pub state: String,
    /// A company; otherwise a sole trader.
    pub professional: bool,
    /// Blocked for payments in Mirakl.
    pub payment_blocked: bool,
    /// Suspended in Mirakl.
    pub suspended: bool,
    /// Offered domains: `PRODUCT`, `SERVICE`, or both.
    pub domains: Vec<String>,
    /// The currency it sells in.
    pub currency: Currency,
    /// `Mr`, `Mrs`, `Miss`.
    pub civility: String,
    /// First name of the contact.
    pub firstname: String,
    /// Last name of the contact.
    pub lastname: String,
    /// E-mail; a shop may have none.
    pub email: Option<String>,
    /// Phone; sometimes empty or absent.
    pub phone: Option<String>,
    /// Street.
    pub street: String,
    /// Zip code.
    pub zip_code: String,
    /// City.
    pub city: String,
    /// ISO 3166 alpha-3.
    pub country: String,
    /// Name of the company.
    pub corporate_name: Option<String>,
    /// VAT number.
    pub vat_number: Option<String>,
    /// Number in the company register.
    pub registration: Option<String>,
    /// Bank details.
    pub payment: Option<PaymentInfo>,
    /// KYC status in Mirakl.
    pub kyc_status: String,
    /// Reason for a KYC refusal.
    pub kyc_reason: Option<String>,
    /// The custom field `hipay-process`; `None` if it was never set.
    pub hipay_process: Option<bool>,
    /// Time of the last change, for `updated_since`.
    pub updated: Timestamp,
    /// JSON of any shape that is served verbatim instead of the shop.
    pub served_as: Option<String>,
}

impl Shop {
    /// Makes a French company without problems, which has bank details and no documents.
    pub fn new(id: u64, name: &str) -> Self {
        Self {
            id,
            name: name.to_owned(),
            state: "OPEN".to_owned(),
            professional: true,
            payment_blocked: false,
            suspended: false,
            domains: vec!["PRODUCT".to_owned()],
            currency: Currency::EUR,
            civility: "Mrs".to_owned(),
            firstname: "Camille".to_owned(),
            lastname: "Durand".to_owned(),
            email: Some(format!("shop{id}@sellers.example")),
            phone: Some("0142681234".to_owned()),
            street: "12 rue des Tanneurs".to_owned(),
            zip_code: "59000".to_owned(),
            city: "Lille".to_owned(),
            country: "FRA".to_owned(),
            corporate_name: Some(format!("{name} SARL")),
            vat_number: Some("FR83404833048".to_owned()),
            registration: Some("404833048".to_owned()),
            payment: Some(PaymentInfo {
                owner: format!("{name} SARL"),
                bank_name: "Banque du Nord".to_owned(),
                bank_street: "3 place de la Gare".to_owned(),
                bank_zip: "59000".to_owned(),
                bank_city: "Lille".to_owned(),
                bic: "AGRIFRPP".to_owned(),
                iban: "FR1420041010050500013M02606".to_owned(),
            }),
            kyc_status: "PENDING_APPROVAL".to_owned(),
            kyc_reason: None,
            hipay_process: Some(true),
            updated: Timestamp::UNIX_EPOCH,
            served_as: None,
        }
    }

    /// Sets the time of the last change in Mirakl.
    #[must_use]
    pub fn updated_at(mut self, updated: Timestamp) -> Self {
        self.updated = updated;
        self
    }
}

/// A file that a shop submitted.
#[derive(Debug, Clone)]
pub struct Document {
    /// Mirakl's document id.
    pub id: u64,
    /// Mirakl ID of the shop.
    pub shop_id: u64,
    /// Type code, such as `LEGAL_IDENTITY_OF_REPRESENTATIVE`.
    pub kind: String,
    /// File name; its first three characters decide the review at HiPay.
    pub file_name: String,
    /// Time of submission.
    pub uploaded: Timestamp,
    /// Content of the file.
    pub bytes: Vec<u8>,
}

impl Document {
    /// Makes a small file with the right first bytes for its extension.
    pub fn new(id: u64, shop_id: u64, kind: &str, file_name: &str) -> Self {
        let extension = file_name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let head: &[u8] = match extension.to_ascii_lowercase().as_str() {
            "pdf" => b"%PDF-1.4\n",
            "png" => b"\x89PNG\r\n\x1a\n",
            "gif" => b"GIF89a",
            "jpg" | "jpeg" => b"\xff\xd8\xff\xe0",
            _ => b"",
        };
        let text = format!("document {id} of shop {shop_id}, {kind}\n");
        Self {
            id,
            shop_id,
            kind: kind.to_owned(),
            file_name: file_name.to_owned(),
            uploaded: Timestamp::UNIX_EPOCH,
            bytes: [head, text.as_bytes()].concat(),
        }
    }
}

/// Amount owed to a shop for one cycle. One voucher is served both as an invoice and as a billing cycle.
#[derive(Debug, Clone)]
pub struct Voucher {
    /// `invoice_id` of the invoice.
    pub number: u64,
    /// `payment_voucher_number` of the billing cycle.
    pub payment_voucher_number: String,
    /// `id` of the billing cycle.
    pub billing_cycle_id: String,
    /// Mirakl ID of the shop.
    pub shop_id: u64,
    /// Currency of the amounts.
    pub currency: Currency,
    /// Amount as decimal text; a valid amount is served in varied spellings, any other text verbatim. `None`: absent.
    pub amount_transferred: Option<String>,
    /// The operator's commission, served in the same way.
    pub amount_to_operator: Option<String>,
    /// Time of issue.
    pub created: Timestamp,
    /// `PENDING`, `PAID`, …
    pub state: String,
    /// `pay_out_psp_code`; `None`: absent.
    pub pay_out_psp_code: Option<String>,
    /// JSON that is served verbatim instead of the invoice.
    pub invoice_served_as: Option<String>,
    /// JSON that is served verbatim instead of the billing cycle.
    pub cycle_served_as: Option<String>,
}

impl Voucher {
    /// Makes an unpaid voucher without commission.
    pub fn new(number: u64, shop_id: u64, amount: &str, created: Timestamp) -> Self {
        Self {
            number,
            payment_voucher_number: format!("{number:012}"),
            billing_cycle_id: format!("00000000-0000-4000-8000-{number:012}"),
            shop_id,
            currency: Currency::EUR,
            amount_transferred: Some(amount.to_owned()),
            amount_to_operator: None,
            created,
            state: "PENDING".to_owned(),
            pay_out_psp_code: None,
            invoice_served_as: None,
            cycle_served_as: None,
        }
    }

    /// Sets the operator's commission.
    #[must_use]
    pub fn commission(mut self, amount: &str) -> Self {
        self.amount_to_operator = Some(amount.to_owned());
        self
    }
}

/// A custom field of shops.
#[derive(Debug, Clone)]
pub struct AdditionalField {
    /// Code.
    pub code: String,
    /// `BOOLEAN`, `STRING`, …
    pub kind: String,
}

/// Accepted ways of authentication. `None` disables a way.
#[derive(Debug, Clone)]
pub struct MiraklAccess {
    /// The raw operator key.
    pub operator_key: Option<String>,
    /// The bearer token that does not expire.
    pub bearer_token: Option<String>,
    /// Client credentials: id and secret.
    pub client: Option<(String, String)>,
    /// Lifetime of an issued token.
    pub token_lifetime: SignedDuration,
    /// Issued tokens with their expiry.
    pub issued: Vec<(String, Timestamp)>,
}

/// A shop or voucher that is added while a client reads pages.
#[derive(Debug, Clone)]
pub enum Newcomer {
    /// A shop.
    Shop(Box<Shop>),
    /// A voucher.
    Voucher(Box<Voucher>),
}

/// Time and place at which a newcomer is added.
#[derive(Debug, Clone)]
pub struct PendingAddition {
    /// Number of further pages of this list after which it is added.
    pub after_pages: u32,
    /// List that it is added to.
    pub endpoint: Endpoint,
    /// Added at the front of the list, where it shifts all others, instead of at its end.
    pub at_front: bool,
    /// Shop or voucher that is added.
    pub newcomer: Newcomer,
}

/// Changes requested by one item of S07, and their result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShopUpdate {
    /// Time of the request.
    pub at: Timestamp,
    /// Mirakl ID of the shop.
    pub shop_id: u64,
    /// New KYC status, if sent.
    pub kyc_status: Option<String>,
    /// Reason for the status, if sent.
    pub kyc_reason: Option<String>,
    /// Block payments, if sent.
    pub payment_blocked: Option<bool>,
    /// Suspend, if sent.
    pub suspend: Option<bool>,
    /// Reason of the refusal, if it was refused.
    pub refused: Option<String>,
}

/// Position of a reader of billing cycles.
#[derive(Debug, Clone)]
pub(super) struct Seek {
    pub(super) window: (Option<Timestamp>, Option<Timestamp>),
    pub(super) limit: usize,
    /// The last cycle that was served.
    pub(super) last: String,
}

/// Mirakl's side.
#[derive(Debug)]
pub struct MiraklModel {
    /// Shops, in listing order.
    pub shops: Vec<Shop>,
    /// Documents of the shops.
    pub documents: Vec<Document>,
    /// Vouchers, in listing order.
    pub vouchers: Vec<Voucher>,
    /// Presence of amounts in invoices; newer instances omit the summary.
    pub invoices_have_amounts: bool,
    /// Presence of the payment voucher's number in invoices.
    pub invoices_name_vouchers: bool,
    /// Document types of entity SHOP.
    pub document_types: Vec<String>,
    /// Custom fields of entity SHOP.
    pub additional_fields: Vec<AdditionalField>,
    /// Accepted ways of authentication.
    pub access: MiraklAccess,
    /// Newcomers that are added while a client reads pages.
    pub pending_additions: Vec<PendingAddition>,
    /// Refusal of the parameter `domains` by S20, as on an instance without services.
    pub refuses_domains: bool,
    /// Shops that S07 refuses, with the message, which is hidden inside a 200.
    pub refuse_updates: BTreeMap<u64, String>,
    /// Every item that S07 received.
    pub updates: Vec<ShopUpdate>,
    pub(super) seeks: HashMap<String, Seek>,
    pub(super) chance: Chance,
}

/// The document types of a configured Mirakl.
const DOCUMENT_TYPES: [&str; 9] = [
    "LEGAL_IDENTITY_OF_REPRESENTATIVE",
    "LEGAL_IDENTITY_OF_REP_REAR",
    "LEGAL_PROOF_OF_REGISTRATION_NUMBER",
    "LEGAL_ARTICLES_DISTR_OF_POWERS",
    "SOLE_MAN_BUS_IDENTITY",
    "SOLE_MAN_BUS_IDENTITY_REAR",
    "SOLE_MAN_BUS_PROOF_OF_REG_NUMBER",
    "SOLE_MAN_BUS_PROOF_OF_TAX_STATUS",
    "ALL_PROOF_OF_BANK_ACCOUNT",
];

impl MiraklModel {
    pub(in crate::sandbox) fn new(seed: u64, credentials: &SandboxCredentials) -> Self {
        Self {
            shops: Vec::new(),
            documents: Vec::new(),
            vouchers: Vec::new(),
            invoices_have_amounts: true,
            invoices_name_vouchers: true,
            document_types: DOCUMENT_TYPES.iter().map(ToString::to_string).collect(),
            additional_fields: vec![AdditionalField { code: "hipay-process".to_owned(), kind: "BOOLEAN".to_owned() }],
            access: MiraklAccess {
                operator_key: Some(credentials.operator_key.expose().to_owned()),
                bearer_token: Some(credentials.bearer_token.expose().to_owned()),
                client: Some((credentials.client_id.clone(), credentials.client_secret.expose().to_owned())),
                token_lifetime: SignedDuration::from_hours(1),
                issued: Vec::new(),
            },
            pending_additions: Vec::new(),
            refuses_domains: false,
            refuse_updates: BTreeMap::new(),
            updates: Vec::new(),
            seeks: HashMap::new(),
            chance: Chance::new(seed),
        }
    }

    /// Returns the shop with this id.
    pub fn shop(&self, id: u64) -> Option<&Shop> {
        self.shops.iter().find(|shop| shop.id == id)
    }

    /// Returns the shop with this id for editing.
    pub fn shop_mut(&mut self, id: u64) -> Option<&mut Shop> {
        self.shops.iter_mut().find(|shop| shop.id == id)
    }

    /// Returns the voucher with this number for editing.
    pub fn voucher_mut(&mut self, number: u64) -> Option<&mut Voucher> {
        self.vouchers.iter_mut().find(|voucher| voucher.number == number)
    }

    /// Counts one served page of `endpoint` and adds the newcomers that were waiting for it.
    pub(super) fn page_served(&mut self, endpoint: Endpoint) {
        let mut arrived = Vec::new();
        self.pending_additions.retain_mut(|addition| {
            if addition.endpoint != endpoint {
                return true;
            }
            addition.after_pages = addition.after_pages.saturating_sub(1);
            if addition.after_pages == 0 {
                arrived.push(addition.clone());
            }
            addition.after_pages > 0
        });
        for PendingAddition { at_front, newcomer, .. } in arrived {
            match newcomer {
                Newcomer::Shop(shop) => {
                    let place = if at_front { 0 } else { self.shops.len() };
                    self.shops.insert(place, *shop);
                }
                Newcomer::Voucher(voucher) => {
                    let place = if at_front { 0 } else { self.vouchers.len() };
                    self.vouchers.insert(place, *voucher);
                }
            }
        }
    }
}
