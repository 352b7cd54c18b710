//! The command line: its commands, options and exit codes.

mod batch;
mod check;
mod connect;
mod demo;
mod guard;
mod operation;
mod output;
mod owner;
mod progress;
mod serve;
mod service_client;
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
use strum::VariantArray;

use crate::admin::wiring::{AppError, Wiring};
use crate::config::{Config, ConfigErrors, NoticeLevel, parse_duration};
use crate::domain::operation::OperationChoice;
use crate::domain::voucher::VoucherChoice;
use crate::jobs::{Command, GenerateArguments, JobError};
use crate::store::StoreError;

/// Pays the sellers of a Mirakl marketplace through HiPay.
#[derive(Debug, Parser)]
#[command(name = "cashout", version, about, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: CliCommand,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
struct Global {
    /// Configuration file
    #[arg(
        long,
        global = true,
        env = "CASHOUT_CONFIG",
        default_value = "/etc/cashout/parameters.yml",
        value_name = "FILE"
    )]
    config: PathBuf,
    /// Folder of the store
    #[arg(long, global = true, env = "CASHOUT_DATA", default_value = "/var/lib/cashout", value_name = "DIR")]
    data: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    json: bool,
    /// Exit at once with code 75 if the store is in use or the same batch runs, instead of waiting
    #[arg(long, global = true)]
    no_wait: bool,
    /// Log more; repeat for even more detail
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Format of log lines; by default text, or the journal's format if the output goes to the journal
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// Text for terminals
    Text,
    /// One JSON object per line
    Json,
}

