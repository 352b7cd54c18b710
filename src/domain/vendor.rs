//! A vendor: a seller with a wallet at HiPay, its identification, bank details and documents.
//!
//! Pure.

mod warning;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use crate::domain::search_text::{folded, parts};
use crate::platform::secret::Secret;
use crate::platform::variants::named;
use crate::text::word_by_name;

pub use warning::{VendorPart, VendorProblem, Warning};

/// HiPay's status of validated bank details.
const VALIDATED: u8 = 3;

/// A vendor's record in the store.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "six independent facts of Mirakl's and HiPay's")]
pub struct Vendor {
    /// Store ID in the Mirakl back office. Never changes.
    pub mirakl_id: u64,
    /// The shop's name in Mirakl.
    #[serde(default)]
    pub name: String,
    /// Login of the wallet in the HiPay back office.
    #[serde(default)]
    pub login: String,
    /// The e-mail of the wallet.
    #[serde(default)]
    pub email: String,
    /// E-mails that the wallet had before; HiPay may still show a payment under one of them.
    #[serde(default)]
    pub former_emails: Vec<String>,
    /// ID of the wallet; `None` until it is created. Never changes once known.
    pub hipay_id: Option<u64>,
    /// Time since which this store knows the wallet (UTC); older vouchers may have been paid to another one. `None` if
    /// an earlier release wrote the vendor.
    pub wallet_since: Option<Timestamp>,
    /// HiPay IDs of the vendor's former wallets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_wallets: Vec<u64>,
    /// HiPay's owner of the wallet; the identification belongs to it.
    pub user_space_id: Option<u64>,
    /// True once HiPay has identified the vendor.
    #[serde(default)]
    pub identified: bool,
    /// Salt for checking HiPay's notices for this wallet.
    #[serde(default)]
    pub callback_salt: Secret,
    /// Address to which HiPay sends the notices for this wallet, as it last showed it or was last given it; `None` if
    /// neither is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<String>,
    /// VAT number from Mirakl.
    pub vat_number: Option<String>,
    /// Country as ISO 3166 alpha-2.
    pub country: Option<String>,
    /// True while payments to the shop are blocked in Mirakl.
    #[serde(default)]
    pub payment_blocked: bool,
    /// True while payments are blocked until HiPay has validated the bank details: by cashout, or since before this
    /// store knew the shop.
    #[serde(default)]
    pub blocked_for_bank_details: bool,
    /// True if a person has blocked payments in Mirakl since this store knows the shop; a validation does not lift that
    /// block.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub blocked_by_person: bool,
    /// True if cashout suspended the shop in Mirakl because HiPay refused the bank details.
    #[serde(default)]
    pub suspended_for_bank_details: bool,
    /// Text of HiPay's reason for not identifying the vendor; `None` unless a notice gave one.
    pub identification_refusal: Option<String>,
    /// Time of the known identification status (UTC, by HiPay's clock).
    pub identified_as_of: Option<Timestamp>,
    /// Text of the problem with the bank details; `None` unless a notice reported one.
    pub bank_refusal: Option<String>,
    /// Time of the known status of the bank details (UTC, by HiPay's clock).
    pub bank_as_of: Option<Timestamp>,
    /// HiPay's status of the bank details: 1 none, 2 in progress, 3 validated; 0 not read yet.
    #[serde(default)]
    pub bank_status: u8,
    /// True if the shop wants to be paid through HiPay (`hipay-process` in Mirakl).
    pub enabled: bool,
    /// True once Mirakl does not show the shop any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// Number of documents sent to HiPay so far.
    #[serde(default)]
    pub documents_sent: u32,
    /// Texts of the warnings from the last run. See [`Vendor::reasons`] for all problems.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The warnings with their kinds, if known; each belongs to the entry of `warnings` with its message.
    #[serde(default)]
    pub troubles: Vec<Warning>,
    /// Time at which the vendor was first seen (UTC).
    pub created_at: Timestamp,
    /// Time of the last change (UTC).
    pub updated_at: Timestamp,
    /// Fields that a later release wrote, kept unchanged.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// Status of the wallet account on the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum WalletStatus {
    /// A wallet whose identification is not known yet.
    Created,
    /// No wallet.
    NotCreated,
    /// A wallet whose owner HiPay has identified.
    Identified,
    /// A wallet with documents sent, whose owner HiPay has not identified (yet).
    NotIdentified,
}

