//! The payments of operations: transfers, withdrawals, and their outcomes.

pub(super) mod due;
pub(super) mod funds;
pub(super) mod labels;
pub(super) mod operation_choices;
pub(super) mod outcome;
pub(super) mod pay;
pub(super) mod sync;
pub(super) mod transfer;
pub(super) mod withdraw;
