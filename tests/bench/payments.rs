//! Operations paid per second through transfer, sync, withdrawal and sync, against the sandbox,
//! compared with the minimum that HiPay's latency allows and with calls that do nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cashout::admin::wiring::{self, Wiring};
use cashout::config::Config;
use cashout::domain::money::{Amount, Currency};
use cashout::domain::operation::{Operation, PaymentKind, Status};
use cashout::domain::vendor::Vendor;
use cashout::jobs::{self, Command, Context, GenerateArguments, Silent};
use cashout::platform::clock::Clock;
use cashout::remote::hipay::ActingOn;
use cashout::sandbox::{Account, Endpoint, Kind, Place, Remote, Sandbox, SandboxOptions, Shop, Voucher};
use cashout::store::{StoreError, View};
use futures_util::{StreamExt, stream};
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::records::{amount_of, cycle, wallet_of};
use crate::table::{number, rate};
use crate::{Scale, machine, table};

/// HiPay's calls in flight; the setting's default.
const IN_FLIGHT: u32 = 8;

const IBAN: &str = "FR1420041010050500013M02606";

const AN_HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Prints the time of each batch, without latency and with HiPay's, and the calls per operation.
pub(crate) fn measure(scale: Scale) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for (latency, vouchers, with_commissions) in [(0, 5_000, false), (20, 5_000, false), (20, 400, true)] {
        let vouchers = scale.of(vouchers);
        let market = runtime.block_on(Market::new(Duration::from_millis(latency), vouchers, with_commissions));
        runtime.block_on(market.measure());
    }
}

/// A sandbox with sellers, and a store that knows them and their vouchers.
struct Market {
    sandbox: Sandbox,
    context: Context,
    latency: Duration,
    vouchers: u64,
    operations: u64,
    _folder: tempfile::TempDir,
}

impl Market {
    async fn new(latency: Duration, vouchers: u64, with_commissions: bool) -> Self {
        let clock = Clock::manual(cycle() - SignedDuration::from_hours(24));
        let options = SandboxOptions { clock: clock.clone(), latency, ..SandboxOptions::default() };
        let sandbox = Sandbox::start(options).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("parameters.yml");
        let settings = format!("{}    hipay.maxConcurrency: {IN_FLIGHT}\n", sandbox.credentials().parameters_yml());
        std::fs::write(&file, settings).unwrap();
        let (data, wiring) = (folder.path().join("data"), Wiring { clock: clock.clone(), ..Wiring::default() });
        let context = tokio::task::spawn_blocking(move || {
            let config = Config::load(&file, std::iter::empty()).unwrap_or_else(|errors| panic!("{errors}"));
            wiring::open(config, &data, &wiring).unwrap()
        });
        let context = context.await.unwrap();
        cashout::jobs::bind(&context).await.unwrap();
        // The day after the cycle, before which the store was created and bound.
        clock.advance(SignedDuration::from_hours(55));
        let operations = if with_commissions { 2 * vouchers } else { vouchers };
        let market = Self { sandbox, context, latency, vouchers, operations, _folder: folder };
        market.fill(with_commissions).await;
        market
    }

