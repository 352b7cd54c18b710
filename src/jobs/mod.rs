//! The batches: the only code that changes anything at HiPay or Mirakl.
//!
//! Each batch reads the store, decides in the pure core, commits its intent, makes the call, and commits the outcome.
//! Its only inputs are the store and the remotes, so the everyday path is also the path after a crash.

mod batch;
mod binding;
mod cycle_account;
mod housekeeping;
pub mod inbox;
mod intake;
mod ledger;
mod payout;
mod vendor;
mod work_list;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

pub use batch::command::{BatchKind, Command};
pub use batch::count::BatchCount;
pub use batch::queue::{Enqueued, all_queued, dequeue, enqueue, enqueue_rest, last_whole_vendor_process, schedule};
pub use batch::record::{BatchEnd, BatchRecord, BatchState, Failure, Subject, last_successes};
pub use batch::run::{BatchProgress, BatchRun, Silent};
pub use binding::{Binding, Bound, RebindEffect, bind, rebind};
pub use cycle_account::{
    CurrencySum, CurrencySums, CycleAccount, CycleSide, CycleState, cycle_account, cycle_days, latest_cycles,
};
pub use housekeeping::digest::{gather_digest, make_digests};
pub use housekeeping::retention::{Erased, retention};
pub use inbox::callback_salts::{
    SaltError, callback_salt, callback_salt_or_asked, callback_salt_other_than, read_own_callback_salts,
};
pub use inbox::drain::drain_inbox;
pub use inbox::vendor_notices::drain_vendor_notices;
pub use intake::generate::{CycleRecord, GenerateArguments};
pub use intake::unpaid_vouchers::{operations_of, voucher_of};
pub use intake::voucher_choices::{choose_for_voucher, refuses as refuses_voucher_choice};
pub use payout::due::due_for_transfers;
pub use payout::funds::EscrowBalance;
pub use payout::operation_choices::choose_for_operation;
pub use vendor::mirakl_setup::{MiraklSetup, read_setup};
pub use vendor::wallet_set::{Moved, WalletChange, set_wallet};
pub use work_list::{WorkGroup, WorkKind, work_list, work_list_of_shop};

use crate::config::Config;
use crate::domain::cycle::Calendar;
use crate::domain::money::Amount;
use crate::platform::clock::Clock;
use crate::platform::gate::Gate;
use crate::platform::telemetry::Telemetry;
use crate::remote::CallError;
use crate::remote::hipay::{ActingOn, HiPay};
use crate::remote::mirakl::Mirakl;
use crate::store::{Schema, Store, StoreError};
use crate::text::message::{Message, logged, msg};
use crate::trouble::Troubles;
use tokio::sync::Notify;

use batch::record::NewBatch;
use batch::{queue, summary};
use inbox::callback_salts;
use intake::generate;
use payout::{sync, transfer, withdraw as withdrawals};
use vendor::{locks, process};

/// Adds the collections of the batches to a schema.
pub fn with_batches(schema: Schema) -> Schema {
    schema.with::<BatchRecord>().with::<CycleRecord>()
}

/// Everything that a batch works with.
#[derive(Clone)]
pub struct Context {
    /// The persistent store.
    pub store: Store,
    /// The client for Mirakl.
    pub mirakl: Mirakl,
    /// The client for HiPay.
    pub hipay: HiPay,
    /// The settings; those of a batch are the ones at its start.
    pub config: Arc<Config>,
    /// The clock.
    pub clock: Clock,
    /// Wake-up of the inbox: a notification has been stored, or the information that one waits for has become known.
    pub inbox: Arc<Notify>,
    /// Gate that controls whether anything may be changed at HiPay and Mirakl now.
    pub gate: Gate,
    /// The last reported balance of the marketplace's account.
    pub escrow: EscrowBalance,
    /// Registry of troubles, for any code that notices one.
    pub troubles: Troubles,
    /// Traces of the vouchers.
    pub telemetry: Telemetry,
    /// Locks that keep two batches of one name from running at once.
    turns: Turns,
    read_again: Arc<callback_salts::ReadAgain>,
    known_salts: Arc<callback_salts::KnownSalts>,
    vendor_turns: Arc<locks::VendorTurns>,
}

impl Context {
    /// Creates a context from these parts.
    pub fn new(store: Store, mirakl: Mirakl, hipay: HiPay, config: Arc<Config>, clock: Clock) -> Self {
        Self {
            store,
            mirakl,
            hipay,
            config,
            clock,
            inbox: Arc::default(),
            gate: Gate::default(),
            escrow: EscrowBalance::default(),
            troubles: Troubles::default(),
            telemetry: Telemetry::default(),
            turns: Turns::default(),
            read_again: Arc::default(),
            known_salts: Arc::default(),
            vendor_turns: Arc::default(),
        }
    }

    /// Returns this context with other settings.
    #[must_use]
    pub fn with_config(&self, config: Arc<Config>) -> Self {
        Self { config, ..self.clone() }
    }

    /// Returns the settlement calendar of the configuration.
    pub fn calendar(&self) -> Calendar {
        let cycle = &self.config.cycle;
        Calendar {
            days: cycle.days.clone(),
            hour: cycle.hour,
            minute: cycle.minute,
            before: cycle.before,
            after: cycle.after,
            time_zone: self.config.hipay.time_zone.clone(),
        }
    }

    /// Reads the balance of the marketplace's account from HiPay, and stores it as the last reported one.
    pub async fn read_escrow_balance(&self) -> Result<Amount, CallError> {
        let wallet = self.hipay.balance(ActingOn::Technical).await?;
        self.escrow.record_balance(wallet.balance, self.clock.now());
        Ok(wallet.balance)
    }

