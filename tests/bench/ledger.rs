//! Reading 92 days of HiPay's ledger: the memory must not grow with the length of the ledger.
//!
//! The measured process is separate from the sandbox's.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Instant;

use cashout::admin::wiring::{self, Wiring};
use cashout::config::Config;
use cashout::domain::ledger::{LedgerEntry, LedgerMatch};
use cashout::domain::money::{Amount, Currency};
use cashout::jobs::{self, Command, Silent};
use cashout::platform::clock::Clock;
use cashout::sandbox::{Account, Kind, OtherPayment, Sandbox, SandboxOptions};
use cashout::store::View;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::records::{cycle, wallet_of};
use crate::table::{number, rate};
use crate::{Scale, machine, table};

/// First argument of a process that runs a part separately from the sandbox.
pub(crate) const CHILD: &str = "--ledger-child";

/// HiPay's longest interval of a list, in hours.
const HOURS: i64 = 92 * 24;

/// Upper bound on the additional memory for the longest ledger compared with the next shorter one, in MiB.
const MAX_MORE: u64 = 16;

/// The wallets that the payments go to.
const WALLETS: u64 = 500;

/// Prints time and memory of the reading at each length.
pub(crate) fn measure(scale: Scale) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let lengths = [scale.of(10_000), scale.of(100_000), scale.of(200_000), scale.of(300_000)];
    let measured = lengths.map(|entries| runtime.block_on(measure_length(entries)));
    let head = ["entries", "time s", "entries /s", "memory more at the peak, MiB", "store MiB"];
    table::print("ledger: 92 days read in one run", &head, &measured.each_ref().map(|(_, row)| row.clone()));
    let [_, _, (long, _), (longest, _)] = measured;
    // The store's cache fills first; from then on no entry may use memory.
    assert!(longest <= long + MAX_MORE, "the memory grows with the ledger: {long} and {longest} MiB");
}

/// Returns the additional memory of one reading, in MiB, and its row of the table.
async fn measure_length(entries: u64) -> (u64, Vec<String>) {
    let clock = Clock::manual(begins());
    let sandbox = Sandbox::start(SandboxOptions { clock: clock.clone(), ..SandboxOptions::default() }).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("parameters.yml"), sandbox.credentials().parameters_yml()).unwrap();
    run(folder.path(), "bind").await;
    fill(&sandbox, &clock, entries);
    clock.set(cycle());
    let told = run(folder.path(), &entries.to_string()).await;
    let row: Vec<String> =
        std::iter::once(entries.to_string()).chain(told.split_whitespace().map(str::to_owned)).collect();
    (row.get(3).and_then(|grown| grown.parse().ok()).unwrap(), row)
}

/// Runs this program as a child, and returns its output.
async fn run(folder: &Path, what: &str) -> String {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args([CHILD, what]).arg(folder).stderr(Stdio::inherit());
    // The sandbox continues to answer meanwhile.
    let output = tokio::task::spawn_blocking(move || child.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "the child failed");
    String::from_utf8(output.stdout).unwrap()
}

/// Binds a new store long ago, or reads a ledger of this number of entries now.
pub(crate) fn child(what: &str, folder: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    match what.parse() {
        Ok(entries) => println!("{}", runtime.block_on(read(folder, entries)).join(" ")),
        Err(_) => runtime.block_on(async {
            jobs::bind(&context(folder, begins()).await).await.unwrap();
        }),
    }
}

/// Returns the beginning of the ledger.
fn begins() -> Timestamp {
    cycle() - SignedDuration::from_hours(HOURS + 24)
}

async fn read(folder: &Path, entries: u64) -> Vec<String> {
    let context = context(folder, cycle()).await;
    machine::forget_the_peak();
    let (before, begun) = (machine::resident_mib(), Instant::now());
    let (silent, cancelled) = (Arc::new(Silent), CancellationToken::new());
    let batch = jobs::run(&context, &Command::CashoutTransfer, "benchmark", silent, cancelled).await.unwrap();
    let (time, grown) = (begun.elapsed(), machine::peak_mib().saturating_sub(before));
    assert_eq!(batch.failed, 0, "{:?}", batch.failures);
    for (matched, expected) in [(LedgerMatch::Orphan, entries / 10), (LedgerMatch::Foreign, entries / 10 * 9)] {
        let kept = context.store.read(|reader| reader.count(LedgerEntry::BY_MATCH, matched)).unwrap();
        assert_eq!(kept, expected, "{matched:?}");
    }
    let store = context.store.size().unwrap().file.div_euclid(1024 * 1024);
    vec![
        format!("{:.1}", time.as_secs_f64()),
        format!("{:.0}", rate(entries, time)),
        grown.to_string(),
        format!("{:.0}", number(store)),
    ]
}

async fn context(folder: &Path, now: Timestamp) -> jobs::Context {
    let (file, data) = (folder.join("parameters.yml"), folder.join("data"));
    let wiring = Wiring { clock: Clock::manual(now), ..Wiring::default() };
    let opened = tokio::task::spawn_blocking(move || {
        let config = Config::load(&file, std::iter::empty()).unwrap_or_else(|errors| panic!("{errors}"));
        wiring::open(config, &data, &wiring).unwrap()
    });
    opened.await.unwrap()
}

/// Makes 92 days of an account: settlements of sales that fund it, and the payments of another installation in between.
fn fill(sandbox: &Sandbox, clock: &Clock, entries: u64) {
    let technical = sandbox.credentials().technical_id;
    let amount = Amount::from_minor(100, Currency::EUR);
    sandbox.hipay(|hipay| {
        for shop in 1..=WALLETS {
            hipay.add(Account::new(wallet_of(shop), &format!("seller{shop}@shops.example")));
        }
    });
    let step = SignedDuration::from_secs(HOURS * 3_600 / i64::try_from(entries).unwrap());
    for id in 1..=entries {
        clock.advance(step);
        if id % 10 != 0 {
            sandbox.hipay(|hipay| hipay.fund(technical, amount)).unwrap();
            continue;
        }
        let account = wallet_of(id % WALLETS + 1);
        let reference = Some(format!("TRANSFER_SALES_{id:07}_9999_{account}"));
        let payment = OtherPayment { kind: Kind::Transfer, account, amount, label: format!("Payment {id}"), reference };
        sandbox.hipay(|hipay| hipay.pay_otherwise(payment)).unwrap();
    }
}
