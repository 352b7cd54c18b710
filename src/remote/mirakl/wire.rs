//! Mirakl's JSON, decoded leniently: unknown fields are ignored, and an unusable row does not affect the rest
//! of its page.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{AdditionalField, BankDetails, Shop, ShopDocument, UnusableRow};
use crate::domain::money::{Amount, Currency};
use crate::domain::voucher::{ListedVoucher, Voucher, VoucherSource};
use crate::remote::lenient::Scalar;
use crate::text::message::{Message, msg};

#[derive(Deserialize)]
pub(super) struct ShopsPage {
    pub(super) shops: Vec<Box<RawValue>>,
    #[serde(default)]
    pub(super) total_count: Scalar,
}

#[derive(Deserialize)]
pub(super) struct InvoicesPage {
    pub(super) invoices: Vec<Box<RawValue>>,
    #[serde(default)]
    pub(super) total_count: Scalar,
}

#[derive(Deserialize)]
pub(super) struct BillingCyclesPage {
    pub(super) data: Vec<Box<RawValue>>,
    #[serde(default)]
    pub(super) next_page_token: Scalar,
}

#[derive(Deserialize)]
pub(super) struct DocumentsAnswer {
    pub(super) shop_documents: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
pub(super) struct DocumentTypesAnswer {
    documents: Vec<CodeRow>,
}

#[derive(Deserialize)]
pub(super) struct AdditionalFieldsAnswer {
    additional_fields: Vec<CodeRow>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct CodeRow {
    code: Scalar,
    #[serde(rename = "type")]
    kind: Scalar,
}

#[derive(Deserialize)]
pub(super) struct VersionAnswer {
    #[serde(default)]
    pub(super) version: Scalar,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct TokenAnswer {
    pub(super) access_token: Scalar,
    pub(super) expires_in: Scalar,
}

#[derive(Deserialize, Default)]
pub(super) struct ShopReturns {
    #[serde(default)]
    pub(super) shop_returns: Vec<ShopReturn>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct ShopReturn {
    pub(super) shop_error: Option<ShopError>,
    pub(super) shop_updated: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
pub(super) struct ShopError {
    #[serde(default)]
    pub(super) errors: Vec<ErrorRow>,
}

/// Mirakl's two shapes of an error.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct ErrorAnswer {
    message: Scalar,
    errors: Vec<ErrorRow>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct ErrorRow {
    code: Scalar,
    field: Scalar,
    message: Scalar,
}

impl ErrorAnswer {
    pub(super) fn sentence(&self) -> String {
        let rows = sentence(&self.errors);
        let whole = self.message.text().unwrap_or_default();
        [whole, &rows].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
    }
}

pub(super) fn sentence(rows: &[ErrorRow]) -> String {
    let row = |row: &ErrorRow| {
        let parts = [row.field.text(), row.message.text().or(row.code.text())];
        parts.into_iter().flatten().collect::<Vec<_>>().join(": ")
    };
    rows.iter().map(row).collect::<Vec<_>>().join("; ")
}

impl DocumentTypesAnswer {
    pub(super) fn codes(&self) -> Vec<String> {
        self.documents.iter().filter_map(|row| row.code.text()).map(str::to_owned).collect()
    }
}

impl AdditionalFieldsAnswer {
    pub(super) fn fields(&self) -> Vec<AdditionalField> {
        let field =
            |row: &CodeRow| Some(AdditionalField { code: row.code.text()?.to_owned(), kind: row.kind.text_or_empty() });
        self.additional_fields.iter().filter_map(field).collect()
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ShopRow {
    shop_id: Scalar,
    shop_name: Scalar,
    is_professional: Scalar,
    currency_iso_code: Scalar,
    contact_informations: Option<ContactRow>,
    pro_details: Option<ProRow>,
    payment_info: Option<BankRow>,
    billing_info: Option<BankRow>,
    payment_details: Option<PaymentRow>,
    shop_additional_fields: Option<Vec<FieldRow>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ContactRow {
    civility: Scalar,
    firstname: Scalar,
    lastname: Scalar,
    email: Scalar,
    phone: Scalar,
    fax: Scalar,
    street1: Scalar,
    street2: Scalar,
    zip_code: Scalar,
    city: Scalar,
    country: Scalar,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ProRow {
    corporate_name: Scalar,
    #[serde(rename = "VAT_number")]
    vat_number: Scalar,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct BankRow {
    owner: Scalar,
    bank_name: Scalar,
    bank_street: Scalar,
    bank_city: Scalar,
    bank_zip: Scalar,
    zip_code: Scalar,
    bic: Scalar,
    iban: Scalar,
}

#[derive(Deserialize)]
struct PaymentRow {
    #[serde(default)]
    payment_blocked: Scalar,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct FieldRow {
    code: Scalar,
    value: Scalar,
}

/// Code of the custom field by which a shop asks for payment through HiPay.
pub(crate) const PROCESS_FIELD: &str = "hipay-process";

/// Decodes a row of the kind `what`.
fn decoded<T: DeserializeOwned>(what: &'static str, row: &RawValue) -> Result<T, UnusableRow> {
    serde_json::from_str(row.get())
        .map_err(|error| UnusableRow::new(what, None, msg!("row-unreadable", bytes = row.get().len()).detailed(error)))
}

pub(super) fn shop(row: &RawValue) -> Result<Shop, UnusableRow> {
    let read: ShopRow = decoded("shop", row)?;
    let shop_id =
        read.shop_id.id().ok_or_else(|| UnusableRow::new("shop", None, msg!("row-lacks", field = "shop_id")))?;
    let contact = read.contact_informations.unwrap_or_default();
    let pro = read.pro_details.unwrap_or_default();
    let fields = read.shop_additional_fields.unwrap_or_default();
    let bank = read.payment_info.or(read.billing_info).map(|bank| BankDetails {
        owner: bank.owner.text_or_empty(),
        bank_name: bank.bank_name.text_or_empty(),
        street: bank.bank_street.text_or_empty(),
        city: bank.bank_city.text_or_empty(),
        zip_code: bank.bank_zip.text().or(bank.zip_code.text()).unwrap_or_default().to_owned(),
        bic: bank.bic.text_or_empty(),
        iban: bank.iban.text_or_empty(),
    });
    Ok(Shop {
        shop_id,
        name: read.shop_name.text_or_empty(),
        is_professional: read.is_professional.flag().unwrap_or(false),
        currency: read.currency_iso_code.text_or_empty(),
        civility: contact.civility.text_or_empty(),
        first_name: contact.firstname.text_or_empty(),
        last_name: contact.lastname.text_or_empty(),
        email: contact.email.text_or_empty(),
        phone: contact.phone.text_or_empty(),
        fax: contact.fax.text_or_empty(),
        street1: contact.street1.text_or_empty(),
        street2: contact.street2.text_or_empty(),
        zip_code: contact.zip_code.text_or_empty(),
        city: contact.city.text_or_empty(),
        country: contact.country.text_or_empty(),
        corporate_name: pro.corporate_name.text_or_empty(),
        vat_number: pro.vat_number.text().map(str::to_owned),
        bank: bank.filter(|bank| !bank.iban.is_empty()),
        payment_blocked: read.payment_details.and_then(|details| details.payment_blocked.flag()).unwrap_or(false),
        wants_hipay: fields
            .iter()
            .any(|field| field.code.text() == Some(PROCESS_FIELD) && field.value.flag() == Some(true)),
    })
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct MiraklDocumentRow {
    id: Scalar,
    shop_id: Scalar,
    #[serde(rename = "type")]
    kind: Scalar,
    type_code: Scalar,
    file_name: Scalar,
}

pub(super) fn document(row: &RawValue) -> Result<ShopDocument, UnusableRow> {
    let read: MiraklDocumentRow = decoded("document", row)?;
    match (read.id.id(), read.shop_id.id()) {
        (Some(id), Some(shop_id)) => Ok(ShopDocument {
            id,
            shop_id,
            document_type: read.kind.text().or(read.type_code.text()).unwrap_or_default().to_owned(),
            file_name: read.file_name.text_or_empty(),
        }),
        (id, _) => Err(UnusableRow::new("document", id.map(|id| id.to_string()), msg!("row-no-ids"))),
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct InvoiceRow {
    invoice_id: Scalar,
    shop_id: Scalar,
    currency_iso_code: Scalar,
    date_created: Scalar,
    summary: Option<SummaryRow>,
    payment: Option<StateRow>,
    payment_voucher_number: Scalar,
    seller_billing_cycle_id: Scalar,
    pay_out_psp_code: Scalar,
    #[serde(rename = "type")]
    kind: Scalar,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct SummaryRow {
    amount_transferred: Scalar,
    amount_transferred_to_operator: Scalar,
}

#[derive(Deserialize)]
struct StateRow {
    #[serde(default)]
    state: Scalar,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct BillingCycleRow {
    id: Scalar,
    payment_voucher_number: Scalar,
    shop: Option<ShopRefRow>,
    currency_iso_code: Scalar,
    date_created: Scalar,
    amount_transferred_to_seller: Scalar,
    amount_transferred_to_operator: Scalar,
    pay_out: Option<StateRow>,
    pay_out_psp_code: Scalar,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ShopRefRow {
    shop_id: Scalar,
    id: Scalar,
}

/// The fields that both sources have, before validation.
struct VoucherParts {
    source: VoucherSource,
    number: Option<String>,
    invoice_id: Option<String>,
    voucher_number: Option<String>,
    billing_cycle_id: Option<String>,
    shop_id: Option<u64>,
    currency: Scalar,
    vendor_amount: Scalar,
    operator_amount: Scalar,
    created: Scalar,
    state: Option<StateRow>,
    provider: Scalar,
    row_type: Scalar,
    /// True if the row has no amounts at all.
    lacks_amounts: bool,
}

pub(super) fn invoice(row: &RawValue) -> Result<ListedVoucher, UnusableRow> {
    let read: InvoiceRow = decoded("voucher", row)?;
    let number = read.invoice_id.text().map(str::to_owned);
    let lacks_amounts = read.summary.is_none();
    let summary = read.summary.unwrap_or_default();
    voucher(VoucherParts {
        source: VoucherSource::Invoices,
        number: number.clone(),
        invoice_id: number,
        voucher_number: read.payment_voucher_number.text().map(str::to_owned),
        billing_cycle_id: read.seller_billing_cycle_id.text().map(str::to_owned),
        shop_id: read.shop_id.id(),
        currency: read.currency_iso_code,
        vendor_amount: summary.amount_transferred,
        operator_amount: summary.amount_transferred_to_operator,
        created: read.date_created,
        state: read.payment,
        provider: read.pay_out_psp_code,
        row_type: read.kind,
        lacks_amounts,
    })
}

pub(super) fn billing_cycle(row: &RawValue) -> Result<ListedVoucher, UnusableRow> {
    let read: BillingCycleRow = decoded("voucher", row)?;
    let number = read.payment_voucher_number.text().map(str::to_owned);
    voucher(VoucherParts {
        source: VoucherSource::BillingCycles,
        number: number.clone(),
        invoice_id: None,
        voucher_number: number,
        billing_cycle_id: read.id.text().map(str::to_owned),
        shop_id: read.shop.and_then(|shop| shop.shop_id.id().or(shop.id.id())),
        currency: read.currency_iso_code,
        vendor_amount: read.amount_transferred_to_seller,
        operator_amount: read.amount_transferred_to_operator,
        created: read.date_created,
        state: read.pay_out,
        provider: read.pay_out_psp_code,
        row_type: Scalar::Nothing,
        lacks_amounts: false,
    })
}

/// Converts a row. One without a number or a shop is unreadable; one with unusable amounts can still be identified.
fn voucher(parts: VoucherParts) -> Result<ListedVoucher, UnusableRow> {
    let id = parts.number.clone().or_else(|| parts.billing_cycle_id.clone());
    let missing = |field: &str| UnusableRow::new("voucher", id.clone(), msg!("row-lacks", field));
    let number = parts.number.clone().ok_or_else(|| missing("number"))?;
    let shop_id = parts.shop_id.ok_or_else(|| missing("shop_id"))?;
    let (amounts, unusable) = match amounts(&parts) {
        Ok(amounts) => (amounts, None),
        Err(reason) => ((Amount::zero(Currency::EUR), Amount::zero(Currency::EUR)), Some(reason)),
    };
    let voucher = Voucher {
        vendor_amount: amounts.0,
        operator_amount: amounts.1,
        number,
        source: parts.source,
        invoice_id: parts.invoice_id,
        billing_cycle_id: parts.billing_cycle_id,
        shop_id,
        created_at: parts.created.text().and_then(|text| text.parse::<Timestamp>().ok()),
        payment_state: parts.state.and_then(|row| row.state.text().map(str::to_owned)),
        voucher_number: parts.voucher_number,
        pay_out_provider: parts.provider.text().map(str::to_owned),
        row_type: parts.row_type.text().map(str::to_owned),
    };
    Ok(ListedVoucher { voucher, unusable })
}

/// Returns the vendor's amount and the operator's.
fn amounts(parts: &VoucherParts) -> Result<(Amount, Amount), Message> {
    let missing = |field: &str| msg!("row-lacks", field);
    if parts.lacks_amounts {
        return Err(msg!("row-no-amount"));
    }
    let code = parts.currency.text().ok_or_else(|| missing("currency_iso_code"))?;
    let currency = Currency::from_code(code).map_err(|error| Message::from(&error))?;
    let amount = |scalar: &Scalar, field: &str| {
        scalar.amount(currency).map_err(|error| msg!("row-wrong", field, error = &error))
    };
    let vendor_amount = amount(&parts.vendor_amount, "amount transferred to the seller")?;
    let operator_amount = amount(&parts.operator_amount, "amount transferred to the operator")?;
    let vendor_amount = vendor_amount.ok_or_else(|| missing("amount transferred to the seller"))?;
    // Mirakl omits it if the operator takes no commission this way.
    Ok((vendor_amount, operator_amount.unwrap_or_else(|| Amount::zero(currency))))
}
