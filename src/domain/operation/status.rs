//! The status machine of an operation: its statuses, the events, and the transitions.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use strum::{IntoStaticStr, VariantArray};
use thiserror::Error;
use utoipa::ToSchema;

use crate::domain::attempt::TransactionState;
use crate::domain::payment_kind::PaymentKind;
use crate::platform::variants::named;
use crate::text::Word;
use crate::text::message::{Message, msg};

/// Status of an operation. The numbers are those of the product's documentation; stores and exports use them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// 1: created from a voucher, nothing sent.
    Created,
    /// 2: a negative operation that a later one of the vendor compensated for.
    AdjustedOperations,
    /// 3: the money is in the wallet.
    TransferSuccess,
    /// 4: HiPay has accepted the transfer and not yet executed it.
    TransferRequested,
    /// 5: HiPay has accepted the withdrawal and not yet executed it.
    WithdrawRequested,
    /// 6: the money has left for the bank. The final status of a successful operation.
    WithdrawSuccess,
    /// 7 (cashout's own): the transfer's request is committed and may have left; its outcome is unknown.
    TransferSending,
    /// 8 (cashout's own): the withdrawal's request is committed and may have left; its outcome is unknown.
    WithdrawSending,
    /// -1: nothing to pay; the amount is zero or negative.
    InvalidAmount,
    /// -5: not transferred because the vendor is disabled.
    TransferVendorDisabled,
    /// -6: not withdrawn because the vendor is disabled.
    WithdrawVendorDisabled,
    /// -7: the withdrawal was refused or failed.
    WithdrawFailed,
    /// -8: the withdrawal was canceled; waits for a person.
    WithdrawCanceled,
    /// -9: the transfer was refused or failed.
    TransferFailed,
    /// -10: the escrow account does not cover the transfer.
    TransferNegative,
    /// -11: the wallet does not cover the withdrawal.
    WithdrawNegative,
    /// -12: payments to the vendor are blocked.
    WithdrawPaymentBlocked,
    /// A status that this release does not know: shown and held, never payable.
    Unknown(i64),
}

impl Status {
    /// All statuses with a documented number.
    pub const ALL: [Self; 17] = [
        Self::Created,
        Self::AdjustedOperations,
        Self::TransferSuccess,
        Self::TransferRequested,
        Self::WithdrawRequested,
        Self::WithdrawSuccess,
        Self::TransferSending,
        Self::WithdrawSending,
        Self::InvalidAmount,
        Self::TransferVendorDisabled,
        Self::WithdrawVendorDisabled,
        Self::WithdrawFailed,
        Self::WithdrawCanceled,
        Self::TransferFailed,
        Self::TransferNegative,
        Self::WithdrawNegative,
        Self::WithdrawPaymentBlocked,
    ];

    /// Returns the name in the product's documentation.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Statuses that a transfer run processes, in this order.
    pub const TRANSFER_PAYABLE: [Self; 4] =
        [Self::TransferNegative, Self::TransferFailed, Self::Created, Self::TransferVendorDisabled];

    /// Statuses that a withdrawal run processes, in this order.
    pub const WITHDRAW_PAYABLE: [Self; 5] = [
        Self::WithdrawPaymentBlocked,
        Self::WithdrawNegative,
        Self::WithdrawFailed,
        Self::TransferSuccess,
        Self::WithdrawVendorDisabled,
    ];

    /// Statuses of a transfer that has been sent or may have been.
    pub const TRANSFER_SENT: [Self; 2] = [Self::TransferSending, Self::TransferRequested];

    /// Statuses of a withdrawal that has been sent or may have been.
    pub const WITHDRAW_SENT: [Self; 2] = [Self::WithdrawSending, Self::WithdrawRequested];

    /// Returns the documented number.
    pub fn code(self) -> i64 {
        match self {
            Self::Created => 1,
            Self::AdjustedOperations => 2,
            Self::TransferSuccess => 3,
            Self::TransferRequested => 4,
            Self::WithdrawRequested => 5,
            Self::WithdrawSuccess => 6,
            Self::TransferSending => 7,
            Self::WithdrawSending => 8,
            Self::InvalidAmount => -1,
            Self::TransferVendorDisabled => -5,
            Self::WithdrawVendorDisabled => -6,
            Self::WithdrawFailed => -7,
            Self::WithdrawCanceled => -8,
            Self::TransferFailed => -9,
            Self::TransferNegative => -10,
            Self::WithdrawNegative => -11,
            Self::WithdrawPaymentBlocked => -12,
            Self::Unknown(code) => code,
        }
    }

