//! Wallet notices that need only the store: about transfers and withdrawals, about other movements
//! of money, and those without a meaning for us.
//!
//! A notice belongs to an attempt, by its transaction. Its effect is the same as that of a look-up of the transaction.

use jiff::Timestamp;

use crate::config::Config;
use crate::domain::attempt::{Attempt, AttemptState, CLOCK_DIFFERENCE_LIMIT, NoticeRelation, TransactionState};
use crate::domain::inbox::{Notification, NotificationOutcome};
use crate::domain::movement::Movement;
use crate::domain::notification::{Meaning, WalletNotice};
use crate::domain::operation::{Hold, Operation, PaymentKind};
use crate::jobs::Subject;
use crate::jobs::payout::outcome::{FoundTransaction, adopt_late_execution, adopt_transaction, record_reversal};
use crate::jobs::payout::pay::subject;
use crate::remote::hipay::Transaction;
use crate::store::{Query, StoreError, View, Writer};
use crate::text::message::{Message, logged, msg};
use crate::text::one_line;

/// Maximum length of HiPay's words in a message of ours, in characters.
const MAX_QUOTE_LENGTH: usize = 300;

/// HiPay IDs of the marketplace's own accounts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnAccounts {
    pub(crate) technical: u64,
    pub(crate) operator: u64,
}

impl OwnAccounts {
    pub(crate) fn of(config: &Config) -> Self {
        Self { technical: config.technical_account.hipay_id, operator: config.operator_account.hipay_id }
    }
}

/// Outcome of a notice, and the line to log once that is on the disk.
pub(crate) struct Dealt {
    pub(crate) outcome: NotificationOutcome,
    pub(crate) line: Option<Line>,
    /// Number of the operation concerned, if any.
    pub(crate) operation: Option<u64>,
}

/// A line for the log.
pub(crate) struct Line {
    pub(crate) severity: Severity,
    pub(crate) subject: Subject,
    pub(crate) message: Message,
}

/// Severity of a line, by the names of the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    Notice,
    Warning,
    Error,
    Critical,
}

impl Line {
    /// Logs the line.
    pub(crate) fn log(&self, notification: u64) {
        let Self { severity, subject: Subject { mirakl_id, voucher }, message } = self;
        let action = "notification";
        match severity {
            Severity::Notice => {
                logged!(info, severity = "NOTICE", action, notification, mirakl_id, voucher, message);
            }
            Severity::Warning => logged!(warn, action, notification, mirakl_id, voucher, message),
            Severity::Error => logged!(error, action, notification, mirakl_id, voucher, message),
            Severity::Critical => {
                logged!(error, severity = "CRITICAL", action, notification, mirakl_id, voucher, message);
            }
        }
    }
}

impl Dealt {
    pub(crate) fn without_log(outcome: NotificationOutcome) -> Self {
        Self { outcome, line: None, operation: None }
    }

    pub(crate) fn applied(message: Message) -> Self {
        Self::without_log(NotificationOutcome::Applied(message))
    }

    pub(crate) fn ignored(message: Message) -> Self {
        Self::without_log(NotificationOutcome::Ignored(message))
    }

    pub(crate) fn waiting(message: Message) -> Self {
        Self::without_log(NotificationOutcome::Waiting(message))
    }

    /// Has the message of the outcome logged.
    pub(crate) fn logged(self, severity: Severity, subject: Subject) -> Self {
        let (NotificationOutcome::Applied(message)
        | NotificationOutcome::Ignored(message)
        | NotificationOutcome::Waiting(message)
        | NotificationOutcome::Postponed(message)) = &self.outcome;
        let line = Some(Line { severity, subject, message: message.clone() });
        Self { line, ..self }
    }
}

/// Returns HiPay's words on one line and of bounded length, or a default text if there are none.
pub(crate) fn hipay_message(text: Option<&str>) -> Message {
    text.map_or_else(|| msg!("no-reason"), |text| Message::quoting(quote(text)))
}

/// Returns HiPay's words on one line and of bounded length.
pub(crate) fn quote(text: &str) -> String {
    one_line(text, MAX_QUOTE_LENGTH)
}

