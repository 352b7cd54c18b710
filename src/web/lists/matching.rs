//! Operations that a person chooses together: all that pass the filters of the list.

use axum::http::StatusCode;

use super::{ListFilter, MAX_FOUND, OperationFilter, search};
use crate::domain::operation::{Operation, OperationChoice};
use crate::store::View;
use crate::text::message::msg;
use crate::web::Web;
use crate::web::problem::Problem;

/// Upper bound on operations that are chosen at once.
pub(super) const MAX_CHOSEN: usize = 1_000;

/// Returns the operations that pass the filters and a search and that `choice` changes when it is made for several.
/// Refuses a list of more than [`MAX_CHOSEN`].
pub(in crate::web) async fn matching(
    web: &Web,
    filter: OperationFilter,
    text: Option<&str>,
    choice: &OperationChoice,
) -> Result<Vec<Operation>, Problem> {
    let too_many = || Problem::new(StatusCode::BAD_REQUEST, msg!("problem-too-many", most = MAX_CHOSEN));
    let zone = web.settings.get().hipay.time_zone.clone();
    let listing = filter.listing(&zone)?.descending().limit(MAX_CHOSEN.saturating_add(1));
    let found = if let Some(text) = text {
        let (found, all) = search(web, &filter, &zone, text, MAX_FOUND, true).await?;
        if !all {
            return Err(too_many());
        }
        found
    } else {
        web.context.store.reading(move |reader| reader.page_uncounted(&listing)).await?.items
    };
    if found.len() > MAX_CHOSEN {
        return Err(too_many());
    }
    let mut chosen: Vec<Operation> =
        found.into_iter().filter(|operation| operation.can_be_chosen_with_others(choice)).collect();
    chosen.sort_by_key(|operation| operation.id);
    Ok(chosen)
}