    /// Returns the status of a documented number, [`Status::Unknown`] for any other.
    pub fn from_code(code: i64) -> Self {
        Self::ALL.into_iter().find(|status| status.code() == code).unwrap_or(Self::Unknown(code))
    }

    /// Returns true while money is on its way to the bank, or waits to be sent.
    pub fn is_open(self) -> bool {
        Self::TRANSFER_PAYABLE.contains(&self)
            || Self::WITHDRAW_PAYABLE.contains(&self)
            || Self::TRANSFER_SENT.contains(&self)
            || Self::WITHDRAW_SENT.contains(&self)
    }

    /// Returns true if the operation was not paid for a reason that someone may want to look into: KO in the dashboard.
    pub fn is_failure(self) -> bool {
        let (transfer, withdraw) = self.columns();
        transfer.is_failure() || withdraw.is_failure()
    }

    /// Returns the column of one payment.
    pub fn column(self, kind: PaymentKind) -> Column {
        let (transfer, withdrawal) = self.columns();
        match kind {
            PaymentKind::Transfer => transfer,
            PaymentKind::Withdrawal => withdrawal,
        }
    }

    /// Returns the dashboard's columns for the transfer and for the withdrawal.
    pub fn columns(self) -> (Column, Column) {
        use Column as C;
        match self {
            Self::Created | Self::Unknown(_) => (C::None, C::None),
            Self::AdjustedOperations => (C::Adjusted, C::Adjusted),
            Self::InvalidAmount => (C::InvalidAmount, C::InvalidAmount),
            Self::TransferSending => (C::Sending, C::None),
            Self::TransferRequested => (C::Requested, C::None),
            Self::TransferVendorDisabled => (C::VendorDisabled, C::None),
            Self::TransferFailed => (C::Failed, C::None),
            Self::TransferNegative => (C::InsufficientFunds, C::None),
            Self::TransferSuccess => (C::Ok, C::None),
            Self::WithdrawSending => (C::Ok, C::Sending),
            Self::WithdrawRequested => (C::Ok, C::Requested),
            Self::WithdrawSuccess => (C::Ok, C::Ok),
            Self::WithdrawVendorDisabled => (C::Ok, C::VendorDisabled),
            Self::WithdrawFailed => (C::Ok, C::Failed),
            Self::WithdrawCanceled => (C::Ok, C::Canceled),
            Self::WithdrawNegative => (C::Ok, C::InsufficientFunds),
            Self::WithdrawPaymentBlocked => (C::Ok, C::PaymentBlocked),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Unknown(code) = self {
            return write!(formatter, "UNKNOWN ({code})");
        }
        formatter.write_str(self.name())
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.code())
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        i64::deserialize(deserializer).map(Self::from_code)
    }
}

/// One of the two status columns of the dashboard, with the names that its filters use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Column {
    /// Not started.
    None,
    /// Done.
    Ok,
    /// Accepted by HiPay, not yet executed.
    Requested,
    /// In progress, outcome unknown.
    Sending,
    /// Refused or failed.
    Failed,
    /// Not covered by the balance of the account.
    InsufficientFunds,
    /// Canceled at HiPay.
    Canceled,
    /// Not paid because the vendor is disabled.
    VendorDisabled,
    /// Not paid because payments to the vendor are blocked.
    PaymentBlocked,
    /// Netted into a later operation.
    Adjusted,
    /// An amount of zero or less: nothing to pay.
    InvalidAmount,
}

named!(pub Column);

impl Column {
    /// Returns true for each KO.
    pub fn is_failure(self) -> bool {
        match self {
            Self::Failed | Self::InsufficientFunds | Self::Canceled | Self::VendorDisabled | Self::PaymentBlocked => {
                true
            }
            Self::None | Self::Ok | Self::Requested | Self::Sending | Self::Adjusted | Self::InvalidAmount => false,
        }
    }

