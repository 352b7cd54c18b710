//! One complete cycle and its outcome.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::report::{DemoReport, count, print_report};
use super::{Folder, connect, last_cycle, market, sandbox, witness};
use crate::cli::batch::listen;
use crate::cli::output::notice;
use crate::cli::{DemoArgs, Exit, Failed, Global, progress, runtime};
use crate::domain::cycle::Cycle;
use crate::jobs::{self, BatchProgress, BatchRecord, BatchState, Command, Context, Failure, GenerateArguments};
use crate::platform::clock::Clock;
use crate::sandbox::shops::populate;
use crate::sandbox::{Ending, HipayModel, Life, Reviews, Sandbox, Until};

/// Maximum number of runs of a batch in which random faults made items fail.
const ROUNDS: usize = 4;

pub(super) fn run(global: &Global, arguments: &DemoArgs) -> Result<Exit, Failed> {
    let folder = Folder::create()?;
    let began = Instant::now();
    let told = runtime()?.block_on(demo(&folder, arguments, progress::choose(global.json)))?;
    print_report(&told, arguments, began.elapsed(), global.json)?;
    Ok(if told.stopped {
        Exit::Stopped
    } else if told.witness.is_err() {
        Exit::Failures
    } else {
        Exit::Done
    })
}

async fn demo(folder: &Folder, arguments: &DemoArgs, progress: Arc<dyn BatchProgress>) -> Result<DemoReport, Failed> {
    let cycle = last_cycle(&[1, 11, 21])?;
    // The demo's time is set by hand: it starts two days before the cycle.
    let before = cycle.at.checked_sub(SignedDuration::from_hours(48)).unwrap_or(cycle.at);
    let clock = Clock::manual(before);
    let sandbox = sandbox(arguments, &clock).await?;
    sandbox.hipay(|hipay| {
        hipay.reviews = Reviews::ByHand;
        hipay.life = Life::pending("AUTHORIZED", Until::ByHand, Ending::Captured);
    });
    populate(&sandbox, &market(arguments, cycle.date))
        .map_err(|error| Failed::new(Exit::Machine, error.to_string()))?;
    let context = connect(folder, &sandbox.credentials().parameters_yml(), clock.clone()).await?;
    let stop = CancellationToken::new();
    listen(stop.clone());
    let rounds = if arguments.fault_rate == 0 { 1 } else { ROUNDS };
    let mut story = DemoCycle { context, progress, stop, batches: Vec::new(), rounds };
    story.cycle(&sandbox, &clock, cycle).await?;

    let DemoCycle { context, stop, batches, .. } = story;
    let (statuses, vendors) = count(&context).await?;
    let witness = witness(&sandbox);
    let calls = sandbox.traffic(|traffic| traffic.total());
    let stopped = stop.is_cancelled();
    tokio::task::spawn_blocking(move || context.store.close())
        .await
        .map_err(|error| Failed::new(Exit::Machine, format!("the demo's store did not close: {error}")))??;
    Ok(DemoReport { cycle, batches, statuses, vendors, witness, calls, stopped })
}

/// The batches of one cycle, as an operator's cron jobs would run them.
struct DemoCycle {
    context: Context,
    progress: Arc<dyn BatchProgress>,
    stop: CancellationToken,
    batches: Vec<BatchRecord>,
    /// Maximum number of runs of each batch.
    rounds: usize,
}

impl DemoCycle {
    async fn cycle(&mut self, sandbox: &Sandbox, clock: &Clock, cycle: Cycle) -> Result<(), Failed> {
        let vendors = Command::VendorProcess { since: None };
        self.run(&vendors).await?;
        sandbox.hipay(HipayModel::settle_reviews);
        clock.advance(SignedDuration::from_hours(24));
        // HiPay has reviewed documents and bank details; the next run gets the result.
        self.run(&vendors).await?;
        clock.set(cycle.end);
        clock.advance(SignedDuration::from_hours(24));
        self.run(&Command::CashoutGenerate(GenerateArguments::default())).await?;
        self.pay(sandbox, &Command::CashoutTransfer).await?;
        self.pay(sandbox, &Command::CashoutWithdraw).await
    }

    /// Pays, lets HiPay execute the payments, and looks up the outcome.
    async fn pay(&mut self, sandbox: &Sandbox, command: &Command) -> Result<(), Failed> {
        self.run(command).await?;
        sandbox.hipay(HipayModel::settle_transactions);
        self.run(&Command::TransactionStatusSync).await
    }

    /// Runs one batch; repeats it while single calls fail.
    async fn run(&mut self, command: &Command) -> Result<(), Failed> {
        for round in 1..=self.rounds {
            if self.stop.is_cancelled() {
                return Ok(());
            }
            let (progress, stop) = (Arc::clone(&self.progress), self.stop.clone());
            match jobs::run(&self.context, command, "demo", progress, stop).await {
                Ok(record) => {
                    let whole = matches!(record.state(), BatchState::Done | BatchState::Interrupted);
                    let no_better = self.batches.last().is_some_and(|last| {
                        last.command == record.command && about(&last.failures) == about(&record.failures)
                    });
                    self.batches.push(record);
                    if whole || no_better {
                        return Ok(());
                    }
                }
                Err(jobs::JobError::Remote(reason)) if round < self.rounds => {
                    notice(&format!("{}: {reason}; running it once more", command.name()));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Returns the failures as a set, independent of their order.
fn about(failures: &[Failure]) -> BTreeSet<(Option<u64>, Option<&String>, &str)> {
    failures.iter().map(|one| (one.subject.mirakl_id, one.subject.voucher.as_ref(), one.message.text())).collect()
}
