//! A person's word on an operation that waits for one: a hold is released, a canceled withdrawal
//! may be tried again.

use super::{Context, JobError};
use crate::operation::{Event, Operation, Status};
use crate::store::{View, Writer};

/// Lets the runs take up operation `id` again. Gives it as it is then.
pub async fn retry(context: &Context, id: u64, asked_by: &str) -> Result<Operation, JobError> {
    let now = context.clock.now();
    let note = format!("{asked_by} asked for it to be taken up again");
    let taken_up = context.store.write(move |writer: &mut Writer<'_>| {
        let Some(mut operation) = writer.get::<Operation>(&id)? else {
            return Err(JobError::Refused(format!("there is no operation {id}")));
        };
        let was_held = operation.held.take().is_some();
        operation.held_for = None;
        if operation.status == Status::WithdrawCanceled {
            operation.happen(Event::RetryAsked, &note, now).map_err(|error| JobError::Refused(error.to_string()))?;
        } else if was_held {
            operation.updated_at = now;
            operation.note(&note, now);
        } else {
            let status = operation.status;
            return Err(JobError::Refused(format!(
                "operation {id} waits for nobody: it is {status}, and the runs deal with it by themselves"
            )));
        }
        writer.put(&operation)?;
        Ok(operation)
    });
    taken_up.await
}
