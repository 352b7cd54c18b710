//! One cycle: what its vouchers state and what became of them, what is not paid and why, to be printed as a sheet.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use jiff::civil::Date;

use super::cycles::{CycleView, StageFigure, address_of};
use super::page::{PageFrame, Tone, show};
use super::todo::WorkRow;
use crate::domain::cycle::Cycle;
use crate::domain::money::{Amount, Currency};
use crate::domain::operation::{AmountDifference, Beneficiary};
use crate::domain::standing::Stage;
use crate::jobs::{CurrencySum, CurrencySums, CycleAccount, CycleSide, WorkGroup, cycle_account, cycle_days};
use crate::store::{StoreError, StoreReader};
use crate::text::message::msg;
use crate::web::Web;
use crate::web::path::Day;
use crate::web::problem::Problem;

/// Stages in the order of the sheet: what is paid, what is on its way, what is not, and what is not to be paid.
const SHEET: [Stage; 12] = [
    Stage::Withdrawn,
    Stage::Withdrawing,
    Stage::InWallets,
    Stage::Transferring,
    Stage::ToTransfer,
    Stage::HeldBack,
    Stage::Held,
    Stage::OutsideCycles,
    Stage::PaidElsewhere,
    Stage::Settled,
    Stage::Netted,
    Stage::NothingToPay,
];

/// A number of records with their sum, and the address of the list of exactly these.
struct SheetFigure {
    count: u64,
    amount: Amount,
    address: String,
}

/// One line of a sheet: vendors, commissions, and both.
struct SheetLine {
    name: String,
    figures: [SheetFigure; 3],
}

/// Results of the vouchers in one currency.
struct Sheet {
    currency: &'static str,
    /// Amount that the vouchers state.
    stated: SheetLine,
    lines: Vec<SheetLine>,
    /// Sums of the lines: vendors, commissions, and both.
    sums: [Amount; 3],
    /// Difference of the vouchers from the lines; zero unless records contradict each other.
    difference: Amount,
    /// Amounts that withdrawals could not take for lack of balance.
    shortfall: Option<SheetFigure>,
}

/// Maker of the sheets of an account.
struct SheetMaker<'a> {
    page: &'a PageFrame,
    account: &'a CycleAccount,
    currency: Currency,
    /// Filter by the currency, if the account has several.
    filter: String,
}

impl SheetMaker<'_> {
    fn figure(&self, sum: CurrencySum, list: &str, filter: &str) -> SheetFigure {
        let (date, currency) = (self.account.date, &self.filter);
        let address = format!("/dashboard/{list}?cycle={date}{filter}{currency}");
        SheetFigure { count: sum.count, amount: sum.amount, address }
    }

    fn side(&self, beneficiary: Beneficiary, sums: impl Fn(&CycleSide) -> CurrencySums) -> CurrencySum {
        sums(self.account.side(beneficiary)).of(self.currency)
    }

    /// Returns a line of operations, whose filter by beneficiary is added.
    fn operations(&self, name: String, filter: &str, sums: impl Fn(&CycleSide) -> CurrencySums) -> SheetLine {
        let of = |beneficiary: Beneficiary| {
            let filter = format!("&beneficiary={}{filter}", beneficiary.name());
            self.figure(self.side(beneficiary, &sums), "transfers", &filter)
        };
        let (vendors, operator) = (of(Beneficiary::Vendor), of(Beneficiary::Operator));
        let both = CurrencySum {
            amount: vendors.amount.checked_add(operator.amount).unwrap_or(vendors.amount),
            count: vendors.count.saturating_add(operator.count),
        };
        SheetLine { name, figures: [vendors, operator, self.figure(both, "transfers", filter)] }
    }

    /// Returns a line of vouchers, each of which owes something to both beneficiaries.
    fn vouchers(&self, name: String, filter: &str, sums: impl Fn(&CycleSide) -> CurrencySums) -> SheetLine {
        let (vendors, operator) = (self.side(Beneficiary::Vendor, &sums), self.side(Beneficiary::Operator, &sums));
        let both = CurrencySum {
            amount: vendors.amount.checked_add(operator.amount).unwrap_or(vendors.amount),
            count: vendors.count,
        };
        SheetLine { name, figures: [vendors, operator, both].map(|sum| self.figure(sum, "vouchers", filter)) }
    }

    /// Returns all lines that have records.
    fn lines(&self) -> Vec<SheetLine> {
        let mut lines = Vec::new();
        for stage in SHEET {
            let filter = format!("&stage={}", stage.name());
            let name = self.page.word("stage", stage.name());
            let settled = (stage == Stage::Settled).then(|| self.page.t("cycle-settled-vouchers"));
            let of_vouchers = settled.unwrap_or_else(|| name.clone());
            lines.push(self.operations(name, &filter, |side| side.operations_in(stage)));
            lines.push(self.vouchers(of_vouchers, &filter, |side| side.vouchers_in(stage)));
        }
        let difference = |difference: AmountDifference| format!("&difference={}", difference.name());
        let (deducted, increased) = (difference(AmountDifference::Deducted), difference(AmountDifference::Increased));
        lines.push(self.operations(self.page.t("cycle-deducted"), &deducted, |side| side.deducted.clone()));
        let increased = self.operations(self.page.t("cycle-increased"), &increased, |side| side.increased.clone());
        let negative = |figure: SheetFigure| SheetFigure {
            amount: Amount::from_minor(figure.amount.minor().saturating_neg(), figure.amount.currency()),
            ..figure
        };
        lines.push(SheetLine { name: increased.name, figures: increased.figures.map(negative) });
        lines.retain(|line| line.figures.iter().any(|figure| figure.count > 0));
        lines
    }

    fn sheet(&self) -> Sheet {
        let stated = self.vouchers(self.page.t("cycle-mirakl"), "", |side| side.vouchers.clone());
        let lines = self.lines();
        let mut sums = [Amount::zero(self.currency); 3];
        for line in &lines {
            for (sum, figure) in sums.iter_mut().zip(&line.figures) {
                *sum = sum.checked_add(figure.amount).unwrap_or(*sum);
            }
        }
        let differences = Beneficiary::ALL.map(|one| self.account.side(one).difference(self.currency));
        let zero = Amount::zero(self.currency);
        let difference = differences.into_iter().find(|difference| *difference != zero).unwrap_or(zero);
        let short = format!("&stage={}&reason=why-shortfall", Stage::Withdrawn.name());
        let shortfall = self.operations(String::new(), &short, |side| side.shortfall.clone());
        let [.., shortfall] = shortfall.figures;
        let shortfall = Some(shortfall).filter(|shortfall| shortfall.count > 0);
        Sheet { currency: self.currency.code(), stated, lines, sums, difference, shortfall }
    }
}

