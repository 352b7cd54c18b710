//! Reasons why an operation is held or its payment not sent, in a form that can be rendered in any language.

use serde::{Deserialize, Serialize};
use strum::VariantArray;
use utoipa::ToSchema;

use crate::platform::variants::all;

/// Reason for which a person has to look before an operation is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema, VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// A payment under our reference or id at HiPay that is not the one we meant.
    OtherPayment,
    /// A payment that HiPay had executed and then reported as not executed.
    Revoked,
    /// A payment that HiPay executed after it had shown it as failed: the money may have moved twice.
    ExecutedAfterAll,
    /// A voucher that Mirakl shows as paid, and not by us.
    PaidInMirakl,
    /// A possible payment before this store's memory began, while HiPay's ledger cannot be read. Runs read it again and
    /// end the hold themselves once they can.
    LedgerUnread,
    /// Several payments in HiPay's ledger that have not been returned.
    SeveralPayments,
    /// A payment without a reference in HiPay's ledger that may be this one.
    PossiblePayment,
    /// A voucher that another provider pays out, as Mirakl shows.
    OtherProvider,
    /// An amount in Mirakl that differs from the one that the operation was created with.
    AmountChanged,
    /// A voucher that Mirakl does not show any more.
    VoucherGone,
    /// A payment that HiPay reports with an unknown word, or does not show any more, for days.
    OutcomeUnknown,
    /// The maximum number of automatic attempts, all of them shown as failed by HiPay.
    TooManyAttempts,
    /// A person's decision to hold it.
    ByPerson,
    /// A person's finding that it was paid otherwise: it is never paid from here.
    Settled,
    /// The remainder of an operation that a smaller payment was accepted for.
    Remainder,
    /// A reason that this release does not know.
    #[serde(other)]
    Unknown,
}

impl Hold {
    /// All reasons.
    pub const ALL: [Self; Self::VARIANTS.len()] = all(Self::VARIANTS);

    /// Returns true for a person's decision: no run and no notice ends or replaces it.
    pub fn is_decided(self) -> bool {
        matches!(self, Self::ByPerson | Self::Settled | Self::Remainder)
    }

    /// Returns true for a reason that follows from Mirakl's view of the voucher.
    pub fn is_about_voucher(self) -> bool {
        matches!(self, Self::PaidInMirakl | Self::OtherProvider | Self::AmountChanged | Self::VoucherGone)
    }

    /// Returns true if a person's release answers the reason for good. The other reasons depend on what was looked at:
    /// other transactions, or another amount, hold the operation again.
    pub fn is_waived_for_good(self) -> bool {
        matches!(
            self,
            Self::PaidInMirakl | Self::LedgerUnread | Self::OtherProvider | Self::VoucherGone | Self::TooManyAttempts
        )
    }
}

/// Reason why a payment was not even sent: a requirement that an account does not meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum Unready {
    /// A wallet that HiPay does not know.
    WalletUnknown,
    /// A different account that HiPay shows for the wallet.
    OtherWallet,
    /// A wallet whose owner is not identified.
    NotIdentified,
    /// A wallet whose bank details are not validated.
    BankDetailsNotValidated,
    /// A paying account in another currency.
    NoAccountInCurrency,
    /// Money on the paying account that is reserved for a payment that has waited longer.
    MoneyKept,
    /// A reason that this release does not know.
    #[serde(other)]
    Unknown,
}

impl Unready {
    /// All reasons.
    pub const ALL: [Self; Self::VARIANTS.len()] = all(Self::VARIANTS);
}
