//! HiPay's JSON, decoded leniently.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Account, BankInfo, BankStatus, CreatedAccount, GroupMember, ListedTransaction, Transaction, TransactionsPage,
    Wallet,
};
use crate::domain::attempt::TransactionState;
use crate::domain::ledger::is_feeding;
use crate::domain::money::{Amount, Currency};
use crate::platform::secret::Secret;
use crate::remote::lenient::Scalar;
use crate::text::message::{Message, msg};

/// The fields that every answer has.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Envelope {
    pub(super) code: Scalar,
    pub(super) message: Scalar,
    pub(super) description: Scalar,
    pub(super) error_code_detail: Scalar,
    errors: Option<Box<RawValue>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct FieldError {
    field: Scalar,
    message: Scalar,
}

impl Envelope {
    /// Returns the refused fields, each with HiPay's reason; empty if none are named.
    pub(super) fn fields(&self) -> String {
        let rows = self.errors.as_deref().and_then(|raw| serde_json::from_str::<Vec<FieldError>>(raw.get()).ok());
        let row = |row: FieldError| {
            let parts = [row.field.text_or_empty(), row.message.text_or_empty()];
            parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
        };
        rows.unwrap_or_default().into_iter().map(row).collect::<Vec<_>>().join("; ")
    }
}

