//! The daily digest, and removing what is not kept for ever.

pub(super) mod digest;
pub(super) mod retention;
