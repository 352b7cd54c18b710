//! cashout pays the sellers of a Mirakl marketplace through HiPay.

pub mod clock;
pub mod config;
pub mod money;
pub mod sandbox;
pub mod secret;
pub mod store;
pub mod sys;

pub mod attempt;
pub mod cycle;
pub mod label;
pub mod operation;
pub mod vendor;
pub mod voucher;

pub mod hipay;
pub mod lenient;
pub mod mirakl;
pub mod remote;
