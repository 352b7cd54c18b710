//! Endpoints for cycles: what their vouchers state, and what became of them.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use super::lists::{self, List, ListQuery, NoFilter, NumberedPages};
use super::todo::TodoGroup;
use crate::domain::money::Amount;
use crate::domain::standing::Stage;
use crate::jobs::{self, Context, CurrencySums, CycleAccount, CycleSide, CycleState};
use crate::text::message::msg;
use crate::web::Web;
use crate::web::path::Day;
use crate::web::problem::{Problem, ProblemBody};

/// Sum in one currency.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CycleSum {
    /// Currency (ISO 4217).
    #[schema(example = "EUR")]
    currency: &'static str,
    /// Sum of the amounts, with the currency's decimals.
    #[schema(example = "83.00")]
    amount: String,
    /// Number of operations or vouchers.
    count: u64,
}

/// Money owed to one beneficiary, by stage. Each operation, and each voucher without operations, is in one stage.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CycleStages {
    /// Sum of the stages: what the vouchers owe, and what larger payments exceed them by.
    vouchers: Vec<CycleSum>,
    /// Amounts that all vouchers of the cycle state, and their number. It equals `vouchers` less `increased`.
    in_mirakl: Vec<CycleSum>,
    /// Vouchers without operations that cashout has to pay, or may have to.
    held: Vec<CycleSum>,
    /// Vouchers that someone else pays or has paid.
    paid_elsewhere: Vec<CycleSum>,
    /// Vouchers outside the window of every cycle.
    outside_cycles: Vec<CycleSum>,
    /// Debts of the cycle that were netted, and their number; `deducted` is added to the amount, so that it is zero if
    /// the debts were deducted from operations of the same cycle.
    netted: Vec<CycleSum>,
    /// Operations of zero or less.
    nothing_to_pay: Vec<CycleSum>,
    /// Operations not sent yet.
    to_transfer: Vec<CycleSum>,
    /// Operations on their way to the wallet.
    transferring: Vec<CycleSum>,
    /// Operations whose money is in the wallet.
    in_wallets: Vec<CycleSum>,
    /// Operations on their way to the bank.
    withdrawing: Vec<CycleSum>,
    /// Operations whose money is at the bank.
    withdrawn: Vec<CycleSum>,
    /// Operations not paid for a reason that does not pass by itself, or that a run has found.
    held_back: Vec<CycleSum>,
    /// Operations and vouchers settled outside cashout.
    settled: Vec<CycleSum>,
    /// Part of `netted`: what debts have taken off operations of the cycle, and the number of these operations.
    deducted: Vec<CycleSum>,
    /// Part of the stages: what larger payments that were accepted exceed the vouchers by.
    increased: Vec<CycleSum>,
    /// Part of `withdrawn` that a withdrawal could not take because the balance was smaller.
    shortfall: Vec<CycleSum>,
}

/// A cycle.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CycleItem {
    /// Day of the cycle.
    date: Date,
    /// First instant of the vouchers' window (UTC); null if the settings name no cycle on that day.
    from: Option<Timestamp>,
    /// Last instant of the vouchers' window (UTC).
    to: Option<Timestamp>,
    /// State of the cycle as a whole: `open` until its window has ended; `needs_action` if a party has to act on money
    /// that cashout still has to pay; `in_progress` if money is on its way; `paid` if all of it is at the bank or settled;
    /// `nothing_due` if there was nothing for cashout to pay.
    state: CycleState,
    /// Money owed to vendors.
    vendors: CycleStages,
    /// Money owed to the operator: the commissions.
    operator: CycleStages,
    /// Unpaid money, by reason, as in `GET /todo`.
    reasons: Vec<TodoGroup>,
}

impl CycleItem {
    fn new(context: &Context, account: CycleAccount) -> Self {
        let cycle = context.calendar().cycle_on(account.date);
        let date = account.date;
        Self {
            date,
            from: cycle.map(|cycle| cycle.start),
            to: cycle.map(|cycle| cycle.end),
            state: account.state(context.clock.now(), cycle.as_ref()),
            vendors: (&account.vendors).into(),
            operator: (&account.operator).into(),
            reasons: account.unpaid.into_iter().map(|group| TodoGroup::of_cycle(group, date)).collect(),
        }
    }
}

impl From<&CycleSide> for CycleStages {
    fn from(side: &CycleSide) -> Self {
        let stage = |stage: Stage| sums(&side.stage(stage));
        let mut netted = side.stage(Stage::Netted);
        for sum in side.deducted.all() {
            netted.add(0, sum.amount);
        }
        Self {
            vouchers: sums(&side.sum()),
            in_mirakl: sums(&side.vouchers),
            held: stage(Stage::Held),
            paid_elsewhere: stage(Stage::PaidElsewhere),
            outside_cycles: stage(Stage::OutsideCycles),
            netted: sums(&netted),
            nothing_to_pay: stage(Stage::NothingToPay),
            to_transfer: stage(Stage::ToTransfer),
            transferring: stage(Stage::Transferring),
            in_wallets: stage(Stage::InWallets),
            withdrawing: stage(Stage::Withdrawing),
            withdrawn: stage(Stage::Withdrawn),
            held_back: stage(Stage::HeldBack),
            settled: stage(Stage::Settled),
            deducted: sums(&side.deducted),
            increased: sums(&side.increased),
            shortfall: sums(&side.shortfall),
        }
    }
}

fn sums(sums: &CurrencySums) -> Vec<CycleSum> {
    let sum = |sum: &jobs::CurrencySum| CycleSum {
        currency: sum.amount.currency().code(),
        amount: Amount::decimal(sum.amount),
        count: sum.count,
    };
    sums.all().iter().map(sum).collect()
}

/// Lists the cycles, latest first.
///
/// Each has the sums of its stages. A day on which there are only vouchers outside every cycle is not listed.
#[utoipa::path(get, path = "/cycles", params(NumberedPages), responses(
    (status = 200, body = List<CycleItem>),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn cycles(
    State(web): State<Web>,
    ListQuery(paging, ..): ListQuery<NoFilter, NumberedPages>,
) -> Result<Json<List<CycleItem>>, Problem> {
    let found = lists::cycles(&web, &paging).await?;
    Ok(Json(found.map(|account| CycleItem::new(&web.context, account))))
}

/// Returns what became of the vouchers of a cycle.
#[utoipa::path(get, path = "/cycles/{date}", params(("date" = Date, Path, description = "Day of the cycle")), responses(
    (status = 200, body = CycleItem),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn cycle(State(web): State<Web>, Day(date): Day) -> Result<Json<CycleItem>, Problem> {
    let account = web.find(msg!("problem-no-cycle", date), move |reader| jobs::cycle_account(reader, date)).await?;
    Ok(Json(CycleItem::new(&web.context, account)))
}
