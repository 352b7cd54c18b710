//! The sellers at HiPay: wallets, documents, bank details.

pub(super) mod bank;
pub(super) mod documents;
pub(super) mod process;
pub(super) mod setup;
pub(super) mod turns;
pub(super) mod wallet;
pub(super) mod wallet_search;
pub(super) mod wallet_set;