named!(pub WalletStatus, pub DocumentStatus);

impl Vendor {
    /// Makes a vendor for a shop that is seen for the first time.
    pub fn new(mirakl_id: u64, at: Timestamp) -> Self {
        Self { mirakl_id, enabled: true, created_at: at, updated_at: at, ..Self::default() }
    }

    /// Returns every login under which HiPay may show the wallet, the e-mail first.
    pub fn logins(&self) -> Vec<String> {
        let logins = [&self.email, &self.login].into_iter().chain(&self.former_emails);
        logins.filter(|login| !login.is_empty()).cloned().collect()
    }

    /// Returns the texts that a search finds the vendor by, whole or by their beginning: its ids, its login with and
    /// without the prefix that all logins share, its name and its e-mail.
    pub fn search_texts(&self) -> Vec<String> {
        let ids = [Some(self.mirakl_id), self.hipay_id].into_iter().flatten().map(|id| id.to_string());
        let own_part = self.login.strip_prefix(LOGIN_PREFIX).unwrap_or_default();
        let texts = [&self.login, own_part, &self.name, &self.email].map(folded);
        ids.chain(texts).filter(|text| !text.is_empty()).collect()
    }

    /// Returns the texts that a search finds the vendor by if it is given a part of its login, name or e-mail. They are
    /// personal data, stored in the index alone and removed from it with the vendor.
    pub fn search_parts(&self) -> Vec<String> {
        let own_part = self.login.strip_prefix(LOGIN_PREFIX).unwrap_or(&self.login);
        // The shop's id at the end is found as a whole; its digits would only be found by accident.
        let own_part = own_part.strip_suffix(&format!("_{}", self.mirakl_id)).unwrap_or(own_part);
        parts(&[own_part, &self.name, &self.email].map(folded)).into_iter().collect()
    }

    /// Returns true if the next run has work for the vendor although its shop has not changed.
    pub fn needs_attention(&self) -> bool {
        let ready = self.identified && self.bank_status == VALIDATED && !self.blocked_for_bank_details;
        self.enabled && (!ready || !self.warnings.is_empty())
    }

    /// Returns the texts of all problems: those from HiPay's notices, then those that the last run found.
    pub fn reasons(&self) -> impl Iterator<Item = &str> {
        let told = self.identification_refusal.iter().chain(&self.bank_refusal);
        told.chain(&self.warnings).map(String::as_str)
    }

    /// Replaces the warnings of the previous run with those of the last one.
    pub fn set_warnings(&mut self, warnings: Vec<Warning>) {
        self.warnings = warnings.iter().map(|warning| warning.message.clone()).collect();
        self.troubles = warnings;
    }

    /// Replaces the warnings about the parts of the vendor that a run has looked at. The warnings about its other parts
    /// stay.
    pub fn replace_warnings(&mut self, found: Vec<Warning>, looked_at: &[VendorPart]) {
        let is_found = |known: &Warning| {
            found
                .iter()
                .any(|one| one.message == known.message || (one.trouble, &one.about) == (known.trouble, &known.about))
        };
        let lasts = |known: &&Warning| known.trouble.part().is_some_and(|part| !looked_at.contains(&part));
        let lasting: Vec<Warning> = self.troubles.iter().filter(lasts).filter(|one| !is_found(one)).cloned().collect();
        self.set_warnings(found.into_iter().chain(lasting).collect());
    }

    /// Removes the warnings about a part of the vendor that is in order.
    pub fn clear_warnings(&mut self, part: VendorPart) {
        let (gone, kept): (Vec<Warning>, Vec<Warning>) =
            std::mem::take(&mut self.troubles).into_iter().partition(|known| known.trouble.part() == Some(part));
        self.warnings.retain(|sentence| !gone.iter().any(|one| one.message == *sentence));
        self.troubles = kept;
    }

    /// Returns true if a warning of this kind is known.
    pub fn is_warned(&self, trouble: VendorProblem) -> bool {
        self.troubles.iter().any(|known| known.trouble == trouble)
    }

    /// Adds a warning; one with the same message is replaced.
    pub fn warn(&mut self, warning: Warning) {
        self.warnings.retain(|known| *known != warning.message);
        self.troubles.retain(|known| known.message != warning.message);
        self.warnings.push(warning.message.clone());
        self.troubles.push(warning);
    }

