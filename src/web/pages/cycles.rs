//! The cycles, each with its progress: what its vouchers owe, what has arrived, and what is held back.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::civil::Date;

use super::page::{ListRows, PageFrame, Tone, show};
use crate::domain::money::Amount;
use crate::domain::standing::Stage;
use crate::domain::voucher::{VoucherRecord, VoucherState};
use crate::jobs::{self, Context, CurrencySums, CycleAccount, CycleState};
use crate::store::{StoreError, StoreReader, View};
use crate::web::Web;
use crate::web::lists::{ListQuery, NoFilter, NumberedPages, cycles};
use crate::web::problem::Problem;

/// Maximum width of a cycle's bar.
const WIDTH: u64 = 1_000;

/// Stages that show the progress of a cycle, in the order of a normal payment; what does not go on comes last.
const STAGES: [Stage; 7] = [
    Stage::ToTransfer,
    Stage::Transferring,
    Stage::InWallets,
    Stage::Withdrawing,
    Stage::Withdrawn,
    Stage::HeldBack,
    Stage::Held,
];

/// Stages in the order of a cycle's bar: what is done comes first.
const BAR: [Stage; 7] = [
    Stage::Withdrawn,
    Stage::Withdrawing,
    Stage::InWallets,
    Stage::Transferring,
    Stage::ToTransfer,
    Stage::HeldBack,
    Stage::Held,
];

/// Stages of operations that are on their way.
const IN_PROGRESS: [Stage; 4] = [Stage::ToTransfer, Stage::Transferring, Stage::InWallets, Stage::Withdrawing];

impl Tone for CycleState {
    fn tone(&self) -> &'static str {
        match self {
            CycleState::Paid => "good",
            CycleState::InProgress => "busy",
            CycleState::NeedsAction => "bad",
            CycleState::Open => "note",
            CycleState::NothingDue => "quiet",
        }
    }
}

/// A piece of a cycle's bar.
pub(super) struct BarPiece {
    /// Class of the colour.
    pub(super) class: String,
    pub(super) x: u64,
    pub(super) width: u64,
}

/// Records that a figure counts, with their sums, and the address of the list of exactly these.
pub(super) struct StageFigure {
    pub(super) stage: Stage,
    /// Class of the colour.
    pub(super) class: String,
    pub(super) count: u64,
    pub(super) amounts: Vec<Amount>,
    pub(super) address: String,
}

impl StageFigure {
    fn new(stage: Stage, sums: &CurrencySums, address: String) -> Self {
        let amounts = sums.all().iter().map(|sum| sum.amount).collect();
        Self { stage, class: class_of(stage), count: sums.count(), amounts, address }
    }

    /// Returns the text of the number, of vouchers for [`Stage::Held`] and of operations for any other stage.
    pub(super) fn unit(&self) -> &'static str {
        if self.stage == Stage::Held { "todo-vouchers" } else { "retry-count" }
    }
}

/// A cycle on a page.
pub(super) struct CycleView {
    pub(super) account: CycleAccount,
    pub(super) state: CycleState,
}

impl CycleView {
    pub(super) fn new(context: &Context, account: CycleAccount) -> Self {
        let cycle = context.calendar().cycle_on(account.date);
        Self { state: account.state(context.clock.now(), cycle.as_ref()), account }
    }

    /// Returns the address of the cycle's page.
    pub(super) fn address(&self) -> String {
        address_of(self.account.date)
    }

    /// Returns the address of the cycle's operations, narrowed down by this.
    fn list_of(&self, filter: &str) -> String {
        format!("/dashboard/transfers?cycle={}{filter}", self.account.date)
    }

    /// Returns the figure of all operations.
    pub(super) fn operations(&self) -> StageFigure {
        StageFigure::new(Stage::ToTransfer, &self.account.operations, self.list_of(""))
    }

    /// Returns the figure of a stage: of [`Stage::Held`] the vouchers, of any other stage the operations.
    pub(super) fn figure(&self, stage: Stage) -> StageFigure {
        let name = stage.name();
        if stage == Stage::Held {
            let address = format!("/dashboard/vouchers?cycle={}&stage={name}", self.account.date);
            return StageFigure::new(stage, &self.account.vouchers_in(stage), address);
        }
        StageFigure::new(stage, &self.account.operations_in(stage), self.list_of(&format!("&stage={name}")))
    }

