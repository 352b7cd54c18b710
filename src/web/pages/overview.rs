//! The overview: is everything all right? It shows the money of the current cycle by stage, what is held back and why,
//! the batches, the vendors that need attention, and the last cycles side by side.

use std::collections::BTreeMap;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;

use super::cycles::{CycleView, legend};
use super::notifications::refused_so_far;
use super::page::{PageFrame, Tone, show};
use super::todo::WorkRow;
use crate::config::LogLevel;
use crate::domain::explanation::Actor;
use crate::domain::money::Amount;
use crate::domain::standing::Stage;
use crate::domain::vendor::Vendor;
use crate::jobs::{self, BatchRecord, BatchState, CycleAccount, WorkGroup, latest_cycles};
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
    cycles: Vec<CycleView>,
    reasons: Vec<WorkRow>,
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
    cycles: Vec<CycleAccount>,
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
    let cycles: Vec<CycleView> = cycles.into_iter().map(|account| CycleView::new(&web.context, account)).collect();
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
    let (cycles, work) = match (latest_cycles(reader, CYCLES), jobs::work_list(reader)) {
        // The rest of the page is shown while an index is built after an update.
        (Err(StoreError::NotBuilt { .. }), _) | (_, Err(StoreError::NotBuilt { .. })) => (Vec::new(), None),
        (cycles, work) => (cycles?, Some(work?)),
    };
    let groups = reader.groups(Vendor::BY_STATUS)?;
    let warnings = groups.into_iter().filter(|((status, _), _)| status == "warning").map(|(_, count)| count).sum();
    let mut last = BTreeMap::new();
    for command in commands {
        let query = Query::group(BatchRecord::BY_COMMAND, *command).descending().limit(1);
        last.extend(reader.page(&query)?.items.pop().map(|batch| ((*command).to_owned(), batch)));
    }
    Ok(OverviewData { cycles, work, warnings, vendors: attention(reader)?, last })
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

/// Returns what is held back in a cycle, by reason; what goes on by itself is left out.
fn reasons(page: &PageFrame, cycle: &CycleView) -> Vec<WorkRow> {
    let stops = |group: &&WorkGroup| !group.is_outside && (group.actor != Actor::Nobody || group.can_be_retried);
    let stopped = cycle.account.unpaid.iter().filter(stops).cloned();
    stopped.map(|group| WorkRow::of_cycle(page, group, cycle.account.date)).collect()
}

impl Overview {
    fn legend(&self) -> Vec<(Stage, String)> {
        legend()
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
