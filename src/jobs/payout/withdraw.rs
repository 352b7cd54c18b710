//! `cashout:withdraw`: money from the wallets to the bank accounts.

use std::collections::HashMap;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::OnceCell;

use jiff::Timestamp;

use crate::domain::operation::{Beneficiary, Operation, OperationEvent, PaymentKind, Status, Unready};
use crate::jobs::binding::remembers_since;
use crate::jobs::intake::fresh_shops;
use crate::jobs::ledger::Ledger;
use crate::jobs::payout::due;
use crate::jobs::payout::funds::AccountFunds;
use crate::jobs::payout::outcome;
use crate::jobs::payout::pay::{Paying, subject};
use crate::jobs::vendor::process::vendor;
use crate::jobs::{BatchCount, BatchRun, Context, JobError, Subject};
use crate::remote::hipay::{Account, ActingOn};
use crate::store::{StoreReader, View};
use crate::text::message::{Message, msg};

/// Withdraws what is payable. One wallet's operations are processed in sequence, so that its
/// balance is never promised twice; many wallets are processed in parallel.
pub(crate) async fn run(context: &Context, run: &BatchRun) -> Result<(), JobError> {
    let statuses = [[Status::WithdrawSending].as_slice(), &Status::WITHDRAW_PAYABLE].concat();
    let ids = due::ids(context, &statuses).await?;
    run.stage("withdrawals", ids.len());
    let unread = fresh_shops::read(context, run, &ids).await?;
    let unread = &unread;
    let wallets = by_wallet(context, run, &ids).await?;
    let memory = remembers_since(context).await?;
    stream::iter(wallets)
        .for_each_concurrent(context.concurrency(), |(hipay_id, ids)| async move {
            let wallet = WalletRun {
                context,
                run,
                hipay_id,
                memory,
                funds: AccountFunds::new(&context.hipay, ActingOn::Wallet(hipay_id), PaymentKind::Withdrawal),
                ledger: Ledger::of_wallet(context, hipay_id),
                account: OnceCell::new(),
            };
            for id in ids {
                let wallet = &wallet;
                let work = |operation: Operation| async move {
                    if unread.contains(&operation.mirakl_id) {
                        return Err(JobError::Remote(msg!("shop-unread")));
                    }
                    wallet.withdraw(operation).await
                };
                due::process_one(context, run, id, work).await;
            }
            if let Err(error) = wallet.ledger.report(run, memory).await {
                run.settle(Subject::default(), Err(error));
            }
        })
        .await;
    Ok(())
}

/// Groups the operations by wallet in their order, the wallets in the order of their first one.
async fn by_wallet(context: &Context, run: &BatchRun, ids: &[u64]) -> Result<Vec<(u64, Vec<u64>)>, JobError> {
    let mut wallets: Vec<(u64, Vec<u64>)> = Vec::new();
    let mut places: HashMap<u64, usize> = HashMap::new();
    let wallet_of = |reader: &StoreReader<'_>, id: u64| {
        let operation = reader.get::<Operation>(&id).transpose();
        Ok(operation.map(|operation| operation.map(|operation| (operation.recipient_hipay_id, id))))
    };
    for found in due::read_each(context, ids, wallet_of).await? {
        let (hipay_id, id) = match found {
            Ok(found) => found,
            Err(error) => {
                run.settle(Subject::default(), Err(error.into()));
                continue;
            }
        };
        let place = *places.entry(hipay_id).or_insert_with(|| {
            wallets.push((hipay_id, Vec::new()));
            wallets.len().saturating_sub(1)
        });
        if let Some((_, ids)) = wallets.get_mut(place) {
            ids.push(id);
        }
    }
    Ok(wallets)
}

/// A reason for which a withdrawal is not sent, with the message to people.
enum WithdrawalBlock {
    /// A condition of the wallet that is not met.
    Unready(Unready, Message),
    /// Another event, and what it counts as.
    Event(OperationEvent, BatchCount, Message),
}

/// One wallet during one run: HiPay's data about it is read once, when it is first needed.
struct WalletRun<'a> {
    context: &'a Context,
    run: &'a BatchRun,
    hipay_id: u64,
    memory: Timestamp,
    funds: AccountFunds<'a>,
    ledger: Ledger<'a>,
    account: OnceCell<Option<Account>>,
}

impl WalletRun<'_> {
    async fn withdraw(&self, operation: Operation) -> Result<(), JobError> {
        let block = self.withdrawal_block(&operation).await?;
        let may_send = block.is_none();
        match block {
            Some(WithdrawalBlock::Unready(why, message)) => {
                self.run.count_amount(BatchCount::WalletNotReady, operation.amount);
                self.run.hold_back(subject(&operation), message.clone());
                outcome::record_unready(self.context, operation.id, why, message).await?;
            }
            Some(WithdrawalBlock::Event(event, word, message)) => {
                self.run.count_amount(word, operation.amount);
                self.run.warn(&subject(&operation), msg!("not-withdrawn", reason = &message));
                outcome::apply_event(self.context, operation.id, event, message).await?;
            }
            None => {}
        }
        if !may_send && operation.status != Status::WithdrawSending {
            return Ok(());
        }
        let kind = PaymentKind::Withdrawal;
        let Self { context, run, funds, ledger, memory, .. } = self;
        Paying { context, run, kind, funds, ledger, memory: *memory, may_send }.pay(operation).await
    }

    /// Returns the first check that fails, in the order of the rules.
    async fn withdrawal_block(&self, operation: &Operation) -> Result<Option<WithdrawalBlock>, JobError> {
        let unready = |why, message| Ok(Some(WithdrawalBlock::Unready(why, message)));
        let event = |event, word, message| Ok(Some(WithdrawalBlock::Event(event, word, message)));
        let vendor = vendor(self.context, operation.mirakl_id).await?;
        if vendor.as_ref().is_some_and(|vendor| vendor.gone) {
            return event(OperationEvent::VendorDisabled, BatchCount::ShopGone, msg!("obstacle-gone"));
        }
        let Some(vendor) = vendor.filter(|vendor| vendor.enabled) else {
            return event(OperationEvent::VendorDisabled, BatchCount::VendorDisabled, msg!("obstacle-disabled"));
        };
        let Some(account) = self.account().await? else {
            return unready(Unready::WalletUnknown, msg!("obstacle-no-wallet"));
        };
        if account.hipay_id != self.hipay_id {
            return unready(Unready::OtherWallet, msg!("obstacle-other-wallet"));
        }
        if !account.identified {
            return unready(Unready::NotIdentified, msg!("obstacle-not-identified"));
        }
        if vendor.payment_blocked && operation.beneficiary == Beneficiary::Vendor {
            return event(OperationEvent::PaymentBlocked, BatchCount::PaymentBlocked, msg!("obstacle-blocked"));
        }
        if !account.bank_details_validated {
            return unready(Unready::BankDetailsNotValidated, msg!("obstacle-no-bank-details"));
        }
        Ok(None)
    }

    async fn account(&self) -> Result<&Option<Account>, JobError> {
        let read = || async { Ok(self.context.hipay.account(ActingOn::Wallet(self.hipay_id)).await?) };
        self.account.get_or_try_init(read).await
    }
}
