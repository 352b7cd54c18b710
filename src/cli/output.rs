//! The only place that writes to the terminal: results to the standard output, everything else to the error output.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::{Exit, Failed, Global, LogFormat};
use crate::config::LogLevel;
use crate::jobs::BatchState;
use crate::logs::{LogLine, Logs, Options, Stream, Style};
use crate::platform::clock::Clock;
use crate::platform::release;
use crate::platform::testing::{InjectedFault, has_fault};
use crate::store;
use crate::web::{BatchAmount, BatchDetail, BatchFailure, BatchItem};

/// Starts the log of a command on the error output: only urgent lines, and more if requested. The single
/// failures of a batch are in its summary.
pub(super) fn start_log(global: &Global, clock: &Clock) -> Logs {
    let (level, foreign_level) = match global.verbose {
        // The command itself ends with the reason why a batch ended early.
        0 => (LogLevel::Critical, LogLevel::Error),
        1 => (LogLevel::Info, LogLevel::Error),
        2 => (LogLevel::Debug, LogLevel::Error),
        _ => (LogLevel::Debug, LogLevel::Debug),
    };
    // Colours are for people at a terminal, not for cron's mails and log files.
    let style = style(global, io::stderr().is_terminal());
    start(Options { stream: Stream::Error, style, level, foreign_level, hand_over: false }, clock)
}

/// Starts the log of a serving process on the standard output.
pub(super) fn start_serving_log(global: &Global, clock: &Clock) -> Logs {
    let (level, foreign_level) = match global.verbose {
        0 => (LogLevel::Info, LogLevel::Warning),
        1 => (LogLevel::Debug, LogLevel::Warning),
        _ => (LogLevel::Debug, LogLevel::Debug),
    };
    let style = style(global, io::stdout().is_terminal());
    start(Options { stream: Stream::Output, style, level, foreign_level, hand_over: true }, clock)
}

fn start(options: Options, clock: &Clock) -> Logs {
    let logs = Logs::new(options, clock.clone());
    // A second start in one process (a test) keeps the first one.
    logs.install();
    logs
}

fn style(global: &Global, terminal: bool) -> Style {
    match global.log_format {
        Some(LogFormat::Json) => Style::Json,
        // systemd sets this variable if the stream goes to the journal.
        None if std::env::var_os("JOURNAL_STREAM").is_some() && !terminal => Style::Journal,
        Some(LogFormat::Text) | None => Style::Text { colours: terminal },
    }
}

/// Flag of JSON log lines: everything on the error output is JSON then.
static IN_JSON: AtomicBool = AtomicBool::new(false);

/// Chooses the format of lines on the error output, which is that of the log.
pub(super) fn choose_format(global: &Global) {
    IN_JSON.store(global.log_format == Some(LogFormat::Json), Ordering::Relaxed);
}

/// Prints a line on the error output. If that is closed, there is no one to inform.
pub(super) fn notice(text: &str) {
    say(LogLevel::Info, "", text);
}

/// Prints a warning on the error output.
pub(super) fn warning(action: &str, text: &str) {
    say(LogLevel::Warning, action, text);
}

fn say(level: LogLevel, action: &str, text: &str) {
    let mut error_output = io::stderr();
    if IN_JSON.load(Ordering::Relaxed) {
        let text = text.strip_prefix("cashout: ").unwrap_or(text).to_owned();
        let line = LogLine::said(Clock::system().now(), level, action, text);
        let _ = error_output.write_all(Style::Json.write(&line).as_bytes());
    } else {
        let prefix = if level > LogLevel::Info { "cashout: " } else { "" };
        let _ = writeln!(error_output, "{prefix}{text}");
    }
}

/// Reports a command that could not do its work.
pub(super) fn failed(failed: &Failed, json: bool) {
    if json {
        let _ = print_json(&json!({ "error": failed.sentence, "exit": failed.exit.code() }));
    } else {
        say(LogLevel::Error, "", &failed.sentence);
    }
}

