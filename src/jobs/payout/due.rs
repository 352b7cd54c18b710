//! Operations to process in a run: those in given statuses, the oldest cycle first.

use futures_util::StreamExt;
use futures_util::stream;
use jiff::Timestamp;

use crate::domain::money::{Amount, Currency};
use crate::domain::operation::{Hold, Operation, Status};
use crate::jobs::batch::trace::{attributes_of, trace_of};
use crate::jobs::payout::pay::subject;
use crate::jobs::{BatchRun, Context, JobError, Subject};
use crate::platform::telemetry;
use crate::store::{Query, StoreError, StoreReader, View};

/// Number of operations read from the store at once.
const SLICE: usize = 500;

/// Returns the numbers of all operations in `statuses`, in the order of the statuses, the oldest
/// cycle first. Held ones are left out, except those that are held until the ledger can be read.
pub(crate) async fn ids(context: &Context, statuses: &[Status]) -> Result<Vec<u64>, StoreError> {
    let mut ids = Vec::new();
    for status in statuses {
        let due = Query::group(Operation::DUE, status.code());
        ids.extend(context.store.reading(move |reader| reader.all_keys(due)).await?);
    }
    ids.extend(held_for(context, statuses, &[Hold::LedgerUnread]).await?);
    Ok(ids)
}

/// Returns the operations in `statuses` that are held for one of `reasons`. Each run tries those that are held only
/// until HiPay's ledger can be read, and payments sent before a person held the operation are looked up nevertheless.
pub(crate) async fn held_for(context: &Context, statuses: &[Status], reasons: &[Hold]) -> Result<Vec<u64>, StoreError> {
    let mut ids = Vec::new();
    let add = |operation: Result<Operation, StoreError>| {
        let waits = |operation: &Operation| {
            operation.held_for.is_some_and(|why| reasons.contains(&why)) && statuses.contains(&operation.status)
        };
        // One that cannot be read is reported wherever it is listed.
        ids.extend(operation.ok().filter(waits).map(|operation| operation.id));
        Ok::<_, StoreError>(())
    };
    context.store.for_each(Query::group(Operation::HELD, ()), add).await?;
    Ok(ids)
}

/// Returns the numbers of the operations in `statuses` whose cycle was before `before`, the oldest
/// first, regardless of their status. Held ones are left out.
pub(crate) async fn before(context: &Context, statuses: &[Status], before: Timestamp) -> Result<Vec<u64>, StoreError> {
    let mut found = Vec::new();
    for status in statuses {
        let add = |operation: Result<Operation, StoreError>| {
            found.extend(operation.ok().map(|operation| (operation.cycle_at, operation.id)));
            Ok::<_, StoreError>(())
        };
        context.store.for_each(Query::group(Operation::DUE, status.code()).to(before), add).await?;
    }
    found.sort_unstable();
    Ok(found.into_iter().map(|(_, id)| id).collect())
}

/// Reads something of each of the operations, in slices, so that no read stays open for long.
pub(crate) async fn read_each<T: Send + 'static>(
    context: &Context,
    ids: &[u64],
    read: impl Fn(&StoreReader<'_>, u64) -> Result<Option<T>, StoreError> + Copy + Send + 'static,
) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::new();
    for slice in ids.chunks(SLICE) {
        let slice = slice.to_vec();
        let part = context.store.reading(move |reader| {
            let part = slice.into_iter().filter_map(|id| read(reader, id).transpose());
            part.collect::<Result<Vec<T>, StoreError>>()
        });
        found.extend(part.await?);
    }
    Ok(found)
}

/// Does `work` on each of the operations, many at once, and records each result in `run`.
pub(crate) async fn for_each<F: Future<Output = Result<(), JobError>>>(
    context: &Context,
    run: &BatchRun,
    ids: Vec<u64>,
    work: impl Fn(Operation) -> F,
) {
    let work = &work;
    stream::iter(ids).for_each_concurrent(context.concurrency(), |id| process_one(context, run, id, work)).await;
}

/// Does `work` on operation `id` as it is now, unless the run is stopping.
pub(crate) async fn process_one<F: Future<Output = Result<(), JobError>>>(
    context: &Context,
    run: &BatchRun,
    id: u64,
    work: impl Fn(Operation) -> F,
) {
    if run.is_stopping() {
        return;
    }
    let dealt_with = async {
        match context.store.reading(move |reader| reader.get::<Operation>(&id)).await {
            Ok(Some(operation)) => {
                let subject = subject(&operation);
                run.settle(subject, in_trace(context, run, operation, work).await);
            }
            Ok(None) => {}
            Err(error) => run.settle(Subject::default(), Err(error.into())),
        }
    };
    run.item(dealt_with).await;
}

/// Does `work` on an operation as a step of its voucher's trace.
async fn in_trace<T, F: Future<Output = T>>(
    context: &Context,
    run: &BatchRun,
    operation: Operation,
    work: impl Fn(Operation) -> F,
) -> T {
    if !context.telemetry.is_on() {
        return work(operation).await;
    }
    let id = operation.id;
    let step = async {
        let outcome = work(operation.clone()).await;
        if let Ok(Some(operation)) = context.store.reading(move |reader| reader.get::<Operation>(&id)).await {
            telemetry::describe("cashout.status", operation.status.name());
        }
        outcome
    };
    context.telemetry.step(run.action(), trace_of(&operation), attributes_of(&operation), step).await
}

/// Returns the sum of what the next transfers need from the technical account, in `currency`.
pub fn due_for_transfers(reader: &StoreReader<'_>, currency: Currency) -> Result<Amount, StoreError> {
    let mut due = 0_i64;
    for status in Status::TRANSFER_PAYABLE {
        due = due.saturating_add(reader.sum(Operation::AMOUNTS, (status.code(), currency.code()))?);
    }
    Ok(Amount::from_minor(due, currency))
}
