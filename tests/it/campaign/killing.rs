//! A separate process that runs one batch and can be killed. It is this test binary, because the real
//! binary's clock cannot be set.

use std::path::PathBuf;
use std::process::{Command as Process, Stdio};
use std::sync::Arc;
use std::time::Duration;

use cashout::admin::wiring::{self, Wiring};
use cashout::config::Config;
use cashout::jobs::{self, Command, GenerateArguments, Silent};
use cashout::platform::clock::Clock;
use cashout::sandbox::{Endpoint, Moment, Remote};
use tokio_util::sync::CancellationToken;

use super::Campaign;
use crate::world::{World, manners};

/// The order for the process: configuration, data folder, time and batch, one per line.
const ORDER: &str = "CASHOUT_CAMPAIGN_ORDER";

/// Returns the batches that a campaign runs.
pub(super) fn batches() -> [Command; 5] {
    [
        Command::VendorProcess { since: None },
        Command::CashoutGenerate(GenerateArguments::default()),
        Command::CashoutTransfer,
        Command::TransactionStatusSync,
        Command::CashoutWithdraw,
    ]
}

/// Runs the batch that a campaign has ordered; without an order it does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_as_a_process_of_its_own() {
    let Ok(order) = std::env::var(ORDER) else { return };
    let lines: Vec<&str> = order.lines().collect();
    let [configuration, data, time, batch] = lines.as_slice() else { panic!("not an order: {order}") };
    let (configuration, data) = (PathBuf::from(configuration), PathBuf::from(data));
    let clock = Clock::manual(time.parse().unwrap());
    let wiring = Wiring { clock, manners: manners(), ..Wiring::default() };
    let open = move || {
        let config = Config::load(&configuration, std::iter::empty()).unwrap_or_else(|errors| panic!("{errors}"));
        wiring::open(config, &data, &wiring).unwrap()
    };
    let context = tokio::task::spawn_blocking(open).await.unwrap();
    let command = batches().into_iter().find(|one| one.name() == *batch).unwrap();
    // The campaign judges the outcome.
    let _ = jobs::run(&context, &command, "test", Arc::new(Silent), CancellationToken::new()).await;
}

impl World {
    /// Returns a command of the test binary that runs one batch of this world.
    fn process_of(&self, command: &Command) -> Process {
        let (configuration, data) = (self.configuration(), self.data());
        let order =
            format!("{}\n{}\n{}\n{}", configuration.display(), data.display(), self.clock.now(), command.name());
        let mut process = Process::new(std::env::current_exe().unwrap());
        process.args(["campaign::killing::a_batch_as_a_process_of_its_own", "--exact"]).env(ORDER, order);
        process.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        process
    }
}

/// Returns the calls at which a batch is killed.
fn calls(command: &Command) -> &'static [Endpoint] {
    match command {
        Command::VendorProcess { .. } => {
            &[Endpoint::Shops, Endpoint::CreateAccount, Endpoint::RegisterBank, Endpoint::SendDocument]
        }
        Command::CashoutGenerate(_) => &[Endpoint::Invoices, Endpoint::BillingCycles, Endpoint::Balance],
        Command::CashoutTransfer => {
            &[Endpoint::Transfer, Endpoint::Transfer, Endpoint::Transaction, Endpoint::Transactions, Endpoint::Balance]
        }
        Command::CashoutWithdraw => {
            &[Endpoint::Withdrawal, Endpoint::Withdrawal, Endpoint::Transaction, Endpoint::Balance]
        }
        Command::TransactionStatusSync => &[Endpoint::Transaction, Endpoint::Transactions],
    }
}

impl Campaign {
    /// Runs `command` in a separate process and kills it at some call, if it makes that call.
    pub(super) async fn kill(&mut self, command: &Command) -> String {
        let endpoint = *self.rng.choice(calls(command)).unwrap();
        let moment = *self.rng.choice([Moment::Before, Moment::After].iter()).unwrap();
        // Later ones are reached less often: a batch has few of each.
        let nth = if self.rng.bool() { 1 } else { self.rng.u32(1..4) };
        let executed_later = self.rng.bool();
        self.world.release_store().await;
        let mut pause = self.world.sandbox.pause_at(endpoint, moment, nth);
        let mut process = self.world.process_of(command);
        let mut child = process.spawn().unwrap();
        let looking = async {
            let mut look = tokio::time::interval(Duration::from_millis(2));
            let mut reaching = std::pin::pin!(pause.reached());
            loop {
                tokio::select! {
                    reached = &mut reaching => {
                        assert!(reached);
                        return true;
                    }
                    _ = look.tick() => if let Some(ended) = child.try_wait().unwrap() {
                        assert!(ended.success(), "a process of the campaign has failed");
                        return false;
                    }
                }
            }
        };
        let killed = tokio::time::timeout(Duration::from_mins(2), looking).await;
        let killed = killed.unwrap_or_else(|_| panic!("{} does not end", command.name()));
        if killed {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        if executed_later {
            pause.release();
        } else {
            pause.discard();
        }
        self.remotes_are_at_rest().await;
        self.world.restart().await;
        if killed {
            self.story.meet(format!("killed: {} at {endpoint:?}", command.name()));
        }
        format!("{} {} {moment:?} {endpoint:?} {nth}", command.name(), if killed { "killed" } else { "not killed" })
    }
    /// Waits until the requests of a dead process are finished: a remote continues after its client is gone.
    async fn remotes_are_at_rest(&self) {
        let mut before = None;
        loop {
            let lines = self.world.sandbox.hipay(|hipay| hipay.ledger.executed().len());
            let under_way = self
                .world
                .sandbox
                .traffic(|traffic| traffic.in_flight(Remote::Hipay) > 0 || traffic.in_flight(Remote::Mirakl) > 0);
            if !under_way && before == Some(lines) {
                return;
            }
            before = Some(lines);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