    /// Returns the number of items that a batch processes at once: more than the calls in flight,
    /// so that a call is always ready while others wait for the disk.
    fn concurrency(&self) -> usize {
        self.config.hipay.max_concurrency.saturating_mul(2)
    }
}

/// Error that ended a whole batch early, classified by what its caller must do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JobError {
    /// Credentials that a remote refuses: nothing else will work. Correct the configuration.
    #[error("{0}")]
    Credentials(Message),
    /// A failure of the store or the machine. Repair it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A request that is not allowed. Request something else.
    #[error("{0}")]
    Refused(Message),
    /// A remote that cannot be used now. Run the batch again later.
    #[error("{0}")]
    Remote(Message),
}

impl From<CallError> for JobError {
    fn from(error: CallError) -> Self {
        let why = Message::from(&error);
        if error.is_credentials() { Self::Credentials(why) } else { Self::Remote(why) }
    }
}

impl From<&JobError> for Message {
    fn from(error: &JobError) -> Self {
        match error {
            JobError::Credentials(why) | JobError::Refused(why) | JobError::Remote(why) => why.clone(),
            JobError::Store(error) => error.into(),
        }
    }
}

/// Runs a batch to its end, or to a safe point once `stop` is cancelled, and stores a record of it.
/// Waits for its turn, so that two batches of one kind never run at once.
pub async fn run(
    context: &Context,
    command: &Command,
    asked_by: &str,
    progress: Arc<dyn BatchProgress>,
    stop: CancellationToken,
) -> Result<BatchRecord, JobError> {
    run_now(context, command, asked_by, progress, stop).await?.into_result()
}

/// Runs a batch like [`run`], but returns the record of a batch that ended early too.
pub async fn run_now(
    context: &Context,
    command: &Command,
    asked_by: &str,
    progress: Arc<dyn BatchProgress>,
    stop: CancellationToken,
) -> Result<BatchEnd, StoreError> {
    let _turn = context.turns.lock_command(command.name()).await;
    let (asked, asked_by, now) = (command.clone(), asked_by.to_owned(), context.clock.now());
    let new = NewBatch { command: asked, asked_by, state: BatchState::Running, scheduled_for: None, after: None };
    let record = context.store.write(move |writer| BatchRecord::store_new(writer, new, now)).await?;
    Ok(execute(context, command, record, progress, stop).await)
}

/// Runs the queued batch `record` as [`run`] does; returns `None` if it is no longer queued.
pub async fn run_queued(
    context: &Context,
    record: &BatchRecord,
    progress: Arc<dyn BatchProgress>,
    stop: CancellationToken,
) -> Result<Option<BatchEnd>, StoreError> {
    let Some(command) = record.request() else {
        let mut record = record.clone();
        let error = msg!("batch-no-such", command = &record.command);
        record.stored_state = BatchState::Failed;
        record.ended_at = Some(context.clock.now());
        record.error = Some(error.clone());
        let kept = record.clone();
        context.store.write(move |writer| writer.put(&kept)).await?;
        return Ok(Some(BatchEnd { record, error: Some(JobError::Refused(error)) }));
    };
    let _turn = context.turns.lock_command(command.name()).await;
    let Some(record) = queue::begin(&context.store, record.id, context.clock.now()).await? else { return Ok(None) };
    Ok(Some(execute(context, &command, record, progress, stop).await))
}

async fn execute(
    context: &Context,
    command: &Command,
    record: BatchRecord,
    progress: Arc<dyn BatchProgress>,
    stop: CancellationToken,
) -> BatchEnd {
    let (action, batch) = (command.name(), record.id);
    let run = BatchRun::new(action, batch, progress, stop);
    logged!(info, action, batch, msg!("batch-begins"));
    let work = async {
        bind(context).await?;
        match command {
            Command::VendorProcess { since } => process::run(context, &run, *since).await?,
            Command::CashoutGenerate(arguments) => generate::run(context, &run, arguments).await?,
            Command::CashoutTransfer => transfer::run(context, &run).await?,
            Command::CashoutWithdraw => withdrawals::run(context, &run).await?,
            Command::TransactionStatusSync => sync::run(context, &run).await?,
        }
        run.aborted()
    };
    // A defect ends this batch, not the process and its other work.
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    let outcome = outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
        Err(JobError::Store(StoreError::Defect(format!("the batch stopped in the middle ({text})"))))
    });
    let ended = record.end(context, &run, outcome).await;
    let (BatchRecord { done, total, failed, .. }, state) = (&ended.record, ended.record.state().name());
    let state = Message::worded(state, &format!("batch-{state}"), []);
    logged!(info, action, batch, done, total, failed, msg!("batch-ends", state));
    summary::report(context, &ended);
    ended
}

/// Adds `amount` to the sum in its currency. A sum beyond 64 bits is for display only: it stays unchanged.
pub(crate) fn add_to_sums(sums: &mut Vec<Amount>, amount: Amount) {
    match sums.iter_mut().find(|sum| sum.currency() == amount.currency()) {
        Some(sum) => *sum = sum.checked_add(amount).unwrap_or(*sum),
        None => sums.push(amount),
    }
}

/// The lock for running a batch.
type BatchTurn = Arc<tokio::sync::Mutex<()>>;

/// The locks for running batches, one per name.
#[derive(Clone, Default)]
struct Turns(Arc<Mutex<BTreeMap<&'static str, BatchTurn>>>);

impl Turns {
    /// Waits until no batch of this name runs. The lock is released on drop.
    async fn lock_command(&self, name: &'static str) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default());
        turn.lock_owned().await
    }
}
