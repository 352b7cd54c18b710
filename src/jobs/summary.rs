//! What a run tells at its end of what failed in it.

use super::{BatchRecord, BatchState, Command, Context, Ended, JobError};
use crate::config::LogLevel;
use crate::money::Amount;
use crate::sentence::{Sentence, say};
use crate::store::StoreError;
use crate::trouble::{self, Noticed};

/// The count of payments that the paying account does not cover.
const INSUFFICIENT_FUNDS: &str = "insufficient funds";

/// What a run counts where money did not move.
const NOT_MOVED: [&str; 9] = [
    INSUFFICIENT_FUNDS,
    "refused",
    "no account in the currency",
    "outcome open",
    "in an unknown state",
    "vendor disabled",
    "shop gone",
    "wallet not ready",
    "payment blocked",
];

fn is_about_money(record: &BatchRecord) -> bool {
    let names = [Command::CashoutTransfer, Command::CashoutWithdraw, Command::TransactionStatusSync];
    names.iter().any(|command| command.name() == record.command)
}

/// Tells what failed in a run, and resolves the troubles that it has found gone. Whatever the number of items, that is
/// one line; while the trouble is the same, it is a warning, and nobody is told again before tomorrow.
pub(super) fn tell(context: &Context, ended: &Ended) {
    let record = &ended.record;
    let noticed = Noticed { action: &record.command, batch: Some(record.id), at: context.clock.now() };
    if let Some(error) = &ended.error {
        return ended_early(context, record, error, noticed);
    }
    let reasons: Vec<(&str, u64)> = NOT_MOVED
        .into_iter()
        .filter_map(|word| record.counts.get(word).map(|count| (word, *count)))
        .filter(|(_, count)| *count > 0)
        .collect();
    // What came of it is stored.
    context.troubles.resolve(trouble::STORE, noticed);
    let went_through = record.state() != BatchState::Interrupted;
    if record.failed == 0 && went_through {
        context.troubles.resolve(&of_batch(&record.command), noticed);
    }
    let transfers = record.command == Command::CashoutTransfer.name();
    let is_short = reasons.iter().any(|(word, _)| *word == INSUFFICIENT_FUNDS);
    if transfers && went_through && !is_short && record.unanswered == 0 {
        context.troubles.resolve(trouble::ESCROW, noticed);
    }
    if !is_about_money(record) {
        if record.failed > 0 {
            let first = record.failures.first().map(|failure| Sentence::quoting(failure.message.clone()));
            let first = first.unwrap_or_default();
            let message =
                say!("batch-items-failed", number = record.failed, total = record.total, first, batch = record.id);
            let level = if record.state() == BatchState::Failed { LogLevel::Error } else { LogLevel::Warning };
            context.troubles.report(&of_batch(&record.command), level, message, noticed);
        }
        return;
    }
    let counted: u64 = reasons.iter().map(|(_, count)| count).sum();
    let others = record.failed.saturating_sub(counted);
    let mut parts: Vec<String> =
        reasons.iter().map(|(word, count)| format!("{word} {count}{}", sums(record, word))).collect();
    if others > 0 {
        parts.push(format!("other failures {others}"));
    }
    let message = say!(
        "batch-not-moved",
        number = counted.max(record.failed),
        total = record.total,
        reasons = Sentence::quoting(parts.join(", ")),
        batch = record.id
    );
    let troubles = &context.troubles;
    if record.failed > 0 && record.unanswered >= record.due() {
        troubles.report(trouble::HIPAY, LogLevel::Critical, message, noticed);
    } else if transfers && is_short && reasons.len() == 1 && others == 0 {
        troubles.report(trouble::ESCROW, LogLevel::Error, message, noticed);
    } else if record.failed > 0 {
        troubles.report(&of_batch(&record.command), LogLevel::Error, message, noticed);
    } else if !reasons.is_empty() {
        // The vendor or the marketplace has to act: that is no failure of the run.
        let (action, batch) = (noticed.action, noticed.batch);
        tracing::warn!(action, batch, "{message}");
    }
}

/// The trouble of a batch of which something fails.
fn of_batch(command: &str) -> String {
    format!("batch:{command}")
}

/// Reports a run that an error has ended, under the trouble that the error shows.
fn ended_early(context: &Context, record: &BatchRecord, error: &JobError, noticed: Noticed<'_>) {
    let own = of_batch(&record.command);
    let key = match error {
        JobError::Credentials(_) => trouble::CREDENTIALS,
        JobError::Remote(_) if context.mirakl.silence().is_some() => trouble::MIRAKL,
        JobError::Remote(_) if context.hipay.silence().is_some() => trouble::HIPAY,
        JobError::Store(StoreError::Machine(_) | StoreError::Damaged { .. }) => trouble::STORE,
        JobError::Remote(_) | JobError::Store(_) | JobError::Refused(_) => own.as_str(),
    };
    let (command, error) = (record.command.as_str(), Sentence::from(error));
    let message = if record.scheduled_for.is_some() {
        say!("batch-ended-early-scheduled", command, error = &error)
    } else {
        say!("batch-ended-early", command, error = &error)
    };
    context.troubles.report(key, LogLevel::Error, message, noticed);
}

fn sums(record: &BatchRecord, word: &str) -> String {
    let sums: Vec<String> = record.amounts.get(word).into_iter().flatten().map(Amount::to_string).collect();
    if sums.is_empty() { String::new() } else { format!(" ({})", sums.join(", ")) }
}