    /// Returns the text of the column of `kind`, in the product's own words.
    pub fn text(self, kind: PaymentKind) -> &'static str {
        match self {
            Self::None => "",
            Self::Ok => "OK",
            Self::Requested => "OK (requested)",
            Self::Sending => "sending…",
            Self::Failed if kind == PaymentKind::Transfer => "KO",
            Self::Failed => "KO (failed)",
            Self::InsufficientFunds => "KO (insufficient funds)",
            Self::Canceled => "KO (canceled)",
            Self::VendorDisabled => "KO (vendor disabled)",
            Self::PaymentBlocked => "KO (payment blocked)",
            Self::Adjusted => "OK (adjusted)",
            Self::InvalidAmount => "OK (nothing to pay)",
        }
    }
}

/// An event in an operation's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationEvent {
    /// Netting of its negative amount into a later operation of the vendor.
    Netted,
    /// A payment that is due while the vendor is unknown or disabled.
    VendorDisabled,
    /// A payment that is due with nothing to pay.
    AmountInvalid,
    /// A balance of the paying account that does not cover the payment.
    FundsShort,
    /// A withdrawal that is due while payments to the vendor are blocked.
    PaymentBlocked,
    /// A payment that is due while an account is not ready for it: in another currency, not identified, or without
    /// validated bank details.
    AccountNotReady,
    /// Commit of the whole request; from here on it may leave.
    Sending(PaymentKind),
    /// Acceptance by HiPay.
    Requested(PaymentKind),
    /// Execution by HiPay.
    Captured(PaymentKind),
    /// Refusal by HiPay, or a state that HiPay shows as failed for good.
    Failed(PaymentKind),
    /// Cancellation of the withdrawal by HiPay.
    Canceled,
    /// Reversal by HiPay of a payment that it had executed.
    Reversed(PaymentKind),
    /// A person's decision to retry a canceled withdrawal.
    RetryAsked,
}

impl OperationEvent {
    /// Returns the event that a transaction in this state means for the operation whose payment of `kind` it is.
    pub fn of_transaction(state: TransactionState, kind: PaymentKind) -> Self {
        match (state, kind) {
            (TransactionState::Pending | TransactionState::Standby | TransactionState::Unknown, _) => {
                Self::Requested(kind)
            }
            (TransactionState::Captured, _) => Self::Captured(kind),
            (TransactionState::Failed, _) | (TransactionState::Canceled, PaymentKind::Transfer) => Self::Failed(kind),
            (TransactionState::Canceled, PaymentKind::Withdrawal) => Self::Canceled,
        }
    }

    /// All events, for tables and properties.
    pub const ALL: [Self; 18] = [
        Self::Netted,
        Self::VendorDisabled,
        Self::AmountInvalid,
        Self::FundsShort,
        Self::PaymentBlocked,
        Self::AccountNotReady,
        Self::Sending(PaymentKind::Transfer),
        Self::Requested(PaymentKind::Transfer),
        Self::Captured(PaymentKind::Transfer),
        Self::Failed(PaymentKind::Transfer),
        Self::Sending(PaymentKind::Withdrawal),
        Self::Requested(PaymentKind::Withdrawal),
        Self::Captured(PaymentKind::Withdrawal),
        Self::Failed(PaymentKind::Withdrawal),
        Self::Canceled,
        Self::Reversed(PaymentKind::Transfer),
        Self::Reversed(PaymentKind::Withdrawal),
        Self::RetryAsked,
    ];
}

/// An event that does not fit the status. For a repeated or late notice this is no error: the caller leaves the
/// operation unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{event:?} does not apply to an operation in status {status}")]
pub struct IllegalTransition {
    /// The current status.
    pub status: Status,
    /// The event that does not fit.
    pub event: OperationEvent,
}

impl From<IllegalTransition> for Message {
    fn from(error: IllegalTransition) -> Self {
        msg!("operation-does-not-fit", event = format!("{:?}", error.event), status = &error.status)
    }
}

impl From<&Status> for Message {
    fn from(status: &Status) -> Self {
        let id = format!("operation-{}", status.name().to_ascii_lowercase());
        Self::worded(status.to_string(), &id, [])
    }
}

