//! cashout pays the sellers of a Mirakl marketplace through HiPay.

pub mod clock;
pub mod money;
pub mod secret;
pub mod sys;
