//! What a run finds wrong with a vendor, in a form that can be told in any language.

use serde::{Deserialize, Serialize};

use crate::domain::refusal::Refusal;
use crate::text::message::{Message, StoredMessage};

/// What is wrong, by its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// The shop has no e-mail.
    NoEmail,
    /// The shop's country is none; about the country.
    UnknownCountry,
    /// HiPay says that the e-mail is taken, and shows no account; about the e-mail.
    EmailTaken,
    /// The e-mail is of the marketplace's own account; about the e-mail.
    EmailOfMarketplace,
    /// The wallet is another shop's already; about that shop.
    WalletOfOtherShop,
    /// HiPay has several accounts that may be the shop's; about their HiPay IDs.
    SeveralWallets,
    /// The wallet could not be created or read.
    WalletNotSettled,
    /// HiPay does not know the wallet any more; about the wallet.
    WalletGone,
    /// HiPay shows another account in place of the wallet; about the wallet.
    WalletReplaced,
    /// HiPay keeps the former e-mail; about the new one.
    EmailNotChanged,
    /// HiPay sends the wallet's notices elsewhere and does not take our address; about that address.
    CallbackNotChanged,
    /// HiPay does not take such a file; about the document.
    DocumentFile,
    /// A document could not be sent; about the document.
    DocumentNotSent,
    /// What Mirakl gives for a document is no file that HiPay takes; about the document.
    DocumentContent,
    /// HiPay does not take the file of a back side, so the front side waits; about the back side's document.
    DocumentBack,
    /// Mirakl could not list the documents.
    DocumentsNotListed,
    /// HiPay could not be asked for the bank details.
    BankDetailsUnread,
    /// Mirakl has no bank details.
    NoBankDetails,
    /// The IBAN's check digits do not fit.
    IbanWrong,
    /// The BIC does not have a BIC's form.
    BicWrong,
    /// There is no proof of the bank account that HiPay takes.
    NoBankProof,
    /// HiPay did not accept the bank details with this proof; about the document.
    BankProofUsed,
    /// The proof could not be fetched.
    BankProofUnread,
    /// What Mirakl gives for the proof is no file that HiPay takes; about the document.
    BankProofContent,
    /// HiPay did not take the bank details.
    BankDetailsNotTaken,
    /// Payments could not be blocked or unblocked in Mirakl.
    MiraklNotChanged,
    /// Payments stay blocked in Mirakl, because somebody else has blocked them.
    BlockedByOthers,
    /// A kind of a release that we do not know.
    #[serde(other)]
    Unknown,
}

impl Trouble {
    /// Every one.
    pub const ALL: [Self; 28] = [
        Self::NoEmail,
        Self::UnknownCountry,
        Self::EmailTaken,
        Self::EmailOfMarketplace,
        Self::WalletOfOtherShop,
        Self::SeveralWallets,
        Self::WalletNotSettled,
        Self::WalletGone,
        Self::WalletReplaced,
        Self::EmailNotChanged,
        Self::CallbackNotChanged,
        Self::DocumentFile,
        Self::DocumentNotSent,
        Self::DocumentContent,
        Self::DocumentBack,
        Self::DocumentsNotListed,
        Self::BankDetailsUnread,
        Self::NoBankDetails,
        Self::IbanWrong,
        Self::BicWrong,
        Self::NoBankProof,
        Self::BankProofUsed,
        Self::BankProofUnread,
        Self::BankProofContent,
        Self::BankDetailsNotTaken,
        Self::MiraklNotChanged,
        Self::BlockedByOthers,
        Self::Unknown,
    ];

