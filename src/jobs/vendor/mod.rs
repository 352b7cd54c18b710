//! The sellers at HiPay: wallets, documents, bank details.

pub(super) mod bank;
pub(super) mod documents;
pub(super) mod locks;
pub(super) mod mirakl_setup;
pub(super) mod process;
pub(super) mod wallet;
pub(super) mod wallet_search;
pub(super) mod wallet_set;
