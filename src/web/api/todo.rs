//! Endpoint for the work list.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::explanation::title_of;
use crate::domain::money::Amount;
use crate::jobs::{self, WorkGroup, WorkKind};
use crate::text::Texts;
use crate::web::Web;
use crate::web::problem::Problem;

/// Unpaid operations or vouchers with one reason.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TodoGroup {
    /// Party that has to act: `marketplace`, `vendor`, `hipay`, `administrator`, or `nobody` if it goes on by itself.
    actor: &'static str,
    /// Reason, as a stable word.
    #[schema(example = "why-not-identified")]
    reason: String,
    /// Reason in words.
    text: String,
    /// Number of operations or vouchers.
    count: u64,
    /// Sums by currency.
    sums: Vec<TodoSum>,
    /// Cut of the oldest operation's cycle, or creation of the oldest voucher (UTC).
    oldest: Option<Timestamp>,
    /// List and filter that show exactly these rows, below `/api/v1/`.
    #[schema(example = "operations?actor=vendor&reason=why-not-identified")]
    query: String,
}

/// Sum of a group in one currency.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TodoSum {
    /// Currency (ISO 4217).
    currency: &'static str,
    /// Sum of the operations; of vouchers, what they owe to shops.
    #[schema(example = "83.00")]
    amount: String,
    /// Sum that vouchers owe to the operator; absent for operations.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "12.45")]
    commission: Option<String>,
}

/// All that is not paid.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Todo {
    /// Groups, those that a party has to act on first.
    items: Vec<TodoGroup>,
    /// Number of operations and vouchers in all groups.
    total: u64,
    /// Sums of all groups by currency.
    sums: Vec<TodoSum>,
}

/// Lists what is not paid, by the party that has to act and the reason.
///
/// Every unpaid operation, and every voucher without operations, is in exactly one group.
#[utoipa::path(get, path = "/todo", responses((status = 200, body = Todo)))]
pub(super) async fn todo(State(web): State<Web>) -> Result<Json<Todo>, Problem> {
    let groups = web.context.store.reading(|reader| jobs::work_list(reader)).await?;
    let total = groups.iter().fold(0, |total: u64, group| total.saturating_add(group.count));
    let amounts = groups.iter().flat_map(|group| &group.amounts);
    let commissions = groups.iter().flat_map(|group| &group.commissions);
    let sums = sums(amounts, commissions);
    Ok(Json(Todo { total, sums, items: groups.into_iter().map(TodoGroup::from).collect() }))
}

impl From<WorkGroup> for TodoGroup {
    fn from(group: WorkGroup) -> Self {
        let filter = format!("actor={}&reason={}", group.actor.name(), group.reason);
        Self::with_filter(group, &filter)
    }
}

impl TodoGroup {
    /// Creates the group of one cycle's records, whose index has the reason.
    pub(super) fn of_cycle(group: WorkGroup, date: Date) -> Self {
        let filter = format!("cycle={date}&reason={}", group.reason);
        Self::with_filter(group, &filter)
    }

    fn with_filter(group: WorkGroup, filter: &str) -> Self {
        let list = match group.kind {
            WorkKind::Operations => "operations",
            WorkKind::Vouchers => "vouchers",
        };
        Self {
            actor: group.actor.name(),
            text: Texts::of(None).text(&title_of(&group.reason), &[]),
            count: group.count,
            sums: sums(&group.amounts, &group.commissions),
            oldest: group.oldest,
            query: format!("{list}?{filter}"),
            reason: group.reason,
        }
    }
}

/// Adds up amounts and commissions by currency.
fn sums<'a>(
    amounts: impl IntoIterator<Item = &'a Amount>,
    commissions: impl IntoIterator<Item = &'a Amount>,
) -> Vec<TodoSum> {
    let mut sums: BTreeMap<&'static str, (Amount, Option<Amount>)> = BTreeMap::new();
    for amount in amounts {
        let (sum, _) = sums.entry(amount.currency().code()).or_insert((Amount::zero(amount.currency()), None));
        *sum = sum.checked_add(*amount).unwrap_or(*sum);
    }
    for amount in commissions {
        let zero = Amount::zero(amount.currency());
        let (_, sum) = sums.entry(amount.currency().code()).or_insert((zero, None));
        let before = sum.unwrap_or(zero);
        *sum = Some(before.checked_add(*amount).unwrap_or(before));
    }
    let sum = |(currency, (amount, commission)): (_, (Amount, Option<Amount>))| TodoSum {
        currency,
        amount: amount.decimal(),
        commission: commission.map(Amount::decimal),
    };
    sums.into_iter().map(sum).collect()
}
