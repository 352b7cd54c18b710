//! The bank details of a shop: registered at HiPay with their proof, and payments blocked in Mirakl
//! until HiPay has validated them.

use crate::domain::vendor::{
    DocumentValidation, SentDocument, VendorProblem, Warning, bank_text, country_alpha2, is_sendable_content,
    is_sendable_file, same_iban, valid_bic, valid_iban,
};
use crate::jobs::vendor::process::{change, vendor};
use crate::jobs::{BatchRun, Context, JobError};
use crate::remote::CallError;
use crate::remote::hipay::{BankStatus, NewBankInfo};
use crate::remote::mirakl::{BankDetails, Shop, ShopDocument, ShopUpdate};
use crate::store::View;
use crate::text::message::msg;

/// HiPay's number for a proof of bank account.
const BANK_DOCUMENT: u32 = 6;

pub(crate) async fn settle(
    context: &Context,
    run: &BatchRun,
    shop: &Shop,
    hipay_id: u64,
    proof: Option<&ShopDocument>,
    warnings: &mut Vec<Warning>,
) -> Result<(), JobError> {
    let asked_at = context.clock.now();
    let info = match context.hipay.bank_info(hipay_id).await {
        Ok(info) => info,
        Err(error) => {
            return or_warning(
                &error,
                VendorProblem::BankDetailsUnread,
                "the bank details could not be read at HiPay",
                warnings,
            );
        }
    };
    let (status, as_of, blocked) = (info.status, context.hipay.as_of(asked_at), shop.payment_blocked);
    let known = vendor(context, shop.shop_id).await?;
    let was_validated = known.as_ref().is_some_and(|known| known.bank_status == BankStatus::Validated.code());
    // Not read before, or validated all along: the block is unrelated to the bank details.
    let never_open = known.as_ref().is_none_or(|known| known.bank_status == 0) || was_validated;
    let stays_told = !was_validated || known.is_some_and(|known| known.is_warned(VendorProblem::BlockedByOthers));
    change(context, shop.shop_id, move |vendor| {
        // If payments were blocked before this store knew the shop, the block ends when HiPay validates the bank
        // details, regardless of its author.
        if blocked && !vendor.blocked_by_person && (status != BankStatus::Validated || !never_open) {
            vendor.blocked_for_bank_details = true;
        }
        vendor.bank_status = status.code();
        vendor.bank_as_of = Some(as_of);
        if status == BankStatus::Validated {
            vendor.bank_refusal = None;
        }
    })
    .await?;
    let Some(bank) = &shop.bank else {
        if info.status == BankStatus::None {
            warnings.push(Warning::new(VendorProblem::NoBankDetails, "the shop has no bank details in Mirakl"));
            return Ok(());
        }
        return follow(context, run, shop, (info.status, stays_told), warnings).await;
    };
    if info.status == BankStatus::None || !same_iban(&info.iban, &bank.iban) {
        return register(context, run, shop, hipay_id, bank, proof, warnings).await;
    }
    follow(context, run, shop, (info.status, stays_told), warnings).await
}

/// Handles bank details that HiPay has: payments stay blocked until it has validated them. Done here as well as on
/// HiPay's notice, which may be lost. A block that outlasts the validation is reported if `tells_block` is true.
async fn follow(
    context: &Context,
    run: &BatchRun,
    shop: &Shop,
    (status, tells_block): (BankStatus, bool),
    warnings: &mut Vec<Warning>,
) -> Result<(), JobError> {
    let known = vendor(context, shop.shop_id).await?;
    let waiting = known.as_ref().is_some_and(|vendor| vendor.blocked_for_bank_details);
    let suspended = known.is_some_and(|vendor| vendor.suspended_for_bank_details);
    match status {
        BankStatus::Validated if waiting || suspended => {
            // A block made by others stays, also one made since the run has listed the shop.
            let now_blocked = match context.mirakl.shops_with(&[shop.shop_id]).await {
                Ok(listing) => {
                    listing.rows.iter().find(|one| one.shop_id == shop.shop_id).map(|one| one.payment_blocked)
                }
                Err(error) => {
                    return or_warning(
                        &error,
                        VendorProblem::MiraklNotChanged,
                        "the shop could not be read again in Mirakl",
                        warnings,
                    );
                }
            };
            let still_blocked = now_blocked.unwrap_or(shop.payment_blocked) && !waiting;
            if let Err(error) = block(context, shop, still_blocked).await {
                return or_warning(
                    &error,
                    VendorProblem::MiraklNotChanged,
                    "payments could not be unblocked in Mirakl",
                    warnings,
                );
            }
            if still_blocked {
                warnings.push(blocked_by_others());
            } else {
                run.count("payments unblocked");
            }
            change(context, shop.shop_id, move |vendor| vendor.bank_details_approved(still_blocked)).await
        }
        BankStatus::Validated if shop.payment_blocked && tells_block => {
            warnings.push(blocked_by_others());
            Ok(())
        }
        // Interrupted between HiPay and Mirakl, or registered by another system that did not block.
        BankStatus::InProgress if !shop.payment_blocked => {
            change(context, shop.shop_id, |vendor| vendor.blocked_for_bank_details = true).await?;
            blocked(context, run, shop, warnings).await
        }
        BankStatus::None | BankStatus::InProgress | BankStatus::Validated => Ok(()),
    }
}

