//! cashout pays the sellers of a Mirakl marketplace through HiPay.

pub mod clock;
pub mod money;
pub mod secret;
pub mod sys;

pub mod cycle;
pub mod label;

pub mod operation;

pub mod attempt;

pub mod voucher;

pub mod vendor;