    /// Returns `success`, or `warning` with the reasons in [`Vendor::reasons`].
    pub fn status(&self) -> &'static str {
        if self.reasons().next().is_none() { "success" } else { "warning" }
    }

    /// Records the owner's identification as HiPay shows it, at the time `as_of`.
    pub fn identification_read(&mut self, identified: bool, as_of: Timestamp) {
        self.identified = identified;
        self.identified_as_of = Some(as_of);
        if identified {
            self.identification_refusal = None;
        }
    }

    /// Returns true if the block that Mirakl shows now was made by a person since this store knows the shop: it is
    /// neither cashout's own nor an earlier one that waits for the bank details.
    pub fn is_block_of_person(&self, blocked_in_mirakl: bool) -> bool {
        let appeared = !self.payment_blocked || self.bank_status == VALIDATED;
        blocked_in_mirakl && !self.blocked_for_bank_details && (self.blocked_by_person || appeared)
    }

    /// Records that Mirakl was notified that the bank details are in order. Payments remain blocked there only if
    /// someone else has blocked them.
    pub fn bank_details_approved(&mut self, still_blocked: bool) {
        self.payment_blocked = still_blocked;
        self.blocked_by_person = still_blocked;
        self.blocked_for_bank_details = false;
        self.suspended_for_bank_details = false;
    }

    /// Returns the status of the wallet account.
    pub fn wallet_status(&self) -> WalletStatus {
        match (self.hipay_id, self.identified) {
            (None, _) => WalletStatus::NotCreated,
            (Some(_), true) => WalletStatus::Identified,
            (Some(_), false) if self.documents_sent > 0 => WalletStatus::NotIdentified,
            (Some(_), false) => WalletStatus::Created,
        }
    }
}

/// Maximum number of characters of a shop's name in a login: HiPay accepts 255 in all.
const MAX_LOGIN_NAME: usize = 200;

/// Prefix of the logins of wallets that cashout makes.
const LOGIN_PREFIX: &str = "mirakl_";

/// Result of HiPay's check of a document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentValidation {
    /// No result yet.
    #[default]
    Waiting,
    /// A valid document.
    Valid,
    /// An invalid document.
    Invalid,
    /// A result that this release does not know.
    #[serde(other)]
    Unknown,
}

/// HiPay's status of an identification document, from its list of documents or from a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum DocumentStatus {
    /// -1: a type that HiPay needs and has no document of.
    Missing,
    /// 0: just received by HiPay.
    New,
    /// 1, 5, 9: under review at HiPay.
    Waiting,
    /// 2: valid.
    Validated,
    /// 3, 8: invalid.
    Refused,
    /// 4: deleted.
    Deleted,
    /// A number that HiPay does not document.
    Unknown,
}

impl DocumentStatus {
    /// Converts HiPay's number (`status_code` of `GET /identification`).
    pub fn from_code(code: i64) -> Self {
        match code {
            -1 => Self::Missing,
            0 => Self::New,
            1 | 5 | 9 => Self::Waiting,
            2 => Self::Validated,
            3 | 8 => Self::Refused,
            4 => Self::Deleted,
            _ => Self::Unknown,
        }
    }
}

impl From<DocumentValidation> for DocumentStatus {
    fn from(validation: DocumentValidation) -> Self {
        match validation {
            DocumentValidation::Waiting => Self::Waiting,
            DocumentValidation::Valid => Self::Validated,
            DocumentValidation::Invalid => Self::Refused,
            DocumentValidation::Unknown => Self::Unknown,
        }
    }
}

/// A document of Mirakl's that HiPay has received (or had already), by Mirakl's document id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SentDocument {
    /// Mirakl's document id.
    pub document_id: u64,
    /// Store ID of the shop in Mirakl.
    pub mirakl_id: u64,
    /// Mirakl's type code.
    pub document_type: String,
    /// HiPay's type number.
    pub hipay_type: u32,
    /// Name of the file.
    pub file_name: String,
    /// HiPay's answer in words.
    #[serde(default)]
    pub message: String,
    /// Result of HiPay's later check.
    #[serde(default)]
    pub validation: DocumentValidation,
    /// HiPay's reason for an invalid document, in its words.
    #[serde(default)]
    pub validation_message: String,
    /// Time of the check's result (UTC, by HiPay's clock).
    pub validation_as_of: Option<Timestamp>,
    /// The IBAN that a proof of bank account was sent for.
    pub iban: Option<String>,
    /// Time of sending (UTC).
    pub sent_at: Timestamp,
    /// Fields that a later release wrote, kept unchanged.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// Returns the login of a new wallet: `mirakl_`, the shop's name in plain letters and digits, and its id.
