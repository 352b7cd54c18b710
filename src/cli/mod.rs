//! The command line: what can be asked for, and what the exit code says.

mod batch;
mod check;
mod demo;
mod guard;
mod operation;
mod output;
mod owner;
mod progress;
mod reach;
mod serve;
mod through;
mod update;
mod voucher;
mod wallet_set;
mod wallets;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::admin::wiring::{AppError, Wiring};
use crate::config::{Config, ConfigErrors, NoticeLevel, parse_duration, process_environment};
use crate::domain::operation::OperationChoice;
use crate::domain::voucher::VoucherChoice;
use crate::jobs::JobError;
use crate::store::StoreError;

/// Pays the sellers of a Mirakl marketplace through HiPay.
#[derive(Debug, Parser)]
#[command(name = "cashout", version, about, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Ask,
}

/// What holds for every command.
#[derive(Debug, Clone, Args)]
struct Global {
    /// The configuration file
    #[arg(
        long,
        global = true,
        env = "CASHOUT_CONFIG",
        default_value = "/etc/cashout/parameters.yml",
        value_name = "FILE"
    )]
    config: PathBuf,
    /// The folder of the store
    #[arg(long, global = true, env = "CASHOUT_DATA", default_value = "/var/lib/cashout", value_name = "DIR")]
    data: PathBuf,
    /// One JSON object in place of words
    #[arg(long, global = true)]
    json: bool,
    /// End at once with code 75 where the store is in use or the same batch runs, instead of waiting
    #[arg(long, global = true)]
    no_wait: bool,
    /// More of what happens; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// How log lines are written. Not given: as text, or as the journal wants it where it listens
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Subcommand)]
enum Ask {
    /// Run unattended: the batches by their schedule, HiPay's notifications, the dashboard
    Serve(ServeArgs),
    /// Create the sellers' HiPay wallets, send their documents and bank details
    #[command(name = "vendor:process")]
    VendorProcess {
        /// Only shops updated since then: 2026-11-01, or 24h, 7d
        since: Option<String>,
    },
    /// Turn Mirakl's payment vouchers into operations
    #[command(name = "cashout:generate", visible_alias = "cashout:generate:process")]
    CashoutGenerate(GenerateArgs),
    /// Transfer money from the escrow account to the wallets
    #[command(name = "cashout:transfer")]
    CashoutTransfer,
    /// Withdraw money from the wallets to the bank accounts
    #[command(name = "cashout:withdraw")]
    CashoutWithdraw,
    /// Ask HiPay what became of everything under way
    #[command(name = "cashout:transaction:status:sync")]
    TransactionStatusSync,
    /// Let an operation that waits for a person be taken up again by the next run
    #[command(name = "operation:retry")]
    OperationRetry {
        /// The operation's number
        id: u64,
        /// Why: kept with the operation and in the log
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Keep an operation from being paid until somebody releases it
    #[command(name = "operation:hold")]
    OperationHold {
        /// The operation's number
        id: u64,
        /// Why: kept with the operation and in the log
        #[arg(long)]
        reason: String,
    },
    /// End the hold of an operation: with the amount that Mirakl shows now, where that has changed
    #[command(name = "operation:release")]
    OperationRelease {
        /// The operation's number
        id: u64,
        /// Why: kept with the operation and in the log
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Keep that an operation was paid otherwise: it is never paid from here
    #[command(name = "operation:settle")]
    OperationSettle {
        /// The operation's number
        id: u64,
        /// Why: kept with the operation and in the log
        #[arg(long)]
        reason: String,
    },
    /// Take a payment that HiPay shows for the operation's, with its amount
    #[command(name = "operation:accept")]
    OperationAccept {
        /// The operation's number
        id: u64,
        /// The transaction's id at HiPay
        #[arg(long)]
        transaction: String,
        /// Why: kept with the operation and in the log
        #[arg(long)]
        reason: String,
    },
    /// Have the next run make the operations of a voucher that has none
    #[command(name = "voucher:release")]
    VoucherRelease {
        /// The voucher's id, as the API lists it
        id: String,
        /// Why: kept with the voucher and in the log
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Keep that a voucher without operations was paid otherwise: it is never paid from here
    #[command(name = "voucher:settle")]
    VoucherSettle {
        /// The voucher's id, as the API lists it
        id: String,
        /// Why: kept with the voucher and in the log
        #[arg(long)]
        reason: String,
    },
    /// List the wallets that HiPay knows of this marketplace
    #[command(name = "vendor:wallet:list")]
    WalletList,
    /// Show the bank details of a wallet at HiPay
    #[command(name = "vendor:wallet:bankInfos")]
    WalletBankInfos {
        /// The wallet's HiPay ID
        hipay_id: u64,
    },
    /// Say which wallet a vendor has from now on
    #[command(name = "vendor:wallet:set")]
    WalletSet(WalletSetArgs),
    /// Check the configuration, both remotes and Mirakl's settings
    Check(CheckArgs),
    /// Open the dashboard on an embedded sandbox of Mirakl and HiPay, in which time runs fast; nothing
    /// to configure
    Demo(DemoArgs),
    /// Install a newer release through the running service, or say which there are
    #[command(name = "app:update")]
    Update {
        #[command(flatten)]
        what: UpdateArgs,
        /// Install it also where it is older than what runs, or was rolled back before
        #[arg(long, conflicts_with_all = ["check", "rollback", "history"])]
        insist: bool,
        /// Where the guard keeps what it has to know, where not in its usual place
        #[arg(long, hide = true, value_name = "DIR")]
        guard_state: Option<PathBuf>,
    },
    /// Say whether a package is signed by a key that this release trusts, for the name that it has
    #[command(name = "app:verify")]
    Verify {
        /// The package: cashout-VERSION-TARGET.tar.gz
        package: PathBuf,
        /// Also that it is not older than this release
        #[arg(long)]
        not_older: bool,
    },
    /// Print a file that belongs to this release: cashout.service or parameters.yml; the installer runs it
    #[command(name = "app:file", hide = true)]
    File {
        /// Its name
        name: String,
    },
    /// Put the previous release back where a new one did not come up; the service manager runs it
    #[command(name = "guard-recover", hide = true)]
    GuardRecover(RecoverArgs),
    /// Show the version, the target, the commit and the store's format
    Version,
}

#[derive(Debug, Args)]
struct ServeArgs {
    /// What the guard starts its worker with: the guard's process
    #[arg(long, hide = true, value_name = "PID")]
    worker_of: Option<u32>,
    /// Where the guard keeps what it has to know, where not in its usual place
    #[arg(long, hide = true, value_name = "DIR")]
    guard_state: Option<PathBuf>,
    /// What a guard starts the next one with
    #[arg(long, hide = true)]
    taking_over: bool,
    /// How long a new release has to answer for itself
    #[arg(long, hide = true, default_value_t = 60, value_name = "SECONDS")]
    trial_seconds: u32,
    /// What a demo starts its service with: the demo's folder
    #[arg(long, hide = true, value_name = "DIR")]
    demo: Option<PathBuf>,
    /// How long a new release may take until it answers requests; never longer than usual
    #[arg(long, hide = true, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=30), value_name = "SECONDS")]
    ready_seconds: u32,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
struct UpdateArgs {
    /// Only ask GitHub which newer releases there are
    #[arg(long)]
    check: bool,
    /// Install this release, not the newest
    #[arg(long = "version", value_name = "VERSION")]
    wanted: Option<String>,
    /// Put the release before this one back
    #[arg(long)]
    rollback: bool,
    /// Show the updates so far
    #[arg(long)]
    history: bool,
    /// Install this package, which was fetched by other means; the service has to be able to read it
    #[arg(long, value_name = "FILE")]
    package: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct RecoverArgs {
    /// Only whether a guard could start here
    #[arg(long)]
    rehearse: bool,
    /// Where the guard keeps what it has to know, where not in its usual place
    #[arg(long, value_name = "DIR")]
    guard_state: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct GenerateArgs {
    /// Only this cycle, such as 2026-11-11; else every cycle since the last complete one
    cycle_date: Option<Date>,
    /// As if run on this day
    #[arg(long = "executionDate", value_name = "DATE")]
    execution_date: Option<Date>,
    /// How long before the cycle its window of vouchers begins, such as 12h
    #[arg(long, value_parser = duration)]
    before: Option<SignedDuration>,
    /// How long after the cycle its window of vouchers ends, such as 12h
    #[arg(long, value_parser = duration)]
    after: Option<SignedDuration>,
}

/// The arguments of `vendor:wallet:set`.
#[derive(Debug, clap::Args)]
struct WalletSetArgs {
    /// The shop's id in Mirakl
    mirakl_id: u64,
    /// The wallet's HiPay ID
    hipay_id: u64,
    /// Why: kept in the operations' stories and in the log
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// Only the configuration and the store; ask neither Mirakl nor HiPay
    #[arg(long)]
    offline: bool,
    /// Bind the store to the Mirakl, HiPay and technical account of the configuration
    #[arg(long, conflicts_with = "offline")]
    rebind: bool,
    /// Confirm --rebind without being asked
    #[arg(long, requires = "rebind")]
    yes: bool,
}

#[derive(Debug, Args)]
struct DemoArgs {
    /// The same number gives the same marketplace
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many shops
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    shops: u32,
    /// How long each answer of Mirakl and HiPay takes, in milliseconds
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    latency_ms: u32,
    /// How many of a hundred calls go wrong on the way
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=90))]
    fault_rate: u8,
    /// Where the dashboard answers. Not given: 127.0.0.1:8080, or the next port that is free
    #[arg(long, value_name = "ADDRESS", conflicts_with = "once")]
    listen: Option<SocketAddr>,
    /// How many times as fast as usual time runs: 1440 is a day a minute
    #[arg(long, default_value_t = 1_440, value_parser = clap::value_parser!(u32).range(1..=14_400), conflicts_with = "once")]
    speed: u32,
    /// Run one cycle from its beginning to its end, tell what came of it, and end
    #[arg(long)]
    once: bool,
}

fn duration(text: &str) -> Result<SignedDuration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

/// How a command ended. The numbers are a contract with scripts and cron jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// 0: done.
    Done,
    /// 1: done with failures, which were listed.
    Failures,
    /// 2: wrong usage or configuration.
    Usage,
    /// 3: a remote refused our credentials.
    Credentials,
    /// 4: the store or this machine failed.
    Machine,
    /// 75: something else has the store or runs the batch.
    Busy,
    /// 130: stopped by a person.
    Stopped,
}

impl Exit {
    /// How a worker ended is how its guard ends.
    fn of_code(code: i32) -> Option<Self> {
        [Self::Done, Self::Failures, Self::Usage, Self::Credentials, Self::Machine, Self::Busy, Self::Stopped]
            .into_iter()
            .find(|exit| i32::from(exit.code()) == code)
    }

    fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failures => 1,
            Self::Usage => 2,
            Self::Credentials => 3,
            Self::Machine => 4,
            Self::Busy => 75,
            Self::Stopped => 130,
        }
    }
}