/// Returns the next status for an event, or a typed refusal: the whole status machine.
pub fn apply(status: Status, event: OperationEvent) -> Result<Status, IllegalTransition> {
    use PaymentKind::{Transfer, Withdrawal};
    let transfer_payable = Status::TRANSFER_PAYABLE.contains(&status);
    let withdraw_payable = Status::WITHDRAW_PAYABLE.contains(&status);
    let transfer_sent = Status::TRANSFER_SENT.contains(&status);
    let withdraw_sent = Status::WITHDRAW_SENT.contains(&status);
    let next = match event {
        OperationEvent::Netted => (status == Status::InvalidAmount).then_some(Status::AdjustedOperations),
        OperationEvent::AmountInvalid => transfer_payable.then_some(Status::InvalidAmount),
        OperationEvent::VendorDisabled if transfer_payable => Some(Status::TransferVendorDisabled),
        OperationEvent::VendorDisabled => withdraw_payable.then_some(Status::WithdrawVendorDisabled),
        OperationEvent::PaymentBlocked => withdraw_payable.then_some(Status::WithdrawPaymentBlocked),
        OperationEvent::AccountNotReady if transfer_payable => Some(Status::TransferFailed),
        OperationEvent::AccountNotReady => withdraw_payable.then_some(Status::WithdrawFailed),
        // Before the request because of the balance; after it because HiPay refused it for lack of funds.
        OperationEvent::FundsShort if transfer_payable || status == Status::TransferSending => {
            Some(Status::TransferNegative)
        }
        OperationEvent::FundsShort => {
            (withdraw_payable || status == Status::WithdrawSending).then_some(Status::WithdrawNegative)
        }
        OperationEvent::Sending(Transfer) => transfer_payable.then_some(Status::TransferSending),
        OperationEvent::Sending(Withdrawal) => withdraw_payable.then_some(Status::WithdrawSending),
        OperationEvent::Requested(Transfer) => (status == Status::TransferSending).then_some(Status::TransferRequested),
        OperationEvent::Requested(Withdrawal) => {
            (status == Status::WithdrawSending).then_some(Status::WithdrawRequested)
        }
        OperationEvent::Captured(Transfer) => transfer_sent.then_some(Status::TransferSuccess),
        OperationEvent::Captured(Withdrawal) => withdraw_sent.then_some(Status::WithdrawSuccess),
        OperationEvent::Failed(Transfer) => transfer_sent.then_some(Status::TransferFailed),
        OperationEvent::Failed(Withdrawal) => withdraw_sent.then_some(Status::WithdrawFailed),
        OperationEvent::Canceled => withdraw_sent.then_some(Status::WithdrawCanceled),
        // Once the withdrawal is sent, the money is on its way to the bank: only a person can decide what follows.
        OperationEvent::Reversed(Transfer) => {
            (withdraw_payable || status == Status::WithdrawCanceled).then_some(Status::TransferFailed)
        }
        OperationEvent::Reversed(Withdrawal) => (status == Status::WithdrawSuccess).then_some(Status::WithdrawCanceled),
        OperationEvent::RetryAsked => (status == Status::WithdrawCanceled).then_some(Status::WithdrawFailed),
    };
    next.ok_or(IllegalTransition { status, event })
}

impl Word for Status {
    fn id(&self) -> Option<Cow<'static, str>> {
        Some(format!("operation-{}", self.name().to_ascii_lowercase()).into())
    }
}

/// The entry in a payment's column.
impl Word for (PaymentKind, Column) {
    fn id(&self) -> Option<Cow<'static, str>> {
        let (kind, column) = self;
        Some(format!("{}-{}", kind.column(), column.name()).into())
    }
}

