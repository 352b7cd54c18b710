//! The machine that the program runs on: time, randomness, files, the operating system, measurements. Nothing here
//! knows of sellers or payments.

pub mod clock;
pub(crate) mod fs;
pub mod gate;
pub(crate) mod hex;
pub mod metrics;
pub mod os;
pub(crate) mod random;
pub mod release;
pub mod secret;
pub mod telemetry;
pub mod testing;
pub(crate) mod variants;
