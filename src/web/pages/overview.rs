//! The overview: is everything all right? It shows the money of the current cycle by stage, what is held back and why,
//! the batches, the vendors that need attention, and the last cycles side by side.

use std::collections::BTreeMap;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use jiff::civil::Date;
use strum::{IntoStaticStr, VariantArray};

use super::notifications::refused_so_far;
use super::page::{PageFrame, Tone, show};
use super::todo::WorkRow;
use crate::config::LogLevel;
use crate::domain::explanation::Actor;
use crate::domain::money::{Amount, Currency};
use crate::domain::operation::{Column, Operation, Status};
use crate::domain::vendor::Vendor;
use crate::jobs::{self, BatchRecord, BatchState, WorkGroup};
use crate::platform::variants::named;
use crate::schema::day_of_number;
use crate::store::{Query, StoreError, StoreReader, View};
use crate::web::Web;
use crate::web::problem::Problem;

/// Number of cycles shown side by side.
const CYCLES: usize = 8;
/// Number of groups of the work list that are shown.
const WORK: usize = 8;
/// Number of vendors named.
const VENDORS: usize = 5;
/// Time limit for HiPay to return a balance.
const PATIENCE: Duration = Duration::from_secs(4);
/// Maximum width of a cycle's bar.
const WIDTH: u64 = 1_000;

/// Stage that money has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
enum MoneyStage {
    Withdrawn,
    Withdrawing,
    Transferred,
    Transferring,
    ToTransfer,
    HeldBack,
}

named!(MoneyStage);

impl MoneyStage {
    /// Returns the stage of a status; `None` if nothing is to be paid.
    fn of(status: Status) -> Option<Self> {
        Some(match status {
            Status::Created => Self::ToTransfer,
            Status::TransferSending | Status::TransferRequested => Self::Transferring,
            Status::TransferSuccess => Self::Transferred,
            Status::WithdrawSending | Status::WithdrawRequested => Self::Withdrawing,
            Status::WithdrawSuccess => Self::Withdrawn,
            Status::AdjustedOperations | Status::InvalidAmount => return None,
            Status::TransferVendorDisabled
            | Status::TransferFailed
            | Status::TransferNegative
            | Status::WithdrawVendorDisabled
            | Status::WithdrawFailed
            | Status::WithdrawCanceled
            | Status::WithdrawNegative
            | Status::WithdrawPaymentBlocked
            | Status::Unknown(_) => Self::HeldBack,
        })
    }
}

/// Number of operations, and their amounts by currency.
#[derive(Default)]
struct Sum {
    count: u64,
    amounts: Vec<Amount>,
}

impl Sum {
    fn add(&mut self, count: u64, amount: Amount) {
        self.count = self.count.saturating_add(count);
        match self.amounts.iter_mut().find(|sum| sum.currency() == amount.currency()) {
            // A sum that overflows is more than any bank has: it stays as it is.
            Some(sum) => *sum = sum.checked_add(amount).unwrap_or(*sum),
            None => self.amounts.push(amount),
        }
    }
}

/// The progress of a cycle.
struct CycleMoney {
    day: Date,
    stages: BTreeMap<MoneyStage, Sum>,
    /// Money held back, by status.
    reasons: BTreeMap<i64, Sum>,
    all: Sum,
}

/// A piece of a cycle's bar.
struct BarPiece {
    stage: &'static str,
    x: u64,
    width: u64,
}

impl CycleMoney {
    fn stage(&self, stage: MoneyStage) -> &Sum {
        static NOTHING: Sum = Sum { count: 0, amounts: Vec::new() };
        self.stages.get(&stage).unwrap_or(&NOTHING)
    }

    /// Returns the bar, by the number of operations: sums of several currencies do not add up.
    fn bar(&self) -> Vec<BarPiece> {
        let mut pieces = Vec::new();
        let (mut passed, all) = (0_u64, self.all.count.max(1));
        for stage in MoneyStage::ALL {
            let x = passed.saturating_mul(WIDTH).div_euclid(all);
            passed = passed.saturating_add(self.stage(stage).count);
            let end = passed.saturating_mul(WIDTH).div_euclid(all);
            if end > x {
                pieces.push(BarPiece { stage: stage.name(), x, width: end.saturating_sub(x) });
            }
        }
        pieces
    }
}