    /// Adds one voucher per seller, so that no wallet's balance or account serves two withdrawals.
    async fn fill(&self, with_commissions: bool) {
        let technical = self.sandbox.credentials().technical_id;
        let email = |shop: u64| format!("seller{shop}@shops.example");
        self.sandbox.hipay(|hipay| {
            for shop in 1..=self.vouchers {
                hipay.add(Account::new(wallet_of(shop), &email(shop)).ready(IBAN));
            }
            hipay.fund(technical, Amount::from_minor(1_000_000_000_000, Currency::EUR)).unwrap();
        });
        self.sandbox.mirakl(|mirakl| {
            for id in 1..=self.vouchers {
                let mut shop = Shop::new(id, &format!("Shop {id}"));
                (shop.email, shop.hipay_process) = (Some(email(id)), Some(true));
                mirakl.shops.push(shop);
                let voucher = Voucher::new(1_000_000 + id, id, &amount_of(id).decimal(), cycle() + AN_HOUR);
                let commission = amount_of(id + 1).decimal();
                mirakl.vouchers.push(if with_commissions { voucher.commission(&commission) } else { voucher });
            }
        });
        let (now, vouchers) = (self.context.clock.now(), self.vouchers);
        let filled = self.context.store.write(move |writer| {
            for shop in 1..=vouchers {
                let mut vendor = Vendor::new(shop, now);
                vendor.email = format!("seller{shop}@shops.example");
                vendor.hipay_id = Some(wallet_of(shop));
                vendor.identified = true;
                writer.put(&vendor)?;
            }
            Ok::<_, StoreError>(())
        });
        filled.await.unwrap();
        let generate = Command::CashoutGenerate(GenerateArguments::default());
        let (silent, cancelled) = (Arc::new(Silent), CancellationToken::new());
        let batch = jobs::run(&self.context, &generate, "benchmark", silent, cancelled).await.unwrap();
        assert_eq!(batch.failed, 0, "{:?}", batch.failures);
        let made = self.context.store.read(|reader| reader.count(Operation::BY_STATUS, Status::Created.code()));
        assert_eq!(made.unwrap(), self.operations);
    }

    /// Runs the day's batches one after the other.
    async fn measure(&self) {
        let before = self.bare_call().await;
        let mut stages = Vec::new();
        for command in [
            Command::CashoutTransfer,
            Command::TransactionStatusSync,
            Command::CashoutWithdraw,
            Command::TransactionStatusSync,
        ] {
            stages.push(self.stage(command).await);
        }
        self.verify();
        // The sandbox becomes slower the more it has executed.
        let bare = (before + self.bare_call().await) / 2;
        let commissions = self.operations - self.vouchers;
        let title = format!(
            "payments: {} operations, {commissions} of them commissions; latency {} ms, {IN_FLIGHT} in flight",
            self.operations,
            self.latency.as_millis()
        );
        let head = [
            "",
            "time",
            "operations /s",
            "HiPay calls",
            "Mirakl calls",
            "floor",
            "ratio",
            "bare calls",
            "ratio",
            "processors",
        ];
        let rows: Vec<Vec<String>> = stages.iter().map(|stage| self.row(stage, bare)).collect();
        table::print(&title, &head, &rows);
        let each = |stages: &mut dyn Iterator<Item = &Stage>| {
            number(stages.map(|stage| stage.calls).sum()) / number(self.operations)
        };
        let paying = |stage: &&Stage| !matches!(stage.command, Command::TransactionStatusSync);
        let (all, paid) = (each(&mut stages.iter()), each(&mut stages.iter().filter(paying)));
        println!("  HiPay calls an operation: {all:.3}, without the two syncs {paid:.3}");
        if !self.latency.is_zero() {
            let floor: Duration = stages.iter().map(|stage| self.floor(stage, self.latency)).sum();
            let time: Duration = stages.iter().map(|stage| stage.time).sum();
            println!("  all four batches: {:.2} of their floor", time.as_secs_f64() / floor.as_secs_f64());
        }
    }

    async fn stage(&self, command: Command) -> Stage {
        let before = self.calls();
        let (begun, processor) = (Instant::now(), machine::processor_time());
        let batch =
            jobs::run(&self.context, &command, "benchmark", Arc::new(Silent), CancellationToken::new()).await.unwrap();
        let (time, processor) = (begun.elapsed(), machine::processor_time().saturating_sub(processor));
        let after = self.calls();
        let (calls, mirakl_calls) = (after.0 - before.0, after.1 - before.1);
        assert_eq!((batch.done, batch.failed), (self.operations, 0), "{:?}", batch.failures);
        assert!(self.sandbox.traffic(|traffic| traffic.most_in_flight(Remote::Hipay)) <= IN_FLIGHT);
        Stage { command, time, processor, calls, mirakl_calls }
    }

    /// Returns the calls of HiPay and of Mirakl so far.
    fn calls(&self) -> (u64, u64) {
        self.sandbox.traffic(|traffic| (traffic.total_of(Remote::Hipay), traffic.total_of(Remote::Mirakl)))
    }

