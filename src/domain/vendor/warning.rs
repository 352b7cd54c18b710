//! Problems that a run finds with a vendor, in a form that can be rendered in any language.

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};

use crate::domain::refusal::Refusal;
use crate::platform::variants::named;
use crate::text::message::{self, Message};

/// Kind of a problem with a vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
#[serde(rename_all = "snake_case")]
pub enum VendorProblem {
    /// A shop without an e-mail.
    NoEmail,
    /// An unknown country of the shop; `about` is the country.
    UnknownCountry,
    /// An e-mail that HiPay reports as taken without showing an account; `about` is the e-mail.
    EmailTaken,
    /// The e-mail of the marketplace's own account; `about` is the e-mail.
    EmailOfMarketplace,
    /// A wallet that belongs to another shop already; `about` is that shop.
    WalletOfOtherShop,
    /// Several accounts at HiPay that may be the shop's; `about` lists their HiPay IDs.
    SeveralWallets,
    /// A wallet that could not be created or read.
    WalletNotSettled,
    /// A wallet that HiPay does not know any more; `about` is the wallet.
    WalletGone,
    /// A wallet for which HiPay shows another account; `about` is the wallet.
    WalletReplaced,
    /// A new e-mail that HiPay has not taken over; `about` is the new one.
    EmailNotChanged,
    /// Notices that HiPay sends to another address because it does not accept ours; `about` is our address.
    CallbackNotChanged,
    /// A file of a type that HiPay does not accept; `about` is the document.
    DocumentFile,
    /// A document that could not be sent; `about` is the document.
    DocumentNotSent,
    /// A document whose content from Mirakl is no file that HiPay accepts; `about` is the document.
    DocumentContent,
    /// A back side whose file HiPay does not accept, so that the front side waits; `about` is the back side's document.
    DocumentBack,
    /// Documents that Mirakl could not list.
    DocumentsNotListed,
    /// Bank details that could not be read from HiPay.
    BankDetailsUnread,
    /// No bank details in Mirakl.
    NoBankDetails,
    /// An IBAN with wrong structure or check digits.
    IbanWrong,
    /// A BIC without a BIC's form.
    BicWrong,
    /// No proof of the bank account that HiPay accepts.
    NoBankProof,
    /// A proof with which HiPay did not accept the bank details; `about` is the document.
    BankProofUsed,
    /// A proof that could not be fetched.
    BankProofUnread,
    /// A proof whose content from Mirakl is no file that HiPay accepts; `about` is the document.
    BankProofContent,
    /// Bank details that HiPay did not accept.
    BankDetailsNotTaken,
    /// A block of payments in Mirakl that could not be set or lifted.
    MiraklNotChanged,
    /// Payments that stay blocked in Mirakl because someone else has blocked them.
    BlockedByOthers,
    /// A kind that this release does not know.
    #[serde(other)]
    Unknown,
}

named!(pub VendorProblem);

impl VendorProblem {
    /// Returns the part of a vendor that the kind concerns; `None` for an unknown kind.
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
}

/// A part of a vendor that a run checks separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VendorPart {
    /// The wallet itself.
    Wallet,
    /// The identification documents.
    Documents,
    /// The bank details, and the block that depends on them.
    BankDetails,
}

/// One problem with a vendor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Kind of the problem.
    pub trouble: VendorProblem,
    /// English text of the problem, equal to its entry in [`Vendor::warnings`](super::Vendor::warnings).
    pub message: String,
    /// Subject of the problem, depending on the kind: an e-mail, a document's id; may be empty.
    #[serde(default)]
    pub about: String,
    /// The refusal of a remote, if there was one.
    pub said: Option<Refusal>,
    /// The message of the error that occurred instead of an answer, if it is more than the remote's refusal.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "message::stored_parts")]
    pub because: Option<Message>,
}

impl Warning {
    /// Makes a warning with its English text.
    pub fn new(trouble: VendorProblem, message: impl Into<String>) -> Self {
        Self { trouble, message: message.into(), about: String::new(), said: None, because: None }
    }

    /// Sets the subject.
    #[must_use]
    pub fn about(mut self, about: impl Into<String>) -> Self {
        self.about = about.into();
        self
    }

    /// Sets the remote's refusal, if any, and the message of the cause.
    #[must_use]
    pub fn because(mut self, why: &Message, said: Option<Refusal>) -> Self {
        (self.because, self.said) = (Some(why.clone()).filter(|why| !why.is_quoted()), said);
        self
    }
}

/// Makes the message for pages that do not state what to do.
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