/// A reason why money is held back, and the address of the list.
struct HeldReason {
    word: String,
    address: String,
    count: u64,
    amounts: Vec<Amount>,
}

/// Last and next run of a batch.
struct RunTimes {
    command: &'static str,
    last: Option<BatchRecord>,
    next: Option<Timestamp>,
}

#[derive(Template)]
#[template(path = "overview.html", config = "ui/askama.toml")]
struct Overview {
    page: PageFrame,
    now: Timestamp,
    cycles: Vec<CycleMoney>,
    reasons: Vec<HeldReason>,
    /// Groups that a party has to act on, the first of them.
    work: Vec<WorkRow>,
    /// Number of operations and vouchers that a party has to act on.
    to_do: u64,
    warnings: u64,
    vendors: Vec<Vendor>,
    runs: Vec<RunTimes>,
    /// Text about the refused notifications, if there were any.
    refused: Option<String>,
    troubles: Vec<OpenTrouble>,
}

/// A trouble that is open now.
struct OpenTrouble {
    level: LogLevel,
    message: String,
    since: Timestamp,
}

struct OverviewData {
    cycles: Vec<CycleMoney>,
    work: Vec<WorkGroup>,
    warnings: u64,
    vendors: Vec<Vendor>,
    last: BTreeMap<String, BatchRecord>,
}

/// Shows the overview.
pub(super) async fn overview(State(web): State<Web>, page: PageFrame) -> Result<Response, Problem> {
    let next = web.scheduler.next_runs().await?;
    let commands: Vec<&'static str> = next.iter().map(|run| run.kind.name()).collect();
    let known = web.context.store.reading(move |reader| known(reader, &commands)).await?;
    let OverviewData { cycles, mut work, warnings, vendors, mut last } = known;
    work.retain(|group| group.actor != Actor::Nobody);
    let to_do = work.iter().fold(0, |number: u64, group| number.saturating_add(group.count));
    let work = work.into_iter().take(WORK).map(|group| WorkRow::new(&page, group)).collect();
    let reasons = cycles.first().map(|cycle| reasons(&page, cycle)).unwrap_or_default();
    let runs = next.into_iter().map(|run| RunTimes {
        command: run.kind.name(),
        last: last.remove(run.kind.name()),
        next: run.at,
    });
    let (now, runs) = (web.context.clock.now(), runs.collect());
    let refused = refused_so_far(&web, &page);
    let troubles = web.context.troubles.open().into_iter().map(|trouble| OpenTrouble {
        level: LogLevel::of_number(trouble.level),
        message: page.say(&trouble.message),
        since: trouble.opened_at,
    });
    let troubles = troubles.collect();
    let overview = Overview { page, now, cycles, reasons, work, to_do, warnings, vendors, runs, refused, troubles };
    show(StatusCode::OK, &overview)
}

