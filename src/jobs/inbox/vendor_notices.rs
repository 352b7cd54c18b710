//! Wallet notices about a vendor as such: identification, documents, bank details. Those of one
//! vendor are processed in sequence, and never while a run processes its shop.
//!
//! The notification is the intent: it stays open until Mirakl has been updated, and the update is idempotent.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use jiff::Timestamp;

use crate::domain::attempt::is_late;
use crate::domain::inbox::{Notification, NotificationOutcome};
use crate::domain::notification::{Meaning, WalletNotice};
use crate::domain::vendor::{DocumentValidation, SentDocument, Vendor, VendorPart, same_iban};
use crate::jobs::inbox::drain::{due, settle};
use crate::jobs::inbox::wallet_notices::{self, Dealt, Line, OwnAccounts, Severity, hipay_message, quote, unreadable};
use crate::jobs::vendor::bank::blocked_by_others;
use crate::jobs::vendor::process::vendor;
use crate::jobs::{Context, JobError, Subject};
use crate::remote::CallError;
use crate::remote::hipay::BankStatus;
use crate::remote::mirakl::{Shop, ShopUpdate};
use crate::store::{Query, StoreError, View, Writer};
use crate::text::message::{Message, logged, msg};

/// Number of vendors processed at once: each may wait for Mirakl.
const MAX_CONCURRENT: usize = 8;
/// Time limit for Mirakl. An update without an answer in time is repeated.
const PATIENCE: Duration = Duration::from_secs(30);
/// Upper bound on the documents of one type that a vendor has.
const MAX_DOCUMENTS: usize = 1_000;

