//! What a batch that moves money tells at its end where money did not move as it should: one line, whatever the
//! number of vouchers, and once a day as long as the trouble is the same.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{BatchRecord, BatchState, Command, Context};
use crate::money::Amount;
use crate::sentence::{Sentence, say};
use crate::store::{StoreError, View, Writer};

/// What a run counts where money did not move.
const NOT_MOVED: [&str; 9] = [
    "insufficient funds",
    "refused",
    "no account in the currency",
    "outcome open",
    "in an unknown state",
    "vendor disabled",
    "shop gone",
    "wallet not ready",
    "payment blocked",
];

/// The same trouble is told again after this long.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(20);

const DOCUMENT: &str = "told_summaries";

/// What was told last of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    trouble: Vec<String>,
    at: Timestamp,
}

fn is_about_money(record: &BatchRecord) -> bool {
    let names = [Command::CashoutTransfer, Command::CashoutWithdraw, Command::TransactionStatusSync];
    names.iter().any(|command| command.name() == record.command)
}

/// Tells it, if there is anything to tell.
pub(super) async fn tell(context: &Context, record: &BatchRecord) {
    let reasons: Vec<(&str, u64)> = NOT_MOVED
        .into_iter()
        .filter_map(|word| record.counts.get(word).map(|count| (word, *count)))
        .filter(|(_, count)| *count > 0)
        .collect();
    if !is_about_money(record) || (record.failed == 0 && reasons.is_empty()) {
        return;
    }
    let counted: u64 = reasons.iter().map(|(_, count)| count).sum();
    let mut parts: Vec<String> =
        reasons.iter().map(|(word, count)| format!("{word} {count}{}", sums(record, word))).collect();
    let others = record.failed.saturating_sub(counted);
    if others > 0 {
        parts.push(format!("other failures {others}"));
    }
    let number = counted.max(record.failed);
    let message = say!(
        "batch-not-moved",
        number,
        total = record.total,
        reasons = Sentence::quoting(parts.join(", ")),
        batch = record.id
    );
    let (action, batch) = (record.command.as_str(), record.id);
    let mut trouble: Vec<String> = reasons.iter().map(|(word, _)| (*word).to_owned()).collect();
    trouble.extend((others > 0).then(|| "other failures".to_owned()));
    if record.state() == BatchState::Failed && record.unanswered >= record.due() {
        tracing::error!(severity = "CRITICAL", action, batch, "{message}");
    } else if is_new(context, record, trouble).await {
        tracing::error!(action, batch, "{message}");
    } else {
        tracing::warn!(action, batch, "{message}");
    }
}

fn sums(record: &BatchRecord, word: &str) -> String {
    let sums: Vec<String> = record.amounts.get(word).into_iter().flatten().map(Amount::to_string).collect();
    if sums.is_empty() { String::new() } else { format!(" ({})", sums.join(", ")) }
}

/// Returns true where this trouble was not told within the last day, and keeps that it is told now. What cannot be kept
/// is told again.
async fn is_new(context: &Context, record: &BatchRecord, trouble: Vec<String>) -> bool {
    let (now, command) = (context.clock.now(), record.command.clone());
    let kept = context.store.write(move |writer: &mut Writer<'_>| {
        let mut told = writer.get_document::<BTreeMap<String, Told>>(DOCUMENT)?.unwrap_or_default();
        let known = told.get(&command);
        let same =
            known.is_some_and(|known| known.trouble == trouble && now.duration_since(known.at).abs() < AGAIN_AFTER);
        if !same {
            told.insert(command, Told { trouble, at: now });
            writer.put_document(DOCUMENT, &told)?;
        }
        Ok::<_, StoreError>(!same)
    });
    kept.await.unwrap_or(true)
}
