//! `cashout demo`: the product on an embedded sandbox without configuration: a living marketplace with its
//! dashboard, or one complete cycle.

mod catch_up;
mod customers;
mod hipay;
mod incidents;
mod mirakl;
mod one_cycle;
mod report;
mod run_on;
mod service;

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{DemoArgs, Exit, Failed, Global};
use crate::admin::wiring::{self, Wiring};
use crate::config::Config;
use crate::domain::cycle::{Calendar, Cycle};
use crate::jobs::Context;
use crate::platform::clock::Clock;
use crate::remote::ClientPolicy;
use crate::sandbox::shops::Market;
use crate::sandbox::{Sandbox, SandboxOptions};

pub(super) use service::{follow, prepare_guard, wiring};

pub(super) fn run(global: &Global, arguments: &DemoArgs, clock: &Clock) -> Result<Exit, Failed> {
    if arguments.once { one_cycle::run(global, arguments) } else { run_on::run(global, arguments, clock) }
}

impl DemoArgs {
    /// Returns the clock of the demo and its log.
    pub(super) fn clock(&self) -> Clock {
        if self.once { Clock::system() } else { Clock::fast(self.speed) }
    }
}

/// A private folder that is removed when the demo ends.
struct Folder(PathBuf);

impl Folder {
    fn create() -> Result<Self, Failed> {
        let name = format!("cashout-demo-{}-{:08x}", std::process::id(), fastrand::u32(..));
        let folder = std::env::temp_dir().join(name);
        std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self(folder))
    }

    /// Returns the path of the folder.
    fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the path of the configuration file.
    fn file(&self) -> PathBuf {
        self.0.join("parameters.yml")
    }

    /// Returns the path of the data folder.
    fn data(&self) -> PathBuf {
        self.0.join("data")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Left-over files in the temporary folder are harmless.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The number of payments in HiPay's own ledger, or the errors in it.
type Witness = Result<usize, Vec<String>>;

/// Starts the stand-ins for Mirakl and HiPay with the options of the arguments.
async fn sandbox(arguments: &DemoArgs, clock: &Clock) -> Result<Sandbox, Failed> {
    let options = SandboxOptions {
        seed: arguments.seed,
        clock: clock.clone(),
        latency: Duration::from_millis(u64::from(arguments.latency_ms)),
        fault_rate_percent: arguments.fault_rate,
        lost_answers_percent: 0,
    };
    Sandbox::start(options).await.map_err(|error| Failed::new(Exit::Machine, error.to_string()))
}

fn witness(sandbox: &Sandbox) -> Witness {
    sandbox.verify_once().map(|()| sandbox.hipay(|hipay| hipay.ledger.paid().count()))
}

/// Describes the witness.
fn said_of(witness: &Witness, calls: u64, took: Duration) -> String {
    match witness {
        Ok(payments) => format!(
            "HiPay's own ledger shows {payments} payments, each reference once, every balance to the cent \
             ({calls} calls, {took:.1?})."
        ),
        Err(wrong) => format!("HiPay's own ledger disagrees:\n  {}", wrong.join("\n  ")),
    }
}

/// Returns the marketplace of the arguments; its sales begin with the cycle of the day `first`.
fn market(arguments: &DemoArgs, first: Date) -> Market {
    Market {
        count: usize::try_from(arguments.shops).unwrap_or(40),
        seed: arguments.seed,
        cycles: vec![first],
        zone: time_zone(),
    }
}

/// Returns the time at a duration after another.
fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn time_zone() -> TimeZone {
    TimeZone::get("Europe/Paris").unwrap_or(TimeZone::UTC)
}

/// Returns the last cycle before today, on these days of the month.
fn last_cycle(days: &[i8]) -> Result<Cycle, Failed> {
    let calendar = calendar(days);
    let today = calendar.day_of(Clock::system().now());
    let cycle = calendar.last_before(today).and_then(|date| calendar.cycle(date).ok());
    cycle.ok_or_else(|| Failed::new(Exit::Machine, format!("the machine's clock is wrong: it says {today}")))
}

/// Returns the calendar of the sandbox's configuration, with these days.
fn calendar(days: &[i8]) -> Calendar {
    Calendar {
        days: days.to_vec(),
        hour: 0,
        minute: 0,
        before: SignedDuration::from_hours(12),
        after: SignedDuration::from_hours(12),
        time_zone: time_zone(),
    }
}

/// Opens a context with the usual wiring, on the sandbox's own configuration.
async fn connect(folder: &Folder, parameters: &str, clock: Clock) -> Result<Context, Failed> {
    let file = folder.file();
    std::fs::write(&file, parameters)?;
    let data = folder.data();
    let opened = tokio::task::spawn_blocking(move || {
        let config =
            Config::load(&file, std::iter::empty()).map_err(|errors| Failed::new(Exit::Machine, errors.to_string()))?;
        Ok(wiring::open(config, &data, &Wiring { clock, manners: manners(), ..Wiring::default() })?)
    });
    opened.await.map_err(|error| Failed::new(Exit::Machine, error.to_string()))?
}

/// Returns limits with short waits: faults are meant to be seen and overcome, not waited for.
fn manners() -> ClientPolicy {
    ClientPolicy {
        timeout: Duration::from_secs(2),
        first_wait: Duration::from_millis(20),
        longest_wait: Duration::from_millis(200),
        longest_asked: Duration::from_millis(200),
        ..ClientPolicy::default()
    }
}
