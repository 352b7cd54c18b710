//! `cashout demo`: a whole cycle of a marketplace on the embedded sandbox.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::batch::listen;
use super::output::{notice, print, print_json, table};
use super::{DemoArgs, Exit, Failed, Global, progress, runtime};
use crate::app::{self, Wiring};
use crate::clock::Clock;
use crate::config::Config;
use crate::cycle::{Calendar, Cycle};
use crate::jobs::{self, BatchRecord, BatchState, Command, Context, Failure, GenerateArguments, Progress};
use crate::money::Amount;
use crate::operation::{Operation, PaymentKind, Status};
use crate::remote::Manners;
use crate::sandbox::shops::{Market, populate};
use crate::sandbox::{HipayModel, Life, Reviews, Sandbox, SandboxOptions};
use crate::store::{Listing, Query, StoreError, View};
use crate::vendor::{Vendor, WalletStatus};

/// How often what chance spoiled is run again.
const ROUNDS: usize = 4;

pub(super) fn run(global: &Global, arguments: &DemoArgs) -> Result<Exit, Failed> {
    let folder = Folder::create()?;
    let began = Instant::now();
    let told = runtime()?.block_on(demo(&folder.0, arguments, progress::choose(global.json)))?;
    tell(&told, arguments, began.elapsed(), global.json)?;
    Ok(if told.stopped {
        Exit::Stopped
    } else if told.witness.is_err() {
        Exit::Failures
    } else {
        Exit::Done
    })
}

/// A private folder that is gone when the demo is over.
struct Folder(PathBuf);