#[derive(Deserialize)]
pub(super) struct AvailableAnswer {
    #[serde(default)]
    pub(super) is_available: Scalar,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct CreatedAnswer {
    account_id: Scalar,
    user_space_id: Scalar,
    callback_salt: Scalar,
}

impl CreatedAnswer {
    pub(super) fn created(self) -> Option<CreatedAccount> {
        Some(CreatedAccount {
            hipay_id: self.account_id.id()?,
            user_space_id: self.user_space_id.id(),
            callback_salt: Secret::new(self.callback_salt.text_or_empty()),
        })
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct AccountAnswer {
    user_account_id: Scalar,
    user_space_id: Scalar,
    identified: Scalar,
    bank_info_validated: Scalar,
    callback_salt: Scalar,
    callback_url: Scalar,
}

impl AccountAnswer {
    pub(super) fn account(self) -> Option<Account> {
        Some(Account {
            hipay_id: self.user_account_id.id()?,
            user_space_id: self.user_space_id.id(),
            identified: self.identified.flag().unwrap_or(false),
            bank_details_validated: self.bank_info_validated.flag().unwrap_or(false),
            callback_salt: Secret::new(self.callback_salt.text_or_empty()),
            callback_url: self.callback_url.text().map(str::to_owned),
        })
    }
}

#[derive(Deserialize)]
pub(super) struct BalanceAnswer {
    #[serde(default)]
    balances: Vec<BalanceRow>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct BalanceRow {
    user_account_type: Scalar,
    balance: Scalar,
    money_available_for_withdrawal: Scalar,
    currency: Scalar,
}

impl BalanceAnswer {
    /// Returns the main account's balance (`user_account_type` 1), otherwise that of the first account.
    pub(super) fn wallet(self) -> Option<Wallet> {
        let main = self.balances.iter().find(|row| row.user_account_type.integer() == Some(1));
        let row = main.or(self.balances.first())?;
        let currency = Currency::from_code(row.currency.text()?).ok()?;
        let balance = row.balance.balance(currency).ok()??;
        let withdrawable = row.money_available_for_withdrawal.balance(currency).ok()?.unwrap_or(balance);
        Some(Wallet { balance, withdrawable })
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct BankAnswer {
    status_code: Scalar,
    iban: Scalar,
    swift: Scalar,
    bank_name: Scalar,
    bank_country: Scalar,
}

impl BankAnswer {
    /// Returns the details; `None` for an unknown status: bank details are registered again, and payments
    /// blocked, only on a clear status from HiPay.
    pub(super) fn bank_info(self) -> Option<BankInfo> {
        Some(BankInfo {
            status: match self.status_code.integer()? {
                1 => BankStatus::None,
                2 => BankStatus::InProgress,
                3 => BankStatus::Validated,
                _ => return None,
            },
            iban: self.iban.text_or_empty(),
            swift: self.swift.text_or_empty(),
            bank_name: self.bank_name.text_or_empty(),
            country: self.bank_country.text_or_empty(),
        })
    }
}

#[derive(Deserialize)]
pub(super) struct TransferAnswer {
    #[serde(default)]
    pub(super) transaction_id: Scalar,
}

#[derive(Deserialize)]
pub(super) struct WithdrawalAnswer {
    #[serde(default)]
    pub(super) transaction_public_id: Scalar,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct TransactionAnswer {
    transaction_id: Scalar,
    amount: Scalar,
    currency: Scalar,
    transaction_status: Scalar,
    merchant_reference: Scalar,
    issuer_email: Scalar,
    recipient_email: Scalar,
    refusal_reason: Scalar,
    #[serde(rename = "type")]
    kind: Scalar,
    transaction_label: Scalar,
    fees: Scalar,
    currency_fees: Scalar,
    creation_date: Scalar,
}

impl TransactionAnswer {
    pub(super) fn transaction(self) -> Result<Transaction, Message> {
        let missing = |field: &str| msg!("row-lacks", field);
        let word = self.transaction_status.text().ok_or_else(|| missing("transaction_status"))?.to_owned();
        let amount = match self.currency.text().map(Currency::from_code) {
            Some(Ok(currency)) => self.amount.computed_amount(currency).map_err(|error| Message::from(&error))?,
            Some(Err(error)) => return Err((&error).into()),
            None => None,
        };
        Ok(Transaction {
            transaction_id: self.transaction_id.text().ok_or_else(|| missing("transaction_id"))?.to_owned(),
            state: TransactionState::from_word(&word),
            word,
            // HiPay may show an outgoing amount with a minus sign.
            amount: amount.map(Amount::magnitude),
            reference: self.merchant_reference.text_or_empty(),
            issuer_email: self.issuer_email.text_or_empty(),
            recipient_email: self.recipient_email.text_or_empty(),
            refusal_reason: self.refusal_reason.text_or_empty(),
            kind: self.kind.text_or_empty(),
            label: self.transaction_label.text_or_empty(),
            fees: self.fees(),
            created_at: self.creation_date.text().and_then(instant),
        })
    }

    /// Returns the fees; `None` if they cannot be parsed, since no decision depends on them.
    fn fees(&self) -> Option<Amount> {
        let currency = Currency::from_code(self.currency_fees.text().or(self.currency.text())?).ok()?;
        self.fees.computed_amount(currency).ok()?
    }
}

/// Parses an instant in one of the forms of HiPay's examples; one without an offset counts as UTC.
fn instant(text: &str) -> Option<Timestamp> {
    let civil = |format| jiff::civil::DateTime::strptime(format, text).ok();
    let day = || jiff::civil::Date::strptime("%Y-%m-%d", text).ok().map(|date| date.at(0, 0, 0, 0));
    let read = || civil("%Y-%m-%d %H:%M:%S").or_else(|| civil("%Y-%m-%dT%H:%M:%S")).or_else(day);
    text.parse().ok().or_else(|| read()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp()))
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct TransactionsAnswer {
    nb_result: Scalar,
    transactions_list: Vec<Box<RawValue>>,
}

impl TransactionsAnswer {
    /// Returns the items: objects with the fields of a single transaction, or ids.
    pub(super) fn page(self) -> Result<TransactionsPage, Message> {
        let items = self.transactions_list.iter().map(|raw| listed(raw)).collect::<Result<_, _>>()?;
        Ok(TransactionsPage { items, total: self.nb_result.count().and_then(|total| usize::try_from(total).ok()) })
    }
}

/// Reads one item of the list. An object that lacks a field by which a payment is judged, including the key of
/// its reference, is reduced to its id. Transactions that only bring money in have no reference of ours.
fn listed(raw: &RawValue) -> Result<ListedTransaction, Message> {
    let Ok(object) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(raw.get()) else {
        let id = serde_json::from_str::<Scalar>(raw.get()).unwrap_or_default();
        return id.text().map(|id| ListedTransaction::Id(id.to_owned())).ok_or_else(|| msg!("row-lacks", field = "id"));
    };
    let has = |key: &str| object.contains_key(key);
    let has_all = ["transaction_status", "amount", "currency"].into_iter().all(has);
    let row: TransactionAnswer =
        serde_json::from_str(raw.get()).map_err(|_| msg!("row-lacks", field = "transaction_id"))?;
    let Some(id) = row.transaction_id.text().map(str::to_owned) else {
        return Err(msg!("row-lacks", field = "transaction_id"));
    };
    Ok(match row.transaction() {
        Ok(whole) if has_all && (has("merchant_reference") || is_feeding(&whole.kind)) => {
            ListedTransaction::Whole(Box::new(whole))
        }
        Ok(_) | Err(_) => ListedTransaction::Id(id),
    })
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct GroupAnswer {
    merchants_list: Vec<Box<RawValue>>,
    pub(super) total_merchant: Scalar,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct MemberRow {
    user_account_id: Scalar,
    account_id: Scalar,
    email: Scalar,
    login: Scalar,
    external_account_id: Scalar,
    identified: Scalar,
}

impl GroupAnswer {
    /// Returns the members. HiPay's API description calls each a text, but HiPay sends objects: both are accepted.
    pub(super) fn members(self) -> Vec<GroupMember> {
        let member = |raw: Box<RawValue>| {
            if let Ok(row) = serde_json::from_str::<MemberRow>(raw.get()) {
                return GroupMember {
                    hipay_id: row.user_account_id.id().or(row.account_id.id()),
                    login: row.login.text_or_empty(),
                    email: row.email.text_or_empty(),
                    external_account_id: row.external_account_id.id(),
                    identified: row.identified.flag(),
                };
            }
            let scalar = serde_json::from_str::<Scalar>(raw.get()).unwrap_or_default();
            GroupMember { hipay_id: scalar.id(), login: scalar.text_or_empty(), ..GroupMember::default() }
        };
        self.merchants_list.into_iter().map(member).collect()
    }
}