    /// The part of a vendor that it is about; `None` for a kind of another release.
    pub fn part(self) -> Option<VendorPart> {
        Some(match self {
            Self::NoEmail
            | Self::UnknownCountry
            | Self::EmailTaken
            | Self::EmailOfMarketplace
            | Self::WalletOfOtherShop
            | Self::SeveralWallets
            | Self::WalletNotSettled
            | Self::WalletGone
            | Self::WalletReplaced
            | Self::EmailNotChanged
            | Self::CallbackNotChanged => VendorPart::Wallet,
            Self::DocumentFile
            | Self::DocumentNotSent
            | Self::DocumentContent
            | Self::DocumentBack
            | Self::DocumentsNotListed => VendorPart::Documents,
            Self::BankDetailsUnread
            | Self::NoBankDetails
            | Self::IbanWrong
            | Self::BicWrong
            | Self::NoBankProof
            | Self::BankProofUsed
            | Self::BankProofUnread
            | Self::BankProofContent
            | Self::BankDetailsNotTaken
            | Self::MiraklNotChanged
            | Self::BlockedByOthers => VendorPart::BankDetails,
            Self::Unknown => return None,
        })
    }

    /// The name in ids of messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoEmail => "no-email",
            Self::UnknownCountry => "unknown-country",
            Self::EmailTaken => "email-taken",
            Self::EmailOfMarketplace => "email-of-marketplace",
            Self::WalletOfOtherShop => "wallet-of-other-shop",
            Self::SeveralWallets => "several-wallets",
            Self::WalletNotSettled => "wallet-not-settled",
            Self::WalletGone => "wallet-gone",
            Self::WalletReplaced => "wallet-replaced",
            Self::EmailNotChanged => "email-not-changed",
            Self::CallbackNotChanged => "callback-not-changed",
            Self::DocumentFile => "document-file",
            Self::DocumentNotSent => "document-not-sent",
            Self::DocumentContent => "document-content",
            Self::DocumentBack => "document-back",
            Self::DocumentsNotListed => "documents-not-listed",
            Self::BankDetailsUnread => "bank-details-unread",
            Self::NoBankDetails => "no-bank-details",
            Self::IbanWrong => "iban-wrong",
            Self::BicWrong => "bic-wrong",
            Self::NoBankProof => "no-bank-proof",
            Self::BankProofUsed => "bank-proof-used",
            Self::BankProofUnread => "bank-proof-unread",
            Self::BankProofContent => "bank-proof-content",
            Self::BankDetailsNotTaken => "bank-details-not-taken",
            Self::MiraklNotChanged => "mirakl-not-changed",
            Self::BlockedByOthers => "blocked-by-others",
            Self::Unknown => "unknown",
        }
    }
}

/// A part of a vendor that a run looks at by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VendorPart {
    /// The wallet itself.
    Wallet,
    /// The identification documents.
    Documents,
    /// The bank details, and the block that depends on them.
    BankDetails,
}

/// One thing that is wrong with a vendor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// What is wrong.
    pub trouble: Trouble,
    /// That, in a sentence: the one among [`Vendor::warnings`](super::Vendor::warnings) that it belongs to.
    pub message: String,
    /// What it is about, as its kind says: an e-mail, a document's id; may be empty.
    #[serde(default)]
    pub about: String,
    /// What a remote said, where one has said something.
    #[serde(default)]
    pub said: Option<Refusal>,
    /// What was met instead of an answer, where it is more than what the remote said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<StoredMessage>,
}

impl Warning {
    /// Something wrong, in a sentence.
    pub fn new(trouble: Trouble, message: impl Into<String>) -> Self {
        Self { trouble, message: message.into(), about: String::new(), said: None, because: None }
    }

    /// What it is about.
    #[must_use]
    pub fn about(mut self, about: impl Into<String>) -> Self {
        self.about = about.into();
        self
    }

    /// What a remote said, if it was one, and how that is told.
    #[must_use]
    pub fn because(mut self, why: &Message, said: Option<Refusal>) -> Self {
        (self.because, self.said) = (why.said().cloned(), said);
        self
    }
}

/// As a page says it that does not tell what to do.
impl From<&Warning> for Message {
    fn from(warning: &Warning) -> Self {
        let Warning { trouble, message, about, because, .. } = warning;
        let id = format!("trouble-{}", trouble.name());
        let values = [("about", about.into()), ("message", message.into())];
        let Some(because) = because else { return Self::worded(message, &id, values) };
        let what = Self::worded(message, &id, values);
        Self::worded(message, "warning-because", [("what", what.into()), ("because", because.clone().into())])
    }
}
