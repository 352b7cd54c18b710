//! The living marketplace: the appliance on the sandbox, with a past and accelerated time, until a person ends it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Span, Timestamp};
use serde_json::json;

use super::customers::Till;
use super::hipay::Bank;
use super::incidents::{Incidents, decide};
use super::mirakl::Marketplace;
use super::service::{self, DemoService};
use super::{Folder, calendar, catch_up, connect, last_cycle, market, said_of, sandbox, witness};
use crate::cli::batch::StopSignals;
use crate::cli::guard::bind;
use crate::cli::output::{notice, print, print_json};
use crate::cli::{DemoArgs, Exit, Failed, Global};
use crate::config::Settings;
use crate::domain::cycle::Cycle;
use crate::domain::money::MoneyError;
use crate::platform::clock::Clock;
use crate::sandbox::Sandbox;
use crate::serve::{Appliance, STOP_TIMEOUT};
use crate::store::StoreError;

/// Days of the cycles: one every five days, so that there is something to see every few minutes.
pub(super) const CYCLE_DAYS: [i8; 6] = [1, 6, 11, 16, 21, 26];
/// Number of past cycles when the dashboard is shown.
const PAST_CYCLES: usize = 4;
/// Time between the opening of the marketplace and the first cycle.
const OPENS_BEFORE: SignedDuration = SignedDuration::from_hours(3 * 24);
/// Time on the day of the last cycle at which the dashboard is shown: a few hours before its batches.
const SHOWN_AFTER: SignedDuration = SignedDuration::from_hours(21);
/// Interval between looks at the events outside.
const CHECK_INTERVAL: SignedDuration = SignedDuration::from_mins(2);
/// Default port of the dashboard, and the number of further ports to try.
const PORT: u16 = 8080;
const FURTHER_PORTS: u16 = 100;

pub(super) fn run(global: &Global, arguments: &DemoArgs, clock: &Clock) -> Result<Exit, Failed> {
    let listener = listener(arguments.listen)?;
    let folder = Folder::create()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(live(global, arguments, clock, &folder, listener))
}

/// Returns the requested socket, or the first free one.
fn listener(asked: Option<SocketAddr>) -> Result<TcpListener, Failed> {
    if let Some(address) = asked {
        return bind(address, "--listen");
    }
    let own = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let free = (PORT..=PORT.saturating_add(FURTHER_PORTS)).find_map(|port| TcpListener::bind(own(port)).ok());
    free.map_or_else(|| bind(own(0), "--listen"), Ok)
}

/// Everything outside of cashout: the marketplace, its customers, and HiPay.
pub(super) struct Outside<'a> {
    pub(super) sandbox: &'a Sandbox,
    marketplace: Marketplace,
    bank: Bank,
    till: Till,
    incidents: Incidents,
}

impl<'a> Outside<'a> {
    fn open(sandbox: &'a Sandbox, arguments: &DemoArgs, url: &str, begins: Timestamp, first: Cycle) -> Self {
        let market = market(arguments, first.date);
        let (calendar, credentials) = (calendar(&CYCLE_DAYS), sandbox.credentials());
        // The following cycle is over when the dashboard is shown, and so is the one after it.
        let after = first.date.saturating_add(Span::new().days(1));
        let until = first.date.saturating_add(Span::new().days(40));
        let next = calendar.days_between(after, until).get(1).and_then(|date| calendar.cycle(*date).ok());
        let incidents = Incidents::new(market.clone(), first, next.unwrap_or(first));
        let enterprise = format!("{url}/notifications/enterprise");
        Self {
            sandbox,
            marketplace: Marketplace::open(sandbox, market, calendar, begins, first.date),
            bank: Bank::open(sandbox, arguments.seed, &format!("{url}/notifications/wallet"), begins),
            till: Till::open(arguments.seed, &enterprise, credentials.enterprise_passphrase.expose(), begins),
            incidents,
        }
    }

    /// Applies everything that is due at `now`.
    pub(super) async fn up_to(&mut self, now: Timestamp) -> Result<(), Failed> {
        self.marketplace.up_to(self.sandbox, now)?;
        self.bank.up_to(self.sandbox, now);
        self.incidents.up_to(self.sandbox, now);
        self.till.up_to(now).await;
        Ok(())
    }
}

impl From<MoneyError> for Failed {
    fn from(error: MoneyError) -> Self {
        Self::new(Exit::Machine, format!("the marketplace has sold more than can be counted: {error}"))
    }
}

/// Runs the demo's past, and applies the choices that finance has made in it.
async fn past(appliance: &Appliance, outside: &mut Outside<'_>, shown: Timestamp) -> Result<(), Failed> {
    catch_up::jump_to(appliance, outside, shown).await?;
    decide(&appliance.web().context, outside.sandbox).await?;
    Ok(catch_up::wait_until_idle(appliance, outside).await?)
}