    /// Returns the figures of the stages that show the progress.
    pub(super) fn figures(&self) -> Vec<StageFigure> {
        STAGES.into_iter().map(|stage| self.figure(stage)).collect()
    }

    fn in_progress(&self) -> Vec<StageFigure> {
        IN_PROGRESS.into_iter().map(|stage| self.figure(stage)).filter(|figure| figure.count > 0).collect()
    }

    /// Returns what does not go on: operations that are held back, and vouchers without operations.
    fn held(&self) -> Vec<StageFigure> {
        let held = [Stage::HeldBack, Stage::Held];
        held.into_iter().map(|stage| self.figure(stage)).filter(|figure| figure.count > 0).collect()
    }

    fn transferred(&self) -> StageFigure {
        let address = self.list_of("&transfer_status=ok");
        StageFigure::new(Stage::InWallets, &self.account.transferred, address)
    }

    fn vouchers(&self) -> StageFigure {
        let address = format!("/dashboard/vouchers?cycle={}", self.account.date);
        StageFigure::new(Stage::Held, &self.account.vouchers(), address)
    }

    /// Returns the bar, by the number of operations and vouchers: sums of several currencies do not add up.
    pub(super) fn bar(&self) -> Vec<BarPiece> {
        let mut pieces = Vec::new();
        let figures: Vec<StageFigure> = BAR.into_iter().map(|stage| self.figure(stage)).collect();
        let all = figures.iter().fold(0, |all: u64, figure| all.saturating_add(figure.count)).max(1);
        let mut passed = 0_u64;
        for figure in figures {
            let x = passed.saturating_mul(WIDTH).div_euclid(all);
            passed = passed.saturating_add(figure.count);
            let end = passed.saturating_mul(WIDTH).div_euclid(all);
            if end > x {
                pieces.push(BarPiece { class: figure.class, x, width: end.saturating_sub(x) });
            }
        }
        pieces
    }

    /// Returns the bar in words.
    pub(super) fn bar_in_words(&self, page: &PageFrame) -> String {
        let figures = self.figures().into_iter().filter(|figure| figure.count > 0);
        let words = figures.map(|figure| {
            let stage = page.word("stage", figure.stage.name());
            format!("{stage} {}.", page.number(&figure.count))
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

/// Returns the address of a cycle's page.
pub(super) fn address_of(date: Date) -> String {
    format!("/dashboard/cycles/{date}")
}

/// Returns the stages of the progress with the classes of their colours.
pub(super) fn legend() -> Vec<(Stage, String)> {
    STAGES.iter().map(|stage| (*stage, class_of(*stage))).collect()
}

fn class_of(stage: Stage) -> String {
    stage.name().replace('_', "-")
}

#[derive(Template)]
#[template(path = "cycles.html", config = "ui/askama.toml")]
struct CyclesPage {
    page: PageFrame,
    /// The cycles; `None` while an index is built.
    rows: Option<ListRows<CycleView>>,
    /// Number of vouchers outside every cycle.
    outside: u64,
}

impl CyclesPage {
    fn legend(&self) -> Vec<(Stage, String)> {
        legend()
    }
}

/// Shows the cycles.
pub(super) async fn list(
    State(web): State<Web>,
    page: PageFrame,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = ListQuery::<NoFilter, NumberedPages>::of_form(&query.unwrap_or_default());
    let found = match query {
        Err(problem) => Err(problem),
        Ok(_) if !is_built(&web).await? => {
            return show(StatusCode::OK, &CyclesPage { page, rows: None, outside: 0 });
        }
        Ok(ListQuery(paging, ..)) => cycles(&web, &paging).await,
    };
    let rows = ListRows::of(found, &page)?.map(|account| CycleView::new(&web.context, account));
    let outside = |reader: &StoreReader<'_>| reader.count(VoucherRecord::BY_STATE, VoucherState::OutsideCycles);
    let outside = web.context.store.reading(outside).await?;
    show(rows.status(), &CyclesPage { page, rows: Some(rows), outside })
}

/// Returns false while an index of the cycles is built after an update.
async fn is_built(web: &Web) -> Result<bool, StoreError> {
    let latest = web.context.store.reading(|reader| jobs::latest_cycles(reader, 1)).await;
    match latest {
        Ok(_) => Ok(true),
        Err(StoreError::NotBuilt { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
