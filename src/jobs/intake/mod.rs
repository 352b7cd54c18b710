//! Creation of operations from Mirakl's vouchers, and later checks of these vouchers.

pub(super) mod booking;
pub(super) mod fresh_shops;
pub(super) mod generate;
pub(super) mod held_vouchers;
pub(super) mod shown_vouchers;
pub(super) mod unpaid_vouchers;
pub(super) mod voucher_choices;