/// Prints lines on the standard output.
pub(super) fn print(text: &str) -> Result<(), Failed> {
    match writeln!(io::stdout(), "{text}") {
        // The reader has closed the pipe (`| head`).
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Prints one JSON object on the standard output.
pub(super) fn print_json(value: &Value) -> Result<(), Failed> {
    print(&value.to_string())
}

/// Prints the outcome of a batch.
pub(super) fn summary(batch: &BatchDetail, json: bool) -> Result<(), Failed> {
    if json {
        return print_json(&batch_json(batch));
    }
    let BatchItem { command, state, done, total, failed, .. } = &batch.item;
    let mut lines = vec![format!("{command}: {} ({done} of {total})", state.name())];
    for (result, count) in &batch.item.counts {
        lines.push(format!("  {count:>7}  {result}{}", sums(batch.amounts.get(result))));
    }
    if done < total {
        // Another batch does the rest already, if there is a message about it.
        let rest = batch.item.error.as_deref().filter(|_| *state == BatchState::Interrupted);
        let next = rest.unwrap_or("run the same command again to continue");
        lines.push(format!("  {:>7}  left; {next}", total.saturating_sub(*done)));
    }
    if *failed > 0 {
        lines.push(format!("  {failed:>7}  failed:"));
        lines.extend(batch.failures.iter().map(line));
    }
    let listed = u64::try_from(batch.failures.len()).unwrap_or(u64::MAX);
    if *failed > listed {
        lines.push(format!("           and {} more", failed.saturating_sub(listed)));
    }
    if !batch.warnings.is_empty() {
        lines.push("           warnings:".to_owned());
        lines.extend(batch.warnings.iter().map(line));
    }
    print(&lines.join("\n"))
}

/// Formats one item's failure.
fn line(failure: &BatchFailure) -> String {
    let shop = failure.mirakl_id.map(|id| format!("shop {id}"));
    let voucher = failure.voucher.as_ref().map(|number| format!("voucher {number}"));
    let about: Vec<String> = [shop, voucher].into_iter().flatten().collect();
    let about = if about.is_empty() { String::new() } else { format!("{}: ", about.join(", ")) };
    format!("           {about}{}", failure.message)
}

fn sums(amounts: Option<&Vec<BatchAmount>>) -> String {
    let amount = |sum: &BatchAmount| format!("{} {}", sum.amount, sum.currency);
    match amounts {
        None => String::new(),
        Some(amounts) => format!(", {}", amounts.iter().map(amount).collect::<Vec<_>>().join(" + ")),
    }
}

/// Converts a batch to JSON: amounts are texts with the currency's decimals.
fn batch_json(batch: &BatchDetail) -> Value {
    let item = &batch.item;
    json!({
        "id": item.id,
        "command": item.command,
        "arguments": item.arguments,
        "state": item.state.name(),
        "started_at": item.started_at,
        "ended_at": item.ended_at,
        "done": item.done,
        "total": item.total,
        "counts": item.counts,
        "amounts": batch.amounts,
        "failed": item.failed,
        "failures": batch.failures,
        "warnings": batch.warnings,
        "error": item.error,
    })
}

/// Prints a batch that an error has ended, as JSON: the work done before, the reason of the end, and the exit code.
pub(super) fn ended_early(batch: &BatchDetail, failed: &Failed) -> Result<(), Failed> {
    let mut batch = batch_json(batch);
    if let Value::Object(fields) = &mut batch {
        fields.insert("error".to_owned(), failed.sentence.as_str().into());
        fields.insert("exit".to_owned(), failed.exit.code().into());
    }
    print_json(&batch)
}

/// Prints the version of the binary.
pub(super) fn version(json: bool) -> Result<Exit, Failed> {
    let (version, target) = (release::version(), release::TARGET);
    let commit = Some(release::COMMIT).filter(|commit| !commit.is_empty()).unwrap_or("unknown");
    let is_outdated = has_fault(InjectedFault::StatesOldFormat);
    let format = if is_outdated { 0 } else { store::format() };
    if json {
        let store = json!({ "format": format, "reads": [1, format] });
        print_json(&json!({ "version": version, "target": target, "commit": commit, "store": store }))?;
    } else {
        print(&format!("cashout {version}\ntarget  {target}\ncommit  {commit}\nstore   format {format}"))?;
    }
    Ok(Exit::Done)
}

/// Formats a table with a header; columns are as wide as their widest cell. `right` lists the columns of numbers.
pub(super) fn table(header: &[&str], rows: &[Vec<String>], right: &[usize]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(header.get(column).map(|name| name.chars().count())).max().unwrap_or(0)
    };
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().enumerate().map(|(column, cell)| {
            let width = width(column);
            if right.contains(&column) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(header.to_vec())];
    lines.push(line(header.to_vec()).chars().map(|_| '-').collect());
    lines.extend(rows.iter().map(|row| line(row.iter().map(String::as_str).collect())));
    lines.join("\n")
}
