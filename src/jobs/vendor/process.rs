//! `vendor:process`: the wallets, documents and bank details of the shops.

use std::collections::HashSet;

use futures_util::StreamExt;
use futures_util::stream;
use jiff::Timestamp;

use crate::domain::vendor::{SentDocument, Vendor, VendorPart, VendorProblem, Warning, country_alpha2};
use crate::jobs::vendor::mirakl_setup::{BANK_PROOF, read_setup};
use crate::jobs::vendor::wallet_search::WalletSearch;
use crate::jobs::{BatchCount, BatchRun, Context, JobError, Subject};
use crate::remote::CallError;
use crate::remote::mirakl::{Shop, ShopDocument};
use crate::store::{Query, StoreError, View, Writer};
use crate::text::message::msg;

/// Number of shops processed together: Mirakl returns the documents of this many in one call.
const CHUNK: usize = 50;

pub(crate) async fn run(context: &Context, run: &BatchRun, since: Option<Timestamp>) -> Result<(), JobError> {
    let setup = read_setup(context, false).await?;
    let needed: Vec<String> = context.config.hipay.document_types.iter().map(|kind| kind.mirakl_type.clone()).collect();
    for missing in setup.missing(&needed) {
        run.critical(Subject::default(), missing);
    }
    if setup.lacks_process_field() {
        // No shop could state that it wants to be paid: all would count as disabled.
        return Err(JobError::Remote(msg!("vendors-no-field")));
    }
    let listed_at = context.clock.now();
    let shops = shops(context, run, since).await?;
    if context.mirakl.refuses_domains() {
        run.warn(&Subject::default(), msg!("vendors-no-domains"));
    }
    if !shops.iter().any(|shop| shop.wants_hipay) && read_setup(context, true).await?.lacks_process_field() {
        return Err(JobError::Remote(msg!("vendors-no-field")));
    }
    run.stage("shops", shops.len());
    let search = WalletSearch::new(context, run);
    for chunk in shops.chunks(CHUNK) {
        if run.is_stopping() {
            return Ok(());
        }
        process(context, run, &search, chunk, listed_at).await?;
    }
    Ok(())
}

/// Returns the shops to process: those that Mirakl lists and, if only recent changes were requested, also those of our
/// vendors that still need something (HiPay may have validated meanwhile).
async fn shops(context: &Context, run: &BatchRun, since: Option<Timestamp>) -> Result<Vec<Shop>, JobError> {
    let mut listings = vec![context.mirakl.shops(since).await?];
    if since.is_some() {
        let named: HashSet<u64> = listings.iter().flat_map(|listing| &listing.rows).map(|shop| shop.shop_id).collect();
        let query = Query::group(Vendor::ATTENTION, ()).limit(100_000);
        let waiting = context.store.reading(move |reader| reader.keys(&query)).await?.keys;
        let waiting: Vec<u64> = waiting.into_iter().filter(|id| !named.contains(id)).collect();
        listings.push(context.mirakl.shops_with(&waiting).await?);
    }
    for unreadable in listings.iter().flat_map(|listing| &listing.unreadable) {
        run.fail(Subject::default(), unreadable.into());
    }
    let rows = listings.into_iter().flat_map(|listing| listing.rows);
    let (ours, others): (Vec<Shop>, Vec<Shop>) = rows.partition(|shop| is_ours(context, shop));
    for _ in others.iter().filter(|shop| shop.wants_hipay) {
        run.count(BatchCount::LeftOutByCountry);
    }
    Ok(ours)
}

/// Returns true for a shop in one of the countries of `country.filter`, or for any if that is empty.
fn is_ours(context: &Context, shop: &Shop) -> bool {
    let filter = &context.config.country_filter;
    let country = country_alpha2(&shop.country);
    filter.is_empty() || filter.iter().any(|wanted| country_alpha2(wanted) == country)
}

async fn process(
    context: &Context,
    run: &BatchRun,
    search: &WalletSearch<'_>,
    shops: &[Shop],
    listed_at: Timestamp,
) -> Result<(), JobError> {
    let ids: Vec<u64> = shops.iter().filter(|shop| shop.wants_hipay).map(|shop| shop.shop_id).collect();
    let documents = match context.mirakl.documents(&ids).await {
        Ok(listing) => {
            for unreadable in &listing.unreadable {
                run.fail(Subject::default(), unreadable.into());
            }
            Some(listing.rows)
        }
        Err(error) if error.is_credentials() => return Err(error.into()),
        Err(error) => {
            run.fail(Subject::default(), msg!("vendors-no-documents", error = &error));
            None
        }
    };
    stream::iter(shops)
        .for_each_concurrent(context.concurrency(), |shop| {
            let documents = documents.as_ref().map(|documents| {
                documents.iter().filter(|document| document.shop_id == shop.shop_id).cloned().collect::<Vec<_>>()
            });
            async move {
                if run.is_stopping() {
                    return;
                }
                let dealt_with = async {
                    let outcome = one(context, run, search, shop, (documents.as_deref(), listed_at)).await;
                    run.settle(Subject::shop(shop.shop_id), outcome);
                };
                run.item(dealt_with).await;
            }
        })
        .await;
    Ok(())
}