/// A command that could not do its work: the sentence and the exit code.
#[derive(Debug)]
struct Failed {
    exit: Exit,
    sentence: String,
    /// The store could not be read or written.
    is_of_disk: bool,
}

impl Failed {
    fn new(exit: Exit, sentence: impl Into<String>) -> Self {
        Self { exit, sentence: sentence.into(), is_of_disk: false }
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        let exit = if matches!(error, StoreError::InUse { .. }) { Exit::Busy } else { Exit::Machine };
        let is_of_disk = matches!(error, StoreError::Machine(_) | StoreError::Damaged { .. });
        Self { is_of_disk, ..Self::new(exit, error.to_string()) }
    }
}

impl From<JobError> for Failed {
    fn from(error: JobError) -> Self {
        let exit = match &error {
            JobError::Credentials(_) => Exit::Credentials,
            JobError::Store(_) => Exit::Machine,
            JobError::Refused(_) => Exit::Usage,
            JobError::Remote(_) => Exit::Failures,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<AppError> for Failed {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Store(error) => error.into(),
            AppError::Remote(_) | AppError::Traces(_) => Self::new(Exit::Usage, error.to_string()),
        }
    }
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Machine, error.to_string())
    }
}

/// Does what the arguments ask for. Blocks until it is done.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let wants_json = arguments.iter().any(|argument| argument == "--json");
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && wants_json => {
            let failed = Failed::new(Exit::Usage, error.to_string().trim_end());
            output::failed(&failed, true);
            return ExitCode::from(failed.exit.code());
        }
        Err(error) => {
            // Help and version come this way too, and are no mistakes.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { Exit::Usage.code() } else { Exit::Done.code() });
        }
    };
    // The lines of the demo's log stand in its own time.
    let wiring = if let Ask::Demo(arguments) = &cli.command {
        Wiring { clock: arguments.clock(), ..Wiring::default() }
    } else if let Ask::Serve(ServeArgs { demo: Some(folder), .. }) = &cli.command {
        demo::wiring(folder)
    } else {
        Wiring::default()
    };
    let clock = wiring.clock.clone();
    let json = cli.global.json;
    output::choose_format(&cli.global);
    let logs = if let Ask::Serve(ServeArgs { worker_of, .. }) = &cli.command {
        // The guard has one thread, and no log: what it says is for whoever started it.
        worker_of.map(|_| output::start_serving_log(&cli.global, &clock))
    } else {
        Some(output::start_log(&cli.global, &clock))
    };
    let exit = match dispatch(cli, &wiring) {
        Ok(exit) => exit,
        Err(failed) => {
            output::failed(&failed, json);
            failed.exit
        }
    };
    if let Some(logs) = logs {
        logs.flush();
    }
    ExitCode::from(exit.code())
}