/// Returns the warning that payments are blocked in Mirakl for another reason although HiPay has
/// validated the bank details.
pub(crate) fn blocked_by_others() -> Warning {
    Warning::new(VendorProblem::BlockedByOthers, msg!("notice-bank-valid-blocked").text())
}

async fn register(
    context: &Context,
    run: &BatchRun,
    shop: &Shop,
    hipay_id: u64,
    bank: &BankDetails,
    proof: Option<&ShopDocument>,
    warnings: &mut Vec<Warning>,
) -> Result<(), JobError> {
    let Some((iban, bic)) = read_iban_and_bic(bank, warnings) else { return Ok(()) };
    let Some(proof) = proof.filter(|proof| is_sendable_file(&proof.file_name)) else {
        let message = "HiPay needs a proof of the bank account with the bank details; upload one in Mirakl";
        warnings.push(Warning::new(VendorProblem::NoBankProof, message));
        return Ok(());
    };
    let Some(file) = download_proof(context, proof.id, &iban, warnings).await? else { return Ok(()) };
    let new = new_bank_info(bank, (&iban, bic), proof, file);
    // Stored first: if interrupted after HiPay has the details, the next run still blocks the
    // payments. A person's block stays until a person ends it.
    let known = vendor(context, shop.shop_id).await?;
    let before = known.as_ref().is_some_and(|vendor| vendor.blocked_for_bank_details);
    let ours = !known.is_some_and(|vendor| vendor.blocked_by_person);
    change(context, shop.shop_id, move |vendor| {
        vendor.payment_blocked = true;
        vendor.blocked_for_bank_details = ours;
    })
    .await?;
    match context.hipay.register_bank_info(hipay_id, &new).await {
        Ok(()) => {}
        Err(error) => {
            if matches!(error, CallError::Rejected(_)) {
                let was_blocked = shop.payment_blocked;
                change(context, shop.shop_id, move |vendor| {
                    vendor.payment_blocked = was_blocked;
                    vendor.blocked_for_bank_details = before;
                })
                .await?;
            }
            return or_warning(
                &error,
                VendorProblem::BankDetailsNotTaken,
                "HiPay did not take the bank details",
                warnings,
            );
        }
    }
    run.count("bank details sent");
    remember(context, shop.shop_id, proof, iban).await?;
    change(context, shop.shop_id, |vendor| {
        vendor.bank_status = BankStatus::InProgress.code();
        vendor.bank_refusal = None;
    })
    .await?;
    blocked(context, run, shop, warnings).await
}

/// Returns the shop's IBAN and its BIC, empty if it has none. Returns `None`, with a warning, if one of them is wrong.
fn read_iban_and_bic(bank: &BankDetails, warnings: &mut Vec<Warning>) -> Option<(String, String)> {
    let Some(iban) = valid_iban(&bank.iban) else {
        let message = "the IBAN in Mirakl is wrong (its check digits do not fit); correct it there";
        warnings.push(Warning::new(VendorProblem::IbanWrong, message));
        return None;
    };
    let bic = valid_bic(&bank.bic);
    if bic.is_none() && !bank.bic.trim().is_empty() {
        let message = "the BIC in Mirakl is wrong (it has neither 8 nor 11 letters and digits); correct it there";
        warnings.push(Warning::new(VendorProblem::BicWrong, message));
        return None;
    }
    Some((iban, bic.unwrap_or_default()))
}