pub fn login(shop_name: &str, shop_id: u64) -> String {
    let name: String = shop_name.chars().filter(char::is_ascii_alphanumeric).take(MAX_LOGIN_NAME).collect();
    format!("{LOGIN_PREFIX}{name}_{shop_id}")
}

/// Converts text for HiPay's bank details: transliterates letters with diacritics and of other alphabets (`é` to `e`),
/// then reduces the text to `[A-Za-z0-9 ]` and at most `limit` characters.
pub fn bank_text(text: &str, limit: usize) -> String {
    // A character without a transliteration becomes a blank.
    let plain = deunicode::deunicode_with_tofu(text, " ");
    let reduced: String =
        plain.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { ' ' }).collect();
    let words: Vec<&str> = reduced.split_whitespace().collect();
    words.join(" ").chars().take(limit).collect::<String>().trim_end().to_owned()
}

/// Converts Mirakl's alpha-3 country (or an alpha-2 one) to HiPay's alpha-2; returns `None` for an unknown one.
pub fn country_alpha2(country: &str) -> Option<String> {
    let code = country.trim().to_ascii_uppercase();
    isocountry::CountryCode::for_alpha3(&code)
        .or_else(|_| isocountry::CountryCode::for_alpha2(&code))
        .ok()
        .map(|country| country.alpha2().to_owned())
}

/// Returns HiPay's number for Mirakl's civility: Mr 1, Mrs 2, Miss 3; 1 if it is missing or unknown.
pub fn civility(word: &str) -> u8 {
    match word.trim().trim_end_matches('.').to_ascii_lowercase().as_str() {
        "mrs" | "mme" | "madame" => 2,
        "miss" | "ms" | "mlle" => 3,
        _ => 1,
    }
}

/// Returns an IBAN without spaces and in capitals if its structure and its check digits (mod 97) are correct.
pub fn valid_iban(text: &str) -> Option<String> {
    use iban::IbanLike;
    without_separators(text).parse::<iban::Iban>().ok().map(|iban| iban.electronic_str().to_owned())
}

/// Returns true if two IBANs are equal, regardless of spaces and case.
pub fn same_iban(left: &str, right: &str) -> bool {
    without_separators(left) == without_separators(right)
}

/// Returns a BIC without separators and in capitals if it has a BIC's form: 8 or 11 letters and digits, with the
/// country after the first four.
pub fn valid_bic(text: &str) -> Option<String> {
    let bic = without_separators(text);
    let is_bic = [8, 11].contains(&bic.len())
        && bic.chars().all(|letter| letter.is_ascii_alphanumeric())
        && bic.chars().skip(4).take(2).all(|letter| letter.is_ascii_alphabetic());
    is_bic.then_some(bic)
}

/// Returns only the letters and digits, in capitals.
fn without_separators(text: &str) -> String {
    text.chars().filter(|letter| letter.is_alphanumeric()).map(|letter| letter.to_ascii_uppercase()).collect()
}

/// Returns true for a file name with an extension that HiPay accepts.
pub fn is_sendable_file(file_name: &str) -> bool {
    file_name.rsplit_once('.').is_some_and(|(_, extension)| {
        ["jpg", "jpeg", "png", "gif", "pdf"].contains(&extension.to_ascii_lowercase().as_str())
    })
}

/// Returns true for bytes that begin like a file type that HiPay accepts: JPEG, PNG, GIF or PDF.
pub fn is_sendable_content(bytes: &[u8]) -> bool {
    const HEADS: [&[u8]; 4] = [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a"];
    const PDF: &[u8] = b"%PDF-";
    // PDF readers accept some bytes before the header, and some programs write them.
    const MAX_PDF_HEADER_OFFSET: usize = 1_024;
    let is_pdf = || bytes.windows(PDF.len()).take(MAX_PDF_HEADER_OFFSET).any(|window| window == PDF);
    HEADS.iter().any(|head| bytes.starts_with(head)) || is_pdf()
}

word_by_name!(WalletStatus => "wallet", DocumentStatus => "document");

#[cfg(test)]
mod tests;
