//! Explanations of an operation's current state.

use super::{Actor, Explanation, Next, refusals};
use crate::domain::attempt::{Attempt, AttemptState};
use crate::domain::operation::{Hold, Operation, PaymentKind, Status, Unready};
use crate::domain::voucher::{HeldBecause, VoucherRecord};
use crate::text::message::Message;

/// Explains what prevents the operation from being paid, or what it waits for; empty once its money is at the bank.
pub fn explain(operation: &Operation) -> Vec<Explanation> {
    let mut explanations: Vec<Explanation> =
        operation.held.as_deref().map(|why| held(operation, why)).into_iter().collect();
    // A held operation does not progress by itself, whatever its status.
    let goes_on = matches!(operation.status, Status::Created | Status::TransferSuccess);
    if operation.held.is_none() || !goes_on {
        explanations.extend(by_status(operation));
    }
    explanations.extend(netted(operation).filter(|_| !explanations.is_empty()));
    // No run processes a held operation, whatever its status.
    if operation.held.is_some() {
        for explanation in explanations.iter_mut().skip(1) {
            explanation.next = Next::Nothing;
        }
    }
    explanations
}

/// Explains why a voucher has not produced operations yet; `None` once it has.
pub fn explain_voucher(record: &VoucherRecord) -> Option<Explanation> {
    let why = record.held?;
    let (id, by, next) = match why {
        _ if record.released => ("voucher-released", Actor::Nobody, Next::GenerateRun),
        HeldBecause::VendorUnknown => ("voucher-vendor-unknown", Actor::Marketplace, Next::GenerateRun),
        HeldBecause::VendorDisabled => ("voucher-vendor-disabled", Actor::Marketplace, Next::GenerateRun),
        HeldBecause::PaidInMirakl => ("voucher-paid-in-mirakl", Actor::Marketplace, Next::GenerateRun),
        HeldBecause::BeforeFirstCycle => ("voucher-before-first-cycle", Actor::Nobody, Next::Nothing),
        HeldBecause::NotShown => ("voucher-not-shown", Actor::Marketplace, Next::GenerateRun),
        HeldBecause::OtherProvider => ("voucher-other-provider", Actor::Marketplace, Next::Nothing),
        HeldBecause::OtherType => ("voucher-other-type", Actor::Marketplace, Next::Nothing),
        HeldBecause::CycleOpen => ("voucher-cycle-open", Actor::Nobody, Next::GenerateRun),
        HeldBecause::OutsideCycles => ("voucher-outside-cycles", Actor::Marketplace, Next::Nothing),
        HeldBecause::MayBeKnown => ("voucher-may-be-known", Actor::Marketplace, Next::GenerateRun),
        HeldBecause::Settled => ("voucher-settled", Actor::Nobody, Next::Nothing),
        HeldBecause::Unknown => ("voucher-unknown-reason", Actor::Administrator, Next::Nothing),
    };
    Some(Explanation::new(id, by).then(next))
}

fn held(operation: &Operation, why: &str) -> Explanation {
    let (id, by) = match operation.held_for {
        Some(Hold::OtherPayment) => ("held-other-payment", Actor::Marketplace),
        Some(Hold::Revoked) if Status::TRANSFER_PAYABLE.contains(&operation.status) => ("held-returned", Actor::HiPay),
        Some(Hold::Revoked) => ("held-revoked", Actor::HiPay),
        Some(Hold::ExecutedAfterAll) => ("held-executed-after-all", Actor::Marketplace),
        Some(Hold::PaidInMirakl) => ("held-paid-in-mirakl", Actor::Marketplace),
        Some(Hold::LedgerUnread) => ("held-ledger-unread", Actor::HiPay),
        Some(Hold::SeveralPayments) => ("held-several-payments", Actor::Marketplace),
        Some(Hold::PossiblePayment) => ("held-possible-payment", Actor::Marketplace),
        Some(Hold::OtherProvider) => ("held-other-provider", Actor::Marketplace),
        Some(Hold::AmountChanged) => ("held-amount-changed", Actor::Marketplace),
        Some(Hold::VoucherGone) => ("held-voucher-gone", Actor::Marketplace),
        Some(Hold::OutcomeUnknown) => ("held-outcome-unknown", Actor::HiPay),
        Some(Hold::TooManyAttempts) => ("held-too-many-attempts", Actor::HiPay),
        Some(Hold::ByPerson) => ("held-by-somebody", Actor::Marketplace),
        Some(Hold::Remainder) => ("held-remainder", Actor::Marketplace),
        Some(Hold::Settled) => {
            return Explanation::new("held-paid-otherwise", Actor::Nobody).with("message", message(operation, why));
        }
        Some(Hold::Unknown) | None => ("held-unknown", Actor::Marketplace),
    };
    // A retry of a hold for another payment only looks again; release or accept decides whose payment it is. An
    // executed payment is not retried.
    let decided_alone = matches!(operation.held_for, Some(Hold::OtherPayment | Hold::ExecutedAfterAll));
    let retried = !decided_alone && operation.status != Status::WithdrawSuccess;
    let next = if retried { Next::Retry } else { Next::Nothing };
    Explanation::new(id, by).with("message", message(operation, why)).then(next)
}

