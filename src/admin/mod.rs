//! The layer between the batches and the pages: the wiring of the parts, the check of an installation, the first run.

pub mod check;
pub mod setup;
pub mod wiring;