/// Downloads the file of a proof from Mirakl. Returns `None`, with a warning, if it cannot be sent
/// to HiPay with this IBAN.
async fn download_proof(
    context: &Context,
    proof_id: u64,
    iban: &str,
    warnings: &mut Vec<Warning>,
) -> Result<Option<Vec<u8>>, JobError> {
    let sent = context.store.reading(move |reader| reader.get::<SentDocument>(&proof_id)).await?;
    if sent.is_some_and(|sent| sent.iban.as_deref() == Some(iban)) {
        let message =
            format!("HiPay did not accept the bank details with the proof {proof_id}; upload another in Mirakl");
        warnings.push(Warning::new(VendorProblem::BankProofUsed, message).about(proof_id.to_string()));
        return Ok(None);
    }
    let file = match context.mirakl.download(proof_id).await {
        Ok(file) => file,
        Err(error) => {
            let what = "the proof of the bank account could not be fetched";
            return or_warning(&error, VendorProblem::BankProofUnread, what, warnings).map(|()| None);
        }
    };
    if !is_sendable_content(&file) {
        let message = format!("what Mirakl gives for the proof {proof_id} is no jpg, png, gif or pdf file");
        warnings.push(Warning::new(VendorProblem::BankProofContent, message).about(proof_id.to_string()));
        return Ok(None);
    }
    Ok(Some(file))
}

async fn blocked(context: &Context, run: &BatchRun, shop: &Shop, warnings: &mut Vec<Warning>) -> Result<(), JobError> {
    if let Err(error) = block(context, shop, true).await {
        return or_warning(
            &error,
            VendorProblem::MiraklNotChanged,
            "payments could not be blocked in Mirakl",
            warnings,
        );
    }
    run.count("payments blocked");
    change(context, shop.shop_id, |vendor| {
        vendor.payment_blocked = true;
        vendor.suspended_for_bank_details = false;
    })
    .await
}

async fn block(context: &Context, shop: &Shop, payment_blocked: bool) -> Result<(), CallError> {
    let update =
        ShopUpdate { shop_id: shop.shop_id, kyc_status: "APPROVED", kyc_reason: None, payment_blocked, suspend: false };
    context.mirakl.update_shop(update).await
}

async fn remember(context: &Context, mirakl_id: u64, proof: &ShopDocument, iban: String) -> Result<(), JobError> {
    let sent = SentDocument {
        document_id: proof.id,
        mirakl_id,
        document_type: proof.document_type.clone(),
        hipay_type: BANK_DOCUMENT,
        file_name: proof.file_name.clone(),
        message: "sent with the bank details".to_owned(),
        validation: DocumentValidation::default(),
        validation_message: String::new(),
        validation_as_of: None,
        iban: Some(iban),
        sent_at: context.clock.now(),
        unknown: serde_json::Map::new(),
    };
    Ok(context.store.write(move |writer| writer.put(&sent)).await?)
}

fn new_bank_info(bank: &BankDetails, (iban, bic): (&str, String), proof: &ShopDocument, file: Vec<u8>) -> NewBankInfo {
    let country: String = iban.chars().take(2).collect();
    NewBankInfo {
        country: country_alpha2(&country).unwrap_or(country),
        bank_name: bank_text(&bank.bank_name, 50),
        address: bank_text(&bank.street, 255),
        zip_code: bank_text(&bank.zip_code, 20),
        city: bank_text(&bank.city, 50),
        iban: iban.to_owned(),
        swift: bic,
        file_name: proof.file_name.clone(),
        file,
    }
}

/// Turns a remote's error about one vendor into a warning on it; refused credentials concern all vendors.
fn or_warning(
    error: &CallError,
    trouble: VendorProblem,
    what: &str,
    warnings: &mut Vec<Warning>,
) -> Result<(), JobError> {
    if error.is_credentials() {
        return Err(error.clone().into());
    }
    warnings.push(Warning::new(trouble, format!("{what}: {error}")).because(&error.into(), error.refusal()));
    Ok(())
}