fn dispatch(cli: Cli, wiring: &Wiring) -> Result<Exit, Failed> {
    let Cli { global, command } = cli;
    match command {
        Ask::Serve(arguments) => match arguments.worker_of {
            None => guard::run(&global, &arguments),
            Some(guard) => serve::run(&global, guard, arguments.demo, wiring),
        },
        Ask::Version => output::version(global.json),
        Ask::Verify { package, not_older } => update::verify(&package, not_older, global.json),
        Ask::File { name } => update::own_file(&name),
        Ask::Update { what, insist, guard_state } => update::run(&global, what, insist, guard_state.as_ref()),
        Ask::GuardRecover(arguments) => guard::recover(&global, &arguments),
        Ask::Demo(arguments) => demo::run(&global, &arguments, &wiring.clock),
        Ask::Check(arguments) => check::run(&global, &arguments),
        Ask::OperationRetry { id, reason } => operation::run(&global, id, &OperationChoice::Retry, reason),
        Ask::OperationHold { id, reason } => operation::run(&global, id, &OperationChoice::Hold, reason),
        Ask::OperationRelease { id, reason } => operation::run(&global, id, &OperationChoice::Release, reason),
        Ask::OperationSettle { id, reason } => operation::run(&global, id, &OperationChoice::Settle, reason),
        Ask::OperationAccept { id, transaction: transaction_id, reason } => {
            operation::run(&global, id, &OperationChoice::Accept { transaction_id }, reason)
        }
        Ask::VoucherRelease { id, reason } => voucher::run(&global, id, VoucherChoice::Release, reason),
        Ask::VoucherSettle { id, reason } => voucher::run(&global, id, VoucherChoice::Settle, reason),
        Ask::WalletSet(arguments) => wallet_set::run(&global, arguments),
        Ask::WalletList => wallets::list(&global),
        Ask::WalletBankInfos { hipay_id } => wallets::bank_infos(&global, hipay_id),
        Ask::VendorProcess { since } => batch::run(&global, |zone, now| {
            let since = since.as_deref().map(|text| instant(text, zone, now)).transpose()?;
            Ok(crate::jobs::Command::VendorProcess { since })
        }),
        Ask::CashoutGenerate(arguments) => batch::run(&global, |_, _| {
            Ok(crate::jobs::Command::CashoutGenerate(crate::jobs::GenerateArguments {
                cycle_date: arguments.cycle_date,
                execution_date: arguments.execution_date,
                before: arguments.before,
                after: arguments.after,
            }))
        }),
        Ask::CashoutTransfer => batch::run(&global, |_, _| Ok(crate::jobs::Command::CashoutTransfer)),
        Ask::CashoutWithdraw => batch::run(&global, |_, _| Ok(crate::jobs::Command::CashoutWithdraw)),
        Ask::TransactionStatusSync => batch::run(&global, |_, _| Ok(crate::jobs::Command::TransactionStatusSync)),
    }
}

