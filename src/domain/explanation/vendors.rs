//! Explanations of problems with a vendor or a document, and of what is still missing before the vendor can be paid.

use super::{Actor, Explanation, Next, refusals};
use crate::domain::vendor::{DocumentStatus, Vendor, VendorProblem, Warning};

/// Explains what prevents the vendor from being paid: the refusals in HiPay's notices, the findings of the last run,
/// then what is simply missing. Empty if all is well.
pub fn explain_vendor(vendor: &Vendor) -> Vec<Explanation> {
    let gone = vendor.gone.then(|| Explanation::new("vendor-gone", Actor::Marketplace));
    let mut explanations: Vec<Explanation> = gone.into_iter().collect();
    if !vendor.enabled {
        explanations.push(Explanation::new("vendor-not-enabled", Actor::Marketplace).then(Next::VendorRun));
        return explanations;
    }
    let told = |id, sentence: &str| {
        Explanation::new(id, Actor::Vendor).quoting(Some(&words_of(sentence))).then(Next::VendorRun)
    };
    if let Some(sentence) = &vendor.identification_refusal {
        explanations.push(told("vendor-identification-refused", sentence));
    }
    if let Some(sentence) = &vendor.bank_refusal {
        explanations.push(told("vendor-bank-refused", sentence));
    }
    explanations.extend(vendor.warnings.iter().map(|sentence| warning(vendor, sentence)));
    explanations.extend(lacking(vendor));
    explanations
}

/// Explains what a document's status requires; `None` if the document is valid or its status is unknown. `words` are
/// HiPay's own about it and may be empty.
pub fn explain_document(status: DocumentStatus, words: &str) -> Option<Explanation> {
    let (by, next) = match status {
        DocumentStatus::Missing | DocumentStatus::Refused | DocumentStatus::Deleted => (Actor::Vendor, Next::VendorRun),
        DocumentStatus::New | DocumentStatus::Waiting => (Actor::Nobody, Next::Nothing),
        DocumentStatus::Validated | DocumentStatus::Unknown => return None,
    };
    let name = if status == DocumentStatus::New { DocumentStatus::Waiting } else { status }.name();
    let said = crate::domain::refusal::Refusal::in_words(words);
    Some(Explanation::new(format!("document-{name}-what"), by).quoting(Some(&said)).then(next))
}

/// Extracts HiPay's own words from a text that quotes them after a colon.
fn words_of(sentence: &str) -> crate::domain::refusal::Refusal {
    let words = sentence.split_once(": ").map_or("", |(_, words)| words);
    crate::domain::refusal::Refusal::in_words(if words == "no reason given" { "" } else { words })
}

/// Explains one of the vendor's warnings; a warning of an earlier release is quoted.
fn warning(vendor: &Vendor, sentence: &str) -> Explanation {
    let known = vendor.troubles.iter().find(|known| known.message == sentence);
    let unknown = || Explanation::new("trouble-unknown", Actor::Marketplace).with("message", sentence);
    known
        .filter(|known| known.trouble != VendorProblem::Unknown)
        .map_or_else(unknown, quote_hipay)
        .then(Next::VendorRun)
}

fn quote_hipay(warning: &Warning) -> Explanation {
    let by = match warning.trouble {
        VendorProblem::NoEmail
        | VendorProblem::UnknownCountry
        | VendorProblem::EmailTaken
        | VendorProblem::EmailOfMarketplace
        | VendorProblem::WalletOfOtherShop
        | VendorProblem::SeveralWallets
        | VendorProblem::WalletNotSettled
        | VendorProblem::EmailNotChanged
        | VendorProblem::BlockedByOthers
        | VendorProblem::Unknown => Actor::Marketplace,
        VendorProblem::WalletGone | VendorProblem::WalletReplaced | VendorProblem::BankDetailsUnread => Actor::HiPay,
        VendorProblem::DocumentFile
        | VendorProblem::DocumentNotSent
        | VendorProblem::DocumentContent
        | VendorProblem::DocumentBack
        | VendorProblem::NoBankDetails
        | VendorProblem::IbanWrong
        | VendorProblem::BicWrong
        | VendorProblem::NoBankProof
        | VendorProblem::BankProofUsed
        | VendorProblem::BankProofUnread
        | VendorProblem::BankProofContent
        | VendorProblem::BankDetailsNotTaken => Actor::Vendor,
        VendorProblem::CallbackNotChanged | VendorProblem::DocumentsNotListed | VendorProblem::MiraklNotChanged => {
            Actor::Administrator
        }
    };
    // If HiPay gave a documented reason, the party that it names has to act.
    let by = warning.said.as_ref().and_then(refusals::documented).map_or(by, |refusal| refusal.by());
    let explanation = Explanation::new(format!("trouble-{}", warning.trouble.name()), by);
    explanation.with("about", warning.about.as_str()).quoting(warning.said.as_ref())
}

/// Explains what is missing, unless a previous explanation covers it already.
fn lacking(vendor: &Vendor) -> Vec<Explanation> {
    let mut lacking = Vec::new();
    let wallet = vendor.hipay_id.is_some();
    if !wallet && vendor.warnings.is_empty() {
        lacking.push(Explanation::new("vendor-no-wallet", Actor::Nobody).then(Next::VendorRun));
    }
    if wallet && !vendor.identified && vendor.identification_refusal.is_none() {
        lacking.push(if vendor.documents_sent == 0 {
            Explanation::new("vendor-no-documents", Actor::Vendor).then(Next::VendorRun)
        } else {
            Explanation::new("vendor-not-identified", Actor::Nobody)
        });
    }
    let bank_told = vendor.bank_refusal.is_some() || vendor.troubles.iter().any(|one| is_about_bank(one.trouble));
    match vendor.bank_status {
        1 if !bank_told => lacking.push(Explanation::new("vendor-bank-none", Actor::Vendor).then(Next::VendorRun)),
        2 => lacking.push(Explanation::new("vendor-bank-in-progress", Actor::Nobody)),
        _ => {}
    }
    let blocked_told = vendor.troubles.iter().any(|one| one.trouble == VendorProblem::BlockedByOthers);
    if vendor.payment_blocked && vendor.blocked_for_bank_details {
        lacking.push(Explanation::new("vendor-blocked-for-bank-details", Actor::Nobody));
    } else if vendor.payment_blocked && !blocked_told {
        lacking.push(Explanation::new("vendor-blocked-by-others", Actor::Marketplace).then(Next::VendorRun));
    }
    lacking
}

fn is_about_bank(trouble: VendorProblem) -> bool {
    matches!(
        trouble,
        VendorProblem::NoBankDetails
            | VendorProblem::IbanWrong
            | VendorProblem::BicWrong
            | VendorProblem::NoBankProof
            | VendorProblem::BankProofUsed
            | VendorProblem::BankProofUnread
            | VendorProblem::BankProofContent
            | VendorProblem::BankDetailsNotTaken
    )
}