/// Processes a notice that needs only the store.
pub(crate) fn process(
    writer: &mut Writer<'_>,
    notification: &mut Notification,
    own: OwnAccounts,
    now: Timestamp,
) -> Result<Dealt, StoreError> {
    let notice = match WalletNotice::read(&notification.body) {
        Ok(notice) => notice.received(notification.received_at),
        Err(error) => return Ok(unreadable(Message::quoting(error.to_string()))),
    };
    match notice.meaning() {
        Meaning::Payment { kind, state } => payment(writer, notification, &notice, kind, state, own, now),
        Meaning::OtherTransaction => {
            let movement = Movement::from_notice(&notice, notification.id, notification.received_at);
            writer.put(&movement)?;
            let (account, status) = (movement.account_id, quote(&movement.status));
            let message = match movement.amount {
                Some(amount) => msg!("notice-moved", amount, account, status),
                None => msg!("notice-moved-unknown", account, status),
            };
            Ok(Dealt::applied(message).logged(Severity::Notice, Subject::default()))
        }
        // Readable ones are processed elsewhere; this one is not readable.
        Meaning::Identification { .. } | Meaning::BankDetails { .. } | Meaning::Document { .. } | Meaning::Unknown => {
            let (operation, status) = (quote(&notice.operation), quote(&notice.status));
            let dealt = Dealt::ignored(msg!("notice-meaningless", operation, status));
            Ok(dealt.logged(Severity::Notice, Subject::default()))
        }
    }
}

pub(crate) fn unreadable(reason: Message) -> Dealt {
    Dealt::ignored(msg!("notice-unreadable", reason)).logged(Severity::Error, Subject::default())
}

fn payment(
    writer: &mut Writer<'_>,
    notification: &mut Notification,
    notice: &WalletNotice,
    kind: PaymentKind,
    state: Option<TransactionState>,
    own: OwnAccounts,
    now: Timestamp,
) -> Result<Dealt, StoreError> {
    let Some(transaction_id) = &notice.transaction_id else {
        return Ok(Dealt::ignored(msg!("notice-no-transaction", kind)).logged(Severity::Notice, Subject::default()));
    };
    let page = writer.page(&Query::group(Operation::BY_TRANSACTION, transaction_id.clone()).limit(1))?;
    if let Some(error) = page.unreadable.first() {
        let (severity, subject) = (Severity::Critical, Subject::default());
        let line = Some(Line { severity, subject, message: error.into() });
        return Ok(Dealt { line, ..Dealt::without_log(NotificationOutcome::Postponed(error.into())) });
    }
    let Some(operation) = page.items.into_iter().next() else {
        return Ok(match state {
            None => Dealt::ignored(msg!("notice-authorised")),
            Some(_) => Dealt::waiting(msg!("notice-no-operation")),
        });
    };
    notification.mirakl_id = Some(operation.mirakl_id);
    let about = Some(operation.id);
    let dealt = of_operation(writer, notification, notice, operation, (transaction_id, kind, state), own, now)?;
    Ok(Dealt { operation: about, ..dealt })
}

/// Processes a notice about a payment of `operation`.
fn of_operation(
    writer: &mut Writer<'_>,
    notification: &Notification,
    notice: &WalletNotice,
    mut operation: Operation,
    (transaction_id, kind, state): (&String, PaymentKind, Option<TransactionState>),
    own: OwnAccounts,
    now: Timestamp,
) -> Result<Dealt, StoreError> {
    let attempts = &operation.payment(kind).attempts;
    let Some(attempt) = attempts.iter().find(|one| one.transaction_id.as_ref() == Some(transaction_id)).cloned() else {
        return Ok(Dealt::ignored(msg!("notice-other-kind", kind)).logged(Severity::Warning, subject(&operation)));
    };
    // A signature identifies the sender; it does not prove statements about other accounts.
    if ![attempt.account, own.technical].contains(&notice.account_id) {
        let (account, meant) = (notice.account_id, attempt.account);
        let dealt = Dealt::ignored(msg!("notice-foreign-account", transaction = transaction_id, account, meant));
        return Ok(dealt.logged(Severity::Warning, subject(&operation)));
    }
    let Some(state) = state else { return Ok(Dealt::ignored(msg!("notice-authorised"))) };
    if operation.dismissed.contains(transaction_id) && attempt.state == AttemptState::Ended {
        // A person has looked at it: it is not a payment of this operation.
        return Ok(Dealt::ignored(msg!("notice-known")));
    }
    if let Some(difference) = mismatch(notice, &attempt) {
        let message = msg!("notice-other-payment", transaction = transaction_id, difference);
        return hold(writer, operation, message, now);
    }
    let is_last = operation.payment(kind).last().is_some_and(|last| last.number == attempt.number);
    // Without a time of its own it refers to some time before its arrival, by our clock.
    let as_of = notice
        .at
        .unwrap_or_else(|| notification.received_at.checked_sub(CLOCK_DIFFERENCE_LIMIT).unwrap_or(Timestamp::MIN));
    let news = attempt.judge(state, notice.at, now);
    match news {
        NoticeRelation::Known => return Ok(Dealt::ignored(msg!("notice-known"))),
        NoticeRelation::Late => return Ok(Dealt::ignored(msg!("notice-late"))),
        NoticeRelation::NotOurs => return Ok(Dealt::ignored(msg!("notice-of-newer-release"))),
        NoticeRelation::Revoked => {
            let found = shown_transaction(notice, &attempt, state, as_of);
            return apply_reversal(writer, notice, operation, (kind, found), now);
        }
        NoticeRelation::New | NoticeRelation::Revived => {}
    }
    // A person has accepted another amount of Mirakl's after this attempt was sent.
    let changed = is_last && kind == PaymentKind::Transfer && attempt.amount != operation.amount;
    if changed && !state.is_ended() {
        let difference = msg!("differs-told-amount", told = attempt.amount, meant = operation.amount);
        let message = msg!("notice-other-payment", transaction = transaction_id, difference);
        if !operation.candidates.contains(transaction_id) {
            operation.candidates.push(transaction_id.clone());
        }
        return hold(writer, operation, message, now);
    }
    let found = shown_transaction(notice, &attempt, state, as_of);
    apply_state(writer, notice, operation, (kind, found), news == NoticeRelation::Revived, now)
}

