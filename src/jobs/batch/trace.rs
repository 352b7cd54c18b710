//! Operations in the trace of their voucher.

use opentelemetry::KeyValue;

use crate::domain::operation::Operation;
use crate::platform::telemetry::VoucherTrace;

/// Returns the trace that an operation belongs to.
pub(crate) fn trace_of(operation: &Operation) -> VoucherTrace<'_> {
    VoucherTrace { mirakl_id: operation.mirakl_id, voucher: &operation.voucher }
}

/// Returns the attributes of a step of an operation: identifiers and the amount, nothing about persons.
pub(crate) fn attributes_of(operation: &Operation) -> Vec<KeyValue> {
    vec![
        KeyValue::new("cashout.operation", i64::try_from(operation.id).unwrap_or(i64::MAX)),
        KeyValue::new("cashout.beneficiary", operation.beneficiary.name()),
        KeyValue::new("cashout.amount", operation.amount.decimal()),
        KeyValue::new("cashout.currency", operation.amount.currency().code()),
    ]
}
