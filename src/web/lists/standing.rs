//! Filters by the party that acts next and by the reason, the same for operations and vouchers.

use jiff::Timestamp;
use utoipa::openapi::{ObjectBuilder, Schema, Type};

use super::query::wrong;
use crate::domain::explanation::{Actor, reasons};
use crate::domain::money::Amount;
use crate::schema::ReasonGroup;
use crate::store::{Index, Query, Record};
use crate::text::message::msg;
use crate::web::problem::Problem;

/// Description of the filter for the API.
const REASON: &str = "Reason, as in `GET /todo`; limits the list to what is not paid.";

/// Restricts `listing`, or every record if there is none, to the records that have this actor and this reason. Returns
/// `listing` if neither is given.
pub(super) fn with_reason<R: Record>(
    listing: Option<Query<R, Timestamp>>,
    index: Index<R, ReasonGroup, Timestamp>,
    actor: Option<Actor>,
    reason: Option<&str>,
) -> Option<Query<R, Timestamp>> {
    let Some(reason) = reason else {
        let Some(actor) = actor else { return listing };
        let group = [(actor.name(),)];
        return Some(match listing {
            Some(listing) => listing.and(index, group),
            None => Query::any_of(index, group),
        });
    };
    let actors = Actor::ALL.into_iter().filter(|one| actor.is_none_or(|wanted| wanted == *one));
    let groups: Vec<(&str, &str)> = actors.map(|actor| (actor.name(), reason)).collect();
    Some(match listing {
        Some(listing) => listing.and(index, groups),
        None => Query::any_of(index, groups),
    })
}

/// Refuses what cannot be the code of a currency; one that is not used is in no row.
pub(super) fn check_currency(currency: Option<&str>) -> Result<(), Problem> {
    let is_code = |code: &str| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    if currency.is_none_or(is_code) { Ok(()) } else { Err(wrong(msg!("problem-currency"))) }
}

/// Returns true if the amount passes the filter by currency.
pub(super) fn is_currency(currency: Option<&str>, amount: Amount) -> bool {
    currency.is_none_or(|currency| currency == amount.currency().code())
}

/// Refuses a reason that does not exist.
pub(super) fn check_reason(reason: Option<&str>) -> Result<(), Problem> {
    if reason.is_none_or(|reason| reasons().any(|known| known == reason)) {
        return Ok(());
    }
    Err(wrong(msg!("misread-choice", name = "reason")))
}

/// Returns the schema of a reason for the API's description.
pub(in crate::web) fn reason_schema() -> Schema {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(reasons())).description(Some(REASON)).into()
}
