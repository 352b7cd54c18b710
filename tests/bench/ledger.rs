//! Reading 92 days of HiPay's ledger: the memory must not grow with what the ledger holds.
//!
//! Each length is read in a process of its own, in which the sandbox holds all its payments before the memory is
//! measured.

use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::sync::Arc;
use std::time::Instant;

use cashout::app::{self, Wiring};
use cashout::clock::Clock;
use cashout::config::Config;
use cashout::jobs::{self, Command, Silent};
use cashout::ledger::{LedgerEntry, LedgerMatch};
use cashout::money::{Amount, Currency};
use cashout::sandbox::{Account, Kind, OtherPayment, Sandbox, SandboxOptions};
use cashout::store::View;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::records::{cycle, wallet_of};
use crate::table::{number, rate};
use crate::{Scale, machine, table};

/// The argument that runs one reading in a process of its own.
pub(crate) const CHILD: &str = "--ledger-child";

/// HiPay's longest interval of a list, in hours.
const HOURS: i64 = 92 * 24;

/// The wallets that the payments go to.
const WALLETS: u64 = 500;

/// Prints what the reading takes at three lengths, each in a process of its own.
pub(crate) fn measure(scale: Scale) {
    let lengths = [scale.of(10_000), scale.of(30_000), scale.of(100_000)];
    let rows: Vec<(u64, Vec<String>)> = lengths
        .into_iter()
        .map(|entries| {
            let this = std::env::current_exe().unwrap();
            let child = Process::new(this).args([CHILD, &entries.to_string(), ""]).stderr(Stdio::inherit()).output();
            let output = String::from_utf8(child.unwrap().stdout).unwrap();
            let row: Vec<String> = output.split_whitespace().map(str::to_owned).collect();
            let grown = row.get(3).and_then(|grown| grown.parse().ok()).unwrap();
            (grown, row)
        })
        .collect();
    let head = ["entries", "time s", "entries /s", "memory more at the peak, MiB", "store MiB"];
    let (grown, rows): (Vec<u64>, Vec<_>) = rows.into_iter().unzip();
    table::print("ledger: 92 days read in one run", &head, &rows);
    let (least, most) = (grown.first().copied().unwrap(), grown.iter().copied().max().unwrap());
    assert!(most <= least + 16, "the memory grows with the ledger: {grown:?} MiB");
}

/// Reads a ledger of so many entries, and prints the row of the table.
pub(crate) fn child(entries: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let row = runtime.block_on(read(entries.parse().unwrap()));
    println!("{}", row.join(" "));
}

async fn read(entries: u64) -> Vec<String> {
    let clock = Clock::turned_by_hand(cycle() - SignedDuration::from_hours(HOURS + 24));
    let sandbox = Sandbox::start(SandboxOptions { clock: clock.clone(), ..SandboxOptions::default() }).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let context = context(&sandbox, &clock, folder.path()).await;
    jobs::bind(&context).await.unwrap();
    fill(&sandbox, &clock, entries);
    machine::forget_the_peak();
    let (before, begun) = (machine::resident_mib(), Instant::now());
    let (silent, cancelled) = (Arc::new(Silent), CancellationToken::new());
    let batch = jobs::run(&context, &Command::CashoutTransfer, "benchmark", silent, cancelled).await.unwrap();
    let (time, grown) = (begun.elapsed(), machine::peak_mib().saturating_sub(before));
    assert_eq!(batch.failed, 0, "{:?}", batch.failures);
    // The account was fed once as well.
    for (matched, expected) in [(LedgerMatch::Orphan, entries / 2), (LedgerMatch::Foreign, entries - entries / 2 + 1)] {
        let kept = context.store.read(|reader| reader.count::<LedgerEntry>("match", matched.name())).unwrap();
        assert_eq!(kept, expected, "{matched:?}");
    }
    let store = context.store.size().unwrap().file.div_euclid(1024 * 1024);
    vec![
        entries.to_string(),
        format!("{:.1}", time.as_secs_f64()),
        format!("{:.0}", rate(entries, time)),
        grown.to_string(),
        format!("{:.0}", number(store)),
    ]
}

async fn context(sandbox: &Sandbox, clock: &Clock, folder: &Path) -> jobs::Context {
    let file = folder.join("parameters.yml");
    std::fs::write(&file, sandbox.credentials().parameters_yml()).unwrap();
    let (data, wiring) = (folder.join("data"), Wiring { clock: clock.clone(), ..Wiring::default() });
    let opened = tokio::task::spawn_blocking(move || {
        let config = Config::load(&file, std::iter::empty()).unwrap_or_else(|errors| panic!("{errors}"));
        app::open(config, &data, &wiring).unwrap()
    });
    opened.await.unwrap()
}

/// The payments of another installation over 92 days, of which every second carries a reference of our form.
fn fill(sandbox: &Sandbox, clock: &Clock, entries: u64) {
    let technical = sandbox.credentials().technical_id;
    sandbox.hipay(|hipay| {
        for shop in 1..=WALLETS {
            hipay.add(Account::new(wallet_of(shop), &format!("seller{shop}@shops.example")));
        }
        hipay.fund(technical, Amount::from_minor(1_000_000_000_000, Currency::EUR)).unwrap();
    });
    let step = SignedDuration::from_secs(HOURS * 3_600 / i64::try_from(entries).unwrap());
    for id in 1..=entries {
        clock.advance(step);
        let account = wallet_of(id % WALLETS + 1);
        let (kind, amount) = (Kind::Transfer, Amount::from_minor(100, Currency::EUR));
        let reference = (id % 2 == 0).then(|| format!("TRANSFER_SALES_{id:07}_9999_{account}"));
        let payment = OtherPayment { kind, account, amount, label: format!("Payment {id}"), reference };
        sandbox.hipay(|hipay| hipay.pay_otherwise(payment)).unwrap();
    }
}
