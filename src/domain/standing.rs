//! The standing of an operation or a voucher: the stage that its money has reached, the reason, and the party that acts
//! next. Lists, totals and pages take all three from here, so that they agree.
//!
//! Pure. The store lists records by their standing. A change of an explanation's id or actor therefore needs a new
//! version of the indexes that use it; a test holds the table of both.

use serde::Deserialize;
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use crate::domain::explanation::{Actor, Explanation, explain, explain_voucher};
use crate::domain::operation::{Operation, Status};
use crate::domain::voucher::{HeldBecause, VoucherRecord, VoucherState};
use crate::platform::variants::named;

/// Stage that money has reached. Each operation, and each voucher without operations, is in exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, ToSchema, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// A voucher without operations that this installation has to pay, or may have to.
    Held,
    /// A voucher that someone else pays or has paid.
    PaidElsewhere,
    /// A voucher outside the window of every cycle.
    OutsideCycles,
    /// A negative operation that was netted into another.
    Netted,
    /// An amount of zero or less.
    NothingToPay,
    /// Not sent yet.
    ToTransfer,
    /// On its way to the wallet.
    Transferring,
    /// In the wallet.
    InWallets,
    /// On its way to the bank.
    Withdrawing,
    /// At the bank.
    Withdrawn,
    /// Not paid for a reason that does not pass by itself, or that a run has found.
    HeldBack,
    /// Settled outside cashout.
    Settled,
}

named!(pub Stage);

impl Stage {
    /// Stages of operations whose money has still to reach the bank.
    pub const OPEN: [Self; 5] =
        [Self::ToTransfer, Self::Transferring, Self::InWallets, Self::Withdrawing, Self::HeldBack];

    /// Returns the stage of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }
}

/// The stage of an operation or a voucher, the reason, and the party that acts next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Stage that the money has reached.
    pub stage: Stage,
    /// Party that acts next.
    pub actor: Actor,
    /// Id of the first explanation; `None` if nothing is left to explain.
    pub reason: Option<String>,
}

impl Standing {
    fn new(stage: Stage, explanation: Option<&Explanation>) -> Self {
        let actor = explanation.map_or(Actor::Nobody, Explanation::by);
        Self { stage, actor, reason: explanation.map(|explanation| explanation.id().to_owned()) }
    }

    /// Returns the standing of an operation.
    pub fn of_operation(operation: &Operation) -> Self {
        Self::new(stage_of(operation), explain(operation).first())
    }

    /// Returns the standing of a voucher; `None` once it has operations, which stand for it.
    pub fn of_voucher(record: &VoucherRecord) -> Option<Self> {
        let explanation = explain_voucher(record)?;
        let stage = match record.state() {
            _ if record.released => Stage::Held,
            _ if record.held == Some(HeldBecause::Settled) => Stage::Settled,
            VoucherState::PaidElsewhere => Stage::PaidElsewhere,
            VoucherState::OutsideCycles => Stage::OutsideCycles,
            VoucherState::NothingToPay => Stage::NothingToPay,
            VoucherState::Held | VoucherState::Gone | VoucherState::Operations => Stage::Held,
        };
        Some(Self::new(stage, Some(&explanation)))
    }

    /// Returns true if the money of an operation has still to reach the bank, or a party has to act on it: an operation
    /// that was withdrawn in part is listed as well.
    pub fn is_open(&self) -> bool {
        Stage::OPEN.contains(&self.stage) || (self.actor != Actor::Nobody && self.stage == Stage::Withdrawn)
    }

    /// Returns true if it has this actor and this reason; one that is not given is not compared.
    pub fn matches(&self, actor: Option<Actor>, reason: Option<&str>) -> bool {
        actor.is_none_or(|actor| actor == self.actor)
            && reason.is_none_or(|reason| self.reason.as_deref() == Some(reason))
    }

    /// Returns true for a voucher that is paid, or to be paid, outside cashout.
    pub fn is_outside(&self) -> bool {
        matches!(self.stage, Stage::PaidElsewhere | Stage::Settled)
    }
}

fn stage_of(operation: &Operation) -> Stage {
    if operation.is_settled() {
        return Stage::Settled;
    }
    let held = operation.held.is_some();
    match operation.status {
        Status::AdjustedOperations => Stage::Netted,
        // A held payment that was executed is in doubt, whatever its status.
        _ if held => Stage::HeldBack,
        Status::InvalidAmount => Stage::NothingToPay,
        Status::Created => Stage::ToTransfer,
        Status::TransferSending | Status::TransferRequested => Stage::Transferring,
        Status::TransferSuccess => Stage::InWallets,
        Status::WithdrawSending | Status::WithdrawRequested => Stage::Withdrawing,
        Status::WithdrawSuccess => Stage::Withdrawn,
        Status::TransferVendorDisabled
        | Status::TransferFailed
        | Status::TransferNegative
        | Status::WithdrawVendorDisabled
        | Status::WithdrawFailed
        | Status::WithdrawCanceled
        | Status::WithdrawNegative
        | Status::WithdrawPaymentBlocked
        | Status::Unknown(_) => Stage::HeldBack,
    }
}

#[cfg(test)]
mod tests;
