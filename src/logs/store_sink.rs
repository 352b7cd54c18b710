//! Thread that stores lines: takes the waiting ones and writes them to the store in groups.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::{LogLine, Logs};
use crate::config::LogLevel;
use crate::store::{Store, StoreError};
use crate::text::message::msg;

/// Maximum number of lines per write: a group must not hold up other writes for long.
const GROUP: usize = 250;
/// Time to gather more lines before a group is stored.
const GATHER: Duration = Duration::from_millis(100);
/// Delay after a failed write; it doubles each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Starts the thread that stores lines until the log releases the store or the store is closed.
pub(super) fn start(logs: Logs, store: Store) -> Result<JoinHandle<()>, StoreError> {
    std::thread::Builder::new()
        .name("log-keeper".to_owned())
        .spawn(move || keep(&logs, &store))
        .map_err(|error| StoreError::Machine(format!("no thread can be started to store the log: {error}")))
}

fn keep(logs: &Logs, store: &Store) {
    let backlog = &logs.shared.to_keep;
    let mut wait = FIRST_WAIT;
    while let Some(group) = backlog.take(GROUP, GATHER) {
        match put(store, group.clone()) {
            Ok(()) => {
                if wait > FIRST_WAIT {
                    logs.say(LogLevel::Notice, &msg!("log-lines-stored-again"));
                }
                wait = FIRST_WAIT;
                log_lost_lines(logs);
                // After the report, so that a caller that waits for the log to be stored waits for it too.
                backlog.done();
            }
            // They are stored once a store is open again.
            Err(StoreError::Closed) => return backlog.give_back(group),
            Err(error) => {
                backlog.give_back(group);
                // Reported once: the report waits for the store like any other line.
                if wait == FIRST_WAIT {
                    logs.say(LogLevel::Error, &msg!("log-lines-not-stored", error = &error));
                }
                if backlog.is_closed() {
                    return;
                }
                backlog.pause(wait);
                wait = wait.saturating_mul(2).min(MAX_WAIT);
            }
        }
    }
}

fn put(store: &Store, group: Vec<Arc<LogLine>>) -> Result<(), StoreError> {
    store.write_blocking(move |writer| {
        for line in group {
            let line = LogLine { id: writer.next_id::<LogLine>()?, ..LogLine::clone(&line) };
            writer.put(&line)?;
        }
        Ok(())
    })
}

fn log_lost_lines(logs: &Logs) {
    let lost = logs.shared.to_keep.lost();
    if lost.is_empty() {
        return;
    }
    let counts: Vec<String> = lost.iter().map(|(level, count)| format!("{count} {}", level.name())).collect();
    logs.say(LogLevel::Warning, &msg!("log-store-too-slow", counts = counts.join(", ")));
}