#[cfg(test)]
#[expect(clippy::wildcard_enum_match_arm, reason = "a test names only what it looks at")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The rules' table of statuses, repeated by hand.
    const TABLE: [(i64, &str, &str, &str); 17] = [
        (1, "CREATED", "none", "none"),
        (2, "ADJUSTED_OPERATIONS", "adjusted", "adjusted"),
        (3, "TRANSFER_SUCCESS", "ok", "none"),
        (4, "TRANSFER_REQUESTED", "requested", "none"),
        (5, "WITHDRAW_REQUESTED", "ok", "requested"),
        (6, "WITHDRAW_SUCCESS", "ok", "ok"),
        (-1, "INVALID_AMOUNT", "invalid_amount", "invalid_amount"),
        (-5, "TRANSFER_VENDOR_DISABLED", "vendor_disabled", "none"),
        (-6, "WITHDRAW_VENDOR_DISABLED", "ok", "vendor_disabled"),
        (-7, "WITHDRAW_FAILED", "ok", "failed"),
        (-8, "WITHDRAW_CANCELED", "ok", "canceled"),
        (-9, "TRANSFER_FAILED", "failed", "none"),
        (-10, "TRANSFER_NEGATIVE", "insufficient_funds", "none"),
        (-11, "WITHDRAW_NEGATIVE", "ok", "insufficient_funds"),
        (-12, "WITHDRAW_PAYMENT_BLOCKED", "ok", "payment_blocked"),
        (7, "TRANSFER_SENDING", "sending", "none"),
        (8, "WITHDRAW_SENDING", "ok", "sending"),
    ];

    #[test]
    fn the_documented_codes_names_and_columns() {
        for (code, name, transfer, withdraw) in TABLE {
            let status = Status::from_code(code);
            let columns = status.columns();
            assert_eq!((status.code(), status.name()), (code, name));
            assert_eq!((columns.0.name(), columns.1.name()), (transfer, withdraw), "{name}");
        }
        assert_eq!(TABLE.len(), Status::ALL.len());
    }

    #[test]
    fn an_unknown_status_is_kept_and_nothing_moves_it() {
        let status: Status = serde_json::from_str("-99").unwrap();
        assert_eq!(serde_json::to_string(&status).unwrap(), "-99");
        for event in OperationEvent::ALL {
            assert!(apply(status, event).is_err(), "{event:?}");
        }
    }

    /// Enumerates every pair: the transitions that make money leave, and their origins.
    #[test]
    fn money_leaves_only_from_payable_statuses_and_only_forwards() {
        for status in Status::ALL {
            for event in OperationEvent::ALL {
                let Ok(next) = apply(status, event) else { continue };
                match next {
                    Status::TransferSending => assert!(Status::TRANSFER_PAYABLE.contains(&status), "{status}"),
                    Status::WithdrawSending => assert!(Status::WITHDRAW_PAYABLE.contains(&status), "{status}"),
                    _ => {}
                }
                let (transfer_before, _) = status.columns();
                let (transfer_after, _) = next.columns();
                if transfer_before == Column::Ok && event != OperationEvent::Reversed(PaymentKind::Transfer) {
                    assert_eq!(transfer_after, Column::Ok, "{status} {event:?} takes the transfer back");
                }
            }
            // A status that is final or waits for a person is never sent again by a run.
            if matches!(
                status,
                Status::WithdrawSuccess
                    | Status::WithdrawCanceled
                    | Status::AdjustedOperations
                    | Status::InvalidAmount
                    | Status::TransferRequested
                    | Status::WithdrawRequested
            ) {
                for kind in [PaymentKind::Transfer, PaymentKind::Withdrawal] {
                    assert!(apply(status, OperationEvent::Sending(kind)).is_err(), "{status}");
                }
            }
        }
    }

    proptest! {
        /// Executes a transfer at most once unless it is reversed, and a withdrawal only after it and at most once
        /// unless that is reversed, whatever the order of the events.
        #[test]
        fn no_sequence_of_events_pays_twice(events in prop::collection::vec(prop::sample::select(OperationEvent::ALL.to_vec()), 0..60)) {
            let mut status = Status::Created;
            let (mut transferred, mut withdrawn) = (0, 0);
            for event in events {
                let Ok(next) = apply(status, event) else { continue };
                match event {
                    OperationEvent::Captured(PaymentKind::Transfer) => transferred += 1,
                    OperationEvent::Captured(PaymentKind::Withdrawal) => withdrawn += 1,
                    OperationEvent::Reversed(PaymentKind::Transfer) => transferred -= 1,
                    OperationEvent::Reversed(PaymentKind::Withdrawal) => withdrawn -= 1,
                    _ => {}
                }
                status = next;
                prop_assert!(transferred <= 1 && withdrawn <= transferred);
            }
            prop_assert_eq!(status == Status::WithdrawSuccess, withdrawn == 1);
        }
    }
}
