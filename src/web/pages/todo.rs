//! The work list: everything that is not paid, by the party that has to act and the reason.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use jiff::civil::Date;

use super::page::{PageFrame, show};
use crate::domain::explanation::Actor;
use crate::domain::money::Amount;
use crate::jobs::{self, WorkGroup, WorkKind, add_to_sums};
use crate::web::Web;
use crate::web::problem::Problem;

/// A group of the work list in words.
pub(super) struct WorkRow {
    /// Party that acts next.
    pub(super) actor: Actor,
    /// Title of the reason.
    pub(super) title: String,
    /// Number of operations or vouchers, in words.
    pub(super) count: String,
    pub(super) amounts: Vec<Amount>,
    pub(super) commissions: Vec<Amount>,
    pub(super) oldest: Option<Timestamp>,
    /// Address of the list of exactly these rows.
    pub(super) address: String,
    /// Address at which all of them can be retried.
    pub(super) retry: Option<String>,
}

impl WorkRow {
    pub(super) fn new(page: &PageFrame, group: WorkGroup) -> Self {
        let query = format!("actor={}&reason={}", group.actor.name(), group.reason);
        Self::with_query(page, group, &query)
    }

    /// Creates the row of one shop's records.
    pub(super) fn of_shop(page: &PageFrame, group: WorkGroup, mirakl_id: u64) -> Self {
        let query = format!("mirakl_id={mirakl_id}&actor={}&reason={}", group.actor.name(), group.reason);
        Self::with_query(page, group, &query)
    }

    /// Creates the row of one cycle's records, whose index has the reason.
    pub(super) fn of_cycle(page: &PageFrame, group: WorkGroup, date: Date) -> Self {
        let query = format!("cycle={date}&reason={}", group.reason);
        Self::with_query(page, group, &query)
    }

    fn with_query(page: &PageFrame, group: WorkGroup, query: &str) -> Self {
        let (list, count) = match group.kind {
            WorkKind::Operations => ("transfers", "retry-count"),
            WorkKind::Vouchers => ("vouchers", "todo-vouchers"),
        };
        // Once the vendor has acted, the next run pays by itself.
        let can_be_retried = group.can_be_retried && page.may_change() && group.actor != Actor::Vendor;
        Self {
            actor: group.actor,
            title: page.reason(&group.reason),
            count: page.tn(count, group.count),
            amounts: group.amounts,
            commissions: group.commissions,
            oldest: group.oldest,
            retry: can_be_retried.then(|| format!("/dashboard/transfers/retry?{query}")),
            address: format!("/dashboard/{list}?{query}"),
        }
    }
}

/// Name of the part of the page for what is paid outside cashout.
const OUTSIDE: &str = "outside";

/// Groups that one party has to act on.
struct PartyWork {
    /// Name of the party, or [`OUTSIDE`].
    name: &'static str,
    rows: Vec<WorkRow>,
}

#[derive(Template)]
#[template(path = "todo.html", config = "ui/askama.toml")]
struct TodoPage {
    page: PageFrame,
    now: Timestamp,
    /// Number of operations and vouchers that cashout still has to pay.
    total: u64,
    /// Sums of everything that is owed, commissions included.
    sums: Vec<Amount>,
    parties: Vec<PartyWork>,
}

/// Shows the work list.
pub(super) async fn todo(State(web): State<Web>, page: PageFrame) -> Result<Response, Problem> {
    let groups = web.context.store.reading(|reader| jobs::work_list(reader)).await?;
    let owed = || groups.iter().filter(|group| !group.is_outside);
    let total = owed().fold(0, |total: u64, group| total.saturating_add(group.count));
    let mut sums = Vec::new();
    for amount in owed().flat_map(|group| group.amounts.iter().chain(&group.commissions)) {
        add_to_sums(&mut sums, *amount);
    }
    let mut parties: Vec<PartyWork> = Vec::new();
    for group in groups {
        let name = if group.is_outside { OUTSIDE } else { group.actor.name() };
        let row = WorkRow::new(&page, group);
        match parties.last_mut().filter(|party| party.name == name) {
            Some(party) => party.rows.push(row),
            None => parties.push(PartyWork { name, rows: vec![row] }),
        }
    }
    let now = web.context.clock.now();
    show(StatusCode::OK, &TodoPage { page, now, total, sums, parties })
}