/// Processes every notice about vendors that is due, in the order of arrival for each vendor. One
/// that cannot be processed holds up no other vendor's.
pub async fn drain_vendor_notices(context: &Context) -> Result<(), JobError> {
    let mut cursor = None;
    loop {
        let slice = due(context, true, cursor).await?;
        let ids = slice.keys.clone();
        let read = context
            .store
            .reading(move |reader| Ok(ids.iter().map(|id| reader.get::<Notification>(id)).collect::<Vec<_>>()));
        let mut accounts: BTreeMap<Option<u64>, Vec<Notification>> = BTreeMap::new();
        for one in read.await? {
            match one {
                Ok(Some(one)) => accounts.entry(one.account_id).or_default().push(one),
                Ok(None) => {}
                Err(error) => {
                    logged!(error, severity = "CRITICAL", action = "notification", Message::from(&error));
                }
            }
        }
        let outcomes = stream::iter(accounts.into_values())
            .map(|notifications| process_each(context, notifications))
            .buffer_unordered(MAX_CONCURRENT)
            .collect::<Vec<_>>();
        outcomes.await.into_iter().collect::<Result<(), JobError>>()?;
        cursor = slice.next;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

async fn process_each(context: &Context, notifications: Vec<Notification>) -> Result<(), JobError> {
    for notification in notifications {
        // The order is kept: later notices wait with this one.
        if !process_one(context, notification).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// Returns true if the notification reached a final state.
async fn process_one(context: &Context, notification: Notification) -> Result<bool, JobError> {
    let id = notification.id;
    let notice = match WalletNotice::read(&notification.body) {
        Ok(notice) => notice.received(notification.received_at),
        Err(error) => {
            let reason = Message::quoting(error.to_string());
            return settle(context, id, move |_, _, _| Ok(unreadable(reason))).await;
        }
    };
    let (account, own) = (notice.account_id, OwnAccounts::of(&context.config));
    let vendor = context.store.reading(move |reader| reader.by_unique(Vendor::BY_HIPAY_ID, account)).await?;
    let Some(vendor) = vendor else {
        return settle(context, id, move |_, _, _| Ok(ignore_unknown(account, own))).await;
    };
    let mirakl_id = vendor.mirakl_id;
    let Some(_turn) = context.vendor_turns.try_take(mirakl_id, &context.inbox) else {
        // A run processes the shop; the inbox is notified when it is done.
        return Ok(false);
    };
    match notice.meaning() {
        Meaning::Identification { identified } => {
            settle(context, id, move |writer, one, now| {
                update_vendor(writer, one, mirakl_id, now, |vendor| identification(vendor, &notice, identified, now))
            })
            .await
        }
        Meaning::Document { valid, hipay_type } => {
            settle(context, id, move |writer, one, now| {
                one.mirakl_id = Some(mirakl_id);
                document(writer, mirakl_id, &notice, valid, hipay_type, now)
            })
            .await
        }
        Meaning::BankDetails { validated } => bank_details(context, id, mirakl_id, notice, validated).await,
        Meaning::Payment { .. } | Meaning::OtherTransaction | Meaning::Unknown => {
            settle(context, id, move |writer, one, now| {
                one.mirakl_id = Some(mirakl_id);
                wallet_notices::process(writer, one, own, now)
            })
            .await
        }
    }
}

fn ignore_unknown(account: u64, own: OwnAccounts) -> Dealt {
    if [own.technical, own.operator].contains(&account) {
        return Dealt::ignored(msg!("notice-own-account", account));
    }
    Dealt::waiting(msg!("notice-no-vendor", account))
}

/// Reads, changes and stores the vendor of a notice.
fn update_vendor(
    writer: &mut Writer<'_>,
    notification: &mut Notification,
    mirakl_id: u64,
    now: Timestamp,
    change: impl FnOnce(&mut Vendor) -> Dealt,
) -> Result<Dealt, StoreError> {
    notification.mirakl_id = Some(mirakl_id);
    let Some(known) = writer.get::<Vendor>(&mirakl_id)? else {
        return Ok(Dealt::waiting(msg!("notice-vendor-unknown", shop = mirakl_id)));
    };
    let mut vendor = known.clone();
    let dealt = change(&mut vendor);
    if vendor != known {
        vendor.updated_at = now;
        writer.put(&vendor)?;
    }
    Ok(dealt)
}

fn identification(vendor: &mut Vendor, notice: &WalletNotice, identified: bool, now: Timestamp) -> Dealt {
    if is_late(notice.at, vendor.identified_as_of, now) {
        return Dealt::ignored(msg!("notice-late"));
    }
    let known = vendor.identified;
    vendor.identification_read(identified, notice.at.unwrap_or(now));
    if identified {
        return Dealt::applied(if known { msg!("notice-identified-known") } else { msg!("notice-identified") });
    }
    let message = msg!("notice-not-identified", reason = hipay_message(notice.text("message")));
    vendor.identification_refusal = Some(message.to_string());
    Dealt::applied(message).logged(Severity::Warning, Subject::shop(vendor.mirakl_id))
}

/// Records HiPay's verdict on the last sent documents of this type: one, or its two sides.
fn document(
    writer: &mut Writer<'_>,
    mirakl_id: u64,
    notice: &WalletNotice,
    valid: bool,
    hipay_type: Option<u32>,
    now: Timestamp,
) -> Result<Dealt, StoreError> {
    let said = notice.text("message").filter(|_| !valid).map(quote).unwrap_or_default();
    let query = Query::group(SentDocument::BY_VENDOR, mirakl_id).descending().limit(MAX_DOCUMENTS);
    let of_type = |one: &SentDocument| Some(one.hipay_type) == hipay_type;
    let documents: Vec<_> = writer.page(&query)?.items.into_iter().filter(of_type).collect();
    let latest = documents.first().map(|one| one.sent_at);
    let mut names = Vec::new();
    for mut one in documents.into_iter().filter(|one| Some(one.sent_at) == latest) {
        if is_late(notice.at, one.validation_as_of, now) {
            return Ok(Dealt::ignored(msg!("notice-late")));
        }
        one.validation = if valid { DocumentValidation::Valid } else { DocumentValidation::Invalid };
        one.validation_message.clone_from(&said);
        one.validation_as_of = Some(notice.at.unwrap_or(now));
        // Not its name: that is often a person's.
        names.push(msg!("document-in-mirakl", document = one.document_id));
        writer.put(&one)?;
    }
    let kind = match (notice.text("document_type_label"), hipay_type) {
        (Some(label), _) => hipay_message(Some(label)),
        (None, Some(number)) => msg!("document-of-type", number),
        (None, None) => msg!("document-of-no-type"),
    };
    let both = |one: Message, other: Message| msg!("document-and", one, other);
    let which = names.into_iter().reduce(both).unwrap_or_else(|| msg!("document-none"));
    if valid {
        return Ok(Dealt::applied(msg!("notice-document-valid", kind, which)));
    }
    let reason = hipay_message(notice.text("message"));
    let dealt = Dealt::applied(msg!("notice-document-refused", kind, which, reason));
    Ok(dealt.logged(Severity::Error, Subject::shop(mirakl_id)))
}

/// Updates Mirakl, then records that it has been updated.
async fn bank_details(
    context: &Context,
    id: u64,
    mirakl_id: u64,
    notice: WalletNotice,
    validated: bool,
) -> Result<bool, JobError> {
    let known = vendor(context, mirakl_id).await?;
    let now = context.clock.now();
    let Some(vendor) = known.filter(|vendor| !is_late(notice.at, vendor.bank_as_of, now)) else {
        return settle(context, id, move |_, one, _| {
            one.mirakl_id = Some(mirakl_id);
            Ok(Dealt::ignored(msg!("notice-late")))
        })
        .await;
    };
    let reason = hipay_message(notice.text("message"));
    let told = tokio::time::timeout(PATIENCE, tell_mirakl(context, &vendor, validated, &reason)).await;
    let told = told.unwrap_or_else(|_| Err(CallError::unknown(msg!("call-late", remote = "Mirakl"))));
    settle(context, id, move |writer, one, now| {
        let told = match told {
            Ok(told) => told,
            Err(error) => return Ok(postponed(one, mirakl_id, &error)),
        };
        if told == MiraklChange::NotShown {
            one.mirakl_id = Some(mirakl_id);
            return Ok(Dealt::waiting(msg!("notice-bank-not-shown")));
        }
        update_vendor(writer, one, mirakl_id, now, |vendor| {
            vendor.bank_as_of = Some(notice.at.unwrap_or(now));
            if validated { approved(vendor, told) } else { record_refusal(vendor, told, &reason) }
        })
    })
    .await
}

fn postponed(notification: &mut Notification, mirakl_id: u64, error: &CallError) -> Dealt {
    notification.mirakl_id = Some(mirakl_id);
    let message = msg!("notice-mirakl-not-told", error);
    let is_new = notification.message != message;
    // A permanent refusal of Mirakl is given up after days; an update that could not be delivered never is.
    let for_good = matches!(error, CallError::Rejected(_)) && !error.is_credentials();
    let outcome =
        if for_good { NotificationOutcome::Waiting(message) } else { NotificationOutcome::Postponed(message) };
    let dealt = Dealt::without_log(outcome);
    // Logged once, not at each try.
    if is_new { dealt.logged(Severity::Warning, Subject::shop(mirakl_id)) } else { dealt }
}

/// Result of an update of Mirakl.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MiraklChange {
    /// Mirakl knows no such shop (any more).
    NoShop,
    /// No update: HiPay itself does not show what its notice states.
    NotShown,
    /// A change, with the resulting block of payments.
    Changed { blocked: bool },
}

/// Updates the shop in Mirakl after a notice about bank details: its KYC status, its suspension, and the block of
/// payments. A validation ends every block except one that a person has made since this store knows the shop.
async fn tell_mirakl(
    context: &Context,
    vendor: &Vendor,
    validated: bool,
    reason: &str,
) -> Result<MiraklChange, CallError> {
    let shops = context.mirakl.shops_with(&[vendor.mirakl_id]).await?;
    if let Some(unreadable) = shops.unreadable.first() {
        return Err(CallError::unknown(unreadable));
    }
    let Some(shop) = shops.rows.into_iter().find(|shop| shop.shop_id == vendor.mirakl_id) else {
        return Ok(MiraklChange::NoShop);
    };
    if validated && !is_validated(context, vendor, &shop).await? {
        return Ok(MiraklChange::NotShown);
    }
    let blocked = if validated { vendor.is_block_of_person(shop.payment_blocked) } else { shop.payment_blocked };
    let kyc_reason = format!("HiPay has refused the bank details: {reason}");
    let update = ShopUpdate {
        shop_id: vendor.mirakl_id,
        kyc_status: if validated { "APPROVED" } else { "REFUSED" },
        kyc_reason: (!validated).then_some(kyc_reason.as_str()),
        payment_blocked: blocked,
        suspend: !validated,
    };
    context.mirakl.update_shop(update).await?;
    Ok(MiraklChange::Changed { blocked })
}

/// Returns true if HiPay shows the bank details that are in Mirakl now as validated. A notice may
/// be about earlier ones, and a seller may know the salt that signs the notices of the own wallet.
async fn is_validated(context: &Context, vendor: &Vendor, shop: &Shop) -> Result<bool, CallError> {
    let Some(hipay_id) = vendor.hipay_id else { return Ok(false) };
    let info = context.hipay.bank_info(hipay_id).await?;
    let same = shop.bank.as_ref().is_none_or(|bank| same_iban(&bank.iban, &info.iban));
    Ok(info.status == BankStatus::Validated && same)
}

fn approved(vendor: &mut Vendor, told: MiraklChange) -> Dealt {
    vendor.bank_status = BankStatus::Validated.code();
    vendor.bank_refusal = None;
    let MiraklChange::Changed { blocked } = told else {
        return Dealt::applied(msg!("notice-bank-valid-no-shop"));
    };
    vendor.bank_details_approved(blocked);
    vendor.clear_warnings(VendorPart::BankDetails);
    if !blocked {
        return Dealt::applied(msg!("notice-bank-valid"));
    }
    vendor.warn(blocked_by_others());
    Dealt::applied(msg!("notice-bank-valid-blocked")).logged(Severity::Warning, Subject::shop(vendor.mirakl_id))
}

fn record_refusal(vendor: &mut Vendor, told: MiraklChange, reason: &Message) -> Dealt {
    vendor.bank_status = BankStatus::None.code();
    let message = msg!("notice-bank-refused", reason);
    vendor.bank_refusal = Some(message.to_string());
    if let MiraklChange::Changed { blocked } = told {
        vendor.payment_blocked = blocked;
        vendor.suspended_for_bank_details = true;
    }
    let suspended = msg!("notice-bank-refused-suspended", notice = message.clone());
    let (severity, subject) = (Severity::Error, Subject::shop(vendor.mirakl_id));
    let line = Line { severity, subject, message: suspended };
    Dealt { line: Some(line), ..Dealt::applied(message) }
}
