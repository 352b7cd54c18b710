//! Data received from Mirakl, in plain types.

/// A shop in Mirakl's view. Missing texts are empty.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are Mirakl's own")]
pub struct Shop {
    pub shop_id: u64,
    pub name: String,
    pub is_professional: bool,
    pub currency: String,
    pub civility: String,
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub phone: String,
    pub fax: String,
    pub street1: String,
    pub street2: String,
    pub zip_code: String,
    pub city: String,
    /// ISO 3166 alpha-3 code.
    pub country: String,
    pub corporate_name: String,
    pub vat_number: Option<String>,
    /// Bank details; `None` if there is no IBAN.
    pub bank: Option<BankDetails>,
    pub payment_blocked: bool,
    /// True if the custom field `hipay-process` is true.
    pub wants_hipay: bool,
}

/// A shop's bank details in Mirakl.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are Mirakl's own")]
pub struct BankDetails {
    pub owner: String,
    pub bank_name: String,
    pub street: String,
    pub city: String,
    pub zip_code: String,
    pub bic: String,
    pub iban: String,
}

/// A document that a shop has uploaded in Mirakl.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShopDocument {
    /// Mirakl's id of the document.
    pub id: u64,
    /// Id of the shop.
    pub shop_id: u64,
    /// Mirakl's type code.
    pub document_type: String,
    /// Name of the file.
    pub file_name: String,
}

/// A custom field of shops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdditionalField {
    /// Code of the field.
    pub code: String,
    /// Type of the field (`BOOLEAN`, …).
    pub kind: String,
}
