//! The batches: the only code that changes anything at HiPay or Mirakl.
//!
//! Each reads the store, decides by the pure core, commits what it is about to do, calls, and
//! commits the outcome. None takes any input but the store and the remotes, so the everyday path
//! is also the path after a crash.

mod batch;
mod binding;
mod booking;
mod callback_salts;
mod cashout_generate;
mod cashout_transfer;
mod cashout_withdraw;
mod drain_inbox;
mod due;
mod funds;
mod held_vouchers;
mod labels;
mod outcome;
mod pay;
mod payments;
mod retention;
mod retry;
mod setup;
mod transaction_sync;
mod vendor_bank;
mod vendor_documents;
mod vendor_notices;
mod vendor_process;
mod vendor_turns;
mod vendor_wallet;
mod wallet_notices;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;

pub use batch::{BatchRecord, BatchState, Failure, Progress, Run, Silent, Subject};
pub use binding::{Binding, Bound, bind, rebind};
pub use callback_salts::{callback_salt, callback_salt_other_than, read_own_callback_salts};
pub use cashout_generate::{CycleRecord, GenerateArguments};
pub use drain_inbox::drain_inbox;
pub use retention::{Erased, retention};
pub use retry::retry;
pub use setup::{Setup, read_setup};
pub use vendor_notices::drain_vendor_notices;

use crate::clock::Clock;
use crate::config::Config;
use crate::cycle::Calendar;
use crate::hipay::HiPay;
use crate::mirakl::Mirakl;
use crate::remote::CallError;
use crate::store::{Store, StoreError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What a batch works with.
#[derive(Clone)]
pub struct Context {
    /// The memory.
    pub store: Store,
    /// The marketplace.
    pub mirakl: Mirakl,
    /// The bank's side.
    pub hipay: HiPay,
    /// The settings.
    pub config: Arc<Config>,
    /// The time.
    pub clock: Clock,
    /// Told when there is something to do in the inbox: a notification has been stored, or what one
    /// waits for has become known.
    pub inbox: Arc<Notify>,
    /// The batches that run in this process.
    running: Arc<Mutex<BTreeSet<&'static str>>>,
    read_again: Arc<callback_salts::ReadAgain>,
    vendor_turns: Arc<vendor_turns::VendorTurns>,
}

impl Context {
    /// A context of these parts.
    pub fn new(store: Store, mirakl: Mirakl, hipay: HiPay, config: Arc<Config>, clock: Clock) -> Self {
        Self {
            store,
            mirakl,
            hipay,
            config,
            clock,
            inbox: Arc::default(),
            running: Arc::default(),
            read_again: Arc::default(),
            vendor_turns: Arc::default(),
        }
    }

    /// The settlement calendar of the configuration.
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

    /// How many items a batch has in hand at once: more than may be in flight, so that a call is
    /// always ready while others wait for the disk.
    fn in_hand(&self) -> usize {
        self.config.hipay.max_concurrency.saturating_mul(2)
    }
}

/// A batch and what it is asked for.
#[derive(Debug, Clone)]
pub enum Command {
    /// Wallets, documents and bank details of all shops, or of those updated since.
    VendorProcess {
        /// Only shops updated since then (UTC).
        since: Option<jiff::Timestamp>,
    },
    /// Operations from vouchers.
    CashoutGenerate(GenerateArguments),
    /// Money from the escrow account to the wallets.
    CashoutTransfer,
    /// Money from the wallets to the banks.
    CashoutWithdraw,
    /// What became of everything that is under way.
    TransactionStatusSync,
}

impl Command {
    /// The name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::VendorProcess { .. } => "vendor:process",
            Self::CashoutGenerate(_) => "cashout:generate",
            Self::CashoutTransfer => "cashout:transfer",
            Self::CashoutWithdraw => "cashout:withdraw",
            Self::TransactionStatusSync => "cashout:transaction:status:sync",
        }
    }

    /// What it was asked for beside its name, in words; empty where nothing was.
    fn arguments(&self) -> String {
        match self {
            Self::VendorProcess { since: Some(since) } => format!("since {since}"),
            Self::CashoutGenerate(arguments) => arguments.to_string(),
            Self::VendorProcess { since: None }
            | Self::CashoutTransfer
            | Self::CashoutWithdraw
            | Self::TransactionStatusSync => String::new(),
        }
    }
}

/// Why a whole batch ended early, by what its caller must do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JobError {
    /// A remote refuses our credentials: nothing else will work. Correct the configuration.
    #[error("{0}")]
    Credentials(String),
    /// The store or the machine failed. Mend it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was asked for is not allowed. Ask for something else.
    #[error("{0}")]
    Refused(String),
    /// A remote cannot be used now. Run the batch again later.
    #[error("{0}")]
    Remote(String),
    /// The same batch is running. Wait for it.
    #[error("{0} is running already; wait until it is done")]
    Busy(&'static str),
}

impl From<CallError> for JobError {
    fn from(error: CallError) -> Self {
        if error.is_credentials() { Self::Credentials(error.to_string()) } else { Self::Remote(error.to_string()) }
    }
}

/// Runs a batch to its end, or to a safe point once `stop` is cancelled, and keeps a record of it.
/// Two of the same never run at once.
pub async fn run(
    context: &Context,
    command: &Command,
    asked_by: &str,
    progress: Arc<dyn Progress>,
    stop: CancellationToken,
) -> Result<BatchRecord, JobError> {
    let _turn = Turn::take(context, command.name())?;
    bind(context).await?;
    let record = BatchRecord::begin(context, command.name(), command.arguments(), asked_by).await?;
    let run = Run::new(command.name(), record.id, progress, stop);
    tracing::info!(action = command.name(), batch = record.id, "begins");
    let outcome = match command {
        Command::VendorProcess { since } => vendor_process::run(context, &run, *since).await,
        Command::CashoutGenerate(arguments) => cashout_generate::run(context, &run, arguments).await,
        Command::CashoutTransfer => cashout_transfer::run(context, &run).await,
        Command::CashoutWithdraw => cashout_withdraw::run(context, &run).await,
        Command::TransactionStatusSync => transaction_sync::run(context, &run).await,
    };
    let outcome = outcome.and_then(|()| run.aborted());
    record.end(context, &run, outcome).await
}

/// The right to run a batch, given back when it is dropped.
struct Turn<'a> {
    context: &'a Context,
    name: &'static str,
}

impl<'a> Turn<'a> {
    fn take(context: &'a Context, name: &'static str) -> Result<Self, JobError> {
        let mut running = context.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.insert(name) { Ok(Self { context, name }) } else { Err(JobError::Busy(name)) }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.context.running.lock().unwrap_or_else(PoisonError::into_inner).remove(self.name);
    }
}