async fn live(
    global: &Global,
    arguments: &DemoArgs,
    clock: &Clock,
    folder: &Folder,
    listener: TcpListener,
) -> Result<Exit, Failed> {
    // Must come first: a signal during the start must not leave the folder behind.
    let mut signals = StopSignals::listen();
    let began = Instant::now();
    let url = format!("http://{}", reached_at(listener.local_addr()?));
    let last = last_cycle(&CYCLE_DAYS)?;
    let first = first_cycle(last)?;
    let begins = first.at.checked_sub(OPENS_BEFORE).unwrap_or(first.at);
    clock.set(begins);
    let sandbox = sandbox(arguments, clock).await?;
    let mut outside = Outside::open(&sandbox, arguments, &url, begins, first);
    let mut credentials = sandbox.credentials().clone();
    credentials.cycle_days = CYCLE_DAYS.to_vec();
    let address = listener.local_addr()?;
    let parameters = format!("{}    server.publicUrl: {url}\n", credentials.parameters_yml());
    let context = connect(folder, &parameters, clock.clone()).await?;
    let settings = Settings::new(&folder.file(), Arc::clone(&context.config));
    let store = context.store.clone();
    let appliance = Appliance::start(context, settings, listener, folder.data()).await?;
    let shown = last.at.checked_add(SHOWN_AFTER).unwrap_or(last.at);

    // The past runs in this process, in which time jumps.
    if !global.json {
        notice("some weeks of the marketplace are simulated first; that takes some seconds");
    }
    let lived: Result<bool, Failed> = tokio::select! {
        () = signals.next() => Ok(false),
        error = store.failed() => Err(error.into()),
        lived = past(&appliance, &mut outside, shown) => lived.map(|()| true),
    };
    drop(store);
    if !stop_in_order(appliance.stop(), &mut signals).await? {
        return Ok(Exit::Stopped);
    }
    if lived? {
        service::prepare(folder.path(), &sandbox, clock.now())?;
        std::fs::write(folder.file(), format!("{parameters}{}", service::settings(&sandbox, address)))?;
        let day = async {
            let mut service = tokio::select! {
                told = service::write_time(clock, folder.path()) => return told.map(|()| true),
                started = DemoService::start(global, folder) => started?,
            };
            print_address(global, arguments, &url, &sandbox)?;
            let ended = tokio::select! {
                ended = run_for_ever(clock, &mut outside, folder) => ended,
                failed = service.wait_for_end() => return Err(failed),
                () = signals.next() => Ok(()),
            };
            if !global.json {
                notice("stopping at the next safe point; repeat to stop at once");
            }
            let stopped = tokio::select! {
                stopped = service.stop() => stopped,
                () = signals.next() => false,
            };
            ended.map(|()| stopped)
        };
        if !day.await? {
            return Ok(Exit::Stopped);
        }
    }
    print_ledger(global, &sandbox, began.elapsed())
}

/// Runs time and the events outside for ever.
async fn run_for_ever(clock: &Clock, outside: &mut Outside<'_>, folder: &Folder) -> Result<(), Failed> {
    let happens = async {
        loop {
            outside.up_to(clock.now()).await?;
            clock.sleep(CHECK_INTERVAL).await;
        }
    };
    tokio::select! {
        () = clock.run() => Ok(()),
        ended = happens => ended,
        told = service::write_time(clock, folder.path()) => told,
    }
}

/// Waits for an orderly stop; returns false if a person does not wait.
async fn stop_in_order(
    stop: impl Future<Output = Result<(), StoreError>>,
    signals: &mut StopSignals,
) -> Result<bool, Failed> {
    tokio::select! {
        stopped = stop => stopped.map(|()| true).map_err(Failed::from),
        () = signals.next() => Ok(false),
        // No important data is lost: all of it is a demo.
        () = tokio::time::sleep(STOP_TIMEOUT) => {
            let late = format!("work in progress did not end within {} s", STOP_TIMEOUT.as_secs());
            Err(Failed::new(Exit::Machine, late))
        }
    }
}

/// Returns the first of the past cycles when the dashboard is shown.
fn first_cycle(last: Cycle) -> Result<Cycle, Failed> {
    let calendar = calendar(&CYCLE_DAYS);
    let earliest = last.date.saturating_sub(Span::new().days(62));
    let before = calendar.days_between(earliest, last.date);
    let first = before.iter().rev().nth(PAST_CYCLES.saturating_sub(1)).copied().unwrap_or(last.date);
    calendar.cycle(first).map_err(|error| Failed::new(Exit::Machine, error.to_string()))
}

/// Returns the address at which a browser on this machine reaches a listener.
fn reached_at(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() { SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())) } else { address }
}

/// Prints the address of the dashboard and how to sign in.
fn print_address(global: &Global, arguments: &DemoArgs, url: &str, sandbox: &Sandbox) -> Result<(), Failed> {
    let credentials = sandbox.credentials();
    let (login, password) = (&credentials.ws_login, credentials.ws_password.expose());
    let dashboard = format!("{url}/dashboard");
    if global.json {
        return print_json(&json!({ "dashboard": dashboard, "login": login, "password": password }));
    }
    let day = Duration::from_hours(24).checked_div(arguments.speed).unwrap_or_default();
    print(&format!(
        "A marketplace of {} shops is running on this machine; a day passes in {day:.0?}, and no money moves.\n\n\
         Dashboard  {dashboard}\nLogin      {login}\nPassword   {password}\n\n\
         Under Settings you can try the installation of a new version. Ctrl-C ends the demo; nothing is kept.",
        arguments.shops
    ))
}

/// Prints the state of HiPay's ledger at the end.
fn print_ledger(global: &Global, sandbox: &Sandbox, lived: Duration) -> Result<Exit, Failed> {
    let (witness, calls) = (witness(sandbox), sandbox.traffic(|traffic| traffic.total()));
    if global.json {
        let (payments, wrong) = (witness.as_ref().ok(), witness.as_ref().err());
        print_json(&json!({ "payments": payments, "ledger_errors": wrong, "calls": calls }))?;
    } else {
        print(&said_of(&witness, calls, lived))?;
    }
    Ok(if witness.is_ok() { Exit::Done } else { Exit::Failures })
}
