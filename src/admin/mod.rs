//! Above the batches and below the pages: the parts wired together, the check of an installation, the first run.

pub mod check;
pub mod setup;
pub mod wiring;
