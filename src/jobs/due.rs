//! What a run has to do: the operations in given statuses, the oldest cycle first.

use super::Context;
use crate::operation::{Operation, Status};
use crate::store::{Query, StoreError, View};

/// Rows read in one slice, so that no read transaction stays open for long.
const SLICE: usize = 2_000;

/// The numbers of all operations in `statuses`, in the order of the statuses, the oldest cycle
/// first. Held ones are left out.
pub(super) async fn ids(context: &Context, statuses: &[Status]) -> Result<Vec<u64>, StoreError> {
    let mut ids = Vec::new();
    for status in statuses {
        let mut cursor = None;
        loop {
            let query = Query::group("due", status.code()).limit(SLICE).after(cursor.take());
            let slice = context.store.reading(move |reader| reader.keys::<Operation>(&query)).await?;
            ids.extend(slice.keys);
            cursor = slice.next;
            if cursor.is_none() {
                break;
            }
        }
    }
    Ok(ids)
}

/// Operation `id` as it is now.
pub(super) async fn operation(context: &Context, id: u64) -> Result<Option<Operation>, StoreError> {
    context.store.reading(move |reader| reader.get::<Operation>(&id)).await
}
