//! Reports of what failed in a run, made at its end.

use std::time::Duration;

use crate::config::LogLevel;
use crate::domain::money::Amount;
use crate::jobs::batch::record::NOT_DUE;
use crate::jobs::{BatchCount, BatchEnd, BatchRecord, BatchState, Command, Context, JobError};
use crate::store::StoreError;
use crate::text::message::{Message, logged, msg};
use crate::trouble::{self, Noticed};

/// Maximum age of an unanswered call for it to count as the cause of a run's end.
const JUST_NOW: Duration = Duration::from_secs(30);

/// Counts of a run that stand for money that did not move.
const NOT_MOVED: [BatchCount; 9] = [
    BatchCount::InsufficientFunds,
    BatchCount::Refused,
    BatchCount::NoAccountInCurrency,
    BatchCount::OutcomeOpen,
    BatchCount::UnknownState,
    BatchCount::VendorDisabled,
    BatchCount::ShopGone,
    BatchCount::WalletNotReady,
    BatchCount::PaymentBlocked,
];

/// The name of failures that have no count of their own.
const OTHER_FAILURES: &str = "other failures";

fn is_about_money(record: &BatchRecord) -> bool {
    let names = [Command::CashoutTransfer, Command::CashoutWithdraw, Command::TransactionStatusSync];
    names.iter().any(|command| command.name() == record.command)
}

/// Reports the failures of a run, and resolves the troubles that it found gone. Any number of items results in one
/// line; an unchanged trouble is a warning, and is not reported again before the next day.
pub(crate) fn report(context: &Context, ended: &BatchEnd) {
    let record = &ended.record;
    let noticed = Noticed { action: &record.command, batch: Some(record.id), at: context.clock.now() };
    if let Some(error) = &ended.error {
        return ended_early(context, record, error, noticed);
    }
    let counted = NOT_MOVED.map(|what| (what, record.count_of(what)));
    let reasons: Vec<(BatchCount, u64)> = counted.into_iter().filter(|(_, count)| *count > 0).collect();
    // The results are stored, so the store works.
    context.troubles.resolve(trouble::STORE, noticed);
    let went_through = record.state() != BatchState::Interrupted;
    if record.failed == 0 && went_through {
        context.troubles.resolve(&of_batch(&record.command), noticed);
    }
    resolve_remotes(context, record, noticed);
    let transfers = record.command == Command::CashoutTransfer.name();
    let failing: Vec<BatchCount> =
        reasons.iter().map(|(what, _)| *what).filter(|what| !NOT_DUE.contains(what)).collect();
    let is_short = failing.contains(&BatchCount::InsufficientFunds);
    if transfers && went_through && !is_short && record.unanswered == 0 {
        context.troubles.resolve(trouble::ESCROW, noticed);
    }
    if !is_about_money(record) {
        if record.failed > 0 {
            let first = record.failures.first().map(|failure| failure.message.clone()).unwrap_or_default();
            let message =
                msg!("batch-items-failed", number = record.failed, total = record.total, first, batch = record.id);
            // A vendor's own mistake waits for the vendor; a voucher without an operation concerns money.
            let vendors = record.command == Command::VendorProcess { since: None }.name();
            let level =
                if vendors && record.state() != BatchState::Failed { LogLevel::Warning } else { LogLevel::Error };
            context.troubles.report(&of_batch(&record.command), level, message, noticed);
        }
        return;
    }
    let counted: u64 = reasons.iter().map(|(_, count)| count).sum();
    let others = record.failed.saturating_sub(counted);
    let mut parts: Vec<Message> =
        reasons.iter().map(|(what, count)| reason(what.name(), *count, &sums(record, *what))).collect();
    if others > 0 {
        parts.push(reason(OTHER_FAILURES, others, ""));
    }
    let reasons_joined = parts.into_iter().reduce(|first, second| msg!("reasons-joined", first, second));
    let message = msg!(
        "batch-not-moved",
        number = counted.max(record.failed),
        total = record.total,
        reasons = reasons_joined.unwrap_or_default(),
        batch = record.id
    );
    let troubles = &context.troubles;
    let is_silent = record.unanswered > 0 && record.unanswered >= record.due() && went_through;
    if is_silent {
        troubles.report(trouble::HIPAY, LogLevel::Critical, message, noticed);
    } else if transfers && failing == [BatchCount::InsufficientFunds] && others == 0 {
        troubles.report(trouble::ESCROW, LogLevel::Error, message, noticed);
    } else if !failing.is_empty() || others > 0 {
        let others = (others > 0).then_some(OTHER_FAILURES);
        let causes: Vec<&str> = failing.into_iter().map(BatchCount::name).chain(others).collect();
        troubles.report_causes(&of_batch(&record.command), LogLevel::Error, message, &causes, noticed);
    } else if !reasons.is_empty() {
        // The vendor or the marketplace has to act: this is not a failure of the run.
        let (action, batch) = (noticed.action, noticed.batch);
        logged!(warn, action, batch, message);
    }
}

/// Resolves the troubles of remotes that answered a run and accepted our credentials.
fn resolve_remotes(context: &Context, record: &BatchRecord, noticed: Noticed<'_>) {
    if record.state() == BatchState::Interrupted || record.unanswered > 0 {
        return;
    }
    if !is_about_money(record) {
        context.troubles.resolve(trouble::MIRAKL, noticed);
    } else if record.due() > 0 {
        context.troubles.resolve(trouble::HIPAY, noticed);
        context.troubles.resolve(trouble::CREDENTIALS, noticed);
    }
}

/// Formats one cause with the number of payments that it kept from moving.
fn reason(word: &str, number: u64, sums: &str) -> Message {
    let id = format!("unmoved-{}", word.replace(' ', "-"));
    Message::new(&id, [("number", number.into()), ("sums", Message::quoting(sums).into())])
}

/// Returns the key of the trouble of a batch with failures.
fn of_batch(command: &str) -> String {
    format!("batch:{command}")
}

/// Reports a run that an error ended, under the trouble that the error indicates.
fn ended_early(context: &Context, record: &BatchRecord, error: &JobError, noticed: Noticed<'_>) {
    let own = of_batch(&record.command);
    let key = match error {
        JobError::Credentials(_) => trouble::CREDENTIALS,
        JobError::Remote(_) => silent_remote(context).unwrap_or(own.as_str()),
        JobError::Store(StoreError::Machine(_) | StoreError::Damaged { .. }) => trouble::STORE,
        JobError::Store(_) | JobError::Refused(_) => own.as_str(),
    };
    let (command, error) = (record.command.as_str(), Message::from(error));
    let message = if record.scheduled_for.is_some() {
        msg!("batch-ended-early-scheduled", command, error = &error)
    } else {
        msg!("batch-ended-early", command, error = &error)
    };
    context.troubles.report(key, LogLevel::Error, message, noticed);
}

/// Returns the remote whose last call has just gone unanswered.
fn silent_remote(context: &Context) -> Option<&'static str> {
    let remotes = [(trouble::MIRAKL, context.mirakl.silence()), (trouble::HIPAY, context.hipay.silence())];
    let silent = remotes.into_iter().filter_map(|(key, silence)| Some((silence?.last.elapsed(), key)));
    silent.filter(|(elapsed, _)| *elapsed < JUST_NOW).min().map(|(_, key)| key)
}

fn sums(record: &BatchRecord, what: BatchCount) -> String {
    let sums: Vec<String> = record.amounts.get(what.name()).into_iter().flatten().map(Amount::to_string).collect();
    if sums.is_empty() { String::new() } else { format!(" ({})", sums.join(", ")) }
}