/// Returns the message with this English text from the operation's history.
fn message(operation: &Operation, english: &str) -> Message {
    let change = operation.history.iter().rev().find(|change| change.message.text() == english);
    change.map_or_else(|| Message::quoting(english), |change| change.message.clone())
}

fn by_status(operation: &Operation) -> Vec<Explanation> {
    let amount = operation.amount;
    let plain = |id: &str, by| Explanation::new(id, by).with("amount", amount);
    let one = match operation.status {
        Status::Created => plain("why-created", Actor::Nobody).then(Next::TransferRun),
        Status::AdjustedOperations => {
            let into = operation.adjusted_by.map_or_else(|| "?".to_owned(), |id| id.to_string());
            plain("why-adjusted", Actor::Nobody).with("operation", into)
        }
        Status::InvalidAmount if amount.minor() < 0 => plain("why-amount-negative", Actor::Nobody),
        Status::InvalidAmount => plain("why-amount-zero", Actor::Nobody),
        Status::TransferSuccess => plain("why-transfer-success", Actor::Nobody).then(Next::WithdrawRun),
        Status::WithdrawSuccess => return shortfall(operation).into_iter().collect(),
        Status::TransferRequested => requested(operation, PaymentKind::Transfer),
        Status::WithdrawRequested => requested(operation, PaymentKind::Withdrawal),
        Status::TransferSending => return sending(operation, PaymentKind::Transfer),
        Status::WithdrawSending => return sending(operation, PaymentKind::Withdrawal),
        Status::TransferVendorDisabled => plain("why-vendor-disabled", Actor::Marketplace).then(Next::TransferRun),
        Status::WithdrawVendorDisabled => plain("why-vendor-disabled", Actor::Marketplace).then(Next::WithdrawRun),
        Status::TransferNegative if operation.unready == Some(Unready::MoneyKept) => {
            plain("why-transfer-kept", Actor::Marketplace).then(Next::TransferRun)
        }
        Status::TransferNegative => plain("why-transfer-negative", Actor::Marketplace).then(Next::TransferRun),
        Status::WithdrawNegative => match operation.balance {
            Some(balance) => plain("why-withdraw-negative", Actor::Marketplace).with("balance", balance),
            None => plain("why-withdraw-negative-unread", Actor::Marketplace),
        }
        .then(Next::WithdrawRun),
        Status::WithdrawPaymentBlocked => plain("why-payment-blocked", Actor::Marketplace).then(Next::WithdrawRun),
        Status::TransferFailed => not_sent(operation, PaymentKind::Transfer).then(Next::TransferRun),
        Status::WithdrawFailed => not_sent(operation, PaymentKind::Withdrawal).then(Next::WithdrawRun),
        Status::WithdrawCanceled => {
            let said = operation.withdrawal.last().and_then(|last| last.refusal.as_ref());
            plain("why-withdraw-canceled", Actor::Marketplace).quoting(said).then(Next::Retry)
        }
        Status::Unknown(_) => plain("why-unknown-status", Actor::Administrator),
    };
    vec![one]
}

/// Explains the debts that were deducted from an operation that is not paid yet.
fn netted(operation: &Operation) -> Option<Explanation> {
    let debts = operation.origin_amount.checked_sub(operation.amount).ok()?;
    if operation.adjusts.is_empty() || operation.is_settled() || operation.status == Status::WithdrawSuccess {
        return None;
    }
    let operations = operation.adjusts.iter().map(|id| format!("#{id}")).collect::<Vec<_>>().join(", ");
    let by = if operation.held.is_some() { Actor::Marketplace } else { Actor::Nobody };
    let explanation = Explanation::new("why-netted", by).with("debts", debts);
    let explanation = explanation.with("voucher", operation.origin_amount).with("amount", operation.amount);
    Some(explanation.with("operations", operations))
}

/// Explains the amount that the operator's withdrawal could not cover.
fn shortfall(operation: &Operation) -> Option<Explanation> {
    let shortfall = operation.shortfall?;
    let explanation = Explanation::new("why-shortfall", Actor::Marketplace);
    Some(explanation.with("shortfall", shortfall).with("amount", operation.amount))
}

