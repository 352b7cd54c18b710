//! The daily digest, and the deletion of data whose retention period is over.

pub(super) mod digest;
pub(super) mod retention;
