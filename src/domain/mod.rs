//! Types and rules for paying sellers; all pure: no store, no network, no clock.

pub mod attempt;
pub mod cycle;
pub mod enterprise;
pub mod explanation;
pub mod group_choice;
pub mod inbox;
pub mod label;
pub mod ledger;
pub mod money;
pub mod movement;
pub mod notification;
pub mod operation;
pub mod payment;
pub mod payment_kind;
pub mod pii;
pub mod refusal;
pub mod search_text;
pub mod session;
pub mod settlement;
pub mod standing;
pub mod vendor;
pub mod voucher;