fn requested(operation: &Operation, kind: PaymentKind) -> Explanation {
    let last = operation.payment(kind).last();
    let amount = last.map_or(operation.amount, |last| last.amount);
    if let Some(last) = last.filter(|last| last.has_unknown_word()) {
        let explanation = Explanation::new(format!("why-{}-unknown-word", kind.column()), Actor::HiPay);
        let word = last.transaction_status.clone().unwrap_or_default();
        let explanation = explanation.with("amount", amount).with("word", word);
        return explanation.with("transaction", transaction(last)).then(Next::Retry);
    }
    let is_standby = |last: &Attempt| {
        last.transaction_status.as_deref().is_some_and(|word| word.trim().eq_ignore_ascii_case("STANDBY"))
    };
    let (state, by) =
        if last.is_some_and(is_standby) { ("standby", Actor::HiPay) } else { ("requested", Actor::Nobody) };
    let id = format!("why-{}-{state}", kind.column());
    Explanation::new(id, by).with("amount", amount).with("transaction", last.map(transaction).unwrap_or_default())
}

/// Explains an unknown outcome, preceded by HiPay's refusal if there is one.
fn sending(operation: &Operation, kind: PaymentKind) -> Vec<Explanation> {
    let last = operation.payment(kind).last();
    let said = last.and_then(|last| last.refusal.as_ref()).map(refusals::explain);
    let (id, next) = match kind {
        PaymentKind::Transfer => ("why-transfer-sending", Next::TransferRun),
        PaymentKind::Withdrawal => ("why-withdraw-sending", Next::WithdrawRun),
    };
    let amount = last.map_or(operation.amount, |last| last.amount);
    let open = Explanation::new(id, Actor::Nobody).with("amount", amount).then(next);
    said.into_iter().chain([open]).collect()
}

/// Explains a failure in the words of the operation's message.
fn failed_as_told(operation: &Operation, kind: PaymentKind) -> Explanation {
    let (message, amount) = (operation.message.as_str(), operation.amount);
    let explanation = Explanation::new(format!("why-{}-failed", kind.column()), Actor::HiPay).with("amount", amount);
    explanation.with("message", self::message(operation, message))
}

/// Explains a payment whose last attempt HiPay refused or shows as failed.
fn failed(operation: &Operation, kind: PaymentKind) -> Explanation {
    let last = operation.payment(kind).last();
    let general = || failed_as_told(operation, kind);
    match last {
        Some(last) if last.state == AttemptState::Ended => ended(operation, last),
        Some(last) => last.refusal.as_ref().map_or_else(general, refusals::explain),
        None => general(),
    }
}

/// Explains an attempt that HiPay shows as failed for good, by HiPay's word in a look-up or in a notice.
fn ended(operation: &Operation, attempt: &Attempt) -> Explanation {
    if attempt.transaction_id.as_ref().is_some_and(|id| operation.dismissed.contains(id)) {
        let of_another = Explanation::new("why-ended-of-another", Actor::Nobody).with("amount", attempt.amount);
        return of_another.with("transaction", transaction(attempt));
    }
    let word = attempt.transaction_status.as_deref().unwrap_or_default().trim().to_ascii_uppercase();
    let (id, by) = match word.as_str() {
        "UNAUTHED" | "AUTHORIZATION NOK" | "AUTHORIZATION KO" => ("why-ended-unauthed", Actor::HiPay),
        "ABORTED" => ("why-ended-aborted", Actor::HiPay),
        "REJECTED_END" => ("why-ended-rejected", Actor::Marketplace),
        "CANCELLED_END" | "CANCELED_END" => ("why-ended-canceled", Actor::Marketplace),
        _ => ("why-ended-other", Actor::HiPay),
    };
    let explanation = Explanation::new(id, by).with("amount", attempt.amount);
    explanation.with("transaction", transaction(attempt)).quoting(attempt.refusal.as_ref())
}

fn transaction(attempt: &Attempt) -> String {
    attempt.transaction_id.clone().unwrap_or_default()
}

/// Explains why the payment of `kind` was not even sent, or else why it failed.
fn not_sent(operation: &Operation, kind: PaymentKind) -> Explanation {
    let Some(unready) = operation.unready else { return failed(operation, kind) };
    let (id, by) = match unready {
        Unready::NoAccountInCurrency => {
            let id = format!("why-{}-other-currency", kind.column());
            let wallet = operation.recipient_hipay_id.to_string();
            return Explanation::new(id, Actor::Marketplace).with("amount", operation.amount).with("wallet", wallet);
        }
        Unready::WalletUnknown => ("why-wallet-unknown", Actor::HiPay),
        Unready::OtherWallet => ("why-other-wallet", Actor::HiPay),
        Unready::NotIdentified => ("why-not-identified", Actor::Vendor),
        Unready::BankDetailsNotValidated => ("why-bank-details", Actor::Vendor),
        Unready::MoneyKept | Unready::Unknown => return failed_as_told(operation, kind),
    };
    Explanation::new(id, by).with("wallet", operation.recipient_hipay_id.to_string())
}
