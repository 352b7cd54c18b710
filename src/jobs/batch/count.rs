//! The outcomes by which a batch counts its items.

use strum::{IntoStaticStr, VariantArray};

use crate::platform::variants::named;

/// An outcome of items. The names are those in records and in the API, where they are the keys of `counts` and
/// `amounts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum BatchCount {
    /// Shops that `country.filter` leaves out.
    #[strum(serialize = "left out by country.filter")]
    LeftOutByCountry,
    /// Shops that are paid through HiPay again.
    #[strum(serialize = "enabled again")]
    EnabledAgain,
    /// Shops that have nothing to do with HiPay.
    Skipped,
    /// Vendors that are no longer paid through HiPay.
    Disabled,
    /// Vendors whose payments may go on.
    #[strum(serialize = "payments unblocked")]
    PaymentsUnblocked,
    /// Vendors whose payments are blocked from now on.
    #[strum(serialize = "payments blocked")]
    PaymentsBlocked,
    /// Bank details sent to HiPay.
    #[strum(serialize = "bank details sent")]
    BankDetailsSent,
    /// Wallets whose notifications come to this installation from now on.
    #[strum(serialize = "callback URLs set")]
    CallbackUrlsSet,
    /// Wallets that HiPay had already.
    #[strum(serialize = "wallets found")]
    WalletsFound,
    /// Wallets that were created.
    #[strum(serialize = "wallets created")]
    WalletsCreated,
    /// Documents sent to HiPay.
    #[strum(serialize = "documents sent")]
    DocumentsSent,
    /// Payments whose outcome is not known yet.
    #[strum(serialize = "outcome open")]
    OutcomeOpen,
    /// Payments that the paying account does not cover.
    #[strum(serialize = "insufficient funds")]
    InsufficientFunds,
    /// Payments in a currency that the wallet has no account in.
    #[strum(serialize = "no account in the currency")]
    NoAccountInCurrency,
    /// Payments that HiPay has accepted.
    Requested,
    /// Payments that HiPay has refused.
    Refused,
    /// Payments that were found at HiPay instead of being sent.
    #[strum(serialize = "found at HiPay")]
    FoundAtHiPay,
    /// Payments that HiPay does not show yet.
    #[strum(serialize = "not shown yet")]
    NotShownYet,
    /// Payments that HiPay has executed.
    Done,
    /// Payments that HiPay has neither executed nor refused.
    #[strum(serialize = "still under way")]
    UnderWay,
    /// Payments with a status at HiPay that this release does not know.
    #[strum(serialize = "in an unknown state")]
    UnknownState,
    /// Operations of a wallet that cannot be paid out yet.
    #[strum(serialize = "wallet not ready")]
    WalletNotReady,
    /// Operations of a shop that Mirakl does not show any more.
    #[strum(serialize = "shop gone")]
    ShopGone,
    /// Operations of a vendor that is not paid through HiPay.
    #[strum(serialize = "vendor disabled")]
    VendorDisabled,
    /// Operations of a vendor whose payments are blocked.
    #[strum(serialize = "payment blocked")]
    PaymentBlocked,
    /// Operations without a positive amount.
    #[strum(serialize = "nothing to pay")]
    NothingToPay,
    /// Vouchers and operations that wait for a person.
    Held,
    /// Operations that were created.
    Created,
    /// Vouchers whose money a person settled in another way.
    #[strum(serialize = "settled otherwise")]
    SettledOtherwise,
    /// Vouchers of a cycle that is not over.
    #[strum(serialize = "of a cycle that is not over")]
    CycleOpen,
    /// Vouchers that had operations already.
    #[strum(serialize = "known already")]
    KnownAlready,
    /// Warnings.
    Warnings,
}

named!(pub BatchCount);
