//! The bank details of a shop: registered at HiPay with their proof, and payments blocked in Mirakl
//! until HiPay has validated them.

use crate::domain::vendor::{
    SentDocument, VendorProblem, Warning, bank_text, country_alpha2, is_sendable_content, is_sendable_file, same_iban,
    valid_bic, valid_iban,
};
use crate::jobs::vendor::process::{ShopRun, change, vendor};
use crate::jobs::{BatchCount, JobError};
use crate::remote::CallError;
use crate::remote::hipay::{BankStatus, NewBankInfo};
use crate::remote::mirakl::{BankDetails, ShopDocument, ShopUpdate};
use crate::store::View;
use crate::text::message::msg;

/// HiPay's number for a proof of bank account.
const BANK_DOCUMENT: u32 = 6;

impl ShopRun<'_> {
    /// Registers the bank details at HiPay with their proof, or follows what HiPay decides on them.
    pub(crate) async fn settle_bank_details(
        &mut self,
        hipay_id: u64,
        proof: Option<&ShopDocument>,
    ) -> Result<(), JobError> {
        let (context, shop) = (self.context, self.shop);
        let asked_at = context.clock.now();
        let info = match context.hipay.bank_info(hipay_id).await {
            Ok(info) => info,
            Err(error) => {
                let what = "the bank details could not be read at HiPay";
                return self.or_warning(&error, VendorProblem::BankDetailsUnread, what);
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
        match &shop.bank {
            None if status == BankStatus::None => {
                self.warn(VendorProblem::NoBankDetails, "the shop has no bank details in Mirakl");
                Ok(())
            }
            Some(bank) if status == BankStatus::None || !same_iban(&info.iban, &bank.iban) => {
                self.register(hipay_id, bank, proof).await
            }
            None | Some(_) => self.follow(status, stays_told).await,
        }
    }

    /// Handles bank details that HiPay has: payments stay blocked until it has validated them. Done here as well as on
    /// HiPay's notice, which may be lost. A block that outlasts the validation is reported if `tells_block` is true.
    async fn follow(&mut self, status: BankStatus, tells_block: bool) -> Result<(), JobError> {
        let (context, shop) = (self.context, self.shop);
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
                        let what = "the shop could not be read again in Mirakl";
                        return self.or_warning(&error, VendorProblem::MiraklNotChanged, what);
                    }
                };
                let still_blocked = now_blocked.unwrap_or(shop.payment_blocked) && !waiting;
                if let Err(error) = self.block(still_blocked).await {
                    let what = "payments could not be unblocked in Mirakl";
                    return self.or_warning(&error, VendorProblem::MiraklNotChanged, what);
                }
                if still_blocked {
                    self.warnings.push(blocked_by_others());
                } else {
                    self.run.count(BatchCount::PaymentsUnblocked);
                }
                change(context, shop.shop_id, move |vendor| vendor.bank_details_approved(still_blocked)).await
            }
            BankStatus::Validated if shop.payment_blocked && tells_block => {
                self.warnings.push(blocked_by_others());
                Ok(())
            }
            // Interrupted between HiPay and Mirakl, or registered by another system that did not block.
            BankStatus::InProgress if !shop.payment_blocked => {
                change(context, shop.shop_id, |vendor| vendor.blocked_for_bank_details = true).await?;
                self.block_payments().await
            }
            BankStatus::None | BankStatus::InProgress | BankStatus::Validated => Ok(()),
        }
    }

    async fn register(
        &mut self,
        hipay_id: u64,
        bank: &BankDetails,
        proof: Option<&ShopDocument>,
    ) -> Result<(), JobError> {
        let (context, shop) = (self.context, self.shop);
        let Some((iban, bic)) = self.read_iban_and_bic(bank) else { return Ok(()) };
        let Some(proof) = proof.filter(|proof| is_sendable_file(&proof.file_name)) else {
            let message = "HiPay needs a proof of the bank account with the bank details; upload one in Mirakl";
            self.warn(VendorProblem::NoBankProof, message);
            return Ok(());
        };
        let Some(file) = self.download_proof(proof.id, &iban).await? else { return Ok(()) };
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
        if let Err(error) = context.hipay.register_bank_info(hipay_id, &new).await {
            if matches!(error, CallError::Rejected(_)) {
                let was_blocked = shop.payment_blocked;
                change(context, shop.shop_id, move |vendor| {
                    vendor.payment_blocked = was_blocked;
                    vendor.blocked_for_bank_details = before;
                })
                .await?;
            }
            let what = "HiPay did not take the bank details";
            return self.or_warning(&error, VendorProblem::BankDetailsNotTaken, what);
        }
        self.run.count(BatchCount::BankDetailsSent);
        self.remember(BANK_DOCUMENT, vec![proof.clone()], "sent with the bank details", Some(iban)).await?;
        change(context, shop.shop_id, |vendor| {
            vendor.bank_status = BankStatus::InProgress.code();
            vendor.bank_refusal = None;
        })
        .await?;
        self.block_payments().await
    }

    /// Returns the shop's IBAN and its BIC, empty if it has none. Returns `None`, with a warning, if one of them is
    /// wrong.
    fn read_iban_and_bic(&mut self, bank: &BankDetails) -> Option<(String, String)> {
        let Some(iban) = valid_iban(&bank.iban) else {
            let message = "the IBAN in Mirakl is wrong (its check digits do not fit); correct it there";
            self.warn(VendorProblem::IbanWrong, message);
            return None;
        };
        let bic = valid_bic(&bank.bic);
        if bic.is_none() && !bank.bic.trim().is_empty() {
            let message = "the BIC in Mirakl is wrong (it has neither 8 nor 11 letters and digits); correct it there";
            self.warn(VendorProblem::BicWrong, message);
            return None;
        }
        Some((iban, bic.unwrap_or_default()))
    }

    /// Downloads the file of a proof from Mirakl. Returns `None`, with a warning, if it cannot be sent
    /// to HiPay with this IBAN.
    async fn download_proof(&mut self, proof_id: u64, iban: &str) -> Result<Option<Vec<u8>>, JobError> {
        let sent = self.context.store.reading(move |reader| reader.get::<SentDocument>(&proof_id)).await?;
        if sent.is_some_and(|sent| sent.iban.as_deref() == Some(iban)) {
            let message =
                format!("HiPay did not accept the bank details with the proof {proof_id}; upload another in Mirakl");
            self.warn_about(VendorProblem::BankProofUsed, proof_id.to_string(), message);
            return Ok(None);
        }
        let file = match self.context.mirakl.download(proof_id).await {
            Ok(file) => file,
            Err(error) => {
                let what = "the proof of the bank account could not be fetched";
                return self.or_warning(&error, VendorProblem::BankProofUnread, what).map(|()| None);
            }
        };
        if !is_sendable_content(&file) {
            let message = format!("what Mirakl gives for the proof {proof_id} is no jpg, png, gif or pdf file");
            self.warn_about(VendorProblem::BankProofContent, proof_id.to_string(), message);
            return Ok(None);
        }
        Ok(Some(file))
    }

    async fn block_payments(&mut self) -> Result<(), JobError> {
        if let Err(error) = self.block(true).await {
            let what = "payments could not be blocked in Mirakl";
            return self.or_warning(&error, VendorProblem::MiraklNotChanged, what);
        }
        self.run.count(BatchCount::PaymentsBlocked);
        change(self.context, self.shop.shop_id, |vendor| {
            vendor.payment_blocked = true;
            vendor.suspended_for_bank_details = false;
        })
        .await
    }

    async fn block(&self, payment_blocked: bool) -> Result<(), CallError> {
        let shop_id = self.shop.shop_id;
        let update = ShopUpdate { shop_id, kyc_status: "APPROVED", kyc_reason: None, payment_blocked, suspend: false };
        self.context.mirakl.update_shop(update).await
    }

    /// Turns a remote's error into a warning that begins with `what`.
    fn or_warning(&mut self, error: &CallError, trouble: VendorProblem, what: &str) -> Result<(), JobError> {
        self.warn_because(error, Warning::new(trouble, format!("{what}: {error}")))
    }
}

/// Returns the warning that payments are blocked in Mirakl for another reason although HiPay has
/// validated the bank details.
pub(crate) fn blocked_by_others() -> Warning {
    Warning::new(VendorProblem::BlockedByOthers, msg!("notice-bank-valid-blocked").text())
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