fn known(reader: &StoreReader<'_>, commands: &[&'static str]) -> Result<OverviewData, StoreError> {
    let mut cycles: BTreeMap<i64, CycleMoney> = BTreeMap::new();
    for ((day, code, currency), count) in reader.groups(Operation::BY_CYCLE)? {
        let (Some(date), Ok(known)) = (day_of_number(day), Currency::from_code(&currency)) else { continue };
        let minor = reader.sum(Operation::BY_CYCLE, (day, code, currency))?;
        let nothing =
            || CycleMoney { day: date, stages: BTreeMap::new(), reasons: BTreeMap::new(), all: Sum::default() };
        let cycle = cycles.entry(day).or_insert_with(nothing);
        let Some(stage) = MoneyStage::of(Status::from_code(code)) else { continue };
        let amount = Amount::from_minor(minor, known);
        cycle.stages.entry(stage).or_default().add(count, amount);
        cycle.all.add(count, amount);
        if stage == MoneyStage::HeldBack {
            cycle.reasons.entry(code).or_default().add(count, amount);
        }
    }
    let groups = reader.groups(Vendor::BY_STATUS)?;
    let warnings = groups.into_iter().filter(|((status, _), _)| status == "warning").map(|(_, count)| count).sum();
    let mut last = BTreeMap::new();
    for command in commands {
        let query = Query::group(BatchRecord::BY_COMMAND, *command).descending().limit(1);
        last.extend(reader.page(&query)?.items.pop().map(|batch| ((*command).to_owned(), batch)));
    }
    Ok(OverviewData {
        cycles: cycles.into_values().rev().take(CYCLES).collect(),
        work: jobs::work_list(reader)?,
        warnings,
        vendors: attention(reader)?,
        last,
    })
}

/// Returns the vendors that were most recently found in need of attention.
fn attention(reader: &StoreReader<'_>) -> Result<Vec<Vendor>, StoreError> {
    let mut vendors = Vec::new();
    for wallet in crate::domain::vendor::WalletStatus::ALL {
        let query = Query::group(Vendor::BY_STATUS, ("warning", wallet.name())).descending().limit(VENDORS);
        vendors.extend(reader.page(&query)?.items);
    }
    vendors.sort_by_key(|vendor| std::cmp::Reverse(vendor.updated_at));
    vendors.truncate(VENDORS);
    Ok(vendors)
}

fn reasons(page: &PageFrame, cycle: &CycleMoney) -> Vec<HeldReason> {
    let reason = |(code, sum): (&i64, &Sum)| {
        let status = Status::from_code(*code);
        let (transfer, withdrawal) = status.columns();
        let of_transfer = withdrawal == Column::None;
        let (key, column) = if of_transfer { ("transfer_status", transfer) } else { ("withdraw_status", withdrawal) };
        HeldReason {
            word: page.of(&status),
            address: format!("/dashboard/transfers?{key}={}", column.name()),
            count: sum.count,
            amounts: sum.amounts.clone(),
        }
    };
    cycle.reasons.iter().map(reason).collect()
}

impl Overview {
    /// Returns the stages in the order of a normal payment; what is held back comes last.
    fn stages(&self) -> [MoneyStage; 6] {
        [
            MoneyStage::ToTransfer,
            MoneyStage::Transferring,
            MoneyStage::Transferred,
            MoneyStage::Withdrawing,
            MoneyStage::Withdrawn,
            MoneyStage::HeldBack,
        ]
    }

    fn state_tone(&self, state: &BatchState) -> &'static str {
        match state {
            BatchState::Done => "good",
            BatchState::Partly => "warn",
            BatchState::Queued | BatchState::Running => "busy",
            BatchState::Failed | BatchState::Interrupted => "bad",
            BatchState::Unknown => "quiet",
        }
    }
}

#[derive(Template)]
#[template(path = "funds.html", config = "ui/askama.toml")]
struct FundsView {
    page: PageFrame,
    /// Balance of the account; `None` if HiPay did not return it.
    balance: Option<Amount>,
    /// Amount that the next transfers need, in the same currency.
    due: Option<Amount>,
    covers: bool,
}

/// Shows the balance of the marketplace's account, read from HiPay, and whether it covers what is due.
pub(super) async fn funds(State(web): State<Web>, page: PageFrame) -> Result<Response, Problem> {
    let asked = tokio::time::timeout(PATIENCE, web.context.read_escrow_balance()).await;
    let balance = asked.ok().and_then(Result::ok);
    let due = match balance {
        None => None,
        Some(balance) => {
            Some(web.context.store.reading(move |reader| jobs::due_for_transfers(reader, balance.currency())).await?)
        }
    };
    let covers = balance.zip(due).is_some_and(|(balance, due)| balance.covers(due));
    show(StatusCode::OK, &FundsView { page, balance, due, covers })
}
