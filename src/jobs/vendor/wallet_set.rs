//! A person's choice of the wallet that a vendor has from now on.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::attempt::AttemptState;
use crate::domain::money::Amount;
use crate::domain::operation::{Beneficiary, Operation, Status};
use crate::domain::vendor::Vendor;
use crate::jobs::vendor::process::vendor as read_vendor;
use crate::jobs::{Context, JobError, add_to_sums};
use crate::remote::CallError;
use crate::remote::hipay::ActingOn;
use crate::store::{Query, StoreError, View, Writer};
use crate::text::message::{Message, asker, logged, msg};

/// A number of operations and their sums.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Moved {
    /// The number of operations.
    pub count: u64,
    /// Their sum in each currency, in minor units.
    #[schema(value_type = Vec<Object>)]
    pub sums: Vec<Amount>,
}

impl Moved {
    pub(crate) fn add(&mut self, amount: Amount) {
        self.count = self.count.saturating_add(1);
        add_to_sums(&mut self.sums, amount);
    }

    /// Formats the sums for people.
    pub(crate) fn sums_text(&self) -> String {
        let sums: Vec<String> = self.sums.iter().map(ToString::to_string).collect();
        if sums.is_empty() { "0".to_owned() } else { sums.join(", ") }
    }
}

/// The effect of a change of a vendor's wallet.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct WalletChange {
    /// The shop.
    pub mirakl_id: u64,
    /// The wallet from now on.
    pub hipay_id: u64,
    /// The wallet before.
    pub former: Option<u64>,
    /// The operations that will be paid to the new wallet.
    pub to_new: Moved,
    /// The open operations whose transfer went to a former wallet: they are withdrawn from there.
    pub from_former: Moved,
}

impl From<&WalletChange> for Message {
    fn from(change: &WalletChange) -> Self {
        msg!(
            "wallet-set",
            shop = change.mirakl_id,
            wallet = change.hipay_id.to_string(),
            new = change.to_new.count,
            new_sums = change.to_new.sums_text(),
            former = change.from_former.count,
            former_sums = change.from_former.sums_text(),
        )
    }
}

/// Sets `hipay_id` as the vendor's wallet for all further payments, once HiPay has shown that
/// account. What was transferred to a former wallet is still withdrawn from there.
pub async fn set_wallet(
    context: &Context,
    mirakl_id: u64,
    hipay_id: u64,
    reason: &str,
    asked_by: &str,
) -> Result<WalletChange, JobError> {
    let reason = reason.trim().to_owned();
    if reason.is_empty() {
        return Err(JobError::Refused(msg!("wallet-set-no-reason")));
    }
    if context.config.is_own_account(hipay_id) {
        return Err(JobError::Refused(msg!("wallet-set-own", wallet = hipay_id.to_string())));
    }
    let _turn = context.vendor_turns.take(mirakl_id, &context.inbox).await;
    let Some(known) = read_vendor(context, mirakl_id).await? else {
        return Err(JobError::Refused(msg!("wallet-set-no-vendor", shop = mirakl_id)));
    };
    if known.hipay_id == Some(hipay_id) {
        return Err(JobError::Refused(msg!("wallet-set-same", shop = mirakl_id, wallet = hipay_id.to_string())));
    }
    let account = match context.hipay.account(ActingOn::Wallet(hipay_id)).await {
        Err(CallError::Rejected(_)) => None,
        other => other?,
    };
    let Some(account) = account.filter(|account| account.hipay_id == hipay_id) else {
        return Err(JobError::Refused(msg!("wallet-set-unknown", wallet = hipay_id.to_string())));
    };
    let now = context.clock.now();
    let former = known.hipay_id;
    let note =
        msg!("wallet-set-note", person = asker(asked_by), wallet = hipay_id.to_string(), reason = reason.clone());
    let story = note.clone();
    let changed = context.store.write(move |writer: &mut Writer<'_>| {
        let mut vendor = writer.get::<Vendor>(&mirakl_id)?.unwrap_or(known);
        vendor.hipay_id = Some(hipay_id);
        vendor.former_wallets.extend(former.filter(|former| !vendor.former_wallets.contains(former)));
        vendor.wallet_since = Some(now);
        vendor.identified = account.identified;
        vendor.user_space_id = account.user_space_id;
        vendor.callback_salt = account.callback_salt;
        vendor.callback_url = account.callback_url;
        vendor.set_warnings(Vec::new());
        vendor.updated_at = now;
        writer.put(&vendor)?;
        let (to_new, from_former) = move_operations(writer, mirakl_id, hipay_id, &story, now)?;
        Ok::<_, StoreError>(WalletChange { mirakl_id, hipay_id, former, to_new, from_former })
    });
    let change = match changed.await {
        Err(StoreError::Conflict { holder, .. }) => {
            return Err(JobError::Refused(msg!("wallet-set-taken", wallet = hipay_id.to_string(), holder)));
        }
        other => other?,
    };
    logged!(warn, action = "vendor:wallet:set", mirakl_id, hipay_id, note);
    Ok(change)
}

/// Moves the shop's operations to the wallet `hipay_id`, except those whose transfer went to a former
/// one. Returns the operations that are paid to the new wallet, and those that stay.
fn move_operations(
    writer: &mut Writer<'_>,
    mirakl_id: u64,
    hipay_id: u64,
    note: &Message,
    now: Timestamp,
) -> Result<(Moved, Moved), StoreError> {
    let (mut to_new, mut from_former) = (Moved::default(), Moved::default());
    for mut operation in open_operations(writer, mirakl_id)? {
        let last = operation.transfer.last().map(|last| last.state);
        let unsent = Status::TRANSFER_PAYABLE.contains(&operation.status)
            && matches!(last, None | Some(AttemptState::Refused | AttemptState::Ended));
        let of_vendor = operation.beneficiary == Beneficiary::Vendor;
        if !unsent || operation.is_settled() {
            if of_vendor && !operation.is_settled() {
                from_former.add(operation.amount);
            }
            continue;
        }
        operation.vendor_hipay_id = hipay_id;
        if of_vendor {
            operation.recipient_hipay_id = hipay_id;
            // HiPay knows nothing of a refused attempt: its reference pays the new wallet.
            let last = operation.transfer.attempts.last_mut();
            if let Some(refused) = last.filter(|last| last.state == AttemptState::Refused) {
                refused.account = hipay_id;
            }
            to_new.add(operation.amount);
        }
        operation.note(note, now);
        writer.put(&operation)?;
    }
    Ok((to_new, from_former))
}

/// Returns the shop's operations that are not over.
fn open_operations(view: &impl View, mirakl_id: u64) -> Result<Vec<Operation>, StoreError> {
    let over = [Status::WithdrawSuccess, Status::AdjustedOperations, Status::InvalidAmount];
    let mut open = BTreeMap::new();
    for status in Status::ALL.into_iter().filter(|status| !over.contains(status)) {
        let query = Query::group(Operation::BY_VENDOR, (mirakl_id, status.code())).limit(100_000);
        let page = view.page(&query)?;
        if let Some(error) = page.unreadable.into_iter().next() {
            return Err(error);
        }
        open.extend(page.items.into_iter().map(|operation| (operation.id, operation)));
    }
    Ok(open.into_values().collect())
}
