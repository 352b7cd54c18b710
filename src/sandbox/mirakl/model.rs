//! What Mirakl knows: shops, their documents, and what each is owed. Plain data, edited freely.

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
    /// The bank.
    pub bank_name: String,
    /// Its street.
    pub bank_street: String,
    /// Its zip code.
    pub bank_zip: String,
    /// Its city.
    pub bank_city: String,
    /// BIC.
    pub bic: String,
    /// IBAN, right or wrong.
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
    /// A company, or a sole trader.
    pub professional: bool,
    /// Payments are blocked in Mirakl.
    pub payment_blocked: bool,
    /// Suspended in Mirakl.
    pub suspended: bool,
    /// What it sells: `PRODUCT`, `SERVICE`, or both.
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
    /// Phone; empty or absent now and then.
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
    /// Why it was refused.
    pub kyc_reason: Option<String>,
    /// The custom field `hipay-process`; `None` where it was never set.
    pub hipay_process: Option<bool>,
    /// Last change, for `updated_since`.
    pub updated: Timestamp,
    /// Served in place of all this, as it stands: JSON of any shape.
    pub served_as: Option<String>,
}

impl Shop {
    /// A French company in good order, whose bank details are set and whose documents are not.
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

    /// The last change in Mirakl.
    #[must_use]
    pub fn updated_at(mut self, updated: Timestamp) -> Self {
        self.updated = updated;
        self
    }
}

/// A file that a shop handed in.
#[derive(Debug, Clone)]
pub struct Document {
    /// Mirakl's document id.
    pub id: u64,
    /// Whose.
    pub shop_id: u64,
    /// Type code, such as `LEGAL_IDENTITY_OF_REPRESENTATIVE`.
    pub kind: String,
    /// File name; the first three characters decide its fate at HiPay.
    pub file_name: String,
    /// When it was handed in.
    pub uploaded: Timestamp,
    /// The file.
    pub bytes: Vec<u8>,
}

impl Document {
    /// A small file with the right first bytes for its extension.
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

/// What a shop is owed for one cycle. One voucher is served both as an invoice and as a billing cycle.
#[derive(Debug, Clone)]
pub struct Voucher {
    /// `invoice_id` of the invoice.
    pub number: u64,
    /// `payment_voucher_number` of the billing cycle.
    pub payment_voucher_number: String,
    /// `id` of the billing cycle.
    pub billing_cycle_id: String,
    /// Whose.
    pub shop_id: u64,
    /// In which currency.
    pub currency: Currency,
    /// Decimal text; served in varied spellings where it is an amount, as it stands where it is not. `None`: absent.
    pub amount_transferred: Option<String>,
    /// The operator's commission, likewise.
    pub amount_to_operator: Option<String>,
    /// When it was issued.
    pub created: Timestamp,
    /// `PENDING`, `PAID`, …
    pub state: String,
    /// `pay_out_psp_code`; `None`: absent.
    pub pay_out_psp_code: Option<String>,
    /// Served in place of the invoice, as it stands.
    pub invoice_served_as: Option<String>,
    /// Served in place of the billing cycle, as it stands.
    pub cycle_served_as: Option<String>,
}

impl Voucher {
    /// An unpaid voucher without commission.
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

    /// With the operator's commission.
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

/// Which ways in are open. A `None` closes that way.
#[derive(Debug, Clone)]
pub struct MiraklAccess {
    /// The raw key.
    pub operator_key: Option<String>,
    /// The bearer token that does not expire.
    pub bearer_token: Option<String>,
    /// Client credentials: id and secret.
    pub client: Option<(String, String)>,
    /// How long an issued token lasts.
    pub token_lifetime: SignedDuration,
    /// Issued tokens and when they expire.
    pub issued: Vec<(String, Timestamp)>,
}

/// Something that turns up while someone pages.
#[derive(Debug, Clone)]
pub enum Newcomer {
    /// A shop.
    Shop(Box<Shop>),
    /// A voucher.
    Voucher(Box<Voucher>),
}

/// When and where a newcomer turns up.
#[derive(Debug, Clone)]
pub struct PendingAddition {
    /// After so many further pages of this list were served.
    pub after_pages: u32,
    /// Which list.
    pub endpoint: Endpoint,
    /// At the front of the list, where it shifts all the others, or at its end.
    pub at_front: bool,
    /// What.
    pub newcomer: Newcomer,
}

/// What one item of S07 asked for, and whether it was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShopUpdate {
    /// When.
    pub at: Timestamp,
    /// Which shop.
    pub shop_id: u64,
    /// New KYC status, if sent.
    pub kyc_status: Option<String>,
    /// Its reason, if sent.
    pub kyc_reason: Option<String>,
    /// Block payments, if sent.
    pub payment_blocked: Option<bool>,
    /// Suspend, if sent.
    pub suspend: Option<bool>,
    /// Why it was refused, if it was.
    pub refused: Option<String>,
}

/// Where a reader of billing cycles stands.
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
    /// Shops, in the order in which they are listed.
    pub shops: Vec<Shop>,
    /// Their documents.
    pub documents: Vec<Document>,
    /// Vouchers, in the order in which they are listed.
    pub vouchers: Vec<Voucher>,
    /// Invoices carry their amounts; newer instances leave the summary out.
    pub invoices_have_amounts: bool,
    /// Invoices carry the number of their payment voucher.
    pub invoices_name_vouchers: bool,
    /// Document types of entity SHOP.
    pub document_types: Vec<String>,
    /// Custom fields of entity SHOP.
    pub additional_fields: Vec<AdditionalField>,
    /// Ways in.
    pub access: MiraklAccess,
    /// What turns up while someone pages.
    pub pending_additions: Vec<PendingAddition>,
    /// S20 does not know `domains`, as on an instance without services.
    pub refuses_domains: bool,
    /// Shops that S07 refuses, and with which message: hidden inside a 200.
    pub refuse_updates: BTreeMap<u64, String>,
    /// Every item that S07 was sent.
    pub updates: Vec<ShopUpdate>,
    pub(super) seeks: HashMap<String, Seek>,
    pub(super) chance: Chance,
}

/// The document types that a set-up Mirakl has.
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

    /// The shop with this id.
    pub fn shop(&self, id: u64) -> Option<&Shop> {
        self.shops.iter().find(|shop| shop.id == id)
    }

    /// The shop with this id, to edit it.
    pub fn shop_mut(&mut self, id: u64) -> Option<&mut Shop> {
        self.shops.iter_mut().find(|shop| shop.id == id)
    }

    /// The voucher with this number, to edit it.
    pub fn voucher_mut(&mut self, number: u64) -> Option<&mut Voucher> {
        self.vouchers.iter_mut().find(|voucher| voucher.number == number)
    }

    /// One page of `endpoint` was served: what was waiting for that turns up.
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
