//! `cashout:withdraw`: money from the wallets to the bank accounts.

use std::collections::HashMap;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::OnceCell;

use jiff::Timestamp;

use crate::domain::operation::{Beneficiary, Operation, OperationEvent, PaymentKind, Status, Unready};
use crate::domain::vendor::Vendor;
use crate::jobs::binding::remembers_since;
use crate::jobs::intake::fresh_shops;
use crate::jobs::ledger::Ledger;
use crate::jobs::payout::due;
use crate::jobs::payout::funds::AccountFunds;
use crate::jobs::payout::outcome;
use crate::jobs::payout::pay::{Paying, subject};
use crate::jobs::{BatchRun, Context, JobError, Subject};
use crate::remote::hipay::{Account, ActingOn};
use crate::store::View;
use crate::text::message::{Message, msg};

/// Withdraws what is payable. One wallet's operations are processed in sequence, so that its
/// balance is never promised twice; many wallets are processed in parallel.
pub(crate) async fn run(context: &Context, run: &BatchRun) -> Result<(), JobError> {
    let statuses = [[Status::WithdrawSending].as_slice(), &Status::WITHDRAW_PAYABLE].concat();
    let ids = due::ids(context, &statuses).await?;
    run.stage("withdrawals", ids.len());
    let unread = fresh_shops::read(context, run, &ids).await?;
    let unread = &unread;
    let wallets = by_wallet(context, run, ids).await?;
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
async fn by_wallet(context: &Context, run: &BatchRun, ids: Vec<u64>) -> Result<Vec<(u64, Vec<u64>)>, JobError> {
    let mut wallets: Vec<(u64, Vec<u64>)> = Vec::new();
    let mut places: HashMap<u64, usize> = HashMap::new();
    for slice in ids.chunks(500) {
        let slice = slice.to_vec();
        let operations = context
            .store
            .reading(move |reader| Ok(slice.iter().map(|id| reader.get::<Operation>(id)).collect::<Vec<_>>()))
            .await?;
        for operation in operations {
            let operation = match operation {
                Ok(Some(operation)) => operation,
                Ok(None) => continue,
                Err(error) => {
                    run.settle(Subject::default(), Err(error.into()));
                    continue;
                }
            };
            let place = *places.entry(operation.recipient_hipay_id).or_insert_with(|| {
                wallets.push((operation.recipient_hipay_id, Vec::new()));
                wallets.len().saturating_sub(1)
            });
            if let Some((_, ids)) = wallets.get_mut(place) {
                ids.push(operation.id);
            }
        }
    }
    Ok(wallets)
}

/// A reason for which a withdrawal is not sent.
struct WithdrawalBlock {
    event: OperationEvent,
    /// The condition that is not met, if it concerns the wallet.
    unready: Option<Unready>,
    /// Word for the counts.
    word: &'static str,
    /// The message to people.
    message: fn() -> Message,
}

const DISABLED: WithdrawalBlock = WithdrawalBlock {
    event: OperationEvent::VendorDisabled,
    unready: None,
    word: "vendor disabled",
    message: || msg!("obstacle-disabled"),
};

const GONE: WithdrawalBlock = WithdrawalBlock {
    event: OperationEvent::VendorDisabled,
    unready: None,
    word: "shop gone",
    message: || msg!("obstacle-gone"),
};

const NO_WALLET: WithdrawalBlock = WithdrawalBlock {
    event: OperationEvent::AccountNotReady,
    unready: Some(Unready::WalletUnknown),
    word: "wallet not ready",
    message: || msg!("obstacle-no-wallet"),
};

const OTHER_WALLET: WithdrawalBlock = WithdrawalBlock {
    event: OperationEvent::AccountNotReady,
    unready: Some(Unready::OtherWallet),
    word: "wallet not ready",
    message: || msg!("obstacle-other-wallet"),
};

const NOT_IDENTIFIED: WithdrawalBlock = WithdrawalBlock {
    event: OperationEvent::AccountNotReady,
    unready: Some(Unready::NotIdentified),
    word: "wallet not ready",
    message: || msg!("obstacle-not-identified"),
};

const BLOCKED: WithdrawalBlock = WithdrawalBlock {
    event: OperationEvent::PaymentBlocked,
    unready: None,
    word: "payment blocked",
    message: || msg!("obstacle-blocked"),
};

const NO_BANK_DETAILS: WithdrawalBlock = WithdrawalBlock {
    event: OperationEvent::AccountNotReady,
    unready: Some(Unready::BankDetailsNotValidated),
    word: "wallet not ready",
    message: || msg!("obstacle-no-bank-details"),
};

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
        let obstacle = self.withdrawal_block(&operation).await?;
        let may_send = obstacle.is_none();
        if let Some(obstacle) = obstacle {
            self.run.count_amount(obstacle.word, operation.amount);
            let message = (obstacle.message)();
            if obstacle.event == OperationEvent::AccountNotReady {
                self.run.hold_back(subject(&operation), message.clone());
            } else {
                self.run.warn(&subject(&operation), msg!("not-withdrawn", reason = &message));
            }
            match obstacle.unready {
                Some(why) => outcome::record_unready(self.context, operation.id, why, message).await?,
                None => outcome::apply_event(self.context, operation.id, obstacle.event, message).await?,
            }
            if operation.status != Status::WithdrawSending {
                return Ok(());
            }
        }
        let kind = PaymentKind::Withdrawal;
        let Self { context, run, funds, ledger, memory, .. } = self;
        Paying { context, run, kind, funds, ledger, memory: *memory, may_send }.pay(operation).await
    }

    /// Returns the first check that fails, in the order of the rules.
    async fn withdrawal_block(&self, operation: &Operation) -> Result<Option<&'static WithdrawalBlock>, JobError> {
        let mirakl_id = operation.mirakl_id;
        let vendor = self.context.store.reading(move |reader| reader.get::<Vendor>(&mirakl_id)).await?;
        if vendor.as_ref().is_some_and(|vendor| vendor.gone) {
            return Ok(Some(&GONE));
        }
        let Some(vendor) = vendor.filter(|vendor| vendor.enabled) else {
            return Ok(Some(&DISABLED));
        };
        let Some(account) = self.account().await? else { return Ok(Some(&NO_WALLET)) };
        if account.hipay_id != self.hipay_id {
            return Ok(Some(&OTHER_WALLET));
        }
        if !account.identified {
            return Ok(Some(&NOT_IDENTIFIED));
        }
        if vendor.payment_blocked && operation.beneficiary == Beneficiary::Vendor {
            return Ok(Some(&BLOCKED));
        }
        Ok((!account.bank_details_validated).then_some(&NO_BANK_DETAILS))
    }

    async fn account(&self) -> Result<&Option<Account>, JobError> {
        let read = || async { Ok(self.context.hipay.account(ActingOn::Wallet(self.hipay_id)).await?) };
        self.account.get_or_try_init(read).await
    }
}