/// Records that HiPay has reversed a payment of the operation.
fn apply_reversal(
    writer: &mut Writer<'_>,
    notice: &WalletNotice,
    mut operation: Operation,
    (kind, found): (PaymentKind, FoundTransaction),
    now: Timestamp,
) -> Result<Dealt, StoreError> {
    let reason = hipay_message(notice.text("message"));
    let message = msg!("notice-revoked", kind, transaction = &found.transaction.transaction_id, reason);
    record_reversal(&mut operation, kind, found, &message, now);
    writer.put(&operation)?;
    Ok(Dealt::applied(message).logged(Severity::Critical, subject(&operation)))
}

/// Adopts the state of a payment of the operation; `revived` is true if its attempt counted as over.
fn apply_state(
    writer: &mut Writer<'_>,
    notice: &WalletNotice,
    mut operation: Operation,
    (kind, found): (PaymentKind, FoundTransaction),
    revived: bool,
    now: Timestamp,
) -> Result<Dealt, StoreError> {
    let executed = found.transaction.state == TransactionState::Captured;
    if executed && (revived || operation.is_settled()) {
        let doubled = adopt_late_execution(&mut operation, kind, found, now);
        writer.put(&operation)?;
        if let Some(message) = doubled {
            return Ok(Dealt::applied(message).logged(Severity::Critical, subject(&operation)));
        }
    } else {
        adopt_transaction(&mut operation, kind, found, now);
        writer.put(&operation)?;
    }
    if executed {
        return Ok(Dealt::applied(msg!("notice-executed", kind)));
    }
    let message = msg!("notice-not-executed", kind, reason = hipay_message(notice.text("message")));
    Ok(Dealt::applied(message).logged(Severity::Warning, subject(&operation)))
}

/// Holds the operation because the notice shows another payment than the intended one.
fn hold(
    writer: &mut Writer<'_>,
    mut operation: Operation,
    message: Message,
    now: Timestamp,
) -> Result<Dealt, StoreError> {
    operation.hold(Hold::OtherPayment, &message, now);
    writer.put(&operation)?;
    Ok(Dealt::applied(message).logged(Severity::Critical, subject(&operation)))
}

/// Returns the difference between the payment in HiPay's notice and the intended one, as far as the notice states it.
fn mismatch(notice: &WalletNotice, attempt: &Attempt) -> Option<Message> {
    match notice.amount(attempt.amount.currency())? {
        Ok(told) if told == attempt.amount => None,
        Ok(told) => Some(msg!("differs-told-amount", told, meant = attempt.amount)),
        Err(error) => Some(msg!("differs-unreadable-amount", error = &error, meant = attempt.amount)),
    }
}

/// Builds the transaction as a look-up would show it.
fn shown_transaction(
    notice: &WalletNotice,
    attempt: &Attempt,
    state: TransactionState,
    as_of: Timestamp,
) -> FoundTransaction {
    FoundTransaction {
        number: attempt.number,
        reference: attempt.reference.clone(),
        account: attempt.account,
        transaction: Transaction {
            transaction_id: attempt.transaction_id.clone().unwrap_or_default(),
            state,
            word: format!("{} {}", notice.operation, notice.status),
            amount: Some(attempt.amount),
            reference: attempt.reference.clone(),
            issuer_email: String::new(),
            recipient_email: String::new(),
            refusal_reason: notice.text("message").map(quote).unwrap_or_default(),
            kind: String::new(),
            label: String::new(),
            fees: None,
            created_at: None,
        },
        as_of,
    }
}