    /// Returns the minimum time that the latency allows: [`IN_FLIGHT`] calls at once, but the
    /// operator's withdrawals one after the other.
    fn floor(&self, stage: &Stage, call: Duration) -> Duration {
        let alone = match stage.command {
            Command::CashoutWithdraw => self.operations - self.vouchers,
            Command::VendorProcess { .. }
            | Command::CashoutGenerate(_)
            | Command::CashoutTransfer
            | Command::TransactionStatusSync => 0,
        };
        let times = |calls: u64| call * u32::try_from(calls).unwrap();
        times(alone).max(times(stage.calls) / IN_FLIGHT)
    }

    fn row(&self, stage: &Stage, bare_call: Duration) -> Vec<String> {
        let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
        let (floor, bare) = (self.floor(stage, self.latency), self.floor(stage, bare_call));
        let ratio = |to: Duration| {
            if to.is_zero() { "–".to_owned() } else { format!("{:.2}", stage.time.as_secs_f64() / to.as_secs_f64()) }
        };
        vec![
            stage.command.name().to_owned(),
            seconds(stage.time),
            format!("{:.0}", rate(self.operations, stage.time)),
            stage.calls.to_string(),
            stage.mirakl_calls.to_string(),
            seconds(floor),
            ratio(floor),
            seconds(bare),
            ratio(bare),
            format!("{:.2}", stage.processor.as_secs_f64() / stage.time.as_secs_f64()),
        ]
    }

    /// Measures a call that only reads a balance, with the same number in flight.
    async fn bare_call(&self) -> Duration {
        let calls = 2_000;
        let begun = Instant::now();
        stream::iter(0..calls)
            .for_each_concurrent(usize::try_from(IN_FLIGHT).unwrap(), |_| async {
                self.context.hipay.balance(ActingOn::Technical).await.unwrap();
            })
            .await;
        begun.elapsed() * IN_FLIGHT / calls
    }

    /// Checks that HiPay's ledger has each operation once, to the cent, and that the store agrees.
    fn verify(&self) {
        self.sandbox.verify_once().unwrap();
        let done = self.context.store.read(|reader| {
            let id = Status::WithdrawSuccess.code();
            reader.count(Operation::BY_STATUS, id)
        });
        assert_eq!(done.unwrap(), self.operations);
        for endpoint in [Endpoint::Transfer, Endpoint::Withdrawal] {
            assert_eq!(self.sandbox.traffic(|traffic| traffic.count(endpoint)), self.operations);
        }
        let owed = self.owed();
        for kind in [PaymentKind::Transfer, PaymentKind::Withdrawal] {
            let paid = self.sandbox.hipay(|hipay| {
                hipay.ledger.sum_by(Currency::EUR, |entry| match (kind, entry.kind, &entry.from, &entry.to) {
                    (PaymentKind::Transfer, Kind::Transfer, _, Place::Account(wallet))
                    | (PaymentKind::Withdrawal, Kind::Withdrawal, Place::Account(wallet), _) => Some(*wallet),
                    _ => None,
                })
            });
            assert!(paid == owed, "the {}s are not what was owed", kind.name());
        }
    }

    /// Returns the amount that the vouchers owed each account.
    fn owed(&self) -> BTreeMap<u64, Amount> {
        let operator = self.sandbox.credentials().operator_id;
        let commissions = self.operations - self.vouchers;
        let mut owed: BTreeMap<u64, Amount> = (1..=self.vouchers).map(|id| (wallet_of(id), amount_of(id))).collect();
        for id in 1..=commissions {
            let sum = owed.entry(operator).or_insert(Amount::zero(Currency::EUR));
            *sum = sum.checked_add(amount_of(id + 1)).unwrap();
        }
        owed
    }
}

/// Measurements of one batch.
struct Stage {
    command: Command,
    time: Duration,
    processor: Duration,
    /// Number of HiPay's calls.
    calls: u64,
    mirakl_calls: u64,
}
