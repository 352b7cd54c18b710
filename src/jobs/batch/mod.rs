//! One run of a batch, its record, and the queue of those that wait.

pub(super) mod command;
pub(super) mod count;
pub(super) mod queue;
pub(super) mod record;
pub(super) mod run;
pub(super) mod summary;
pub(super) mod trace;