/// `2026-11-01` (that day's beginning in the configured zone), `24h`, `7d`, or a whole instant.
fn instant(text: &str, zone: &TimeZone, now: Timestamp) -> Result<Timestamp, Failed> {
    let wrong = || {
        Failed::new(Exit::Usage, format!("'{text}' is no point in time; allowed: a day such as 2026-11-01, or 24h, 7d"))
    };
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant);
    }
    if let Ok(date) = text.parse::<Date>() {
        let start = date.to_zoned(zone.clone()).map_err(|_| wrong())?;
        return Ok(start.timestamp());
    }
    let back = parse_duration(text).map_err(|_| wrong())?;
    now.checked_sub(back).map_err(|_| wrong())
}

/// Reads the configuration; its notices go to the error output.
fn configuration(global: &Global) -> Result<Config, Failed> {
    accepted(global, Config::load(&global.config, process_environment()))
}

/// The configuration that was read, if it is one; its notices go to the error output.
fn accepted(global: &Global, loaded: Result<Config, ConfigErrors>) -> Result<Config, Failed> {
    let config = loaded.map_err(|errors| Failed::new(Exit::Usage, errors.to_string()))?;
    for notice in &config.notices {
        if notice.level == NoticeLevel::Warning || global.verbose > 0 {
            output::notice(&notice.text);
        }
    }
    Ok(config)
}

/// The runtime of one command.
fn runtime() -> Result<tokio::runtime::Runtime, Failed> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}
