//! Why an operation is held or its withdrawal not sent, in a form that can be told in any language.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a person has to look before an operation is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// HiPay shows or tells of a payment under our reference or id that is not the one we meant.
    OtherPayment,
    /// HiPay had executed the payment, and then told that it is not executed.
    Revoked,
    /// HiPay executed a payment after it had shown it as failed: the money may have moved twice.
    ExecutedAfterAll,
    /// Mirakl shows the voucher as paid, and not by us.
    PaidInMirakl,
    /// It may have been paid before this store's memory begins, and HiPay's ledger cannot be read. Runs
    /// read it again, and end the hold themselves once they can.
    LedgerUnread,
    /// HiPay's ledger shows several payments of it that are not given back.
    SeveralPayments,
    /// HiPay's ledger shows a payment without a reference that may be this one.
    PossiblePayment,
    /// Mirakl shows that another provider pays the voucher out.
    OtherProvider,
    /// Mirakl shows another amount than the one that it was made with.
    AmountChanged,
    /// Mirakl does not show the voucher any more.
    VoucherGone,
    /// HiPay calls its payment by a word that is not known, or does not show it any more, for days.
    OutcomeUnknown,
    /// HiPay shows as many failed attempts at its payment as are made by themselves.
    TooManyAttempts,
    /// A person holds it.
    ByPerson,
    /// It was paid otherwise, as a person has found: it is never paid from here.
    Settled,
    /// It is what was left of an operation that a smaller payment was taken for.
    Remainder,
    /// A reason of a release that we do not know.
    #[serde(other)]
    Unknown,
}

impl Hold {
    /// Every one.
    pub const ALL: [Self; 16] = [
        Self::OtherPayment,
        Self::Revoked,
        Self::ExecutedAfterAll,
        Self::PaidInMirakl,
        Self::LedgerUnread,
        Self::SeveralPayments,
        Self::PossiblePayment,
        Self::OtherProvider,
        Self::AmountChanged,
        Self::VoucherGone,
        Self::OutcomeUnknown,
        Self::TooManyAttempts,
        Self::ByPerson,
        Self::Settled,
        Self::Remainder,
        Self::Unknown,
    ];

    /// Returns true where a person has decided so: no run and no notice ends it or puts another in its place.
    pub fn is_decided(self) -> bool {
        matches!(self, Self::ByPerson | Self::Settled | Self::Remainder)
    }

    /// Returns true where it is what Mirakl shows of the voucher.
    pub fn is_about_voucher(self) -> bool {
        matches!(self, Self::PaidInMirakl | Self::OtherProvider | Self::AmountChanged | Self::VoucherGone)
    }

    /// Returns true where a person who releases the operation answers the reason for good. The others go by what was
    /// looked at: other transactions, or another amount, hold it again.
    pub fn is_waived_for_good(self) -> bool {
        matches!(
            self,
            Self::PaidInMirakl | Self::LedgerUnread | Self::OtherProvider | Self::VoucherGone | Self::TooManyAttempts
        )
    }
}

/// Why a payment was not even sent: what is missing at an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unready {
    /// HiPay does not know the wallet.
    WalletUnknown,
    /// HiPay shows another account in its place.
    OtherWallet,
    /// Its owner is not identified.
    NotIdentified,
    /// Its bank details are not validated.
    BankDetailsNotValidated,
    /// The paying account is in another currency.
    NoAccountInCurrency,
    /// The paying account's money is kept for a payment that has waited for longer.
    MoneyKept,
    /// A reason of a release that we do not know.
    #[serde(other)]
    Unknown,
}

impl Unready {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::WalletUnknown,
        Self::OtherWallet,
        Self::NotIdentified,
        Self::BankDetailsNotValidated,
        Self::NoAccountInCurrency,
        Self::MoneyKept,
        Self::Unknown,
    ];
}