/// Returns a sheet for each currency.
fn sheets(page: &PageFrame, account: &CycleAccount) -> Vec<Sheet> {
    let currencies = account.currencies();
    let several = currencies.len() > 1;
    let maker = |currency: Currency| {
        let filter = if several { format!("&currency={}", currency.code()) } else { String::new() };
        SheetMaker { page, account, currency, filter }
    };
    currencies.into_iter().map(|currency| maker(currency).sheet()).collect()
}

/// A cycle with its neighbours.
struct CycleData {
    account: CycleAccount,
    before: Option<Date>,
    after: Option<Date>,
}

/// Reads the account of a cycle and the days of its neighbours.
fn read(reader: &StoreReader<'_>, date: Date) -> Result<Option<CycleData>, StoreError> {
    let Some(account) = cycle_account(reader, date)? else { return Ok(None) };
    let (mut before, mut after) = (None, None);
    for day in cycle_days(reader) {
        let day = day?;
        if day < date {
            before = Some(day);
            break;
        }
        after = Some(day).filter(|day| *day > date).or(after);
    }
    Ok(Some(CycleData { account, before, after }))
}

#[derive(Template)]
#[template(path = "cycle.html", config = "ui/askama.toml")]
struct CyclePage {
    page: PageFrame,
    now: Timestamp,
    /// Address of the marketplace in Mirakl, for the printed sheet.
    marketplace: String,
    date: Date,
    /// The cycle; `None` while an index is built.
    cycle: Option<CycleView>,
    /// Window of the vouchers, if the calendar has a cycle on that day.
    window: Option<Cycle>,
    sheets: Vec<Sheet>,
    /// Groups of what cashout still has to pay.
    work: Vec<WorkRow>,
    before: Option<Date>,
    after: Option<Date>,
}

impl CyclePage {
    fn link(&self, date: &Date) -> String {
        address_of(*date)
    }

    /// Returns the marketplace and the time of the sheet.
    fn as_of(&self) -> String {
        let marketplace = ("marketplace", self.marketplace.clone());
        self.page.t2("cycle-as-of", marketplace, ("at", self.page.time(&self.now)))
    }

    fn window(&self, window: &Cycle) -> String {
        let (from, to) = (self.page.time(&window.start), self.page.time(&window.end));
        self.page.t2("cycle-window", ("from", from), ("to", to))
    }

    fn figures(&self, cycle: &CycleView) -> Vec<StageFigure> {
        cycle.figures()
    }
}

/// Shows one cycle.
pub(super) async fn cycle(State(web): State<Web>, page: PageFrame, Day(date): Day) -> Result<Response, Problem> {
    let found = web.context.store.reading(move |reader| read(reader, date)).await;
    let found = match found {
        Err(StoreError::NotBuilt { .. }) => None,
        found => {
            let missing = || Problem::new(StatusCode::NOT_FOUND, msg!("problem-no-cycle", date));
            Some(found?.ok_or_else(missing)?)
        }
    };
    let marketplace = web.settings.get().mirakl.base_url.clone();
    let (now, window) = (web.context.clock.now(), web.context.calendar().cycle_on(date));
    let Some(CycleData { mut account, before, after }) = found else {
        let (sheets, work) = (Vec::new(), Vec::new());
        let (before, after) = (None, None);
        let cycle = CyclePage { page, now, marketplace, date, cycle: None, window, sheets, work, before, after };
        return show(StatusCode::OK, &cycle);
    };
    let sheets = sheets(&page, &account);
    let state = account.state(now, window.as_ref());
    let unpaid = std::mem::take(&mut account.unpaid);
    let cycle = Some(CycleView { account, state });
    let owed = unpaid.into_iter().filter(|group: &WorkGroup| !group.is_outside);
    let work = owed.map(|group| WorkRow::of_cycle(&page, group, date)).collect();
    show(StatusCode::OK, &CyclePage { page, now, marketplace, date, cycle, window, sheets, work, before, after })
}
