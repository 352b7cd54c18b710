//! Filters by the party that acts next and by the reason, the same for operations and vouchers.

use jiff::Timestamp;
use utoipa::openapi::{ObjectBuilder, Schema, Type};

use super::query::wrong;
use crate::domain::explanation::{Actor, reasons};
use crate::store::{Index, Query, Record};
use crate::text::message::msg;
use crate::web::problem::Problem;

/// Index of unpaid records by actor, reason and currency.
type ReasonIndex<R> = Index<R, (&'static str, String, String), Timestamp>;

/// Restricts `listing`, or every record if there is none, to the records that have this actor and this reason. Returns
/// `listing` if neither is given.
pub(super) fn with_reason<R: Record>(
    listing: Option<Query<R, Timestamp>>,
    index: ReasonIndex<R>,
    actor: Option<Actor>,
    reason: Option<&str>,
) -> Result<Option<Query<R, Timestamp>>, Problem> {
    let Some(reason) = reason else {
        let Some(actor) = actor else { return Ok(listing) };
        let group = [(actor.name(),)];
        return Ok(Some(match listing {
            Some(listing) => listing.and(index, group),
            None => Query::any_of(index, group),
        }));
    };
    if !reasons().any(|known| known == reason) {
        return Err(wrong(msg!("misread-choice", name = "reason")));
    }
    let actors = Actor::ALL.into_iter().filter(|one| actor.is_none_or(|wanted| wanted == *one));
    let groups: Vec<(&str, &str)> = actors.map(|actor| (actor.name(), reason)).collect();
    Ok(Some(match listing {
        Some(listing) => listing.and(index, groups),
        None => Query::any_of(index, groups),
    }))
}

/// Returns the schema of a reason for the API's description.
pub(in crate::web) fn reason_schema() -> Schema {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(reasons())).into()
}
