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

use super::notifications::refused_so_far;
use super::page::{PageFrame, Tone, show};
use super::todo::WorkRow;
use crate::config::LogLevel;
use crate::domain::money::{Amount, Currency};
use crate::domain::operation::Operation;
use crate::domain::standing::Stage;
use crate::domain::vendor::Vendor;
use crate::jobs::{self, BatchRecord, BatchState, WorkGroup, add_to_sums};
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

/// Stages that are shown, in the order of a normal payment; what is held back comes last.
const STAGES: [Stage; 6] =
    [Stage::ToTransfer, Stage::Transferring, Stage::InWallets, Stage::Withdrawing, Stage::Withdrawn, Stage::HeldBack];

/// Stages in the order of a cycle's bar: what is done comes first.
const BAR: [Stage; 6] =
    [Stage::Withdrawn, Stage::Withdrawing, Stage::InWallets, Stage::Transferring, Stage::ToTransfer, Stage::HeldBack];

/// Number of operations, and their amounts by currency.
#[derive(Default)]
struct Sum {
    count: u64,
    amounts: Vec<Amount>,
}

impl Sum {
    fn add(&mut self, count: u64, amount: Amount) {
        self.count = self.count.saturating_add(count);
        add_to_sums(&mut self.amounts, amount);
    }
}

/// The progress of a cycle.
struct CycleMoney {
    day: Date,
    stages: BTreeMap<Stage, Sum>,
    /// Money held back, by reason.
    reasons: BTreeMap<String, Sum>,
    all: Sum,
}

/// A piece of a cycle's bar.
struct BarPiece {
    stage: &'static str,
    x: u64,
    width: u64,
}

impl CycleMoney {
    fn stage(&self, stage: Stage) -> &Sum {
        static NOTHING: Sum = Sum { count: 0, amounts: Vec::new() };
        self.stages.get(&stage).unwrap_or(&NOTHING)
    }

    /// Returns the bar, by the number of operations: sums of several currencies do not add up.
    fn bar(&self) -> Vec<BarPiece> {
        let mut pieces = Vec::new();
        let (mut passed, all) = (0_u64, self.all.count.max(1));
        for stage in BAR {
            let x = passed.saturating_mul(WIDTH).div_euclid(all);
            passed = passed.saturating_add(self.stage(stage).count);
            let end = passed.saturating_mul(WIDTH).div_euclid(all);
            if end > x {
                pieces.push(BarPiece { stage: class_of(stage), x, width: end.saturating_sub(x) });
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
    /// False while an index of the work list or the cycles is built.
    is_built: bool,
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
    /// Groups of the work list; `None` while an index is built.
    work: Option<Vec<WorkGroup>>,
    warnings: u64,
    vendors: Vec<Vendor>,
    last: BTreeMap<String, BatchRecord>,
}

/// Shows the overview.
pub(super) async fn overview(State(web): State<Web>, page: PageFrame) -> Result<Response, Problem> {
    let next = web.scheduler.next_runs().await?;
    let commands: Vec<&'static str> = next.iter().map(|run| run.kind.name()).collect();
    let known = web.context.store.reading(move |reader| known(reader, &commands)).await?;
    let OverviewData { cycles, work, warnings, vendors, mut last } = known;
    let is_built = work.is_some();
    let mut work = work.unwrap_or_default();
    work.retain(WorkGroup::needs_action);
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
    let overview =
        Overview { page, now, cycles, reasons, is_built, work, to_do, warnings, vendors, runs, refused, troubles };
    show(StatusCode::OK, &overview)
}

fn known(reader: &StoreReader<'_>, commands: &[&'static str]) -> Result<OverviewData, StoreError> {
    let mut cycles: BTreeMap<i64, CycleMoney> = BTreeMap::new();
    let (groups, work) = match (reader.groups(Operation::BY_CYCLE), jobs::work_list(reader)) {
        // The rest of the page is shown while an index is built after an update.
        (Err(StoreError::NotBuilt { .. }), _) | (_, Err(StoreError::NotBuilt { .. })) => (Vec::new(), None),
        (groups, work) => (groups?, Some(work?)),
    };
    for (group, count) in groups {
        let (date, currency) = (day_of_number(group.0), Currency::from_code(&group.5));
        let (day, stage, reason) = (group.0, Stage::of_name(&group.2), group.3.clone());
        let (Some(date), Ok(currency), Some(stage)) = (date, currency, stage) else { continue };
        let nothing =
            || CycleMoney { day: date, stages: BTreeMap::new(), reasons: BTreeMap::new(), all: Sum::default() };
        let cycle = cycles.entry(day).or_insert_with(nothing);
        if !STAGES.contains(&stage) {
            continue;
        }
        let amount = Amount::from_minor(reader.sum(Operation::BY_CYCLE, group)?, currency);
        cycle.stages.entry(stage).or_default().add(count, amount);
        cycle.all.add(count, amount);
        if stage == Stage::HeldBack {
            cycle.reasons.entry(reason).or_default().add(count, amount);
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
        work,
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
    let reason = |(reason, sum): (&String, &Sum)| HeldReason {
        word: page.reason(reason),
        address: format!("/dashboard/transfers?cycle={}&stage={}&reason={reason}", cycle.day, Stage::HeldBack.name()),
        count: sum.count,
        amounts: sum.amounts.clone(),
    };
    cycle.reasons.iter().map(reason).collect()
}

/// Returns the class of a stage's colour.
fn class_of(stage: Stage) -> &'static str {
    match stage {
        Stage::ToTransfer => "to-transfer",
        Stage::Transferring => "transferring",
        Stage::InWallets => "in-wallets",
        Stage::Withdrawing => "withdrawing",
        Stage::Withdrawn => "withdrawn",
        Stage::HeldBack => "held-back",
        Stage::Held
        | Stage::PaidElsewhere
        | Stage::OutsideCycles
        | Stage::Netted
        | Stage::NothingToPay
        | Stage::Settled => "",
    }
}

impl Overview {
    fn stages(&self) -> [Stage; 6] {
        STAGES
    }

    fn class(&self, stage: Stage) -> &'static str {
        class_of(stage)
    }

    /// Returns the address of the operations of a cycle in a stage.
    fn link(&self, cycle: &CycleMoney, stage: Stage) -> String {
        format!("/dashboard/transfers?cycle={}&stage={}", cycle.day, stage.name())
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