#[derive(Debug, Subcommand)]
enum CliCommand {
    /// Run unattended: the batches on schedule, HiPay's notifications, the dashboard
    Serve(ServeArgs),
    /// Create the sellers' HiPay wallets, send their documents and bank details
    #[command(name = "vendor:process")]
    VendorProcess {
        /// Process only shops updated since then: 2026-11-01, or 24h, 7d
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
    /// Look up the outcome of all pending payments at HiPay
    #[command(name = "cashout:transaction:status:sync")]
    TransactionStatusSync,
    /// Retry an operation that needs action, in the next run
    #[command(name = "operation:retry")]
    OperationRetry {
        /// Number of the operation
        id: u64,
        /// Reason, kept with the operation and in the log
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Hold an operation: it is not paid until it is released
    #[command(name = "operation:hold")]
    OperationHold {
        /// Number of the operation
        id: u64,
        /// Reason, kept with the operation and in the log
        #[arg(long)]
        reason: String,
    },
    /// Release an operation from its hold, with Mirakl's current amount if that has changed
    #[command(name = "operation:release")]
    OperationRelease {
        /// Number of the operation
        id: u64,
        /// Reason, kept with the operation and in the log
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Settle an operation that was paid by other means: cashout never pays it
    #[command(name = "operation:settle")]
    OperationSettle {
        /// Number of the operation
        id: u64,
        /// Reason, kept with the operation and in the log
        #[arg(long)]
        reason: String,
    },
    /// Accept a transaction at HiPay as the operation's payment, with the transaction's amount
    #[command(name = "operation:accept")]
    OperationAccept {
        /// Number of the operation
        id: u64,
        /// Id of the transaction at HiPay
        #[arg(long)]
        transaction: String,
        /// Reason, kept with the operation and in the log
        #[arg(long)]
        reason: String,
    },
    /// Release a voucher without operations: the next run creates them
    #[command(name = "voucher:release")]
    VoucherRelease {
        /// Id of the voucher, as listed by the API
        id: String,
        /// Reason, kept with the voucher and in the log
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Settle a voucher without operations that was paid by other means: cashout never pays it
    #[command(name = "voucher:settle")]
    VoucherSettle {
        /// Id of the voucher, as listed by the API
        id: String,
        /// Reason, kept with the voucher and in the log
        #[arg(long)]
        reason: String,
    },
    /// List the marketplace's wallets at HiPay
    #[command(name = "vendor:wallet:list")]
    WalletList,
    /// Show the bank details of a wallet at HiPay
    #[command(name = "vendor:wallet:bankInfos")]
    WalletBankInfos {
        /// HiPay ID of the wallet
        hipay_id: u64,
    },
    /// Set the wallet of a vendor from now on
    #[command(name = "vendor:wallet:set")]
    WalletSet(WalletSetArgs),
    /// Check the configuration, both remotes and Mirakl's settings
    Check(CheckArgs),
    /// Open the dashboard on an embedded sandbox of Mirakl and HiPay with accelerated time; needs no configuration
    Demo(DemoArgs),
    /// Install a newer release through the running service, or list the available ones
    #[command(name = "app:update")]
    Update {
        #[command(flatten)]
        what: UpdateArgs,
        /// Install the release even if it is older than the running one or was rolled back before
        #[arg(long, conflicts_with_all = ["check", "rollback", "history"])]
        insist: bool,
        /// Folder of the guard's state, if not the default one
        #[arg(long, hide = true, value_name = "DIR")]
        guard_state: Option<PathBuf>,
    },
    /// Verify that a package is signed for its name by a key that this release trusts
    #[command(name = "app:verify")]
    Verify {
        /// Package file: cashout-VERSION-TARGET.tar.gz
        package: PathBuf,
        /// Verify also that it is not older than this release
        #[arg(long)]
        not_older: bool,
    },
    /// Print a file of this release: cashout.service or parameters.yml; run by the installer
    #[command(name = "app:file", hide = true)]
    File {
        /// Name of the file
        name: String,
    },
    /// Restore the previous release if a new one did not start; run by the service manager
    #[command(name = "guard-recover", hide = true)]
    GuardRecover(RecoverArgs),
    /// Show the version, the target, the commit and the store's format
    Version,
}

#[derive(Debug, Args)]
struct ServeArgs {
    /// Process id of the guard; set by the guard when it starts its worker
    #[arg(long, hide = true, value_name = "PID")]
    worker_of: Option<u32>,
    /// Folder of the guard's state, if not the default one
    #[arg(long, hide = true, value_name = "DIR")]
    guard_state: Option<PathBuf>,
    /// Take over from another guard; set by that guard
    #[arg(long, hide = true)]
    taking_over: bool,
    /// Time that a new release has to prove itself
    #[arg(long, hide = true, default_value_t = 60, value_name = "SECONDS")]
    trial_seconds: u32,
    /// Folder of the demo; set by a demo when it starts its service
    #[arg(long, hide = true, value_name = "DIR")]
    demo: Option<PathBuf>,
    /// Time limit for a new release to answer requests; at most the default
    #[arg(long, hide = true, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=30), value_name = "SECONDS")]
    ready_seconds: u32,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
struct UpdateArgs {
    /// List newer releases on GitHub without installing one
    #[arg(long)]
    check: bool,
    /// Install this release instead of the newest
    #[arg(long = "version", value_name = "VERSION")]
    wanted: Option<String>,
    /// Restore the previous release
    #[arg(long)]
    rollback: bool,
    /// Show past updates
    #[arg(long)]
    history: bool,
    /// Install this package file, downloaded by other means; the service must be able to read it
    #[arg(long, value_name = "FILE")]
    package: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct RecoverArgs {
    /// Check only that a guard could start here
    #[arg(long)]
    rehearse: bool,
    /// Folder of the guard's state, if not the default one
    #[arg(long, value_name = "DIR")]
    guard_state: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct GenerateArgs {
    /// Generate only this cycle, such as 2026-11-11; by default every cycle since the last complete one
    cycle_date: Option<Date>,
    /// Run as if it were this day
    #[arg(long = "executionDate", value_name = "DATE")]
    execution_date: Option<Date>,
    /// Time before the cycle at which its voucher window opens, such as 12h
    #[arg(long, value_parser = parse_duration)]
    before: Option<SignedDuration>,
    /// Time after the cycle at which its voucher window closes, such as 12h
    #[arg(long, value_parser = parse_duration)]
    after: Option<SignedDuration>,
}

/// Arguments of `vendor:wallet:set`.
#[derive(Debug, clap::Args)]
struct WalletSetArgs {
    /// Id of the shop in Mirakl
    mirakl_id: u64,
    /// HiPay ID of the wallet
    hipay_id: u64,
    /// Reason, kept in the operations' histories and in the log
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// Check only the configuration and the store, without calls to Mirakl or HiPay
    #[arg(long)]
    offline: bool,
    /// Bind the store to the configured Mirakl, HiPay and technical account
    #[arg(long, conflicts_with = "offline")]
    rebind: bool,
    /// Confirm --rebind without a prompt
    #[arg(long, requires = "rebind")]
    yes: bool,
}

#[derive(Debug, Args)]
struct DemoArgs {
    /// Seed of the marketplace; the same number gives the same one
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of shops
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    shops: u32,
    /// Latency of each answer of Mirakl and HiPay, in milliseconds
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    latency_ms: u32,
    /// Percentage of calls that fail in transit
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=90))]
    fault_rate: u8,
    /// Address of the dashboard; by default 127.0.0.1:8080, or the next free port
    #[arg(long, value_name = "ADDRESS", conflicts_with = "once")]
    listen: Option<SocketAddr>,
    /// Acceleration of time; 1440 makes a day pass in a minute
    #[arg(long, default_value_t = 1_440, value_parser = clap::value_parser!(u32).range(1..=14_400), conflicts_with = "once")]
    speed: u32,
    /// Run one complete cycle, print the result, and exit
    #[arg(long)]
    once: bool,
}

/// The outcome of a command. The codes are a contract with scripts and cron jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray)]
enum Exit {
    /// Code 0: success.
    Done,
    /// Code 1: completion with failures, which were listed.
    Failures,
    /// Code 2: wrong usage or configuration.
    Usage,
    /// Code 3: refusal of our credentials by a remote.
    Credentials,
    /// Code 4: failure of the store or this machine.
    Machine,
    /// Code 75: another process has the store or runs the batch.
    Busy,
    /// Code 130: stop by a person.
    Stopped,
}

impl Exit {
    /// Returns the outcome of an exit code; a guard exits with the code of its worker.
    fn of_code(code: i32) -> Option<Self> {
        Self::VARIANTS.iter().copied().find(|exit| i32::from(exit.code()) == code)
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

/// A command that could not do its work: the message and the exit code.
#[derive(Debug)]
struct Failed {
    exit: Exit,
    sentence: String,
    /// True if the store could not be read or written.
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

/// Runs the command of the arguments. Blocks until it is done.
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
            // Help and version also arrive here, and are not errors.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { Exit::Usage.code() } else { Exit::Done.code() });
        }
    };
    // The log lines of the demo have its own time.
    let wiring = if let CliCommand::Demo(arguments) = &cli.command {
        Wiring { clock: arguments.clock(), ..Wiring::default() }
    } else if let CliCommand::Serve(ServeArgs { demo: Some(folder), .. }) = &cli.command {
        demo::wiring(folder)
    } else {
        Wiring::default()
    };
    let clock = wiring.clock.clone();
    let json = cli.global.json;
    output::choose_format(&cli.global);
    let logs = if let CliCommand::Serve(ServeArgs { worker_of, .. }) = &cli.command {
        // The guard has one thread, and no log: its messages are for the process that started it.
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
        CliCommand::Serve(arguments) => match arguments.worker_of {
            None => guard::run(&global, &arguments),
            Some(guard) => serve::run(&global, guard, arguments.demo, wiring),
        },
        CliCommand::Version => output::version(global.json),
        CliCommand::Verify { package, not_older } => update::verify(&package, not_older, global.json),
        CliCommand::File { name } => update::own_file(&name),
        CliCommand::Update { what, insist, guard_state } => update::run(&global, what, insist, guard_state.as_ref()),
        CliCommand::GuardRecover(arguments) => guard::recover(&global, &arguments),
        CliCommand::Demo(arguments) => demo::run(&global, &arguments, &wiring.clock),
        CliCommand::Check(arguments) => check::run(&global, &arguments),
        CliCommand::OperationRetry { id, reason } => operation::run(&global, id, &OperationChoice::Retry, &reason),
        CliCommand::OperationHold { id, reason } => operation::run(&global, id, &OperationChoice::Hold, &reason),
        CliCommand::OperationRelease { id, reason } => operation::run(&global, id, &OperationChoice::Release, &reason),
        CliCommand::OperationSettle { id, reason } => operation::run(&global, id, &OperationChoice::Settle, &reason),
        CliCommand::OperationAccept { id, transaction: transaction_id, reason } => {
            operation::run(&global, id, &OperationChoice::Accept { transaction_id }, &reason)
        }
        CliCommand::VoucherRelease { id, reason } => voucher::run(&global, &id, VoucherChoice::Release, &reason),
        CliCommand::VoucherSettle { id, reason } => voucher::run(&global, &id, VoucherChoice::Settle, &reason),
        CliCommand::WalletSet(arguments) => wallet_set::run(&global, arguments),
        CliCommand::WalletList => wallets::list(&global),
        CliCommand::WalletBankInfos { hipay_id } => wallets::bank_infos(&global, hipay_id),
        CliCommand::VendorProcess { since } => batch::run(&global, |zone, now| {
            let since = since.as_deref().map(|text| instant(text, zone, now)).transpose()?;
            Ok(Command::VendorProcess { since })
        }),
        CliCommand::CashoutGenerate(GenerateArgs { cycle_date, execution_date, before, after }) => {
            let arguments = GenerateArguments { cycle_date, execution_date, before, after };
            batch::run(&global, |_, _| Ok(Command::CashoutGenerate(arguments)))
        }
        CliCommand::CashoutTransfer => batch::run(&global, |_, _| Ok(Command::CashoutTransfer)),
        CliCommand::CashoutWithdraw => batch::run(&global, |_, _| Ok(Command::CashoutWithdraw)),
        CliCommand::TransactionStatusSync => batch::run(&global, |_, _| Ok(Command::TransactionStatusSync)),
    }
}

/// Parses `2026-11-01` (the start of that day in the configured zone), `24h`, `7d`, or a full instant.
fn instant(text: &str, zone: &TimeZone, now: Timestamp) -> Result<Timestamp, Failed> {
    let instant = if let Ok(instant) = text.parse::<Timestamp>() {
        Some(instant)
    } else if let Ok(date) = text.parse::<Date>() {
        date.to_zoned(zone.clone()).ok().map(|start| start.timestamp())
    } else {
        parse_duration(text).ok().and_then(|back| now.checked_sub(back).ok())
    };
    instant.ok_or_else(|| {
        let sentence = format!("'{text}' is not a point in time; allowed: a day such as 2026-11-01, or 24h, 7d");
        Failed::new(Exit::Usage, sentence)
    })
}

/// Returns the configuration if it is valid, and prints its notices on the error output.
fn accepted(global: &Global, loaded: Result<Config, ConfigErrors>) -> Result<Config, Failed> {
    let config = loaded.map_err(|errors| Failed::new(Exit::Usage, errors.to_string()))?;
    for notice in &config.notices {
        if notice.level == NoticeLevel::Warning || global.verbose > 0 {
            output::notice(&notice.text);
        }
    }
    Ok(config)
}

/// Makes the runtime of one command.
fn runtime() -> Result<tokio::runtime::Runtime, Failed> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}
