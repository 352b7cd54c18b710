//! A person's word on an operation that waits for one: a hold is released, a canceled withdrawal
//! may be tried again.

use super::{Context, JobError};
use crate::operation::{Event, Operation, Status};
use crate::sentence::{asker, say};
use crate::store::{View, Writer};

/// Lets the runs take up operation `id` again. Gives it as it is then.
pub async fn retry(context: &Context, id: u64, asked_by: &str) -> Result<Operation, JobError> {
    let now = context.clock.now();
    let note = say!("retry-asked", person = asker(asked_by));
    let taken_up = context.store.write(move |writer: &mut Writer<'_>| {
        let Some(mut operation) = writer.get::<Operation>(&id)? else {
            return Err(JobError::Refused(say!("retry-none", operation = id)));
        };
        let was_held = operation.held.is_some();
        if was_held {
            operation.release(true, &note, now);
        }
        if operation.status == Status::WithdrawCanceled {
            operation.happen(Event::RetryAsked, &note, now).map_err(|error| JobError::Refused(error.into()))?;
        } else if !was_held {
            let status = &operation.status;
            return Err(JobError::Refused(say!("retry-not-needed", operation = id, status)));
        }
        writer.put(&operation)?;
        Ok(operation)
    });
    taken_up.await
}