/// Brings one shop from Mirakl to HiPay. Its problems are stored as warnings on the vendor.
async fn one(
    context: &Context,
    run: &BatchRun,
    search: &WalletSearch<'_>,
    listed: &Shop,
    (documents, listed_at): (Option<&[ShopDocument]>, Timestamp),
) -> Result<(), JobError> {
    let _turn = context.vendor_turns.take(listed.shop_id, &context.inbox).await;
    let known = vendor(context, listed.shop_id).await?;
    let mut shop = listed.clone();
    // A notice was faster, and may have changed the shop in Mirakl as well.
    if known.as_ref().is_some_and(|known| known.updated_at > listed_at) {
        let listing = context.mirakl.shops_with(&[listed.shop_id]).await?;
        if let Some(unreadable) = listing.unreadable.first() {
            return Err(JobError::Remote(unreadable.into()));
        }
        // Gone meanwhile: the listed data no longer applies.
        let Some(read_again) = listing.rows.into_iter().find(|shop| shop.shop_id == listed.shop_id) else {
            return Ok(());
        };
        shop = read_again;
    }
    let shop = &shop;
    if !shop.wants_hipay {
        return disable(context, run, known).await;
    }
    if known.as_ref().is_some_and(|known| !known.enabled) {
        run.count(BatchCount::EnabledAgain);
    }
    let mut shop_run = ShopRun { context, run, shop, warnings: Vec::new() };
    let hipay_id = shop_run.settle_wallet(search, known).await?;
    if documents.is_none() {
        // Keeps it among those that the next run processes, whether the shop changes or not.
        let message = "its documents could not be listed in Mirakl; they and its bank details wait";
        shop_run.warn(VendorProblem::DocumentsNotListed, message);
    }
    if let (Some(hipay_id), Some(documents)) = (hipay_id, documents) {
        shop_run.send_documents(hipay_id, documents).await?;
        let proof = documents.iter().filter(|document| document.document_type == BANK_PROOF).max_by_key(|one| one.id);
        shop_run.settle_bank_details(hipay_id, proof).await?;
    }
    let warnings = shop_run.warnings;
    let looked_at = looked_at(&warnings, hipay_id.is_some() && documents.is_some() && !run.is_stopping());
    let (subject, mirakl_id) = (Subject::shop(shop.shop_id), shop.shop_id);
    // A block that a person has made is for the vendor's page: nothing has failed.
    for warning in warnings.iter().filter(|warning| warning.trouble != VendorProblem::BlockedByOthers) {
        run.fail(subject.clone(), warning.into());
    }
    let sent = context.store.reading(move |reader| reader.count(SentDocument::BY_VENDOR, mirakl_id)).await?;
    change(context, mirakl_id, move |vendor| {
        vendor.replace_warnings(warnings, &looked_at);
        vendor.documents_sent = u32::try_from(sent).unwrap_or(u32::MAX);
    })
    .await
}

/// One shop during one run, and the problems found.
pub(crate) struct ShopRun<'a> {
    pub(crate) context: &'a Context,
    pub(crate) run: &'a BatchRun,
    pub(crate) shop: &'a Shop,
    pub(crate) warnings: Vec<Warning>,
}

impl ShopRun<'_> {
    pub(crate) fn warn(&mut self, trouble: VendorProblem, message: impl Into<String>) {
        self.warnings.push(Warning::new(trouble, message));
    }

    pub(crate) fn warn_about(&mut self, trouble: VendorProblem, about: impl Into<String>, message: impl Into<String>) {
        self.warnings.push(Warning::new(trouble, message).about(about));
    }

    /// Turns a remote's error about the shop into a warning; refused credentials concern all shops.
    pub(crate) fn warn_because(&mut self, error: &CallError, warning: Warning) -> Result<(), JobError> {
        if error.is_credentials() {
            return Err(error.clone().into());
        }
        self.warnings.push(warning.because(&error.into(), error.refusal()));
        Ok(())
    }
}

/// Returns the parts of a vendor that a run has checked completely: its findings replace all
/// earlier warnings about them.
fn looked_at(found: &[Warning], after_the_wallet: bool) -> Vec<VendorPart> {
    let is_unread = |trouble| found.iter().any(|warning| warning.trouble == trouble);
    let parts = [
        (VendorPart::Wallet, !is_unread(VendorProblem::WalletNotSettled)),
        (VendorPart::Documents, after_the_wallet),
        (VendorPart::BankDetails, after_the_wallet && !is_unread(VendorProblem::BankDetailsUnread)),
    ];
    parts.into_iter().filter(|(_, whole)| *whole).map(|(part, _)| part).collect()
}

/// Disables the vendor, if any, of a shop that does not want to be paid through HiPay.
async fn disable(context: &Context, run: &BatchRun, known: Option<Vendor>) -> Result<(), JobError> {
    let Some(known) = known.filter(|known| known.enabled) else {
        run.count(BatchCount::Skipped);
        return Ok(());
    };
    run.count(BatchCount::Disabled);
    change(context, known.mirakl_id, |vendor| vendor.enabled = false).await
}

pub(crate) async fn vendor(context: &Context, mirakl_id: u64) -> Result<Option<Vendor>, StoreError> {
    context.store.reading(move |reader| reader.get::<Vendor>(&mirakl_id)).await
}

/// Reads, changes and stores a vendor in one transaction, making it if there is none yet.
pub(crate) async fn change(
    context: &Context,
    mirakl_id: u64,
    change: impl FnOnce(&mut Vendor) + Send + 'static,
) -> Result<(), JobError> {
    let now = context.clock.now();
    let changed = context.store.write(move |writer: &mut Writer<'_>| {
        let known = writer.get::<Vendor>(&mirakl_id)?;
        let mut vendor = known.clone().unwrap_or_else(|| Vendor::new(mirakl_id, now));
        change(&mut vendor);
        if known.as_ref() != Some(&vendor) {
            vendor.updated_at = now;
            writer.put(&vendor)?;
        }
        Ok::<_, StoreError>(())
    });
    Ok(changed.await?)
}