impl Folder {
    fn create() -> Result<Self, Failed> {
        use std::os::unix::fs::DirBuilderExt;
        let folder = std::env::temp_dir().join(format!("cashout-demo-{}", std::process::id()));
        std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left in the temporary folder harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What the demo has to show.
struct Told {
    cycle: Cycle,
    batches: Vec<BatchRecord>,
    /// Status, number of operations, their amounts.
    statuses: Vec<(Status, u64, Vec<Amount>)>,
    /// Shop, name, what is wrong.
    vendors: Vec<(u64, String, String)>,
    /// Payments that HiPay's own ledger shows, or what is wrong with it.
    witness: Result<usize, Vec<String>>,
    calls: u64,
    stopped: bool,
}

async fn demo(folder: &Path, arguments: &DemoArgs, progress: Arc<dyn Progress>) -> Result<Told, Failed> {
    let cycle = last_cycle()?;
    // The demo's time is turned by hand: it begins two days before the cycle.
    let before = cycle.at.checked_sub(SignedDuration::from_hours(48)).unwrap_or(cycle.at);
    let clock = Clock::turned_by_hand(before);
    let sandbox = Sandbox::start(SandboxOptions {
        seed: arguments.seed,
        clock: clock.clone(),
        latency: Duration::from_millis(u64::from(arguments.latency_ms)),
        fault_rate_percent: arguments.fault_rate,
        lost_answers_percent: 0,
    })
    .await
    .map_err(|error| Failed::new(Exit::Machine, error.to_string()))?;
    sandbox.hipay(|hipay| {
        hipay.reviews = Reviews::ByHand;
        hipay.life = Life::pending("AUTHORIZED", crate::sandbox::Until::ByHand, crate::sandbox::Ending::Captured);
    });
    let market = Market {
        count: usize::try_from(arguments.shops).unwrap_or(40),
        seed: arguments.seed,
        cycles: vec![cycle.date],
        zone: time_zone(),
    };
    populate(&sandbox, &market).map_err(|error| Failed::new(Exit::Machine, error.to_string()))?;
    let context = connect(&sandbox, folder, clock.clone()).await?;
    let stop = CancellationToken::new();
    listen(stop.clone());
    let rounds = if arguments.fault_rate == 0 { 1 } else { ROUNDS };
    let mut story = Story { context, progress, stop, batches: Vec::new(), rounds };
    story.cycle(&sandbox, &clock, cycle).await?;

    let Story { context, stop, batches, .. } = story;
    let (statuses, vendors) = look(&context).await?;
    let witness = sandbox.verify_once().map(|()| sandbox.hipay(|hipay| hipay.ledger.paid().count()));
    let calls = sandbox.traffic(|traffic| traffic.total());
    let stopped = stop.is_cancelled();
    tokio::task::spawn_blocking(move || context.store.close())
        .await
        .map_err(|error| Failed::new(Exit::Machine, format!("the demo's store did not close: {error}")))??;
    Ok(Told { cycle, batches, statuses, vendors, witness, calls, stopped })
}

fn time_zone() -> TimeZone {
    TimeZone::get("Europe/Paris").unwrap_or(TimeZone::UTC)
}

/// The last cycle before today, by the default calendar.
fn last_cycle() -> Result<Cycle, Failed> {
    let calendar = Calendar {
        days: vec![1, 11, 21],
        hour: 0,
        minute: 0,
        before: SignedDuration::from_hours(12),
        after: SignedDuration::from_hours(12),
        time_zone: time_zone(),
    };
    let today = calendar.day_of(Clock::system().now());
    let cycle = calendar.last_before(today).and_then(|date| calendar.cycle(date).ok());
    cycle.ok_or_else(|| Failed::new(Exit::Machine, format!("the machine's clock is wrong: it says {today}")))
}

/// The same wiring as everywhere, on the sandbox's own configuration file.
async fn connect(sandbox: &Sandbox, folder: &Path, clock: Clock) -> Result<Context, Failed> {
    let file = folder.join("parameters.yml");
    std::fs::write(&file, sandbox.credentials().parameters_yml())?;
    let folder = folder.to_owned();
    let opened = tokio::task::spawn_blocking(move || {
        let config =
            Config::load(&file, std::iter::empty()).map_err(|errors| Failed::new(Exit::Machine, errors.to_string()))?;
        // Faults are there to be seen and got over, not to be waited for.
        let manners = Manners {
            timeout: Duration::from_secs(2),
            first_wait: Duration::from_millis(20),
            longest_wait: Duration::from_millis(200),
            longest_asked: Duration::from_millis(200),
            ..Manners::default()
        };
        Ok(app::open(config, &folder.join("data"), &Wiring { clock, manners, ..Wiring::default() })?)
    });
    opened.await.map_err(|error| Failed::new(Exit::Machine, error.to_string()))?
}

/// The batches of one cycle, as an operator's cron jobs would run them.
struct Story {
    context: Context,
    progress: Arc<dyn Progress>,
    stop: CancellationToken,
    batches: Vec<BatchRecord>,
    /// How often what chance spoiled is run again.
    rounds: usize,
}

impl Story {
    async fn cycle(&mut self, sandbox: &Sandbox, clock: &Clock, cycle: Cycle) -> Result<(), Failed> {
        let vendors = Command::VendorProcess { since: None };
        self.run(&vendors).await?;
        sandbox.hipay(HipayModel::settle_reviews);
        clock.advance(SignedDuration::from_hours(24));
        // HiPay has looked at documents and bank details; the next run sees it.
        self.run(&vendors).await?;
        clock.set(cycle.end);
        clock.advance(SignedDuration::from_hours(24));
        self.run(&Command::CashoutGenerate(GenerateArguments::default())).await?;
        self.pay(sandbox, &Command::CashoutTransfer).await?;
        self.pay(sandbox, &Command::CashoutWithdraw).await
    }

    /// Pays, lets HiPay execute, and asks what became of it.
    async fn pay(&mut self, sandbox: &Sandbox, command: &Command) -> Result<(), Failed> {
        self.run(command).await?;
        sandbox.hipay(HipayModel::settle_transactions);
        self.run(&Command::TransactionStatusSync).await
    }

    /// One batch; once more while single calls failed on the way.
    async fn run(&mut self, command: &Command) -> Result<(), Failed> {
        for round in 1..=self.rounds {
            if self.stop.is_cancelled() {
                return Ok(());
            }
            let (progress, stop) = (Arc::clone(&self.progress), self.stop.clone());
            match jobs::run(&self.context, command, "demo", progress, stop).await {
                Ok(record) => {
                    let whole = record.failed == 0 || record.state != BatchState::Done;
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

/// What failed, in an order of its own.
fn about(failures: &[Failure]) -> BTreeSet<(Option<u64>, Option<&String>, &String)> {
    failures.iter().map(|one| (one.subject.mirakl_id, one.subject.voucher.as_ref(), &one.message)).collect()
}

type Looked = (Vec<(Status, u64, Vec<Amount>)>, Vec<(u64, String, String)>);

/// The store's own account of it.
async fn look(context: &Context) -> Result<Looked, StoreError> {
    let look = |reader: &crate::store::Reader<'_>| {
        let mut statuses = Vec::new();
        for status in Status::ALL {
            let count = reader.count::<Operation>("status", status.code())?;
            let operations = reader.page::<Operation>(&Query::group("status", status.code()).limit(20_000))?.items;
            let mut sums: Vec<Amount> = Vec::new();
            for amount in operations.iter().map(|operation| operation.amount) {
                match sums.iter_mut().find(|sum| sum.currency() == amount.currency()) {
                    Some(sum) => *sum = sum.checked_add(amount).unwrap_or(*sum),
                    None => sums.push(amount),
                }
            }
            if count > 0 {
                statuses.push((status, count, sums));
            }
        }
        let warning = WalletStatus::ALL.map(|wallet| ("warning", wallet.name()));
        let warned = reader.list::<Vendor>(&Listing::any_of("status", warning).limit(5_000))?.items;
        let mut vendors: Vec<_> = warned
            .into_iter()
            .map(|vendor| (vendor.mirakl_id, vendor.name.clone(), vendor.reasons().collect::<Vec<_>>().join("; ")))
            .collect();
        vendors.sort_unstable();
        Ok((statuses, vendors))
    };
    context.store.reading(look).await
}

fn tell(told: &Told, arguments: &DemoArgs, took: Duration, json: bool) -> Result<(), Failed> {
    if json {
        return print_json(&as_json(told));
    }
    let local = |instant: Timestamp| instant.to_zoned(time_zone()).strftime("%Y-%m-%d %H:%M").to_string();
    print(&format!(
        "\n{} shops, cycle of {} (vouchers from {} to {}), seed {}\n",
        arguments.shops,
        told.cycle.date,
        local(told.cycle.start),
        local(told.cycle.end),
        arguments.seed
    ))?;
    let rows: Vec<Vec<String>> = told
        .batches
        .iter()
        .map(|batch| {
            let counts: Vec<String> = batch.counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
            vec![batch.command.clone(), batch.total.to_string(), batch.failed.to_string(), counts.join(", ")]
        })
        .collect();
    print(&table(&["Batch", "Items", "Trouble", "What came of it"], &rows, &[1, 2]))?;

    let rows: Vec<Vec<String>> = told
        .statuses
        .iter()
        .map(|(status, count, sums)| {
            let (transfer, withdraw) = status.columns();
            let sums = sums.iter().map(ToString::to_string).collect::<Vec<_>>().join(" + ");
            let (transfer, withdraw) = (transfer.text(PaymentKind::Transfer), withdraw.text(PaymentKind::Withdrawal));
            vec![status.to_string(), transfer.to_owned(), withdraw.to_owned(), count.to_string(), sums]
        })
        .collect();
    print("")?;
    print(&table(&["Operations", "Transfer", "Withdraw", "Number", "Amount"], &rows, &[3, 4]))?;

    if !told.vendors.is_empty() {
        let rows: Vec<Vec<String>> =
            told.vendors.iter().map(|(id, name, why)| vec![id.to_string(), name.clone(), why.clone()]).collect();
        print("")?;
        print(&table(&["Shop", "Name", "Needs attention because"], &rows, &[0]))?;
    }
    print("")?;
    match &told.witness {
        Ok(payments) => print(&format!(
            "HiPay's own ledger shows {payments} payments, each reference once, every balance to the cent ({} calls, {:.1?}).",
            told.calls, took
        ))?,
        Err(wrong) => print(&format!("HiPay's own ledger disagrees:\n  {}", wrong.join("\n  ")))?,
    }
    print(
        "\nWhere to look next:\n  cashout --help                      every command\n  \
         config/parameters.yml               every setting, with its default\n  \
         cashout check --config FILE         what is wrong with your own settings, and the mend\n  \
         cashout demo --seed 2 --fault-rate 10   another marketplace, on a bad line",
    )
}

fn as_json(told: &Told) -> serde_json::Value {
    let statuses: Vec<_> = told
        .statuses
        .iter()
        .map(|(status, count, sums)| {
            let sums: Vec<_> =
                sums.iter().map(|sum| json!({ "amount": sum.decimal(), "currency": sum.currency().code() })).collect();
            json!({ "status": status.name(), "code": status.code(), "count": count, "amounts": sums })
        })
        .collect();
    let vendors: Vec<_> =
        told.vendors.iter().map(|(id, name, why)| json!({ "mirakl_id": id, "name": name, "message": why })).collect();
    let (payments, wrong) = match &told.witness {
        Ok(payments) => (Some(payments), None),
        Err(wrong) => (None, Some(wrong)),
    };
    json!({
        "cycle": told.cycle.date,
        "operations": statuses,
        "vendors_with_warnings": vendors,
        "payments": payments,
        "ledger_errors": wrong,
        "calls": told.calls,
    })
}
